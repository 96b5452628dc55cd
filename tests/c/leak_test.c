/* SPDX-License-Identifier: Apache-2.0 */

/* run.sh runs this program with a leak checker, which must find nothing. */
#include "pillion/poll.h"
#include "support.h"

static int ended;

static void on_event(const pillion_event *event, void *data) {
  ended += event->status == 0;
}

TEST(everything_is_given_back) {
  static char request[1000];
  pillion_executor ex;
  pillion_function echo, loop;
  pillion_value value;
  assert_int_equal(pillion_function_find(&echo, "test.echo"), 0);
  assert_int_equal(pillion_function_find(&loop, "test.loop_sleep"), 0);
  for (int round = 0; round < 2; round++) {
    ended = 0;
    assert_int_equal(pillion_executor_new(&ex, NULL, NULL, 0), 0);
    for (int i = 0; i < 1000; i++)
      assert_int_equal(pillion_call_submit(NULL, ex, echo, request, (size_t)i,
                                           0, PILLION_EVENT),
                       0);
    for (int i = 0; i < 10; i++)
      assert_int_equal(
          pillion_call_submit(NULL, ex, loop, "1000", 4, 0, PILLION_EVENT), 0);
    assert_int_equal(pillion_poll_run(ex, on_event, NULL), 0);
    assert_int_equal(ended, 1010);
    assert_int_equal(
        pillion_call_wait(&value, echo, request, 100, PILLION_TIME_NEVER), 0);
    assert_int_equal(value.length, 100);
    pillion_value_drop(&value);
    assert_int_equal(pillion_executor_free(ex), 0);
    assert_int_equal(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER),
                     0);
    assert_int_equal(pillion_start(NULL, NULL, 0), 0);
  }
}

int main(void) {
  return run_all_tests(NULL, NULL, NULL);
}
