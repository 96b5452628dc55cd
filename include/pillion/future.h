/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_FUTURE_H
#define PILLION_INCLUDE_FUTURE_H

/*
 * Futures and wakers: what the author of a future needs, with value.h and
 * time.h. They are freestanding C11: no libc, no heap, no threads. A future
 * reaches its runtime only through the operations of its context, so the same
 * object code runs on executors and pools of every library.
 *
 * A future is a static vtable and a `self`:
 *
 *     struct nap { pillion_timer timer; int state; };
 *
 *     static int nap_poll(pillion_value *out, pillion_context *cx,
 *                         void *self) {
 *       struct nap *nap = self;
 *       PILLION_ASYNC(nap->state);
 *       PILLION_AWAIT(nap->state, pillion_sleep(&nap->timer, cx, 1000000));
 *       pillion_value_set(out, "rested", 6);
 *       PILLION_RETURN(nap->state);
 *       PILLION_ASYNC_END;
 *     }
 *
 * THE WAKER CONTRACT. A waker is a plain 64-bit value that says "poll that
 * task again".
 *
 *   - It is a number, to be copied freely. There is no clone, no drop and no
 *     count: a forgotten waker leaks nothing, and a late one does nothing.
 *   - pillion_wake may be called on any thread, in any signal handler, at any
 *     time, also when task, executor and host are gone. It preserves errno.
 *   - N wakes before a poll give one poll. A wake during a poll gives one
 *     more. A wake before the first poll is kept. None is lost. (A wake from
 *     another thread during a turn may count as a wake during the poll. So a
 *     poll may find nothing new, and has to cope with that.)
 *   - A wake only schedules the task and never polls it. It wakes the host only
 *     when the executor is idle, once a burst.
 */

#include "error.h"
#include "size.h"
#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t pillion_waker;
typedef uint64_t pillion_task;
typedef uint64_t pillion_watch; /* see watch.h */

/* A time is nanoseconds of the monotonic clock, absolute. */
#define PILLION_TIME_NEVER INT64_MAX

/* What a poll answers; a negative PILLION_E… is an error and ends it. */
#define PILLION_PENDING 0
#define PILLION_READY 1

#define PILLION_OUTCOME_RETURNED 0            /* with a value or an error */
#define PILLION_OUTCOME_CANCELLED_UNSTARTED 1 /* before its first step */
#define PILLION_OUTCOME_CANCELLED_RUNNING 2

/* What becomes of a task's end. */
#define PILLION_EVENT 0u  /* the result comes as an event, with the token */
#define PILLION_JOIN 1u   /* it goes to the poll that joins the task */
#define PILLION_DETACH 2u /* it is thrown away */

typedef struct pillion_ops pillion_ops;

/*
 * pillion_context is what a poll is given. It is valid during that poll only; a
 * copy of the waker may be kept.
 */
typedef struct pillion_context {
  size_t size;
  pillion_waker waker;
  int64_t now; /* when this turn began, ns; in a pool it is never earlier
                  than a timer that any worker has fired */
  const pillion_ops *ops;
  void *runtime; /* the executor's own */
  void *child;   /* scope.h's own; NULL at first */
} pillion_context;

/*
 * pillion_timer is one pending wake-up, in the caller's storage. The caller
 * zeroes it before its first use, and clears it (pillion_timer_clear) before
 * the storage goes. Every field is private.
 */
typedef struct pillion_timer {
  int64_t deadline;
  pillion_waker waker;
  struct pillion_timer *child, *next, *prev;
  const pillion_ops *ops;
  void *runtime;
  uint64_t seq;
} pillion_timer;

/*
 * pillion_future is a future's static description. Both functions are called on
 * the owner's thread, never two at once. `poll` answers PILLION_READY with the
 * result in *out, PILLION_PENDING after it has arranged that cx->waker is
 * woken, or a negative PILLION_E…. `drop`, which may be NULL, is called exactly
 * once, when the future has ended, was cancelled or was evicted; nothing
 * touches `self` after it. Neither may throw, longjmp or end the thread.
 */
