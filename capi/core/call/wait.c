/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Waiters for a call without an executor. A thread without a loop sleeps on a
 * futex in the call's node. A task, of any executor or pool, leaves its waker
 * in `taker`. The publisher of the result takes the waker out, stores `wakeup`,
 * its last access to the node, and then wakes the task. A taker of the result
 * first sets WAITED, so that there is only one. tests/model/call.pml is the
 * model of both.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call/call.h"

/* Until `wakeup` is 1; 0, PILLION_ETIMEDOUT or PILLION_EINTR. */
static int sleep_on(_Atomic uint32_t *wakeup, int64_t deadline) {
  while (atomic_load(wakeup) == 0) {
    struct timespec left, *limit = pillion__until(&left, deadline);
    if (limit != NULL && left.tv_sec < 0) return PILLION_ETIMEDOUT;
    if (syscall(SYS_futex, wakeup, FUTEX_WAIT_PRIVATE, 0, limit, NULL, 0) < 0 &&
        errno == EINTR)
      return PILLION_EINTR;
  }
  return 0;
}

/*
 * Whether the caller may take a result: 0, PILLION_EBADHANDLE or PILLION_EBUSY.
 */
static int call_takable(uint64_t state, uint32_t gen) {
  if ((uint32_t)(state >> 32) != gen || (state & PILLION__CALL_PHASE) == 0 ||
      state & PILLION__CALL_ORPHAN)
    return PILLION_EBADHANDLE;
  return state & PILLION__CALL_WAITED ? PILLION_EBUSY : 0;
}

static int call_claim(struct pillion__call *call, uint32_t gen) {
  uint64_t old = atomic_load(&call->state);
  int rc;
  do rc = call_takable(old, gen);
  while (rc == 0 && !atomic_compare_exchange_weak(&call->state, &old,
                                                  old | PILLION__CALL_WAITED));
  return rc;
}

/* As pillion_join, for tasks of all executors and pools. */
int pillion__call_join(pillion_value *out, pillion_context *cx,
                       struct pillion__call *call, pillion_task task) {
  uint32_t gen = pillion__gen_of(task);
  int rc = call_takable(atomic_load(&call->state), gen);
  if (rc < 0) return rc;
  rc = pillion__joiner_wait(&call->taker, gen, cx->waker);
  if (rc == PILLION_PENDING && /* a detach looks for a taker first */
      call_takable(atomic_load(&call->state), gen) == PILLION_EBADHANDLE)
    return PILLION_EBADHANDLE;
  if (rc != PILLION_READY) return rc;
  if (atomic_load(&call->wakeup) == 0) { /* its publisher's next instruction */
    cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
  rc = call_claim(call, gen);
  if (rc < 0) return rc;
  pillion__call_value(call, out);
  pillion__call_free(call);
  return PILLION_READY;
}

static int wait_until(pillion_value *out, pillion_task task, int64_t deadline) {
  uint32_t type, gen = pillion__gen_of(task);
  struct pillion__call *call =
      (struct pillion__call *)pillion__head_of(task, &type);
  if (call == NULL || pillion__tag_of(task) != PILLION__TASK ||
      type != PILLION__CHUNK_CALLS || atomic_load(&call->executor) != NULL)
    return PILLION_EBADHANDLE;
  int rc = call_takable(atomic_load(&call->state), gen);
  if (rc == 0 && pillion__joiner_alive(atomic_load(&call->taker)))
    rc = PILLION_EBUSY;
  if (rc == 0) rc = call_claim(call, gen);
  if (rc < 0) return rc;
  int saved = errno;
  rc = sleep_on(&call->wakeup, deadline);
  errno = saved;
  if (rc < 0) {
    atomic_fetch_and(&call->state, ~(uint64_t)PILLION__CALL_WAITED);
    return rc;
  }
  pillion__call_value(call, out);
  pillion__call_free(call);
  return 0;
}

_Atomic uint64_t pillion__providers_alive;

/*
 * Whether the thread has functions of the host's to run: Go may call them, and
 * would wait for the waiter.
 */
static void looks_for_own(struct pillion__executor *ex, void *found) {
  if (pillion__owned_here(ex) && atomic_load(&ex->providers) > 0)
    *(bool *)found = true;
}

static bool provides_here(void) {
  bool found = false;
  if (atomic_load(&pillion__providers_alive) > 0)
    pillion__executor_each(looks_for_own, &found);
  return found;
}

int pillion_task_wait(pillion_value *out, pillion_task task, int64_t timeout) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  if (provides_here()) return PILLION_EDEADLOCK;
  return wait_until(out, task, pillion__time_after(pillion__now(), timeout));
}

/* Nothing is lent with a call that a thread waits for. */
static bool lends(pillion_function handle) {
  const struct pillion__function *function = pillion__function_of(handle);
  return function != NULL && function->flows & PILLION_FLOW_CALLBACKS;
}

int pillion_call_wait(pillion_value *out, pillion_function function,
                      const void *request, size_t length, int64_t timeout) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  if (provides_here() || lends(function)) return PILLION_EDEADLOCK;
  int64_t deadline = pillion__time_after(pillion__now(), timeout);
  pillion_task task;
  int rc =
      pillion_call_submit(&task, 0, function, request, length, 0, PILLION_JOIN);
  if (rc < 0) return rc;
  do rc = wait_until(out, task, deadline);
  while (rc == PILLION_EINTR);
  if (rc < 0) {
    pillion_task_cancel(task);
    pillion_task_detach(task);
  }
  return rc;
}
