/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls that end, are cancelled by another thread and reach their deadlines,
 * all at the same time: each has exactly one end.
 */
#include "support.h"

enum { CALLS = 200, ROUNDS = 100 };

static _Atomic pillion_task tasks[CALLS];
static _Atomic bool over;

static void *cancels(void *data) {
  uint32_t at = 0;
  while (!atomic_load(&over)) {
    at = at * 1664525u + 1013904223u;
    pillion_task_cancel(atomic_load(&tasks[(at >> 8) % CALLS]));
  }
  return NULL;
}

static void *wakes_and_cancels(void *data) {
  uint32_t at = 7;
  while (!atomic_load(&over)) {
    at = at * 1664525u + 1013904223u;
    pillion_task task = atomic_load(&tasks[(at >> 8) % CALLS]);
    pillion_wake(waker_of(task));
    if (at >> 30 == 0) pillion_task_cancel(task);
  }
  return NULL;
}

/* How many calls ended in each way. */
static int ended[3];

static void count(const pillion_event *event) {
  switch (event->status) {
    case 0: ended[0]++; return;
    case PILLION_ECANCELLED: ended[1]++; return;
    case PILLION_ETIMEDOUT: ended[2]++; return;
    default: fail_msg("status %d", event->status);
  }
}

static int count_events(pillion_executor ex) {
  int n = turn(ex);
  for (int i = 0; i < n; i++) count(&events[i]);
  return n;
}

TEST(each_call_has_one_end) {
  static pillion_timer timers[CALLS];
  pillion_function echo = function("test.echo");
  ex = executor_at(SECOND);
  guest_dispatch();
  memset(timers, 0, sizeof timers);
  memset(ended, 0, sizeof ended);
  atomic_store(&over, false);
  pthread_t canceller = thread_start(cancels, NULL);
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < CALLS; i++) {
      pillion_task task;
      assert_ok(pillion_call_submit(&task, ex, echo, "x", 1, 0,
                                    PILLION_EVENT));
      atomic_store(&tasks[i], task);
      int rc = pillion_task_deadline(&timers[i], task,
                                     virtual_now + i * 10);
      assert_true(rc == 0 || rc == 2);
    }
    for (int n = 0; n < CALLS; virtual_now += 100) {
      n += count_events(ex);
      sched_yield();
    }
    for (int i = 0; i < CALLS; i++) pillion_timer_clear(&timers[i]);
    assert_int_equal(turn(ex), 0);
    assert_int_equal(progress.live, 0);
  }
  atomic_store(&over, true);
  pthread_join(canceller, NULL);
  assert_int_equal(ended[0] + ended[1] + ended[2], ROUNDS * CALLS);
  executor_free(ex);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER));
  assert_ok(pillion_start(NULL, NULL, 0));
}

TEST(each_task_has_one_end) {
  static struct probe probes[CALLS];
  static pillion_timer timers[CALLS];
  ex = executor_at(SECOND);
  memset(timers, 0, sizeof timers);
  memset(ended, 0, sizeof ended);
  atomic_store(&over, false);
  pthread_t other = thread_start(wakes_and_cancels, NULL);
  for (int round = 0; round < ROUNDS; round++) {
    memset(probes, 0, sizeof probes);
    for (int i = 0; i < CALLS; i++) {
      probes[i].ready_at = 1 + i % 5;
      atomic_store(&tasks[i], spawn(ex, &probes[i], 0, PILLION_EVENT));
      assert_ok(pillion_task_deadline(&timers[i], probes[i].task,
                                      virtual_now + i));
    }
    for (int n = 0; n < CALLS; virtual_now += 10) n += count_events(ex);
    for (int i = 0; i < CALLS; i++) {
      assert_int_equal(probes[i].drops, 1);
      pillion_timer_clear(&timers[i]);
    }
  }
  atomic_store(&over, true);
  pthread_join(other, NULL);
  assert_int_equal(ended[0] + ended[1] + ended[2], ROUNDS * CALLS);
}
