/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Deadlines: cancels with a clock. A timer that has a task's handle where
 * others have a waker cancels the task when it fires. By then the task may be
 * gone, and its slot another's: the handle tells.
 */
#include "core.h"

static void task_expire(struct pillion__executor *ex,
                        struct pillion__cell *cell, pillion_task task) {
  uint32_t flags = cell->head.flags;
  if (!(flags & PILLION__LIVE) ||
      flags & (PILLION__ENDED | PILLION__POLLING) ||
      pillion__mark_once(&cell->head, pillion__gen_of(task), PILLION__CANCEL))
    return; /* it has ended, it is ending, or somebody was faster */
  cell->head.flags |= PILLION__EXPIRED;
  pillion__task_posted(ex, cell, pillion__slot_of(task), PILLION__CANCEL);
}

/* The deadline of one of this executor's has come. */
void pillion__expire(struct pillion__executor *ex, pillion_task task) {
  uint32_t type, gen = pillion__gen_of(task);
  struct pillion__head *head = pillion__head_of(task, &type);
  if (atomic_load_explicit(&head->gen, memory_order_acquire) != gen) return;
  if (type == PILLION__CHUNK_CALLS)
    pillion__call_cancel((struct pillion__call *)head, gen,
                         PILLION__CALL_EXPIRED);
  else
    task_expire(ex, (struct pillion__cell *)head, task);
}

/* The executor of a call that lives and is the calling thread's. */
static int call_owner(struct pillion__executor **ex, struct pillion__call *call,
                      uint32_t gen) {
  *ex = atomic_load(&call->executor);
  if (!pillion__call_known(call, gen, atomic_load(&call->state)))
    return PILLION_EBADHANDLE;
  if (*ex == NULL) return PILLION_EINVAL; /* one that a thread waits for */
  int rc = pillion__executor_own(*ex);
  if (rc < 0) return rc;
  uint64_t state = atomic_load(&call->state);
  if (!pillion__call_known(call, gen, state)) return PILLION_EBADHANDLE;
  return (state & PILLION__CALL_PHASE) == PILLION__CALL_DONE ? 2 : 0;
}

/* The executor of a task or call that lives and is the calling thread's. */
static int deadline_owner(struct pillion__executor **ex, pillion_task task) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || pillion__kind_of(task) != PILLION__TASK ||
      (type != PILLION__CHUNK_TASKS && type != PILLION__CHUNK_CALLS) ||
      atomic_load_explicit(&head->gen, memory_order_acquire) !=
          pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  if (type == PILLION__CHUNK_CALLS)
    return call_owner(ex, (struct pillion__call *)head, pillion__gen_of(task));
  *ex = atomic_load(
      &pillion__directory[pillion__slot_of(task) / PILLION__CHUNK].executor);
  int rc = pillion__executor_own(*ex);
  if (rc < 0) return rc;
  if (!(head->flags & PILLION__LIVE)) return PILLION_EBADHANDLE;
  return head->flags & (PILLION__ENDED | PILLION__POLLING) ? 2 : 0;
}

int pillion_task_deadline(pillion_timer *storage, pillion_task task,
                          int64_t at) {
  struct pillion__executor *ex;
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  if (storage == NULL) return PILLION_EINVAL;
  if (pillion__head_of(task, &type) != NULL && type == PILLION__CHUNK_POOL)
    return pillion__ptask_deadline(storage, task, at);
  int rc = deadline_owner(&ex, task);
  if (rc != 0) return rc;
  int64_t told = ex->timers.deadline;
  bool past = at <= ex->context.now;
  rc = pillion__timer_arm(ex, storage, task, past ? PILLION_TIME_NEVER : at);
  if (rc < 0) return rc;
  if (past) pillion__expire(ex, task);
  if ((past || ex->timers.deadline < told) &&
      !atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    pillion__poke(ex); /* the host waits for what it was told */
  return 0;
}
