/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Several workers, turned by hand: which of them get the work, which hear of
 * it, and what becomes of it when they leave.
 */
#include "support.h"

enum { MANY = 10 };

static struct probe probes[MANY];

static void two_workers_and_probes(void) {
  memset(probes, 0, sizeof probes);
  two_workers();
}

static void spawn_many(int polls) {
  for (int i = 0; i < MANY; i++) {
    probes[i].ready_at = polls;
    pool_spawn(pool, 0, &probes[i], 0, PILLION_DETACH);
  }
}

static int drops_so_far(void) {
  int drops = 0;
  for (int i = 0; i < MANY; i++) drops += probes[i].drops;
  return drops;
}

/* ---- Who is told --------------------------------------------------------- */

GIVEN(two_workers_and_probes, spawn_pokes_one_idle_worker) {
  struct probe probe = {.ready_at = 1}, next = {.ready_at = 1};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_int_equal(readable(one) + readable(two), 1);
  pool_spawn(pool, 0, &next, 0, PILLION_DETACH);
  assert_true(readable(one) && readable(two));
  turn(one);
  assert_int_equal(probe.drops + next.drops, 2);
  turn(two);
  assert_false(readable(one) || readable(two));
}

/* Their idle set needs several words. */
TEST(each_of_many_idle_workers_is_found) {
  enum { WORKERS = 70 };
  pillion_executor workers[WORKERS];
  static struct probe each[WORKERS];
  int told = 0;
  pool = pool_new();
  for (int i = 0; i < WORKERS; i++) {
    workers[i] = executor_new();
    assert_ok(pillion_pool_join(pool, workers[i], 0));
    turn(workers[i]);
  }
  assert_int_equal(pool_stats(pool).idle, WORKERS);
  for (int i = 0; i < WORKERS; i++) pool_spawn_as(pool, &each[i]);
  for (int i = 0; i < WORKERS; i++) told += readable(workers[i]);
  assert_int_equal(told, WORKERS);
  for (int i = 0; i < WORKERS; i++) executor_free(workers[i]);
}

static int spawns_two(struct probe *probe, pillion_value *out,
                      pillion_context *cx) {
  probes[0].ready_at = probes[1].ready_at = 1;
  pillion_spawn(NULL, cx, &probing, &probes[0], 0, PILLION_DETACH);
  probe->rc = readable(two);
  pillion_spawn(NULL, cx, &probing, &probes[1], 0, PILLION_DETACH);
  probe->state = readable(two);
  return PILLION_READY;
}

/* The worker will pop one of its two tasks itself; a poke is for the other. */
GIVEN(two_workers_and_probes, worker_that_has_more_than_one_pokes) {
  struct probe probe = {.step = spawns_two};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  pillion_executor told = readable(one) ? one : two;
  if (told == two) { /* `one` was told from here on */
    two = one;
    one = told;
  }
  turn(one);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(probe.state, 1);
  assert_int_equal(probes[0].drops + probes[1].drops, 2);
  turn(two);
}

static int spawns_one_and_wakes_itself(struct probe *probe, pillion_value *out,
                                       pillion_context *cx) {
  if (probe->polls > 1) return PILLION_READY;
  pillion_spawn(NULL, cx, &probing, &probes[0], 0, PILLION_DETACH);
  cx->ops->wake(cx->waker);
  probe->state = readable(probe->executor);
  return PILLION_PENDING;
}

static int sees_whether_the_other_is_poked(struct probe *probe,
                                           pillion_value *out,
                                           pillion_context *cx) {
  probe->state = readable(probe->executor);
  return PILLION_READY;
}

/* A polled task goes back into the deque: the next pop tells an idle worker. */
GIVEN(two_workers_and_probes, pop_that_leaves_more_pokes) {
  struct probe probe = {.step = spawns_one_and_wakes_itself, .state = -1};
  probes[0].step = sees_whether_the_other_is_poked;
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  pillion_executor told = readable(one) ? one : two;
  probe.executor = probes[0].executor = told == one ? two : one;
  turn(told);
  assert_int_equal(probe.state, 0);
  assert_int_equal(probes[0].state, 1);
  assert_int_equal(probe.drops + probes[0].drops, 2);
  turn(probe.executor);
}

