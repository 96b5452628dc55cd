/* SPDX-License-Identifier: Apache-2.0 */

/* Go functions that are futures, on an executor of their own. */
#include "support.h"

static struct seen seen;

static void an_executor_that_saw_nothing(void) {
  memset(&seen, 0, sizeof seen);
  an_executor();
}

GIVEN(an_executor_that_saw_nothing,
      described_and_called) {
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  assert_ok(pillion_function_describe(&info, function("test.async_echo")));
  assert_int_equal(info.kind, PILLION_KIND_ASYNC);
  assert_non_null(strstr(info.descriptor, "\"kind\":\"async\""));
  submit(ex, "test.async_echo", "text", 1, PILLION_EVENT);
  submit(ex, "test.async_yield", "3", 2, PILLION_EVENT);
  submit(ex, "test.async_sleep", "1000", 3, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 3);
  assert_int_equal(seen.event[0].token, 1);
  assert_string_equal(seen.event[0].bytes, "text");
  for (int i = 0; i < 3; i++) assert_int_equal(seen.event[i].status, 0);
}

GIVEN(an_executor_that_saw_nothing,
      failures) {
  submit(ex, "test.async_panic", "oh", 1, PILLION_EVENT);
  submit(ex, "test.async_yield", "x", 2, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, PILLION_EPANIC);
  assert_string_equal(seen.event[0].message, "panic: oh");
  assert_int_equal(seen.event[1].status, PILLION_EFAILED);
}

GIVEN(an_executor_that_saw_nothing,
      cancelled_before_and_after_its_start) {
  pillion_task task = submit(ex, "test.async_block", "", 1, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  task = submit(ex, "test.async_block", "", 2, PILLION_EVENT);
  turn(ex, &seen, NULL);
  await_waiting(1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  run(ex, &seen);
  assert_int_equal(seen.count, 2);
  assert_int_equal(seen.event[1].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  await_waiting(0);
}

TEST(needs_an_executor) {
  pillion_value value;
  assert_int_equal(pillion_call_wait(&value, function("test.async_echo"), "", 0,
                                     LONG_ENOUGH),
                   PILLION_EINVAL);
}
