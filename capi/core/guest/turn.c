/* SPDX-License-Identifier: Apache-2.0 */

/* Go's side of a turn. */
#include "guest/guest.h"

/* Fills in the errands that wait for Go, first in, first out. */
static void collect(struct pillion__executor *ex,
                    struct pillion__guest_turn *turn) {
  struct pillion__head *head;
  uint32_t slot, type;
  while (turn->count < PILLION__ERRANDS &&
         (head = pillion__list_pop(&ex->guest, &slot, &type)) != NULL) {
    struct pillion__errand errand = {NULL, slot, 0, 0};
    if (type == PILLION__CHUNK_CALLS) {
      errand.call = (struct pillion__call *)head;
      errand.bits = head->flags >> PILLION__CALL_FOR_GO_SHIFT;
      uint32_t arrived = head->flags & PILLION__CALL_ARRIVED;
      head->flags &= (1u << PILLION__CALL_FOR_GO_SHIFT) - 1u;
      head->flags &= ~(PILLION__CALL_LISTED | PILLION__CALL_ARRIVED);
      if (arrived) {
        pillion__call_posted(ex, errand.call, PILLION__PEND_DONE);
        continue;
      }
      if (errand.bits & PILLION__PEND_START) {
        if (!pillion__call_take_up(errand.call))
          continue; /* cancelled before its start; its end is on its way */
        errand.context = (uintptr_t)errand.call->context;
      }
    }
    turn->errands[turn->count++] = errand;
  }
}

static uint32_t guest_run(struct pillion__executor *ex, uint32_t max_polls,
                          int64_t now, int64_t until) {
  struct pillion__guest_turn turn;
  turn.index = ex->base.index;
  turn.pool = ex->worker != NULL && atomic_load(&ex->worker->pool->guest)
                  ? ex->worker->pool->base.index + 1
                  : 0;
  turn.max_polls = max_polls;
  turn.max_ns = 0;
  turn.count = turn.polled = turn.more = turn.coroutines = 0;
  turn.deadline = PILLION_TIME_NEVER;
  collect(ex, &turn);
  bool woken =
      pillion__peek(&ex->guest_wake) && atomic_exchange(&ex->guest_wake, 0);
  if (turn.count == 0 && !woken && !ex->guest_more && ex->guest_deadline > now)
    return 0;
  if (until != PILLION_TIME_NEVER) { /* C's tasks have used some of it */
    int64_t left = until - pillion__clock(ex);
    turn.max_ns = left > 0 ? left : 1;
  }
  ex->counts.go_entries++;
  ex->guest_known = 1;
  pillion__guest.turn(&turn);
  ex->guest_more = turn.more;
  ex->guest_deadline = turn.deadline;
  pillion__set(&ex->coroutines, turn.coroutines);
  pillion__drain(ex); /* the results of what has just ended */
  return turn.polled;
}

const struct pillion__side pillion__side_of_guest = {.run = guest_run};

/* ---- Its tasks ----------------------------------------------------------- */

static int guest_wake(struct pillion__head *head, pillion_waker waker) {
  return pillion__ask(head, pillion__slot_of(waker), pillion__gen_of(waker),
                      PILLION__PEND_WAKE);
}

/* Go takes QUEUED off, unless the task's executor is gone. */
static void guest_delivered(struct pillion__executor *ex,
                            struct pillion__head *head, uint32_t slot) {
  if (pillion__executor_of(slot) == ex && atomic_load(&ex->base.gen) % 2 == 1)
    pillion__list_push(&ex->guest, slot);
  else atomic_store(&head->pend, 0);
}

const struct pillion__kind pillion__guest_kind = {
    .wake = guest_wake,
    .wake_local = pillion_wake,
    .delivered = guest_delivered,
};
