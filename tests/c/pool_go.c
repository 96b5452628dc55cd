/* SPDX-License-Identifier: Apache-2.0 */
#include "pool_go.h"

pillion_pool pool;
struct seen seen;
_Atomic int failed;

static void pool_given_back(void) {
  if (!test_passed) return;
  assert_ok(pillion_pool_stop(pool, LONG_ENOUGH));
  assert_ok(pillion_pool_free(pool));
  await_waiting(0);
  pillion_library_counts counts = library_counts();
  assert_int_equal(failed, 0);
  assert_int_equal(counts.pools, 0);
  assert_int_equal(counts.tasks, 0);
  assert_int_equal(counts.executors, 0);
}

void a_pool(void) {
  failed = 0;
  memset(&seen, 0, sizeof seen);
  pillion_value value = ask("test.pool_gate", "0");
  pillion_value_drop(&value);
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  afterwards(pool_given_back);
}

void open_gate(void) {
  pillion_value value = ask("test.pool_gate", "1");
  pillion_value_drop(&value);
}

int start_call(pillion_task *out, pillion_executor home, const char *name,
               const char *request, uint64_t token, uint32_t flags,
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

pillion_task call(pillion_executor home, const char *name, const char *request,
                  uint64_t token) {
  pillion_task task = 0;
  assert_ok(start_call(&task, home, name, request, token, PILLION_EVENT,
                       PILLION_TIME_NEVER));
  return task;
}

pillion_executor worker_new(uint32_t flags) {
  pillion_executor ex = executor_new();
  assert_ok(pillion_pool_join(pool, ex, flags));
  return ex;
}

void turn_until_waiting(pillion_executor ex, long n) {
  do turn(ex, &seen, NULL);
  while (ask_number("test.waiting", "") != n);
}

void *works(void *data) {
  pillion_executor ex = 0;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0 ||
      pillion_pool_join(pool, ex, PILLION_HOLD) < 0 ||
      pillion_poll_run(ex, NULL, NULL) < 0 || pillion_executor_free(ex) < 0)
    failed = 1;
  return NULL;
}

pillion_pool_stats pool_stats(pillion_pool pool) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  assert_ok(pillion_pool_stat(&stats, pool));
  return stats;
}
