/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/sdevent.h beyond the cases of every loop. */
#include "pillion/sdevent.h"

#include "loop.h"
#include "watch_support.h"

static void count_one(void *data) { ++*(int *)data; }

/* A source that is always ready. Unlike a deferred one it lets its equals go
   first now and then. */
static int always_ready(sd_event *loop, int *count) {
  int fd = eventfd(1, EFD_CLOEXEC);
  assert_ok(loop_on_readable(loop, fd, count_one, count));
  return fd;
}

TEST(an_executor_has_a_priority) {
  sd_event *loop = loop_new();
  struct probe probe = {.ready_at = 1};
  struct host host;
  int count = 0;
  pillion_executor executor = executor_new();
  assert_ok(pillion_sdevent_attach((pillion_sdevent *)&host, loop,
                                   SD_EVENT_PRIORITY_IDLE, executor, NULL,
                                   NULL));
  spawn(executor, &probe, 1, PILLION_DETACH);
  int fd = always_ready(loop, &count);
  for (int i = 1; i <= 5; i++) {
    sd_event_run(loop, 0);
    assert_int_equal(count, i);
  }
  assert_int_equal(probe.polls, 0);
  assert_int_equal(read(fd, &(uint64_t){0}, 8), 8);
  loop_round(loop, 0);
  assert_int_equal(probe.polls, 1);
  assert_ok(host_detach(&host));
  executor_free(executor);
  loop_destroy(loop);
  close(fd);
}

/* Both are ready when a source of a higher priority is, always. */
TEST(what_an_executor_waits_for_has_its_priority) {
  sd_event *loop = loop_new();
  struct doze nap = {.ns = MS};
  struct stream in;
  struct host host = {0};
  int ends[2], count = 0;
  pillion_executor executor = executor_new();
  pair_new(ends);
  assert_ok(pillion_sdevent_attach((pillion_sdevent *)&host, loop,
                                   SD_EVENT_PRIORITY_IDLE, executor, NULL,
                                   NULL));
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  assert_ok(
      pillion_task_spawn(NULL, executor, &dozing, &nap, 0, PILLION_DETACH));
  loop_round(loop, 0);
  assert_int_equal(in.polls, 1);
  nap.woke = 0;
  int fd = always_ready(loop, &count);
  assert_int_equal(write(ends[1], "x", 1), 1);
  while (pillion_adapter_now() < nap.began + 2 * MS) continue;
  for (int i = 1; i <= 5; i++) {
    sd_event_run(loop, 0);
    assert_int_equal(count, i);
  }
  assert_int_equal(in.polls, 1);
  assert_int_equal(nap.woke, 0);
  assert_int_equal(read(fd, &(uint64_t){0}, 8), 8);
  loop_round(loop, 0);
  assert_int_equal(in.bytes, 1);
  assert_true(nap.woke > 0);
  assert_ok(host_detach(&host));
  executor_free(executor);
  loop_destroy(loop);
  close(fd);
  close(ends[1]);
}

TEST(attach_refuses_a_loop_that_has_ended) {
  sd_event *loop = loop_new();
  struct host host;
  pillion_executor executor = executor_new();
  assert_true(sd_event_exit(loop, 0) >= 0);
  assert_int_equal(sd_event_loop(loop), 0);
  assert_int_equal(host_attach(&host, loop, executor, NULL, NULL),
                   PILLION_ESYSTEM);
  executor_free(executor);
  loop_destroy(loop);
}

/* sd-event counts microseconds. */
TEST(a_deadline_is_rounded_up) {
  sd_event *loop = loop_new();
  pillion_sdevent on;
  pillion_executor executor = executor_new();
  uint64_t us;
  assert_ok(pillion_sdevent_attach(&on, loop, SD_EVENT_PRIORITY_NORMAL,
                                   executor, NULL, NULL));
  for (int64_t ns = 3600 * SECOND; ns <= 3600 * SECOND + 1; ns++) {
    pillion__sdevent_arm(&on.adapter, ns);
    assert_true(sd_event_source_get_time(on.timer, &us) >= 0);
    assert_int_equal(us, (ns + 999) / 1000);
  }
  assert_ok(pillion_sdevent_detach(&on));
  executor_free(executor);
  loop_destroy(loop);
}
