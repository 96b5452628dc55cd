/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making, closing and freeing pools.
 *
 *               1            2              3             4
 *      unused ----> open ------> closing ------> freed ------> unused
 *                     '----------- 3 --------------^
 *
 *   1  pillion_pool_new: one reference, the pool's own, and an odd generation
 *   2  pillion_pool_close: `closing` is 1 + the mode, and nothing is spawned any
 *      more. CANCEL asks every task; DRAIN may become CANCEL, never less
 *   3  pillion_pool_free, which no worker and no thread survives: the generation
 *      is even, every task is asked and dropped, the pool's own reference goes.
 *      What is left are ends that wait as events on some executor
 *   4  the last reference goes: cells and deques are given back, and the pool to
 *      the table. It is never unmapped
 */
#include "pool/pool.h"

_Atomic(void *) pillion__pools[PILLION__POOLS];
static uint32_t idle_pools[PILLION__POOLS];

static void pool_first_use(void *memory) {
  struct pillion__pool *pool = memory;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_mutex_init(&pool->timers_lock, NULL);
}

struct pillion__table pillion__pool_table = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .most = PILLION__POOLS,
    .idle = idle_pools,
    .entries = pillion__pools,
    .bytes = sizeof(struct pillion__pool),
    .what = "pool",
    .first_use = pool_first_use,
};

/*
 * No worker polls any more: every queued task is in the inbox, or soon will be.
 */
static void drop_inbox(struct pillion__pool *pool) {
  uint32_t list = pillion__inbox_take(&pool->base.inbox), slot, type;
  while (pillion__inbox_next(&list, &slot, &type) != NULL)
    pillion__pool_task_drop(pool, slot);
}

/* Late wakes for Go's tasks of an earlier pool here: none lives. */
static void drop_guest_inbox(struct pillion__pool *pool) {
  uint32_t list = pillion__inbox_take(&pool->guest_inbox), slot, type;
  struct pillion__head *head;
  while ((head = pillion__inbox_next(&list, &slot, &type)) != NULL)
    atomic_store(&head->pend, 0);
}

/* ---- New ----------------------------------------------------------------- */

int pillion_pool_new(pillion_pool *out, const pillion_pool_options *options,
                     char *errbuf, size_t errcap) {
  pillion_pool_options o = PILLION_POOL_OPTIONS_INIT;
  struct pillion__why why = {errbuf, errcap};
  void *memory;
  int rc = pillion__owner_new(&memory, &pillion__pool_table, &o, sizeof o,
                              PILLION__FIRST_POOL_OPTIONS, options, out, why);
  if (rc < 0) return rc;
  struct pillion__pool *pool = memory;
  rc = pillion__hooks_copy(&pool->hooks, o.context_hooks, why);
  if (o.reserved != 0)
    rc = pillion__fail(PILLION_EINVAL, why, "options.reserved is not 0");
  if (rc < 0) {
    pillion__owner_give(&pillion__pool_table, &pool->base);
    return rc;
  }
  uint64_t gen = atomic_load(&pool->base.gen) + 1;
  pool->max_tasks = o.max_tasks == 0 ? UINT32_MAX : o.max_tasks;
  /* A bound must be exact: no credit. */
  pool->batch = o.max_tasks == 0 ? 64 : 1;
  pool->seed = o.seed;
  atomic_store(&pool->threads, 0);
  atomic_store(&pool->deadline, PILLION_TIME_NEVER);
  atomic_store(&pool->fired, 0);
  pool->timers.deadline = PILLION_TIME_NEVER;
  pool->timers.max_armed = UINT32_MAX;
  atomic_store(&pool->base.closing, gen << 2);
  drop_inbox(pool); /* late wakes for an earlier pool */
  atomic_store(&pool->guest, 0);
  atomic_store(&pool->called, 0);
  drop_guest_inbox(pool);
  atomic_store(&pool->refs, 1);
  atomic_store(&pool->base.gen, gen);
  *out = pillion__handle(PILLION__POOL, pool->base.index, (uint32_t)gen);
  return 0;
}

/* ---- Close --------------------------------------------------------------- */

