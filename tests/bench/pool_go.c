/* SPDX-License-Identifier: Apache-2.0 */

/*
 * 1000 Go futures on a C pool with two threads. "yield": each wakes itself 1000
 * times. "ring": each wakes the next, 100,000 times around and around.
 */
#include "bench.h"
#include "pillion.h"

#define TASKS 1000
#define EACH "1000"
#define HOPS "100000"

static pillion_pool pool;

static pillion_task call(const char *name, const char *request) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  pillion_task task;
  BENCH_TRY(pillion_function_find(&options.function, name));
  options.request = request;
  options.length = strlen(request);
  options.flags = PILLION_JOIN;
  options.pool = pool;
  BENCH_TRY(pillion_call_submit_with(&task, 0, &options));
  return task;
}

static void await(pillion_task task) {
  pillion_value value;
  BENCH_TRY(pillion_task_wait(&value, task, PILLION_TIME_NEVER));
  BENCH_TRY(value.status);
  pillion_value_drop(&value);
}

static uint64_t round_of_yields(void *data) {
  static pillion_task tasks[TASKS];
  (void)data;
  for (int i = 0; i < TASKS; i++) tasks[i] = call("test.async_yield", EACH);
  for (int i = 0; i < TASKS; i++) await(tasks[i]);
  return TASKS * (uint64_t)atoi(EACH);
}

static uint64_t round_of_hops(void *data) {
  (void)data;
  await(call("test.pool_ring", HOPS));
  return (uint64_t)atoi(HOPS);
}

int main(int argc, char **argv) {
  int ring = bench_is(argc, argv, "ring");
  BENCH_TRY(pillion_pool_new(&pool, NULL, NULL, 0));
  BENCH_TRY(pillion_pool_start(pool, 2));
  bench_print(ring ? "ring" : "yield",
              bench_loop(ring ? round_of_hops : round_of_yields, NULL));
  BENCH_TRY(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  BENCH_TRY(pillion_pool_stop(pool, PILLION_TIME_NEVER));
  return pillion_pool_free(pool) < 0;
}
