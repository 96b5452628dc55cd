/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool on lent threads. Each thread has a loop of another kind and an
 * executor of its own, which joins the pool. From then on its turns do some of
 * the pool's work, whichever thread it came from. Pillion starts no thread.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include "pillion/poll.h"
#include "pillion/pool.h"
#include "pillion/uv.h"

#define THREADS 3
#define TASKS 1000
#define STEPS 100

static pillion_pool pool;
static pthread_barrier_t joined; /* the threads, and main */

/* ---- The pool's tasks -------------------------------------------------------- */

/* Plain data: no two polls of a task run at once. */
struct traveller {
  int steps;
};

static atomic_int steps, ended; /* shared by all, so the author guards it */

static int travel(pillion_value *out, pillion_context *cx, void *self) {
  struct traveller *t = self;
  (void)out;
  if (++t->steps == STEPS) return PILLION_READY;
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static void arrive(void *self) {
  steps += ((struct traveller *)self)->steps;
  ended++;
}

static const pillion_future traveller = {sizeof traveller, travel, arrive};

/* ---- A task of one thread, which stays there ----------------------------------- */

struct resident {
  pthread_t thread;
  int polls, strayed;
};

static int stay(pillion_value *out, pillion_context *cx, void *self) {
  struct resident *r = self;
  (void)out;
  if (!pthread_equal(r->thread, pthread_self())) r->strayed++;
  if (++r->polls == STEPS) return PILLION_READY;
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static const pillion_future resident = {sizeof resident, stay, NULL};

static atomic_int strayed;

/* A worker with PILLION_HOLD lives until the pool is closed and empty. */
static pillion_executor enlist(struct resident *own, uint32_t flags) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  options.flags = flags;
  *own = (struct resident){pthread_self(), 0, 0};
  if (pillion_executor_new(&ex, &options, NULL, 0) < 0 ||
      pillion_task_spawn(NULL, ex, &resident, own, 0, PILLION_DETACH) < 0 ||
      pillion_pool_join(pool, ex, PILLION_HOLD) < 0)
    return 0;
  pthread_barrier_wait(&joined);
  return ex;
}

static void *retire(pillion_executor ex, const struct resident *own) {
  strayed += own->strayed;
  return pillion_executor_free(ex) == 0 && own->polls == STEPS ? &pool : NULL;
}

/* ---- Three kinds of loops -------------------------------------------------------- */

static void *with_poll(void *data) {
  struct resident own;
  pillion_executor ex = enlist(&own, 0);
  (void)data;
  if (pillion_poll_run(ex, NULL, NULL) < 0) return NULL;
  return retire(ex, &own);
}

static void *with_libuv(void *data) {
  struct resident own;
  pillion_executor ex = enlist(&own, 0);
  uv_loop_t loop;
  pillion_uv uv;
  (void)data;
  if (uv_loop_init(&loop) < 0) return NULL;
  if (pillion_uv_attach(&uv, &loop, ex, NULL, NULL) < 0) return NULL;
  uv_run(&loop, UV_RUN_DEFAULT);
  pillion_uv_detach(&uv, NULL);
  void *well = retire(ex, &own);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) < 0 ? NULL : well;
}

static int post(void *semaphore) { return sem_post(semaphore) < 0 ? -1 : 0; }

static void *by_hand(void *data) {
  struct resident own;
  pillion_executor ex = enlist(&own, PILLION_NO_FD);
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_host host = PILLION_HOST_INIT;
  sem_t woken;
  (void)data;
  sem_init(&woken, 0, 0);
  host.data = &woken;
  host.wake = post;
  if (pillion_host_set(ex, &host) < 0) return NULL;
  for (;;) {
    if (pillion_executor_turn(NULL, 0, &progress, ex, NULL) < 0) return NULL;
    if (progress.live == 0) break;
    while (sem_wait(&woken) < 0) continue;
  }
  return retire(ex, &own);
}

int main(void) {
  static void *(*const kinds[THREADS])(void *) = {with_poll, with_libuv,
                                                  by_hand};
  static struct traveller travellers[TASKS];
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  pthread_t threads[THREADS];
  int well = 0;

  if (pillion_pool_new(&pool, NULL, NULL, 0) < 0) return 1;
  pthread_barrier_init(&joined, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, kinds[i], NULL) != 0) return 1;
  pthread_barrier_wait(&joined);
  pillion_pool_stat(&stats, pool);
  for (int i = 0; i < TASKS; i++)
    if (pillion_pool_spawn(NULL, pool, 0, &traveller, &travellers[i], 0,
                           PILLION_DETACH) < 0)
      return 1;
  pillion_pool_close(pool, PILLION_CLOSE_DRAIN); /* when all have ended */
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    well += result != NULL;
  }
  printf("%d steps of %d tasks on %d threads\n", steps, ended,
         (int)stats.workers);
  printf("%d threads ended well, %d of their own tasks went astray\n", well,
         strayed);
  return pillion_pool_free(pool) < 0;
}
