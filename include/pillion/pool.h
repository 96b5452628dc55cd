/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_POOL_H
#define PILLION_INCLUDE_POOL_H

/*
 * Pools: tasks that move between threads. The workers of a pool are executors
 * that join it, each on a thread and a loop of its own: libuv here, poll(2)
 * there, asyncio in a third. Joining changes nothing else for an executor: its
 * own tasks stay with it, and descriptor, deadline and turn are all that its
 * loop needs, so its adapter remains the same. A share of each turn goes to the
 * pool's tasks, and a worker that has none left takes some from another. No
 * thread is started unasked.
 *
 *     pillion_pool pool;
 *     pillion_pool_new(&pool, NULL, NULL, 0);
 *     pillion_pool_spawn(NULL, pool, 0, &future, self, 0, PILLION_DETACH);
 *
 *     on each thread that helps, with an executor of its own:
 *     pillion_pool_join(pool, executor, 0);
 *     ... its loop runs ...
 *
 * A POOL'S TASK is a future like any other. No two of its polls run at once,
 * and each sees what the earlier ones did; but they, and its drop, run on any
 * worker's thread. Whatever a poll touches besides its own `self`, its author
 * has to lock. Any thread may wake, cancel and detach the task. It cannot be
 * evicted (PILLION_EINVAL), since another thread may be polling it.
 *
 * TIME. Timers and all of time.h work as on an executor. pillion_task_deadline
 * for a task of the pool is for any turn of its workers, and answers
 * PILLION_EWRONGTHREAD elsewhere. Times are those of the workers' clocks; when
 * a time has come, the first worker to make a turn acts on it.
 *
 * GO'S FUTURES run beside them: a call of a loop or async function with the
 * option `pool` (pillion_call_submit_with) is polled by the same workers, and
 * moves between them. Turns enter Go only when such a call is ready.
 *
 * JOINING GO. A task of the pool may join calls that were made without an
 * executor, in the pool or not. It submits one itself, or is given its handle;
 * pillion_abandon in the task's drop ends the call.
 *
 * HOW LONG LOOPS RUN. While a pool's tasks live they count in progress.live of
 * its workers. So a loop that runs as long as something lives goes on, and is
 * told when the last task is gone. A worker that should also wait for work that
 * is yet to come joins with PILLION_HOLD.
 *
 * A POLL THAT BLOCKS its loop does not hold up other tasks, since other workers
 * take them. There are two exceptions: one task that was woken in the very poll
 * that blocks; and the earliest timer, if no other worker has made a turn since
 * it was set. Both come late, and neither is lost.
 */

#include "executor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t pillion_pool;

/*
 * pillion_pool_options are what a pool is made of; zero, or NULL, is always a
 * good value.
 *
 * max_tasks: a task counts as on an executor; so does a call of Go's, until it
 *   has a result.
 * context_hooks: what every C task of the pool carries, as for executors
 *   (executor.h). `capture` is called on the thread that spawns, whether it is
 *   a worker's or not. The other hooks are called on the worker that polls or
 *   drops the task, or on the thread that frees the pool.
 */
typedef struct pillion_pool_options {
  size_t size;
  int version;        /* PILLION_VERSION_NUMBER of the program's header */
  uint32_t flags;     /* zero */
  uint32_t max_tasks; /* tasks alive at once; 0: as many as there are slots */
  uint32_t reserved;  /* zero */
  uint64_t seed;      /* of the order in which workers look for tasks to take */
  const pillion_context_hooks *context_hooks; /* copied; NULL: none */
} pillion_pool_options;

