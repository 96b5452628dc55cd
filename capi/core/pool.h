/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_POOL_H
#define PILLION_CORE_POOL_H

/*
 * Pools, from the inside. Read it in this order:
 *
 *   ptask.c   the life of one task: who may touch it, and when
 *   deque.c   where ready ones wait, and how they are stolen
 *   worker.c  executors that lend a pool their turns; who is idle, who is told
 *   member.c  how they join and leave
 *   pslot.c   cells for tasks, and starting them
 *   pend.c    how the end of a task is told: events, joins, detaching
 *   serve.c   workers with threads of the pool's own
 *   pguest.c  Go tasks that the same workers poll
 *   ptimer.c  timers that whoever polls may set, and deadlines
 *   pool.c    making, closing, freeing
 */
#include <pthread.h>

#include "core.h"
#include "pillion/pool.h"

#define PILLION__WORKERS 256u /* in a pool at once */

/* ---- Tasks --------------------------------------------------------------- */

/*
 * A pool's task: 64 bytes. head.mode is for all to read: LIVE, the mode and the
 * outcome. head.next has, until the end, what only the holder of QUEUED looks
 * at: POLLED, ASKED, EXPIRED, SHIELDED, CONTEXT.
 *
 * `joiner` says who awaits the end of a task that is joined, in the words of
 * cell.h.
 */
struct pillion__ptask {
  struct pillion__head head;
  union {
    uint64_t token;          /* PILLION_EVENT */
    _Atomic uint64_t joiner; /* PILLION_JOIN */
  } to;
  union {
    struct {
      const pillion_future *future;
      void *self;
      pillion_executor home; /* whose event its end is, and its children's */
      void *context;         /* its token, with CONTEXT in head.next */
    } live;
    struct {
      int32_t status;
      uint32_t length;
      uint8_t payload[PILLION_INLINE];
    } done;
  } u;
};
_Static_assert(sizeof(struct pillion__ptask) == sizeof(struct pillion__cell),
               "every cell is of one size");

static inline struct pillion__ptask *pillion__ptask_at(uint32_t slot) {
  return (struct pillion__ptask *)pillion__cell_at(slot);
}

/* ---- Deques -------------------------------------------------------------- */

struct pillion__buffer {
  struct pillion__buffer *older; /* thieves may still read them */
  uint64_t mask;
  _Atomic uint32_t slots[];
};

struct pillion__deque {
  _Alignas(64) _Atomic uint64_t head; /* taken by compare-and-swap; grows */
  _Atomic uint64_t tail;              /* the owner's; grows */
  _Atomic(struct pillion__buffer *) buffer;
};

PILLION__HIDDEN bool pillion__deque_open(struct pillion__deque *deque);
PILLION__HIDDEN bool pillion__deque_push(struct pillion__deque *deque,
                                         uint32_t slot, bool fenced);
PILLION__HIDDEN bool pillion__deque_pop(struct pillion__deque *deque,
                                        uint32_t *out);
PILLION__HIDDEN uint32_t pillion__deque_steal(struct pillion__deque *to,
                                              struct pillion__deque *from);
PILLION__HIDDEN void pillion__deque_free(struct pillion__deque *deque);

static inline bool pillion__deque_empty(const struct pillion__deque *deque) {
  return atomic_load(&deque->tail) == atomic_load(&deque->head);
}

/* ---- Workers ------------------------------------------------------------- */

struct pillion__pool;

/* An executor's place in a pool. It stays when the executor leaves. */
struct pillion__worker {
  struct pillion__deque deque;
  /* What other threads touch. */
  _Alignas(64) _Atomic(struct pillion__executor *) executor;
  _Atomic uint32_t awaits; /* its host was told that the pool lives */
  /* The owner's. */
  struct pillion__pool *pool;
  uint32_t index, flags;
  pillion_context context;
  struct pillion__ptask *polled; /* whose poll is on the stack, or NULL */
  bool woke_itself;              /* in that poll */
  bool idle;                     /* in the idle set, unless somebody took it off */
  uint32_t free_first, free_count; /* cells */
  uint32_t credit; /* tasks that `refs` counts and that aren't there yet */
  uint64_t random;
  _Atomic uint64_t polls, steals;
  void *memory; /* where it lies */
};

/* ---- Pools --------------------------------------------------------------- */

