/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cells for a pool's tasks, and the count of tasks. A worker keeps the cells of
 * tasks that it ends for its next spawns, and some credit in the pool's count.
 * So spawn and end on one worker touch nothing that is shared.
 */
#include "pool/pool.h"

#define KEPT 128u /* free cells that a worker keeps */
#define BATCH 32u /* cells that go to a worker at once */

/* ---- References ---------------------------------------------------------- */

/* Only while there is one: else the pool is free, or a new one. */
bool pillion__pool_ref(struct pillion__pool *pool, uint64_t gen) {
  uint64_t refs = atomic_load(&pool->refs);
  do
    if (refs == 0) return false;
  while (!atomic_compare_exchange_weak(&pool->refs, &refs, refs + 1));
  if (atomic_load(&pool->base.gen) == gen) return true;
  pillion__pool_unref(pool, 1);
  return false;
}

static void pool_reclaim(struct pillion__pool *pool) {
  pool->free_first = 0;
  pillion__chunks_return(&pool->chunks);
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&pool->workers[i]);
    pillion__deque_free(&worker->deque);
    atomic_store(&worker->polls, 0);
    atomic_store(&worker->steals, 0);
  }
  pillion__owner_give(&pillion__pool_table, &pool->base);
}

void pillion__pool_unref(struct pillion__pool *pool, uint64_t refs) {
  if (refs == 0) return;
  uint64_t left = atomic_fetch_sub(&pool->refs, refs) - refs;
  if (left == 0) pool_reclaim(pool);
  else if ((uint32_t)left == 1)
    pillion__pool_tell_waiting(pool); /* the last task: loops may end */
}

/* ---- Free cells ---------------------------------------------------------- */

static void pool_cells_push(uint32_t *list, uint32_t slot) {
  pillion__pool_head(slot)->next = *list;
  *list = slot + 1;
}

/* The slot + 1, or 0. */
static uint32_t pool_cells_pop(uint32_t *list) {
  uint32_t found = *list;
  if (found != 0) *list = pillion__pool_head(found - 1)->next;
  return found;
}

/* Moves up to `n` cells of a list to the pool. */
static void pool_cells_move(struct pillion__pool *pool, uint32_t *list,
                            uint32_t n) {
  pthread_mutex_lock(&pool->lock);
  for (; n > 0 && *list != 0; n--)
    pool_cells_push(&pool->free_first, pool_cells_pop(list) - 1);
  pthread_mutex_unlock(&pool->lock);
}

/* All the cells of a worker that leaves. */
void pillion__pool_cells_give(struct pillion__worker *worker) {
  pool_cells_move(worker->pool, &worker->free_first, UINT32_MAX);
  worker->free_count = 0;
  pillion__pool_unref(worker->pool, worker->credit);
  worker->credit = 0;
}

static int pool_cells_grow(struct pillion__pool *pool) {
  uint32_t base;
  int rc = pillion__chunks_add(&pool->chunks, &base, PILLION__CHUNK_POOL,
                               &pool->base);
  if (rc < 0) return rc;
  pthread_mutex_lock(&pool->lock);
  for (uint32_t i = PILLION__CHUNK; i-- > 0;)
    if (pillion__peek(&pillion__pool_head(base + i)->gen) != UINT32_MAX)
      pool_cells_push(&pool->free_first, base + i);
  pthread_mutex_unlock(&pool->lock);
  return 0;
}

/* The slot + 1 of any free cell, which may still be queued, or 0. */
static uint32_t pool_cell_find(struct pillion__pool *pool,
                               struct pillion__worker *worker) {
  if (worker != NULL && worker->free_first != 0) {
    worker->free_count--;
    return pool_cells_pop(&worker->free_first);
  }
  pthread_mutex_lock(&pool->lock);
  uint32_t found = pool_cells_pop(&pool->free_first), more;
  if (worker != NULL)
    for (uint32_t i = 1;
         i < BATCH && (more = pool_cells_pop(&pool->free_first)) != 0; i++) {
      pool_cells_push(&worker->free_first, more - 1);
      worker->free_count++;
    }
  pthread_mutex_unlock(&pool->lock);
  return found;
}

/*
 * Takes a cell and its QUEUED. It puts a cell that a late waker has queued
 * aside.
 */
int pillion__pool_cell_take(struct pillion__pool *pool,
                            struct pillion__worker *worker, uint32_t *out) {
  uint32_t aside = 0, found;
  int rc = 0;
  for (;;) {
    found = pool_cell_find(pool, worker);
    if (found == 0) {
      rc = pool_cells_grow(pool);
      if (rc < 0) break;
      continue;
    }
    struct pillion__head *head = pillion__pool_head(found - 1);
    uint64_t nothing = 0,
             queued = (uint64_t)pillion__gen(head) << 32 | PILLION__PEND_QUEUED;
    if (PILLION__LIKELY(
            atomic_compare_exchange_strong(&head->pend, &nothing, queued))) {
      *out = found - 1;
      break;
    }
    pool_cells_push(&aside, found - 1);
  }
  if (PILLION__UNLIKELY(aside != 0)) pool_cells_move(pool, &aside, UINT32_MAX);
  return rc;
}

/*
 * Ends a task's life, with or without a holder of its result. `refs` is what the
 * pool counts for it: PILLION__POOL_TASK or _LENT.
 */
void pillion__pool_cell_free(struct pillion__pool *pool,
                             struct pillion__cell *task, uint32_t slot,
                             uint64_t refs) {
  struct pillion__worker *worker = pillion__worker_here(pool);
  uint32_t gen = pillion__gen(&task->head) + 1;
  pillion__set(&task->head.mode, 0);
  atomic_store_explicit(&task->head.gen, gen, memory_order_release);
  atomic_store_explicit(&task->head.pend, 0, memory_order_release);
  bool used_up = gen == UINT32_MAX; /* it retires */
  if (worker != NULL) {
    if (!used_up) {
      pool_cells_push(&worker->free_first, slot);
      if (++worker->free_count > KEPT) {
        pool_cells_move(pool, &worker->free_first, KEPT / 2);
        worker->free_count -= KEPT / 2;
      }
    }
    if (refs == PILLION__POOL_TASK && pool->batch > 1 &&
        worker->credit + 1 < 2 * pool->batch) {
      worker->credit++;
      return;
    }
  } else if (!used_up) {
    pthread_mutex_lock(&pool->lock);
    pool_cells_push(&pool->free_first, slot);
    pthread_mutex_unlock(&pool->lock);
  }
  pillion__pool_unref(pool, refs);
}
