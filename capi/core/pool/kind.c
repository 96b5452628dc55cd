/* SPDX-License-Identifier: Apache-2.0 */

/* A pool's functions for futures, and for executors with its tasks. */
#include "pool/pool.h"

/* No watches: each belongs to one loop, and a pool's task to none. */
const pillion_ops pillion__pool_ops = {
    .size = sizeof pillion__pool_ops,
    .timer_set = pillion__pool_timer_set,
    .timer_clear = pillion__pool_timer_clear,
    .join = pillion__join,
    .spawn = pillion__pool_op_spawn,
    .wake = pillion__pool_wake,
    .shield = pillion__pool_op_shield,
    .cancelled = pillion__pool_op_cancelled,
    .cancel = pillion_task_cancel,
    .detach = pillion_task_detach,
    .flags = PILLION_OPS_SHARED,
};

static int pool_task_kind_wake(struct pillion__head *head,
                               pillion_waker waker) {
  return pillion__pool_task_wake(head, pillion__slot_of(waker),
                                 pillion__gen_of(waker), NULL);
}

static int pool_task_kind_evict(struct pillion__head *head, pillion_task task) {
  return pillion__pool_task_live(head) &&
                 atomic_load(&head->gen) == pillion__gen_of(task)
             ? PILLION_EINVAL /* another worker may be polling it */
             : PILLION_EBADHANDLE;
}

/* A coming event; the task stays QUEUED. */
static void pool_task_kind_delivered(struct pillion__executor *ex,
                                     struct pillion__head *head,
                                     uint32_t slot) {
  (void)head;
  pillion__list_push(&ex->done, slot);
}

const struct pillion__kind pillion__pool_kind = {
    .wake = pool_task_kind_wake,
    .wake_local = pillion__pool_wake,
    .cancel = pillion__pool_task_cancel,
    .detach = pillion__pool_task_detach,
    .evict = pool_task_kind_evict,
    .deadline = pillion__pool_task_deadline,
    .join = pillion__pool_task_join,
    .delivered = pool_task_kind_delivered,
    .event = pillion__pool_task_event,
    .drop = pillion__pool_task_drop_result,
    .release = pillion__pool_task_release,
};
