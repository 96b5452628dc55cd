/* SPDX-License-Identifier: Apache-2.0 */

/* A local task's context, and its operations. */
#include "executor/executor.h"

static int op_spawn(pillion_task *out, pillion_context *cx,
                    const pillion_future *future, void *self, uint64_t token,
                    uint32_t flags) {
  return pillion__spawn(out, cx->runtime, future, self, token, flags);
}

/*
 * Only sets the flag. If a cancel waits, the task goes on until its next turn,
 * which is due then.
 */
static int op_shield(pillion_context *cx, int on) {
  struct pillion__executor *ex = cx->runtime;
  struct pillion__cell *cell = ex->polled;
  if (cell == NULL) return PILLION_EINVAL;
  uint32_t flags = cell->head.flags;
  cell->head.flags =
      on ? flags | PILLION__TASK_SHIELDED : flags & ~PILLION__TASK_SHIELDED;
  if (!on && (flags & (PILLION__TASK_ASKED | PILLION__TASK_READY)) ==
                 PILLION__TASK_ASKED)
    pillion__ready(ex, &cell->head, pillion__slot_of(cx->waker));
  return (flags & PILLION__TASK_SHIELDED) != 0;
}

static int op_cancelled(pillion_context *cx) {
  struct pillion__executor *ex = cx->runtime;
  return ex->polled != NULL && ex->polled->head.flags & PILLION__TASK_ASKED;
}

static int op_next(pillion_value *out, pillion_context *cx, pillion_task call) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(call, &type);
  if (head == NULL || pillion__tag_of(call) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  return pillion__kinds[type]->next == NULL
             ? PILLION_EINVAL
             : pillion__kinds[type]->next(out, cx, head, call);
}

static const pillion_ops operations = {
    .size = sizeof operations,
    .timer_set = pillion__timer_set,
    .timer_clear = pillion__timer_clear,
    .join = pillion__join,
    .spawn = op_spawn,
    .wake = pillion_wake_local,
    .shield = op_shield,
    .cancelled = op_cancelled,
    .cancel = pillion_task_cancel,
    .detach = pillion_task_detach,
    .evict = pillion_task_evict,
    .ready = pillion__watch_ready,
    .ready_clear = pillion__watch_clear,
    .next = op_next,
};

void pillion__context_init(struct pillion__executor *ex) {
  ex->context =
      (pillion_context){sizeof ex->context, 0, 0, &operations, ex, NULL};
}
