/* SPDX-License-Identifier: Apache-2.0 */

/* In which order timers fire, and what the host hears; on the test's clock. */
#include "support.h"

#define YEAR (INT64_C(31557600) * SECOND)

/* Arms its timer for `*data` in each poll that the timer hasn't caused. */
static int arms(struct probe *probe, pillion_value *out, pillion_context *cx) {
  if (probe->awaited++ % 2 == 0)
    probe->rc =
        pillion_timer_set(&probe->timer, cx, *(const int64_t *)probe->data);
  return PILLION_PENDING;
}

/* Arms timers a, b, c … for these times, in this order. */
static struct probe probes[26];
static int64_t deadlines[26];

static void arm_all(pillion_executor ex, const int64_t *times, size_t n) {
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  assert_true(n <= COUNT(names));
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < n; i++) {
    deadlines[i] = times[i];
    probes[i] = (struct probe){.step = arms, .dropped = clears_timer,
                               .name = names[i], .data = &deadlines[i]};
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
  turn(ex);
  for (size_t i = 0; i < n; i++) assert_int_equal(probes[i].rc, 0);
  traced[0] = 0;
}

TEST(equal_deadlines_fire_in_their_arming_order) {
  const int64_t times[] = {900, 500, 900, 500, 900, 500};
  ex = executor_at(100);
  arm_all(ex, times, COUNT(times));
  assert_int_equal(progress.deadline, 500);
  run_at(ex, 499);
  assert_traced("");
  run_at(ex, 5000);
  assert_traced("b d f a c e");
}

/* The wheel empties a slot from both ends. The test has cleared some timers. */
TEST(slot_of_any_number_keeps_the_order) {
  static pillion_timer timers[100];
  for (size_t n = 1; n <= COUNT(timers); n++) {
    static struct pillion__wheel wheel;
    memset(&wheel, 0, sizeof wheel);
    memset(timers, 0, sizeof timers);
    for (size_t i = 0; i < n; i++) {
      timers[i].deadline = YEAR + (int64_t)(i % 3) * 70;
      pillion__wheel_put(&wheel, &timers[i]);
    }
    for (size_t i = n % 7; i < n; i += 7)
      pillion__wheel_remove(&wheel, &timers[i]);
    for (size_t due = 0; due < 3; due++)
      for (size_t i = due; i < n; i += 3)
        if (i % 7 != n % 7)
          assert_ptr_equal(pillion__wheel_due(&wheel, 2 * YEAR), &timers[i]);
    assert_null(pillion__wheel_due(&wheel, 2 * YEAR));
  }
}

