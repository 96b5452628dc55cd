/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/ev.h beyond the cases of every loop. */
#include "pillion/ev.h"

#include "loop.h"
#include "watch_support.h"

TEST(the_loop_ends_when_nothing_lives_and_not_before) {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  pillion_executor executor = executor_new();
  struct host host;
  struct stream in;
  int ends[2];
  memset(&seen, 0, sizeof seen);
  assert_ok(host_attach(&host, loop, executor, see, &seen));
  ev_run(loop, 0);
  for (int i = 0; i < 3; i++) {
    submit(executor, "test.echo", "x", i, PILLION_EVENT);
    ev_run(loop, 0);
    assert_int_equal(seen.count, i + 1);
  }
  pair_new(ends);
  open_watch(executor, &in, ends[0]);
  start(executor, &in, &reading);
  ev_run(loop, EVRUN_NOWAIT);
  pillion_task_cancel(in.task);
  ev_run(loop, 0); /* the loop still watches what the task has awaited */
  assert_int_equal(in.drops, 1);
  close(ends[1]);
  assert_ok(host_detach(&host));
  executor_free(executor);
  ev_run(loop, 0);
  ev_loop_destroy(loop);
}

/* As libev does it; its own assertions come first in most builds. */
static void kill_watcher(struct ev_loop *loop, void *io) {
  ev_io_stop(loop, io);
  ev_feed_event(loop, io, EV_ERROR | EV_READ | EV_WRITE);
}

TEST(a_bad_descriptor_is_a_fault) {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  pillion_executor executor = executor_new();
  struct host host;
  struct stream in;
  int ends[2];
  pair_new(ends);
  assert_ok(host_attach(&host, loop, executor, see, &seen));
  open_watch(executor, &in, ends[0]);
  in.length = R;
  start(executor, &in, &waiting);
  for (int i = 0; i < 3; i++) ev_run(loop, EVRUN_NOWAIT);
  kill_watcher(loop, host.as.adapter.watches[ends[0]].as.handle);
  ev_run(loop, 0);
  assert_int_equal(in.events, PILLION_FAULT);
  kill_watcher(loop, &((pillion_ev *)&host)->io);
  ev_run(loop, 0); /* its count of what keeps it is right */
  assert_int_equal(host.as.adapter.status, PILLION_ESYSTEM);
  assert_ok(host_detach(&host));
  executor_free(executor);
  close(ends[1]);
  ev_run(loop, 0);
  ev_loop_destroy(loop);
}

static int sleep_poll(pillion_value *out, pillion_context *cx, void *self) {
  return pillion_sleep(self, cx, 3600 * SECOND);
}

static const pillion_future sleeping = {sizeof sleeping, sleep_poll, NULL};

/* Its timer and its tasks are gone, and with them what kept the loop. */
TEST(nothing_of_a_freed_executor_keeps_the_loop) {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  pillion_executor executor = executor_new();
  pillion_timer timer = {0};
  struct host host;
  assert_ok(host_attach(&host, loop, executor, NULL, NULL));
  assert_ok(pillion_task_spawn(NULL, executor, &sleeping, &timer, 1,
                               PILLION_DETACH));
  ev_run(loop, EVRUN_NOWAIT);
  executor_free(executor);
  ev_run(loop, 0);
  assert_ok(host_detach(&host));
  ev_loop_destroy(loop);
}
