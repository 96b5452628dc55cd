/* SPDX-License-Identifier: Apache-2.0 */

/*
 * 1000 tasks of a pool on two threads. "yield": each wakes itself 1000 times.
 * "ring": each wakes the next, 100,000 times around and around.
 */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "bench.h"
#include "pillion.h"
#include "pillion/poll.h"

#define WORKERS 2
#define TASKS 1000
#define EACH 1000
#define HOPS 100000

static pillion_pool pool;
static sem_t done;

static void *work(void *data) {
  pillion_executor executor;
  (void)data;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_pool_join(pool, executor, PILLION_HOLD));
  BENCH_TRY(pillion_poll_run(executor, NULL, NULL));
  BENCH_TRY(pillion_executor_free(executor));
  return NULL;
}

/* ---- Yield --------------------------------------------------------------- */

static _Atomic int running;

static int yields(pillion_value *out, pillion_context *cx, void *self) {
  int *left = self;
  (void)out;
  if (--*left < 0) return PILLION_READY;
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static void yielded(void *self) {
  (void)self;
  if (atomic_fetch_sub(&running, 1) == 1) sem_post(&done);
}

static const pillion_future yielding = {sizeof yielding, yields, yielded};

static uint64_t round_of_yields(void *data) {
  static struct {
    _Alignas(64) int left; /* as far apart as separate tasks */
  } tasks[TASKS];
  (void)data;
  atomic_store(&running, TASKS);
  for (int i = 0; i < TASKS; i++) {
    tasks[i].left = EACH;
    BENCH_TRY(pillion_pool_spawn(NULL, pool, 0, &yielding, &tasks[i].left, 0,
                                 PILLION_DETACH));
  }
  sem_wait(&done);
  return TASKS * EACH;
}

/* ---- Ring ---------------------------------------------------------------- */

static pillion_waker links[TASKS];
static int hops; /* touched by the last woken task */

static int hop(pillion_value *out, pillion_context *cx, void *self) {
  pillion_waker *me = self;
  (void)out;
  if (*me == 0) {
    *me = cx->waker;
    sem_post(&done);
  } else if (hops == 0) {
    sem_post(&done);
  } else {
    hops--;
    cx->ops->wake(me == &links[TASKS - 1] ? links[0] : me[1]);
  }
  return PILLION_PENDING;
}

static const pillion_future link_future = {sizeof link_future, hop, NULL};

static uint64_t round_of_hops(void *data) {
  (void)data;
  hops = HOPS;
  BENCH_TRY(pillion_wake(links[0]));
  sem_wait(&done);
  return HOPS;
}

int main(int argc, char **argv) {
  pthread_t threads[WORKERS];
  int ring = bench_is(argc, argv, "ring");
  sem_init(&done, 0, 0);
  BENCH_TRY(pillion_pool_new(&pool, NULL, NULL, 0));
  for (int i = 0; i < WORKERS; i++)
    pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; ring && i < TASKS; i++) {
    BENCH_TRY(pillion_pool_spawn(NULL, pool, 0, &link_future, &links[i], 0,
                                 PILLION_DETACH));
    sem_wait(&done);
  }
  bench_print(ring ? "ring" : "yield",
              bench_loop(ring ? round_of_hops : round_of_yields, NULL));
  BENCH_TRY(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  return pillion_pool_free(pool) < 0;
}
