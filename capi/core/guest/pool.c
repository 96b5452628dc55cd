/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go's side of a pool: Go tasks that the pool's workers poll, beside C's. Go
 * makes it for the first call on the pool (pillion__guest_pool_open), and each
 * worker's next turn joins it. Each side keeps its own rings and its own set of
 * idle workers; the workers' hosts are the same. The inbox for Go's cells is
 * here, so that a wake finds it without Go.
 */
#include "guest/guest.h"

/* ---- For Go -------------------------------------------------------------- */

/*
 * Go's side is there: makes every worker join it. Reports whether the pool is
 * still there; if it isn't, its free may have come too early to see Go's side.
 * A call counts in the pool, so no other pool has its index yet.
 */
int pillion__guest_pool_open(uint32_t index) {
  struct pillion__pool *pool = pillion__pool_at(index);
  atomic_store(&pool->guest, 1);
  pillion__pool_poke_members(pool, true);
  return atomic_load(&pool->base.gen) % 2 == 1;
}

_Atomic uint32_t *pillion__guest_pool_inbox(uint32_t index) {
  return &pillion__pool_at(index)->guest_inbox;
}

uint64_t pillion__guest_pool_seed(uint32_t index) {
  return pillion__pool_at(index)->seed;
}

/* ---- Wakes --------------------------------------------------------------- */

/* By any thread and any signal handler. */
static int guest_pool_wake(struct pillion__head *head, pillion_waker waker) {
  uint32_t slot = pillion__slot_of(waker), gen = pillion__gen_of(waker);
  uint64_t old =
      (uint64_t)gen << 32 | PILLION__PEND_QUEUED | PILLION__PEND_WAKE;
  int rc = pillion__mark(head, gen, PILLION__PEND_WAKE, &old);
  if (rc != PILLION_WOKEN) return rc;
  struct pillion__pool *pool = pillion__pool_of(slot);
  pillion__inbox_put(&pool->guest_inbox, head, slot);
  pillion__pool_poke(pool, true);
  return PILLION_WOKEN;
}

const struct pillion__kind pillion__guest_pool_kind = {
    .wake = guest_pool_wake,
    .wake_local = pillion_wake,
};
