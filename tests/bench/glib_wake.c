/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A wake of a sleeping GLib loop, made as by another thread, to the poll; or
 * with "invoke" to the function of g_main_context_invoke. That calls the
 * function at once on this thread, so here stands what it does on another: a
 * source, and a wakeup.
 */
#include "bench.h"
#include "pillion/glib.h"

#define WAKES 1000

static pillion_waker waker;
static uint64_t polls;

static int count(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  waker = cx->waker;
  polls++;
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, count, NULL};

static uint64_t round_of_wakes(void *data) {
  for (uint64_t i = 0, before = polls; i < WAKES; i++) {
    BENCH_TRY(pillion_wake(waker));
    while (polls - before <= i) g_main_context_iteration(data, TRUE);
  }
  return WAKES;
}

static gboolean count_one(gpointer data) {
  (void)data;
  polls++;
  return G_SOURCE_REMOVE;
}

static uint64_t round_of_invokes(void *data) {
  for (uint64_t i = 0, before = polls; i < WAKES; i++) {
    GSource *source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, count_one, NULL, NULL);
    g_source_attach(source, data);
    g_source_unref(source);
    g_main_context_wakeup(data);
    while (polls - before <= i) g_main_context_iteration(data, TRUE);
  }
  return WAKES;
}

int main(int argc, char **argv) {
  GMainContext *context = g_main_context_new();
  pillion_executor ex;
  pillion_glib glib;
  BENCH_TRY(pillion_executor_new(&ex, NULL, NULL, 0));
  if (bench_is(argc, argv, "invoke")) {
    bench_print("wake", bench_loop(round_of_invokes, context));
    return 0;
  }
  BENCH_TRY(pillion_glib_attach(&glib, context, 0, ex, NULL, NULL));
  BENCH_TRY(pillion_task_spawn(NULL, ex, &future, NULL, 0, PILLION_DETACH));
  while (polls == 0) g_main_context_iteration(context, TRUE);
  bench_print("wake", bench_loop(round_of_wakes, context));
  return 0;
}
