/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pillion__mark asks the owner of a slot for something, from any thread and any
 * signal handler. The bits for one generation gather in `pend` until the owner
 * takes them. The thread that finds the cell unqueued gets PILLION_WOKEN, and
 * pushes the cell: so a cell is in one inbox at most, once.
 *
 * The compare-and-swap happens even if it changes nothing: the owner's swap
 * then synchronises with it, so the poll that follows sees the waker's earlier
 * writes. `*old` begins as a guess of the pending word, and ends as the word
 * that was found.
 */
#include "cell/cell.h"

int pillion__mark(struct pillion__head *head, uint32_t gen, uint32_t bits,
                  uint64_t *old) {
  uint64_t new;
  if (atomic_load_explicit(&head->gen, memory_order_acquire) != gen)
    return PILLION_STALE;
  do {
    uint32_t old_gen = (uint32_t)(*old >> 32);
    if (*old & PILLION__PEND_QUEUED && (int32_t)(old_gen - gen) > 0)
      return PILLION_STALE;
    new = (uint64_t)gen << 32 | PILLION__PEND_QUEUED | bits;
    if (old_gen == gen) new |= (uint32_t)*old;
  } while (!atomic_compare_exchange_weak(&head->pend, old, new));
  return *old & PILLION__PEND_QUEUED ? PILLION_COALESCED : PILLION_WOKEN;
}

/*
 * The owner's own mark, for others to see. Reports whether it was asked before.
 */
bool pillion__mark_once(struct pillion__head *head, uint32_t gen,
                        uint32_t bit) {
  uint64_t old = atomic_load(&head->pend), new;
  do {
    bool same = old >> 32 == gen;
    if (same && old & bit) return true;
    new = (uint64_t)gen << 32 | bit |
          (same ? (uint32_t)old : old & PILLION__PEND_QUEUED);
  } while (!atomic_compare_exchange_weak(&head->pend, &old, new));
  return false;
}