GIVEN(two_workers_and_probes, turn_that_leaves_work_pokes) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 2;
  spawn_many(1);
  pillion_progress p = PILLION_PROGRESS_INIT;
  assert_ok(pillion_executor_turn(NULL, 0, &p, one, &budget));
  assert_int_equal(p.more, 1);
  assert_true(readable(two));
  turn(two);
  assert_int_equal(pool_stats(pool).steals, 4); /* of 8, of 4, of 2, of 1 */
  turn(one);
  turn(two);
  assert_int_equal(drops_so_far(), MANY);
}

GIVEN(two_workers_and_probes, idle_worker_is_quiet) {
  uint64_t turns = stats_of(one).turns;
  turn(one);
  turn(one);
  assert_int_equal(stats_of(one).turns, turns);
  assert_int_equal(pool_stats(pool).idle, 2);
}

/* Its loop may wait for what the task does, which tells no event. */
GIVEN(two_workers_and_probes, turn_of_a_poked_worker_counts) {
  struct probe probe = {.ready_at = 1};
  uint64_t turns = stats_of(one).turns + stats_of(two).turns;
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_true(readable(one) + readable(two) > 0);
  turn(readable(one) ? one : two);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(stats_of(one).turns + stats_of(two).turns, turns + 1);
}

/* ---- Who waits ----------------------------------------------------------- */

GIVEN(two_workers_and_probes, last_end_is_told_to_all_who_wait) {
  spawn_many(2);
  turn(one);
  assert_int_equal(progress.live, MANY);
  turn(two);
  assert_int_equal(progress.live, MANY);
  for (int i = 0; i < MANY; i++) pillion_wake(probes[i].waker);
  turn(one);
  assert_int_equal(progress.live, 0);
  assert_true(readable(two));
  turn(two);
  assert_int_equal(progress.live, 0);
  assert_false(readable(two));
}

static int busy_forever(struct probe *probe, pillion_value *out,
                        pillion_context *cx) {
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

GIVEN(two_workers_and_probes, busy_worker_holds_nobody_up) {
  probes[0].step = busy_forever;
  probes[1].ready_at = 1;
  spawn(one, &probes[0], 0, PILLION_DETACH);
  pool_spawn(pool, 0, &probes[1], 0, PILLION_DETACH);
  turn(one);
  assert_int_equal(probes[1].drops, 1);
  assert_int_equal(progress.more, 1);
  assert_int_equal(pool_stats(pool).live, 0);
  turn(two);
  assert_int_equal(progress.live, 0);
}

GIVEN(two_workers_and_probes, hold_lasts_until_closed_and_empty) {
  pillion_executor held = executor_new();
  struct probe probe = {.ready_at = 2};
  assert_ok(pillion_pool_join(pool, held, PILLION_HOLD));
  turn(held);
  assert_int_equal(progress.live, 1);
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(held);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_pool_spawn(NULL, pool, 0, &probing, &probe, 0,
                                      PILLION_DETACH),
                   PILLION_ECLOSED);
  turn(held);
  assert_int_equal(progress.live, 1); /* the task */
  pillion_wake(probe.waker);
  turn(one);
  turn(two);
  assert_true(readable(held));
  uint64_t turns = stats_of(held).turns;
  turn(held);
  assert_int_equal(progress.live, 0);
  /* A loop that looks before it sleeps would otherwise sleep for ever. */
  assert_int_equal(stats_of(held).turns, turns + 1);
  executor_free(held);
}

GIVEN(two_workers_and_probes, leaving_ends_the_hold) {
  pillion_executor held = executor_new();
  assert_ok(pillion_pool_join(pool, held, PILLION_HOLD));
  turn(held);
  assert_int_equal(progress.live, 1);
  assert_ok(pillion_pool_leave(held));
  turn(held);
  assert_int_equal(progress.live, 0);
  executor_free(held);
}

/* ---- Leaving ------------------------------------------------------------- */

