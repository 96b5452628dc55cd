/* SPDX-License-Identifier: Apache-2.0 */

/* Wake and poll, one step: 100 tasks, each of which wakes itself. */

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

int main(void) {
  static uint64_t counts[TASKS];
  pillion_executor executor;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  for (int i = 0; i < TASKS; i++)
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &counts[i], 0,
                                 PILLION_DETACH));
  bench_print("step", bench_loop(round_of_turns, &executor));
  return counts[0] == counts[TASKS - 1] ? 0 : 1;
}
