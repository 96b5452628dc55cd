/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of Go's futures on a pool of C's: how they run, move and end. */
#include "pool_go.h"

#define THREADS 3

/* ---- Running ------------------------------------------------------------- */

GIVEN(a_pool, one_worker_that_is_home_as_well) {
  pillion_executor ex = worker_new(0);
  call(ex, "test.async_echo", "text", 1);
  call(ex, "test.async_yield", "100", 2);
  call(ex, "test.async_sleep", "1000", 3);
  call(ex, "test.async_panic", "oh", 4);
  assert_true(pool_stats(pool).live >= 4);
  run(ex, &seen);
  assert_int_equal(seen.count, 4);
  for (size_t i = 0; i < seen.count; i++)
    assert_int_equal(seen.event[i].status,
                     seen.event[i].token == 4 ? PILLION_EPANIC : 0);
  assert_int_equal(pool_stats(pool).live, 0);
  executor_free(ex);
}

GIVEN(a_pool, no_call_no_turn_enters_go) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_executor ex = worker_new(0);
  struct probe probe = {.ready_at = 5, .wake_self = 1};
  assert_ok(pillion_pool_spawn(NULL, pool, ex, &probing, &probe, 0,
                               PILLION_EVENT));
  run(ex, &seen);
  assert_ok(pillion_executor_stat(&stats, ex));
  assert_int_equal(stats.go_entries, 0);
  call(ex, "test.async_echo", "", 0);
  run(ex, &seen);
  assert_ok(pillion_executor_stat(&stats, ex));
  assert_true(stats.go_entries > 0);
  executor_free(ex);
}

GIVEN(a_pool, its_threads_run_it_for_a_thread_that_waits) {
  pillion_value value;
  pillion_task task;
  assert_ok(pillion_pool_start(pool, 2));
  assert_ok(start_call(&task, 0, "test.async_yield", "1000", 0, PILLION_JOIN,
                       PILLION_TIME_NEVER));
  assert_ok(pillion_task_wait(&value, task, LONG_ENOUGH));
  assert_int_equal(value.status, 0);
  assert_true(bytes_are(pillion_value_data(&value), value.length, "yielded"));
  pillion_value_drop(&value);
}

/* A call ends only after each thread has polled one, also the pool's two. */
GIVEN(a_pool, calls_move_between_all_threads) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_ok(pthread_create(&threads[i], NULL, works, NULL));
  assert_ok(pillion_pool_start(pool, 2));
  pillion_executor home = executor_new();
  for (uint64_t i = 0; i < 500; i++) call(home, "test.pool_hop", "5", i);
  run(home, &seen);
  assert_int_equal(seen.count, 500);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < THREADS; i++) assert_ok(pthread_join(threads[i], NULL));
  executor_free(home);
}

/* ---- Beside C's ---------------------------------------------------------- */

static _Atomic int c_ended, c_gate;

static int spins(pillion_value *out, pillion_context *cx, void *self) {
  if (c_gate) {
    pillion_value_set(out, "", 0);
    return PILLION_READY;
  }
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static void spun(void *self) {
  c_ended++;
}

static const pillion_future spinning = {sizeof spinning, spins, spun};

static void spawn_c(uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    assert_ok(pillion_pool_spawn(NULL, pool, 0, &spinning, NULL, i,
                                 PILLION_DETACH));
}

/* There is one worker. Tasks of C that never rest don't keep Go's from their
   polls, and the reverse. */
GIVEN(a_pool, neither_side_starves) {
  pillion_executor ex = worker_new(0);
  c_ended = c_gate = 0;
  spawn_c(1000);
  for (uint64_t i = 0; i < 100; i++) call(ex, "test.async_yield", "20", i);
  while (seen.count < 100) turn(ex, &seen, NULL);
  assert_int_equal(c_ended, 0);
  c_gate = 1;
  while (c_ended < 1000) turn(ex, &seen, NULL);
  for (uint64_t i = 0; i < 100; i++) call(ex, "test.pool_spin", "", i);
  struct probe probe = {.ready_at = 50, .wake_self = 1};
  assert_ok(pillion_pool_spawn(NULL, pool, 0, &probing, &probe, 0,
                               PILLION_DETACH));
  while (probe.drops == 0) turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 100);
  open_gate();
  run(ex, &seen);
  assert_int_equal(seen.count, 200);
  executor_free(ex);
}