/*
 * Never unmapped, as executors. `refs` counts the tasks that were not consumed,
 * the credits of workers, and the pool itself until it is freed; who takes off
 * the last gives everything back.
 */
struct pillion__pool {
  _Alignas(64) _Atomic uint32_t inbox; /* slot + 1 */
  _Alignas(64) _Atomic uint32_t idle_count;
  _Atomic uint32_t workers_end; /* of the places that were ever taken */
  _Atomic uint64_t idle[PILLION__WORKERS / 64];
  _Atomic int64_t deadline; /* of the earliest timer */
  _Atomic int64_t fired;    /* the latest time whose timers were fired */
  _Atomic uint64_t gen;     /* of the handle; even: not in use */
  _Alignas(64) _Atomic uint64_t refs;
  _Atomic uint64_t closing; /* gen << 2, below it 0 or 1 + mode */
  _Atomic uint64_t threads; /* of its own that work for it, or soon will */
  _Atomic uint64_t stops;   /* times that they were told to stop */
  _Atomic uint32_t called;     /* there was a call for it */
  _Atomic uint32_t guest;      /* Go has a side of it */
  _Atomic uint32_t guest_inbox; /* Go takes from it: slot + 1 */
  _Atomic(struct pillion__worker *) workers[PILLION__WORKERS];

  pthread_mutex_t lock; /* for all that follows */
  uint32_t workers_in;
  uint32_t free_first; /* cells */
  uint32_t chunks; /* directory index + 1, then by next_free */

  uint32_t index, max_tasks, batch;
  uint64_t seed;
  pillion_context_hooks hooks; /* as long as there is a reference */

  pthread_mutex_t timers_lock;
  struct pillion__timers timers;
};

PILLION__HIDDEN extern _Atomic(struct pillion__pool *)
    pillion__pools[PILLION__POOLS];

static inline int pillion__pool_get(struct pillion__pool **out,
                                    uint64_t handle) {
  if (pillion__forked()) return PILLION_EFORKED;
  uint32_t index = pillion__slot_of(handle);
  if (pillion__kind_of(handle) != PILLION__POOL || index >= PILLION__POOLS)
    return PILLION_EBADHANDLE;
  struct pillion__pool *pool =
      atomic_load_explicit(&pillion__pools[index], memory_order_acquire);
  uint32_t gen = pillion__gen_of(handle);
  if (pool == NULL || gen % 2 == 0 || atomic_load(&pool->gen) != gen)
    return PILLION_EBADHANDLE;
  *out = pool;
  return 0;
}

static inline uint32_t pillion__pool_closing(struct pillion__pool *pool) {
  return (uint32_t)atomic_load(&pool->closing) & 3u;
}

/*
 * The time in a turn that began at `now`. Another worker's turn may have begun
 * later and fired timers since: a task that was woken by one must not see a time
 * before it. Who calls has synchronised with the wake.
 */
static inline int64_t pillion__pool_now(struct pillion__pool *pool,
                                        int64_t now) {
  int64_t fired = atomic_load_explicit(&pool->fired, memory_order_relaxed);
  return PILLION__LIKELY(fired <= now) ? now : fired;
}

static inline struct pillion__pool *pillion__pool_of(uint32_t slot) {
  return atomic_load(&pillion__directory[slot / PILLION__CHUNK].pool);
}

