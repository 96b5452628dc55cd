/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go work awaited from GLib by hand: a goroutine and a GTask for each call, and
 * g_main_context_invoke. The argument is how many are in flight.
 */
#include <gio/gio.h>

#include "bench.h"
#include "libbridge.h"

static GMainLoop *loop;
static uint64_t submitted, taken, total;

static gboolean deliver(gpointer data) {
  GBytes *bytes = g_object_get_data(data, "bytes");
  g_task_return_pointer(data, g_bytes_ref(bytes),
                        (GDestroyNotify)g_bytes_unref);
  g_object_unref(data);
  return G_SOURCE_REMOVE;
}

/* On a thread of Go's. */
static void push(uint64_t id, const void *data, size_t length) {
  GTask *task = (GTask *)(uintptr_t)id;
  g_object_set_data_full(G_OBJECT(task), "bytes", g_bytes_new(data, length),
                         (GDestroyNotify)g_bytes_unref);
  g_main_context_invoke(g_task_get_context(task), deliver, task);
}

static void submit(void);

static void on_ready(GObject *object, GAsyncResult *result, gpointer data) {
  GBytes *bytes = g_task_propagate_pointer(G_TASK(result), NULL);
  gsize length;
  const char *text = g_bytes_get_data(bytes, &length);
  (void)object, (void)data;
  taken++;
  if (length != 1 || text[0] != 'x') abort();
  g_bytes_unref(bytes);
  if (submitted < total) submit();
  if (taken == total) g_main_loop_quit(loop);
}

static void submit(void) {
  char request = 'x';
  GTask *task = g_task_new(NULL, NULL, on_ready, NULL);
  submitted++;
  bridge_call((uint64_t)(uintptr_t)task, &request, 1, push);
}

int main(int argc, char **argv) {
  uint64_t in_flight = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int64_t start;
  loop = g_main_loop_new(NULL, FALSE);
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
