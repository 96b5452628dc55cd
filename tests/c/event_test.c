/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/event.h beyond the cases of every loop. */
#include "pillion/event.h"

#include "loop.h"
#include "watch_support.h"

static void count_one(evutil_socket_t fd, short events, void *data) {
  char byte;
  if (read(fd, &byte, 1) == 1) ++*(int *)data;
}

/* A watch hears of its own events only. */
TEST(the_program_may_watch_the_same_descriptor) {
  struct event_base *base = event_base_new();
  pillion_executor executor = executor_new();
  struct host host;
  struct stream out;
  struct event *its_own;
  int ends[2], count = 0;
  pair_new(ends);
  memset(&seen, 0, sizeof seen);
  assert_ok(host_attach(&host, base, executor, see, &seen));
  open_watch(executor, &out, ends[0]);
  its_own = event_new(base, ends[0], EV_READ | EV_PERSIST, count_one, &count);
  event_add(its_own, NULL);
  out.length = H;
  start(executor, &out, &waiting);
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(write(ends[1], "x", 1), 1);
    while (count < i) loop_round(base, 1);
  }
  assert_int_equal(out.polls, 1);
  event_free(its_own);
  close(ends[1]);
  while (host.as.adapter.live > 0) loop_round(base, 1);
  assert_true(out.events & H);
  assert_ok(host_detach(&host));
  executor_free(executor);
  event_base_free(base);
}

/* A base on select(2) cannot tell of a hang-up. */
TEST(events_that_the_backend_lacks_are_refused) {
  struct event_config *config = event_config_new();
  assert_ok(event_config_avoid_method(config, "epoll"));
  assert_ok(event_config_avoid_method(config, "poll"));
  struct event_base *base = event_base_new_with_config(config);
  pillion_executor executor = executor_new();
  struct host host;
  struct stream in;
  int ends[2];
  pair_new(ends);
  memset(&seen, 0, sizeof seen);
  assert_ok(host_attach(&host, base, executor, see, &seen));
  open_watch(executor, &in, ends[0]);
  in.length = H;
  start(executor, &in, &waiting);
  while (host.as.adapter.live > 0) loop_round(base, 1);
  assert_int_equal(in.rc, PILLION_ENOTSUP);
  assert_ok(host_detach(&host));
  executor_free(executor);
  event_base_free(base);
  event_config_free(config);
  close(ends[1]);
}
