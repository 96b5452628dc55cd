/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_WATCH_H
#define PILLION_INCLUDE_WATCH_H

/*
 * Descriptors. Pillion has no reactor: the host's loop watches them, through
 * the hooks `watch` and `unwatch` of pillion_host, which the adapters have. A
 * future then awaits what it needs:
 *
 *     PILLION_ASYNC(e->state);
 *     while ((n = read(e->fd, e->bytes, sizeof e->bytes)) != 0) {
 *       if (n > 0) {
 *         use(e, n);
 *       } else if (errno == EAGAIN) {
 *         PILLION_AWAIT(e->state,
 *                       pillion_ready(NULL, cx, e->watch, PILLION_READABLE));
 *       } else {
 *         return PILLION_ESYSTEM;
 *       }
 *     }
 *
 * Readiness is level-triggered: it says how things stood when the host looked.
 * So descriptors should be non-blocking. A task that reads and awaits again
 * costs the host nothing: the host goes on watching until it reports something
 * that no task awaits.
 */

#include "executor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PILLION_READABLE 1u
#define PILLION_WRITABLE 2u
#define PILLION_HANGUP 4u   /* the other side is gone, or will send no more */
#define PILLION_PRIORITY 8u /* urgent data, or a change of a file in /proc */
#define PILLION_FAULT 16u   /* an error: the next read or write tells which */

#define PILLION_WATCH_OWN 1u /* close(2) the descriptor with the watch */

/*
 * pillion_watch_open makes a watch of `fd`, for tasks of this executor. The
 * host hears of it when a task first awaits it. An executor has one watch of a
 * descriptor; for a second one there is dup(2).
 *
 * Threads: the owner's; the first call binds the executor to its thread.
 * Reentrancy: anywhere.
 * Ownership: *out is the caller's, to be closed; if it is open when the
 *   executor is freed, it is closed then. The descriptor must stay open as long
 *   as the watch. With PILLION_WATCH_OWN it is the library's from now on.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EINVAL (no
 *   open descriptor, unknown flags), PILLION_EBUSY (it is watched already),
 *   PILLION_EAGAIN (over max_watches), PILLION_ENOMEM or PILLION_ECLOSED.
 * Since: 0.1
 */
int pillion_watch_open(pillion_watch *out, pillion_executor executor, int fd,
                       uint32_t flags);

/*
 * pillion_watch_close ends a watch. Tasks that await it are woken and get
 * PILLION_ECLOSED; the host lets go of the descriptor; then the descriptor is
 * closed, if the watch owns it. A call on the owner's thread does that before
 * it returns. After a call on another thread the next turn does it.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the handle is stale afterwards.
 * Returns: 0, or PILLION_EBADHANDLE (also if it was closed before: of several
 *   callers, on any threads, one gets 0).
 * Since: 0.1
 */
int pillion_watch_close(pillion_watch watch);

/*
 * pillion_ready awaits a descriptor: one of PILLION_READABLE, PILLION_WRITABLE,
 * PILLION_HANGUP and PILLION_PRIORITY, or several. *events (which may be NULL)
 * tells which of them came, and always PILLION_HANGUP and PILLION_FAULT. Each
 * event may have one task that awaits it, so one task may read while another
 * writes. A task that ends awaits nothing any more; one that turns to something
 * else should call pillion_ready_clear.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: none.
 * Returns: PILLION_READY with *events, PILLION_PENDING, PILLION_ECLOSED (the
 *   watch was closed), PILLION_EBUSY (another task awaits the same),
 *   PILLION_ENOTSUP (the host cannot watch it, or watches nothing at all; or
 *   the task is a pool's, which moves between hosts), another error of the
 *   host's, PILLION_EINVAL (no or unknown events), PILLION_EBADHANDLE or
 *   PILLION_EWRONGTHREAD (it is another executor's).
 * Since: 0.1
 */
static inline int pillion_ready(uint32_t *events, pillion_context *cx,
                                pillion_watch watch, uint32_t interest) {
  if (cx->ops->ready == NULL) return PILLION_ENOTSUP;
  return cx->ops->ready(events, cx, watch, interest);
}

/*
 * pillion_ready_clear ends the task's interest in the events `interest`, so
 * that another task may await them.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: none.
 * Returns: nothing; a watch that is closed stays as it is.
 * Since: 0.1
 */
static inline void pillion_ready_clear(pillion_context *cx, pillion_watch watch,
                                       uint32_t interest) {
  if (cx->ops->ready_clear != NULL) cx->ops->ready_clear(cx, watch, interest);
}

#ifdef __cplusplus
}
#endif
#endif
