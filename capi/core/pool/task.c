/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a pool's task. QUEUED in head.pend is held from the push until a
 * poll has ended and found nothing new, and its holder alone touches the task:
 * so no task is polled twice at once, and polls see each other's work.
 *
 *             1 wake                 2 popped
 *      idle ---------> QUEUED, in a deque or the inbox ------> polled
 *        ^                ^                                      |
 *        |                '------------ 4 or woken meanwhile ----|
 *        '------------- 3 pending, and nothing came -------------|
 *                                                                | 5 ready
 *      free <--- 6 consumed --- QUEUED|DONE, waits to be taken <-'
 *
 *   1  the waker that finds `pend` without QUEUED sets it and pushes; others add
 *      WAKE
 *   2  by compare-and-swap on a deque's head, or with the inbox
 *   3  by compare-and-swap from QUEUED alone; if that fails, 4 follows
 *   4  to the back of the own deque; a task that woke itself does no
 *      read-modify-write at all
 *   5  the poll answers, or the task is cancelled: later wakers are stale, also
 *      those in its drop; the result is stored. A detached task goes to `free`
 *   6  the generation grows, then `pend` becomes 0; only from there a slot is
 *      used again, by compare-and-swap of 0
 *
 * A CANCEL stays in `pend` once it is set, so that later askers see it. So does
 * a TIMEOUT beside it, which says that a deadline was the first to ask.
 *
 * A late waker may queue a free slot, or one with a new task: the worker that
 * pops it finds an older generation, and gives QUEUED back.
 * tests/model/pool_task.pml is the model of this file.
 */
#include "pool/pool.h"

#define PEND(gen, bits) ((uint64_t)(gen) << 32 | (bits))
#define ASKS (PILLION__PEND_CANCEL | PILLION__PEND_TIMEOUT)

/* As pillion__mark: PILLION_WOKEN says that the push is due. */
static inline int pool_task_mark(struct pillion__head *head, uint32_t gen,
                                 uint32_t bits, uint32_t *before) {
  if (atomic_load_explicit(&head->gen, memory_order_acquire) != gen)
    return PILLION_STALE;
  uint64_t mine = PEND(gen, PILLION__PEND_QUEUED | bits), old = 0, new = mine;
  /* Also if it changes nothing: the poll synchronises with it. */
  while (!atomic_compare_exchange_weak(&head->pend, &old, new)) {
    uint32_t old_gen = (uint32_t)(old >> 32);
    new = mine;
    if (old == 0) continue;
    if ((int32_t)(old_gen - gen) > 0 ||
        (old_gen == gen && old & PILLION__PEND_DONE))
      return PILLION_STALE;
    if (old & PILLION__PEND_QUEUED) new |= PILLION__PEND_WAKE;
    if (old_gen == gen) new |= (uint32_t)old;
    if (old_gen == gen && (old & ASKS) == PILLION__PEND_CANCEL)
      new &= ~(uint64_t)PILLION__PEND_TIMEOUT; /* too late */
  }
  *before = old >> 32 == gen ? (uint32_t)old : 0;
  return old & PILLION__PEND_QUEUED ? PILLION_COALESCED : PILLION_WOKEN;
}

static int pool_task_post(struct pillion__head *head, uint32_t slot,
                          uint32_t gen, uint32_t bits,
                          struct pillion__worker *worker, uint32_t *before) {
  int rc = pool_task_mark(head, gen, bits, before);
  if (rc == PILLION_WOKEN)
    pillion__pool_push(pillion__pool_of(slot), worker, head, slot);
  return rc;
}

/*
 * A timer of the task, or with `expired` its deadline, has come. Pushes the task
 * into the inbox, without a poke.
 */
void pillion__pool_task_timed(struct pillion__head *head, uint32_t slot,
                              uint32_t gen, bool expired) {
  uint32_t before;
  uint64_t pend = atomic_load(&head->pend);
  if (expired && pend >> 32 == gen && pend & PILLION__PEND_CANCEL) return;
  if (pool_task_mark(head, gen, expired ? ASKS : 0, &before) == PILLION_WOKEN)
    pillion__inbox_put(&pillion__pool_of(slot)->base.inbox, head, slot);
}

