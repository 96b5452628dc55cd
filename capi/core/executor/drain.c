/* SPDX-License-Identifier: Apache-2.0 */

/* The cells that others have pushed, in their order. */
#include "executor/executor.h"

/* A request for a task's end stays, and one for a watch's close. */
static uint64_t pending_after(struct pillion__head *head, uint64_t pend) {
  return pend & PILLION__PEND_KEPT &&
                 (uint32_t)(pend >> 32) == pillion__gen(head)
             ? pend >> 32 << 32 | (pend & PILLION__PEND_KEPT)
             : 0;
}

/* Of a task or a watch. */
static void deliver(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot) {
  uint64_t pend = atomic_load(&head->pend), kept;
  do kept = pending_after(head, pend);
  while (!atomic_compare_exchange_weak(&head->pend, &pend, kept));
  if (pillion__executor_of(slot) != ex ||
      (uint32_t)(pend >> 32) != pillion__gen(head))
    return; /* the wake is late */
  if (PILLION__UNLIKELY(head->flags & PILLION__WATCH_CELL))
    pillion__watch_posted(ex, head, slot, (uint32_t)pend);
  else
    pillion__task_posted(ex, (struct pillion__cell *)head, slot,
                         (uint32_t)pend);
}

static void deliver_all(struct pillion__executor *ex, uint32_t list) {
  struct pillion__head *head;
  uint32_t slot, type;
  while ((head = pillion__inbox_next(&list, &slot, &type)) != NULL) {
    ex->counts.wakes++;
    if (PILLION__LIKELY(type == PILLION__CHUNK_TASKS)) deliver(ex, head, slot);
    else pillion__kinds[type]->delivered(ex, head, slot);
  }
}

/* The inbox first: an event that is posted after an end must come after it. */
void pillion__drain(struct pillion__executor *ex) {
  deliver_all(ex, pillion__inbox_take(&ex->base.inbox));
  if (pillion__peek(&ex->ended) != 0)
    deliver_all(ex,
                pillion__inbox_turn((uint32_t)atomic_exchange(&ex->ended, 0)));
}