typedef struct pillion_future {
  size_t size;
  int (*poll)(pillion_value *out, pillion_context *cx, void *self);
  void (*drop)(void *self);
} pillion_future;

static inline int pillion__future_check(const pillion_future *future) {
  int rc = pillion__sized(future, sizeof *future, PILLION__FIRST_FUTURE);
  return rc == 0 && future->poll == NULL ? PILLION_EINVAL : rc;
}

/*
 * pillion_ops are the operations of the runtime that polls. Futures call them
 * through the functions below and those of time.h, watch.h and scope.h, inside
 * the poll that was given `cx`.
 */
struct pillion_ops {
  size_t size;
  int (*timer_set)(pillion_timer *timer, pillion_context *cx, int64_t deadline);
  void (*timer_clear)(pillion_timer *timer);
  int (*join)(pillion_value *out, pillion_context *cx, pillion_task task);
  int (*spawn)(pillion_task *out, pillion_context *cx,
               const pillion_future *future, void *self, uint64_t token,
               uint32_t flags);
  int (*wake)(pillion_waker waker);
  int (*shield)(pillion_context *cx, int on);
  int (*cancelled)(pillion_context *cx);
  int (*cancel)(pillion_task task);
  int (*detach)(pillion_task task);
  int (*evict)(pillion_task task); /* NULL where tasks move between threads */
  uint64_t flags;                  /* PILLION_OPS_SHARED, or 0 */
  int (*ready)(uint32_t *events, pillion_context *cx, pillion_watch watch,
               uint32_t interest);
  void (*ready_clear)(pillion_context *cx, pillion_watch watch,
                      uint32_t interest);
  /* NULL where calls have another owner: on a pool */
  int (*next)(pillion_value *out, pillion_context *cx, pillion_task call);
};

#define PILLION_OPS_SHARED 1u /* tasks may run at once: it is a pool */

/*
 * pillion_join awaits `task`, which was started with PILLION_JOIN: a task or
 * call of the same executor, a task of any pool, or a call without an executor.
 * Tasks of any executor or pool may join the latter two. The result goes to the
 * first poll that finds it ready.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only; a task cannot join itself (PILLION_EINVAL).
 * Ownership: once ready the value is the caller's, to be released with
 *   pillion_value_drop, and `task` is gone.
 * Returns: PILLION_READY with *out, whose status is the task's own,
 *   PILLION_PENDING, PILLION_EBADHANDLE, PILLION_EBUSY (another task joins it,
 *   or a thread waits for it), PILLION_EWRONGTHREAD (it is another executor's)
 *   or PILLION_EINVAL (it was not started with PILLION_JOIN).
 * Since: 0.1
 */
static inline int pillion_join(pillion_value *out, pillion_context *cx,
                               pillion_task task) {
  return cx->ops->join(out, cx, task);
}

/*
 * pillion_next awaits the next item of a call that was submitted with
 * PILLION_JOIN and credit, to the same executor. It grants again as it reads,
 * up to the call's first credit. After the last item pillion_join gives the
 * call's end.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: once ready the item is the caller's, to be released with
 *   pillion_value_drop.
 * Returns: PILLION_READY with *out, PILLION_PENDING, PILLION_ECLOSED (no more
 *   items: join the call), PILLION_EBADHANDLE, PILLION_EWRONGTHREAD (it is
 *   another executor's), PILLION_EINVAL (it has no items, or was not submitted
 *   with PILLION_JOIN) or PILLION_ENOTSUP (on a pool).
 * Since: 0.1
 */
static inline int pillion_next(pillion_value *out, pillion_context *cx,
                               pillion_task call) {
  if (cx->ops->size <= offsetof(pillion_ops, next) || cx->ops->next == NULL)
    return PILLION_ENOTSUP;
  return cx->ops->next(out, cx, call);
}

/*
 * pillion_spawn starts `future` on the executor that polls; see
 * pillion_task_spawn in task.h for `token` and `flags`.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only; the new task is polled in a later turn.
 * Ownership: `self` is the future's until its drop was called.
 * Returns: 0, or as pillion_task_spawn.
 * Since: 0.1
 */
