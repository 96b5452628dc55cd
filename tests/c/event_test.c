/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/event.h on a real base of libevent. */
#include "loop_support.h"

#include "pillion/event.h"

const int loop_nests = 0, loop_takes_files = 0;
const uint32_t loop_lacks = PILLION_PRIORITY | PILLION_FAULT;

void *loop_new(void) { return event_base_new(); }

void loop_destroy(void *loop) { event_base_free(loop); }

void loop_round(void *loop, int wait) {
  event_base_loop(loop, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

struct own {
  void (*fn)(void *data);
  void *data;
};

static void on_own(evutil_socket_t fd, short events, void *data) {
  struct own *own = data;
  own->fn(own->data);
  free(own);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct timeval wait = {0, ms * 1000};
  struct own *own = malloc(sizeof *own);
  *own = (struct own){fn, data};
  event_base_once(loop, -1, EV_TIMEOUT, on_own, own, &wait);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_libevent_attach((pillion_libevent *)host, loop, ex, on_event,
                                 data);
}

int host_detach(struct host *host) {
  return pillion_libevent_detach((pillion_libevent *)host);
}

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
