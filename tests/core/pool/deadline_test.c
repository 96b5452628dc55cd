/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Deadlines of a pool's tasks: any worker sets them, and any worker fires them.
 * Then time.h for tasks that move. The tests move the clock.
 */
#include "pillion/time.h"
#include "support.h"

static void two_workers_at_100(void) { two_workers_at(100); }

/* ---- Deadlines ----------------------------------------------------------- */

struct arming {
  pillion_timer *timer;
  pillion_task task;
  int64_t at;
};

static int arms(struct probe *probe, pillion_value *out, pillion_context *cx) {
  const struct arming *a = probe->data;
  probe->rc = pillion_task_deadline(a->timer, a->task, a->at);
  return PILLION_READY;
}

/* In a turn of `ex`, before it polls the pool's tasks. */
static int arm_on(pillion_executor ex, pillion_timer *timer, pillion_task task,
                  int64_t at) {
  struct arming arming = {timer, task, at};
  struct probe probe = {.step = arms, .data = &arming};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  return probe.rc;
}

/* Turns `home`, which gets one event. */
static void assert_ended(pillion_executor home, int status, int outcome) {
  assert_int_equal(turn(home), 1);
  assert_int_equal(events[0].status, status);
  assert_int_equal(events[0].outcome, outcome);
}