static inline int pillion_spawn(pillion_task *out, pillion_context *cx,
                                const pillion_future *future, void *self,
                                uint64_t token, uint32_t flags) {
  return cx->ops->spawn(out, cx, future, self, token, flags);
}

/*
 * pillion_shield holds a cancel or a deadline off the task that is being
 * polled. While the shield is on, a cancel is noted, and the task is polled as
 * before. When the shield is taken off, the task is dropped in the next turn,
 * unless this poll ends it. Put back what the call answered, so that sections
 * nest:
 *
 *     int before = pillion_shield(cx, 1);
 *     ...
 *     pillion_shield(cx, before);
 *
 * A shield does not hold off eviction, nor the end of the executor.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: none.
 * Returns: 1 if it was on, 0 if not, or PILLION_EINVAL outside a poll.
 * Since: 0.1
 */
static inline int pillion_shield(pillion_context *cx, int on) {
  return cx->ops->shield(cx, on);
}

/*
 * pillion_cancelled reports whether the task that is being polled was asked to
 * stop. Only a task that is shielded, or that was asked in this very poll, sees
 * that. A cancel from another thread shows from the next turn on, and wakes the
 * task.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: none.
 * Returns: 0 or 1.
 * Since: 0.1
 */
static inline int pillion_cancelled(pillion_context *cx) {
  return cx->ops->cancelled(cx);
}

/*
 * pillion_cancel asks a task or call to stop, as pillion_task_cancel in task.h
 * does. It takes the operations instead of a context, since a drop has no
 * context: a future keeps cx->ops beside what it awaits.
 *
 * Threads: any.
 * Reentrancy: in polls and drops, and outside.
 * Ownership: none; a task that joins it still gets its end.
 * Returns: 0, 1 (asked before), 2 (it has ended) or PILLION_EBADHANDLE.
 * Since: 0.1
 */
static inline int pillion_cancel(const pillion_ops *ops, pillion_task task) {
  return ops->cancel(task);
}

/*
 * pillion_abandon cancels a task or call that was started with PILLION_JOIN,
 * and gives its result up. It is all that a future's drop has to do about what
 * it was awaiting. With a zero `task` or `ops` it does nothing, and nothing for
 * a task that was joined.
 *
 *     static void asking_drop(void *self) {
 *       struct asking *a = self;
 *       pillion_abandon(a->ops, a->call);
 *     }
 *
 * Threads: the owner's; any for a pool's task and a call without an executor.
 * Reentrancy: in polls and drops, and outside.
 * Ownership: the handle is stale when the task has ended.
 * Returns: 0, or PILLION_EBADHANDLE (it is gone).
 * Since: 0.1
 */
static inline int pillion_abandon(const pillion_ops *ops, pillion_task task) {
  if (ops == NULL || task == 0) return 0;
  ops->cancel(task);
  return ops->detach(task);
}

/*
 * Async functions in C. `state` is an int in the future's own struct, zero at
 * first. Locals do not survive an await. PILLION_AWAIT polls `expression` until
 * it is ready; if that is an error, the poll returns it.
 */
#if defined(__GNUC__) && __GNUC__ >= 7
#define PILLION__FALLTHROUGH __attribute__((fallthrough))
#elif defined(__clang__)
#define PILLION__FALLTHROUGH __attribute__((fallthrough))
#else
#define PILLION__FALLTHROUGH ((void)0)
#endif

#define PILLION_ASYNC(state) \
  switch (state) {           \
    case 0:

#define PILLION_AWAIT(state, expression)                    \
  do {                                                      \
    (state) = __LINE__;                                     \
    PILLION__FALLTHROUGH;                                   \
    case __LINE__: {                                        \
      int pillion__rc = (expression);                       \
      if (pillion__rc != PILLION_READY) return pillion__rc; \
    }                                                       \
  } while (0)

#define PILLION_RETURN(state) \
  do {                        \
    (state) = -1;             \
    return PILLION_READY;     \
  } while (0)

#define PILLION_ASYNC_END \
  }                       \
  return PILLION_READY

#ifdef __cplusplus
}
#endif
#endif
