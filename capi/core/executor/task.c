/* SPDX-License-Identifier: Apache-2.0 */

/*
 * C futures. A task's storage is the caller's; what the core adds is a cell,
 * which outlives it for the sake of late wakes. From spawn to completion the
 * owner's thread uses no locked instruction and no exchange.
 */
#include <string.h>

#include "core.h"

void pillion__ready(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot) {
  head->flags |= PILLION__READY_BIT;
  ex->ready[ex->ready_tail++ & ex->ready_mask] = slot;
}

static uint64_t tasks_live(struct pillion__executor *ex) {
  return atomic_load_explicit(&ex->tasks_live, memory_order_relaxed);
}

__attribute__((always_inline)) static inline int
spawn_bare(pillion_task *out, struct pillion__executor *ex,
           const pillion_future *future, void *self, uint64_t token,
           uint32_t flags) {
  if (future == NULL || future->size < sizeof *future ||
      future->poll == NULL || flags > PILLION_DETACH)
    return PILLION_EINVAL;
  if (pillion__closing(ex) != 0) return PILLION_ECLOSED;
  uint64_t live = tasks_live(ex);
  if (live >= ex->max_tasks) return PILLION_EAGAIN;
  if (ex->ready == NULL || live + ex->ready_stale > ex->ready_mask) {
    int rc = pillion__ready_reserve(ex, 2 * (ex->ready_mask + 1));
    if (rc < 0) return rc;
  }
  uint32_t slot;
  int rc = pillion__slot_take(ex, &slot);
  if (rc < 0) return rc;
  struct pillion__cell *cell = pillion__cell_at(slot);
  cell->head.flags = PILLION__LIVE | flags << PILLION__MODE_SHIFT;
  cell->token = token;
  atomic_store_explicit(&cell->what, (uintptr_t)future, memory_order_release);
  cell->u.live.self = self;
  cell->u.live.joiner = 0;
  atomic_store_explicit(&ex->tasks_live, live + 1, memory_order_relaxed);
  ex->spawned++;
  pillion__ready(ex, &cell->head, slot);
  if (out != NULL)
    *out = pillion__handle(
        PILLION__TASK, slot,
        atomic_load_explicit(&cell->head.gen, memory_order_relaxed));
  return 0;
}

/* The capture may do anything, also spawn, so it comes before everything. */
__attribute__((noinline)) static int
spawn_captured(pillion_task *out, struct pillion__executor *ex,
               const pillion_future *future, void *self, uint64_t token,
               uint32_t flags) {
  void *context = pillion__context_capture(ex);
  pillion_task task;
  int rc = spawn_bare(&task, ex, future, self, token, flags);
  if (rc < 0) {
    pillion__context_release(ex, context);
    return rc;
  }
  if (context != NULL) {
    struct pillion__cell *cell = pillion__cell_at(pillion__slot_of(task));
    cell->u.live.context = context;
    cell->head.flags |= PILLION__CONTEXT;
  }
  if (out != NULL) *out = task;
  return 0;
}

int pillion__spawn(pillion_task *out, struct pillion__executor *ex,
                   const pillion_future *future, void *self, uint64_t token,
                   uint32_t flags) {
  return PILLION__LIKELY(ex->hooks.capture == NULL)
             ? spawn_bare(out, ex, future, self, token, flags)
             : spawn_captured(out, ex, future, self, token, flags);
}

int pillion_task_spawn(pillion_task *out, pillion_executor executor,
                       const pillion_future *future, void *self,
                       uint64_t token, uint32_t flags) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (rc == 0) rc = pillion__spawn(out, ex, future, self, token, flags);
  if (rc == 0 && !atomic_load_explicit(&ex->in_turn, memory_order_relaxed)) {
    pillion__tell_live(ex);
    pillion__poke(ex);
  }
  return rc;
}

/* A cell in the ready ring isn't used again before it is popped either. */
static void cell_free(struct pillion__executor *ex, struct pillion__cell *cell,
                      uint32_t slot) {
  cell->head.flags &= PILLION__READY_BIT;
  if (cell->head.flags == 0) pillion__slot_give(ex, cell, slot);
}

