/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wake and poll, one step: 100 tasks, each of which wakes itself. "uv" is the
 * nearest that libuv has: 100 idle handles, called once a round of the loop.
 */

#include <uv.h>

#include "bench.h"
#include "pillion.h"

#define TASKS 100
#define TURNS 1000

static int again(pillion_value *out, pillion_context *cx, void *self) {
  (void)out;
  (*(uint64_t *)self)++;
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, again, NULL};

static uint64_t round_of_turns(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  for (int i = 0; i < TURNS; i++)
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  return TURNS * TASKS;
}

static void idle(uv_idle_t *handle) { (*(uint64_t *)handle->data)++; }

static uint64_t round_of_idles(void *data) {
  (void)data;
  for (int i = 0; i < TURNS; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  return TURNS * TASKS;
}

static void idle_handles(uint64_t *counts) {
  static uv_idle_t handles[TASKS];
  for (int i = 0; i < TASKS; i++) {
    BENCH_TRY(uv_idle_init(uv_default_loop(), &handles[i]));
    handles[i].data = &counts[i];
    BENCH_TRY(uv_idle_start(&handles[i], idle));
  }
}

int main(int argc, char **argv) {
  static uint64_t counts[TASKS];
  pillion_executor executor;
  if (bench_is(argc, argv, "uv")) {
    idle_handles(counts);
    bench_print("step", bench_loop(round_of_idles, NULL));
    return counts[0] == counts[TASKS - 1] ? 0 : 1;
  }
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  for (int i = 0; i < TASKS; i++)
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &counts[i], 0,
                                 PILLION_DETACH));
  bench_print("step", bench_loop(round_of_turns, &executor));
  return counts[0] == counts[TASKS - 1] ? 0 : 1;
}
