/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Local tasks: C futures on one executor. A task's storage is the caller's; what
 * the core adds is a cell, which outlives it for the sake of late wakes. From
 * spawn to completion the owner's thread uses no locked instruction and no
 * exchange.
 *
 *             1            2            4            6
 *      free ----> ready ----> polled ----> ending ----> ended
 *       ^         ^ |  ^       | |           ^            |
 *       |         | |  '-- 5 --' | 3         |            |
 *       |         | '---- 4 -----|-----------+            |
 *       |         |              v           |            |
 *       |         '----- 5 --- waiting - 4 --'            |
 *       '----------------------- 7 -----------------------'
 *
 *   1  spawned: LIVE, and READY, which says that the cell is in the ring
 *   2  popped from the ring: not READY any more, ex->polled is the cell
 *   3  the poll answers PILLION_PENDING, and no wake came meanwhile
 *   4  the poll answers otherwise. A task that is ready and ASKED ends without
 *      a poll, unless it is SHIELDED; an evicted one from ready or waiting. The
 *      end is stored in `future_or_end`: later wakes and cancels are stale
 *   5  woken, or asked to stop: READY once more, at the back of the ring
 *   6  the drop returns, POLLING until then; ENDED, with the result where the
 *      future was. An event goes into the list of ends, a joiner is woken
 *   7  the event is taken, the result joined, or the task detached: the
 *      generation grows, and the cell is used again once no ring and no inbox
 *      has it
 */
#include <string.h>

#include "executor/executor.h"

/* ---- The end ------------------------------------------------------------- */

/* Nor does the owner use a cell in the ready ring before its pop. */
static void cell_free(struct pillion__executor *ex, struct pillion__cell *cell,
                      uint32_t slot) {
  cell->head.flags &= PILLION__TASK_READY;
  if (cell->head.flags == 0) pillion__cell_give(ex, cell, slot);
}

/*
 * Its result is taken, and its handle is stale; the payload may still be lent.
 */
static void consumed(struct pillion__executor *ex, struct pillion__cell *cell) {
  uint32_t gen = pillion__gen(&cell->head);
  cell->head.flags &= ~PILLION__TASK_LIVE;
  if (cell->head.flags & PILLION__TASK_READY) ex->ready_stale++;
  pillion__set(&ex->tasks_live, pillion__tasks_live(ex) - 1);
  atomic_store_explicit(&cell->head.gen, gen + 1, memory_order_release);
}

static void task_free(struct pillion__executor *ex, struct pillion__cell *cell,
                      uint32_t slot) {
  consumed(ex, cell);
  cell_free(ex, cell, slot);
}

__attribute__((noinline)) static void finish(struct pillion__executor *ex,
                                             struct pillion__cell *cell,
                                             uint32_t slot,
                                             pillion_value *value,
                                             uint32_t outcome) {
  const pillion_future *future = pillion__future_of(cell);
  pillion__value_fit(value);
  /* Before the drop: a wake or a cancel from there comes too late. */
  atomic_store_explicit(&cell->future_or_end, pillion__end_of(value),
                        memory_order_release);
  cell->head.flags |= PILLION__TASK_POLLING;
  pillion__future_drop(&ex->hooks, future, cell, cell->head.flags);
  pillion_waker joiner = cell->u.live.joiner; /* also from a join in the drop */
  ex->counts.dropped++;
  memcpy(cell->u.payload, value->payload.bytes, PILLION_INLINE);
  cell->head.flags =
      (cell->head.flags & ~(PILLION__TASK_POLLING | PILLION__TASK_CONTEXT)) |
      PILLION__TASK_ENDED | outcome << PILLION__OUTCOME_SHIFT;
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
  pillion_value value;
  uint32_t outcome = pillion__cancelled_value(&value, cell->head.flags);
  finish(ex, cell, slot, &value, outcome);
}

/* ---- Polling ------------------------------------------------------------- */

/* From here on no evict may take the task, and its wake is its own. */
__attribute__((always_inline)) static inline void poll_begins(
    struct pillion__executor *ex, struct pillion__cell *cell, uint32_t slot) {
  ex->polled = cell;
  ex->context.waker =
      pillion__handle(PILLION__WAKER, slot, pillion__gen(&cell->head));
}

__attribute__((always_inline)) static inline int poll_cell(
    pillion_value *value, struct pillion__executor *ex,
    struct pillion__cell *cell) {
  pillion__value_empty(value, 0);
  ex->counts.polls++;
  return pillion__future_of(cell)->poll(value, &ex->context, cell->u.live.self);
}

__attribute__((always_inline)) static inline void was_polled(
    struct pillion__executor *ex, struct pillion__cell *cell, uint32_t slot,
    int rc, pillion_value *value) {
  ex->polled = NULL;
  if (PILLION__LIKELY(rc == PILLION_PENDING)) return;
  if (rc < 0) pillion__value_empty(value, rc);
  finish(ex, cell, slot, value, PILLION_OUTCOME_RETURNED);
}

