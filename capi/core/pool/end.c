/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How the end of a pool's task is told: as an event of another executor, to who
 * joins it, or not at all.
 */
#include <string.h>

#include "pool.h"

static void ptask_value(const struct pillion__ptask *task,
                        pillion_value *out) {
  out->status = task->u.done.status;
  out->reserved = 0;
  out->length = task->u.done.length;
  memcpy(out->payload.bytes, task->u.done.payload, PILLION_INLINE);
}

static uint32_t ptask_gen(const struct pillion__ptask *task) {
  return atomic_load_explicit(&task->head.gen, memory_order_relaxed);
}

/* ---- Events -------------------------------------------------------------- */

/*
 * Another executor of the process gets a visitor: free makes the generation
 * stale and then waits until there is none.
 */
static struct pillion__executor *home_enter(pillion_executor home) {
  struct pillion__executor *ex;
  if (pillion__executor_get(&ex, home) < 0) return NULL;
  atomic_fetch_add(&ex->visitors, 1);
  if (atomic_load(&ex->gen) == pillion__gen_of(home)) return ex;
  atomic_fetch_sub(&ex->visitors, 1);
  return NULL;
}

static void home_leave(struct pillion__executor *ex) {
  atomic_fetch_sub(&ex->visitors, 1);
}

/* Counts an event in that is to come. */
int pillion__home_expect(pillion_executor home) {
  struct pillion__executor *ex = home_enter(home);
  if (ex == NULL) return PILLION_EBADHANDLE;
  int rc = pillion__closing(ex) != 0 ? PILLION_ECLOSED : 0;
  if (rc == 0) atomic_fetch_add(&ex->pool_events, 1);
  home_leave(ex);
  return rc;
}

/* For a task that never was. The host may wait for the last event. */
void pillion__home_forget(pillion_executor home) {
  struct pillion__executor *ex = home_enter(home);
  if (ex == NULL) return;
  if (atomic_fetch_sub(&ex->pool_events, 1) == 1) pillion__poke(ex);
  home_leave(ex);
}

/* QUEUED is still held, so that the slot may travel through the inbox. */
static void tell_home(struct pillion__ptask *task, uint32_t slot,
                      pillion_executor home) {
  struct pillion__executor *ex = pillion__here;
  if (ex != NULL && ex->index == pillion__slot_of(home) &&
      atomic_load_explicit(&ex->gen, memory_order_relaxed) ==
          pillion__gen_of(home) &&
      atomic_load_explicit(&ex->in_turn, memory_order_relaxed)) {
    pillion__list_push(&ex->done, slot);
    return;
  }
  ex = home_enter(home);
  if (ex == NULL) {
    pillion__ptask_release(task, slot);
    return;
  }
  pillion__ended_push(ex, &task->head, slot);
  home_leave(ex);
}

/* The end of a result that nobody holds any more. */
void pillion__ptask_release(struct pillion__ptask *task, uint32_t slot) {
  pillion_value value;
  ptask_value(task, &value);
  pillion__pslot_free(pillion__pool_of(slot), task, slot);
  pillion_value_drop(&value);
}

/* A payload elsewhere keeps its cell until the next turn. */
void pillion__ptask_event(struct pillion__executor *ex,
                          struct pillion__ptask *task, uint32_t slot,
                          pillion_event *event) {
  event->token = task->to.token;
  event->task = pillion__handle(PILLION__TASK, slot, ptask_gen(task));
  event->status = task->u.done.status;
  event->outcome = PILLION__OUTCOME(
      atomic_load_explicit(&task->head.mode, memory_order_relaxed));
  event->length = task->u.done.length;
  memcpy(event->payload.bytes, task->u.done.payload, PILLION_INLINE);
  atomic_fetch_sub(&ex->pool_events, 1);
  if (event->length > PILLION_INLINE) {
    /* The handle is stale from here on. */
    atomic_store_explicit(&task->head.mode, 0, memory_order_relaxed);
    pillion__list_push(&ex->taken, slot);
  } else {
    pillion__pslot_free(pillion__pool_of(slot), task, slot);
  }
}

/* ---- The end ------------------------------------------------------------- */

static void tell_joiner(struct pillion__ptask *task, uint32_t slot) {
  uint32_t gen = ptask_gen(task);
  /* From the exchange on, the joiner may take it and the slot be used again. */
  uint64_t who = atomic_exchange(&task->to.joiner,
                                 pillion__joiner(PILLION__JOIN_ENDED, gen));
  if (who == pillion__joiner(PILLION__JOIN_DETACHED, gen))
    pillion__ptask_release(task, slot);
  else if (who != pillion__joiner(PILLION__JOIN_OPEN, gen))
    pillion__pool_wake(who);
}

