/* SPDX-License-Identifier: Apache-2.0 */

/* Blocking calls, for threads that have no loop: a futex in the call's node. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core.h"

/* Until `wakeup` is 1; 0, PILLION_ETIMEDOUT or PILLION_EINTR. */
static int sleep_on(_Atomic uint32_t *wakeup, int64_t deadline) {
  while (atomic_load(wakeup) == 0) {
    struct timespec left, *limit = NULL;
    if (deadline != PILLION_TIME_NEVER) {
      int64_t ns = deadline - pillion__now();
      if (ns <= 0) return PILLION_ETIMEDOUT;
      left.tv_sec = ns / 1000000000;
      left.tv_nsec = ns % 1000000000;
      limit = &left;
    }
    if (syscall(SYS_futex, wakeup, FUTEX_WAIT_PRIVATE, 0, limit, NULL, 0) < 0 &&
        errno == EINTR)
      return PILLION_EINTR;
  }
  return 0;
}

static int wait_until(pillion_value *out, pillion_task task,
                      int64_t deadline) {
  uint32_t type, gen = pillion__gen_of(task);
  struct pillion__call *call =
      (struct pillion__call *)pillion__head_of(task, &type);
  if (call == NULL || pillion__kind_of(task) != PILLION__TASK ||
      type != PILLION__CHUNK_CALLS || atomic_load(&call->executor) != NULL)
    return PILLION_EBADHANDLE;
  uint64_t old = atomic_load(&call->state);
  do {
    if ((uint32_t)(old >> 32) != gen || (old & PILLION__CALL_PHASE) == 0 ||
        old & PILLION__CALL_ORPHAN)
      return PILLION_EBADHANDLE;
    if (old & PILLION__CALL_WAITED) return PILLION_EBUSY;
  } while (!atomic_compare_exchange_weak(&call->state, &old,
                                         old | PILLION__CALL_WAITED));
  int saved = errno;
  int rc = sleep_on(&call->wakeup, deadline);
  errno = saved;
  if (rc < 0) {
    atomic_fetch_and(&call->state, ~(uint64_t)PILLION__CALL_WAITED);
    return rc;
  }
  pillion__call_value(call, out);
  pillion__call_free(call);
  return 0;
}

int pillion_task_wait(pillion_value *out, pillion_task task,
                      int64_t timeout) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  return wait_until(out, task,
                    pillion__time_after(pillion__now(), timeout));
}

int pillion_call_wait(pillion_value *out, pillion_function function,
                      const void *request, size_t length, int64_t timeout) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  int64_t deadline = pillion__time_after(pillion__now(), timeout);
  pillion_task task;
  int rc = pillion_call_submit(&task, 0, function, request, length, 0,
                               PILLION_JOIN);
  if (rc < 0) return rc;
  do rc = wait_until(out, task, deadline);
  while (rc == PILLION_EINTR);
  if (rc < 0) {
    pillion_task_cancel(task);
    pillion_task_detach(task);
  }
  return rc;
}
