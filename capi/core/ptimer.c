/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool's timers: those of an executor under a lock, since a task that moves
 * may set one here and clear it there. Any worker fires them, and each reports
 * the earliest as a deadline of its own.
 *
 * Nothing foreign is called under the lock: what fires goes to the inbox, and
 * workers are poked afterwards.
 */
#include "pool.h"

/* For workers to look at without the lock. */
static void publish_deadline(struct pillion__pool *pool) {
  atomic_store_explicit(&pool->deadline, pool->timers.deadline,
                        memory_order_relaxed);
}

int pillion__ptimer_set(pillion_timer *timer, pillion_context *cx,
                        int64_t deadline) {
  struct pillion__worker *worker = cx->runtime;
  struct pillion__pool *pool = worker->pool;
  pillion_context of_pool = {sizeof of_pool, 0, cx->now, cx->ops, pool};
  pthread_mutex_lock(&pool->timers_lock);
  int rc = pillion__timers_arm(&pool->timers, timer, &of_pool, cx->waker,
                               deadline);
  publish_deadline(pool);
  pthread_mutex_unlock(&pool->timers_lock);
  return rc;
}

void pillion__ptimer_clear(pillion_timer *timer) {
  struct pillion__pool *pool = timer->runtime;
  pthread_mutex_lock(&pool->timers_lock);
  if (timer->prev != NULL) {
    pillion__timers_disarm(&pool->timers, timer);
    publish_deadline(pool);
  }
  pthread_mutex_unlock(&pool->timers_lock);
}

static void ptimer_fire(void *pool, uint64_t waker) {
  (void)pool;
  uint32_t slot = pillion__slot_of(waker);
  pillion__ptask_wake_quietly(pillion__ptask_at(slot), slot,
                              pillion__gen_of(waker));
}

/* The caller takes from the inbox next. */
void pillion__ptimers_fire(struct pillion__pool *pool, int64_t now) {
  pthread_mutex_lock(&pool->timers_lock);
  if (pool->timers.deadline <= now) {
    pillion__timers_expire(&pool->timers, now, ptimer_fire, pool);
    publish_deadline(pool);
  }
  pthread_mutex_unlock(&pool->timers_lock);
}

int64_t pillion__pool_deadline(struct pillion__worker *worker) {
  return atomic_load_explicit(&worker->pool->deadline, memory_order_relaxed);
}
