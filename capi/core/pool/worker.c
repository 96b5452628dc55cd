/* SPDX-License-Identifier: Apache-2.0 */

/* Workers: executors that lend a pool a share of their turns. */
#include "pool/pool.h"

#define INBOX_EVERY 64
#define ALONE 64 /* looks at a lone task; see deque_waits */

#if defined(__x86_64__) || defined(__i386__)
#define PILLION__RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PILLION__RELAX() __asm__ volatile("yield")
#else
#define PILLION__RELAX() ((void)0)
#endif

/* ---- Finding work -------------------------------------------------------- */

/*
 * A slot without room in the deque goes back: the first buffer always exists.
 */
static bool take_inbox(struct pillion__worker *worker) {
  uint32_t list = pillion__inbox_take(&worker->pool->base.inbox), slot, type;
  struct pillion__head *head;
  bool any = list != 0;
  while ((head = pillion__inbox_next(&list, &slot, &type)) != NULL)
    pillion__pool_requeue(worker, head, slot);
  return any;
}

static uint32_t draw_victim(struct pillion__worker *worker, uint32_t n) {
  worker->random = worker->random * UINT64_C(6364136223846793005) + 1;
  return (uint32_t)((worker->random >> 32) * n >> 32);
}

/*
 * A lone task in the deque of a worker that is at work will soon be polled: a
 * theft would only move it to and fro, and its owner into the idle set. So the
 * thief watches it for a microsecond. If the owner takes it meanwhile, the
 * owner tells others of its further pushes, as if the thief had looked a moment
 * later.
 */
static bool deque_waits(const struct pillion__deque *deque) {
  uint64_t head = atomic_load(&deque->head);
  uint64_t n = atomic_load(&deque->tail) - head;
  if (n != 1) return (int64_t)n > 0;
  for (int i = 0; i < ALONE; i++) {
    PILLION__RELAX();
    if (pillion__peek(&deque->head) != head) return false;
  }
  return true;
}

static bool steal(struct pillion__worker *worker) {
  struct pillion__pool *pool = worker->pool;
  uint32_t end = atomic_load(&pool->workers_end);
  uint32_t at = draw_victim(worker, end);
  for (uint32_t i = 0; i < end; i++, at = at + 1 == end ? 0 : at + 1) {
    struct pillion__worker *victim = atomic_load(&pool->workers[at]);
    if (victim == worker || !deque_waits(&victim->deque)) continue;
    if (pillion__deque_steal(&worker->deque, &victim->deque) > 0) {
      pillion__set(&worker->steals, pillion__peek(&worker->steals) + 1);
      return true;
    }
  }
  return false;
}

bool pillion__pool_work_left(struct pillion__pool *pool) {
  if (atomic_load(&pool->base.inbox) != 0) return true;
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++)
    if (deque_waits(&atomic_load(&pool->workers[i])->deque)) return true;
  return false;
}

/* ---- In a turn ----------------------------------------------------------- */

/*
 * The pool's share of a turn: up to `max_polls`, until there is no work. No
 * snapshot: a chain of tasks that wake each other would make one step a turn.
 */
static uint32_t side_run(struct pillion__executor *ex, uint32_t max_polls,
                         int64_t now, int64_t until) {
  struct pillion__worker *worker = ex->worker;
  struct pillion__pool *pool = worker->pool;
  struct pillion__deque *deque = &worker->deque;
  uint32_t polled = 0, slot;
  if (worker->idle) {
    worker->idle = false;
    ex->pooled = 1;
    pillion__idle_remove(pool, worker->index);
  }
  worker->context.now = now;
  if (pillion__peek(&pool->deadline) <= now)
    pillion__pool_timers_fire(pool, now);
  while (polled < max_polls) {
    if (polled % INBOX_EVERY == 0) {
      if (polled > 0 && until != PILLION_TIME_NEVER &&
          pillion__clock(ex) >= until)
        break;
      take_inbox(worker);
    }
    if (!pillion__deque_pop(deque, &slot)) {
      if (!take_inbox(worker) && !steal(worker)) break;
      continue;
    }
    if (pillion__peek(&pool->idle_count) != 0 && !pillion__deque_empty(deque))
      pillion__pool_poke(pool, false);
    polled++;
    pillion__pool_task_run(worker, slot);
  }
  pillion__set(&worker->polls, pillion__peek(&worker->polls) + polled);
  return polled;
}

/*
 * Work that this worker knows of, at the end of a turn. A worker with none
 * gives its credit back, even if it is busy with its own tasks: others wait for
 * the pool's last task.
 */
static bool side_more(struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  bool guest = pillion__guest_waits(worker->pool);
  if (PILLION__UNLIKELY(guest)) atomic_store(&ex->guest_wake, 1);
  /* Its own tasks need no fence, since the next turn finds them. */
  if (pillion__deque_empty(&worker->deque)) {
    pillion__pool_unref(worker->pool, worker->credit);
    worker->credit = 0;
    return guest || atomic_load(&worker->pool->base.inbox) != 0;
  }
  atomic_thread_fence(memory_order_seq_cst);
  pillion__pool_poke(worker->pool, false);
  return true;
}

/* After parking, with no work left. Reports whether another turn is due. */
static bool side_rest(struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  pillion__idle_add(worker);
  ex->pooled = 0;
  bool guest = pillion__guest_waits(worker->pool);
  if (guest) atomic_store(&ex->guest_wake, 1);
  if (!guest && !pillion__pool_work_left(worker->pool)) return false;
  pillion__poke(ex);
  return true;
}

/*
 * The tasks that a worker's host waits for. The mark first, then the look; the
 * thread that ends the last task does the opposite.
 */
static uint64_t side_live(const struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  struct pillion__pool *pool = worker->pool;
  for (;;) {
    uint64_t live = pillion__pool_tasks(pool);
    if (live == 0 && worker->flags & PILLION_HOLD &&
        pillion__closing(&pool->base) == 0)
      live = 1;
    if (live == 0) {
      pillion__set(&worker->awaits, 0);
      return 0;
    }
    if (pillion__peek(&worker->awaits)) return live;
    atomic_store(&worker->awaits, 1);
  }
}

static int64_t side_deadline(const struct pillion__executor *ex) {
  return pillion__peek(&ex->worker->pool->deadline);
}

const struct pillion__side pillion__side_of_pool = {
    .run = side_run,
    .more = side_more,
    .rest = side_rest,
    .live = side_live,
    .deadline = side_deadline,
    .leave = pillion__worker_leave,
};
