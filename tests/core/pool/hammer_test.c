/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ten thousand tasks on workers that come and go. All threads wake them, and
 * count a task's sequence up before each wake; once all is quiet each task must
 * have seen the last number. No two polls of one task may meet, and each task is
 * dropped once. Only the test's length depends on time.
 */
#include "support.h"

enum { TASKS = 10000, WORKERS = 3 };

#define DURATION (600 * MS)
#define PATIENCE (30 * SECOND) /* later than this a wake is lost */

struct target {
  _Atomic uint64_t sequence;
  _Atomic pillion_waker waker;
  _Atomic int inside, drops, ends;
  uint64_t seen, polls; /* plain: only its polls touch them */
};

static struct target targets[TASKS];
static _Atomic int over, waking, met, enough, lost;
static _Atomic uint64_t polls;

static void count_and_wake(uint32_t i, int (*wake)(pillion_waker waker)) {
  struct target *t = &targets[i];
  atomic_fetch_add_explicit(&t->sequence, 1, memory_order_relaxed);
  if (wake(atomic_load(&t->waker)) < 0) atomic_store(&lost, 1);
}

static int target_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct target *t = self;
  if (atomic_exchange_explicit(&t->inside, 1, memory_order_relaxed))
    atomic_store(&met, 1);
  /* It looks at `ends` first: else the last number might come in between. */
  bool ends = atomic_load_explicit(&t->ends, memory_order_acquire);
  t->seen = atomic_load_explicit(&t->sequence, memory_order_relaxed);
  t->polls++;
  uint32_t random = (uint32_t)(t->polls * 7919 + (uintptr_t)t / sizeof *t);
  atomic_fetch_add(&waking, 1);
  if (!atomic_load(&over)) {
    if (random % 4 == 0) cx->ops->wake(cx->waker);
    count_and_wake(random_below(&random, TASKS), cx->ops->wake);
    if (random % 8 == 0)
      count_and_wake(random_below(&random, TASKS), pillion_wake);
  }
  atomic_fetch_sub(&waking, 1);
  atomic_store_explicit(&t->inside, 0, memory_order_relaxed);
  return ends ? PILLION_READY : PILLION_PENDING;
}

static void target_drop(void *self) {
  atomic_fetch_add(&((struct target *)self)->drops, 1);
}

static const pillion_future target_future = {sizeof target_future, target_poll,
                                             target_drop};

/* A worker that leaves now and then, also with tasks in its deque. */
static void *works_and_leaves(void *data) {
  uint32_t random = 3 + (uint32_t)(uintptr_t)data;
  bool stays = data == NULL;
  int fd;
  while (!atomic_load(&enough)) {
    pillion_executor ex;
    pillion_budget budget = PILLION_BUDGET_INIT;
    pillion_progress p = PILLION_PROGRESS_INIT;
    pillion_executor_new(&ex, NULL, NULL, 0);
    pillion_executor_fd(&fd, ex);
    pillion_pool_join(pool, ex, PILLION_HOLD);
    for (uint32_t turns = random_below(&random, 200);
         (stays || turns > 0) && !atomic_load(&enough); turns--) {
      budget.max_polls = 1 + random_below(&random, 300);
      if (pillion_executor_turn(NULL, 0, &p, ex, &budget) < 0)
        atomic_store(&lost, 1);
      atomic_fetch_add(&polls, p.polled);
      if (p.more) continue;
      struct pollfd watched = {fd, POLLIN, 0};
      poll(&watched, 1, stays ? 100 : 1);
    }
    if (random_below(&random, 2)) pillion_pool_leave(ex);
    pillion_executor_free(ex);
  }
  return NULL;
}

static void *wakes(void *data) {
  uint32_t random = 99 + (uint32_t)(uintptr_t)data;
  while (!atomic_load(&over)) {
    for (int i = 0; i < 50; i++)
      count_and_wake(random_below(&random, TASKS), pillion_wake);
    sched_yield();
  }
  return NULL;
}

/* Spawns and ends tasks of its own, so that slots are used again. */
enum { BATCH = 64 };

static _Atomic int batch_drops;

static int once_poll(pillion_value *out, pillion_context *cx, void *self) {
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

static void once_drop(void *self) {
  atomic_fetch_add(&batch_drops, 1);
}

static const pillion_future once = {sizeof once, once_poll, once_drop};

static void *spawns(void *data) {
  pillion_task tasks[BATCH];
  while (!atomic_load(&over)) {
    atomic_store(&batch_drops, 0);
    for (int i = 0; i < BATCH; i++)
      if (pillion_pool_spawn(&tasks[i], pool, 0, &once, NULL, 0,
                             PILLION_JOIN) < 0)
        atomic_store(&lost, 1);
    for (int i = 0; i < BATCH; i++) {
      pillion_wake(waker_of(tasks[i]));
      if (i % 2) pillion_task_cancel(tasks[i]);
      if (pillion_task_detach(tasks[i]) < 0) atomic_store(&lost, 1);
    }
    while (atomic_load(&batch_drops) < BATCH && !atomic_load(&enough))
      sched_yield();
  }
  return NULL;
}

static bool all_seen(void) {
  for (int i = 0; i < TASKS; i++)
    if (atomic_load(&targets[i].drops) != 1) return false;
  return true;
}

TEST(nothing_is_lost) {
  pthread_t threads[WORKERS + 2];
  pool = pool_new();
  for (int i = 0; i < TASKS; i++) {
    pillion_task task;
    assert_ok(pillion_pool_spawn(&task, pool, 0, &target_future, &targets[i],
                                 0, PILLION_DETACH));
    atomic_store(&targets[i].waker, waker_of(task));
  }
  for (uintptr_t i = 0; i < WORKERS; i++)
    threads[i] = thread_start(works_and_leaves, (void *)i);
  threads[WORKERS] = thread_start(wakes, NULL);
  threads[WORKERS + 1] = thread_start(spawns, NULL);
  int64_t begin = pillion__now();
  while (pillion__now() < begin + DURATION) sched_yield();
  atomic_store(&over, 1);
  pthread_join(threads[WORKERS], NULL);
  pthread_join(threads[WORKERS + 1], NULL);
  while (atomic_load(&waking) > 0) sched_yield();
  /* A last wake tells each task to end: without it the task lives on. */
  for (uint32_t i = 0; i < TASKS; i++) {
    atomic_fetch_add_explicit(&targets[i].sequence, 1, memory_order_relaxed);
    atomic_store_explicit(&targets[i].ends, 1, memory_order_release);
    if (pillion_wake(atomic_load(&targets[i].waker)) < 0)
      atomic_store(&lost, 1);
  }
  while (!all_seen() && pillion__now() < begin + PATIENCE) sched_yield();
  atomic_store(&enough, 1);
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  assert_false(atomic_load(&met));
  assert_false(atomic_load(&lost));
  for (int i = 0; i < TASKS; i++) {
    assert_int_equal(atomic_load(&targets[i].drops), 1);
    assert_int_equal(targets[i].seen, atomic_load(&targets[i].sequence));
  }
  assert_true(atomic_load(&polls) > TASKS);
  pool_free(pool);
}
