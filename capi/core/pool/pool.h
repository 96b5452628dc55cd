/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_POOL_H
#define PILLION_CORE_POOL_H

/*
 * Pools, from the inside. Read it in this order:
 *
 *   task.c    the life of one task: who may touch it, and when
 *   ready.c   where ready tasks wait; which workers are idle, and are told
 *   worker.c  executors that lend a pool their turns
 *   member.c  how they join and leave; serve.c  threads of the pool's own
 *   cells.c   cells for tasks; spawn.c  starting them; calls.c  calls of Go's
 *   end.c     the end of a task: events, joins, detaching
 *   timer.c   timers that any worker may set, and deadlines
 *   kind.c    its functions for executors and futures; life.c
 */
#include "executor/executor.h"
#include "pillion/pool.h"

#pragma GCC visibility push(hidden)

#define PILLION__POOLS 1024u
#define PILLION__WORKERS 256u /* in a pool at once */

/* ---- Tasks --------------------------------------------------------------- */

/*
 * Every thread may read head.mode of a pool's task: LIVE, the mode and the
 * outcome. Until the end only the holder of QUEUED looks at head.next: POLLED,
 * ASKED, EXPIRED, SHIELDED, CONTEXT.
 */
static inline struct pillion__head *pillion__pool_head(uint32_t slot) {
  return &pillion__cell_at(slot)->head;
}

/* ---- Workers ------------------------------------------------------------- */

struct pillion__pool;

/* An executor's place in a pool. It stays when the executor leaves. */
struct pillion__worker {
  struct pillion__deque deque;
  /* The part that other threads touch. */
  _Alignas(64) _Atomic(struct pillion__executor *) executor;
  _Atomic uint32_t awaits; /* its host believes that the pool lives */
  /* The owner's. */
  struct pillion__pool *pool;
  uint32_t index, flags;
  pillion_context context;
  struct pillion__cell *polled; /* whose poll is on the stack, or NULL */
  bool woke_itself;             /* in that poll */
  bool idle; /* in the idle set, unless another thread took it off */
  uint32_t free_first, free_count; /* cells */
  uint32_t credit;                 /* tasks that `refs` counts in advance */
  uint64_t random;
  _Atomic uint64_t polls, steals;
  void *memory; /* where it lies */
};

/* ---- Pools --------------------------------------------------------------- */

/*
 * Never unmapped, like executors. The low half of `refs` counts the tasks that
 * were not consumed, the credits of workers, and the pool itself until its
 * free; the high half counts cells that still lend the payload of an event. The
 * thread that makes the word 0 gives everything back.
 */
#define PILLION__POOL_TASK UINT64_C(1)
#define PILLION__POOL_LENT (UINT64_C(1) << 32)

struct pillion__pool {
  _Alignas(64) struct pillion__owner base;
  _Alignas(64) _Atomic uint32_t idle_count;
  _Atomic uint32_t workers_end; /* of all places ever taken */
  _Atomic uint64_t idle[PILLION__WORKERS / 64];
  _Atomic int64_t deadline; /* of the earliest timer */
  _Atomic int64_t fired;    /* the latest time whose timers have fired */
  _Alignas(64) _Atomic uint64_t refs;
  _Atomic uint64_t threads;     /* its own threads that work, or soon will */
  _Atomic uint64_t stops;       /* the number of stops so far */
  _Atomic uint32_t called;      /* it has had a call */
  _Atomic uint32_t guest;       /* Go's side is open */
  _Atomic uint32_t guest_inbox; /* Go takes from it: slot + 1 */
  _Atomic uint32_t chunks;
  _Atomic(struct pillion__worker *) workers[PILLION__WORKERS];

  pthread_mutex_t lock; /* for the fields below */
  uint32_t workers_in;
  uint32_t free_first; /* cells */

  uint32_t max_tasks, batch;
  uint64_t seed;
  pillion_context_hooks hooks; /* as long as there is a reference */

  pthread_mutex_t timers_lock;
  struct pillion__timers timers;
};

extern _Atomic(void *) pillion__pools[PILLION__POOLS];

static inline int pillion__pool_get(struct pillion__pool **out,
                                    uint64_t handle) {
  if (pillion__forked()) return PILLION_EFORKED;
  *out = (struct pillion__pool *)pillion__owner_at(
      handle, PILLION__POOL, pillion__pools, PILLION__POOLS);
  return *out != NULL ? 0 : PILLION_EBADHANDLE;
}

/* The tasks that count, before the free. */
static inline uint32_t pillion__pool_tasks(struct pillion__pool *pool) {
  return (uint32_t)atomic_load(&pool->refs) - 1;
}

/*
 * The time in a turn that began at `now`. Another worker's turn may have begun
 * later and fired timers since: a task that such a timer has woken must not see
 * an earlier time. The caller has synchronised with the wake.
 */
static inline int64_t pillion__pool_now(struct pillion__pool *pool,
                                        int64_t now) {
  int64_t fired = pillion__peek(&pool->fired);
  return PILLION__LIKELY(fired <= now) ? now : fired;
}

/* For an index that is known to have been in use. */
static inline struct pillion__pool *pillion__pool_at(uint32_t index) {
  return atomic_load_explicit(&pillion__pools[index], memory_order_acquire);
}