TEST(past_and_negative_deadlines_keep_the_order) {
  const int64_t times[] = {100, 50, -7, 50, INT64_MIN, 0, 99, -7};
  ex = executor_at(100);
  arm_all(ex, times, COUNT(times));
  assert_int_equal(progress.deadline, INT64_MIN);
  run_at(ex, 100); /* the turn after the one that arms them */
  assert_traced("e c h f b d g a");
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

/* A timer that is armed late fires before those that are due and wait. */
TEST(late_timer_goes_before_due_ones) {
  const int64_t times[] = {300, 200};
  ex = executor_at(100);
  arm_all(ex, times, COUNT(times));
  run_at(ex, 250);
  assert_traced("b");
  deadlines[1] = 150;
  pillion_wake_local(probes[1].waker);
  turn(ex);
  assert_traced("b");
  assert_int_equal(progress.deadline, 150);
  run_at(ex, 400);
  assert_traced("b a");
}

TEST(clock_may_jump_by_years) {
  const int64_t times[] = {100 * YEAR, YEAR, 2, 100 * YEAR + 1, 250 * YEAR,
                           YEAR + 1, 3 * YEAR};
  ex = executor_at(1);
  arm_all(ex, times, COUNT(times));
  assert_int_equal(progress.deadline, 2);
  run_at(ex, 2 * YEAR);
  assert_traced("c b f");
  assert_int_equal(progress.deadline, 3 * YEAR);
  run_at(ex, 249 * YEAR);
  assert_traced("g a d");
  assert_int_equal(progress.deadline, 250 * YEAR);
  run_at(ex, PILLION_TIME_NEVER);
  assert_traced("e");
}

TEST(clock_that_goes_back_keeps_the_order) {
  const int64_t times[] = {10 * SECOND, 20 * SECOND};
  ex = executor_at(SECOND);
  arm_all(ex, times, COUNT(times));
  run_at(ex, 15 * SECOND);
  assert_traced("a");
  deadlines[0] = 12 * SECOND;
  virtual_now = 5 * SECOND;
  pillion_wake_local(probes[0].waker);
  turn(ex);
  assert_traced("a");
  assert_int_equal(progress.deadline, 12 * SECOND);
  run_at(ex, 12 * SECOND - 1);
  assert_traced("");
  run_at(ex, 30 * SECOND);
  assert_traced("a b");
}

/* When only late timers are left, the wheel's own time must stay. */
TEST(late_timer_is_cleared_after_the_clock_went_back) {
  const int64_t times[] = {20 * SECOND};
  ex = executor_at(15 * SECOND);
  arm_all(ex, times, COUNT(times));
  run_at(ex, 20 * SECOND);
  deadlines[0] = 12 * SECOND;
  pillion_wake_local(probes[0].waker);
  turn(ex);
  virtual_now = 5 * SECOND;
  int64_t other = 13 * SECOND;
  struct probe second = {.step = arms, .data = &other};
  spawn(ex, &second, 0, PILLION_DETACH);
  turn(ex);
  pillion_timer_clear(&probes[0].timer);
  turn(ex);
  assert_int_equal(progress.deadline, 13 * SECOND);
  run_at(ex, 13 * SECOND);
  assert_int_equal(second.polls, 2);
  assert_traced("a a");
  executor_free(ex);
}

TEST(time_that_never_comes_takes_no_place) {
  const int64_t times[] = {PILLION_TIME_NEVER, PILLION_TIME_NEVER, 500};
  pillion_executor_options options = virtual_options(100);
  options.max_timers = 1;
  ex = executor_with(&options);
  arm_all(ex, times, COUNT(times));
  assert_int_equal(progress.deadline, 500);
  run_at(ex, PILLION_TIME_NEVER);
  assert_traced("c");
}

TEST(timers_over_the_quota_are_refused) {
  const int64_t times[] = {500, 600};
  pillion_executor_options options = virtual_options(100);
  options.max_timers = 2;
  ex = executor_with(&options);
  arm_all(ex, times, COUNT(times));
  int64_t later = 700;
  struct probe third = {.step = arms, .data = &later};
  spawn(ex, &third, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(third.rc, PILLION_EAGAIN);
  pillion_timer_clear(&third.timer); /* it was never armed */
  deadlines[0] = 650; /* an armed timer may always move */
  probes[0].awaited = 0;
  pillion_wake_local(probes[0].waker);
  turn(ex);
  assert_int_equal(probes[0].rc, 0);
  pillion_timer_clear(&probes[1].timer);
  third.awaited = 0;
  pillion_wake_local(third.waker);
  turn(ex);
  assert_int_equal(third.rc, 0);
  traced[0] = 0;
  run_at(ex, 1000);
  assert_traced("a");
  assert_int_equal(third.polls, 3);
  executor_free(ex);
}

TEST(storage_may_go_to_another_executor_after_free) {
  const int64_t times[] = {500, 5, 600, 5};
  ex = executor_at(100);
  arm_all(ex, times, COUNT(times));
  for (size_t i = 0; i < COUNT(times); i++) probes[i].dropped = NULL;
  executor_free(ex);
  ex = executor_at(100);
  for (size_t i = 0; i < COUNT(times); i++) {
    probes[i].awaited = 0;
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
  turn(ex);
  for (size_t i = 0; i < COUNT(times); i++)
    assert_int_equal(probes[i].rc, 0);
  traced[0] = 0;
  run_at(ex, 1000);
  assert_traced("b d a c");
}

/* ---- The host ------------------------------------------------------------ */

static int told;
static int64_t told_deadline;

static void hear(int64_t deadline, void *data) {
  told++;
  told_deadline = deadline;
}

TEST(host_hears_of_changes_only) {
  const int64_t times[] = {500, 600, 700};
  ex = executor_at(100);
  pillion_host host = PILLION_HOST_INIT;
  host.timer = hear;
  assert_ok(pillion_host_set(ex, &host));
  told = 0;
  arm_all(ex, times, COUNT(times));
  assert_int_equal(told, 1);
  assert_int_equal(told_deadline, 500);
  for (int i = 0; i < 5; i++) turn(ex);
  pillion_timer_clear(&probes[2].timer); /* not the earliest */
  deadlines[1] = 650;
  probes[1].awaited = 0;
  pillion_wake_local(probes[1].waker);
  turn(ex);
  assert_int_equal(told, 1);
  run_at(ex, 500);
  assert_int_equal(told, 2);
  assert_int_equal(told_deadline, 650);
  pillion_timer_clear(&probes[1].timer);
  pillion_wake_local(probes[2].waker);
  probes[2].awaited = 1;
  turn(ex);
  assert_int_equal(told, 3);
  assert_int_equal(told_deadline, PILLION_TIME_NEVER);
}

/* The host may keep a cleared timer's deadline. That turn finds nothing, and
   reports the right deadline. */
TEST(cleared_timer_wakes_the_host_once_at_most) {
  const int64_t times[] = {1000000, 1000001, 1000099, 1000100};
  ex = executor_at(100);
  arm_all(ex, times, COUNT(times));
  pillion_timer_clear(&probes[0].timer);
  pillion_timer_clear(&probes[1].timer);
  turn(ex);
  int64_t deadline;
  assert_ok(pillion_executor_deadline(&deadline, ex));
  assert_true(deadline <= 1000099);
  run_at(ex, deadline);
  assert_ok(pillion_executor_deadline(&deadline, ex));
  assert_int_equal(deadline, 1000099);
  assert_traced("");
}
