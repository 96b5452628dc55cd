/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers of the pool's own: each is a thread that only turns an executor and
 * sleeps in ppoll(2), the smallest of hosts. Like any host's thread it enters
 * Go only for Go's futures.
 */
#include <poll.h>
#include <time.h>

#include "pool/pool.h"

static int serve_loop(struct pillion__pool *pool, pillion_executor ex,
                      uint64_t stops) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  int fd, rc = pillion_executor_fd(&fd, ex);
  if (rc < 0) return rc;
  for (;;) {
    rc = pillion_executor_turn(NULL, 0, &progress, ex, NULL);
    /*
     * After the turn: a poke during the turn is lost, and came after the count.
     */
    if (rc < 0 || progress.live == 0 || atomic_load(&pool->stops) != stops)
      return rc;
    if (progress.more) continue;
    struct pollfd watched = {fd, POLLIN, 0};
    struct timespec left, *limit = pillion__until(&left, progress.deadline);
    if (limit == NULL || left.tv_sec >= 0)
      ppoll(&watched, 1, limit, NULL); /* a signal is as good as a poke */
  }
}

/*
 * The threads of one pillion_pool_start: all of them work, or none does. They
 * and their starter meet, and hear of the first failure.
 */
struct crew {
  pillion_pool handle;
  struct pillion__pool *pool;
  uint64_t stops;
  uint32_t size, came, left; /* under crew_lock; 0: the size is not known yet */
  int rc;                    /* the first failure, likewise */
};

static pthread_mutex_t crew_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t crew_changed = PTHREAD_COND_INITIALIZER;

/*
 * The starter knows the size, and leaves last: the crew lies on its stack. A
 * worker, which gives 0, knows no crew from then on.
 */
static int crew_meet(struct crew *crew, uint32_t size, int rc) {
  pthread_mutex_lock(&crew_lock);
  crew->came++;
  if (size > 0) crew->size = size;
  if (crew->rc == 0) crew->rc = rc;
  pthread_cond_broadcast(&crew_changed);
  while (crew->came != crew->size) pthread_cond_wait(&crew_changed, &crew_lock);
  rc = crew->rc;
  crew->left++;
  pthread_cond_broadcast(&crew_changed);
  while (crew->left < size) pthread_cond_wait(&crew_changed, &crew_lock);
  pthread_mutex_unlock(&crew_lock);
  return rc;
}

/* Works for the pool until the pool is closed and empty, or stopped. */
static void *serve(void *data) {
  struct crew *crew = data;
  struct pillion__pool *pool = crew->pool;
  uint64_t stops = crew->stops;
  pillion_executor ex = 0;
  pthread_setname_np(pthread_self(), "pillion-pool");
  int rc = pillion_executor_new(&ex, NULL, NULL, 0);
  if (rc == 0) rc = pillion_pool_join(crew->handle, ex, PILLION_HOLD);
  if (crew_meet(crew, 0, rc) == 0) {
    rc = serve_loop(pool, ex, stops);
    if (rc < 0)
      pillion__log(PILLION_LOG_WARNING, "a pool's thread ended early: %s",
                   pillion_strerror(rc));
  }
  if (ex != 0) pillion_executor_free(ex);
  atomic_fetch_sub(&pool->threads, 1); /* the pool may be freed now */
  return NULL;
}

static int crew_start(struct crew *crew, uint32_t n) {
  pthread_t threads[PILLION__WORKERS];
  uint32_t got = 0;
  while (got < n && pillion__thread_start(&threads[got], serve, crew) == 0)
    got++;
  int rc = crew_meet(crew, got + 1, got < n ? PILLION_EAGAIN : 0);
  for (uint32_t i = 0; i < got; i++)
    if (rc < 0) pthread_join(threads[i], NULL);
    else pthread_detach(threads[i]);
  atomic_fetch_sub(&crew->pool->threads, n - got);
  return rc;
}

int pillion_pool_start(pillion_pool pool, uint32_t n) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (n == 0 || n > PILLION__WORKERS) return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  pthread_mutex_lock(&p->lock); /* against free */
  if (atomic_load(&p->base.gen) != pillion__gen_of(pool))
    rc = PILLION_EBADHANDLE;
  else if (pillion__closing(&p->base) != 0) rc = PILLION_ECLOSED;
  else atomic_fetch_add(&p->threads, n);
  struct crew crew = {.handle = pool, .pool = p};
  crew.stops = atomic_load(&p->stops);
  pthread_mutex_unlock(&p->lock);
  if (rc < 0) return rc;
  int cancels; /* the crew lies on this stack */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  rc = crew_start(&crew, n);
  pthread_setcancelstate(cancels, NULL);
  return rc;
}

int pillion_pool_stop(pillion_pool pool, int64_t timeout) {
  struct pillion__pool *p;
  int rc = pillion__pool_get(&p, pool);
  if (rc < 0) return rc;
  if (pillion__turning) return PILLION_EREENTRANT;
  atomic_fetch_add(&p->stops, 1);
  pillion__pool_poke_members(p, false);
  return pillion__await_zero(&p->threads,
                             pillion__time_after(pillion__now(), timeout))
             ? 0 : PILLION_ETIMEDOUT;
}
