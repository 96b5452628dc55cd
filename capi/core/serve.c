/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers that Go runs: each is a goroutine that is locked to its thread, makes
 * one call into here, and is out of the scheduler's way until it returns. It is
 * a host like any other, and the smallest: it turns, and sleeps in ppoll(2).
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

#include "pool.h"

static void serve_sleep(int fd, int64_t deadline) {
  struct pollfd watched = {fd, POLLIN, 0};
  struct timespec left, *limit = NULL;
  if (deadline != PILLION_TIME_NEVER) {
    int64_t ns = deadline - pillion__now();
    if (ns <= 0) return;
    left.tv_sec = ns / 1000000000;
    left.tv_nsec = ns % 1000000000;
    limit = &left;
  }
  ppoll(&watched, 1, limit, NULL); /* a signal is as good as a poke */
}

static int serve_loop(struct pillion__pool *pool, pillion_executor ex,
                      uint64_t stops) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  int fd, rc = pillion_executor_fd(&fd, ex);
  if (rc < 0) return rc;
  for (;;) {
    rc = pillion_executor_turn(NULL, 0, &progress, ex, NULL);
    /* After the turn: a poke that met it is lost, and came after the count. */
    if (rc < 0 || progress.live == 0 || atomic_load(&pool->stops) != stops)
      return rc;
    if (!progress.more) serve_sleep(fd, progress.deadline);
  }
}

/* Works for the pool until it is closed and empty, or told to stop. */
void pillion__pool_serve(uint64_t handle, uint64_t stops) {
  struct pillion__pool *pool =
      atomic_load(&pillion__pools[pillion__slot_of(handle)]);
  pillion_executor ex;
  int rc = pillion_executor_new(&ex, NULL, NULL, 0);
  if (rc == 0) {
    rc = pillion_pool_join(handle, ex, PILLION_HOLD);
    if (rc == 0) rc = serve_loop(pool, ex, stops);
    pillion_executor_free(ex);
  }
  if (rc < 0)
    pillion__log(PILLION_LOG_WARNING, "a goroutine of a pool ended early: %s",
                 pillion_strerror(rc));
  atomic_fetch_sub(&pool->goroutines, 1); /* the pool may be freed now */
}

int pillion_pool_start(pillion_pool pool, uint32_t n) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (n == 0 || n > PILLION__WORKERS) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  if (pillion__guest.serve == NULL) return PILLION_ENOTSUP;
  pthread_mutex_lock(&p->lock); /* against free */
  if (atomic_load(&p->gen) != pillion__gen_of(pool))
    rc = PILLION_EBADHANDLE;
  else if (pillion__pool_closing(p) != 0)
    rc = PILLION_ECLOSED;
  else
    atomic_fetch_add(&p->goroutines, n);
  uint64_t stops = atomic_load(&p->stops);
  pthread_mutex_unlock(&p->lock);
  if (rc == 0) pillion__guest.serve(pool, stops, n);
  return rc;
}

int pillion_pool_stop(pillion_pool pool, int64_t timeout) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (pillion__turning) return PILLION_EREENTRANT;
  int64_t deadline = pillion__time_after(pillion__now(), timeout);
  struct timespec nap = {0, 50000};
  atomic_fetch_add(&p->stops, 1);
  pillion__pool_poke_workers(p);
  while (atomic_load(&p->goroutines) > 0) {
    if (pillion__now() >= deadline) return PILLION_ETIMEDOUT;
    nanosleep(&nap, NULL);
    if (nap.tv_nsec < 5000000) nap.tv_nsec *= 2;
  }
  return 0;
}
