/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How calls on a pool are refused and cancelled, and what becomes of them when
 * workers, homes and pools go.
 */
#include "pool_go.h"

#define THREADS 3

GIVEN(a_pool, wrong_calls_of_a_pool_are_refused) {
  pillion_task task = 0;
  pillion_executor ex = executor_new();
  const uint64_t right = pool;
  assert_int_equal(start_call(&task, ex, "test.echo", "", 0, PILLION_EVENT,
                              PILLION_TIME_NEVER),
                   PILLION_EINVAL);
  pool = ex;
  assert_int_equal(start_call(&task, ex, "test.async_echo", "", 0,
                              PILLION_EVENT, PILLION_TIME_NEVER),
                   PILLION_EBADHANDLE);
  pool = right + 2;
  assert_int_equal(start_call(&task, ex, "test.async_echo", "", 0,
                              PILLION_EVENT, PILLION_TIME_NEVER),
                   PILLION_EBADHANDLE);
  pool = right;
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_int_equal(start_call(&task, ex, "test.async_echo", "", 0,
                              PILLION_EVENT, PILLION_TIME_NEVER),
                   PILLION_ECLOSED);
  assert_int_equal(task, 0);
  run(ex, &seen); /* nothing lives */
  assert_int_equal(pool_stats(pool).live, 0);
  executor_free(ex);
}

GIVEN(a_pool, a_full_pool_takes_no_call) {
  const pillion_pool other = pool;
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  options.max_tasks = 1;
  assert_ok(pillion_pool_new(&pool, &options, NULL, 0));
  pillion_executor ex = worker_new(0);
  call(ex, "test.async_echo", "", 1);
  assert_int_equal(start_call(NULL, ex, "test.async_echo", "", 0,
                              PILLION_EVENT, PILLION_TIME_NEVER),
                   PILLION_EAGAIN);
  run(ex, &seen);
  call(ex, "test.async_echo", "", 1);
  run(ex, &seen);
  assert_int_equal(seen.count, 2);
  executor_free(ex);
  assert_ok(pillion_pool_free(pool));
  pool = other;
}

/* ---- Cancelling ---------------------------------------------------------- */

static void ended(size_t i, int status, int outcome) {
  assert_true(seen.count > i);
  assert_int_equal(seen.event[i].status, status);
  assert_int_equal(seen.event[i].outcome, outcome);
}

/* A cancel goes to Go like a call. Two more calls surely come after it. */
static void cancels_have_arrived(void) {
  ask_number("test.waiting", "");
  ask_number("test.waiting", "");
}

GIVEN(a_pool, a_cancel_has_three_outcomes) {
  pillion_executor ex = executor_new();
  pillion_task task = call(ex, "test.async_block", "", 1);
  assert_int_equal(pillion_task_cancel(task), 0); /* no worker is there yet */
  cancels_have_arrived();
  assert_ok(pillion_pool_join(pool, ex, 0));
  run(ex, &seen);
  ended(0, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED);

  task = call(ex, "test.async_block", "", 2);
  turn_until_waiting(ex, 1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  run(ex, &seen);
  ended(1, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);

  task = call(ex, "test.async_echo", "", 3);
  run(ex, &seen);
  ended(2, 0, PILLION_OUTCOME_RETURNED);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  executor_free(ex);
}

static int64_t monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * SECOND + now.tv_nsec;
}