/* The calling thread's worker of `pool`, if it is inside its turn. */
static inline struct pillion__worker *
pillion__worker_here(const struct pillion__pool *pool) {
  struct pillion__executor *ex = pillion__here;
  if (ex == NULL || ex->worker == NULL || ex->worker->pool != pool ||
      !atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    return NULL;
  return ex->worker;
}

/* ptask.c */
PILLION__HIDDEN int pillion__ptask_wake(struct pillion__ptask *task,
                                        uint32_t slot, uint32_t gen,
                                        struct pillion__worker *worker);
PILLION__HIDDEN void pillion__ptask_wake_quietly(struct pillion__ptask *task,
                                                 uint32_t slot, uint32_t gen);
PILLION__HIDDEN void pillion__ptask_expire(struct pillion__ptask *task,
                                           uint32_t slot, uint32_t gen);
PILLION__HIDDEN void pillion__ptask_ask(struct pillion__ptask *task,
                                        uint32_t slot, uint32_t gen);
PILLION__HIDDEN void pillion__ptask_run(struct pillion__worker *worker,
                                        uint32_t slot);
PILLION__HIDDEN int pillion__pool_op_shield(pillion_context *cx, int on);
PILLION__HIDDEN int pillion__pool_op_cancelled(pillion_context *cx);
PILLION__HIDDEN void pillion__ptask_drop(struct pillion__pool *pool,
                                         uint32_t slot);

/* pend.c */
PILLION__HIDDEN int pillion__home_expect(pillion_executor home);
PILLION__HIDDEN void pillion__home_forget(pillion_executor home);
PILLION__HIDDEN int pillion__pool_op_join(pillion_value *out,
                                          pillion_context *cx,
                                          pillion_task task);
PILLION__HIDDEN void pillion__ptask_end(struct pillion__pool *pool,
                                        struct pillion__ptask *task,
                                        uint32_t slot, pillion_value *value,
                                        uint32_t outcome);

/* pslot.c */
PILLION__HIDDEN void pillion__pslot_free(struct pillion__pool *pool,
                                         struct pillion__ptask *task,
                                         uint32_t slot);
PILLION__HIDDEN void pillion__pslots_give(struct pillion__worker *worker);
PILLION__HIDDEN void pillion__pslots_each(
    struct pillion__pool *pool,
    void (*fn)(struct pillion__ptask *task, uint32_t slot, void *data),
    void *data);
PILLION__HIDDEN void pillion__pslots_return(struct pillion__pool *pool);
PILLION__HIDDEN int pillion__pool_op_spawn(pillion_task *out,
                                           pillion_context *cx,
                                           const pillion_future *future,
                                           void *self, uint64_t token,
                                           uint32_t flags);

PILLION__HIDDEN int pillion__pool_admit(struct pillion__pool *pool,
                                        struct pillion__worker *worker,
                                        uint64_t gen);

/* pguest.c */
PILLION__HIDDEN void pillion__guest_wake_workers(struct pillion__pool *pool);
PILLION__HIDDEN void pillion__guest_forget(struct pillion__pool *pool);

/* Wakes of Go's tasks that no worker has taken up. */
static inline bool pillion__guest_waits(struct pillion__pool *pool) {
  return atomic_load(&pool->guest_inbox) != 0 && atomic_load(&pool->guest);
}

/* worker.c */
PILLION__HIDDEN void pillion__pool_push(struct pillion__pool *pool,
                                        struct pillion__worker *worker,
                                        struct pillion__head *head,
                                        uint32_t slot);
PILLION__HIDDEN void pillion__pool_inbox_add(struct pillion__pool *pool,
                                             struct pillion__head *head,
                                             uint32_t slot);
PILLION__HIDDEN void pillion__pool_requeue(struct pillion__worker *worker,
                                           struct pillion__head *head,
                                           uint32_t slot);
PILLION__HIDDEN bool pillion__idle_remove(struct pillion__pool *pool,
                                          uint32_t index);
PILLION__HIDDEN bool pillion__pool_work_left(struct pillion__pool *pool);
PILLION__HIDDEN void pillion__pool_poke(struct pillion__pool *pool);
PILLION__HIDDEN void pillion__pool_poke_guest(struct pillion__pool *pool);
PILLION__HIDDEN void pillion__pool_poke_all(struct pillion__pool *pool);
PILLION__HIDDEN void pillion__pool_poke_workers(struct pillion__pool *pool);
PILLION__HIDDEN uint32_t pillion__pool_take(struct pillion__pool *pool);

/* ptimer.c */
PILLION__HIDDEN int pillion__ptimer_set(pillion_timer *timer,
                                        pillion_context *cx, int64_t deadline);
PILLION__HIDDEN void pillion__ptimer_clear(pillion_timer *timer);
PILLION__HIDDEN void pillion__ptimers_fire(struct pillion__pool *pool,
                                           int64_t now);
PILLION__HIDDEN void pillion__ptimers_forget(struct pillion__pool *pool);

/* pool.c */
PILLION__HIDDEN bool pillion__pool_ref(struct pillion__pool *pool,
                                       uint64_t gen);
PILLION__HIDDEN void pillion__pool_unref(struct pillion__pool *pool,
                                         uint64_t refs);
PILLION__HIDDEN void pillion__pool_late(struct pillion__pool *pool,
                                        uint64_t gen, pillion_task task);
PILLION__HIDDEN extern const pillion_ops pillion__pool_ops;

#endif
