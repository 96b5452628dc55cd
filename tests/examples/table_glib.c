/* SPDX-License-Identifier: Apache-2.0 */

/*
 * table_glib FILE WHERE [ROW]: inserts a row into a table, and prints those
 * that match, on GLib. Ctrl-C ends it.
 */
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pillion/glib.h"

#define WINDOW 32 /* rows that Go may be ahead */

static GMainLoop *loop;
static pillion_executor ex;
static pillion_task call;
static uint64_t table;
static const char *where, *row;
static int unused, code;

/* Calls a method of the table, or its constructor. */
static void start(const char *name, const char *request, uint32_t credit) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.object = table;
  options.request = request;
  options.length = strlen(request);
  options.credit = credit;
  if (pillion_function_find(&options.function, name) < 0 ||
      pillion_call_submit_with(&call, ex, &options) < 0)
    exit(1);
}

static void on_event(const pillion_event *event, void *data) {
  const char *bytes = (const char *)pillion_event_data(event);
  pillion_failure failure = PILLION_FAILURE_INIT;
  (void)data;

  if (event->flags & PILLION_EVENT_ITEM) {
    printf("%.*s\n", (int)event->length, bytes);
    if (++unused == WINDOW / 2) { /* so many are read, and may follow */
      pillion_call_credit(call, (uint32_t)unused);
      unused = 0;
    }
    return;
  }
  if (event->flags & PILLION_EVENT_OBJECT) table = event->link;
  if (event->status == PILLION_EFAILED &&
      pillion_failure_parse(&failure, bytes, event->length) == 0) {
    fprintf(stderr, "table_glib: %.*s\n", (int)failure.message_length,
            failure.message);
    code = 1;
  } else if (code == 0 && row != NULL) {
    start("table.Table.insert", row, 0);
    row = NULL;
    return;
  } else if (code == 0 && where != NULL) {
    start("table.Table.select", where, WINDOW);
    where = NULL;
    return;
  }
  g_main_loop_quit(loop);
}

static gboolean on_interrupt(gpointer data) {
  (void)data;
  pillion_task_cancel(call); /* its end comes as an event, as always */
  code = 130;
  return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv) {
  pillion_glib glib;

  if (argc < 3) return 2;
  where = argv[2];
  row = argv[3];
  loop = g_main_loop_new(NULL, FALSE);
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, ex, on_event, NULL) <
      0)
    return 1;
  g_unix_signal_add(SIGINT, on_interrupt, NULL);
  start("table.Table.open", argv[1], 0);
  g_main_loop_run(loop);
  pillion_object_drop(table); /* Go closes the file */
  pillion_glib_detach(&glib);
  pillion_executor_free(ex);
  g_main_loop_unref(loop);
  return code;
}
