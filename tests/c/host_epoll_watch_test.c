/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Descriptors that the library watches itself (pillion_host_epoll), for a loop
 * that watches two of the library's and knows no others.
 */
#include <poll.h>

#include "watch_support.h"

const int loop_takes_files = 0;

static pillion_executor executor;
static struct pollfd own[2];
static pillion_progress progress;

void loop_begin(pillion_executor ex) {
  executor = ex;
  assert_ok(pillion_executor_fd(&own[0].fd, ex));
  assert_ok(pillion_host_epoll(&own[1].fd, ex));
  own[0].events = own[1].events = POLLIN;
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  progress.deadline = PILLION_TIME_NEVER;
}

static void make_turn(void) {
  pillion_event events[4];
  int n =
      pillion_executor_turn(events, COUNT(events), &progress, executor, NULL);
  assert_true(n >= 0);
  for (int i = 0; i < n; i++) see(&events[i], &seen);
}

void loop_step(void) {
  int64_t ms =
      pillion_adapter_wait(progress.deadline, pillion_adapter_now(), 1000000);
  assert_true(poll(own, 2, ms < 60000 ? (int)ms : 60000) > 0 ||
              progress.deadline != PILLION_TIME_NEVER);
  make_turn();
}

void loop_run(void) {
  do loop_step();
  while (progress.live > 0);
}

void loop_end(void) {
  int set = own[1].fd;
  executor_free(executor);
  assert_int_equal(fcntl(set, F_GETFD), -1);
}

GIVEN(an_executor, a_regular_file_is_refused) {
  struct stream in;
  loop_begin(ex);
  open_watch(ex, &in, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  in.length = R;
  start(ex, &in, &waiting);
  loop_run();
  assert_int_equal(in.rc, PILLION_ENOTSUP);
  loop_end();
}

GIVEN(an_executor, asked_again_it_is_the_same_set) {
  struct stream in;
  int ends[2], again;
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &in, ends[0]);
  in.length = 1;
  start(ex, &in, &reading);
  make_turn();
  assert_ok(pillion_host_epoll(&again, ex));
  assert_int_equal(again, own[1].fd);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 1);
  loop_end();
  close(ends[1]);
}

GIVEN(an_executor, what_is_watched_moves_to_and_from_other_hosts) {
  struct stream in;
  struct seen none = {0};
  pillion_poll loop;
  int ends[2], set;
  pair_new(ends);
  open_watch(ex, &in, ends[0]);
  in.length = 3;
  start(ex, &in, &reading);
  loop_begin(ex);
  set = own[1].fd;
  make_turn();
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_int_equal(poll(&own[1], 1, 60000), 1);
  make_turn();
  assert_int_equal(in.bytes, 1);

  pillion_poll_init(&loop, ex, see, &none);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(fcntl(set, F_GETFD), -1); /* the other host is gone */
  assert_int_equal(write(ends[1], "y", 1), 1);
  while (in.bytes < 2)
    assert_true(pillion_poll_once(&loop, PILLION_TIME_NEVER) >= 0);

  loop_begin(ex);
  assert_int_equal(write(ends[1], "z", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 3);
  loop_end();
  close(ends[1]);
}

GIVEN(an_executor, a_watch_that_is_closed_leaves_the_set) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  memset(&in, 0, sizeof in);
  assert_ok(pillion_watch_open(&in.watch, ex, ends[0], 0));
  in.length = R;
  start(ex, &in, &waiting);
  make_turn();
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_int_equal(poll(&own[1], 1, 0), 1);
  assert_ok(pillion_watch_close(in.watch));
  assert_int_equal(poll(&own[1], 1, 0), 0);
  loop_run();
  assert_int_equal(in.rc, PILLION_ECLOSED);
  loop_end();
  close(ends[0]);
  close(ends[1]);
}

GIVEN(an_executor, a_fault_leaves_the_set_until_a_task_awaits_again) {
  struct stream out;
  int ends[2];
  assert_ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  loop_begin(ex);
  open_watch(ex, &out, ends[1]);
  out.length = W;
  close(ends[0]);
  for (int i = 0; i < 2; i++) {
    start(ex, &out, &waiting);
    make_turn();
    assert_int_equal(poll(&own[1], 1, 0), 1);
    make_turn();
    assert_true(out.events & PILLION_FAULT);
    assert_int_equal(poll(&own[1], 1, 0), 0);
  }
  loop_end();
}

/* The set may report a closed number whose file is still open elsewhere. */
GIVEN(an_executor, a_descriptor_closed_before_its_watch_wakes_nothing) {
  struct stream in;
  int ends[2], kept;
  pair_new(ends);
  kept = dup(ends[0]);
  loop_begin(ex);
  memset(&in, 0, sizeof in);
  in.fd = ends[0];
  assert_ok(pillion_watch_open(&in.watch, ex, ends[0], 0));
  in.length = R;
  start(ex, &in, &waiting);
  make_turn();
  close(ends[0]);
  assert_ok(pillion_watch_close(in.watch));
  assert_int_equal(write(ends[1], "x", 1), 1);
  make_turn();
  make_turn();
  assert_int_equal(in.rc, PILLION_ECLOSED);
  loop_end();
  close(kept);
  close(ends[1]);
}

GIVEN(an_executor, without_descriptors_the_earlier_host_stays) {
  struct rlimit limit, none;
  int set = -1;
  pillion_host host = PILLION_HOST_INIT;
  assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
  none = limit;
  none.rlim_cur = 0;
  assert_ok(setrlimit(RLIMIT_NOFILE, &none));
  int rc = pillion_host_epoll(&set, ex);
  assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
  assert_int_equal(rc, PILLION_ESYSTEM);
  assert_int_equal(set, -1);
  assert_ok(pillion_host_get(&host, ex));
  assert_null(host.watch);
  assert_int_equal(pillion_host_epoll(NULL, ex), PILLION_EINVAL);
  assert_int_equal(pillion_host_epoll(&set, 0), PILLION_EBADHANDLE);
}
