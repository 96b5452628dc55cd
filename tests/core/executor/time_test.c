/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/time.h, on the test's clock. */
#include "support.h"

/* ---- Until a time -------------------------------------------------------- */

static int64_t until;

static int waits(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  return probe->rc = pillion_sleep_until(&probe->timer, cx, until);
}

TEST(sleep_until_ends_at_its_time) {
  ex = executor_at(100);
  struct probe probe = {.step = waits, .dropped = clears_timer};
  until = 500;
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(progress.deadline, 500);
  pillion_wake_local(probe.waker);
  run_at(ex, 499);
  assert_int_equal(probe.rc, PILLION_PENDING);
  assert_int_equal(progress.deadline, 500);
  run_at(ex, 500);
  assert_int_equal(probe.rc, PILLION_READY);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

TEST(sleep_until_the_past_is_ready_at_once) {
  ex = executor_at(100);
  const int64_t past[] = {100, 99, 0, -1, INT64_MIN};
  for (size_t i = 0; i < COUNT(past); i++) {
    struct probe probe = {.step = waits};
    until = past[i];
    spawn(ex, &probe, 0, PILLION_DETACH);
    turn(ex);
    assert_int_equal(probe.rc, PILLION_READY);
  }
}

TEST(sleep_until_follows_its_argument) {
  ex = executor_at(100);
  static struct probe probe = {.step = waits, .dropped = clears_timer};
  const int64_t times[] = {500, 300, PILLION_TIME_NEVER, 300, 400};
  spawn(ex, &probe, 0, PILLION_DETACH);
  for (size_t i = 0; i < COUNT(times); i++) {
    until = times[i];
    if (i > 0) pillion_wake_local(probe.waker);
    if (i == 3) pillion_timer_clear(&probe.timer); /* the poll arms it again */
    turn(ex);
    assert_int_equal(progress.deadline, times[i]);
  }
  pillion_timer_clear(&probe.timer);
  pillion_wake_local(probe.waker);
  turn(ex);
  assert_int_equal(progress.deadline, 400);
}

/* ---- With a limit -------------------------------------------------------- */

struct limited {
  pillion_timer timer;
  int state, answer, polls;
  pillion_waker waker;
};

static int limited_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct limited *limited = self;
  limited->waker = cx->waker;
  limited->polls++;
  PILLION_ASYNC(limited->state);
  PILLION_AWAIT(limited->state, pillion_timeout(&limited->timer, cx, 1000,
                                                limited->answer));
  PILLION_ASYNC_END;
}

static void limited_drop(void *self) {
  pillion_timer_clear(&((struct limited *)self)->timer);
}

static const pillion_future limiting = {sizeof limiting, limited_poll,
                                        limited_drop};

static void start(pillion_executor ex, struct limited *limited) {
  assert_ok(pillion_task_spawn(NULL, ex, &limiting, limited, 0,
                               PILLION_EVENT));
}

TEST(timeout_passes_on_what_comes_in_time) {
  ex = executor_at(100);
  const int answers[] = {PILLION_READY, PILLION_EFAILED};
  for (size_t i = 0; i < COUNT(answers); i++) {
    struct limited limited = {0};
    start(ex, &limited);
    assert_int_equal(turn(ex), 0);
    assert_int_equal(progress.deadline, virtual_now + 1000);
    limited.answer = answers[i];
    pillion_wake_local(limited.waker);
    virtual_now += 999;
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].status, i == 0 ? 0 : PILLION_EFAILED);
    assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  }
}

TEST(timeout_without_a_wait_arms_nothing) {
  pillion_executor_options options = virtual_options(100);
  ex = executor_with(&options);
  struct limited limited = {.answer = PILLION_READY};
  start(ex, &limited);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, 0);
  assert_null(limited.timer.ops);
}

TEST(timeout_ends_what_takes_too_long) {
  ex = executor_at(100);
  struct limited limited = {0};
  start(ex, &limited);
  turn(ex);
  run_at(ex, 600);
  pillion_wake_local(limited.waker);
  assert_int_equal(run_at(ex, 1099), 0);
  assert_int_equal(run_at(ex, 1100), 1);
  assert_int_equal(events[0].status, PILLION_ETIMEDOUT);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(limited.polls, 3);
}

TEST(what_is_ready_when_time_is_up_counts) {
  ex = executor_at(100);
  struct limited limited = {0};
  start(ex, &limited);
  turn(ex);
  limited.answer = PILLION_READY;
  assert_int_equal(run_at(ex, 5000), 1);
  assert_int_equal(events[0].status, 0);
}

TEST(timeout_tells_that_there_are_too_many_timers) {
  pillion_executor_options options = virtual_options(100);
  options.max_timers = 1;
  ex = executor_with(&options);
  static struct limited first = {0}, second = {0};
  start(ex, &first);
  start(ex, &second);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_EAGAIN);
}

/* ---- Again and again ----------------------------------------------------- */

struct beat {
  pillion_interval every;
  uint64_t missed;
  int state, ticks;
  pillion_waker waker;
};

