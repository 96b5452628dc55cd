/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_POOL_SUPPORT_H
#define PILLION_TESTS_CORE_POOL_SUPPORT_H

/* What the tests of pools share. */
#include "pool.h"
#include "support.h"

static inline pillion_pool pool_new(void) {
  pillion_pool pool;
  char why[256] = "";
  int rc = pillion_pool_new(&pool, NULL, why, sizeof why);
  if (rc < 0) print_error("%s\n", why);
  assert_ok(rc);
  return pool;
}

static inline void pool_free(pillion_pool pool) {
  assert_ok(pillion_pool_free(pool));
}

static inline pillion_task pool_spawn(pillion_pool pool, pillion_executor home,
                                      struct probe *probe, uint64_t token,
                                      uint32_t flags) {
  pillion_task task;
  assert_ok(
      pillion_pool_spawn(&task, pool, home, &probing, probe, token, flags));
  return task;
}

/* Detached, for a probe whose `task` is another's. */
static inline void pool_spawn_as(pillion_pool pool, struct probe *probe) {
  assert_ok(pillion_pool_spawn(NULL, pool, 0, &probing, probe, 0,
                               PILLION_DETACH));
}

static inline pillion_pool_stats pool_stats(pillion_pool pool) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  assert_ok(pillion_pool_stat(&stats, pool));
  return stats;
}

#endif
