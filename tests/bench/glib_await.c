/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go work awaited from GLib through pillion/glib.h, or with "task" in GTask's
 * form through pillion/gio.h; peers/glib_bridge.c is the same by hand. The
 * argument is how many are in flight.
 */
#include "bench.h"
#include "pillion/gio.h"
#include "pillion/glib.h"

static GMainLoop *loop;
static pillion_executor executor;
static pillion_function echo;
static uint64_t submitted, taken, total;
static int task;

static void submit(void);

static void take(const void *bytes, size_t length) {
  taken++;
  if (length != 1 || *(const char *)bytes != 'x') abort();
  if (submitted < total) submit();
  if (taken == total) g_main_loop_quit(loop);
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  take(pillion_event_data(event), event->length);
}

static void on_ready(GObject *object, GAsyncResult *result, gpointer data) {
  GBytes *bytes = pillion_glib_call_finish(result, NULL);
  gsize length;
  (void)object, (void)data;
  if (bytes == NULL) abort();
  take(g_bytes_get_data(bytes, &length), g_bytes_get_size(bytes));
  g_bytes_unref(bytes);
}

static void submit(void) {
  char request = 'x';
  submitted++;
  if (task)
    pillion_glib_call_async(executor, echo, &request, 1, NULL, on_ready, NULL);
  else
    BENCH_TRY(pillion_call_submit(NULL, executor, echo, &request, 1, submitted,
                                  PILLION_EVENT));
}

int main(int argc, char **argv) {
  uint64_t in_flight = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int64_t start;
  pillion_glib glib;
  task = argc > 2;
  loop = g_main_loop_new(NULL, FALSE);
  BENCH_TRY(pillion_function_find(&echo, "test.echo"));
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_glib_attach(&glib, NULL, 0, executor, on_event, NULL));
  for (int round = 0; round < 2; round++) { /* the first warms up */
    taken = submitted = 0;
    total = in_flight == 1 ? 3000 : 10 * in_flight + 20000;
    start = bench_now();
    for (uint64_t i = 0; i < in_flight; i++) submit();
    g_main_loop_run(loop);
  }
  bench_print("await", (double)(bench_now() - start) / (double)total);
  return 0;
}
