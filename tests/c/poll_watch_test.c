/* SPDX-License-Identifier: Apache-2.0 */

/* Descriptors on pillion/poll.h. */
#include "watch_support.h"

static pillion_executor executor;
static pillion_poll loop;

void loop_begin(pillion_executor ex) {
  executor = ex;
  pillion_poll_init(&loop, ex, see, &seen);
}

void loop_step(void) {
  assert_true(pillion_poll_once(&loop, PILLION_TIME_NEVER) >= 0);
}

void loop_run(void) { assert_ok(pillion_poll_loop(&loop)); }

void loop_end(void) { executor_free(executor); }

TEST(two_loops_in_turn_share_what_is_watched) {
  struct stream in;
  int ends[2];
  pillion_poll other;
  pair_new(ends);
  loop_begin(executor_new());
  pillion_poll_init(&other, executor, NULL, NULL);
  open_watch(executor, &in, ends[0]);
  in.length = 2;
  start(executor, &in, &reading);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_int_equal(pillion_poll_once(&other, 0), 0);
  assert_int_equal(in.bytes, 1);
  assert_int_equal(write(ends[1], "y", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 2);
  assert_ok(pillion_poll_run(executor, NULL, NULL));
  loop_end();
  close(ends[1]);
}

TEST(tasks_that_are_always_ready_hide_no_descriptor) {
  struct probe busy = {.wake_self = 1};
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  spawn(executor, &busy, 0, PILLION_DETACH);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_step();
  assert_int_equal(in.bytes, 1);
  assert_int_equal(busy.polls, 3);
  loop_end();
  close(ends[1]);
}

static int dropped;
static void on_drop(void *data) {
  dropped++;
}

TEST(hooks_that_come_later_are_left_alone) {
  pillion_host host = PILLION_HOST_INIT;
  struct stream in;
  host.drop = on_drop;
  dropped = 0;
  loop_begin(executor_new());
  assert_ok(pillion_host_set(executor, &host));
  assert_int_equal(pillion_poll_once(&loop, 0), 0); /* replaces the hooks */
  assert_int_equal(dropped, 1);
  assert_ok(pillion_host_set(executor, &host));
  open_watch(executor, &in, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  in.length = R;
  start(executor, &in, &waiting);
  loop_run();
  assert_int_equal(in.rc, PILLION_ENOTSUP);
  assert_int_equal(dropped, 1);
  loop_end();
  assert_int_equal(dropped, 2);
}

static void wait_for_the_next(const pillion_event *event, void *data) {
  see(event, data);
  if (seen.count == 1 && pillion_poll_once(&loop, PILLION_TIME_NEVER) != 1)
    seen.count = 9;
}

/* Nothing but the event behind its own ends the wait. */
TEST(a_loop_in_a_handler_goes_on_with_the_batch) {
  struct probe probes[2] = {{.ready_at = 1}, {.ready_at = 1}};
  struct stream in;
  int ends[2];
  pair_new(ends);
  memset(&seen, 0, sizeof seen);
  loop_begin(executor_new());
  loop.adapter.on_event = wait_for_the_next;
  open_watch(executor, &in, ends[0]);
  start(executor, &in, &reading);
  loop_step();
  for (int i = 0; i < 2; i++) spawn(executor, &probes[i], i, PILLION_EVENT);
  loop_step();
  assert_int_equal(seen.count, 2);
  close(ends[1]);
  loop_run();
  loop_end();
}
