/* SPDX-License-Identifier: Apache-2.0 */

/* Timers of tasks that move: set here, fired there, cleared elsewhere. */
#include "pillion/time.h"
#include "support.h"

static int naps(struct probe *probe, pillion_value *out, pillion_context *cx) {
  probe->rc = probe->polls == 1
                  ? pillion_timer_set(&probe->timer, cx, probe->awaited)
                  : 0;
  return probe->polls == 2 ? PILLION_READY : PILLION_PENDING;
}

GIVEN(two_workers, timer_set_on_one_fires_on_the_other) {
  struct probe probe = {.step = naps, .awaited = 1}; /* naps until long ago */
  int64_t deadline;
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(one);
  assert_ok(probe.rc);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(progress.deadline, 1);
  assert_ok(pillion_executor_deadline(&deadline, two));
  assert_int_equal(deadline, 1);
  turn(two);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  turn(one);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

static int naps_long(struct probe *probe, pillion_value *out,
                     pillion_context *cx) {
  if (probe->polls < 3)
    probe->rc = pillion_timer_set(&probe->timer, cx, cx->now + 3600 * SECOND);
  return PILLION_PENDING;
}

GIVEN(two_workers, timer_moved_and_cleared_elsewhere) {
  struct probe probe = {.step = naps_long, .dropped = clears_timer};
  pillion_task task = pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(one);
  assert_true(progress.deadline < PILLION_TIME_NEVER);
  assert_ok(pillion_pool_leave(one));
  pillion_wake(probe.waker);
  turn(two);
  assert_int_equal(probe.polls, 2);
  assert_ok(probe.rc);
  assert_ok(pillion_pool_leave(two));
  assert_ok(pillion_pool_join(pool, one, 0));
  pillion_task_cancel(task);
  turn(one);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

GIVEN(two_workers, timer_of_another_runtime) {
  static struct probe probe = {.step = naps_long, .dropped = clears_timer};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(readable(one) ? one : two);
  static struct probe thief;
  thief = (struct probe){.step = naps_long, .timer = probe.timer};
  spawn(two, &thief, 0, PILLION_DETACH);
  turn(two);
  assert_int_equal(thief.rc, PILLION_EINVAL);
}

/* Perhaps only the host of the leaving worker knew the deadline. */
GIVEN(two_workers, leaver_has_another_look_at_the_deadline) {
  static struct probe probe = {.step = naps_long, .dropped = clears_timer};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  if (!readable(one)) {
    pillion_executor other = one;
    one = two;
    two = other;
  }
  turn(one);
  assert_false(readable(two));
  assert_ok(pillion_pool_leave(one));
  assert_true(readable(two));
  turn(two);
  assert_true(progress.deadline < PILLION_TIME_NEVER);
}

/* ---- A worker whose turn began before the firing -------------------------- */

/*
 * `two` has begun its turn at 10 and polls `blocker`. During this poll `one`,
 * on another thread, fires what is due at 20. Then `two` polls the woken tasks.
 */
enum { EARLY = 10, LATE = 20 };

static void two_virtual_workers(void) { two_workers_at(1); }

static struct probe busy, blocker;

/* The budget ends a turn before it steals the other worker's tasks. */
static uint32_t turn_of(pillion_executor ex, uint32_t max_polls) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = max_polls;
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  pillion_executor_turn(NULL, 0, &progress, ex, &budget);
  return progress.polled;
}

static void *one_fires(void *data) {
  virtual_now = LATE;
  pillion_executor_bind(one);
  turn_of(one, 1); /* a poll of `busy` */
  pillion_executor_release(one);
  return NULL;
}

static int fires_elsewhere(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  on_thread(one_fires, NULL);
  return PILLION_READY;
}

static int busy_once_more(struct probe *probe, pillion_value *out,
                          pillion_context *cx) {
  cx->ops->wake(cx->waker);
  return probe->polls == 2 ? PILLION_READY : PILLION_PENDING;
}

/* A sleeper, in each of the ways in which a task may wait for a time. */
struct sleeper {
  int (*waits)(struct sleeper *sleeper, pillion_context *cx);
  pillion_timer timer;
  pillion_interval every;
  int polls, rc;
  int64_t seen; /* the time of the last poll */
  bool fires;   /* during its second poll */
  pillion_waker waker;
};

static int sleeper_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct sleeper *sleeper = self;
  sleeper->polls++;
  sleeper->waker = cx->waker;
  if (sleeper->fires && sleeper->polls == 2) on_thread(one_fires, NULL);
  sleeper->seen = cx->now;
  return sleeper->rc = sleeper->waits(sleeper, cx);
}

