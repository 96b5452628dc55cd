/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who awaits a task, and the owner's own wake, with which its end is told.
 */
#include "core.h"

/* A task's step is this and the poll: no locked instruction, no call. */
static inline int wake_cell(struct pillion__executor *ex,
                            struct pillion__cell *cell,
                            pillion_waker waker) {
  if (PILLION__UNLIKELY(
          atomic_load_explicit(&cell->head.gen, memory_order_relaxed) !=
              pillion__gen_of(waker) ||
          (cell->head.flags &
           (PILLION__LIVE | PILLION__ENDED | PILLION__POLLING)) !=
              PILLION__LIVE))
    return PILLION_STALE; /* also in its own drop */
  if (cell->head.flags & PILLION__READY_BIT) return PILLION_COALESCED;
  pillion__ready(ex, &cell->head, pillion__slot_of(waker));
  return PILLION_WOKEN;
}

int pillion__wake_local_in(struct pillion__executor *ex,
                           pillion_waker waker) {
  return wake_cell(ex, pillion__cell_at(pillion__slot_of(waker)), waker);
}

/* Everything but a C task of the calling thread's. */
__attribute__((noinline)) static int wake_other(pillion_waker waker) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(waker, &type);
  if (head != NULL && type == PILLION__CHUNK_POOL)
    return pillion__pool_wake(waker);
  if (pillion__kind_of(waker) != PILLION__WAKER || head == NULL ||
      type == PILLION__CHUNK_CALLS || type == PILLION__CHUNK_ALIEN)
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_TASKS) return pillion_wake(waker); /* Go's */
  /* A late waker of a freed executor's is stale, whoever asks. */
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
      here->context.waker == waker) { /* the task that is being polled */
    if (here->polled->head.flags & PILLION__READY_BIT) return PILLION_COALESCED;
    pillion__ready(here, &here->polled->head, pillion__slot_of(waker));
    return PILLION_WOKEN;
  }
  uint32_t slot = pillion__slot_of(waker);
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  struct pillion__executor *ex =
      atomic_load_explicit(&chunk->executor, memory_order_relaxed);
  if (PILLION__UNLIKELY(
          pillion__kind_of(waker) != PILLION__WAKER || cells == NULL ||
          chunk->type != PILLION__CHUNK_TASKS ||
          atomic_load_explicit(&ex->owner, memory_order_relaxed) !=
              pillion__serial))
    return wake_other(waker);
  int rc = wake_cell(
      ex, (struct pillion__cell *)cells + slot % PILLION__CHUNK, waker);
  if (PILLION__UNLIKELY(
          rc == PILLION_WOKEN &&
          !atomic_load_explicit(&ex->in_turn, memory_order_relaxed)))
    return poke_woken(ex);
  return rc;
}

int pillion__join(pillion_value *out, pillion_context *cx,
                  pillion_task task) {
  struct pillion__executor *ex = cx->runtime;
  uint32_t type, slot = pillion__slot_of(task);
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head != NULL && type == PILLION__CHUNK_POOL)
    return pillion__ptask_join(out, cx, task);
  if (head == NULL || pillion__kind_of(task) != PILLION__TASK ||
      type == PILLION__CHUNK_GUEST || type == PILLION__CHUNK_ALIEN ||
      type == PILLION__CHUNK_GUEST_POOL ||
      atomic_load_explicit(&head->gen, memory_order_acquire) !=
          pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  if (slot == pillion__slot_of(cx->waker)) return PILLION_EINVAL;

  struct pillion__call *call = NULL;
  struct pillion__cell *cell = NULL;
  pillion_waker *joiner;
  if (type == PILLION__CHUNK_CALLS) {
    call = (struct pillion__call *)head;
    struct pillion__executor *its = atomic_load(&call->executor);
    if (!pillion__call_known(call, pillion__gen_of(task),
                             atomic_load(&call->state)))
      return PILLION_EBADHANDLE;
    if (its == NULL) return pillion__call_join(out, cx, call, task);
    if (its != ex) return PILLION_EWRONGTHREAD;
    joiner = &call->joiner;
  } else {
    cell = (struct pillion__cell *)head;
    if (atomic_load(&pillion__directory[slot / PILLION__CHUNK].executor) != ex)
      return PILLION_EWRONGTHREAD;
    if (!(head->flags & PILLION__LIVE)) return PILLION_EBADHANDLE;
    joiner = &cell->u.live.joiner;
  }
  if (PILLION__MODE(head->flags) != PILLION_JOIN) return PILLION_EINVAL;
  if (head->flags & PILLION__ENDED) {
    if (cell != NULL) return pillion__task_value(ex, cell, slot, out);
    pillion__call_value(call, out);
    pillion__call_consumed(ex, call);
    return PILLION_READY;
  }
  if (*joiner != 0 && *joiner != cx->waker) {
    struct pillion__cell *other = pillion__cell_at(pillion__slot_of(*joiner));
    if (atomic_load_explicit(&other->head.gen, memory_order_relaxed) ==
        pillion__gen_of(*joiner))
      return PILLION_EBUSY;
  }
  *joiner = cx->waker;
  return PILLION_PENDING;
}