/* Its result was taken, and its handle is stale; the payload may still be lent. */
static void consumed(struct pillion__executor *ex, struct pillion__cell *cell) {
  uint32_t gen = atomic_load_explicit(&cell->head.gen, memory_order_relaxed);
  cell->head.flags &= ~PILLION__LIVE;
  if (cell->head.flags & PILLION__READY_BIT) ex->ready_stale++;
  atomic_store_explicit(&ex->tasks_live, tasks_live(ex) - 1,
                        memory_order_relaxed);
  atomic_store_explicit(&cell->head.gen, gen + 1, memory_order_release);
}

void pillion__task_free(struct pillion__executor *ex,
                        struct pillion__cell *cell, uint32_t slot) {
  consumed(ex, cell);
  cell_free(ex, cell, slot);
}

__attribute__((noinline)) static void finish(struct pillion__executor *ex,
                                             struct pillion__cell *cell,
                                             uint32_t slot,
                                             pillion_value *value,
                                             uint32_t outcome) {
  const pillion_future *future = pillion__future_of(cell);
  if (value->length > PILLION_MAX_PAYLOAD) {
    pillion_value_drop(value);
    value->status = PILLION_EMSGSIZE;
  }
  /* Before the drop: a wake or a cancel from there comes too late. */
  atomic_store_explicit(&cell->what,
                        value->length << 32 | (uint32_t)value->status << 1 | 1,
                        memory_order_release);
  cell->head.flags |= PILLION__POLLING;
  if (PILLION__UNLIKELY(cell->head.flags & PILLION__CONTEXT))
    pillion__hooks_drop(&ex->hooks, cell->u.live.context, future,
                        cell->u.live.self);
  else if (future->drop != NULL)
    future->drop(cell->u.live.self);
  pillion_waker joiner = cell->u.live.joiner; /* also of a join in the drop */
  ex->dropped++;
  memcpy(cell->u.payload, value->payload.bytes, PILLION_INLINE);
  cell->head.flags =
      (cell->head.flags & ~(PILLION__POLLING | PILLION__CONTEXT)) |
      PILLION__ENDED | outcome << PILLION__OUTCOME_SHIFT;
  switch (PILLION__MODE(cell->head.flags)) {
    case PILLION_EVENT:
      pillion__list_push(&ex->done, slot);
      break;
    case PILLION_JOIN:
      if (joiner != 0) pillion__wake_local_in(ex, joiner);
      break;
    default:
      pillion__task_discard(ex, cell, slot);
  }
}