static int beat_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct beat *beat = self;
  char text[64];
  beat->waker = cx->waker;
  PILLION_ASYNC(beat->state);
  for (;;) {
    PILLION_AWAIT(beat->state,
                  pillion_interval_tick(&beat->missed, &beat->every, cx));
    beat->ticks++;
    snprintf(text, sizeof text, "%d+%d", (int)cx->now, (int)beat->missed);
    trace(text);
  }
  PILLION_ASYNC_END;
}

static void beat_drop(void *self) {
  pillion_interval_clear(&((struct beat *)self)->every);
}

static const pillion_future beating = {sizeof beating, beat_poll, beat_drop};

/* Ticks are due each 100 from 1000 on; the turns come at other times. */
static void run_beat(int missed, const char *expected) {
  static const int64_t turns[] = {1000, 1099, 1100, 1350, 1399, 1400, 1420,
                                  1449, 1450, 1500, 1600};
  pillion_executor ex = executor_at(turns[0]);
  struct beat beat = {0};
  assert_ok(pillion_interval_init(&beat.every, 100, missed));
  assert_ok(pillion_task_spawn(NULL, ex, &beating, &beat, 0, PILLION_DETACH));
  for (size_t i = 0; i < COUNT(turns); i++) run_at(ex, turns[i]);
  assert_traced(expected);
  executor_free(ex);
}

TEST(missed_ticks_come_in_a_burst) {
  run_beat(PILLION_MISSED_BURST, "1100+0 1350+1 1350+0 1400+0 1500+0 1600+0");
}

TEST(missed_ticks_delay_the_others) {
  run_beat(PILLION_MISSED_DELAY, "1100+0 1350+1 1450+0 1600+0");
}

TEST(missed_ticks_are_skipped) {
  run_beat(PILLION_MISSED_SKIP, "1100+0 1350+1 1400+0 1500+0 1600+0");
}

TEST(late_turn_says_how_many_ticks_it_missed) {
  ex = executor_at(SECOND);
  static struct beat beat = {0};
  assert_ok(pillion_interval_init(&beat.every, 1, PILLION_MISSED_SKIP));
  assert_ok(pillion_task_spawn(NULL, ex, &beating, &beat, 0, PILLION_DETACH));
  turn(ex);
  virtual_now = INT64_C(9000000000) * SECOND; /* 285 years */
  turn(ex);
  assert_int_equal(beat.ticks, 1);
  assert_int_equal(beat.missed, virtual_now - SECOND - 1);
  assert_int_equal(progress.deadline, virtual_now + 1);
}

TEST(interval_near_the_end_of_time_does_not_overflow) {
  for (int missed = PILLION_MISSED_BURST; missed <= PILLION_MISSED_SKIP;
       missed++) {
    pillion_executor ex = executor_at(10);
    struct beat beat = {0};
    assert_ok(pillion_interval_init(&beat.every, INT64_MAX - 20, missed));
    assert_ok(pillion_task_spawn(NULL, ex, &beating, &beat, 0,
                                 PILLION_DETACH));
    turn(ex);
    assert_int_equal(progress.deadline, INT64_MAX - 10);
    run_at(ex, INT64_MAX - 5);
    assert_int_equal(beat.ticks, 1);
    assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
    executor_free(ex);
    traced[0] = 0;
  }
}

/* A task clears its interval while it awaits something else. */
TEST(cleared_interval_keeps_its_time) {
  ex = executor_at(1000);
  static struct beat beat = {0};
  assert_ok(pillion_interval_init(&beat.every, 100, PILLION_MISSED_SKIP));
  assert_ok(pillion_task_spawn(NULL, ex, &beating, &beat, 0, PILLION_DETACH));
  turn(ex);
  pillion_interval_clear(&beat.every);
  run_at(ex, 1050);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  pillion_wake_local(beat.waker);
  turn(ex);
  assert_int_equal(progress.deadline, 1100);
  pillion_interval_clear(&beat.every);
  run_at(ex, 1350);
  pillion_wake_local(beat.waker);
  turn(ex);
  assert_traced("1350+2");
}

static int ticks_impossibly(struct probe *probe, pillion_value *out,
                            pillion_context *cx) {
  probe->rc = pillion_interval_tick(NULL, probe->data, cx);
  return PILLION_READY;
}

static int rc_of_tick(pillion_executor ex, pillion_interval *interval) {
  struct probe probe = {.step = ticks_impossibly, .data = interval};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  return probe.rc;
}

TEST(impossible_intervals_are_refused) {
  ex = executor_at(100);
  pillion_interval interval = {0};
  assert_int_equal(rc_of_tick(ex, &interval), PILLION_EINVAL);
  assert_int_equal(pillion_interval_init(&interval, 0, PILLION_MISSED_SKIP),
                   -1);
  assert_int_equal(pillion_interval_init(&interval, -5, PILLION_MISSED_SKIP),
                   -1);
  assert_int_equal(rc_of_tick(ex, &interval), PILLION_EINVAL);
  assert_int_equal(pillion_interval_init(&interval, 5, 3), -1);
  assert_int_equal(pillion_interval_init(&interval, 5, -1), -1);
}
