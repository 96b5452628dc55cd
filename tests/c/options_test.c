/* SPDX-License-Identifier: Apache-2.0 */

/* What an executor's options mean for the Go functions on its loop. */
#include "support.h"

enum { CALLS = 20 };

/* Reports in which order the calls of an async Go function end. */
static void order_of(uint64_t seed, uint64_t *tokens) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_event events[CALLS];
  pillion_executor ex;
  int got = 0;
  options.seed = seed;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  for (uint64_t i = 0; i < CALLS; i++)
    submit(ex, "test.loop_echo", "", i, PILLION_EVENT);
  while (got < CALLS) {
    int n = pillion_executor_turn(events, CALLS, NULL, ex, NULL);
    for (int i = 0; i < n; i++) tokens[got++] = events[i].token;
  }
  executor_free(ex);
}

TEST(seed_orders_go_functions_too) {
  uint64_t first[CALLS], again[CALLS], other[CALLS], plain[CALLS];
  order_of(1, first);
  order_of(1, again);
  order_of(2, other);
  order_of(0, plain);
  assert_memory_equal(first, again, sizeof first);
  assert_memory_not_equal(first, other, sizeof first);
  for (uint64_t i = 0; i < CALLS; i++) assert_int_equal(plain[i], i);
}

static int64_t now = SECOND;

static int64_t our_clock(void *data) {
  return now;
}

/* Go's sleep of an hour ends when the test's clock has moved. */
TEST(clock_is_that_of_go_functions_too) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_event event;
  pillion_executor ex;
  options.clock = our_clock;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  submit(ex, "test.loop_sleep", "3600000000000", 5, PILLION_EVENT);
  while (progress.deadline != now + 3600 * SECOND)
    assert_ok(pillion_executor_turn(&event, 1, &progress, ex, NULL));
  now = progress.deadline - 1;
  assert_ok(pillion_executor_turn(&event, 1, &progress, ex, NULL));
  now++;
  assert_int_equal(pillion_executor_turn(&event, 1, &progress, ex, NULL), 1);
  assert_memory_equal(pillion_event_data(&event), "slept", 5);
  executor_free(ex);
}
