/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers: executors that lend a pool a share of their turns.
 *
 * Who is idle. A worker that found nothing parks, enters the idle set, and then
 * looks once more; a pusher pushes first and looks at the set then. So one of
 * them sees the other. Who takes a worker off the set pokes its host. A push
 * into the own deque needs no look while the deque was empty, since its owner is
 * about to look there; and the look of those that follow comes for free after
 * the next pop, whose compare-and-swap is the fence it needs. Nobody relies on
 * a worker that was poked to come soon: its loop may be busy with other things.
 * tests/model/pool_idle.pml is this as a model.
 *
 * Who awaits. A worker whose host was told that the pool lives has `awaits` set,
 * and is poked when the pool's last task has gone.
 */
#include "pool.h"

#define INBOX_EVERY 64
#define ALONE 64 /* looks at a task that stands alone; see deque_waits */

#if defined(__x86_64__) || defined(__i386__)
#define PILLION__RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PILLION__RELAX() __asm__ volatile("yield")
#else
#define PILLION__RELAX() ((void)0)
#endif

/* ---- The idle set -------------------------------------------------------- */

bool pillion__idle_remove(struct pillion__pool *pool, uint32_t index) {
  uint64_t bit = UINT64_C(1) << index % 64;
  if (!(atomic_fetch_and(&pool->idle[index / 64], ~bit) & bit)) return false;
  atomic_fetch_sub(&pool->idle_count, 1);
  return true;
}

static void idle_add(struct pillion__worker *worker) {
  uint64_t bit = UINT64_C(1) << worker->index % 64;
  atomic_fetch_or(&worker->pool->idle[worker->index / 64], bit);
  atomic_fetch_add(&worker->pool->idle_count, 1);
  worker->idle = true;
}

static void poke_worker(struct pillion__worker *worker, bool guest) {
  struct pillion__executor *ex = atomic_load(&worker->executor);
  if (ex == NULL) return;
  if (guest) atomic_store(&ex->guest_wake, 1);
  pillion__poke(ex);
}

/* Takes one idle worker off the set, if there is any, and pokes it. */
static void poke_idle(struct pillion__pool *pool, bool guest) {
  if (atomic_load(&pool->idle_count) == 0) return;
  for (uint32_t word = 0; word < PILLION__WORKERS / 64; word++) {
    uint64_t bits;
    while ((bits = atomic_load(&pool->idle[word])) != 0) {
      uint32_t index = 64 * word + (uint32_t)__builtin_ctzll(bits);
      if (!pillion__idle_remove(pool, index)) continue;
      poke_worker(atomic_load(&pool->workers[index]), guest);
      return;
    }
  }
}

void pillion__pool_poke(struct pillion__pool *pool) { poke_idle(pool, false); }

/* For Go's tasks: that worker's turn shall enter Go. */
void pillion__pool_poke_guest(struct pillion__pool *pool) {
  poke_idle(pool, true);
}

/* Pokes those whose hosts believe that the pool lives. */
void pillion__pool_poke_all(struct pillion__pool *pool) {
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++) {
    struct pillion__worker *worker = atomic_load(&pool->workers[i]);
    if (atomic_load(&worker->awaits) && atomic_exchange(&worker->awaits, 0))
      poke_worker(worker, false);
  }
}

/* All: that Go's side is there. */
void pillion__guest_wake_workers(struct pillion__pool *pool) {
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++)
    poke_worker(atomic_load(&pool->workers[i]), true);
}

void pillion__pool_poke_workers(struct pillion__pool *pool) {
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++)
    poke_worker(atomic_load(&pool->workers[i]), false);
}

/* ---- Pushing ------------------------------------------------------------- */

void pillion__pool_inbox_add(struct pillion__pool *pool,
                             struct pillion__head *head, uint32_t slot) {
  uint32_t first = atomic_load_explicit(&pool->inbox, memory_order_relaxed);
  do atomic_store_explicit(&head->link, first, memory_order_relaxed);
  while (!atomic_compare_exchange_weak(&pool->inbox, &first, slot + 1));
}

/*
 * By who set QUEUED. `worker` NULL: not inside a turn of the pool's; any thread
 * and any signal handler.
 */
void pillion__pool_push(struct pillion__pool *pool,
                        struct pillion__worker *worker,
                        struct pillion__head *head, uint32_t slot) {
  if (worker != NULL) {
    struct pillion__deque *deque = &worker->deque;
    bool more =
        atomic_load_explicit(&deque->head, memory_order_relaxed) !=
        atomic_load_explicit(&deque->tail, memory_order_relaxed);
    if (PILLION__LIKELY(pillion__deque_push(deque, slot, more))) {
      if (more) pillion__pool_poke(pool);
      return;
    }
  }
  pillion__pool_inbox_add(pool, head, slot);
  pillion__pool_poke(pool);
}

/* After a poll. The next pop brings the look. */
void pillion__pool_requeue(struct pillion__worker *worker,
                           struct pillion__head *head, uint32_t slot) {
  if (PILLION__UNLIKELY(!pillion__deque_push(&worker->deque, slot, false)))
    pillion__pool_inbox_add(worker->pool, head, slot);
}

/* Takes the whole inbox: the slot + 1 that came first, or 0. */
uint32_t pillion__pool_take(struct pillion__pool *pool) {
  uint32_t to = 0;
  if (atomic_load_explicit(&pool->inbox, memory_order_relaxed) == 0) return 0;
  uint32_t from = atomic_exchange(&pool->inbox, 0);
  while (from != 0) { /* the last came first */
    struct pillion__head *head = &pillion__ptask_at(from - 1)->head;
    uint32_t next = atomic_load_explicit(&head->link, memory_order_relaxed);
    atomic_store_explicit(&head->link, to, memory_order_relaxed);
    to = from;
    from = next;
  }
  return to;
}

