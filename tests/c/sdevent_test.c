/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/sdevent.h on a real loop of libsystemd. */
#include "loop_support.h"

#include "pillion/sdevent.h"

const int loop_nests = 0, loop_takes_files = 0;

void *loop_new(void) {
  sd_event *loop = NULL;
  return sd_event_new(&loop) < 0 ? NULL : loop;
}

void loop_destroy(void *loop) { sd_event_unref(loop); }

/* A round dispatches one source. */
void loop_round(void *loop, int wait) {
  sd_event_run(loop, wait ? UINT64_MAX : 0);
  for (int i = 0; i < 8 && !wait; i++) sd_event_run(loop, 0);
}

struct own {
  void (*fn)(void *data);
  void *data;
};

static int on_own(sd_event_source *source, uint64_t us, void *data) {
  struct own *own = data;
  own->fn(own->data);
  free(own);
  return 0;
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct own *own = malloc(sizeof *own);
  *own = (struct own){fn, data};
  sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, ms * 1000u, 1, on_own,
                             own);
}

static int attach(struct host *host, void *loop, int64_t priority,
                  pillion_executor ex, pillion_event_fn on_event, void *data) {
  return pillion_sdevent_attach((pillion_sdevent *)host, loop, priority, ex,
                                on_event, data);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return attach(host, loop, SD_EVENT_PRIORITY_NORMAL, ex, on_event, data);
}

int host_detach(struct host *host) {
  return pillion_sdevent_detach((pillion_sdevent *)host);
}

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
  assert_ok(attach(&host, loop, SD_EVENT_PRIORITY_IDLE, executor, NULL, NULL));
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
