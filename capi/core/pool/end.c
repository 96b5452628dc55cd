/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of a pool's task: an event of another executor, a result for its
 * joiner, or neither.
 */
#include "pool/pool.h"

/* ---- Events -------------------------------------------------------------- */

/*
 * Another executor of the process gets a visitor: free makes the generation
 * stale and then waits until there is none.
 */
static struct pillion__executor *home_enter(pillion_executor home) {
  struct pillion__executor *ex;
  if (pillion__executor_get(&ex, home) < 0) return NULL;
  atomic_fetch_add(&ex->visitors, 1);
  if (atomic_load(&ex->base.gen) == pillion__gen_of(home)) return ex;
  atomic_fetch_sub(&ex->visitors, 1);
  return NULL;
}

/* Counts a coming event. */
int pillion__home_expect(pillion_executor home) {
  struct pillion__executor *ex = home_enter(home);
  if (ex == NULL) return PILLION_EBADHANDLE;
  int rc = pillion__closing(&ex->base) != 0 ? PILLION_ECLOSED : 0;
  if (rc == 0) atomic_fetch_add(&ex->pool_events, 1);
  atomic_fetch_sub(&ex->visitors, 1);
  return rc;
}

/* For a task that never began. The host may wait for the last event. */
void pillion__home_forget(pillion_executor home) {
  struct pillion__executor *ex = home_enter(home);
  if (ex == NULL) return;
  if (atomic_fetch_sub(&ex->pool_events, 1) == 1) pillion__poke(ex);
  atomic_fetch_sub(&ex->visitors, 1);
}

/* The caller still holds QUEUED, so the slot may travel through the inbox. */
static void tell_home(struct pillion__cell *task, uint32_t slot,
                      pillion_executor home) {
  struct pillion__executor *ex = pillion__here;
  if (ex != NULL && ex->base.index == pillion__slot_of(home) &&
      pillion__peek(&ex->base.gen) == pillion__gen_of(home) &&
      pillion__peek(&ex->in_turn)) {
    pillion__list_push(&ex->done, slot);
    return;
  }
  ex = home_enter(home);
  if (ex == NULL) {
    pillion__pool_task_drop_result(&task->head, slot);
    return;
  }
  pillion__ended_push(ex, &task->head, slot);
  atomic_fetch_sub(&ex->visitors, 1);
}

static void result_end(struct pillion__head *head, uint32_t slot,
                       uint64_t refs) {
  struct pillion__cell *task = (struct pillion__cell *)head;
  pillion_value value;
  pillion__cell_value(task, &value);
  pillion__pool_cell_free(pillion__pool_of(slot), task, slot, refs);
  pillion_value_drop(&value);
}

/* Ends a result without a holder. */
void pillion__pool_task_drop_result(struct pillion__head *head, uint32_t slot) {
  result_end(head, slot, PILLION__POOL_TASK);
}

/* Ends a payload that an event has lent to the host. */
void pillion__pool_task_release(struct pillion__head *head, uint32_t slot) {
  result_end(head, slot, PILLION__POOL_LENT);
}

/*
 * A payload elsewhere keeps its cell until the next turn. The task counts no
 * more: a handler that spawns the next one finds room, and no loop waits for a
 * task that is gone.
 */
size_t pillion__pool_task_event(struct pillion__executor *ex,
                                struct pillion__head *head, uint32_t slot,
                                pillion_event *event, size_t room) {
  (void)room;
  struct pillion__cell *task = (struct pillion__cell *)head;
  struct pillion__pool *pool = pillion__pool_of(slot);
  pillion__cell_event(task, slot, event);
  atomic_fetch_sub(&ex->pool_events, 1);
  if (event->length > PILLION_INLINE) {
    /* The handle is stale from here on. */
    pillion__set(&task->head.mode, 0);
    pillion__list_push(&ex->taken, slot);
    pillion__pool_unref(pool, PILLION__POOL_TASK - PILLION__POOL_LENT);
  } else {
    pillion__pool_cell_free(pool, task, slot, PILLION__POOL_TASK);
  }
  return 1;
}

/* ---- The end ------------------------------------------------------------- */

