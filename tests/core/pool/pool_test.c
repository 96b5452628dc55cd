/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool and one worker: which tasks are polled, how often and when; what a
 * cancel does to them; how misuse is answered.
 */
#include "support.h"

/* ---- Tasks --------------------------------------------------------------- */

GIVEN(a_worker, polled_by_the_worker_that_turns) {
  struct probe probe = {.ready_at = 1, .name = "poll"};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_int_equal(turn(ex), 0);
  assert_traced("poll");
  assert_int_equal(progress.polled, 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(probe.drops, 1);
}

GIVEN(a_worker, wakes_before_a_poll_are_one) {
  struct probe probe = {.name = "poll"};
  pillion_task task = pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_int_equal(pillion_wake(waker_of(task)), PILLION_COALESCED);
  turn(ex);
  assert_traced("poll");
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_int_equal(pillion_wake(probe.waker), PILLION_COALESCED);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_COALESCED);
  turn(ex);
  assert_traced("poll");
  turn(ex);
  assert_traced("");
  executor_free(ex);
  pool_free(pool);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
}

static int wakes_itself_twice(struct probe *probe, pillion_value *out,
                              pillion_context *cx) {
  if (probe->polls > 3) return PILLION_PENDING;
  probe->rc = cx->ops->wake(cx->waker);
  probe->state = probe->polls % 2 == 0 ? pillion_wake_local(cx->waker)
                                       : pillion_wake(cx->waker);
  return PILLION_PENDING;
}

GIVEN(a_worker, wake_during_poll) {
  static struct probe probe = {.step = wakes_itself_twice, .name = "poll"};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_traced("poll poll poll poll");
  assert_int_equal(probe.rc, PILLION_WOKEN);
}

static void *wakes(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_wake(probe->waker);
  return NULL;
}

static int woken_by_another_thread(struct probe *probe, pillion_value *out,
                                   pillion_context *cx) {
  if (probe->polls < 3) on_thread(wakes, probe);
  return PILLION_PENDING;
}

static int woken_as_by_another(struct probe *probe, pillion_value *out,
                               pillion_context *cx) {
  if (probe->polls < 3) wakes(probe);
  return PILLION_PENDING;
}

GIVEN(a_worker, wake_by_another_during_poll) {
  static struct probe probes[] = {{.step = woken_by_another_thread},
                           {.step = woken_as_by_another}};
  for (size_t i = 0; i < COUNT(probes); i++) {
    pool_spawn(pool, 0, &probes[i], 0, PILLION_DETACH);
    turn(ex);
    assert_true(probes[i].rc >= 0);
    assert_int_equal(probes[i].polls, 3);
    assert_int_equal(progress.polled, 3);
    assert_int_equal(progress.more, 0);
  }
}