GIVEN(two_workers_at_100, deadline_set_on_one_fires_on_the_other) {
  struct probe probe = {0};
  pillion_timer timer = {0};
  pillion_task task = pool_spawn(pool, one, &probe, 0, PILLION_EVENT);
  turn(one);
  assert_int_equal(probe.polls, 1);
  assert_ok(arm_on(one, &timer, task, 500));
  assert_int_equal(progress.deadline, 500);
  run_at(two, 499);
  assert_int_equal(probe.drops, 0);
  run_at(two, 500);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  assert_int_equal(pillion_task_cancel(task), 2);
  assert_ended(one, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(two_workers_at_100, deadline_in_the_past_is_a_cancel) {
  const int64_t past[] = {100, 0, -1, INT64_MIN};
  for (size_t i = 0; i < COUNT(past); i++) {
    struct probe probe = {0};
    pillion_timer timer = {0};
    pillion_task task = pool_spawn(pool, two, &probe, 0, PILLION_EVENT);
    assert_ok(arm_on(one, &timer, task, past[i]));
    assert_int_equal(probe.polls, 0);
    assert_int_equal(probe.drops, 1);
    assert_ended(two, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  }
}

GIVEN(two_workers_at_100, deadline_is_moved_and_taken_back) {
  struct probe probe = {0};
  pillion_timer timer = {0};
  pillion_task task = pool_spawn(pool, two, &probe, 0, PILLION_EVENT);
  assert_ok(arm_on(one, &timer, task, 500));
  assert_ok(arm_on(two, &timer, task, 900));
  run_at(one, 899);
  assert_int_equal(probe.drops, 0);
  assert_ok(arm_on(one, &timer, task, PILLION_TIME_NEVER));
  run_at(one, 1000);
  assert_ok(arm_on(two, &timer, task, 2000));
  pillion_timer_clear(&timer); /* on a thread without a turn */
  run_at(one, 3000);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  assert_int_equal(probe.drops, 0);
  assert_ok(arm_on(one, &timer, task, 4000));
  run_at(two, 4000);
  assert_int_equal(probe.drops, 1);
}

GIVEN(two_workers_at_100, the_first_that_asks_counts) {
  struct probe a = {0}, b = {0};
  pillion_timer timers[2];
  memset(timers, 0, sizeof timers);
  pillion_task first = pool_spawn(pool, two, &a, 0, PILLION_EVENT);
  pillion_task second = pool_spawn(pool, two, &b, 1, PILLION_EVENT);
  turn(one);
  assert_ok(pillion_task_cancel(first));
  assert_ok(arm_on(one, &timers[0], first, 0)); /* it is cancelled already */
  assert_ended(two, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  /* The second's deadline asks first, and a cancel comes too late. */
  struct arming arming = {&timers[1], second, 0};
  struct probe now = {.step = arms, .data = &arming};
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 1;
  spawn(one, &now, 0, PILLION_DETACH);
  assert_ok(pillion_pool_leave(two));
  pillion_executor_turn(NULL, 0, NULL, one, &budget);
  assert_ok(now.rc);
  int again = pillion_task_cancel(second);
  assert_true(again == 1 || again == 2);
  turn(one);
  assert_ended(two, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_ok(pillion_pool_join(pool, two, 0));
}

GIVEN(two_workers_at_100, deadline_after_the_end_does_nothing) {
  static struct probe next; /* lives as long as the pool */
  struct probe gone = {.ready_at = 1};
  pillion_timer timer = {0};
  pillion_task task = pool_spawn(pool, 0, &gone, 0, PILLION_JOIN);
  assert_ok(arm_on(one, &timer, task, 500)); /* before its poll */
  assert_int_equal(gone.drops, 1);
  assert_int_equal(arm_on(one, &timer, task, 300), 2);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(arm_on(one, &timer, task, 300), PILLION_EBADHANDLE);
  pool_spawn(pool, 0, &next, 0, PILLION_DETACH);
  run_at(one, 1000); /* the old task's deadline fires, too late */
  run_at(two, 1001);
  assert_int_equal(next.polls, 1);
  assert_int_equal(next.drops, 0);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

GIVEN(two_workers_at_100, task_sets_its_own_deadline) {
  struct probe at_once = {.step = sets_its_deadline, .dropped = clears_timer};
  struct probe later = at_once, other;
  later.state = 50;
  other = later;
  later.task = pool_spawn(pool, two, &later, 0, PILLION_EVENT);
  turn(one);
  assert_ok(later.rc);
  assert_int_equal(progress.deadline, 150);
  run_at(one, 150);
  assert_int_equal(later.drops, 1);
  assert_ended(two, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
  at_once.task = pool_spawn(pool, two, &at_once, 0, PILLION_EVENT);
  turn(one);
  assert_int_equal(at_once.polls, 1);
  assert_ended(two, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
  other.task = pool_spawn(pool, two, &other, 0, PILLION_EVENT);
  turn(one);
  assert_ok(pillion_task_cancel(other.task));
  turn(one); /* drops it; its storage is free */
  memset(&other.timer, 0xff, sizeof other.timer);
  run_at(one, 1000);
  assert_ended(two, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
}

static int shields(struct probe *probe, pillion_value *out,
                   pillion_context *cx) {
  pillion_shield(cx, probe->state);
  probe->rc = pillion_cancelled(cx);
  return PILLION_PENDING;
}

GIVEN(two_workers_at_100, shielded_task_is_over_when_its_shield_is) {
  struct probe probe = {.step = shields, .state = 1};
  pillion_timer timer = {0}, second = {0};
  pillion_task task = pool_spawn(pool, two, &probe, 0, PILLION_EVENT);
  turn(one);
  assert_int_equal(probe.rc, 0);
  assert_ok(arm_on(one, &timer, task, 500));
  run_at(one, 600);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.rc, 1);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  turn(one);
  int polls = probe.polls;
  assert_ok(arm_on(one, &second, task, 0)); /* it is cancelled already */
  assert_int_equal(probe.polls, polls);
  probe.state = 0;
  pillion_wake(probe.waker);
  turn(one);
  assert_int_equal(probe.drops, 1);
  assert_ended(two, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(two_workers_at_100, joiner_learns_that_time_was_up) {
  struct probe child = {0}, parent = {.step = joins_task};
  pillion_timer timer = {0};
  parent.task = pool_spawn(pool, 0, &child, 0, PILLION_JOIN);
  pool_spawn_as(pool, &parent);
  turn(one);
  assert_ok(arm_on(two, &timer, parent.task, 500));
  run_at(one, 500);
  assert_int_equal(parent.rc, PILLION_READY);
  assert_int_equal(parent.value.status, PILLION_ETIMEDOUT);
}

GIVEN(two_workers_at_100, free_lets_go_of_the_storage) {
  struct probe probe = {0};
  pillion_timer timer = {0};
  pillion_task task = pool_spawn(pool, two, &probe, 0, PILLION_EVENT);
  assert_ok(arm_on(one, &timer, task, 500));
  assert_ok(pillion_pool_leave(one));
  assert_ok(pillion_pool_leave(two));
  pool_free(pool);
  memset(&timer, 0xff, sizeof timer);
  /* The waiting event has kept the pool's memory until now. */
  assert_ended(two, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  pool = pool_new();
}

GIVEN(two_workers_at_100, wrong_deadlines_are_refused) {
  static struct probe probe, local; /* they live until the end */
  static pillion_timer taken;
  pillion_timer timer = {0};
  pillion_executor stranger = executor_at(100);
  probe.task = pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  assert_int_equal(arm_on(one, NULL, probe.task, 5), PILLION_EINVAL);
  const pillion_task bad[] = {probe.task + 1, probe.task ^ UINT64_C(1) << 40,
                              waker_of(probe.task)};
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(arm_on(one, &timer, bad[i], 500), PILLION_EBADHANDLE);
  /* Not in a turn, nor in the turn of an executor without a pool. */
  assert_int_equal(pillion_task_deadline(&timer, probe.task, 500),
                   PILLION_EWRONGTHREAD);
  on_thread(asks_for_deadline, &probe);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  assert_int_equal(arm_on(stranger, &timer, probe.task, 500),
                   PILLION_EWRONGTHREAD);
  /* This timer serves an executor already. */
  spawn(one, &local, 0, PILLION_DETACH);
  assert_ok(pillion_task_deadline(&taken, local.task, 5000));
  assert_int_equal(arm_on(one, &taken, probe.task, 500), PILLION_EINVAL);
  executor_free(stranger);
}

/* ---- time.h -------------------------------------------------------------- */

struct clockwork {
  pillion_timer timer, limit;
  pillion_interval every;
  pillion_value value;
  uint64_t missed, ticks;
  pillion_task never;
  int state, drops, timed_out;
};

/* Gives a future that never ends 50 ns. */
static int times_out(struct clockwork *c, pillion_context *cx) {
  int rc = pillion_timeout(&c->limit, cx, 50,
                           pillion_join(&c->value, cx, c->never));
  return rc == PILLION_ETIMEDOUT ? PILLION_READY : rc;
}

static int clockwork_poll(pillion_value *out, pillion_context *cx,
                          void *self) {
  struct clockwork *c = self;
  PILLION_ASYNC(c->state);
  PILLION_AWAIT(c->state, pillion_sleep_until(&c->timer, cx, 500));
  pillion_interval_init(&c->every, 100, PILLION_MISSED_SKIP);
  for (c->ticks = 0; c->ticks < 3; c->ticks++)
    PILLION_AWAIT(c->state, pillion_interval_tick(&c->missed, &c->every, cx));
  PILLION_AWAIT(c->state, times_out(c, cx));
  c->timed_out = 1;
  pillion_value_set(out, "timed", 5);
  PILLION_RETURN(c->state);
  PILLION_ASYNC_END;
}

static void clockwork_drop(void *self) {
  struct clockwork *c = self;
  c->drops++;
  pillion_timer_clear(&c->timer);
  pillion_timer_clear(&c->limit);
  pillion_interval_clear(&c->every);
  pillion_abandon(&pillion__pool_ops, c->never);
}

static const pillion_future clockwork = {sizeof clockwork, clockwork_poll,
                                         clockwork_drop};

GIVEN(two_workers_at_100, sleeps_ticks_and_limits_on_either_worker) {
  struct probe never = {0};
  struct clockwork c = {0};
  c.never = pool_spawn(pool, 0, &never, 0, PILLION_JOIN);
  assert_ok(pillion_pool_spawn(NULL, pool, two, &clockwork, &c, 0,
                               PILLION_EVENT));
  turn(one);
  assert_int_equal(progress.deadline, 500);
  run_at(two, 510); /* the interval begins */
  assert_int_equal(progress.deadline, 610);
  run_at(one, 610);
  assert_int_equal(c.ticks, 1);
  run_at(two, 935); /* due at 710; 810 and 910 are lost */
  assert_int_equal(c.ticks, 2);
  assert_int_equal(c.missed, 2);
  assert_int_equal(progress.deadline, 1010);
  run_at(one, 1010);
  assert_int_equal(c.ticks, 3);
  assert_int_equal(progress.deadline, 1060);
  run_at(two, 1059);
  assert_int_equal(c.timed_out, 0);
  run_at(one, 1060);
  assert_int_equal(c.timed_out, 1);
  assert_int_equal(c.drops, 1);
  turn(one);
  assert_int_equal(never.drops, 1);
  assert_ended(two, 0, PILLION_OUTCOME_RETURNED);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}
