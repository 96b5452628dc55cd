/* SPDX-License-Identifier: Apache-2.0 */

/* Time, fairness and wakes. */
#include "rig.h"

/* A loop that woke early would go round until it is time: turns are counted. */
TEST(deadlines_are_met_late_but_never_early) {
  struct rig *rig = rig_new(record);
  static const int64_t lengths[] = {9 * MS + 1, 4 * MS, 1, 300000, 0, 4 * MS};
  struct doze naps[COUNT(lengths)];
  memset(naps, 0, sizeof naps);
  for (size_t i = 0; i < COUNT(naps); i++) {
    naps[i].ns = lengths[i];
    assert_ok(
        pillion_task_spawn(NULL, rig->ex, &dozing, &naps[i], i, PILLION_EVENT));
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, COUNT(naps));
  for (size_t i = 0; i < COUNT(naps); i++)
    assert_true(naps[i].woke - naps[i].began >= naps[i].ns);
  assert_int_equal(rig->seen.event[COUNT(naps) - 1].token, 0);
  assert_true(stats_of(rig->ex).turns <= COUNT(naps));
  rig_free(rig);
}

struct ticker {
  void *loop;
  int ticks;
  struct probe *stop;
};

static void tick(void *data) {
  struct ticker *ticker = data;
  if (++ticker->ticks < 5) loop_after(ticker->loop, 1, tick, ticker);
  else ticker->stop->ready_at = ticker->stop->polls + 1;
}

TEST(a_task_that_wakes_itself_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe busy = {.wake_self = 1};
  struct ticker ticker = {.loop = rig->loop, .stop = &busy};
  spawn(rig->ex, &busy, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

static int overdue(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now - SECOND);
}

TEST(an_overdue_deadline_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  struct probe late = {.then = overdue, .data = &timer};
  struct ticker ticker = {.loop = rig->loop, .stop = &late};
  spawn(rig->ex, &late, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  pillion_timer_clear(&timer);
  rig_free(rig);
}

static int wake_again_and_again(void *arg) {
  struct probe *probe = arg;
  for (int i = 1; i < 20000; i++) {
    if (pillion_wake(probe->waker) == PILLION_STALE) return 1;
    for (int k = 0; k < i % 50; k++) atomic_signal_fence(memory_order_seq_cst);
  }
  probe->ready_at = 1;
  return pillion_wake(probe->waker) == PILLION_STALE;
}

static int ready_when_told(struct probe *probe, pillion_context *cx) {
  if (probe->ready_at == 1) probe->ready_at = probe->polls;
  return 0;
}

/* The loop is about to sleep now and then, and none may be lost. */
TEST(wakes_from_another_thread_reach_a_sleeping_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.then = ready_when_told};
  pthread_t thread;
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  settle(rig);
  assert_int_equal(probe.polls, 1);
  struct on_thread job = {wake_again_and_again, &probe, -1};
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  rig_run(rig);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}
