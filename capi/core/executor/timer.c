/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An executor's timers, and deadlines, which are cancels with a clock. A
 * deadline's timer has a task's handle in the place of a waker, and cancels the
 * task when it fires. By then the task may be gone, and its slot in other use:
 * the handle tells.
 */
#include "executor/executor.h"

void pillion__timer_clear(pillion_timer *timer) {
  if (timer->prev == NULL) return;
  struct pillion__executor *ex = timer->runtime;
  pillion__timers_disarm(&ex->timers, timer);
}

/* `waker` may be a task's handle, for a deadline. */
static int timer_arm(struct pillion__executor *ex, pillion_timer *timer,
                     uint64_t waker, int64_t deadline) {
  return pillion__timers_arm(&ex->timers, timer, &ex->context, waker, deadline);
}

int pillion__timer_set(pillion_timer *timer, pillion_context *cx,
                       int64_t deadline) {
  return timer_arm(cx->runtime, timer, cx->waker, deadline);
}

static void task_expire(struct pillion__executor *ex,
                        struct pillion__cell *cell, pillion_task task) {
  uint32_t flags = cell->head.flags;
  if (!(flags & PILLION__TASK_LIVE) ||
      flags & (PILLION__TASK_ENDED | PILLION__TASK_POLLING) ||
      pillion__mark_once(&cell->head, pillion__gen_of(task),
                         PILLION__PEND_CANCEL))
    return; /* it has ended, it is ending, or a cancel was faster */
  cell->head.flags |= PILLION__TASK_EXPIRED;
  pillion__task_posted(ex, cell, pillion__slot_of(task), PILLION__PEND_CANCEL);
}

/* The deadline of one of this executor's tasks or calls has come. */
static void expire_by_handle(struct pillion__executor *ex, pillion_task task) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (atomic_load_explicit(&head->gen, memory_order_acquire) !=
      pillion__gen_of(task))
    return;
  if (type == PILLION__CHUNK_TASKS)
    task_expire(ex, (struct pillion__cell *)head, task);
  else pillion__kinds[type]->expire(head, task);
}

static void fire(void *ex, uint64_t waker) {
  if (PILLION__UNLIKELY(pillion__tag_of(waker) == PILLION__TASK))
    expire_by_handle(ex, waker);
  else pillion__wake_local_in(ex, waker);
}

void pillion__timers_fire(struct pillion__executor *ex, int64_t now) {
  if (PILLION__LIKELY(ex->timers.deadline > now)) return;
  pillion__timers_expire(&ex->timers, now, fire, ex);
}

/* For a task or call of this executor's that has not ended. */
int pillion__deadline_set(struct pillion__executor *ex, pillion_timer *storage,
                          pillion_task task, int64_t at) {
  int64_t told = ex->timers.deadline;
  bool past = at <= ex->context.now;
  int rc = timer_arm(ex, storage, task, past ? PILLION_TIME_NEVER : at);
  if (rc < 0) return rc;
  if (past) expire_by_handle(ex, task);
  if ((past || ex->timers.deadline < told) && !pillion__in_turn(ex))
    pillion__poke(ex); /* the host waits until the old deadline */
  return 0;
}
