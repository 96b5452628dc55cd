/* SPDX-License-Identifier: Apache-2.0 */

/* Cancels from a C future to the Go call that it awaits, and on inside Go. */
#include "support.h"

/* Awaits a call. Its drop cancels the call, or with `shielded` its poll. */
struct asking {
  const pillion_ops *ops;
  pillion_task call;
  int shielded, polls, drops, passed;
};

static int asking_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct asking *asking = (struct asking *)self;
  asking->ops = cx->ops;
  asking->polls++;
  if (asking->shielded) {
    pillion_shield(cx, 1);
    if (pillion_cancelled(cx) && asking->passed == 99)
      asking->passed = pillion_cancel(cx->ops, asking->call);
  }
  int rc = pillion_join(out, cx, asking->call);
  if (rc != PILLION_PENDING) asking->call = 0;
  return rc;
}

static void asking_drop(void *self) {
  struct asking *asking = (struct asking *)self;
  asking->drops++;
  pillion_abandon(asking->ops, asking->call);
}

static const pillion_future asking_future = {sizeof asking_future, asking_poll,
                                             asking_drop};

static int cancel(void *task) {
  return pillion_task_cancel(*(pillion_task *)task);
}

/* Asks from the owner's thread and from another, for each function. */
static void each_way(void (*test)(int (*way)(int (*fn)(void *), void *arg),
                                  const char *function)) {
  static const char *const functions[] = {"test.block", "test.loop_block"};
  for (size_t i = 0; i < COUNT(functions); i++) {
    test(NULL, functions[i]);
    test(on_thread, functions[i]);
  }
}

static int ask_to_stop(int (*way)(int (*fn)(void *), void *arg),
                       pillion_task task) {
  return way == NULL ? cancel(&task) : way(cancel, &task);
}

static uint64_t live_after_turn(pillion_executor ex, struct seen *seen) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  turn(ex, seen, &progress);
  return progress.live;
}

/* The task of `asking`, whose call waits inside Go. */
static pillion_task waits_in_go(pillion_executor ex, struct asking *asking,
                                const char *name, struct seen *seen) {
  pillion_task task;
  seen->count = 0;
  asking->call = submit(ex, name, "", 0, PILLION_JOIN);
  assert_ok(pillion_task_spawn(&task, ex, &asking_future, asking, 7,
                               PILLION_EVENT));
  do turn(ex, seen, NULL);
  while (ask_number("test.waiting", "") != 1);
  return task;
}

static void drop_case(int (*way)(int (*fn)(void *), void *arg),
                      const char *name) {
  static struct seen seen;
  struct asking asking = {0};
  pillion_executor ex = executor_new();
  pillion_task task = waits_in_go(ex, &asking, name, &seen);
  assert_int_equal(ask_to_stop(way, task), 0);
  assert_int_equal(ask_to_stop(way, task), 1);
  while (seen.count == 0) turn(ex, &seen, NULL);
  assert_int_equal(asking.polls, 1);
  assert_int_equal(asking.drops, 1);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  while (live_after_turn(ex, &seen) > 0) readable(ex, 1000); /* acknowledged */
  await_waiting(0); /* the function has returned */
  assert_int_equal(seen.count, 1);
  executor_free(ex);
}

TEST(cancelled_task_cancels_the_call_it_awaits) {
  each_way(drop_case);
}

static void shield_case(int (*way)(int (*fn)(void *), void *arg),
                        const char *name) {
  static struct seen seen;
  struct asking asking = {.shielded = 1, .passed = 99};
  pillion_executor ex = executor_new();
  pillion_task task = waits_in_go(ex, &asking, name, &seen);
  assert_int_equal(ask_to_stop(way, task), 0);
  run(ex, &seen);
  assert_int_equal(asking.passed, 0);
  assert_int_equal(asking.drops, 1);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED); /* the call's */
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  executor_free(ex);
}

TEST(shielded_task_awaits_the_acknowledgement) {
  each_way(shield_case);
}

GIVEN(an_executor, evicted_task_cancels_it_too) {
  static struct seen seen;
  struct asking asking = {0};
  pillion_task task;
  asking.call = submit(ex, "test.block", "", 0, PILLION_JOIN);
  assert_ok(pillion_task_spawn(&task, ex, &asking_future, &asking, 7,
                               PILLION_DETACH));
  turn(ex, &seen, NULL);
  await_waiting(1);
  assert_ok(pillion_task_evict(task));
  assert_int_equal(asking.drops, 1);
  await_waiting(0);
  run(ex, &seen);
  assert_int_equal(seen.count, 0);
}

TEST(cancelled_loop_function_drops_what_it_awaits) {
  static struct seen seen;
  char before[32] = "", after[32] = "", expected[32];
  int defers, drops;
  pillion_value value = ask("test.ended", "");
  memcpy(before, pillion_value_data(&value), value.length);
  assert_int_equal(sscanf(before, "%d %d", &defers, &drops), 2);
  for (int freed = 0; freed < 2; freed++) {
    pillion_executor ex = executor_new();
    seen.count = 0;
    pillion_task task = submit(ex, "test.loop_defer", "", 0, PILLION_EVENT);
    do turn(ex, &seen, NULL);
    while (ask_number("test.waiting", "") != 1);
    if (!freed) {
      assert_int_equal(pillion_task_cancel(task), 0);
      assert_int_equal(pillion_task_cancel(task), 1);
      run(ex, &seen);
      assert_int_equal(seen.event[0].outcome,
                       PILLION_OUTCOME_CANCELLED_RUNNING);
    }
    executor_free(ex);
    value = ask("test.ended", "");
    memcpy(after, pillion_value_data(&value), value.length);
    snprintf(expected, sizeof expected, "%d %d", defers + 1 + freed,
             drops + 1 + freed);
    assert_string_equal(after, expected);
  }
}

/* ---- Each point of a call's life, through Go ----------------------------- */

static void points_of(int (*way)(int (*fn)(void *), void *arg),
                      const char *name) {
  static struct seen seen;
  pillion_executor ex = executor_new();
  seen.count = 0;
  pillion_task running = submit(ex, name, "", 1, PILLION_EVENT);
  do turn(ex, &seen, NULL);
  while (ask_number("test.waiting", "") != 1);
  assert_int_equal(ask_to_stop(way, running), 0);
  int again = ask_to_stop(way, running);
  assert_true(again == 1 || again == 2); /* Go may have acknowledged it */
  while (seen.count == 0) {
    readable(ex, 1000);
    turn(ex, &seen, NULL);
  }
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(ask_to_stop(way, running), PILLION_EBADHANDLE);
  assert_int_equal(turn(ex, &seen, NULL), 0);
  await_waiting(0);
  executor_free(ex);
}

TEST(running_call_from_own_and_other_threads) {
  each_way(points_of);
}

GIVEN(an_executor, loop_call_before_its_first_poll) {
  static struct seen seen;
  pillion_task task = submit(ex, "test.loop_block", "", 1, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(on_thread(cancel, &task), 2);
  assert_int_equal(turn(ex, &seen, NULL), 1);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  assert_int_equal(stats.go_entries, 0);
  assert_int_equal(on_thread(cancel, &task), PILLION_EBADHANDLE);
}
