/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The functions of a task by its handle. Local tasks are the executor's own;
 * every other kind has a row in the table of kinds.
 */
#include "executor/executor.h"

/* The head, and NULL for a local task or the row of its kind: 0 or an error. */
static int find(struct pillion__head **head, const struct pillion__kind **kind,
                pillion_task task) {
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  *head = pillion__head_of(task, &type);
  if (*head == NULL || pillion__tag_of(task) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  *kind = type == PILLION__CHUNK_TASKS ? NULL : pillion__kinds[type];
  return 0;
}

/* The executor of a live local task, for its owner. */
static int find_local(struct pillion__executor **ex, struct pillion__head *head,
                      pillion_task task) {
  if (atomic_load_explicit(&head->gen, memory_order_acquire) !=
      pillion__gen_of(task))
    return PILLION_EBADHANDLE;
  *ex = pillion__executor_of(pillion__slot_of(task));
  /* A forged handle, which may name a free cell, makes no thread the owner. */
  if (!pillion__executor_claimed(*ex) &&
      !(pillion__peek(&head->mode) & PILLION__TASK_LIVE))
    return PILLION_EBADHANDLE;
  int rc = pillion__executor_own(*ex);
  if (rc < 0) return rc;
  return head->flags & PILLION__TASK_LIVE ? 0 : PILLION_EBADHANDLE;
}

static int cancel_local(struct pillion__head *head, pillion_task task) {
  struct pillion__cell *cell = (struct pillion__cell *)head;
  uint32_t slot = pillion__slot_of(task), gen = pillion__gen_of(task);
  struct pillion__executor *ex = pillion__executor_of(slot);
  if (gen == 0) return PILLION_EBADHANDLE;
  if (!pillion__owned_here(ex)) {
    /*
     * The word first: it is the task's if the generation still matches
     * afterwards.
     */
    bool ended = atomic_load(&cell->future_or_end) & 1;
    if (atomic_load(&head->gen) != gen) return PILLION_EBADHANDLE;
    return ended ? 2 : pillion__ask_once(head, slot, gen, PILLION__PEND_CANCEL);
  }
  int rc = find_local(&ex, head, task);
  if (rc < 0) return rc;
  if (head->flags & (PILLION__TASK_ENDED | PILLION__TASK_POLLING)) return 2;
  rc = pillion__mark_once(head, gen, PILLION__PEND_CANCEL);
  pillion__task_posted(ex, cell, slot, PILLION__PEND_CANCEL);
  if (!pillion__in_turn(ex)) pillion__poke(ex);
  return rc;
}

int pillion_task_cancel(pillion_task task) {
  const struct pillion__kind *kind;
  struct pillion__head *head;
  int rc = find(&head, &kind, task);
  if (rc < 0) return rc;
  if (kind == NULL) return cancel_local(head, task);
  return kind->cancel == NULL ? PILLION_EBADHANDLE : kind->cancel(head, task);
}

static int evict_local(struct pillion__head *head, pillion_task task) {
  struct pillion__cell *cell = (struct pillion__cell *)head;
  struct pillion__executor *ex;
  int rc = find_local(&ex, head, task);
  if (rc < 0) return rc;
  if (head->flags & PILLION__TASK_ENDED) return 2;
  if (cell == ex->polled || head->flags & PILLION__TASK_POLLING)
    return PILLION_EREENTRANT;
  uint32_t turning = pillion__turning;
  pillion__turning = 1; /* its drop counts as inside a turn */
  pillion__task_cancelled(ex, cell, pillion__slot_of(task));
  pillion__turning = turning;
  if (!pillion__in_turn(ex)) {
    pillion__tell_live(ex);
    pillion__poke(ex); /* there may be an event to take */
  }
  return 0;
}

int pillion_task_evict(pillion_task task) {
  const struct pillion__kind *kind;
  struct pillion__head *head;
  int rc = find(&head, &kind, task);
  if (rc < 0) return rc;
  if (kind == NULL) return evict_local(head, task);
  return kind->evict == NULL ? PILLION_EBADHANDLE : kind->evict(head, task);
}

static int detach_local(struct pillion__head *head, pillion_task task) {
  struct pillion__cell *cell = (struct pillion__cell *)head;
  struct pillion__executor *ex;
  int rc = find_local(&ex, head, task);
  if (rc < 0) return rc;
  if (PILLION__MODE(head->flags) != PILLION_JOIN) return PILLION_EINVAL;
  head->flags += (PILLION_DETACH - PILLION_JOIN) << PILLION__MODE_SHIFT;
  if (!(head->flags & PILLION__TASK_ENDED)) {
    pillion_wake_local(cell->u.live.joiner); /* it would wait in vain */
    return 0;
  }
  pillion__task_discard(ex, cell, pillion__slot_of(task));
  if (!pillion__in_turn(ex)) pillion__tell_live(ex);
  return 0;
}

int pillion_task_detach(pillion_task task) {
  const struct pillion__kind *kind;
  struct pillion__head *head;
  int rc = find(&head, &kind, task);
  if (rc < 0) return rc;
  if (kind == NULL) return detach_local(head, task);
  return kind->detach == NULL ? PILLION_EBADHANDLE : kind->detach(head, task);
}

static int deadline_local(pillion_timer *storage, struct pillion__head *head,
                          pillion_task task, int64_t at) {
  struct pillion__executor *ex;
  int rc = find_local(&ex, head, task);
  if (rc < 0) return rc;
  if (head->flags & (PILLION__TASK_ENDED | PILLION__TASK_POLLING)) return 2;
  return pillion__deadline_set(ex, storage, task, at);
}

int pillion_task_deadline(pillion_timer *storage, pillion_task task,
                          int64_t at) {
  const struct pillion__kind *kind;
  struct pillion__head *head;
  int rc = find(&head, &kind, task);
  if (rc < 0) return rc;
  if (storage == NULL) return PILLION_EINVAL;
  if (kind == NULL) return deadline_local(storage, head, task, at);
  return kind->deadline == NULL ? PILLION_EBADHANDLE
                                : kind->deadline(storage, head, task, at);
}
