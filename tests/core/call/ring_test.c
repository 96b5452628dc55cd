/* SPDX-License-Identifier: Apache-2.0 */

/* The smallest ring: two submissions wait for Go, and no third. */
#include "support.h"

static pillion_function echo;

static int submit(uint64_t token) {
  return pillion_call_submit(NULL, 0, echo, "x", 1, token, PILLION_DETACH);
}

static void run_one(void) {
  assert_int_equal(pillion__ring_take(jobs, 1), 1);
  assert_true(job_take_up(&jobs[0]));
  job_return(&jobs[0], NULL, 0);
}

static bool asleep(void) { return atomic_load(pillion__ring_asleep()); }

TEST(go_that_is_awake_is_not_poked) {
  assert_false(asleep());
  assert_ok(submit(1));
  assert_false(pillion__ring_sleep()); /* it holds a job */
  assert_false(asleep());
  run_one();
  assert_true(pillion__ring_sleep());
  assert_true(asleep());
  assert_ok(submit(2)); /* pokes it */
  assert_false(asleep());
  run_one();
}

/* At every position, and with both in it or one. */
TEST(ring_of_two_takes_two) {
  for (int round = 0; round < 5; round++) {
    assert_ok(submit(1));
    assert_ok(submit(2));
    assert_int_equal(submit(3), PILLION_EAGAIN);
    assert_int_equal(submit(3), PILLION_EAGAIN);
    assert_int_equal(library_counts().calls, 2);
    run_one();
    assert_ok(submit(3));
    assert_int_equal(submit(4), PILLION_EAGAIN);
    run_one();
    run_one();
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 0);
    assert_ok(submit(5));
    run_one();
    assert_int_equal(library_counts().calls, 0);
  }
}

int main(void) {
  guest_install();
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.ring = 2;
  if (pillion_start(&options, NULL, 0) < 0) return 2;
  echo = function("test.echo");
  return test_main();
}