/* A popped cell that needs more than a poll. */
__attribute__((noinline)) static void run_special(struct pillion__executor *ex,
                                                  struct pillion__cell *cell,
                                                  uint32_t slot) {
  uint32_t flags = cell->head.flags &= ~PILLION__TASK_READY;
  if (!(flags & PILLION__TASK_LIVE)) {
    ex->ready_stale--;
    pillion__cell_give(ex, cell, slot);
  } else if (!(flags & PILLION__TASK_ENDED)) {
    if (flags & PILLION__TASK_ASKED && !(flags & PILLION__TASK_SHIELDED)) {
      pillion__task_cancelled(ex, cell, slot);
      return;
    }
    pillion_value value;
    void *context = cell->u.live.context;
    poll_begins(ex, cell, slot);
    if (flags & PILLION__TASK_CONTEXT) ex->hooks.enter(context, ex->hooks.data);
    cell->head.flags |= PILLION__TASK_POLLED;
    int rc = poll_cell(&value, ex, cell);
    if (flags & PILLION__TASK_CONTEXT) ex->hooks.leave(context, ex->hooks.data);
    was_polled(ex, cell, slot, rc, &value);
  }
}

/* Polls the task popped from the ready ring. */
__attribute__((always_inline)) inline void pillion__task_run(
    struct pillion__executor *ex, uint32_t slot) {
  struct pillion__cell *cell = pillion__cell_at(slot);
  uint32_t flags = cell->head.flags;
  if (PILLION__UNLIKELY(
          (flags & (PILLION__TASK_LIVE | PILLION__TASK_ENDED |
                    PILLION__TASK_ASKED | PILLION__TASK_CONTEXT)) !=
          PILLION__TASK_LIVE)) {
    run_special(ex, cell, slot);
    return;
  }
  pillion_value value;
  cell->head.flags = (flags & ~PILLION__TASK_READY) | PILLION__TASK_POLLED;
  poll_begins(ex, cell, slot);
  int rc = poll_cell(&value, ex, cell);
  was_polled(ex, cell, slot, rc, &value);
}

/* Does what the inbox brought for a task. */
void pillion__task_posted(struct pillion__executor *ex,
                          struct pillion__cell *cell, uint32_t slot,
                          uint32_t bits) {
  if (!pillion__task_running(cell)) return;
  if (bits & PILLION__PEND_CANCEL) cell->head.flags |= PILLION__TASK_ASKED;
  if (!(cell->head.flags & PILLION__TASK_READY))
    pillion__ready(ex, &cell->head, slot);
}

/* ---- Results ------------------------------------------------------------- */

/* Moves an ended task's result out, and frees its cell. */
int pillion__task_value(struct pillion__executor *ex,
                        struct pillion__cell *cell, uint32_t slot,
                        pillion_value *out) {
  pillion__cell_value(cell, out);
  task_free(ex, cell, slot);
  return PILLION_READY;
}

void pillion__task_discard(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot) {
  pillion_value value;
  pillion__task_value(ex, cell, slot, &value);
  pillion_value_drop(&value);
}

/* Ends a payload that an event has lent to the host. */
void pillion__task_release(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot) {
  pillion_value value;
  pillion__cell_value(cell, &value);
  cell_free(ex, cell, slot);
  pillion_value_drop(&value);
}

/* A payload elsewhere keeps its cell until the next turn. */
void pillion__task_event(struct pillion__executor *ex,
                         struct pillion__cell *cell, uint32_t slot,
                         pillion_event *event) {
  pillion__cell_event(cell, slot, event);
  consumed(ex, cell);
  if (event->length > PILLION_INLINE) pillion__list_push(&ex->taken, slot);
  else cell_free(ex, cell, slot);
}

/* ---- All of them --------------------------------------------------------- */

static void ask(struct pillion__head *head, uint32_t slot, void *ex) {
  struct pillion__cell *cell = (struct pillion__cell *)head;
  if (!pillion__task_running(cell)) return;
  pillion__mark_once(head, pillion__gen(head), PILLION__PEND_CANCEL);
  pillion__task_posted(ex, cell, slot, PILLION__PEND_CANCEL);
}

void pillion__tasks_cancel(struct pillion__executor *ex) {
  pillion__cells_each(&ex->chunks, ask, ex);
}

static void drop(struct pillion__head *head, uint32_t slot, void *ex) {
  struct pillion__cell *cell = (struct pillion__cell *)head;
  if (pillion__task_running(cell)) pillion__task_cancelled(ex, cell, slot);
}

void pillion__tasks_drop(struct pillion__executor *ex) {
  pillion__cells_each(&ex->chunks, drop, ex);
}

static void drop_ended(struct pillion__head *head, uint32_t slot, void *ex) {
  if (head->flags & PILLION__TASK_ENDED)
    pillion__task_discard(ex, (struct pillion__cell *)head, slot);
}

/* Tasks with JOIN that were never joined. */
void pillion__tasks_drop_ended(struct pillion__executor *ex) {
  pillion__cells_each(&ex->chunks, drop_ended, ex);
}
