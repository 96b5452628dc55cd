/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go's side of a pool: Go tasks that the pool's workers poll, beside C's. Go
 * makes it for the first call that is to run there (pillion__guest_pool_open),
 * and each worker's next turn joins it. Both sides keep their own rings and each
 * its own set of idle workers, whose hosts are the same. The inbox for Go's
 * cells is here, so that a wake finds it without Go.
 */
#include "pool.h"

static struct pillion__pool *pool_at(uint32_t index) {
  return atomic_load_explicit(&pillion__pools[index], memory_order_acquire);
}

/* ---- Calls --------------------------------------------------------------- */

/* Counts a call among the pool's tasks, until its result is there. */
int pillion__pool_call(uint32_t *out, pillion_pool handle) {
  struct pillion__pool *pool;
  int rc = pillion__pool_get(&pool, handle);
  if (rc == 0) rc = pillion__pool_admit(pool, NULL, pillion__gen_of(handle));
  if (rc < 0) return rc;
  atomic_store(&pool->called, 1);
  *out = pool->index + 1;
  return 0;
}

void pillion__pool_called(uint32_t pool) {
  pillion__pool_unref(pool_at(pool - 1), 1);
}

/* For a call that a close or a free may have missed. */
bool pillion__pool_cancels(uint32_t pool) {
  return pillion__pool_closing(pool_at(pool - 1)) == 1 + PILLION_CLOSE_CANCEL;
}

/* ---- For Go -------------------------------------------------------------- */

/*
 * Go's side is there: every worker shall join it. Tells whether the pool is still
 * there; if it isn't, its free may have come too early to see Go's side. A call
 * counts in it, so that it is no other pool by now.
 */
int pillion__guest_pool_open(uint32_t index) {
  struct pillion__pool *pool = pool_at(index);
  atomic_store(&pool->guest, 1);
  pillion__guest_wake_workers(pool);
  return atomic_load(&pool->gen) % 2 == 1;
}

int pillion__guest_pool_lease(uint32_t *base, void **cells, uint32_t index) {
  int rc = pillion__chunk_lease_pool(base, PILLION__CHUNK_GUEST_POOL,
                                     pool_at(index));
  if (rc == 0) *cells = pillion__cell_at(*base);
  return rc;
}

_Atomic uint32_t *pillion__guest_pool_inbox(uint32_t index) {
  return &pool_at(index)->guest_inbox;
}

uint64_t pillion__guest_pool_seed(uint32_t index) {
  return pool_at(index)->seed;
}

/* The pool that Go's side of this worker shall be in: the index + 1, or 0. */
uint32_t pillion__guest_pool(struct pillion__worker *worker) {
  struct pillion__pool *pool = worker->pool;
  return atomic_load(&pool->guest) ? pool->index + 1 : 0;
}

/* ---- Wakes --------------------------------------------------------------- */

/* By who set QUEUED: any thread and any signal handler. */
void pillion__guest_push(struct pillion__pool *pool,
                         struct pillion__head *head, uint32_t slot) {
  uint32_t first =
      atomic_load_explicit(&pool->guest_inbox, memory_order_relaxed);
  do atomic_store_explicit(&head->link, first, memory_order_relaxed);
  while (!atomic_compare_exchange_weak(&pool->guest_inbox, &first, slot + 1));
  pillion__pool_poke_guest(pool);
}

/* What came late for an earlier pool here: none of it is a live task's. */
void pillion__guest_forget(struct pillion__pool *pool) {
  uint32_t found = atomic_exchange(&pool->guest_inbox, 0);
  while (found != 0) {
    struct pillion__head *head = &pillion__cell_at(found - 1)->head;
    found = atomic_load_explicit(&head->link, memory_order_relaxed);
    atomic_store(&head->pend, 0);
  }
}