static int never_rests(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

/* With a budget of one poll neither kind starves the other. */
GIVEN(a_worker, budget_of_one_poll_starves_no_task) {
  static struct probe local = {.step = never_rests}, pooled = {.step = never_rests};
  spawn(ex, &local, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &pooled, 0, PILLION_DETACH);
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  for (int i = 1; i <= 4; i++) {
    pillion_executor_turn(NULL, 0, &progress, ex, &one);
    assert_int_equal(local.polls, i);
    assert_int_equal(pooled.polls, i);
  }
}

GIVEN(a_worker, polled_in_the_order_of_their_spawns) {
  struct probe a = {.name = "a", .ready_at = 1}, b = {.name = "b", .ready_at = 1},
               c = {.name = "c", .ready_at = 1};
  pool_spawn(pool, 0, &a, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &b, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &c, 0, PILLION_DETACH);
  turn(ex);
  assert_traced("a b c");
}

/* Local tasks get half of the budget, even from a full pool. */
GIVEN(a_worker, budget_is_shared_with_local_tasks) {
  struct probe ours[8] = {{0}}, theirs[8] = {{0}};
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 8;
  for (int i = 0; i < 8; i++) {
    theirs[i].ready_at = ours[i].ready_at = 1;
    theirs[i].name = "pool";
    ours[i].name = "own";
    pool_spawn(pool, 0, &theirs[i], 0, PILLION_DETACH);
    spawn(ex, &ours[i], 0, PILLION_DETACH);
  }
  assert_ok(pillion_executor_turn(NULL, 0, NULL, ex, &budget));
  assert_traced("own own own own pool pool pool pool");
  assert_ok(pillion_executor_turn(NULL, 0, NULL, ex, &budget));
  assert_traced("own own own own pool pool pool pool");
}

/* ---- Cancelling ---------------------------------------------------------- */

GIVEN(a_worker, cancel_before_first_poll) {
  struct probe probe = {.name = "poll"};
  pillion_task task = pool_spawn(pool, ex, &probe, 3, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_int_equal(turn(ex), 1);
  assert_traced("");
  assert_int_equal(probe.drops, 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

GIVEN(a_worker, cancel_of_one_that_waits) {
  struct probe probe = {.name = "poll"};
  pillion_task task = pool_spawn(pool, ex, &probe, 3, PILLION_EVENT);
  turn(ex);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(turn(ex), 1);
  assert_traced("poll");
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

static int shields(struct probe *probe, pillion_value *out,
                   pillion_context *cx) {
  probe->rc = pillion_cancelled(cx);
  pillion_shield(cx, probe->polls < 3);
  return PILLION_PENDING;
}

GIVEN(a_worker, cancel_waits_for_the_shield) {
  struct probe probe = {.step = shields};
  pillion_task task = pool_spawn(pool, ex, &probe, 3, PILLION_EVENT);
  turn(ex);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.rc, 1);
  assert_int_equal(pillion_task_cancel(task), 1); /* and wakes it */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

/* ---- Misuse -------------------------------------------------------------- */

GIVEN(an_executor, misuse_is_named) {
  struct probe probe = {.ready_at = 2};
  char why[100];
  pillion_pool pool = pool_new(), other = pool_new(), none;
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  options.flags = 1;
  assert_int_equal(pillion_pool_new(&none, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_int_equal(pillion_pool_new(NULL, NULL, NULL, 0), PILLION_EINVAL);
  assert_int_equal(pillion_pool_join(ex, ex, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_pool_join(pool, pool, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_pool_join(pool, ex, 8), PILLION_EINVAL);
  assert_int_equal(pillion_pool_leave(ex), PILLION_EINVAL);
  assert_ok(pillion_pool_join(pool, ex, 0));
  assert_int_equal(pillion_pool_join(other, ex, 0), PILLION_EBUSY);
  assert_int_equal(pillion_pool_free(pool), PILLION_EBUSY);
  assert_int_equal(pillion_pool_close(pool, 7), PILLION_EINVAL);
  assert_int_equal(pillion_pool_spawn(NULL, pool, 0, NULL, &probe, 0,
                                      PILLION_DETACH),
                   PILLION_EINVAL);
  assert_int_equal(pillion_pool_spawn(NULL, pool, 0, &probing, &probe, 0,
                                      PILLION_EVENT),
                   PILLION_EINVAL);
  assert_int_equal(pillion_pool_spawn(NULL, pool, 0, &probing, &probe, 0, 9),
                   PILLION_EINVAL);
  pillion_task task = pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_int_equal(pillion_task_evict(task), PILLION_EINVAL);
  assert_int_equal(pillion_task_detach(task), PILLION_EINVAL);
  assert_int_equal(pillion_task_cancel(task + 1), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_evict(task + 1), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_detach(task + (UINT64_C(1) << 32)),
                   PILLION_EBADHANDLE);
  turn(ex);
  assert_int_equal(pillion_pool_stat(&stats, pool), 0);
  assert_int_equal(stats.workers, 1);
  assert_int_equal(stats.live, 1);
  assert_int_equal(stats.idle, 1);
  assert_ok(pillion_pool_leave(ex));
  pool_free(other);
  pool_free(pool);
  assert_int_equal(pillion_pool_free(pool), PILLION_EBADHANDLE);
  assert_int_equal(pillion_pool_close(pool, PILLION_CLOSE_DRAIN),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_pool_stat(&stats, pool), PILLION_EBADHANDLE);
}

/* A waker made of a free slot's present generation wakes nothing. */
GIVEN(a_worker, forged_waker_of_a_free_slot) {
  struct probe probe = {.ready_at = 1}, next = {.ready_at = 1};
  pillion_task task = pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(pillion_wake(waker_of(task) + 1), PILLION_WOKEN);
  pool_spawn(pool, 0, &next, 0, PILLION_DETACH); /* gets another slot */
  turn(ex);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(next.polls, 1);
  assert_int_equal(pillion_task_cancel(task + 1), PILLION_EBADHANDLE);
}

GIVEN(an_executor, max_tasks_is_a_quota) {
  struct probe probes[3] = {{.ready_at = 1}, {.ready_at = 1}, {.ready_at = 1}};
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_pool pool;
  options.max_tasks = 2;
  assert_ok(pillion_pool_new(&pool, &options, NULL, 0));
  pool_spawn(pool, 0, &probes[0], 0, PILLION_DETACH);
  pool_spawn(pool, 0, &probes[1], 0, PILLION_DETACH);
  assert_int_equal(pillion_pool_spawn(NULL, pool, 0, &probing, &probes[2], 0,
                                      PILLION_DETACH),
                   PILLION_EAGAIN);
  assert_ok(pillion_pool_join(pool, ex, 0));
  turn(ex);
  pool_spawn(pool, 0, &probes[2], 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probes[2].drops, 1);
  executor_free(ex);
  pool_free(pool);
}

static int spawns_at_the_bound(struct probe *probe, pillion_value *out,
                               pillion_context *cx) {
  static struct probe one_more;
  pillion_pool pool = *(pillion_pool *)probe->data;
  one_more = (struct probe){.ready_at = 1};
  pillion__here = NULL; /* as another thread would */
  probe->rc = pillion_pool_spawn(NULL, pool, 0, &probing, &one_more, 0,
                                 PILLION_DETACH);
  pillion__here = pillion__executor_at(pillion__slot_of(probe->executor));
  return PILLION_READY;
}

GIVEN(an_executor, end_within_a_turn_makes_room_for_all) {
  struct probe gone = {.ready_at = 1}, spawns = {.step = spawns_at_the_bound};
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_pool pool;
  options.max_tasks = 2;
  assert_ok(pillion_pool_new(&pool, &options, NULL, 0));
  assert_ok(pillion_pool_join(pool, ex, 0));
  spawns.data = &pool;
  spawns.executor = ex;
  pool_spawn(pool, 0, &gone, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &spawns, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(spawns.rc, 0);
  executor_free(ex);
  pool_free(pool);
}

static pillion_context *kept;

static int keeps(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  kept = cx;
  return PILLION_READY;
}

static void spawns_in_its_drop(struct probe *probe) {
  probe->rc = pillion_spawn(NULL, kept, &probing, probe, 0, PILLION_DETACH);
}

GIVEN(a_worker, kept_context_is_refused) {
  struct probe probe = {.step = keeps, .dropped = spawns_in_its_drop};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(probe.rc, PILLION_EINVAL);
}
