/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/epoll.h beyond the cases of every loop. */
#include "pillion/epoll.h"

#include "loop.h"
#include "watch_support.h"

TEST(a_descriptor_of_the_programs_is_refused) {
  struct epoll_event event = {EPOLLIN, {.fd = 0}};
  struct stream in;
  struct host host;
  void *loop = loop_new();
  int set = *(int *)loop; /* the driver's loop begins with it */
  int ends[2];
  pair_new(ends);
  assert_ok(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
  pillion_executor executor = executor_new();
  assert_ok(host_attach(&host, loop, executor, see, &seen));
  open_watch(executor, &in, ends[0]);
  in.length = R;
  start(executor, &in, &waiting);
  for (int i = 0; i < 3; i++) loop_round(loop, 0);
  assert_int_equal(in.rc, PILLION_EBUSY);
  assert_ok(host_detach(&host));
  executor_free(executor);
  close(ends[1]);
  loop_destroy(loop);
}

TEST(attach_refuses_what_is_no_set) {
  pillion_epoll on;
  pillion_executor executor = executor_new();
  int ends[2], next;
  pair_new(ends);
  assert_ok(close(next = dup(ends[0])));
  assert_int_equal(pillion_epoll_attach(&on, ends[0], executor, NULL, NULL),
                   PILLION_ESYSTEM);
  assert_int_equal(pillion_epoll_attach(&on, -1, executor, NULL, NULL),
                   PILLION_ESYSTEM);
  assert_int_equal(dup(ends[0]), next); /* no descriptor is left open */
  close(next);
  close(ends[0]);
  close(ends[1]);
  executor_free(executor);
}

/* The executor's first turn was due when it was freed. */
TEST(a_loop_without_its_executor_sleeps) {
  pillion_epoll on;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  pillion_executor executor = executor_new();
  assert_ok(pillion_epoll_attach(&on, epoll, executor, NULL, NULL));
  assert_int_equal(pillion_epoll_timeout(&on, 5), 0);
  executor_free(executor);
  assert_int_equal(pillion_epoll_timeout(&on, -1), -1);
  assert_int_equal(pillion_epoll_timeout(&on, 5), 5);
  assert_int_equal(pillion_epoll_turn(&on), 0);
  assert_ok(pillion_epoll_detach(&on));
  close(epoll);
}

TEST(the_wait_ends_at_the_earlier_of_two_times) {
  pillion_epoll on;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  pillion_executor executor = executor_new();
  assert_ok(pillion_epoll_attach(&on, epoll, executor, NULL, NULL));
  assert_int_equal(pillion_epoll_turn(&on), 0);
  assert_int_equal(pillion_epoll_timeout(&on, -1), -1);
  assert_int_equal(pillion_epoll_timeout(&on, 7), 7);
  on.adapter.deadline = pillion_adapter_now() + 3600 * SECOND;
  assert_int_equal(pillion_epoll_timeout(&on, 7), 7);
  assert_true(pillion_epoll_timeout(&on, -1) > 1000000);
  assert_true(pillion_epoll_timeout(&on, INT_MAX) > 1000000);
  on.adapter.deadline = PILLION_TIME_NEVER - 1;
  assert_int_equal(pillion_epoll_timeout(&on, -1), INT_MAX);
  assert_ok(pillion_epoll_detach(&on));
  executor_free(executor);
  close(epoll);
}
