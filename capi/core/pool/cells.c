/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cells for a pool's tasks, and their spawning. A worker keeps the cells that
 * end under its hands for its next spawns, and some credit in the pool's count
 * of tasks: so spawn and end on one worker touch nothing that is shared.
 */
#include "pool.h"

#define KEPT 128u /* free cells that a worker keeps */
#define BATCH 32u /* cells that go to a worker at once */

/* ---- Free cells ---------------------------------------------------------- */

static void pslots_push(uint32_t *list, uint32_t slot) {
  pillion__ptask_at(slot)->head.next = *list;
  *list = slot + 1;
}

/* The slot + 1, or 0. */
static uint32_t pslots_pop(uint32_t *list) {
  uint32_t found = *list;
  if (found != 0) *list = pillion__ptask_at(found - 1)->head.next;
  return found;
}

/* Moves up to `n` of the worker's to the pool. */
static void pslots_move(struct pillion__worker *worker, uint32_t n) {
  struct pillion__pool *pool = worker->pool;
  pthread_mutex_lock(&pool->lock);
  for (; n > 0 && worker->free_first != 0; n--, worker->free_count--)
    pslots_push(&pool->free_first, pslots_pop(&worker->free_first) - 1);
  pthread_mutex_unlock(&pool->lock);
}

/* All that a worker keeps: it leaves. */
void pillion__pslots_give(struct pillion__worker *worker) {
  pslots_move(worker, UINT32_MAX);
  pillion__pool_unref(worker->pool, worker->credit);
  worker->credit = 0;
}

/* For every cell of the pool's; the list of chunks only grows. */
void pillion__pslots_each(struct pillion__pool *pool,
                          void (*fn)(struct pillion__ptask *task,
                                     uint32_t slot, void *data),
                          void *data) {
  pthread_mutex_lock(&pool->lock);
  uint32_t chunk = pool->chunks;
  pthread_mutex_unlock(&pool->lock);
  while (chunk != 0) {
    uint32_t base = (chunk - 1) * PILLION__CHUNK;
    for (uint32_t i = 0; i < PILLION__CHUNK; i++)
      fn(pillion__ptask_at(base + i), base + i, data);
    chunk = pillion__directory[chunk - 1].next_free;
  }
}

/* When nothing lives on them. */
void pillion__pslots_return(struct pillion__pool *pool) {
  uint32_t chunk = pool->chunks;
  pool->chunks = pool->free_first = 0;
  while (chunk != 0) {
    uint32_t next = pillion__directory[chunk - 1].next_free;
    pillion__chunk_return((chunk - 1) * PILLION__CHUNK);
    chunk = next;
  }
}

static int pslots_grow(struct pillion__pool *pool) {
  uint32_t base;
  int rc = pillion__chunk_lease_pool(&base, PILLION__CHUNK_POOL, pool);
  if (rc < 0) return rc;
  pthread_mutex_lock(&pool->lock);
  pillion__directory[base / PILLION__CHUNK].next_free = pool->chunks;
  pool->chunks = base / PILLION__CHUNK + 1;
  for (uint32_t i = PILLION__CHUNK; i-- > 0;)
    if (atomic_load_explicit(&pillion__ptask_at(base + i)->head.gen,
                             memory_order_relaxed) != UINT32_MAX)
      pslots_push(&pool->free_first, base + i);
  pthread_mutex_unlock(&pool->lock);
  return 0;
}

/* The slot + 1 of some free cell, which may be queued still, or 0. */
static uint32_t pslot_find(struct pillion__pool *pool,
                           struct pillion__worker *worker) {
  if (worker != NULL && worker->free_first != 0) {
    worker->free_count--;
    return pslots_pop(&worker->free_first);
  }
  pthread_mutex_lock(&pool->lock);
  uint32_t found = pslots_pop(&pool->free_first), more;
  if (worker != NULL)
    for (uint32_t i = 1;
         i < BATCH && (more = pslots_pop(&pool->free_first)) != 0; i++) {
      pslots_push(&worker->free_first, more - 1);
      worker->free_count++;
    }
  pthread_mutex_unlock(&pool->lock);
  return found;
}

/*
 * Takes a cell and its QUEUED. One that a late waker has queued is put aside
 * meanwhile.
 */
static int pslot_take(struct pillion__pool *pool,
                      struct pillion__worker *worker, uint32_t *out) {
  uint32_t aside = 0, found;
  int rc = 0;
  for (;;) {
    found = pslot_find(pool, worker);
    if (found == 0) {
      rc = pslots_grow(pool);
      if (rc < 0) break;
      continue;
    }
    struct pillion__head *head = &pillion__ptask_at(found - 1)->head;
    uint64_t nothing = 0, queued =
        (uint64_t)atomic_load_explicit(&head->gen, memory_order_relaxed)
            << 32 | PILLION__QUEUED;
    if (PILLION__LIKELY(atomic_compare_exchange_strong(&head->pend, &nothing,
                                                       queued))) {
      *out = found - 1;
      break;
    }
    pslots_push(&aside, found - 1);
  }
  if (PILLION__UNLIKELY(aside != 0)) {
    pthread_mutex_lock(&pool->lock);
    while ((found = pslots_pop(&aside)) != 0)
      pslots_push(&pool->free_first, found - 1);
    pthread_mutex_unlock(&pool->lock);
  }
  return rc;
}

