/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where ready tasks wait, and the pokes for them.
 *
 * Idle workers. A worker that found no work parks, enters the idle set, and
 * then looks once more; a pusher pushes first and then looks at the set. So
 * each publishes, then checks the other's word (Dekker), and one of them sees
 * the other. The thread that takes a worker off the set pokes its host. A push
 * into the own, empty deque needs no look, since its owner is about to look
 * there. Later pushes look after the owner's next pop, whose compare-and-swap
 * is the fence for it. A poked worker may come late, since its loop may be busy
 * with other work, so no task depends on it. tests/model/pool_idle.pml is the
 * model.
 *
 * Waiting workers. A worker whose host believes that the pool lives has
 * `awaits` set, and gets a poke when the pool's last task has gone.
 */
#include "pool/pool.h"

/* ---- The idle set -------------------------------------------------------- */

bool pillion__idle_remove(struct pillion__pool *pool, uint32_t index) {
  uint64_t bit = UINT64_C(1) << index % 64;
  if (!(atomic_fetch_and(&pool->idle[index / 64], ~bit) & bit)) return false;
  atomic_fetch_sub(&pool->idle_count, 1);
  return true;
}

void pillion__idle_add(struct pillion__worker *worker) {
  uint64_t bit = UINT64_C(1) << worker->index % 64;
  atomic_fetch_or(&worker->pool->idle[worker->index / 64], bit);
  atomic_fetch_add(&worker->pool->idle_count, 1);
  worker->idle = true;
}

static void poke_worker(struct pillion__worker *worker, bool for_go) {
  struct pillion__executor *ex = atomic_load(&worker->executor);
  if (ex == NULL) return;
  if (for_go) pillion__poke_for_go(ex);
  else pillion__poke(ex);
}

/*
 * Takes one idle worker off the set, if there is any, and pokes it. `for_go`:
 * that worker's turn must enter Go.
 */
void pillion__pool_poke(struct pillion__pool *pool, bool for_go) {
  if (atomic_load(&pool->idle_count) == 0) return;
  for (uint32_t word = 0; word < PILLION__WORKERS / 64; word++) {
    uint64_t bits;
    while ((bits = atomic_load(&pool->idle[word])) != 0) {
      uint32_t index = 64 * word + (uint32_t)__builtin_ctzll(bits);
      if (!pillion__idle_remove(pool, index)) continue;
      poke_worker(atomic_load(&pool->workers[index]), for_go);
      return;
    }
  }
}

/* Pokes those whose hosts believe that the pool lives. */
void pillion__pool_tell_waiting(struct pillion__pool *pool) {
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&pool->workers[i]);
    if (atomic_load(&worker->awaits) && atomic_exchange(&worker->awaits, 0))
      poke_worker(worker, false);
  }
}

/* All. `for_go`: Go's side is there. */
void pillion__pool_poke_members(struct pillion__pool *pool, bool for_go) {
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++)
    poke_worker(atomic_load(&pool->workers[i]), for_go);
}

/* ---- Pushing ------------------------------------------------------------- */

/*
 * By the thread that set QUEUED. `worker` NULL: outside of the pool's turns, on
 * any thread and in any signal handler.
 */
void pillion__pool_push(struct pillion__pool *pool,
                        struct pillion__worker *worker,
                        struct pillion__head *head, uint32_t slot) {
  if (worker != NULL) {
    struct pillion__deque *deque = &worker->deque;
    bool more = pillion__peek(&deque->head) != pillion__peek(&deque->tail);
    if (PILLION__LIKELY(pillion__deque_push(deque, slot, more))) {
      if (more) pillion__pool_poke(pool, false);
      return;
    }
  }
  pillion__inbox_put(&pool->base.inbox, head, slot);
  pillion__pool_poke(pool, false);
}

/* After a poll. The look comes with the next pop. */
void pillion__pool_requeue(struct pillion__worker *worker,
                           struct pillion__head *head, uint32_t slot) {
  if (PILLION__UNLIKELY(!pillion__deque_push(&worker->deque, slot, false)))
    pillion__inbox_put(&worker->pool->base.inbox, head, slot);
}