/* `worker` is the caller's, inside its turn and not in a signal handler. */
int pillion__pool_task_wake(struct pillion__head *head, uint32_t slot,
                            uint32_t gen, struct pillion__worker *worker) {
  uint32_t before;
  return pool_task_post(head, slot, gen, 0, worker, &before);
}

/* A cancel without an answer; the task may still be in its spawn. */
void pillion__pool_task_ask(struct pillion__head *head, uint32_t slot,
                            uint32_t gen) {
  uint32_t before;
  pool_task_post(head, slot, gen, PILLION__PEND_CANCEL, NULL, &before);
}

/* As pillion_task_cancel. */
int pillion__pool_task_cancel(struct pillion__head *head, pillion_task handle) {
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  uint32_t before = 0;
  uint64_t pend = atomic_load(&head->pend);
  if (!pillion__pool_task_live(head) || atomic_load(&head->gen) != gen)
    return PILLION_EBADHANDLE;
  if (pend >> 32 == gen && pend & PILLION__PEND_DONE) return 2;
  int rc =
      pool_task_post(head, slot, gen, PILLION__PEND_CANCEL,
                     pillion__worker_here(pillion__pool_of(slot)), &before);
  if (rc == PILLION_STALE)
    return atomic_load(&head->gen) == gen ? 2 : PILLION_EBADHANDLE;
  return (before & PILLION__PEND_CANCEL) != 0;
}

/* The thread's worker of the task's pool, and every other waker. */
int pillion__pool_wake(pillion_waker waker) {
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__worker *worker =
      pillion__here == NULL ? NULL : pillion__here->worker;
  if (worker != NULL && worker->polled != NULL &&
      worker->context.waker == waker) { /* the task that is being polled */
    if (worker->woke_itself) return PILLION_COALESCED;
    worker->woke_itself = true;
    return PILLION_WOKEN;
  }
  uint32_t type, slot = pillion__slot_of(waker);
  struct pillion__head *head = pillion__head_of(waker, &type);
  if (head == NULL || pillion__tag_of(waker) != PILLION__WAKER)
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_POOL) {
    int rc = pillion_wake_local(waker);
    return rc == PILLION_EWRONGTHREAD ? pillion_wake(waker) : rc;
  }
  return pillion__pool_task_wake(head, slot, pillion__gen_of(waker),
                                 pillion__worker_here(pillion__pool_of(slot)));
}

/* ---- By the holder of QUEUED --------------------------------------------- */

/*
 * `pend` has more than QUEUED, or a word for another task. Reports whether the
 * task is due; if not, it has given QUEUED back.
 */
static bool pool_task_due(struct pillion__head *head, uint32_t gen) {
  uint64_t old = atomic_load(&head->pend), new;
  if (!pillion__pool_task_live(head)) { /* nor can it be, while QUEUED is set */
    atomic_store(&head->pend, 0);
    return false;
  }
  do
    new = old >> 32 == gen ? PEND(gen, PILLION__PEND_QUEUED) | (old & ASKS) : 0;
  while (!atomic_compare_exchange_weak(&head->pend, &old, new));
  if (new &PILLION__PEND_CANCEL) head->next |= PILLION__TASK_ASKED;
  if (new &PILLION__PEND_TIMEOUT) head->next |= PILLION__TASK_EXPIRED;
  return new != 0;
}

static void pool_task_cancelled(struct pillion__pool *pool,
                                struct pillion__cell *task, uint32_t slot) {
  pillion_value value;
  uint32_t outcome = pillion__cancelled_value(&value, task->head.next);
  pillion__pool_task_end(pool, task, slot, &value, outcome);
}

