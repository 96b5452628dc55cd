/* SPDX-License-Identifier: Apache-2.0 */

/* Making, closing and freeing pools. */
#include <string.h>

#include "pool.h"

/*
 * As executors, pools are never unmapped, only used again. One that was freed
 * while events of its tasks wait on some executor gives back what it has when
 * the last of them was taken.
 */
_Atomic(struct pillion__pool *) pillion__pools[PILLION__POOLS];
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock: the entries of the table, and a stack of those not in use. */
static uint32_t pools_known;
static uint32_t pools_idle[PILLION__POOLS], pools_idle_count;

/* No watches: they belong to one loop each, and a task here to none. */
const pillion_ops pillion__pool_ops = {
    .size = sizeof pillion__pool_ops,
    .timer_set = pillion__ptimer_set,
    .timer_clear = pillion__ptimer_clear,
    .join = pillion__pool_op_join,
    .spawn = pillion__pool_op_spawn,
    .wake = pillion__pool_wake,
    .shield = pillion__pool_op_shield,
    .cancelled = pillion__pool_op_cancelled,
    .cancel = pillion_task_cancel,
    .detach = pillion_task_detach,
    .flags = PILLION_OPS_SHARED,
};

/* ---- References ---------------------------------------------------------- */

/* Only while there is one: else the pool is nobody's, or another one's. */
bool pillion__pool_ref(struct pillion__pool *pool, uint64_t gen) {
  uint64_t refs = atomic_load(&pool->refs);
  do
    if (refs == 0) return false;
  while (!atomic_compare_exchange_weak(&pool->refs, &refs, refs + 1));
  if (atomic_load(&pool->gen) == gen) return true;
  pillion__pool_unref(pool, 1);
  return false;
}

static void pool_reclaim(struct pillion__pool *pool) {
  pillion__pslots_return(pool);
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&pool->workers[i]);
    pillion__deque_free(&worker->deque);
    atomic_store(&worker->polls, 0);
    atomic_store(&worker->steals, 0);
  }
  pthread_mutex_lock(&pools_lock);
  if (atomic_load(&pool->gen) < UINT32_MAX - 1) /* else used up: retired */
    pools_idle[pools_idle_count++] = pool->index;
  pthread_mutex_unlock(&pools_lock);
}

void pillion__pool_unref(struct pillion__pool *pool, uint64_t refs) {
  if (refs == 0) return;
  uint64_t left = atomic_fetch_sub(&pool->refs, refs) - refs;
  if (left == 1)
    pillion__pool_poke_all(pool); /* the last task: loops may end */
  else if (left == 0)
    pool_reclaim(pool);
}

/* Nobody polls any more: whoever is queued is in the inbox, or soon will be. */
static void drop_inbox(struct pillion__pool *pool) {
  uint32_t to = pillion__pool_take(pool);
  while (to != 0) {
    uint32_t slot = to - 1;
    to = atomic_load_explicit(&pillion__ptask_at(slot)->head.link,
                              memory_order_relaxed);
    pillion__ptask_drop(pool, slot);
  }
}

/* ---- New ----------------------------------------------------------------- */

static int pool_get_idle(struct pillion__pool **out) {
  struct pillion__pool *pool = NULL;
  pthread_mutex_lock(&pools_lock);
  if (pools_idle_count > 0)
    pool = atomic_load(&pillion__pools[pools_idle[--pools_idle_count]]);
  pthread_mutex_unlock(&pools_lock);
  *out = pool;
  if (pool != NULL) return 0;
  void *memory = pillion__alloc(sizeof *pool + 63);
  if (memory == NULL) return PILLION_ENOMEM;
  pool = (void *)((char *)memory + (-(uintptr_t)memory & 63));
  memset(pool, 0, sizeof *pool);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_mutex_init(&pool->timers_lock, NULL);
  pthread_mutex_lock(&pools_lock);
  bool room = pools_known < PILLION__POOLS;
  pool->index = pools_known;
  if (room)
    atomic_store_explicit(&pillion__pools[pools_known++], pool,
                          memory_order_release);
  pthread_mutex_unlock(&pools_lock);
  *out = pool;
  if (room) return 0;
  pillion__free(memory);
  return PILLION_EAGAIN;
}