static void sleeper_drop(void *self) {
  pillion_timer_clear(&((struct sleeper *)self)->timer);
  pillion_interval_clear(&((struct sleeper *)self)->every);
}

static const pillion_future sleeping = {sizeof sleeping, sleeper_poll,
                                        sleeper_drop};

static int sleeps(struct sleeper *sleeper, pillion_context *cx) {
  return pillion_sleep(&sleeper->timer, cx, LATE - EARLY);
}

static int sleeps_until(struct sleeper *sleeper, pillion_context *cx) {
  return pillion_sleep_until(&sleeper->timer, cx, LATE);
}

static int times_out(struct sleeper *sleeper, pillion_context *cx) {
  return pillion_timeout(&sleeper->timer, cx, LATE - EARLY, PILLION_PENDING);
}

static int ticks(struct sleeper *sleeper, pillion_context *cx) {
  if (sleeper->every.period == 0)
    pillion_interval_init(&sleeper->every, LATE - EARLY, PILLION_MISSED_SKIP);
  return pillion_interval_tick(NULL, &sleeper->every, cx);
}

/* Without time.h: arms its timer once, and takes the wake for the timer's. */
static int believes(struct sleeper *sleeper, pillion_context *cx) {
  if (sleeper->polls == 1)
    return pillion_timer_set(&sleeper->timer, cx, LATE);
  return cx->now < LATE ? PILLION_PENDING : PILLION_READY;
}

static int (*const ways[])(struct sleeper *, pillion_context *) = {
    sleeps, sleeps_until, times_out, ticks, believes};

static struct sleeper sleepers[COUNT(ways)];

static void sleepers_spawn(void) {
  virtual_now = EARLY;
  memset(sleepers, 0, sizeof sleepers);
  busy = (struct probe){.step = busy_once_more};
  blocker = (struct probe){.step = fires_elsewhere};
  pool_spawn_as(pool, &busy);
  assert_int_equal(turn_of(one, 1), 1);
  assert_ok(pillion_executor_release(one));
  for (size_t i = 0; i < COUNT(ways); i++) {
    sleepers[i].waits = ways[i];
    assert_ok(pillion_pool_spawn(NULL, pool, 0, &sleeping, &sleepers[i], 0,
                                 PILLION_DETACH));
  }
  assert_int_equal(turn_of(two, COUNT(ways)), COUNT(ways));
  assert_int_equal(progress.deadline, LATE);
}

static void sleepers_have_slept(void) {
  for (size_t i = 0; i < COUNT(ways); i++) {
    assert_int_equal(sleepers[i].polls, 2);
    assert_int_equal(sleepers[i].seen, LATE);
    assert_true(sleepers[i].rc == PILLION_READY ||
                sleepers[i].rc == PILLION_ETIMEDOUT);
  }
  assert_int_equal(busy.polls, 2);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  turn(one); /* gives its unused counts back */
  assert_int_equal(pool_stats(pool).live, 0);
}

GIVEN(two_virtual_workers, stolen_in_a_turn_that_began_before_the_firing) {
  sleepers_spawn();
  pool_spawn_as(pool, &blocker);
  turn(two);
  sleepers_have_slept();
}

