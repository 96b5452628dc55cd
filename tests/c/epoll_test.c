/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/epoll.h on a loop as its users write one. */
#include "loop_support.h"

#include <sys/timerfd.h>

#include "pillion/epoll.h"

const int loop_nests = 1, loop_takes_files = 0;

/* A program's own timer, edge-triggered as its others may be. */
struct own {
  int fd;
  void (*fn)(void *data);
  void *data;
};

struct loop {
  int epoll, count;
  pillion_epoll *on[2];
};

void *loop_new(void) {
  struct loop *loop = calloc(1, sizeof *loop);
  if (loop != NULL) loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  return loop;
}

void loop_destroy(void *data) {
  close(((struct loop *)data)->epoll);
  free(data);
}

void loop_after(void *data, int ms, void (*fn)(void *data), void *its) {
  struct loop *loop = data;
  struct itimerspec at = {.it_value.tv_nsec = ms * MS};
  struct own *own = malloc(sizeof *own);
  struct epoll_event event = {EPOLLIN | EPOLLET, {.ptr = own}};
  *own = (struct own){timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), fn, its};
  timerfd_settime(own->fd, 0, &at, NULL);
  epoll_ctl(loop->epoll, EPOLL_CTL_ADD, own->fd, &event);
}

void loop_round(void *data, int wait) {
  struct loop *loop = data;
  struct epoll_event events[8];
  int ms = wait ? -1 : 0, count = loop->count;
  pillion_epoll *on[2] = {loop->on[0], loop->on[1]};
  for (int i = 0; i < count; i++) ms = pillion_epoll_timeout(on[i], ms);
  int n = epoll_wait(loop->epoll, events, COUNT(events), ms);
  for (int i = 0; i < n; i++) {
    int taken = 0;
    for (int k = 0; k < count; k++)
      taken |= pillion_epoll_take(on[k], &events[i]);
    if (taken) continue;
    struct own *own = events[i].data.ptr;
    close(own->fd);
    own->fn(own->data);
    free(own);
  }
  for (int i = 0; i < count; i++) pillion_epoll_turn(on[i]);
}

int host_attach(struct host *host, void *data, pillion_executor ex,
                pillion_event_fn on_event, void *its) {
  struct loop *loop = data;
  pillion_epoll *on = (pillion_epoll *)host;
  int rc = pillion_epoll_attach(on, loop->epoll, ex, on_event, its);
  if (rc == 0 && loop->on[0] != on) loop->on[loop->count++] = on;
  return rc;
}

int host_detach(struct host *host) {
  return pillion_epoll_detach((pillion_epoll *)host);
}

TEST(a_descriptor_of_the_programs_is_refused) {
  struct epoll_event event = {EPOLLIN, {.fd = 0}};
  struct stream in;
  struct host host;
  struct loop *loop = loop_new();
  int ends[2];
  pair_new(ends);
  assert_ok(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, ends[0], &event));
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