int pillion_pool_new(pillion_pool *out, const pillion_pool_options *options,
                     char *errbuf, size_t errcap) {
  pillion_pool_options o = PILLION_POOL_OPTIONS_INIT;
  if (pillion__forked())
    return pillion__fail(PILLION_EFORKED, errbuf, errcap, "a forked child");
  if (out == NULL)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap, "out is NULL");
  if (options != NULL) {
    if (options->size < sizeof o)
      return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                           "options.size is %zu, not %zu or more",
                           options->size, sizeof o);
    o = *options;
  }
  if (o.flags != 0)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap, "unknown flags %#x",
                         o.flags);
  if (o.reserved != 0)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "options.reserved is not 0");
  pillion_context_hooks hooks;
  int rc = pillion__hooks_copy(&hooks, o.context_hooks, errbuf, errcap);
  if (rc == 0) rc = pillion__started_for(o.version, errbuf, errcap);
  if (rc < 0) return rc;
  struct pillion__pool *pool;
  rc = pool_get_idle(&pool);
  if (rc < 0)
    return pillion__fail(rc, errbuf, errcap,
                         rc == PILLION_ENOMEM ? "no memory for a pool"
                                              : "too many pools");
  uint64_t gen = atomic_load(&pool->gen) + 1;
  pool->max_tasks = o.max_tasks == 0 ? UINT32_MAX : o.max_tasks;
  /* A bound is to be exact: without credit. */
  pool->batch = o.max_tasks == 0 ? 64 : 1;
  pool->seed = o.seed;
  pool->hooks = hooks;
  atomic_store(&pool->threads, 0);
  atomic_store(&pool->deadline, PILLION_TIME_NEVER);
  atomic_store(&pool->fired, 0);
  pool->timers.deadline = PILLION_TIME_NEVER;
  pool->timers.max_armed = UINT32_MAX;
  atomic_store(&pool->closing, gen << 2);
  drop_inbox(pool); /* what came late for an earlier one */
  atomic_store(&pool->guest, 0);
  atomic_store(&pool->called, 0);
  pillion__guest_forget(pool);
  atomic_store(&pool->refs, 1);
  atomic_store(&pool->gen, gen);
  *out = pillion__handle(PILLION__POOL, pool->index, (uint32_t)gen);
  return 0;
}

/* ---- Close --------------------------------------------------------------- */

/* Whether a cell has a task that has not ended; one that is being spawned too. */
static bool unended(struct pillion__ptask *task) {
  uint32_t gen = atomic_load(&task->head.gen);
  uint64_t pend = atomic_load(&task->head.pend);
  if (pend >> 32 == gen && pend & PILLION__QUEUED)
    return !(pend & PILLION__DONE);
  return atomic_load(&task->head.mode) & PILLION__LIVE;
}

static void pool_ask(struct pillion__ptask *task, uint32_t slot, void *count) {
  if (!unended(task)) return;
  pillion__ptask_ask(task, slot, atomic_load(&task->head.gen));
  ++*(uint64_t *)count;
}

int pillion_pool_close(pillion_pool pool, int mode) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (mode != PILLION_CLOSE_DRAIN && mode != PILLION_CLOSE_CANCEL)
    return PILLION_EINVAL;
  uint64_t gen = pillion__gen_of(pool);
  uint64_t closing = gen << 2 | (1u + (uint32_t)mode);
  uint64_t old = atomic_load(&p->closing);
  if (!pillion__pool_ref(p, gen)) return PILLION_EBADHANDLE;
  while (old < closing &&
         !atomic_compare_exchange_weak(&p->closing, &old, closing)) {
  }
  if (old < closing) {
    uint64_t count = 0;
    if (mode == PILLION_CLOSE_CANCEL) {
      pillion__pslots_each(p, pool_ask, &count);
      if (atomic_load(&p->called)) pillion__calls_cancel_in(p->index + 1);
    }
    pillion__pool_poke_all(p);
  }
  pillion__pool_unref(p, 1);
  return 0;
}

