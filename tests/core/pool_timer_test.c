/* SPDX-License-Identifier: Apache-2.0 */

/* Timers of tasks that move: set here, fired there, cleared elsewhere. */
#include "pool_support.h"

static pillion_pool pool;
static pillion_executor one, two;

static int two_workers(void **state) {
  (void)state;
  pool = pool_new();
  one = executor_new();
  two = executor_new();
  assert_ok(pillion_pool_join(pool, one, 0));
  assert_ok(pillion_pool_join(pool, two, 0));
  turn(one);
  turn(two);
  return 0;
}

static int free_all(void **state) {
  executor_free(one);
  executor_free(two);
  pool_free(pool);
  return nothing_lives(state);
}

static int naps(struct probe *probe, pillion_value *out, pillion_context *cx) {
  (void)out;
  probe->rc = probe->polls == 1
                  ? pillion_timer_set(&probe->timer, cx, probe->awaited)
                  : 0;
  return probe->polls == 2 ? PILLION_READY : PILLION_PENDING;
}

static void timer_set_on_one_fires_on_the_other(void **state) {
  (void)state;
  struct probe probe = {.step = naps, .awaited = 1}; /* long past */
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

static void clears(struct probe *probe) {
  pillion_timer_clear(&probe->timer);
}

static int naps_long(struct probe *probe, pillion_value *out,
                     pillion_context *cx) {
  (void)out;
  if (probe->polls < 3)
    probe->rc = pillion_timer_set(&probe->timer, cx, cx->now + 3600 * SECOND);
  return PILLION_PENDING;
}

static void timer_moved_and_cleared_elsewhere(void **state) {
  (void)state;
  struct probe probe = {.step = naps_long, .dropped = clears};
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

static void timer_of_another_runtime(void **state) {
  (void)state;
  static struct probe probe = {.step = naps_long, .dropped = clears};
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(readable(one) ? one : two);
  static struct probe thief;
  thief = (struct probe){.step = naps_long, .timer = probe.timer};
  spawn(two, &thief, 0, PILLION_DETACH);
  turn(two);
  assert_int_equal(thief.rc, PILLION_EINVAL);
}

/* Who leaves may have been the only one who knew of the deadline. */
static void leaver_has_another_look_at_the_deadline(void **state) {
  (void)state;
  static struct probe probe = {.step = naps_long, .dropped = clears};
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

#define POOL_TEST(name) \
  cmocka_unit_test_setup_teardown(name, two_workers, free_all)

int main(void) {
  const struct CMUnitTest tests[] = {
      POOL_TEST(timer_set_on_one_fires_on_the_other),
      POOL_TEST(timer_moved_and_cleared_elsewhere),
      POOL_TEST(timer_of_another_runtime),
      POOL_TEST(leaver_has_another_look_at_the_deadline),
  };
  guest_install();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