/* Whether a cell has a task that has not ended; also a task in its spawn. */
static bool unended(struct pillion__head *head) {
  uint32_t gen = atomic_load(&head->gen);
  uint64_t pend = atomic_load(&head->pend);
  if (pend >> 32 == gen && pend & PILLION__PEND_QUEUED)
    return !(pend & PILLION__PEND_DONE);
  return atomic_load(&head->mode) & PILLION__TASK_LIVE;
}

static void pool_ask(struct pillion__head *head, uint32_t slot, void *count) {
  if (!unended(head)) return;
  pillion__pool_task_ask(head, slot, atomic_load(&head->gen));
  ++*(uint64_t *)count;
}

int pillion_pool_close(pillion_pool pool, int mode) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  uint64_t gen = pillion__gen_of(pool);
  if (!pillion__pool_ref(p, gen)) return PILLION_EBADHANDLE;
  rc = pillion__owner_close(&p->base, gen, mode);
  if (rc > 0) {
    uint64_t count = 0;
    if (mode == PILLION_CLOSE_CANCEL) {
      pillion__cells_each(&p->chunks, pool_ask, &count);
      if (atomic_load(&p->called))
        pillion__kinds[PILLION__CHUNK_CALLS]->cancel_all(&p->base, 0);
    }
    pillion__pool_tell_waiting(p);
  }
  pillion__pool_unref(p, 1);
  return rc < 0 ? rc : 0;
}

/* ---- Free ---------------------------------------------------------------- */

/* Ended, and never joined. */
static void pool_detach(struct pillion__head *head, uint32_t slot, void *data) {
  (void)data;
  if (pillion__pool_task_live(head))
    pillion__pool_task_detach(
        head, pillion__handle(PILLION__TASK, slot, atomic_load(&head->gen)));
}

/* For a spawn that a close or a free may have missed. */
void pillion__pool_late(struct pillion__pool *pool, uint64_t gen,
                        pillion_task task) {
  pillion_task_cancel(task);
  if (atomic_load(&pool->base.gen) == gen) return;
  drop_inbox(pool);
  pillion__pool_task_detach(pillion__pool_head(pillion__slot_of(task)), task);
}

static int pool_retire(struct pillion__pool *pool, uint64_t gen) {
  int rc = 0;
  pthread_mutex_lock(&pool->lock);
  if (atomic_load(&pool->base.gen) != gen)
    rc = PILLION_EBADHANDLE; /* another thread was faster */
  else if (pool->workers_in > 0 || atomic_load(&pool->threads) > 0)
    rc = PILLION_EBUSY;
  else atomic_store(&pool->base.gen, gen + 1);
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
  atomic_store(&p->base.closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
  pillion__turning = 1; /* its drops count as inside a turn */
  if (atomic_load(&p->called))
    pillion__kinds[PILLION__CHUNK_CALLS]->cancel_all(&p->base, 0);
  if (atomic_load(&p->guest)) pillion__guest.pool_free(p->base.index);
  for (uint32_t round = 0;; round++) {
    uint64_t count = 0;
    pillion__cells_each(&p->chunks, pool_ask, &count);
    if (count == 0) break;
    drop_inbox(p);
    pillion__let_run(round); /* a waker may be between two instructions */
  }
  pillion__cells_each(&p->chunks, pool_detach, NULL);
  pillion__pool_timers_forget(p);
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
    out->tasks += (uint32_t)refs - atomic_load(&pool->base.gen) % 2;
  }
}

int pillion_pool_stat(pillion_pool_stats *out, pillion_pool pool) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  uint32_t end = atomic_load(&p->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&p->workers[i]);
    stats.workers += atomic_load(&worker->executor) != NULL;
    stats.polls += pillion__peek(&worker->polls);
    stats.steals += pillion__peek(&worker->steals);
  }
  stats.live = pillion__pool_tasks(p);
  stats.idle = atomic_load(&p->idle_count);
  stats.threads = atomic_load(&p->threads);
  return pillion__sized_out(out, PILLION__FIRST_POOL_STATS, &stats,
                            sizeof stats);
}
