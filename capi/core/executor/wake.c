/* SPDX-License-Identifier: Apache-2.0 */

/* Wakes: the owner's own, and those of any thread. */
#include "executor/executor.h"

/* ---- By the owner -------------------------------------------------------- */

/* A task's step is this and the poll: no locked instruction, no call. */
static inline int wake_cell(struct pillion__executor *ex,
                            struct pillion__cell *cell, pillion_waker waker) {
  if (PILLION__UNLIKELY(
          pillion__gen(&cell->head) != pillion__gen_of(waker) ||
          (cell->head.flags & (PILLION__TASK_LIVE | PILLION__TASK_ENDED |
                               PILLION__TASK_POLLING)) != PILLION__TASK_LIVE))
    return PILLION_STALE; /* also in its own drop */
  if (cell->head.flags & PILLION__TASK_READY) return PILLION_COALESCED;
  pillion__ready(ex, &cell->head, pillion__slot_of(waker));
  return PILLION_WOKEN;
}

int pillion__wake_local_in(struct pillion__executor *ex, pillion_waker waker) {
  return wake_cell(ex, pillion__cell_at(pillion__slot_of(waker)), waker);
}

/* All but a C task of the calling thread's. */
__attribute__((noinline)) static int wake_other(pillion_waker waker) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(waker, &type);
  if (pillion__tag_of(waker) != PILLION__WAKER || head == NULL)
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_TASKS)
    return pillion__kinds[type]->wake_local != NULL
               ? pillion__kinds[type]->wake_local(waker)
               : PILLION_EBADHANDLE;
  /* A late waker of a freed executor's is stale, whichever thread asks. */
  return atomic_load(&head->gen) != pillion__gen_of(waker)
             ? PILLION_STALE
             : PILLION_EWRONGTHREAD;
}

__attribute__((noinline)) static int poke_woken(struct pillion__executor *ex) {
  pillion__poke(ex);
  return PILLION_WOKEN;
}

int pillion_wake_local(pillion_waker waker) {
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__executor *here = pillion__here;
  if (here != NULL && here->polled != NULL &&
      here->context.waker == waker) { /* the task in its poll */
    if (here->polled->head.flags & PILLION__TASK_READY)
      return PILLION_COALESCED;
    pillion__ready(here, &here->polled->head, pillion__slot_of(waker));
    return PILLION_WOKEN;
  }
  uint32_t slot = pillion__slot_of(waker);
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  struct pillion__executor *ex =
      (struct pillion__executor *)pillion__peek(&chunk->owner);
  if (PILLION__UNLIKELY(pillion__tag_of(waker) != PILLION__WAKER ||
                        cells == NULL || chunk->type != PILLION__CHUNK_TASKS ||
                        pillion__peek(&ex->owner) != pillion__serial))
    return wake_other(waker);
  int rc = wake_cell(ex, (struct pillion__cell *)cells + slot % PILLION__CHUNK,
                     waker);
  if (PILLION__UNLIKELY(rc == PILLION_WOKEN && !pillion__in_turn(ex)))
    return poke_woken(ex);
  return rc;
}

/* ---- By any thread and any signal handler -------------------------------- */

static int push(struct pillion__head *head, uint32_t slot) {
  pillion__push(pillion__executor_of(slot), head, slot);
  return PILLION_WOKEN;
}

/* Marks a cell for the executor that leases it: PILLION_WOKEN and so on. */
int pillion__ask(struct pillion__head *head, uint32_t slot, uint32_t gen,
                 uint32_t bits) {
  uint64_t old = (uint64_t)gen << 32 | PILLION__PEND_QUEUED | bits;
  int rc = pillion__mark(head, gen, bits, &old);
  return rc == PILLION_WOKEN ? push(head, slot) : rc;
}

/*
 * A bit that stays (PILLION__PEND_KEPT): 0, 1 if it was asked before, or
 * PILLION_EBADHANDLE if the handle is stale.
 */
int pillion__ask_once(struct pillion__head *head, uint32_t slot, uint32_t gen,
                      uint32_t bit) {
  uint64_t old = atomic_load(&head->pend);
  if (old >> 32 == gen && old & bit) return 1;
  int rc = pillion__mark(head, gen, bit, &old);
  if (rc == PILLION_STALE) return PILLION_EBADHANDLE;
  if (rc == PILLION_WOKEN) push(head, slot);
  return old >> 32 == gen && old & bit;
}

/* It may still have a result. */
static bool has_ended(const struct pillion__cell *cell) {
  return pillion__peek(&cell->future_or_end) & 1;
}

/* A wake that isn't pending yet; `pend` is the pending word. */
__attribute__((noinline)) static int wake_anew(struct pillion__cell *cell,
                                               uint64_t pend,
                                               pillion_waker waker) {
  uint32_t slot = pillion__slot_of(waker), gen = pillion__gen_of(waker);
  if (gen == 0) return PILLION_EBADHANDLE;
  if (has_ended(cell)) return PILLION_STALE;
  int rc = pillion__mark(&cell->head, gen, PILLION__PEND_WAKE, &pend);
  return rc == PILLION_WOKEN ? push(&cell->head, slot) : rc;
}

__attribute__((noinline)) static int wake_kind(uint32_t type,
                                               struct pillion__head *head,
                                               pillion_waker waker) {
  return pillion__gen_of(waker) == 0 || pillion__kinds[type]->wake == NULL
             ? PILLION_EBADHANDLE
             : pillion__kinds[type]->wake(head, waker);
}

/*
 * The wake first guesses that this very wake is pending. If it is, the
 * compare-and-swap has changed nothing, even if another task has the cell; so
 * the generation is compared afterwards. A locked instruction waits for all
 * before it: little stands there, and the rare cases have their own function.
 */
int pillion_wake(pillion_waker waker) {
  if (pillion__forked()) return PILLION_EFORKED;
  uint32_t slot = pillion__slot_of(waker);
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  if (PILLION__UNLIKELY(pillion__tag_of(waker) != PILLION__WAKER ||
                        cells == NULL))
    return PILLION_EBADHANDLE;
  struct pillion__cell *cell =
      (struct pillion__cell *)cells + slot % PILLION__CHUNK;
  if (PILLION__UNLIKELY(chunk->type > PILLION__CHUNK_GUEST))
    return wake_kind(chunk->type, &cell->head, waker);
  uint64_t same = waker << 32 | PILLION__PEND_QUEUED | PILLION__PEND_WAKE,
           pend = same;
  if (!atomic_compare_exchange_strong(&cell->head.pend, &pend, same))
    return wake_anew(cell, pend, waker);
  bool gone = pillion__gen(&cell->head) != pillion__gen_of(waker);
  return PILLION_COALESCED + (gone | has_ended(cell)); /* or STALE */
}
