/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bytes of resident memory for each of a million tasks that were polled once
 * and sleep, the caller's 16 bytes of storage included.
 */

#include "bench.h"
#include "pillion.h"

#define TASKS 1000000

struct sleeper {
  pillion_waker waker;
  uint64_t state;
};

static int sleep_on(pillion_value *out, pillion_context *cx, void *self) {
  struct sleeper *s = self;
  (void)out;
  s->waker = cx->waker;
  s->state = 1;
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, sleep_on, NULL};

int main(void) {
  pillion_executor executor;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  struct sleeper *storage;
  int64_t before;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  before = bench_resident();
  if ((storage = calloc(TASKS, sizeof *storage)) == NULL) return 1;
  for (int i = 0; i < TASKS; i++)
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &storage[i], 0,
                                 PILLION_DETACH));
  do
    BENCH_TRY(pillion_executor_turn(NULL, 0, &progress, executor, NULL));
  while (progress.more);
  if (storage[TASKS - 1].state != 1 || progress.live != TASKS) return 1;
  bench_print("bytes", (double)(bench_resident() - before) / TASKS);
  return 0;
}