/* Ends a task's life, whoever holds its result. */
void pillion__pslot_free(struct pillion__pool *pool,
                         struct pillion__ptask *task, uint32_t slot) {
  struct pillion__worker *worker = pillion__worker_here(pool);
  uint32_t gen =
      atomic_load_explicit(&task->head.gen, memory_order_relaxed) + 1;
  atomic_store_explicit(&task->head.mode, 0, memory_order_relaxed);
  atomic_store_explicit(&task->head.gen, gen, memory_order_release);
  atomic_store_explicit(&task->head.pend, 0, memory_order_release);
  bool used_up = gen == UINT32_MAX;
  if (worker != NULL) {
    if (!used_up) {
      pslots_push(&worker->free_first, slot);
      if (++worker->free_count > KEPT) pslots_move(worker, KEPT / 2);
    }
    if (pool->batch > 1 && worker->credit + 1 < 2 * pool->batch)
      worker->credit++;
    else
      pillion__pool_unref(pool, 1);
    return;
  }
  if (!used_up) {
    pthread_mutex_lock(&pool->lock);
    pslots_push(&pool->free_first, slot);
    pthread_mutex_unlock(&pool->lock);
  }
  pillion__pool_unref(pool, 1);
}

/* ---- Spawning ------------------------------------------------------------ */

/* The count first, then the look: close and free look the other way round. */
int pillion__pool_admit(struct pillion__pool *pool,
                        struct pillion__worker *worker, uint64_t gen) {
  if (worker != NULL && worker->credit > 0) {
    if (pillion__pool_closing(pool) != 0) return PILLION_ECLOSED;
    worker->credit--;
    return 0;
  }
  if (!pillion__pool_ref(pool, gen)) return PILLION_EBADHANDLE;
  int rc = pillion__pool_closing(pool) != 0 ? PILLION_ECLOSED : 0;
  if (rc == 0 && atomic_load(&pool->refs) - 1 > pool->max_tasks)
    rc = PILLION_EAGAIN;
  if (rc < 0) {
    pillion__pool_unref(pool, 1);
  } else if (worker != NULL && pool->batch > 1) {
    atomic_fetch_add(&pool->refs, pool->batch - 1);
    worker->credit = pool->batch - 1;
  }
  return rc;
}

static int pool_spawn(pillion_task *out, struct pillion__pool *pool,
                      uint64_t gen, struct pillion__worker *worker,
                      pillion_executor home, const pillion_future *future,
                      void *self, uint64_t token, uint32_t flags) {
  uint32_t slot = 0;
  if (future == NULL || future->size < sizeof *future ||
      future->poll == NULL || flags > PILLION_DETACH ||
      (flags == PILLION_EVENT && home == 0))
    return PILLION_EINVAL;
  int rc = pillion__pool_admit(pool, worker, gen);
  if (rc < 0) return rc;
  /* Admitted first: it is this pool's hook, and remains it. */
  void *context = PILLION__LIKELY(pool->hooks.capture == NULL)
                      ? NULL
                      : pool->hooks.capture(pool->hooks.data);
  if (flags == PILLION_EVENT) rc = pillion__home_expect(home);
  if (rc == 0) {
    rc = pslot_take(pool, worker, &slot);
    if (rc < 0 && flags == PILLION_EVENT) pillion__home_forget(home);
  }
  if (rc < 0) {
    pillion__hooks_release(&pool->hooks, context);
    pillion__pool_unref(pool, 1);
    return rc;
  }
  struct pillion__ptask *task = pillion__ptask_at(slot);
  uint32_t its_gen =
      atomic_load_explicit(&task->head.gen, memory_order_relaxed);
  task->head.next = 0;
  if (PILLION__UNLIKELY(context != NULL)) {
    task->head.next = PILLION__CONTEXT;
    task->u.live.context = context;
  }
  task->u.live.future = future;
  task->u.live.self = self;
  task->u.live.home = home;
  if (flags == PILLION_EVENT)
    task->to.token = token;
  else
    atomic_store_explicit(&task->to.joiner,
                          pillion__joiner(PILLION__JOIN_OPEN, its_gen),
                          memory_order_relaxed);
  atomic_store_explicit(&task->head.mode,
                        PILLION__LIVE | flags << PILLION__MODE_SHIFT,
                        memory_order_release);
  pillion_task handle = pillion__handle(PILLION__TASK, slot, its_gen);
  if (out != NULL) *out = handle;
  pillion__pool_push(pool, worker, &task->head, slot);
  /* Who sweeps the cells for a close or a free may have passed by already. */
  if (PILLION__UNLIKELY(pillion__pool_closing(pool) ==
                        1 + PILLION_CLOSE_CANCEL))
    pillion__pool_late(pool, gen, handle);
  return 0;
}

int pillion_pool_spawn(pillion_task *out, pillion_pool pool,
                       pillion_executor home, const pillion_future *future,
                       void *self, uint64_t token, uint32_t flags) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  return pool_spawn(out, p, pillion__gen_of(pool), pillion__worker_here(p),
                    home, future, self, token, flags);
}

/* A task's children end where it ends itself. */
int pillion__pool_op_spawn(pillion_task *out, pillion_context *cx,
                           const pillion_future *future, void *self,
                           uint64_t token, uint32_t flags) {
  struct pillion__worker *worker = cx->runtime;
  struct pillion__pool *pool = worker->pool;
  if (worker->polled == NULL) return PILLION_EINVAL; /* a context that was kept */
  return pool_spawn(out, pool, atomic_load(&pool->gen), worker,
                    worker->polled->u.live.home, future, self, token, flags);
}