/* ---- Free ---------------------------------------------------------------- */

/* Ended, and never joined. */
static void pool_detach(struct pillion__ptask *task, uint32_t slot,
                        void *data) {
  (void)data;
  if (atomic_load(&task->head.mode) & PILLION__LIVE)
    pillion__ptask_detach(
        pillion__handle(PILLION__TASK, slot, atomic_load(&task->head.gen)));
}

/* For a spawn that a close or a free may have missed. */
void pillion__pool_late(struct pillion__pool *pool, uint64_t gen,
                        pillion_task task) {
  pillion_task_cancel(task);
  if (atomic_load(&pool->gen) == gen) return;
  drop_inbox(pool);
  pillion__ptask_detach(task);
}

static int pool_retire(struct pillion__pool *pool, uint64_t gen) {
  int rc = 0;
  pthread_mutex_lock(&pool->lock);
  if (atomic_load(&pool->gen) != gen)
    rc = PILLION_EBADHANDLE; /* another thread was faster */
  else if (pool->workers_in > 0 || atomic_load(&pool->threads) > 0)
    rc = PILLION_EBUSY;
  else
    atomic_store(&pool->gen, gen + 1);
  pthread_mutex_unlock(&pool->lock);
  return rc;
}

int pillion_pool_free(pillion_pool pool) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (pillion__turning) return PILLION_EREENTRANT;
  uint64_t gen = pillion__gen_of(pool);
  rc = pool_retire(p, gen);
  if (rc < 0) return rc;
  int cancels; /* a half of a free would be worse than none */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  atomic_store(&p->closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
  pillion__turning = 1; /* its drops are as deep as any */
  if (atomic_load(&p->called)) pillion__calls_cancel_in(p->index + 1);
  if (atomic_load(&p->guest)) pillion__guest.pool_free(p->index);
  for (uint32_t round = 0;; round++) {
    uint64_t count = 0;
    pillion__pslots_each(p, pool_ask, &count);
    if (count == 0) break;
    drop_inbox(p);
    pillion__let_run(round); /* a waker may be between two instructions */
  }
  pillion__pslots_each(p, pool_detach, NULL);
  pillion__ptimers_forget(p);
  pillion__turning = 0;
  pillion__pool_unref(p, 1);
  pthread_setcancelstate(cancels, NULL);
  return 0;
}

/* ---- Counts -------------------------------------------------------------- */

void pillion__pool_count(pillion_library_counts *out) {
  for (uint32_t i = 0; i < PILLION__POOLS; i++) {
    struct pillion__pool *pool = atomic_load(&pillion__pools[i]);
    if (pool == NULL) return;
    uint64_t refs = atomic_load(&pool->refs);
    if (refs == 0) continue;
    out->pools++;
    uint64_t threads = atomic_load(&pool->threads);
    out->workers += threads;
    out->threads += threads;
    out->tasks += refs - atomic_load(&pool->gen) % 2;
  }
}

int pillion_pool_stat(pillion_pool_stats *out, pillion_pool pool) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (out == NULL || out->size < sizeof *out) return PILLION_EINVAL;
  pillion_pool_stats stats = {out->size, 0, 0, 0, 0, 0, 0};
  uint32_t end = atomic_load(&p->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&p->workers[i]);
    stats.workers += atomic_load(&worker->executor) != NULL;
    stats.polls +=
        atomic_load_explicit(&worker->polls, memory_order_relaxed);
    stats.steals +=
        atomic_load_explicit(&worker->steals, memory_order_relaxed);
  }
  stats.live = atomic_load(&p->refs) - 1;
  stats.idle = atomic_load(&p->idle_count);
  stats.threads = atomic_load(&p->threads);
  *out = stats;
  return 0;
}