/* ---- Wakes --------------------------------------------------------------- */

static pillion_waker waker_of(int i) {
  pillion_waker waker = 0;
  pillion_value value = ask("test.pool_wakers", "");
  assert_true(value.length >= (i + 1) * sizeof waker);
  memcpy(&waker, (const char *)pillion_value_data(&value) + i * sizeof waker,
         sizeof waker);
  pillion_value_drop(&value);
  return waker;
}

GIVEN(a_pool, n_wakes_before_a_poll_are_one) {
  pillion_executor ex = worker_new(0);
  call(ex, "test.pool_wait", "1", 7);
  turn_until_waiting(ex, 1);
  pillion_waker waker = waker_of(0);
  while (readable(ex, 0)) turn(ex, &seen, NULL); /* does all that is left */
  assert_int_equal(pillion_wake(waker), PILLION_WOKEN);
  assert_int_equal(readable(ex, 0), 1); /* the wake has told its host */
  assert_int_equal(pillion_wake(waker), PILLION_COALESCED);
  assert_int_equal(pillion_wake_local(waker), PILLION_COALESCED);
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_string_equal(seen.event[0].bytes, "2");
  assert_int_equal(pillion_wake(waker), PILLION_STALE);
  executor_free(ex);
}

static pillion_waker signalled;

static void on_signal(int number) {
  if (pillion_wake(signalled) != PILLION_WOKEN) failed = 1;
}

GIVEN(a_pool, a_signal_handler_wakes) {
  struct sigaction action = {.sa_handler = on_signal,
                             .sa_flags = SA_ONSTACK | SA_RESTART};
  pillion_executor ex = worker_new(0);
  call(ex, "test.pool_wait", "1", 7);
  turn_until_waiting(ex, 1);
  signalled = waker_of(0);
  assert_ok(sigaction(SIGUSR1, &action, NULL));
  raise(SIGUSR1);
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  executor_free(ex);
}

/* Each poll needs one of this thread's wakes, and none may be lost. */
GIVEN(a_pool, wakes_from_c_while_workers_go_idle) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_waker wakers[20];
  assert_ok(pillion_pool_start(pool, 2));
  pillion_executor home = executor_new();
  for (uint64_t i = 0; i < COUNT(wakers); i++)
    call(home, "test.pool_wait", "2000", i);
  await_waiting(COUNT(wakers));
  for (size_t i = 0; i < COUNT(wakers); i++) wakers[i] = waker_of((int)i);
  uint64_t n = 0;
  do {
    for (size_t i = 0; i < COUNT(wakers); i++) pillion_wake(wakers[i]);
    if (++n % 64 == 0) turn(home, &seen, &progress);
  } while (seen.count < COUNT(wakers));
  for (size_t i = 0; i < COUNT(wakers); i++) {
    assert_int_equal(seen.event[i].status, 0);
    assert_string_equal(seen.event[i].bytes, "2001");
  }
  executor_free(home);
}

/* ---- Coroutines ---------------------------------------------------------- */

GIVEN(a_pool, coroutines_stay_where_they_began) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_ok(pthread_create(&threads[i], NULL, works, NULL));
  assert_ok(pillion_pool_start(pool, 1));
  pillion_executor home = executor_new();
  for (uint64_t i = 0; i < 200; i++) call(home, "test.loop_yield", "50", i);
  call(home, "test.loop_goexit", "", 200);
  run(home, &seen);
  assert_int_equal(seen.count, 201);
  for (size_t i = 0; i < seen.count; i++)
    assert_int_equal(seen.event[i].status,
                     seen.event[i].token == 200 ? PILLION_EGOEXIT : 0);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < THREADS; i++) assert_ok(pthread_join(threads[i], NULL));
  executor_free(home);
}
