/* SPDX-License-Identifier: Apache-2.0 */

/* Starting a pool's tasks. */
#include "pool/pool.h"

/* The count first, then the look: close and free look the other way round. */
int pillion__pool_admit(struct pillion__pool *pool,
                        struct pillion__worker *worker, uint64_t gen) {
  if (worker != NULL && worker->credit > 0) {
    if (pillion__closing(&pool->base) != 0) return PILLION_ECLOSED;
    worker->credit--;
    return 0;
  }
  if (!pillion__pool_ref(pool, gen)) return PILLION_EBADHANDLE;
  int rc = pillion__closing(&pool->base) != 0 ? PILLION_ECLOSED : 0;
  if (rc == 0 && pillion__pool_tasks(pool) > pool->max_tasks)
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
  int rc = pillion__spawnable(future, flags);
  if (rc == 0 && flags == PILLION_EVENT && home == 0) rc = PILLION_EINVAL;
  if (rc == 0) rc = pillion__pool_admit(pool, worker, gen);
  if (rc < 0) return rc;
  /* Admitted first: so the hook is this pool's, and stays it. */
  void *context = pillion__hooks_capture(&pool->hooks);
  if (flags == PILLION_EVENT) rc = pillion__home_expect(home);
  if (rc == 0) {
    rc = pillion__pool_cell_take(pool, worker, &slot);
    if (rc < 0 && flags == PILLION_EVENT) pillion__home_forget(home);
  }
  if (rc < 0) {
    pillion__hooks_release(&pool->hooks, context);
    pillion__pool_unref(pool, 1);
    return rc;
  }
  struct pillion__cell *task = pillion__cell_at(slot);
  uint32_t its_gen = pillion__gen(&task->head);
  task->head.next = 0;
  if (PILLION__UNLIKELY(context != NULL)) {
    task->head.next = PILLION__TASK_CONTEXT;
    task->u.live.context = context;
  }
  pillion__set(&task->future_or_end, (uintptr_t)future);
  task->u.live.self = self;
  task->u.live.home = home;
  if (flags == PILLION_EVENT) task->token = token;
  else
    pillion__set(&task->waiter, pillion__joiner(PILLION__JOIN_OPEN, its_gen));
  atomic_store_explicit(&task->head.mode,
                        PILLION__TASK_LIVE | flags << PILLION__MODE_SHIFT,
                        memory_order_release);
  pillion_task handle = pillion__handle(PILLION__TASK, slot, its_gen);
  if (out != NULL) *out = handle;
  pillion__pool_push(pool, worker, &task->head, slot);
  /* The sweep of a close or a free may have passed this cell already. */
  if (PILLION__UNLIKELY(pillion__closing(&pool->base) ==
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

/* A task's children tell their ends to its own home. */
int pillion__pool_op_spawn(pillion_task *out, pillion_context *cx,
                           const pillion_future *future, void *self,
                           uint64_t token, uint32_t flags) {
  struct pillion__worker *worker = cx->runtime;
  struct pillion__pool *pool = worker->pool;
  if (worker->polled == NULL)
    return PILLION_EINVAL; /* a context kept beyond its poll */
  return pool_spawn(out, pool, atomic_load(&pool->base.gen), worker,
                    worker->polled->u.live.home, future, self, token, flags);
}