/* Gives QUEUED back, unless a request has come. */
static bool pool_task_rests(struct pillion__head *head, uint32_t gen) {
  uint32_t flags = head->next;
  uint64_t asked = 0;
  if (PILLION__UNLIKELY(flags & PILLION__TASK_ASKED))
    asked =
        PEND(gen, flags & PILLION__TASK_EXPIRED ? ASKS : PILLION__PEND_CANCEL);
  uint64_t held = PEND(gen, PILLION__PEND_QUEUED) | asked;
  return atomic_compare_exchange_strong(&head->pend, &held, asked);
}

static inline int pool_task_poll(pillion_value *value,
                                 struct pillion__worker *worker,
                                 struct pillion__cell *task) {
  worker->polled = task;
  int rc = pillion__future_of(task)->poll(value, &worker->context,
                                          task->u.live.self);
  worker->polled = NULL;
  return rc;
}

__attribute__((noinline)) static int pool_task_poll_inside(
    pillion_value *value, struct pillion__worker *worker,
    struct pillion__cell *task) {
  const pillion_context_hooks *hooks = &worker->pool->hooks;
  void *context = task->u.live.context;
  hooks->enter(context, hooks->data);
  int rc = pool_task_poll(value, worker, task);
  hooks->leave(context, hooks->data);
  return rc;
}

/* Polls a popped task. */
void pillion__pool_task_run(struct pillion__worker *worker, uint32_t slot) {
  struct pillion__cell *task = pillion__cell_at(slot);
  uint32_t gen = pillion__gen(&task->head);
  if (PILLION__UNLIKELY(
          atomic_load_explicit(&task->head.pend, memory_order_acquire) !=
              PEND(gen, PILLION__PEND_QUEUED) ||
          !pillion__pool_task_live(&task->head))) {
    if (!pool_task_due(&task->head, gen)) return;
    if ((task->head.next & (PILLION__TASK_ASKED | PILLION__TASK_SHIELDED)) ==
        PILLION__TASK_ASKED) {
      pool_task_cancelled(worker->pool, task, slot);
      return;
    }
  }
  task->head.next |= PILLION__TASK_POLLED;
  worker->woke_itself = false;
  worker->context.waker = pillion__handle(PILLION__WAKER, slot, gen);
  worker->context.now = pillion__pool_now(worker->pool, worker->context.now);
  pillion_value value;
  pillion__value_empty(&value, 0);
  int rc = PILLION__LIKELY(!(task->head.next & PILLION__TASK_CONTEXT))
               ? pool_task_poll(&value, worker, task)
               : pool_task_poll_inside(&value, worker, task);
  if (PILLION__LIKELY(rc == PILLION_PENDING)) {
    if (worker->woke_itself || !pool_task_rests(&task->head, gen))
      pillion__pool_requeue(worker, &task->head, slot);
    return;
  }
  if (rc < 0) pillion__value_empty(&value, rc);
  pillion__pool_task_end(worker->pool, task, slot, &value,
                         PILLION_OUTCOME_RETURNED);
}

/* As for a local task: a cancel that waits makes another turn due. */
int pillion__pool_op_shield(pillion_context *cx, int on) {
  struct pillion__worker *worker = cx->runtime;
  if (worker->polled == NULL) return PILLION_EINVAL;
  uint32_t *flags = &worker->polled->head.next, before = *flags;
  *flags =
      on ? before | PILLION__TASK_SHIELDED : before & ~PILLION__TASK_SHIELDED;
  if (!on && before & PILLION__TASK_ASKED) worker->woke_itself = true;
  return (before & PILLION__TASK_SHIELDED) != 0;
}

int pillion__pool_op_cancelled(pillion_context *cx) {
  struct pillion__worker *worker = cx->runtime;
  return worker->polled != NULL &&
         worker->polled->head.next & PILLION__TASK_ASKED;
}

/* Ends a popped task, for the free of a pool. */
void pillion__pool_task_drop(struct pillion__pool *pool, uint32_t slot) {
  struct pillion__cell *task = pillion__cell_at(slot);
  if (pool_task_due(&task->head, atomic_load(&task->head.gen)))
    pool_task_cancelled(pool, task, slot);
}
