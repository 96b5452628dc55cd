/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of Go functions that run on a pool, named by its index + 1. */
#include "pool/pool.h"

/* Counts a call among the pool's tasks, until it has a result. */
int pillion__pool_call_begins(uint32_t *out, pillion_pool handle) {
  struct pillion__pool *pool;
  int rc = pillion__pool_get(&pool, handle);
  if (rc == 0) rc = pillion__pool_admit(pool, NULL, pillion__gen_of(handle));
  if (rc < 0) return rc;
  atomic_store(&pool->called, 1);
  *out = pool->base.index + 1;
  return 0;
}

void pillion__pool_call_ends(uint32_t pool) {
  pillion__pool_unref(pillion__pool_at(pool - 1), 1);
}

/* For a call that a close or a free may have missed. */
bool pillion__pool_is_cancelling(uint32_t pool) {
  return pillion__closing(&pillion__pool_at(pool - 1)->base) ==
         1 + PILLION_CLOSE_CANCEL;
}