GIVEN(two_workers_and_probes, leaver_hands_its_tasks_on) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 2;
  spawn_many(1);
  turn(two);                      /* ends all tasks */
  assert_int_equal(drops_so_far(), MANY);
  memset(probes, 0, sizeof probes);
  spawn_many(1);
  assert_ok(pillion_executor_turn(NULL, 0, NULL, one, &budget));
  while (readable(two)) { /* the poke was for nothing */
    turn(one);
    turn(two);
  }
  assert_int_equal(drops_so_far(), MANY);
  memset(probes, 0, sizeof probes);
  spawn_many(1);
  assert_ok(pillion_executor_turn(NULL, 0, NULL, one, &budget));
  assert_ok(pillion_pool_leave(one));
  assert_true(readable(two));
  turn(two);
  assert_int_equal(drops_so_far(), MANY);
  turn(one);
  assert_int_equal(progress.live, 0);
}

GIVEN(two_workers_and_probes, free_of_a_worker_leaves_the_pool) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 2;
  spawn_many(1);
  assert_ok(pillion_executor_turn(NULL, 0, NULL, one, &budget));
  executor_free(one);
  one = executor_new();
  assert_int_equal(pool_stats(pool).workers, 1);
  turn(two);
  assert_int_equal(drops_so_far(), MANY);
}

static void *joins_and_dies(void *data) {
  pillion_executor *ex = data;
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 4;
  pillion_executor_new(ex, NULL, NULL, 0);
  pillion_pool_join(pool, *ex, PILLION_HOLD);
  pillion_executor_turn(NULL, 0, NULL, *ex, &budget);
  return NULL;
}

GIVEN(two_workers_and_probes, dying_thread_leaves) {
  pillion_executor ex;
  spawn_many(1);
  on_thread(joins_and_dies, &ex);
  assert_int_equal(drops_so_far(), 4);
  assert_int_equal(pool_stats(pool).workers, 2);
  turn(one);
  turn(two);
  assert_int_equal(drops_so_far(), MANY);
  executor_free(ex);
}

/* ---- Close and free ------------------------------------------------------ */

GIVEN(two_workers_and_probes, close_cancels_all) {
  spawn_many(0);
  turn(one);
  struct probe late = {.name = "late"};
  pool_spawn(pool, 0, &late, 0, PILLION_DETACH);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  turn(two);
  turn(one);
  assert_int_equal(drops_so_far(), MANY);
  assert_int_equal(late.drops, 1);
  assert_int_equal(progress.live, 0);
  assert_traced("");
}

static int shields(struct probe *probe, pillion_value *out,
                   pillion_context *cx) {
  pillion_shield(cx, 1);
  return PILLION_PENDING;
}

/* A second cancel of a shielded task wakes nothing, either. */
GIVEN(two_workers_and_probes, closing_again_wakes_nobody) {
  probes[0].step = shields;
  pool_spawn(pool, 0, &probes[0], 0, PILLION_DETACH);
  turn(one);
  turn(two);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  turn(one);
  turn(two);
  assert_int_equal(probes[0].polls, 2);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  turn(one);
  turn(two);
  assert_int_equal(probes[0].polls, 2);
}

GIVEN(two_workers_and_probes, free_drops_what_lives) {
  struct probe joined = {.ready_at = 1}, told = {.ready_at = 5},
               shielded = {.ready_at = 5};
  pillion_executor home = executor_new();
  pillion_pool other = pool_new();
  pillion_executor worker = executor_new();
  assert_ok(pillion_pool_join(other, worker, 0));
  pillion_task task = pool_spawn(other, 0, &joined, 0, PILLION_JOIN);
  pool_spawn(other, home, &told, 9, PILLION_EVENT);
  pool_spawn(other, 0, &shielded, 9, PILLION_DETACH);
  turn(worker);
  pool_spawn(other, 0, &probes[0], 0, PILLION_DETACH); /* never polled */
  executor_free(worker);
  assert_ok(pillion_pool_free(other));
  assert_int_equal(joined.drops, 1);
  assert_int_equal(told.drops, 1);
  assert_int_equal(shielded.drops, 1);
  assert_int_equal(probes[0].drops, 1);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  /* Waiting ends keep the pool's memory, but not its handle. */
  assert_int_equal(library_counts().pools, 2);
  assert_int_equal(turn(home), 1);
  assert_int_equal(events[0].token, 9);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(library_counts().pools, 1);
  executor_free(home);
}
