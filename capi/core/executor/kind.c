/* SPDX-License-Identifier: Apache-2.0 */

/* What is done to a task by its handle, C's or a call's. */

#include "core.h"

/* Finds a C task's cell, for its owner. */
static int task_find(struct pillion__executor **ex,
                     struct pillion__cell **cell, pillion_task task) {
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  if (pillion__kind_of(task) != PILLION__TASK) return PILLION_EBADHANDLE;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || type != PILLION__CHUNK_TASKS ||
      atomic_load_explicit(&head->gen, memory_order_acquire) !=
          pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  *ex = atomic_load(
      &pillion__directory[pillion__slot_of(task) / PILLION__CHUNK].executor);
  *cell = (struct pillion__cell *)head;
  int rc = pillion__executor_own(*ex);
  if (rc < 0) return rc;
  return (*cell)->head.flags & PILLION__LIVE ? 0 : PILLION_EBADHANDLE;
}

int pillion_task_cancel(pillion_task task) {
  struct pillion__executor *ex;
  struct pillion__cell *cell;
  uint32_t type, slot = pillion__slot_of(task), gen = pillion__gen_of(task);
  if (pillion__forked()) return PILLION_EFORKED;
  if (pillion__kind_of(task) != PILLION__TASK) return PILLION_EBADHANDLE;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head != NULL && type == PILLION__CHUNK_CALLS)
    return pillion__call_cancel((struct pillion__call *)head, gen, 0);
  if (head != NULL && type == PILLION__CHUNK_POOL)
    return pillion__ptask_cancel((struct pillion__ptask *)head, slot, gen);
  if (head == NULL || type != PILLION__CHUNK_TASKS || gen == 0)
    return PILLION_EBADHANDLE;
  ex = atomic_load(&pillion__directory[slot / PILLION__CHUNK].executor);
  if (atomic_load_explicit(&ex->owner, memory_order_relaxed) !=
      pillion__me()) {
    /* The word first: it is the task's if the generation is, afterwards. */
    bool ended = atomic_load(&((struct pillion__cell *)head)->what) & 1;
    if (atomic_load(&head->gen) != gen) return PILLION_EBADHANDLE;
    return ended ? 2 : pillion__post_once(head, slot, gen, PILLION__CANCEL);
  }
  int rc = task_find(&ex, &cell, task);
  if (rc < 0) return rc;
  if (cell->head.flags & (PILLION__ENDED | PILLION__POLLING)) return 2;
  rc = pillion__mark_once(head, gen, PILLION__CANCEL);
  pillion__task_posted(ex, cell, slot, PILLION__CANCEL);
  if (!atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    pillion__poke(ex);
  return rc;
}

int pillion_task_evict(pillion_task task) {
  struct pillion__executor *ex;
  struct pillion__cell *cell;
  uint32_t type;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head != NULL && type == PILLION__CHUNK_POOL && !pillion__forked() &&
      atomic_load_explicit(&head->mode, memory_order_relaxed) &
          PILLION__LIVE &&
      atomic_load(&head->gen) == pillion__gen_of(task))
    return PILLION_EINVAL; /* it may be polled elsewhere right now */
  int rc = task_find(&ex, &cell, task);
  if (rc < 0) return rc;
  if (cell->head.flags & PILLION__ENDED) return 2;
  if (cell == ex->polled || cell->head.flags & PILLION__POLLING)
    return PILLION_EREENTRANT;
  uint32_t turning = pillion__turning;
  pillion__turning = 1; /* its drop is as deep as any */
  pillion__task_cancelled(ex, cell, pillion__slot_of(task));
  pillion__turning = turning;
  if (!atomic_load_explicit(&ex->in_turn, memory_order_relaxed)) {
    pillion__tell_live(ex);
    pillion__poke(ex); /* there may be an event to take */
  }
  return 0;
}

int pillion__call_detach(struct pillion__call *call, pillion_task task) {
  uint32_t gen = pillion__gen_of(task);
  struct pillion__executor *ex = atomic_load(&call->executor);
  uint64_t old = atomic_load(&call->state);
  if (pillion__kind_of(task) != PILLION__TASK ||
      !pillion__call_known(call, gen, old))
    return PILLION_EBADHANDLE;
  if (ex != NULL) {
    int rc = pillion__executor_own(ex);
    if (rc == 0 && !pillion__call_known(call, gen, atomic_load(&call->state)))
      rc = PILLION_EBADHANDLE; /* freed meanwhile */
    if (rc < 0) return rc;
    if (PILLION__MODE(call->head.flags) != PILLION_JOIN) return PILLION_EINVAL;
    call->head.flags += (PILLION_DETACH - PILLION_JOIN) << PILLION__MODE_SHIFT;
    if (!(call->head.flags & PILLION__ENDED)) {
      pillion_wake_local(call->joiner); /* who would wait in vain */
      return 0;
    }
    pillion__call_consumed(ex, call);
    if (!atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
      pillion__tell_live(ex);
    return 0;
  }
  pillion_waker taker = atomic_load(&call->taker);
  do {
    if ((uint32_t)(old >> 32) != gen || (old & PILLION__CALL_PHASE) == 0 ||
        old & PILLION__CALL_ORPHAN)
      return PILLION_EBADHANDLE;
    if (old & PILLION__CALL_WAITED) return PILLION_EBUSY;
  } while (!atomic_compare_exchange_weak(&call->state, &old,
                                         old | PILLION__CALL_ORPHAN));
  if ((old & PILLION__CALL_PHASE) == PILLION__CALL_DONE) {
    uint32_t round = 0;
    while (atomic_load(&call->wakeup) == 0) pillion__let_run(round++);
    pillion__call_free(call);
  } else if (pillion__kind_of(taker) == PILLION__WAKER) {
    /* It would wait in vain; one that came just now, until the call's end. */
    pillion__pool_wake(taker);
  }
  return 0;
}

int pillion_task_detach(pillion_task task) {
  struct pillion__executor *ex;
  struct pillion__cell *cell;
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head != NULL && type == PILLION__CHUNK_CALLS)
    return pillion__call_detach((struct pillion__call *)head, task);
  if (head != NULL && type == PILLION__CHUNK_POOL)
    return pillion__ptask_detach(task);
  int rc = task_find(&ex, &cell, task);
  if (rc < 0) return rc;
  if (PILLION__MODE(cell->head.flags) != PILLION_JOIN) return PILLION_EINVAL;
  cell->head.flags += (PILLION_DETACH - PILLION_JOIN) << PILLION__MODE_SHIFT;
  if (!(cell->head.flags & PILLION__ENDED)) {
    pillion_wake_local(cell->u.live.joiner); /* who would wait in vain */
    return 0;
  }
  pillion__task_discard(ex, cell, pillion__slot_of(task));
  if (!atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    pillion__tell_live(ex);
  return 0;
}