void pillion__ptask_end(struct pillion__pool *pool,
                        struct pillion__ptask *task, uint32_t slot,
                        pillion_value *value, uint32_t outcome) {
  const pillion_future *future = task->u.live.future;
  pillion_executor home = task->u.live.home;
  uint32_t mode =
      atomic_load_explicit(&task->head.mode, memory_order_relaxed);
  /* Before the drop: a wake or a cancel from there comes too late. */
  atomic_store_explicit(&task->head.pend,
                        (uint64_t)ptask_gen(task) << 32 | PILLION__QUEUED |
                            PILLION__DONE,
                        memory_order_release);
  if (PILLION__UNLIKELY(task->head.next & PILLION__CONTEXT))
    pillion__hooks_drop(&pool->hooks, task->u.live.context, future,
                        task->u.live.self);
  else if (future->drop != NULL)
    future->drop(task->u.live.self);
  if (value->length > PILLION_MAX_PAYLOAD) {
    pillion_value_drop(value);
    value->status = PILLION_EMSGSIZE;
  }
  if (PILLION__MODE(mode) == PILLION_DETACH) {
    pillion__pslot_free(pool, task, slot);
    pillion_value_drop(value);
    return;
  }
  task->u.done.status = value->status;
  task->u.done.length = (uint32_t)value->length;
  memcpy(task->u.done.payload, value->payload.bytes, PILLION_INLINE);
  atomic_store_explicit(&task->head.mode,
                        mode | outcome << PILLION__OUTCOME_SHIFT,
                        memory_order_relaxed);
  if (PILLION__MODE(mode) == PILLION_EVENT)
    tell_home(task, slot, home);
  else
    tell_joiner(task, slot);
}

/* ---- Who awaits it ------------------------------------------------------- */

/* Finds a task that is to be joined, for any thread. */
static int ptask_joinable(struct pillion__ptask **out, pillion_task handle) {
  struct pillion__ptask *task = pillion__ptask_at(pillion__slot_of(handle));
  uint32_t mode =
      atomic_load_explicit(&task->head.mode, memory_order_relaxed);
  if (pillion__kind_of(handle) != PILLION__TASK || !(mode & PILLION__LIVE) ||
      atomic_load_explicit(&task->head.gen, memory_order_acquire) !=
          pillion__gen_of(handle))
    return PILLION_EBADHANDLE;
  *out = task;
  return PILLION__MODE(mode) == PILLION_JOIN ? 0 : PILLION_EINVAL;
}

/* Any executor's task may join a pool's, and any pool's. */
int pillion__ptask_join(pillion_value *out, pillion_context *cx,
                        pillion_task handle) {
  struct pillion__ptask *task;
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  int rc = ptask_joinable(&task, handle);
  if (rc < 0) return rc;
  if (slot == pillion__slot_of(cx->waker)) return PILLION_EINVAL;
  uint64_t word = atomic_load(&task->to.joiner);
  for (;;) {
    if (word == cx->waker) return PILLION_PENDING;
    if (word == pillion__joiner(PILLION__JOIN_ENDED, gen)) {
      if (!atomic_compare_exchange_strong(
              &task->to.joiner, &word,
              pillion__joiner(PILLION__JOIN_TAKEN, gen)))
        continue;
      ptask_value(task, out);
      pillion__pslot_free(pillion__pool_of(slot), task, slot);
      return PILLION_READY;
    }
    if (word != pillion__joiner(PILLION__JOIN_OPEN, gen)) {
      if (pillion__kind_of(word) != PILLION__WAKER) return PILLION_EBADHANDLE;
      if (pillion__joiner_alive(word)) return PILLION_EBUSY;
    }
    if (atomic_compare_exchange_strong(&task->to.joiner, &word, cx->waker))
      return PILLION_PENDING;
  }
}

/* What a pool's task may await. */
int pillion__pool_op_join(pillion_value *out, pillion_context *cx,
                          pillion_task task) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head != NULL && type == PILLION__CHUNK_POOL)
    return pillion__ptask_join(out, cx, task);
  if (head == NULL || pillion__kind_of(task) != PILLION__TASK ||
      atomic_load(&head->gen) != pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  if (type == PILLION__CHUNK_TASKS) return PILLION_EWRONGTHREAD;
  if (type != PILLION__CHUNK_CALLS) return PILLION_EBADHANDLE;
  struct pillion__call *call = (struct pillion__call *)head;
  if (atomic_load(&call->executor) == NULL)
    return pillion__call_join(out, cx, call, task);
  return pillion__call_known(call, pillion__gen_of(task),
                             atomic_load(&call->state))
             ? PILLION_EWRONGTHREAD
             : PILLION_EBADHANDLE;
}

int pillion__ptask_detach(pillion_task handle) {
  struct pillion__ptask *task;
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  int rc = ptask_joinable(&task, handle);
  if (rc < 0) return rc;
  uint64_t word = atomic_load(&task->to.joiner), new;
  bool ended;
  do {
    ended = word == pillion__joiner(PILLION__JOIN_ENDED, gen);
    if (!ended && word != pillion__joiner(PILLION__JOIN_OPEN, gen) &&
        pillion__kind_of(word) != PILLION__WAKER)
      return PILLION_EBADHANDLE;
    new = pillion__joiner(
        ended ? PILLION__JOIN_TAKEN : PILLION__JOIN_DETACHED, gen);
  } while (!atomic_compare_exchange_weak(&task->to.joiner, &word, new));
  if (ended)
    pillion__ptask_release(task, slot);
  else if (pillion__kind_of(word) == PILLION__WAKER)
    pillion__pool_wake(word); /* who would wait in vain */
  return 0;
}
