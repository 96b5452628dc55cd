/* SPDX-License-Identifier: Apache-2.0 */

/* Shutdown with work in flight, and the start after it. */
#include "support.h"

static void works(void) {
  pillion_value value = ask("test.echo", "x");
  assert_int_equal(value.status, 0);
  pillion_value_drop(&value);
}

static uint64_t workers(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  return counts.workers;
}

/* It doesn't use `submit`, whose find would start the library again. */
static int refused(pillion_function f, pillion_executor ex) {
  pillion_value value;
  pillion_call call = {f, 0, 0, 0};
  return pillion_call_submit(NULL, ex, f, "", 0, 0, PILLION_EVENT) ==
             PILLION_ECLOSED &&
         pillion_call_batch(NULL, ex, &call, 1, NULL, PILLION_EVENT) ==
             PILLION_ECLOSED &&
         pillion_call_wait(&value, f, "", 0, SECOND) == PILLION_ECLOSED;
}

TEST(shutdown_without_work_and_twice) {
  works();
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_int_equal(workers(), 0);
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, 0));
  assert_ok(pillion_start(NULL, NULL, 0));
  works();
}

GIVEN(an_executor, a_drain_waits_and_results_stay) {
  struct seen seen = {0};
  for (int i = 0; i < 5; i++)
    submit(ex, "test.sleep", "5000000", i, PILLION_EVENT);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_int_equal(workers(), 0);
  run(ex, &seen);
  assert_int_equal(seen.count, 5);
  for (size_t i = 0; i < 5; i++) assert_int_equal(seen.event[i].status, 0);
  assert_ok(pillion_start(NULL, NULL, 0));
  works();
}

TEST(a_drain_that_takes_too_long_may_become_a_cancel) {
  pillion_executor ex = executor_new();
  pillion_function f = function("test.block");
  struct probe probe = {.ready_at = 2};
  struct seen seen = {0};
  for (int i = 0; i < 10; i++)
    submit(ex, "test.block", "", i, PILLION_EVENT);
  await_waiting(10);
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_DRAIN, 2 * MS),
                   PILLION_ETIMEDOUT);
  assert_true(refused(f, ex));
  /* Executors and C tasks go on after the shutdown. */
  spawn(ex, &probe, 77, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(probe.polls, 1);
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH));
  assert_true(refused(f, ex));
  pillion_wake(probe.waker);
  run(ex, &seen);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(seen.count, 11);
  for (size_t i = 0; i < 11; i++)
    assert_int_equal(seen.event[i].status,
                     seen.event[i].token == 77 ? 0 : PILLION_ECANCELLED);
  executor_free(ex);
  assert_ok(pillion_start(NULL, NULL, 0));
  works();
}

TEST(handles_of_functions_outlive_a_shutdown) {
  pillion_function f = function("test.upper");
  pillion_value value;
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_ok(pillion_start(NULL, NULL, 0));
  assert_true(function("test.upper") == f);
  assert_ok(pillion_call_wait(&value, f, "up", 2, LONG_ENOUGH));
  assert_true(bytes_are(pillion_value_data(&value), value.length, "UP"));
}

static int wait_blocked(void *f) {
  pillion_value value;
  int rc = pillion_call_wait(&value, *(pillion_function *)f, "", 0,
                             LONG_ENOUGH);
  return rc < 0 ? rc : value.status;
}

TEST(whoever_waits_is_released) {
  pillion_function f = function("test.block");
  struct on_thread jobs[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    jobs[i] = (struct on_thread){wait_blocked, &f, 1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  await_waiting(4);
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH));
  for (int i = 0; i < 4; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_int_equal(jobs[i].result, PILLION_ECANCELLED);
  }
  assert_ok(pillion_start(NULL, NULL, 0));
}

TEST(functions_on_the_loop_need_its_turns_to_end) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  for (int i = 0; i < 5; i++)
    submit(ex, "test.loop_block", "", i, PILLION_EVENT);
  for (int i = 0; i < 3; i++) turn(ex, &seen, NULL);
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_CANCEL, 2 * MS),
                   PILLION_ETIMEDOUT);
  run(ex, &seen);
  assert_int_equal(seen.count, 5);
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(seen.event[i].status, PILLION_ECANCELLED);
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH));
  executor_free(ex);
  assert_ok(pillion_start(NULL, NULL, 0));
  works();
}

TEST(calls_of_a_freed_executor_are_waited_for) {
  pillion_executor ex = executor_new();
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  for (int i = 0; i < 50; i++) submit(ex, "test.block", "", i, PILLION_EVENT);
  for (int i = 0; i < 50; i++)
    submit(ex, "test.big", "3000", i, PILLION_DETACH);
  executor_free(ex);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_ok(pillion_library_count(&counts));
  assert_int_equal(counts.calls, 0);
  assert_int_equal(counts.payloads, 0);
  assert_int_equal(counts.workers, 0);
  assert_ok(pillion_start(NULL, NULL, 0));
  works();
}

TEST(a_lost_goroutine_does_not_hold_it_up) {
  pillion_value value = ask("test.goexit", "");
  assert_int_equal(value.status, PILLION_EGOEXIT);
  pillion_value_drop(&value);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_int_equal(workers(), 0);
  assert_ok(pillion_start(NULL, NULL, 0));
}

static _Atomic int stop;

static int submit_until_stopped(void *arg) {
  pillion_function f = *(pillion_function *)arg;
  int bad = 0;
  while (!stop) {
    pillion_value value;
    int rc = pillion_call_wait(&value, f, "x", 1, LONG_ENOUGH);
    bad += rc != 0 && rc != PILLION_ECLOSED;
    if (rc == 0) bad += value.status != 0 && value.status != PILLION_ECANCELLED;
    if (rc == 0) pillion_value_drop(&value);
  }
  return bad;
}

TEST(starts_and_shutdowns_race_with_calls) {
  pillion_function f = function("test.echo");
  struct on_thread jobs[3];
  pthread_t threads[3];
  stop = 0;
  for (int i = 0; i < 3; i++) {
    jobs[i] = (struct on_thread){submit_until_stopped, &f, -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  for (int i = 0; i < 50; i++) {
    assert_ok(pillion_shutdown(
        i % 2 ? PILLION_CLOSE_CANCEL : PILLION_CLOSE_DRAIN, LONG_ENOUGH));
    assert_ok(pillion_start(NULL, NULL, 0));
    works();
  }
  stop = 1;
  for (int i = 0; i < 3; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
  }
}
