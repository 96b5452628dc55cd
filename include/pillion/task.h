/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_TASK_H
#define PILLION_INCLUDE_TASK_H

/*
 * Tasks: futures that an executor polls. Most functions take calls of Go, too.
 */

#include "executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_task_spawn starts a C future. Its storage, `self`, is the caller's: a
 * spawn allocates nothing once the executor has seen as many tasks before. With
 * PILLION_EVENT its end comes as an event with `token`; with PILLION_JOIN it is
 * kept for pillion_join; with PILLION_DETACH it is thrown away. `out` may be
 * NULL. The task is first polled in the next turn.
 *
 * Threads: the owner's; the first spawn binds the executor to its thread.
 * Reentrancy: anywhere.
 * Ownership: `self` is the future's until its drop was called; *future is
 *   static.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EAGAIN (over
 *   max_tasks), PILLION_ENOMEM, PILLION_ECLOSED, PILLION_EINVAL or
 *   PILLION_ENOTSUP (see SIZES in pillion.h).
 * Since: 0.1
 */
int pillion_task_spawn(pillion_task *out, pillion_executor executor,
                       const pillion_future *future, void *self, uint64_t token,
                       uint32_t flags);

/*
 * pillion_task_cancel asks a task or call to stop. A C future is dropped in the
 * next turn. A Go function's context is cancelled, and what the function then
 * returns decides the outcome. The event or the join still comes, and its
 * outcome tells whether the cancel came in time.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: none.
 * Returns: 0, 1 (it was asked before), 2 (it has ended, and was not yet taken)
 *   or PILLION_EBADHANDLE. Of several callers, on any threads, one gets 0.
 * Since: 0.1
 */
int pillion_task_cancel(pillion_task task);

/*
 * pillion_task_deadline cancels a task or call when the executor's clock shows
 * `at`, unless it has ended by then. It ends as if pillion_task_cancel had
 * asked, but with the status PILLION_ETIMEDOUT; a Go function's context is
 * cancelled with context.DeadlineExceeded. Of a cancel and several deadlines
 * the first counts. `storage` is a timer like any other: zeroed at first, it
 * has one deadline at a time; another call moves it, and PILLION_TIME_NEVER or
 * pillion_timer_clear takes it back. It may lie in the task's own future, whose
 * drop then clears it. For a pool's task that is right only if the task itself
 * arms it: its future may be gone at any time.
 *
 * Threads: the owner's; for a pool's task any worker's, inside its turn.
 * Reentrancy: anywhere.
 * Ownership: the storage stays the caller's and must outlive its arming.
 * Returns: 0, 2 (it has ended), PILLION_EBADHANDLE, PILLION_EWRONGTHREAD,
 *   PILLION_EAGAIN (over max_timers) or PILLION_EINVAL (the storage is armed on
 *   another executor, or it is a pool's task or a call without an executor).
 * Since: 0.1
 */
int pillion_task_deadline(pillion_timer *storage, pillion_task task,
                          int64_t at);

/*
 * pillion_task_detach gives up the result of a task or call that was started
 * with PILLION_JOIN, or of a call without an executor. The task goes on, and
 * its result is thrown away.
 *
 * Threads: the owner's; any for a pool's task, or a call without an executor.
 * Reentrancy: anywhere.
 * Ownership: the handle is stale when the task has ended.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EINVAL (it was
 *   started with other flags) or PILLION_EBUSY (a thread waits for it).
 * Since: 0.1
 */
int pillion_task_detach(pillion_task task);

/*
 * pillion_task_evict ends a C task at once, for storage that must go now: its
 * future is dropped before the call returns. The event or the join still comes.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere but in the task's own poll or drop
 *   (PILLION_EREENTRANT).
 * Ownership: `self` is the caller's again.
 * Returns: 0, 2 (it had ended), PILLION_EBADHANDLE (also for calls),
 *   PILLION_EWRONGTHREAD, PILLION_EREENTRANT or PILLION_EINVAL (a pool's task).
 * Since: 0.1
 */
int pillion_task_evict(pillion_task task);

/*
 * pillion_task_wait waits for a call that was submitted without an executor.
 * After PILLION_ETIMEDOUT or PILLION_EINTR it may be called again. To give up,
 * cancel and detach the task.
 *
 * Threads: any except a loop's; one at a time.
 * Reentrancy: not inside a turn.
 * Ownership: when it answers 0 the value is the caller's, to be released with
 *   pillion_value_drop, and `task` is gone.
 * Returns: 0 with *out, PILLION_ETIMEDOUT, PILLION_EINTR, PILLION_EBADHANDLE,
 *   PILLION_EBUSY (another waits, or a task joins it), PILLION_EREENTRANT or
 *   PILLION_EDEADLOCK (the thread owns an executor with a provider).
 * Since: 0.1
 */
int pillion_task_wait(pillion_value *out, pillion_task task, int64_t timeout);

/* ---- Wakers -------------------------------------------------------------- */

#define PILLION_WOKEN 0     /* the task will be polled */
#define PILLION_COALESCED 1 /* it was to be polled already */
#define PILLION_STALE 2     /* it has ended */

/*
 * pillion_wake has a task polled again; future.h has the contract.
 *
 * Threads: any, and any signal handler; errno is preserved.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: PILLION_WOKEN, PILLION_COALESCED, PILLION_STALE or
 *   PILLION_EBADHANDLE.
 * Since: 0.1
 */
int pillion_wake(pillion_waker waker);

/*
 * pillion_wake_local is pillion_wake on the owner's thread, without a locked
 * instruction.
 *
 * Threads: the owner's, outside signal handlers.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: as pillion_wake, or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_wake_local(pillion_waker waker);

#ifdef __cplusplus
}
#endif

#endif
