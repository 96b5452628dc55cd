/* SPDX-License-Identifier: Apache-2.0 */

/* Executors join a pool, and leave it with all their work. */
#include "pool/pool.h"

/* Takes a free place, or puts `spare` at a new one. */
static int place_take(struct pillion__worker **out, struct pillion__pool *pool,
                      uint64_t gen, struct pillion__executor *ex,
                      struct pillion__worker *spare) {
  int rc = PILLION_EAGAIN;
  pthread_mutex_lock(&pool->lock);
  uint32_t end = atomic_load(&pool->workers_end), i = 0;
  while (i < end && atomic_load(&atomic_load(&pool->workers[i])->executor)) i++;
  if (atomic_load(&pool->base.gen) != gen) {
    rc = PILLION_EBADHANDLE;
  } else if (i < end || (spare != NULL && end < PILLION__WORKERS)) {
    if (i == end) {
      spare->index = end;
      atomic_store(&pool->workers[end], spare);
      atomic_store(&pool->workers_end, end + 1);
    }
    *out = atomic_load(&pool->workers[i]);
    atomic_store(&(*out)->executor, ex);
    pool->workers_in++;
    rc = i < end ? 0 : 1;
  }
  pthread_mutex_unlock(&pool->lock);
  return rc;
}

static void place_give(struct pillion__worker *worker) {
  struct pillion__pool *pool = worker->pool;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&worker->executor, NULL);
  pool->workers_in--;
  pthread_mutex_unlock(&pool->lock);
}

static int worker_enter(struct pillion__pool *pool, uint64_t gen,
                        struct pillion__executor *ex, uint32_t flags) {
  struct pillion__worker *worker = NULL, *spare = NULL;
  int rc = place_take(&worker, pool, gen, ex, NULL);
  if (rc == PILLION_EAGAIN) {
    void *memory; /* no callback under the lock */
    spare = pillion__alloc_lines(sizeof *spare, &memory);
    if (spare == NULL) return PILLION_ENOMEM;
    spare->memory = memory;
    spare->pool = pool;
    rc = place_take(&worker, pool, gen, ex, spare);
    if (rc != 1) pillion__free(spare->memory);
  }
  if (rc < 0) return rc;
  if (!pillion__deque_open(&worker->deque)) {
    place_give(worker);
    return PILLION_ENOMEM;
  }
  worker->flags = flags;
  worker->idle = false;
  worker->polled = NULL;
  worker->random = pool->seed + worker->index;
  worker->context = (pillion_context){sizeof worker->context, 0,      0,
                                      &pillion__pool_ops,     worker, NULL};
  atomic_store(&worker->awaits, 0);
  ex->worker = worker;
  ex->pooled = 1;
  /* The place first, then Go's side; its opening does the opposite. */
  if (atomic_load(&pool->guest)) pillion__poke_for_go(ex);
  return 0;
}

int pillion_pool_join(pillion_pool pool, pillion_executor executor,
                      uint32_t flags) {
  struct pillion__pool *p = NULL;
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc == 0) rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (flags & ~PILLION_HOLD) return PILLION_EINVAL;
  if (ex->worker != NULL) return PILLION_EBUSY;
  rc = worker_enter(p, pillion__gen_of(pool), ex, flags);
  if (rc < 0) return rc;
  pillion__tell_live(ex);
  pillion__poke(ex); /* it hasn't looked at the pool yet */
  return 0;
}

/*
 * Hands the worker's tasks on. If a thread has just taken it off the idle set,
 * the work behind that poke needs another worker.
 */
void pillion__worker_leave(struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  struct pillion__pool *pool = worker->pool;
  uint32_t slot;
  if (atomic_load(&pool->guest)) pillion__guest.leave(ex->base.index);
  if (worker->idle) pillion__idle_remove(pool, worker->index);
  worker->idle = false;
  while (pillion__deque_pop(&worker->deque, &slot))
    pillion__inbox_put(&pool->base.inbox, pillion__pool_head(slot), slot);
  ex->worker = NULL;
  ex->pooled = 0;
  pillion__pool_cells_give(worker);
  if (pillion__pool_work_left(pool) ||
      atomic_load(&pool->deadline) != PILLION_TIME_NEVER)
    pillion__pool_poke(pool, false);
  if (pillion__guest_waits(pool)) pillion__pool_poke(pool, true);
  place_give(worker); /* from here on the pool may be freed */
}

int pillion_pool_leave(pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  if (ex->worker == NULL) return PILLION_EINVAL;
  if (atomic_load(&ex->worker->pool->guest) && pillion__bound(ex))
    return PILLION_EBUSY;
  pillion__worker_leave(ex);
  pillion__tell_live(ex);
  return 0;
}