void pillion__task_cancelled(struct pillion__executor *ex,
                             struct pillion__cell *cell, uint32_t slot) {
  pillion_value value = {cell->head.flags & PILLION__EXPIRED
                             ? PILLION_ETIMEDOUT
                             : PILLION_ECANCELLED,
                         0, 0, {{0}}};
  finish(ex, cell, slot, &value,
         cell->head.flags & PILLION__POLLED
             ? PILLION_OUTCOME_CANCELLED_RUNNING
             : PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

/* From here on the task isn't to be evicted, and a wake of it is its own. */
__attribute__((always_inline)) static inline void
poll_begins(struct pillion__executor *ex, struct pillion__cell *cell,
            uint32_t slot) {
  ex->polled = cell;
  ex->context.waker = pillion__handle(
      PILLION__WAKER, slot,
      atomic_load_explicit(&cell->head.gen, memory_order_relaxed));
}

__attribute__((always_inline)) static inline int
poll_cell(pillion_value *value, struct pillion__executor *ex,
          struct pillion__cell *cell) {
  value->status = 0;
  value->reserved = 0;
  value->length = 0;
  ex->polls++;
  return pillion__future_of(cell)->poll(value, &ex->context,
                                        cell->u.live.self);
}

__attribute__((always_inline)) static inline void
was_polled(struct pillion__executor *ex, struct pillion__cell *cell,
           uint32_t slot, int rc, pillion_value *value) {
  ex->polled = NULL;
  if (PILLION__LIKELY(rc == PILLION_PENDING)) return;
  if (rc < 0) {
    value->status = rc;
    value->length = 0;
  }
  finish(ex, cell, slot, value, PILLION_OUTCOME_RETURNED);
}

/* What is popped from the ready ring, but isn't just a task to be polled. */
__attribute__((noinline)) static void run_special(struct pillion__executor *ex,
                                                  struct pillion__cell *cell,
                                                  uint32_t slot) {
  uint32_t flags = cell->head.flags &= ~PILLION__READY_BIT;
  if (!(flags & PILLION__LIVE)) {
    ex->ready_stale--;
    pillion__slot_give(ex, cell, slot);
  } else if (!(flags & PILLION__ENDED)) {
    if (flags & PILLION__ASKED && !(flags & PILLION__SHIELDED)) {
      pillion__task_cancelled(ex, cell, slot);
      return;
    }
    pillion_value value;
    void *context = cell->u.live.context;
    poll_begins(ex, cell, slot);
    if (flags & PILLION__CONTEXT) pillion__context_enter(ex, context);
    cell->head.flags |= PILLION__POLLED;
    int rc = poll_cell(&value, ex, cell);
    if (flags & PILLION__CONTEXT) pillion__context_leave(ex, context);
    was_polled(ex, cell, slot, rc, &value);
  }
}

/* Polls the task that was popped from the ready ring. */
__attribute__((always_inline)) inline void pillion__task_run(
    struct pillion__executor *ex, uint32_t slot) {
  struct pillion__cell *cell = pillion__cell_at(slot);
  uint32_t flags = cell->head.flags;
  if (PILLION__UNLIKELY(
          (flags & (PILLION__LIVE | PILLION__ENDED | PILLION__ASKED |
                    PILLION__CONTEXT)) != PILLION__LIVE)) {
    run_special(ex, cell, slot);
    return;
  }
  pillion_value value;
  cell->head.flags = (flags & ~PILLION__READY_BIT) | PILLION__POLLED;
  poll_begins(ex, cell, slot);
  int rc = poll_cell(&value, ex, cell);
  was_polled(ex, cell, slot, rc, &value);
}

/* What the inbox brought for a task. */
void pillion__task_posted(struct pillion__executor *ex,
                          struct pillion__cell *cell, uint32_t slot,
                          uint32_t bits) {
  if (!pillion__running(cell)) return;
  if (bits & PILLION__CANCEL) cell->head.flags |= PILLION__ASKED;
  if (!(cell->head.flags & PILLION__READY_BIT))
    pillion__ready(ex, &cell->head, slot);
}

static void value_of(const struct pillion__cell *cell, pillion_value *out) {
  out->status = pillion__status_of(cell);
  out->reserved = 0;
  out->length = pillion__length_of(cell);
  memcpy(out->payload.bytes, cell->u.payload, PILLION_INLINE);
}

/* Moves an ended task's result out, and frees its cell. */
int pillion__task_value(struct pillion__executor *ex,
                        struct pillion__cell *cell, uint32_t slot,
                        pillion_value *out) {
  value_of(cell, out);
  pillion__task_free(ex, cell, slot);
  return PILLION_READY;
}

void pillion__task_discard(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot) {
  pillion_value value;
  pillion__task_value(ex, cell, slot, &value);
  pillion_value_drop(&value);
}

/* The end of a payload that an event has lent to the host. */
void pillion__task_release(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot) {
  pillion_value value;
  value_of(cell, &value);
  cell_free(ex, cell, slot);
  pillion_value_drop(&value);
}

/* A payload elsewhere keeps its cell until the next turn. */
void pillion__task_event(struct pillion__executor *ex,
                         struct pillion__cell *cell, uint32_t slot,
                         pillion_event *event) {
  event->token = cell->token;
  event->task = pillion__handle(
      PILLION__TASK, slot,
      atomic_load_explicit(&cell->head.gen, memory_order_relaxed));
  event->status = pillion__status_of(cell);
  event->outcome = PILLION__OUTCOME(cell->head.flags);
  event->length = pillion__length_of(cell);
  memcpy(event->payload.bytes, cell->u.payload, PILLION_INLINE);
  consumed(ex, cell);
  if (event->length > PILLION_INLINE)
    pillion__list_push(&ex->taken, slot);
  else
    cell_free(ex, cell, slot);
}