/* They are queued, by other wakes, when their timers fire. */
GIVEN(two_virtual_workers, queued_in_a_turn_that_began_before_the_firing) {
  sleepers_spawn();
  pool_spawn_as(pool, &blocker);
  for (size_t i = 0; i < COUNT(ways); i++) pillion_wake(sleepers[i].waker);
  assert_int_equal(turn_of(two, 1 + COUNT(ways)), 1 + COUNT(ways));
  sleepers_have_slept();
}

/* The timer fires during a poll of the task itself. */
GIVEN(two_virtual_workers, polled_in_a_turn_that_began_before_the_firing) {
  sleepers_spawn();
  sleepers[0].fires = true;
  for (size_t i = 0; i < COUNT(ways); i++) pillion_wake(sleepers[i].waker);
  assert_int_equal(turn_of(two, 1 + COUNT(ways)), 1 + COUNT(ways));
  assert_int_equal(sleepers[0].polls--, 3);
  sleepers_have_slept();
}

/* A pool that reuses an earlier one's memory starts with its own time. */
GIVEN(two_virtual_workers, time_of_a_pool_is_not_that_of_an_earlier_one) {
  for (int round = 0; round < 2; round++) {
    sleepers_spawn();
    for (size_t i = 0; i < COUNT(ways); i++)
      assert_int_equal(sleepers[i].seen, EARLY);
    on_thread(one_fires, NULL);
    turn(two);
    sleepers_have_slept();
    if (round > 0) break;
    executor_free(one);
    executor_free(two);
    pool_free(pool);
    two_virtual_workers();
  }
}

static struct sleeper pair[2];

static void *two_turns(void *data) {
  pillion_executor_bind(two);
  turn_of(two, 1);
  pillion_executor_release(two);
  return NULL;
}

/* The first of the pair blocks its worker until `two` has turned. */
static int blocks(struct sleeper *sleeper, pillion_context *cx) {
  int rc = sleeps_until(sleeper, cx);
  if (rc == PILLION_READY && sleeper == &pair[0]) {
    sleeper->fires = readable(two);
    on_thread(two_turns, NULL);
    sleeper->polls = pair[1].polls; /* at this time */
  }
  return rc;
}

/* Two are due in one turn. The first blocks, so another worker hears of the
   second. */
GIVEN(two_virtual_workers, first_of_two_blocks_the_worker_that_has_fired) {
  virtual_now = EARLY;
  memset(pair, 0, sizeof pair);
  for (int i = 0; i < 2; i++) {
    pair[i].waits = blocks;
    assert_ok(pillion_pool_spawn(NULL, pool, 0, &sleeping, &pair[i], 0,
                                 PILLION_DETACH));
  }
  for (int i = 0; i < 2; i++) {
    turn(one);
    turn(two);
  }
  assert_false(readable(two));
  assert_int_equal(pool_stats(pool).idle, 2);
  assert_ok(pillion_executor_release(two));
  virtual_now = LATE;
  turn_of(one, 1);
  assert_true(pair[0].fires);
  assert_int_equal(pair[0].polls, 2);
  assert_int_equal(pair[1].polls, 2);
  assert_int_equal(pair[1].seen, LATE);
}

static int takes_a_nanosecond(struct probe *probe, pillion_value *out,
                              pillion_context *cx) {
  virtual_now++;
  return PILLION_READY;
}

/* The turn looks at the clock every 64 polls, and ends at the limit. */
TEST(time_of_a_turn_bounds_the_pools_share) {
  enum { TASKS = 200 };
  static struct probe probes[TASKS];
  ex = executor_at(1000);
  pillion_pool pool = pool_new();
  assert_ok(pillion_pool_join(pool, ex, 0));
  for (int i = 0; i < TASKS; i++) {
    probes[i] = (struct probe){.step = takes_a_nanosecond};
    pool_spawn_as(pool, &probes[i]);
  }
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_ns = 64;
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, &budget));
  assert_int_equal(progress.polled, 64);
  assert_int_equal(progress.more, 1);
  budget.max_ns = 65;
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, &budget));
  assert_int_equal(progress.polled, 128);
  turn(ex);
  assert_int_equal(progress.polled, 8);
  executor_free(ex);
  pool_free(pool);
}
