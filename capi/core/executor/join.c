/* SPDX-License-Identifier: Apache-2.0 */

/* Waiters for a task. */
#include "executor/executor.h"

/* Leaves the waker of the asking task, unless another live task waits. */
int pillion__joiner_set(pillion_waker *joiner, pillion_waker waker) {
  if (*joiner != waker && pillion__joiner_alive(*joiner)) return PILLION_EBUSY;
  *joiner = waker;
  return PILLION_PENDING;
}

/*
 * The same for an end that any thread may bring, by its word. PILLION_READY if
 * it has come. The word may be a later task's by now.
 */
__attribute__((always_inline)) inline int pillion__joiner_wait(
    _Atomic uint64_t *joiner, uint32_t gen, pillion_waker waker) {
  uint64_t word = atomic_load(joiner);
  do {
    if (word == waker) return PILLION_PENDING;
    if (word == pillion__joiner(PILLION__JOIN_ENDED, gen)) return PILLION_READY;
    if (word != pillion__joiner(PILLION__JOIN_OPEN, gen)) {
      if (word == pillion__joiner(PILLION__JOIN_NEVER, gen))
        return PILLION_EINVAL;
      if (pillion__tag_of(word) != PILLION__WAKER) return PILLION_EBADHANDLE;
      if (pillion__joiner_alive(word)) return PILLION_EBUSY;
    }
  } while (!atomic_compare_exchange_strong(joiner, &word, waker));
  return PILLION_PENDING;
}

/* For the tasks of executors and of pools. */
int pillion__join(pillion_value *out, pillion_context *cx, pillion_task task) {
  uint32_t type, slot = pillion__slot_of(task);
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || pillion__tag_of(task) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_TASKS)
    return pillion__kinds[type]->join != NULL
               ? pillion__kinds[type]->join(out, cx, head, task)
               : PILLION_EBADHANDLE;
  if (atomic_load_explicit(&head->gen, memory_order_acquire) !=
      pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  if (slot == pillion__slot_of(cx->waker)) return PILLION_EINVAL;
  struct pillion__executor *ex = pillion__executor_of(slot);
  struct pillion__cell *cell = (struct pillion__cell *)head;
  if (ex != cx->runtime) return PILLION_EWRONGTHREAD;
  if (!(head->flags & PILLION__TASK_LIVE)) return PILLION_EBADHANDLE;
  if (PILLION__MODE(head->flags) != PILLION_JOIN) return PILLION_EINVAL;
  return head->flags & PILLION__TASK_ENDED
             ? pillion__task_value(ex, cell, slot, out)
             : pillion__joiner_set(&cell->u.live.joiner, cx->waker);
}