GIVEN(a_pool, deadlines_end_calls_of_a_pool) {
  pillion_timer storage = {0};
  pillion_executor ex = worker_new(0);
  assert_ok(start_call(NULL, ex, "test.async_block", "", 1, PILLION_EVENT, 1));
  run(ex, &seen);
  ended(0, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_ok(start_call(NULL, ex, "test.pool_spin", "", 2, PILLION_EVENT,
                       monotonic() + 50 * MS));
  run(ex, &seen);
  ended(1, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
  pillion_task task = call(ex, "test.async_block", "", 3);
  turn_until_waiting(ex, 1);
  assert_ok(pillion_task_deadline(&storage, task, monotonic() + MS));
  run(ex, &seen);
  ended(2, PILLION_ETIMEDOUT, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(ex);
}

/* ---- Workers come and go ------------------------------------------------- */

static _Atomic int stop;

static void *comes_and_goes(void *data) {
  pillion_executor ex = 0;
  unsigned n = (unsigned)(uintptr_t)data;
  while (!stop && !failed) {
    pillion_progress progress = PILLION_PROGRESS_INIT;
    if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) failed = 1;
    for (int i = 0; i < 3; i++) {
      if (pillion_pool_join(pool, ex, 0) < 0) failed = 1;
      for (unsigned turns = 0; turns < n % 7; turns++)
        if (pillion_executor_turn(NULL, 0, &progress, ex, NULL) < 0) failed = 1;
      n = n * 1103515245 + 12345;
      if (i < 2 && pillion_pool_leave(ex) < 0) failed = 1;
    }
    if (pillion_executor_free(ex) < 0) failed = 1; /* leaves by itself */
  }
  return NULL;
}

GIVEN(a_pool, workers_join_and_leave_meanwhile) {
  pthread_t threads[THREADS];
  stop = 0;
  for (int i = 0; i < THREADS; i++)
    assert_ok(pthread_create(&threads[i], NULL, comes_and_goes,
                             (void *)(uintptr_t)i));
  pillion_executor home = executor_new();
  for (int round = 0; round < 5; round++) {
    for (uint64_t i = 0; i < 200; i++)
      call(home, i % 2 ? "test.async_yield" : "test.async_sleep", "200", i);
    run(home, &seen);
  }
  assert_int_equal(seen.count, 1000);
  stop = 1;
  for (int i = 0; i < THREADS; i++) assert_ok(pthread_join(threads[i], NULL));
  executor_free(home);
}

/* Its thread ends, and leaves its executor behind. */
static int works_and_dies(void *data) {
  pillion_executor ex = 0;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0 ||
      pillion_pool_join(pool, ex, 0) < 0)
    return 1;
  *(pillion_executor *)data = ex;
  while (ask_number("test.waiting", "") != 2)
    if (pillion_executor_turn(NULL, 0, NULL, ex, NULL) < 0) return 1;
  return 0;
}

/* One call goes on elsewhere; the other's coroutine can't. */
GIVEN(a_pool, a_thread_dies_with_calls_on_it) {
  pillion_executor dead = 0, home = executor_new();
  pillion_task task = call(home, "test.async_block", "", 1);
  call(home, "test.loop_block", "", 2);
  assert_int_equal(on_thread(works_and_dies, &dead), 0);
  assert_int_equal(pool_stats(pool).workers, 0);
  assert_ok(pillion_pool_join(pool, home, 0));
  while (seen.count < 1) turn(home, &seen, NULL);
  assert_int_equal(seen.event[0].token, 2);
  ended(0, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(pillion_task_cancel(task), 0);
  run(home, &seen);
  assert_int_equal(seen.count, 2);
  executor_free(dead);
  executor_free(home);
}

GIVEN(a_pool, a_suspended_coroutine_keeps_its_worker) {
  pillion_executor ex = worker_new(0);
  pillion_task task = call(ex, "test.loop_block", "", 1);
  turn_until_waiting(ex, 1);
  assert_int_equal(pillion_pool_leave(ex), PILLION_EBUSY);
  assert_int_equal(pillion_task_cancel(task), 0);
  run(ex, &seen);
  ended(0, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_ok(pillion_pool_leave(ex));
  executor_free(ex);
}

GIVEN(a_pool, a_home_that_is_freed_cancels_its_calls) {
  pillion_executor ex = worker_new(0), home = executor_new();
  call(home, "test.async_block", "", 1);
  call(home, "test.pool_wait", "1", 1);
  turn_until_waiting(ex, 2);
  executor_free(home);
  run(ex, &seen);
  assert_int_equal(seen.count, 0);
  await_waiting(0);
  executor_free(ex);
}

/* ---- The pool closes ----------------------------------------------------- */

GIVEN(a_pool, close_cancels) {
  assert_ok(pillion_pool_start(pool, 2));
  pillion_executor home = executor_new();
  for (uint64_t i = 0; i < 100; i++) call(home, "test.async_block", "", i);
  await_waiting(100);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  run(home, &seen);
  assert_int_equal(seen.count, 100);
  for (size_t i = 0; i < seen.count; i++)
    ended(i, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(home);
}

GIVEN(a_pool, close_drains) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_ok(pthread_create(&threads[i], NULL, works, NULL));
  pillion_executor home = executor_new();
  for (uint64_t i = 0; i < 300; i++) call(home, "test.async_yield", "100", i);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  run(home, &seen);
  for (size_t i = 0; i < 300; i++) ended(i, 0, PILLION_OUTCOME_RETURNED);
  for (int i = 0; i < THREADS; i++) assert_ok(pthread_join(threads[i], NULL));
  executor_free(home);
}

/* Some calls have begun, some are only taken up by Go, some not even that. */
GIVEN(a_pool, a_pool_is_freed_with_calls) {
  const pillion_pool other = pool;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  for (int round = 0; round < 50; round++) {
    memset(&seen, 0, sizeof seen);
    assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
    pillion_executor home = executor_new();
    if (round % 2) {
      pillion_executor ex = worker_new(0);
      for (uint64_t i = 0; i < 3; i++) call(home, "test.pool_wait", "9", i);
      turn_until_waiting(ex, 3);
      assert_ok(pillion_pool_leave(ex));
      executor_free(ex);
    }
    for (uint64_t i = 0; i < 5; i++) call(home, "test.async_block", "", 10 + i);
    assert_ok(pillion_pool_free(pool));
    run(home, &seen);
    assert_int_equal(seen.count, round % 2 ? 8 : 5);
    for (size_t i = 0; i < seen.count; i++)
      ended(i, PILLION_ECANCELLED,
            seen.event[i].token < 3 ? PILLION_OUTCOME_CANCELLED_RUNNING
                                    : PILLION_OUTCOME_CANCELLED_UNSTARTED);
    executor_free(home);
  }
  await_waiting(0);
  assert_ok(pillion_library_count(&counts));
  assert_int_equal(counts.pools, 1);
  assert_int_equal(counts.tasks, 0);
  assert_int_equal(counts.calls, 0);
  pool = other;
}
