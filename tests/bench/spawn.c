/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Spawn a batch of 1000 tasks that are ready at once, and turn until all have
 * ended. "detach" throws the results away, "event" takes each as an event.
 */

#include "bench.h"
#include "pillion.h"

#define BATCH 1000

struct batch {
  pillion_executor executor;
  uint32_t flags;
  uint64_t ran[BATCH];
};

static int once(pillion_value *out, pillion_context *cx, void *self) {
  uint64_t *ran = self;
  (void)cx;
  ++*ran;
  pillion_value_set(out, ran, sizeof *ran);
  return PILLION_READY;
}

static const pillion_future future = {sizeof future, once, NULL};

static uint64_t round_of_spawns(void *data) {
  static pillion_event events[BATCH];
  struct batch *b = data;
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  budget.max_polls = BATCH;
  for (int i = 0; i < BATCH; i++)
    BENCH_TRY(pillion_task_spawn(NULL, b->executor, &future, &b->ran[i],
                                 (uint64_t)i, b->flags));
  do
    BENCH_TRY(pillion_executor_turn(events, BATCH, &progress, b->executor,
                                    &budget));
  while (progress.live > 0);
  return BATCH;
}

int main(int argc, char **argv) {
  static struct batch batch;
  batch.flags = bench_is(argc, argv, "event") ? PILLION_EVENT : PILLION_DETACH;
  BENCH_TRY(pillion_executor_new(&batch.executor, NULL, NULL, 0));
  bench_print("spawn", bench_loop(round_of_spawns, &batch));
  return batch.ran[0] == batch.ran[BATCH - 1] ? 0 : 1;
}