#define PILLION_POOL_OPTIONS_INIT \
  {sizeof(pillion_pool_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL}

/*
 * pillion_pool_new makes a pool without workers. `options` may be
 * NULL; a reason goes to `errbuf`, which may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not inside a turn if the library has not started.
 * Ownership: *out is the caller's, to be closed and freed.
 * Returns: 0, PILLION_EAGAIN (1,024 pools are alive), or as pillion_start.
 * Since: 0.1
 */
int pillion_pool_new(pillion_pool *out, const pillion_pool_options *options,
                     char *errbuf, size_t errcap);

#define PILLION_HOLD 1u /* live until the pool is closed and empty */

/*
 * pillion_pool_join makes `executor` a worker of the pool: from its next turn
 * on it polls the pool's tasks, too. It may join and leave at any time, also
 * after the pool was closed, to help it end. With PILLION_HOLD its
 * progress.live is at least 1 until the pool is closed and empty, or until it
 * leaves.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: the executor stays the caller's. pillion_executor_free and the end
 *   of its thread leave the pool by themselves.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EREENTRANT,
 *   PILLION_EINVAL (unknown flags), PILLION_EBUSY (it works for a pool
 *   already), PILLION_EAGAIN (256 workers are in the pool) or PILLION_ENOMEM.
 * Since: 0.1
 */
int pillion_pool_join(pillion_pool pool, pillion_executor executor,
                      uint32_t flags);

/*
 * pillion_pool_leave ends an executor's work for its pool. The tasks that wait
 * for it go to the other workers. Coroutines of Go cannot move: while one is
 * suspended on the worker's thread, the worker has to stay.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EREENTRANT,
 *   PILLION_EINVAL (it works for no pool) or PILLION_EBUSY (coroutines are
 *   suspended on its thread).
 * Since: 0.1
 */
int pillion_pool_leave(pillion_executor executor);

/*
 * pillion_pool_spawn starts a future on the pool. With PILLION_EVENT its end
 * comes as an event with `token` to the executor `home`, which need not be a
 * worker, and in whose progress.live the task counts until then; if `home` is
 * freed before, the event is lost. With PILLION_JOIN the end is kept for
 * pillion_join by a task of any executor or pool. With PILLION_DETACH it is
 * thrown away. Tasks that this one spawns through its context have the same
 * `home`. It may be 0 if no event is asked for. `out` may be NULL.
 *
 * A spawn allocates nothing once the pool has seen as many tasks before.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: `self` is the future's until its drop was called; *future is
 *   static.
 * Returns: 0, PILLION_EBADHANDLE (also of `home`), PILLION_EAGAIN (over
 *   max_tasks), PILLION_ENOMEM, PILLION_ECLOSED (the pool or `home` is
 *   closing), PILLION_EINVAL or PILLION_ENOTSUP (see SIZES in pillion.h).
 * Since: 0.1
 */
int pillion_pool_spawn(pillion_task *out, pillion_pool pool,
                       pillion_executor home, const pillion_future *future,
                       void *self, uint64_t token, uint32_t flags);

/*
 * pillion_pool_start starts `n` threads that make executors of their own and
 * only work for the pool, until it is closed and empty or pillion_pool_stop is
 * called. When it answers 0 all of them are workers; after an error none of
 * these threads is left. They count among `workers` in pillion_library_count,
 * have the name "pillion-pool", and take none of the process's signals.
 *
 * Threads: any; it waits until the new threads have run, and never for Go. Call
 *   it before the loop runs.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EREENTRANT, PILLION_EINVAL (`n` is 0,
 *   or more than 256), PILLION_ECLOSED, PILLION_EAGAIN (the system gives no
 *   more threads, or 256 workers are in the pool), PILLION_ESYSTEM (no
 *   descriptors) or PILLION_ENOMEM.
 * Since: 0.1
 */
int pillion_pool_start(pillion_pool pool, uint32_t n);

/*
 * pillion_pool_stop tells the threads of pillion_pool_start to leave, and waits
 * for `timeout` ns at most until they have left; with 0 it does not wait. The
 * tasks stay, for other workers or later ones.
 *
 * Threads: any; not a loop's, unless `timeout` is 0.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EREENTRANT or PILLION_ETIMEDOUT (some
 *   have yet to leave).
 * Since: 0.1
 */
int pillion_pool_stop(pillion_pool pool, int64_t timeout);

/*
 * pillion_pool_close lets nothing begin any more: spawns are refused with
 * PILLION_ECLOSED, also those of the pool's own tasks. The workers' turns drain
 * or cancel what lives, as `mode` says. A second close may turn a drain into a
 * cancel.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the pool stays the caller's.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_pool_close(pillion_pool pool, int mode);

/*
 * pillion_pool_free reclaims a pool that has no worker any more. Tasks that
 * still live are cancelled, and dropped on the calling thread. Their events and
 * joins come.
 *
 * Threads: any.
 * Reentrancy: not inside a turn.
 * Ownership: the handle is stale afterwards.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EREENTRANT or PILLION_EBUSY (workers
 *   are in it).
 * Since: 0.1
 */
int pillion_pool_free(pillion_pool pool);

/*
 * pillion_pool_stats counts what a pool is doing.
 */
typedef struct pillion_pool_stats {
  size_t size;
  uint64_t workers; /* executors that are in it */
  uint64_t idle;    /* workers that have found nothing to do */
  uint64_t threads; /* workers that pillion_pool_start has started */
  uint64_t live;   /* tasks that have not ended or not been taken; it may be too
                    large while workers are in their turns */
  uint64_t polls;  /* by all workers, also those that have left */
  uint64_t steals; /* times that a worker took tasks from another */
} pillion_pool_stats;

#define PILLION_POOL_STATS_INIT {sizeof(pillion_pool_stats), 0, 0, 0, 0, 0, 0}

/*
 * pillion_pool_stat fills *out, as far as out->size goes.
 *
 * Threads: any, for approximate figures.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_pool_stat(pillion_pool_stats *out, pillion_pool pool);

#ifdef __cplusplus
}
#endif
#endif