/* What has no room in the deque goes back: its first buffer always exists. */
static bool take_inbox(struct pillion__worker *worker) {
  uint32_t to = pillion__pool_take(worker->pool), taken = to;
  while (to != 0) { /* the link first: then the task may be queued again */
    uint32_t slot = to - 1;
    struct pillion__head *head = &pillion__ptask_at(slot)->head;
    to = atomic_load_explicit(&head->link, memory_order_relaxed);
    pillion__pool_requeue(worker, head, slot);
  }
  return taken != 0;
}

/* ---- Finding work -------------------------------------------------------- */

static uint32_t draw_victim(struct pillion__worker *worker, uint32_t n) {
  worker->random = worker->random * UINT64_C(6364136223846793005) + 1;
  return (uint32_t)((worker->random >> 32) * n >> 32);
}

/*
 * A task that stands alone in a deque whose owner is at work is as good as
 * polled: to steal it would only move it to and fro, and its owner into the idle
 * set. So it is watched for a microsecond. If it is taken meanwhile, then by its
 * owner, who tells of what follows as if we had looked a moment later.
 */
static bool deque_waits(const struct pillion__deque *deque) {
  uint64_t head = atomic_load(&deque->head);
  uint64_t n = atomic_load(&deque->tail) - head;
  if (n != 1) return (int64_t)n > 0;
  for (int i = 0; i < ALONE; i++) {
    PILLION__RELAX();
    if (atomic_load_explicit(&deque->head, memory_order_relaxed) != head)
      return false;
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
      atomic_store_explicit(
          &worker->steals,
          atomic_load_explicit(&worker->steals, memory_order_relaxed) + 1,
          memory_order_relaxed);
      return true;
    }
  }
  return false;
}

bool pillion__pool_work_left(struct pillion__pool *pool) {
  if (atomic_load(&pool->inbox) != 0) return true;
  uint32_t end = atomic_load(&pool->workers_end);
  for (uint32_t i = 0; i < end; i++)
    if (deque_waits(&atomic_load(&pool->workers[i])->deque)) return true;
  return false;
}

/* ---- In a turn ----------------------------------------------------------- */

/*
 * The pool's share of a turn: up to `max_polls`, until nothing is to be had. No
 * snapshot: a chain of tasks that wake each other would make one step a turn.
 */
uint32_t pillion__pool_run(struct pillion__executor *ex, uint32_t max_polls,
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
  if (atomic_load_explicit(&pool->deadline, memory_order_relaxed) <= now)
    pillion__ptimers_fire(pool, now);
  while (polled < max_polls) {
    if (polled % INBOX_EVERY == 0) {
      if (polled > 0 && until != PILLION_TIME_NEVER && pillion__clock(ex) >= until)
        break;
      take_inbox(worker);
    }
    if (!pillion__deque_pop(deque, &slot)) {
      if (!take_inbox(worker) && !steal(worker)) break;
      continue;
    }
    if (atomic_load_explicit(&pool->idle_count, memory_order_relaxed) != 0 &&
        !pillion__deque_empty(deque))
      pillion__pool_poke(pool);
    polled++;
    pillion__ptask_run(worker, slot);
  }
  atomic_store_explicit(
      &worker->polls,
      atomic_load_explicit(&worker->polls, memory_order_relaxed) + polled,
      memory_order_relaxed);
  return polled;
}

/*
 * Work that this worker knows of, at the end of a turn. One that has none gives
 * its credit back, be it ever so busy with its own tasks: others wait for the
 * pool's last.
 */
bool pillion__pool_more(struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  bool guest = pillion__guest_waits(worker->pool);
  if (PILLION__UNLIKELY(guest)) atomic_store(&ex->guest_wake, 1);
  /* No fence is needed for the own ones, which the next turn finds. */
  if (pillion__deque_empty(&worker->deque)) {
    pillion__pool_unref(worker->pool, worker->credit);
    worker->credit = 0;
    return guest || atomic_load(&worker->pool->inbox) != 0;
  }
  atomic_thread_fence(memory_order_seq_cst);
  pillion__pool_poke(worker->pool);
  return true;
}

/* After parking, with nothing left. Tells whether another turn is due. */
bool pillion__pool_rest(struct pillion__executor *ex) {
  struct pillion__worker *worker = ex->worker;
  idle_add(worker);
  ex->pooled = 0;
  bool guest = pillion__guest_waits(worker->pool);
  if (guest) atomic_store(&ex->guest_wake, 1);
  if (!guest && !pillion__pool_work_left(worker->pool)) return false;
  pillion__poke(ex);
  return true;
}

/*
 * How many tasks a worker's host shall wait for. The mark first, then the look:
 * who ends the last one looks the other way round.
 */
uint64_t pillion__pool_live(struct pillion__worker *worker) {
  struct pillion__pool *pool = worker->pool;
  for (;;) {
    uint64_t live = atomic_load(&pool->refs) - 1;
    if (live == 0 && worker->flags & PILLION_HOLD &&
        pillion__pool_closing(pool) == 0)
      live = 1;
    if (live == 0) {
      atomic_store_explicit(&worker->awaits, 0, memory_order_relaxed);
      return 0;
    }
    if (atomic_load_explicit(&worker->awaits, memory_order_relaxed))
      return live;
    atomic_store(&worker->awaits, 1);
  }
}
