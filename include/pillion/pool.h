/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_POOL_H
#define PILLION_INCLUDE_POOL_H

/*
 * Pools: tasks that move between threads. Pillion starts none unasked. A pool
 * is worked for by executors that join it, each on a thread and a loop of its
 * own: libuv here, poll(2) there, asyncio in a third. What an executor had it
 * keeps: its own tasks stay with it, its descriptor, deadline and turn remain
 * all that its loop needs, and so its adapter remains the same. A share of each
 * turn goes to the pool's tasks, and a worker that has none left takes some
 * from another.
 *
 *     pillion_pool pool;
 *     pillion_pool_new(&pool, NULL, NULL, 0);
 *     pillion_pool_spawn(NULL, pool, 0, &future, self, 0, PILLION_DETACH);
 *
 *     on each thread that shall help, with an executor of its own:
 *     pillion_pool_join(pool, executor, 0);
 *     ... its loop runs ...
 *
 * A POOL'S TASK is a future like any other. No two of its polls run at once,
 * and each sees what the earlier ones did; but they run on any of the workers'
 * threads, and so does its drop. What a poll may touch besides its own `self`
 * is for the author to lock. Wakes, cancels and detaching work by handle from
 * any thread. pillion_task_evict does not (PILLION_EINVAL): the task may be in
 * a poll elsewhere.
 *
 * TIME. Timers and all of time.h work as on an executor; pillion_task_deadline
 * for a task of the pool in any turn of its workers (elsewhere it is
 * PILLION_EWRONGTHREAD), by the clocks of the workers. Whichever of them turns
 * first when a time has come acts on it.
 *
 * GO'S FUTURES run beside them: a call of a loop or async function with its
 * `pool` set (pillion_call_submit_with) is polled by the same workers, and
 * moves between them. Their turns enter Go as often as there is something to do
 * there, and not at all before the first such call.
 *
 * WHAT THEY JOIN of Go's is a call without an executor, in the pool or not,
 * that a task submits itself or gets from anywhere; pillion_abandon in its drop
 * ends it.
 *
 * WHO WAITS FOR WHOM. While a pool's tasks live they count in progress.live of
 * its workers, as of their last turns: so a loop that lives as long as there is
 * work goes on, and is told when the last task has gone. A worker that is to
 * wait for work that isn't there yet joins with PILLION_HOLD.
 *
 * A LOOP THAT BLOCKS keeps nobody from what waits in its turn, but for two
 * things: a single task that was woken in the poll that blocks, and the
 * earliest timer, if no other worker has made a turn since it was set. Both
 * then come late, and neither is lost.
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
 * context_hooks: what every C task of the pool's carries, as for executors in
 *   pillion.h. The token is captured by the thread that spawns, also one of
 *   another executor. Polls and the drop, and what is called around them, are
 *   on whichever worker has the task; the drop may be on the thread that frees
 *   the pool.
 */
typedef struct pillion_pool_options {
  size_t size;
  int version;        /* PILLION_VERSION_NUMBER of the program's header */
  uint32_t flags;     /* zero */
  uint32_t max_tasks; /* tasks alive at once; 0: as many as there are slots */
  uint32_t reserved;  /* zero */
  uint64_t seed;      /* of the order in which workers look at each other */
  const pillion_context_hooks *context_hooks; /* copied; NULL: none */
} pillion_pool_options;

#define PILLION_POOL_OPTIONS_INIT \
  {sizeof(pillion_pool_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL}

/*
 * pillion_pool_new makes a pool, in which nobody works yet. `options` may be
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
 * pillion_pool_leave ends an executor's work for its pool. The tasks that were
 * waiting for it go to the others. Coroutines of Go's can't: as long as any is
 * suspended on a worker's thread it has to stay.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EREENTRANT,
 *   PILLION_EINVAL (it works for no pool) or PILLION_EBUSY (of coroutines).
 * Since: 0.1
 */
int pillion_pool_leave(pillion_executor executor);

/*
 * pillion_pool_spawn starts a future on the pool. With PILLION_EVENT its end
 * comes as an event with `token` on the executor `home`, which need be no
 * worker, and counts in its progress.live until then; a home that is freed
 * before forgoes the event. With PILLION_JOIN it is kept for pillion_join, by a
 * task of any executor or pool. With PILLION_DETACH it is thrown away. `home`
 * is also that of the tasks that this one spawns through its context; it may be
 * 0 where no event is asked for. `out` may be NULL.
 *
 * A spawn allocates nothing once the pool has seen as many tasks before.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: `self` is the future's until its drop was called; *future is
 *   static.
 * Returns: 0, PILLION_EBADHANDLE (also of `home`), PILLION_EAGAIN (over
 *   max_tasks), PILLION_ENOMEM, PILLION_ECLOSED (the pool or `home` is closing)
 *   or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_pool_spawn(pillion_task *out, pillion_pool pool,
                       pillion_executor home, const pillion_future *future,
                       void *self, uint64_t token, uint32_t flags);

/*
 * pillion_pool_start starts `n` threads that make executors of their own and do
 * nothing but work for the pool, until it is closed and empty or
 * pillion_pool_stop is called. When it answers 0 all of them are workers; after
 * an error none is, and none is left. None is started that was not asked for
 * here. They count among `workers` in pillion_library_count, are called
 * "pillion-pool", and take no signal of the process's.
 *
 * Threads: any; it waits until the new threads have run, and never for Go. Call
 *   it before the loop runs.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EREENTRANT, PILLION_EINVAL (none, or
 *   more than 256), PILLION_ECLOSED, PILLION_EAGAIN (no more threads to be had,
 *   or 256 workers in the pool), PILLION_ESYSTEM (no descriptors) or
 *   PILLION_ENOMEM.
 * Since: 0.1
 */
int pillion_pool_start(pillion_pool pool, uint32_t n);

/*
 * pillion_pool_stop tells the workers that pillion_pool_start has started to
 * leave, and waits for `timeout` ns at most until they have; with 0 it waits
 * for none. The tasks stay, for other workers or later ones.
 *
 * Threads: any; with a timeout, never a loop's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EREENTRANT or PILLION_ETIMEDOUT (some
 *   are about to leave).
 * Since: 0.1
 */
int pillion_pool_stop(pillion_pool pool, int64_t timeout);

/*
 * pillion_pool_close stops the intake: spawns are refused with PILLION_ECLOSED,
 * those of the pool's own tasks too. What lives is drained, or asked to stop,
 * as `mode` says; the workers' turns do that. A second close may turn a drain
 * into a cancel.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the pool stays the caller's.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_pool_close(pillion_pool pool, int mode);

/*
 * pillion_pool_free reclaims a pool in which nobody works any more. Tasks that
 * still live are cancelled, and dropped on the calling thread; events of theirs
 * are delivered, joins end.
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
 * pillion_pool_stats says what a pool is doing.
 */
typedef struct pillion_pool_stats {
  size_t size;
  uint64_t workers; /* executors that are in it */
  uint64_t idle;    /* of which have found nothing to do */
  uint64_t threads; /* of which pillion_pool_start has started */
  uint64_t live;   /* tasks that have not ended or not been taken; it may be too
                    large while workers are in their turns */
  uint64_t polls;  /* by all that ever worked for it */
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
