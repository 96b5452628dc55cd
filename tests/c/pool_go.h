/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_POOL_GO_H
#define PILLION_TESTS_POOL_GO_H

/* What the tests of Go's futures on a pool of C's share. */
#include <stdatomic.h>

#include "support.h"

static pillion_pool pool;
static struct seen seen;
static _Atomic int failed;

static inline int new_pool(void **state) {
  (void)state;
  failed = 0;
  memset(&seen, 0, sizeof seen);
  pillion_value value = ask("test.pool_gate", "0");
  pillion_value_drop(&value);
  return pillion_pool_new(&pool, NULL, NULL, 0);
}

static inline int free_pool(void **state) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  (void)state;
  int rc = pillion_pool_stop(pool, LONG_ENOUGH);
  if (rc == 0) rc = pillion_pool_free(pool);
  if (rc == 0) await_waiting(0);
  pillion_library_count(&counts);
  return rc < 0 || failed || counts.pools > 0 || counts.tasks > 0 ||
         counts.executors > 0;
}

static inline void open_gate(void) {
  pillion_value value = ask("test.pool_gate", "1");
  pillion_value_drop(&value);
}

static inline int start_call(pillion_task *out, pillion_executor home,
                             const char *name, const char *request,
                             uint64_t token, uint32_t flags,
                             int64_t deadline) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.token = token;
  options.flags = flags;
  options.deadline = deadline;
  options.pool = pool;
  return pillion_call_submit_with(out, home, &options);
}

/* A call whose end is an event at `home`. */
static inline pillion_task call(pillion_executor home, const char *name,
                                const char *request, uint64_t token) {
  pillion_task task = 0;
  assert_ok(start_call(&task, home, name, request, token, PILLION_EVENT,
                       PILLION_TIME_NEVER));
  return task;
}

static inline pillion_executor new_worker(uint32_t flags) {
  pillion_executor ex = new_executor();
  assert_ok(pillion_pool_join(pool, ex, flags));
  return ex;
}

/* Turns a worker that is its own thread's until `n` calls are waiting in Go. */
static inline void turn_until_waiting(pillion_executor ex, long n) {
  do turn(ex, &seen, NULL);
  while (ask_number("test.waiting", "") != n);
}

/* The main of a thread that works until the pool is closed and empty. */
static inline void *works(void *data) {
  pillion_executor ex = 0;
  (void)data;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0 ||
      pillion_pool_join(pool, ex, PILLION_HOLD) < 0 ||
      pillion_poll_run(ex, NULL, NULL) < 0 || pillion_executor_free(ex) < 0)
    failed = 1;
  return NULL;
}

static inline pillion_pool_stats pool_stats(void) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  assert_ok(pillion_pool_stat(&stats, pool));
  return stats;
}

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, new_pool, free_pool)

#endif