static inline struct pillion__pool *pillion__pool_of(uint32_t slot) {
  return (struct pillion__pool *)pillion__owner_of(slot);
}

/* The calling thread's worker of `pool`, if the thread is inside its turn. */
static inline struct pillion__worker *pillion__worker_here(
    const struct pillion__pool *pool) {
  struct pillion__executor *ex = pillion__here;
  if (ex == NULL || ex->worker == NULL || ex->worker->pool != pool ||
      !pillion__in_turn(ex))
    return NULL;
  return ex->worker;
}

static inline bool pillion__pool_task_live(const struct pillion__head *head) {
  return pillion__peek(&head->mode) & PILLION__TASK_LIVE;
}

/* Wakes of Go's tasks that no worker has taken up. */
static inline bool pillion__guest_waits(struct pillion__pool *pool) {
  return atomic_load(&pool->guest_inbox) != 0 && atomic_load(&pool->guest);
}

/* task.c */
int pillion__pool_task_wake(struct pillion__head *head, uint32_t slot,
                            uint32_t gen, struct pillion__worker *worker);
void pillion__pool_task_timed(struct pillion__head *head, uint32_t slot,
                              uint32_t gen, bool expired);
void pillion__pool_task_ask(struct pillion__head *head, uint32_t slot,
                            uint32_t gen);
void pillion__pool_task_run(struct pillion__worker *worker, uint32_t slot);
int pillion__pool_task_cancel(struct pillion__head *head, pillion_task task);
int pillion__pool_wake(pillion_waker waker);
int pillion__pool_op_shield(pillion_context *cx, int on);
int pillion__pool_op_cancelled(pillion_context *cx);
void pillion__pool_task_drop(struct pillion__pool *pool, uint32_t slot);

/* end.c */
int pillion__home_expect(pillion_executor home);
void pillion__home_forget(pillion_executor home);
void pillion__pool_task_end(struct pillion__pool *pool,
                            struct pillion__cell *task, uint32_t slot,
                            pillion_value *value, uint32_t outcome);
size_t pillion__pool_task_event(struct pillion__executor *ex,
                                struct pillion__head *head, uint32_t slot,
                                pillion_event *event, size_t room);
void pillion__pool_task_drop_result(struct pillion__head *head, uint32_t slot);
void pillion__pool_task_release(struct pillion__head *head, uint32_t slot);
int pillion__pool_task_join(pillion_value *out, pillion_context *cx,
                            struct pillion__head *head, pillion_task task);
int pillion__pool_task_detach(struct pillion__head *head, pillion_task task);

/* cells.c */
bool pillion__pool_ref(struct pillion__pool *pool, uint64_t gen);
void pillion__pool_unref(struct pillion__pool *pool, uint64_t refs);
void pillion__pool_cell_free(struct pillion__pool *pool,
                             struct pillion__cell *task, uint32_t slot,
                             uint64_t refs);
void pillion__pool_cells_give(struct pillion__worker *worker);
int pillion__pool_cell_take(struct pillion__pool *pool,
                            struct pillion__worker *worker, uint32_t *out);

/* spawn.c */
int pillion__pool_op_spawn(pillion_task *out, pillion_context *cx,
                           const pillion_future *future, void *self,
                           uint64_t token, uint32_t flags);

int pillion__pool_admit(struct pillion__pool *pool,
                        struct pillion__worker *worker, uint64_t gen);

/* ready.c */
void pillion__pool_push(struct pillion__pool *pool,
                        struct pillion__worker *worker,
                        struct pillion__head *head, uint32_t slot);
void pillion__pool_requeue(struct pillion__worker *worker,
                           struct pillion__head *head, uint32_t slot);
void pillion__idle_add(struct pillion__worker *worker);
bool pillion__idle_remove(struct pillion__pool *pool, uint32_t index);
void pillion__pool_poke(struct pillion__pool *pool, bool for_go);
void pillion__pool_tell_waiting(struct pillion__pool *pool);
void pillion__pool_poke_members(struct pillion__pool *pool, bool for_go);

/* worker.c */
bool pillion__pool_work_left(struct pillion__pool *pool);

/* member.c */
void pillion__worker_leave(struct pillion__executor *ex);

/* calls.c */
int pillion__pool_call_begins(uint32_t *out, pillion_pool pool);
void pillion__pool_call_ends(uint32_t pool);
bool pillion__pool_is_cancelling(uint32_t pool);

/* timer.c */
int pillion__pool_timer_set(pillion_timer *timer, pillion_context *cx,
                            int64_t deadline);
void pillion__pool_timer_clear(pillion_timer *timer);
void pillion__pool_timers_fire(struct pillion__pool *pool, int64_t now);
void pillion__pool_timers_forget(struct pillion__pool *pool);
int pillion__pool_task_deadline(pillion_timer *storage,
                                struct pillion__head *head, pillion_task task,
                                int64_t at);

/* kind.c */
extern const pillion_ops pillion__pool_ops;
extern const struct pillion__kind pillion__pool_kind;
extern const struct pillion__side pillion__side_of_pool;

/* life.c */
void pillion__pool_late(struct pillion__pool *pool, uint64_t gen,
                        pillion_task task);
extern struct pillion__table pillion__pool_table;
void pillion__pool_count(pillion_library_counts *out);

#pragma GCC visibility pop

#endif
