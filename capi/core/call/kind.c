/* SPDX-License-Identifier: Apache-2.0 */

/* The functions of a call: by its handle, and by its executor. */
#include "call/call.h"

static bool known(struct pillion__call *call, pillion_task task) {
  return pillion__call_known(call, pillion__gen_of(task),
                             atomic_load(&call->state));
}

/* ---- By handle ----------------------------------------------------------- */

static int call_kind_cancel(struct pillion__head *head, pillion_task task) {
  return pillion__call_cancel((struct pillion__call *)head,
                              pillion__gen_of(task), 0);
}

static void call_kind_expire(struct pillion__head *head, pillion_task task) {
  pillion__call_cancel((struct pillion__call *)head, pillion__gen_of(task),
                       PILLION__CALL_EXPIRED);
}

static int call_kind_deadline(pillion_timer *storage,
                              struct pillion__head *head, pillion_task task,
                              int64_t at) {
  struct pillion__call *call = (struct pillion__call *)head;
  struct pillion__executor *ex = atomic_load(&call->executor);
  if (!known(call, task)) return PILLION_EBADHANDLE;
  if (ex == NULL) return PILLION_EINVAL; /* a call that a thread waits for */
  int rc = pillion__executor_own(ex);
  if (rc < 0) return rc;
  uint64_t state = atomic_load(&call->state);
  if (!pillion__call_known(call, pillion__gen_of(task), state))
    return PILLION_EBADHANDLE; /* freed meanwhile */
  if ((state & PILLION__CALL_PHASE) == PILLION__CALL_DONE) return 2;
  return pillion__deadline_set(ex, storage, task, at);
}

static int call_kind_join(pillion_value *out, pillion_context *cx,
                          struct pillion__head *head, pillion_task task) {
  struct pillion__call *call = (struct pillion__call *)head;
  struct pillion__executor *ex = atomic_load(&call->executor);
  if (!known(call, task)) return PILLION_EBADHANDLE;
  if (ex == NULL) return pillion__call_join(out, cx, call, task);
  if (ex != cx->runtime) return PILLION_EWRONGTHREAD;
  if (PILLION__MODE(head->flags) != PILLION_JOIN) return PILLION_EINVAL;
  if (!(head->flags & PILLION__CALL_ENDED))
    return pillion__joiner_set(&call->joiner, cx->waker);
  pillion__call_value(call, out);
  pillion__call_consumed(ex, call);
  return PILLION_READY;
}

static int detach_own(struct pillion__executor *ex, struct pillion__call *call,
                      pillion_task task) {
  int rc = pillion__executor_own(ex);
  if (rc == 0 && !known(call, task))
    rc = PILLION_EBADHANDLE; /* freed meanwhile */
  if (rc < 0) return rc;
  if (PILLION__MODE(call->head.flags) != PILLION_JOIN) return PILLION_EINVAL;
  call->head.flags += (PILLION_DETACH - PILLION_JOIN) << PILLION__MODE_SHIFT;
  if (atomic_load(&call->state) & PILLION__CALL_FLOWS)
    pillion__call_flows_refuse(call);
  if (!(call->head.flags & PILLION__CALL_ENDED)) {
    pillion_wake_local(call->joiner); /* it would wait in vain */
    return 0;
  }
  pillion__call_consumed(ex, call);
  if (!pillion__in_turn(ex)) pillion__tell_live(ex);
  return 0;
}

/* A call without an executor. */
static int detach_shared(struct pillion__call *call, pillion_task task) {
  uint64_t old = atomic_load(&call->state);
  pillion_waker taker = atomic_load(&call->taker);
  do {
    if (!pillion__call_known(call, pillion__gen_of(task), old) ||
        old & PILLION__CALL_ORPHAN)
      return PILLION_EBADHANDLE;
    if (old & PILLION__CALL_WAITED) return PILLION_EBUSY;
  } while (!atomic_compare_exchange_weak(&call->state, &old,
                                         old | PILLION__CALL_ORPHAN));
  if ((old & PILLION__CALL_PHASE) == PILLION__CALL_DONE) {
    uint32_t round = 0;
    while (atomic_load(&call->wakeup) == 0) pillion__let_run(round++);
    pillion__call_free(call);
  } else if (pillion__tag_of(taker) == PILLION__WAKER) {
    /*
     * It would wait in vain; a waiter that came just now, until the call's end.
     */
    pillion__pool_wake(taker);
  }
  return 0;
}

static int call_kind_detach(struct pillion__head *head, pillion_task task) {
  struct pillion__call *call = (struct pillion__call *)head;
  struct pillion__executor *ex = atomic_load(&call->executor);
  if (!known(call, task)) return PILLION_EBADHANDLE;
  return ex == NULL ? detach_shared(call, task) : detach_own(ex, call, task);
}

/* To a goroutine: a job may have ended meanwhile, and news of it is none. What
 * waits for a flow looks again whatever the news is. */
static bool call_kind_news(struct pillion__head *head,
                           struct pillion__job *job) {
  struct pillion__call *call = (struct pillion__call *)head;
  uint64_t state = atomic_load(&call->state);
  uint32_t news = state & PILLION__CALL_FLOWS ? PILLION__NEWS_FLOW : 0;
  if ((state & PILLION__CALL_PHASE) != PILLION__CALL_RUNNING) return false;
  if (state & PILLION__CALL_CANCEL) news |= PILLION__NEWS_CANCEL;
  *job = (struct pillion__job){call, (uint32_t)(state >> 32), news};
  return news != 0;
}

static int call_kind_flows(uint32_t *out, struct pillion__head *head,
                           pillion_task task) {
  struct pillion__call *call = (struct pillion__call *)head;
  uint64_t state = atomic_load(&call->state);
  if (!pillion__call_known(call, pillion__gen_of(task), state))
    return PILLION_EBADHANDLE;
  if (!(state & PILLION__CALL_FLOWS)) return PILLION_EINVAL;
  *out = atomic_load(&call->flows);
  return 0;
}

/* ---- By its executor ----------------------------------------------------- */

static void call_kind_delivered(struct pillion__executor *ex,
                                struct pillion__head *head, uint32_t slot) {
  (void)slot;
  struct pillion__call *call = (struct pillion__call *)head;
  bool ours = atomic_load(&call->executor) == ex;
  uint64_t pend = atomic_exchange(&head->pend, 0);
  if (ours && (uint32_t)(pend >> 32) == pillion__gen(head))
    pillion__call_posted(ex, call, (uint32_t)pend);
}

static void call_kind_drop(struct pillion__head *head, uint32_t slot) {
  struct pillion__call *call = (struct pillion__call *)head;
  (void)slot;
  pillion__call_consumed(atomic_load(&call->executor), call);
}

const struct pillion__kind pillion__call_kind = {
    .cancel = call_kind_cancel,
    .detach = call_kind_detach,
    .deadline = call_kind_deadline,
    .expire = call_kind_expire,
    .join = call_kind_join,
    .delivered = call_kind_delivered,
    .event = pillion__call_event,
    .drop = call_kind_drop,
    .next = pillion__call_next,
    .flows = call_kind_flows,
    .news = call_kind_news,
    .cancel_all = pillion__calls_cancel,
    .drop_all = pillion__calls_drop_all,
};
