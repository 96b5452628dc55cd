/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/sdevent.h beyond the cases of every loop. */
#include "pillion/sdevent.h"

#include "loop.h"
#include "watch_support.h"

static int count_one(sd_event_source *source, void *data) {
  ++*(int *)data;
  return 0;
}

TEST(an_executor_has_a_priority) {
  sd_event *loop = loop_new();
  sd_event_source *source;
  struct probe probe = {.ready_at = 1};
  struct host host;
  int count = 0;
  pillion_executor executor = executor_new();
  assert_ok(pillion_sdevent_attach((pillion_sdevent *)&host, loop,
                                   SD_EVENT_PRIORITY_IDLE, executor, NULL,
                                   NULL));
  spawn(executor, &probe, 1, PILLION_DETACH);
  assert_true(sd_event_add_defer(loop, &source, count_one, &count) >= 0);
  assert_true(sd_event_source_set_enabled(source, SD_EVENT_ON) >= 0);
  for (int i = 1; i <= 5; i++) {
    sd_event_run(loop, 0);
    assert_int_equal(count, i);
  }
  assert_int_equal(probe.polls, 0);
  sd_event_source_disable_unref(source);
  loop_round(loop, 0);
  assert_int_equal(probe.polls, 1);
  assert_ok(host_detach(&host));
  executor_free(executor);
  loop_destroy(loop);
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