static void tell_joiner(struct pillion__cell *task, uint32_t slot) {
  uint32_t gen = pillion__gen(&task->head);
  /*
   * After the exchange the joiner may take the result, and the slot may be used
   * again.
   */
  uint64_t who =
      atomic_exchange(&task->waiter, pillion__joiner(PILLION__JOIN_ENDED, gen));
  if (who == pillion__joiner(PILLION__JOIN_DETACHED, gen))
    pillion__pool_task_drop_result(&task->head, slot);
  else if (who != pillion__joiner(PILLION__JOIN_OPEN, gen))
    pillion__pool_wake(who);
}

void pillion__pool_task_end(struct pillion__pool *pool,
                            struct pillion__cell *task, uint32_t slot,
                            pillion_value *value, uint32_t outcome) {
  const pillion_future *future = pillion__future_of(task);
  pillion_executor home = task->u.live.home;
  uint32_t mode = pillion__peek(&task->head.mode);
  /* Before the drop: a wake or a cancel from there comes too late. */
  atomic_store_explicit(&task->head.pend,
                        (uint64_t)pillion__gen(&task->head) << 32 |
                            PILLION__PEND_QUEUED | PILLION__PEND_DONE,
                        memory_order_release);
  pillion__future_drop(&pool->hooks, future, task, task->head.next);
  pillion__value_fit(value);
  if (PILLION__MODE(mode) == PILLION_DETACH) {
    pillion__pool_cell_free(pool, task, slot, PILLION__POOL_TASK);
    pillion_value_drop(value);
    return;
  }
  pillion__set(&task->future_or_end, pillion__end_of(value));
  memcpy(task->u.payload, value->payload.bytes, PILLION_INLINE);
  pillion__set(&task->head.mode, mode | outcome << PILLION__OUTCOME_SHIFT);
  if (PILLION__MODE(mode) == PILLION_EVENT) tell_home(task, slot, home);
  else tell_joiner(task, slot);
}

/* ---- Who awaits it ------------------------------------------------------- */

/* Whether a task may be joined, for any thread. */
static int pool_task_joinable(struct pillion__head *head, uint32_t gen) {
  uint32_t mode = pillion__peek(&head->mode);
  if (!(mode & PILLION__TASK_LIVE) ||
      atomic_load_explicit(&head->gen, memory_order_acquire) != gen)
    return PILLION_EBADHANDLE;
  return PILLION__MODE(mode) == PILLION_JOIN ? 0 : PILLION_EINVAL;
}

/* Tasks of any executor and any pool may join a pool's task. */
int pillion__pool_task_join(pillion_value *out, pillion_context *cx,
                            struct pillion__head *head, pillion_task handle) {
  struct pillion__cell *task = (struct pillion__cell *)head;
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  int rc = pool_task_joinable(head, gen);
  if (rc < 0) return rc;
  if (slot == pillion__slot_of(cx->waker)) return PILLION_EINVAL;
  rc = pillion__joiner_wait(&task->waiter, gen, cx->waker);
  if (rc != PILLION_READY) return rc;
  uint64_t ended = pillion__joiner(PILLION__JOIN_ENDED, gen);
  if (!atomic_compare_exchange_strong(
          &task->waiter, &ended, pillion__joiner(PILLION__JOIN_TAKEN, gen)))
    return PILLION_EBADHANDLE; /* another joiner or a detach was faster */
  pillion__cell_value(task, out);
  pillion__pool_cell_free(pillion__pool_of(slot), task, slot,
                          PILLION__POOL_TASK);
  return PILLION_READY;
}

int pillion__pool_task_detach(struct pillion__head *head, pillion_task handle) {
  struct pillion__cell *task = (struct pillion__cell *)head;
  uint32_t slot = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  int rc = pool_task_joinable(head, gen);
  if (rc < 0) return rc;
  uint64_t word = atomic_load(&task->waiter), new;
  bool ended;
  do {
    ended = word == pillion__joiner(PILLION__JOIN_ENDED, gen);
    if (!ended && word != pillion__joiner(PILLION__JOIN_OPEN, gen) &&
        pillion__tag_of(word) != PILLION__WAKER)
      return PILLION_EBADHANDLE;
    new = pillion__joiner(ended ? PILLION__JOIN_TAKEN : PILLION__JOIN_DETACHED,
                          gen);
  } while (!atomic_compare_exchange_weak(&task->waiter, &word, new));
  if (ended) pillion__pool_task_drop_result(head, slot);
  else if (pillion__tag_of(word) == PILLION__WAKER)
    pillion__pool_wake(word); /* it would wait in vain */
  return 0;
}
