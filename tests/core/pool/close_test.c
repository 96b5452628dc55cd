/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pools that are closed and freed while other threads spawn on them, wake and
 * detach: every task that was spawned is dropped once, and nothing stays.
 */
#include "support.h"

enum { SPAWNERS = 2, ROUNDS = 150, ENOUGH = 2000 };

static pillion_pool contended;
static _Atomic int spawned, drops, wrong, begun;

static int never(pillion_value *out, pillion_context *cx, void *self) {
  return PILLION_PENDING;
}

static void count_drop(void *self) {
  atomic_fetch_add(&drops, 1);
}

static const pillion_future future = {sizeof future, never, count_drop};

static void *spawns_until_refused(void *data) {
  atomic_fetch_add(&begun, 1);
  for (int i = 0; i < ENOUGH; i++) {
    pillion_task task;
    int rc = pillion_pool_spawn(&task, contended, 0, &future, NULL, 0,
                                i % 2 ? PILLION_JOIN : PILLION_DETACH);
    if (rc == PILLION_EBADHANDLE || rc == PILLION_ECLOSED) return NULL;
    if (rc < 0) {
      atomic_store(&wrong, rc);
      return NULL;
    }
    atomic_fetch_add(&spawned, 1);
    pillion_wake(waker_of(task));
    if (i % 4 == 1) pillion_task_detach(task);
  }
  return NULL;
}

static void one_round(int round) {
  pthread_t threads[SPAWNERS];
  contended = pool_new();
  atomic_store(&begun, 0);
  atomic_store(&spawned, 0);
  atomic_store(&drops, 0);
  for (int i = 0; i < SPAWNERS; i++)
    threads[i] = thread_start(spawns_until_refused, NULL);
  while (atomic_load(&begun) < SPAWNERS) sched_yield();
  if (round % 3 == 1) pillion_pool_close(contended, PILLION_CLOSE_CANCEL);
  pool_free(contended);
  for (int i = 0; i < SPAWNERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&wrong), 0);
  assert_int_equal(atomic_load(&drops), atomic_load(&spawned));
  assert_int_equal(library_counts().tasks, 0);
  assert_int_equal(library_counts().pools, 0);
}

TEST(free_meets_spawns) {
  for (int round = 0; round < ROUNDS; round++) one_round(round);
}
