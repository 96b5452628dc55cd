/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/glib.h on a real GMainContext. */
#include "loop.h"

#include <glib-unix.h>

#include "pillion/glib.h"

const int loop_takes_files = 1;
const struct exempt loop_exempts[] = {
    {"an_attach_without_memory_changes_nothing",
     "GLib ends the process without memory"},
    {ENDING_CASES, "a program looks at adapter.live"},
    {NULL, NULL}};

void *loop_new(void) { return g_main_context_new(); }

void loop_destroy(void *loop) { g_main_context_unref(loop); }

void loop_round(void *loop, int wait) { g_main_context_iteration(loop, wait); }

static gboolean on_own(gpointer data) {
  own_call(data);
  free(data);
  return G_SOURCE_REMOVE;
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  GSource *source = g_timeout_source_new((guint)ms);
  g_source_set_callback(source, on_own, own_new(fn, data), NULL);
  g_source_attach(source, loop);
  g_source_unref(source);
}

static gboolean on_io(gint fd, GIOCondition condition, gpointer data) {
  own_call(data);
  return G_SOURCE_CONTINUE;
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  GSource *source = g_unix_fd_source_new(fd, G_IO_IN);
  g_source_set_callback(source, G_SOURCE_FUNC(on_io), own_new(fn, data), NULL);
  g_source_attach(source, loop);
  g_source_unref(source);
  return 0;
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_glib_attach((pillion_glib *)host, loop, G_PRIORITY_DEFAULT, ex,
                             on_event, data);
}

int host_detach(struct host *host) {
  return pillion_glib_detach((pillion_glib *)host);
}
