/* SPDX-License-Identifier: Apache-2.0 */

/* What a new pool starts with, and what its options change. */
#include "support.h"

/* ---- Without options ----------------------------------------------------- */

/* The process's first pool: no earlier one has used its memory. */
GIVEN(a_worker, pool_without_timers_has_no_deadline) {
  turn(ex);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  assert_false(readable(ex));
}

enum { MANY = 20 };

static struct probe children[MANY];
static uint64_t refs[MANY];

static int spawns_many(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  for (int i = 0; i < MANY; i++) {
    children[i].ready_at = 1;
    pillion_spawn(NULL, cx, &probing, &children[i], 0, PILLION_DETACH);
    refs[i] = atomic_load(&((struct pillion__pool *)probe->data)->refs);
  }
  return PILLION_READY;
}

/* A count for each spawn would write to memory that all workers share. */
GIVEN(a_worker, spawns_of_a_worker_are_counted_at_once) {
  struct probe probe = {.step = spawns_many,
                        .data = pillion__pools[pillion__slot_of(pool)]};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_true(refs[0] >= 1 + MANY);
  for (int i = 1; i < MANY; i++) assert_int_equal(refs[i], refs[0]);
  assert_int_equal(progress.live, 0);
}

/* ---- Who is robbed ------------------------------------------------------- */

enum { ROUNDS = 24 };

/* In each round two workers have a task too many, and a third looks for one. */
static uint32_t who_is_robbed(uint64_t seed) {
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_executor workers[3];
  pillion_pool robbed;
  uint32_t order = 0;
  options.seed = seed;
  budget.max_polls = 1;
  assert_ok(pillion_pool_new(&robbed, &options, NULL, 0));
  for (int i = 0; i < 3; i++) {
    workers[i] = executor_new();
    assert_ok(pillion_pool_join(robbed, workers[i], 0));
  }
  for (int round = 0; round < ROUNDS; round++) {
    struct probe tasks[4] = {{0}};
    for (int i = 0; i < 4; i++) {
      tasks[i].ready_at = 1;
      pool_spawn(robbed, 0, &tasks[i], 0, PILLION_DETACH);
      if (i % 2 == 1) pillion_executor_turn(NULL, 0, NULL, workers[i / 2], &budget);
    }
    pillion_executor_turn(NULL, 0, NULL, workers[2], &budget);
    assert_int_equal(tasks[1].drops + tasks[3].drops, 1);
    order = order << 1 | (uint32_t)tasks[3].drops;
    for (int i = 0; i < 2; i++) turn(workers[i]);
  }
  for (int i = 0; i < 3; i++) executor_free(workers[i]);
  pool_free(robbed);
  return order;
}

TEST(seed_says_who_is_robbed) {
  uint32_t orders[3];
  for (uint32_t i = 0; i < 3; i++) {
    orders[i] = who_is_robbed(i);
    assert_true(orders[i] > 0 && orders[i] < (1u << ROUNDS) - 1);
    for (uint32_t j = 0; j < i; j++)
      assert_int_not_equal(orders[i], orders[j]);
  }
}
