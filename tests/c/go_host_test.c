/* SPDX-License-Identifier: Apache-2.0 */

/* capi/host: a loop in Go drives an executor; tests/module/host.go has it. */
#include "support.h"

/* Go finds each host dropped once, and C holding none of them at the end. */
TEST(each_host_in_go_is_released_once_in_every_order) {
  pillion_value value = ask("test.host_orders", "");
  assert_ok(value.status);
  pillion_value_drop(&value);
}

TEST(a_loop_in_go_sleeps_until_another_thread_posts) {
  enum { POSTS = 2000 };
  int ends[2];
  pillion_executor at_go;
  pillion_task serving;
  static char expected[POSTS + 1];
  struct seen its = {0};
  assert_ok(pipe(ends));
  uint64_t request[2] = {(uint64_t)ends[1], POSTS};
  ex = executor_new();
  assert_ok(pillion_call_submit(&serving, ex, function("test.host_serve"),
                                request, sizeof request, 1, PILLION_EVENT));
  assert_int_equal(read(ends[0], &at_go, sizeof at_go), sizeof at_go);
  assert_int_equal(pillion_executor_bind(at_go), PILLION_EWRONGTHREAD);
  for (int i = 0; i < POSTS; i++) {
    expected[i] = (char)('a' + i % 26);
    int rc;
    do rc = pillion_executor_post(at_go, (uint64_t)i, &expected[i], 1);
    while (rc == PILLION_EAGAIN && sched_yield() == 0); /* it is full */
    assert_ok(rc);
  }
  run(ex, &its);
  assert_int_equal(its.count, 1);
  assert_ok(its.event[0].status);
  assert_int_equal(its.event[0].length, POSTS);
  assert_memory_equal(its.event[0].bytes, expected, 90);
  close(ends[0]);
}
