/* SPDX-License-Identifier: Apache-2.0 */

/* Deadlines of tasks and calls: who is cancelled, when, and what it is told. */
#include "support.h"

static void assert_ended(const pillion_event *event, int status, int outcome) {
  assert_int_equal(event->status, status);
  assert_int_equal(event->outcome, outcome);
}

/* ---- C tasks ------------------------------------------------------------- */

TEST(task_is_dropped_at_its_deadline) {
  ex = executor_at(100);
  struct probe probe = {0};
  pillion_timer timer = {0};
  spawn(ex, &probe, 7, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  run_at(ex, 499);
  assert_int_equal(progress.deadline, 500);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(run_at(ex, 500), 1);
  assert_int_equal(events[0].token, 7);
  assert_ended(&events[0], PILLION_ETIMEDOUT,
               PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

/* One turn finds the new task and its deadline: the deadline comes first. */
TEST(task_whose_time_is_up_is_never_polled) {
  ex = executor_at(100);
  struct probe probe = {0};
  pillion_timer timer = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  assert_int_equal(run_at(ex, 1000), 1);
  assert_ended(&events[0], PILLION_ETIMEDOUT,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(probe.polls, 0);
}

TEST(deadline_in_the_past_is_a_cancel) {
  const int64_t past[] = {100, 0, -1, INT64_MIN};
  for (size_t i = 0; i < COUNT(past); i++) {
    pillion_executor ex = executor_at(100);
    struct probe probe = {0};
    pillion_timer timer = {0};
    spawn(ex, &probe, 0, PILLION_EVENT);
    turn(ex);
    assert_ok(pillion_task_deadline(&timer, probe.task, past[i]));
    assert_int_equal(pillion_task_cancel(probe.task), 1);
    assert_int_equal(turn(ex), 1);
    assert_ended(&events[0], PILLION_ETIMEDOUT,
                 PILLION_OUTCOME_CANCELLED_RUNNING);
    executor_free(ex);
  }
}

TEST(deadline_is_moved_and_taken_back) {
  ex = executor_at(100);
  struct probe probe = {0};
  pillion_timer timer = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  assert_ok(pillion_task_deadline(&timer, probe.task, 900));
  run_at(ex, 899);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(progress.deadline, 900);
  assert_ok(pillion_task_deadline(&timer, probe.task, PILLION_TIME_NEVER));
  run_at(ex, 1000);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  assert_ok(pillion_task_deadline(&timer, probe.task, 2000));
  pillion_timer_clear(&timer);
  run_at(ex, 3000);
  assert_int_equal(probe.drops, 0);
  assert_ok(pillion_task_deadline(&timer, probe.task, 4000));
  assert_int_equal(run_at(ex, 4000), 1);
}

TEST(the_first_that_asks_counts) {
  ex = executor_at(100);
  struct probe a = {0}, b = {0};
  pillion_timer timers[2];
  memset(timers, 0, sizeof timers);
  spawn(ex, &a, 0, PILLION_EVENT);
  spawn(ex, &b, 1, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_deadline(&timers[0], a.task, 500));
  assert_ok(pillion_task_deadline(&timers[1], b.task, 500));
  assert_ok(pillion_task_cancel(a.task));
  assert_int_equal(run_at(ex, 500), 2);
  assert_ended(&events[0], PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_ended(&events[1], PILLION_ETIMEDOUT,
               PILLION_OUTCOME_CANCELLED_RUNNING);
}

static void *cancels(void *data) {
  assert_ok(pillion_task_cancel(*(pillion_task *)data));
  return NULL;
}

/* The cancel stands in the inbox, unseen by the owner, when the time is up. */
TEST(cancel_from_another_thread_came_first) {
  ex = executor_at(100);
  struct probe probe = {0};
  pillion_timer timer = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  on_thread(cancels, &probe.task);
  assert_ok(pillion_task_deadline(&timer, probe.task, 50));
  assert_int_equal(turn(ex), 1);
  assert_ended(&events[0], PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_RUNNING);
}

TEST(deadline_after_the_end_does_nothing) {
  ex = executor_at(100);
  static struct probe gone = {.ready_at = 2}, next = {0};
  pillion_timer timer = {0};
  spawn(ex, &gone, 0, PILLION_JOIN);
  turn(ex);
  assert_ok(pillion_task_deadline(&timer, gone.task, 500));
  pillion_wake_local(gone.waker);
  turn(ex); /* the task returns */
  assert_int_equal(pillion_task_deadline(&timer, gone.task, 300), 2);
  assert_ok(pillion_task_detach(gone.task));
  assert_int_equal(pillion_task_deadline(&timer, gone.task, 300),
                   PILLION_EBADHANDLE);
  spawn(ex, &next, 0, PILLION_EVENT);
  assert_int_equal(pillion__slot_of(next.task), pillion__slot_of(gone.task));
  run_at(ex, 1000); /* the old task's deadline fires, too late */
  assert_int_equal(next.polls, 1);
  assert_int_equal(next.drops, 0);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

TEST(task_sets_its_own_deadline) {
  ex = executor_at(100);
  struct probe probe = {.step = sets_its_deadline,
                        .dropped = clears_timer,
                        .state = 50},
               evicted = probe;
  spawn(ex, &probe, 0, PILLION_EVENT);
  spawn(ex, &evicted, 1, PILLION_EVENT);
  turn(ex);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(progress.deadline, 150);
  assert_ok(pillion_task_evict(evicted.task));
  memset(&evicted.timer, 0xff, sizeof evicted.timer);
  assert_int_equal(run_at(ex, 150), 2);
  assert_ended(&events[0], PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_ended(&events[1], PILLION_ETIMEDOUT,
               PILLION_OUTCOME_CANCELLED_RUNNING);
}

static int shields(struct probe *probe, pillion_value *out,
                   pillion_context *cx) {
  pillion_shield(cx, probe->state);
  return PILLION_PENDING;
}

TEST(shielded_task_is_over_when_its_shield_is) {
  ex = executor_at(100);
  struct probe probe = {.step = shields, .state = 1};
  pillion_timer timer = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  run_at(ex, 600);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(pillion_task_cancel(probe.task), 1);
  probe.state = 0;
  pillion_wake_local(probe.waker);
  int n = turn(ex);
  if (n == 0) n = turn(ex);
  assert_int_equal(n, 1);
  assert_ended(&events[0], PILLION_ETIMEDOUT,
               PILLION_OUTCOME_CANCELLED_RUNNING);
}

TEST(joiner_learns_that_time_was_up) {
  ex = executor_at(100);
  struct probe child = {0}, parent = {.step = joins_task, .data = &child.task};
  pillion_timer timer = {0};
  spawn(ex, &child, 0, PILLION_JOIN);
  spawn(ex, &parent, 0, PILLION_DETACH);
  turn(ex);
  assert_ok(pillion_task_deadline(&timer, child.task, 500));
  run_at(ex, 500);
  turn(ex);
  assert_int_equal(parent.rc, PILLION_READY);
  assert_int_equal(parent.value.status, PILLION_ETIMEDOUT);
}

static void says_its_name(struct probe *probe) { trace(probe->name); }

TEST(deadlines_come_in_their_order) {
  ex = executor_at(100);
  static const struct { const char *name; int64_t at; } tasks[] = {
      {"a", 300}, {"b", 200}, {"c", 300}, {"d", 200}, {"e", 100000}};
  static struct probe probes[COUNT(tasks)];
  pillion_timer timers[COUNT(tasks)];
  memset(probes, 0, sizeof probes);
  memset(timers, 0, sizeof timers);
  for (size_t i = 0; i < COUNT(tasks); i++) {
    probes[i].dropped = says_its_name;
    spawn(ex, &probes[i], 0, PILLION_DETACH);
    probes[i].name = tasks[i].name;
  }
  turn(ex);
  for (size_t i = 0; i < COUNT(tasks); i++)
    assert_ok(pillion_task_deadline(&timers[i], probes[i].task, tasks[i].at));
  traced[0] = 0;
  run_at(ex, 1000);
  assert_traced("b d a c");
  pillion_timer_clear(&timers[4]);
}

/* ---- What is refused ----------------------------------------------------- */

TEST(wrong_deadlines_are_refused) {
  pillion_executor_options options = virtual_options(100);
  options.max_timers = 1;
  pillion_executor ex = executor_with(&options), other = executor_at(100);
  struct probe probe = {0}, another = {0};
  pillion_timer timer = {0}, second = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  spawn(other, &another, 0, PILLION_DETACH);
  assert_int_equal(pillion_task_deadline(NULL, probe.task, 5),
                   PILLION_EINVAL);
  const pillion_task bad[] = {0, ex, probe.task + 1, waker_of(probe.task),
                              UINT64_MAX,
                              pillion__handle(PILLION__TASK, 0xffffff, 1)};
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(pillion_task_deadline(&timer, bad[i], 5),
                     PILLION_EBADHANDLE);
  on_thread(asks_for_deadline, &probe);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  assert_int_equal(pillion_task_deadline(&timer, another.task, 500),
                   PILLION_EINVAL);
  assert_int_equal(pillion_task_deadline(&second, probe.task, 500),
                   PILLION_EAGAIN);
  assert_ok(pillion_task_deadline(&timer, probe.task, 700));
  executor_free(ex);
  executor_free(other);
}

TEST(host_hears_of_an_earlier_deadline) {
  ex = executor_at(100);
  struct probe probe = {0};
  pillion_timer timer = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_false(readable(ex));
  assert_ok(pillion_task_deadline(&timer, probe.task, 500));
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(progress.deadline, 500);
  assert_false(readable(ex));
  assert_ok(pillion_task_deadline(&timer, probe.task, 900)); /* later */
  assert_false(readable(ex));
  executor_free(ex);
}
