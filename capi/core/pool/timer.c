/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool's timers: like an executor's, under a lock, since a task that moves
 * may set one on one worker and clear it on another. Any worker fires them, and
 * each reports the earliest as its own deadline. Only a worker inside its turn
 * sets one, so that its report at the end is true.
 *
 * No foreign function runs under the lock: fired tasks go to the inbox, and the
 * pokes come afterwards.
 *
 * A turn may poll a task whose timer another, later turn has fired. The pool's
 * `fired` keeps the task from seeing an earlier time, with which it would take
 * its timer for armed. tests/model/pool_timer.pml is the model.
 */
#include "pool/pool.h"

/* Publishes the deadline, for workers to look at without the lock. */
static void timers_unlock(struct pillion__pool *pool) {
  pillion__set(&pool->deadline, pool->timers.deadline);
  pthread_mutex_unlock(&pool->timers_lock);
}

/* `waker` may be a task's handle, for a deadline. */
static int pool_timer_arm(struct pillion__pool *pool, pillion_timer *timer,
                          int64_t now, uint64_t waker, int64_t deadline) {
  pillion_context of_pool = {sizeof of_pool,     0,    now,
                             &pillion__pool_ops, pool, NULL};
  pthread_mutex_lock(&pool->timers_lock);
  int rc = pillion__timers_arm(&pool->timers, timer, &of_pool, waker, deadline);
  timers_unlock(pool);
  return rc;
}

int pillion__pool_timer_set(pillion_timer *timer, pillion_context *cx,
                            int64_t deadline) {
  struct pillion__worker *worker = cx->runtime;
  return pool_timer_arm(worker->pool, timer, cx->now, cx->waker, deadline);
}

/* As pillion_task_deadline. */
int pillion__pool_task_deadline(pillion_timer *storage,
                                struct pillion__head *head, pillion_task handle,
                                int64_t at) {
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  struct pillion__pool *pool = pillion__pool_of(slot);
  uint64_t pend = atomic_load(&head->pend);
  if (!pillion__pool_task_live(head) || atomic_load(&head->gen) != gen)
    return PILLION_EBADHANDLE;
  if (pillion__worker_here(pool) == NULL) return PILLION_EWRONGTHREAD;
  if (pend >> 32 == gen && pend & PILLION__PEND_DONE) return 2;
  int64_t now = pillion__pool_now(pool, pillion__here->context.now);
  bool past = at <= now;
  int rc = pool_timer_arm(pool, storage, now, handle,
                          past ? PILLION_TIME_NEVER : at);
  if (rc < 0 || !past) return rc;
  pillion__pool_task_timed(head, slot, gen, true);
  pillion__pool_poke(pool, false);
  return 0;
}

void pillion__pool_timer_clear(pillion_timer *timer) {
  struct pillion__pool *pool = timer->runtime;
  pthread_mutex_lock(&pool->timers_lock);
  if (timer->prev != NULL) pillion__timers_disarm(&pool->timers, timer);
  timers_unlock(pool);
}

static void pool_timer_fire(void *pool, uint64_t waker) {
  (void)pool;
  uint32_t slot = pillion__slot_of(waker);
  pillion__pool_task_timed(pillion__pool_head(slot), slot,
                           pillion__gen_of(waker),
                           pillion__tag_of(waker) == PILLION__TASK);
}

/* The time first, then the wakes. The caller takes from the inbox next. */
void pillion__pool_timers_fire(struct pillion__pool *pool, int64_t now) {
  pthread_mutex_lock(&pool->timers_lock);
  if (pool->timers.deadline <= now) {
    pillion__set(&pool->fired, pillion__pool_now(pool, now));
    pillion__timers_expire(&pool->timers, now, pool_timer_fire, pool);
  }
  timers_unlock(pool);
}

/* Disarms all, for the free of a pool: their storage may go. */
void pillion__pool_timers_forget(struct pillion__pool *pool) {
  pthread_mutex_lock(&pool->timers_lock);
  pillion__timers_forget(&pool->timers);
  timers_unlock(pool);
}
