/* SPDX-License-Identifier: Apache-2.0 */

/* Waiters for a task. */
#include "executor/executor.h"

/* Leaves the waker of the asking task, unless another live task waits. */
int pillion__joiner_set(pillion_waker *joiner, pillion_waker waker) {
  if (*joiner != waker && pillion__joiner_alive(*joiner)) return PILLION_EBUSY;
  *joiner = waker;
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
