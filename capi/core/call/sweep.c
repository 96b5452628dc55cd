/* SPDX-License-Identifier: Apache-2.0 */

/* All calls at once: for a close, a free, a shutdown, and to count them. */
#include "call/call.h"

struct sweep {
  struct pillion__owner *owner; /* an executor, a pool, or NULL: all of them */
  uint32_t bits;
};

/* Whether the call belongs to the executor, or runs on the pool. */
static bool belongs(struct pillion__call *call, struct pillion__owner *owner) {
  struct pillion__executor *ex = atomic_load(&call->executor);
  uint32_t pool = atomic_load(&call->pool);
  return (ex != NULL && &ex->base == owner) ||
         (pool != 0 && &pillion__pool_at(pool - 1)->base == owner);
}

static void sweep_one(struct pillion__head *head, uint32_t slot, void *data) {
  (void)slot;
  struct pillion__call *call = (struct pillion__call *)head;
  struct sweep *sweep = data;
  uint64_t state = atomic_load(&call->state);
  if (state == 0) return;
  if (sweep->owner != NULL && !belongs(call, sweep->owner)) return;
  if (state & sweep->bits & PILLION__CALL_ORPHAN) return;
  if (sweep->bits & PILLION__CALL_ORPHAN && state & PILLION__CALL_FLOWS)
    pillion__call_flows_orphan(call);
  int rc = pillion__call_cancel(call, (uint32_t)(state >> 32), sweep->bits);
  if ((rc == 0 || rc == 1) && sweep->bits & PILLION__CALL_ORPHAN)
    atomic_fetch_sub(&((struct pillion__executor *)sweep->owner)->calls_live,
                     1);
}

void pillion__calls_cancel(struct pillion__owner *owner, uint32_t bits) {
  struct sweep sweep = {owner, bits};
  pillion__cells_each(&pillion__calls.chunks, sweep_one, &sweep);
}

/* ---- An executor is freed ------------------------------------------------ */

/* Empties the list for Go. Go drops its own tasks. */
static void drop_errands(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot, type;
  while ((head = pillion__list_pop(&ex->guest, &slot, &type)) != NULL) {
    if (type != PILLION__CHUNK_CALLS) {
      atomic_store(&head->pend, 0);
      continue;
    }
    bool arrived = head->flags & PILLION__CALL_ARRIVED;
    head->flags &= ~(PILLION__CALL_LISTED | PILLION__CALL_ARRIVED);
    if (arrived) pillion__call_consumed(ex, (struct pillion__call *)head);
  }
}

static void drop_unjoined_call(struct pillion__head *head, uint32_t slot,
                               void *ex) {
  (void)slot;
  struct pillion__call *call = (struct pillion__call *)head;
  if (atomic_load(&call->state) != 0 && atomic_load(&call->executor) == ex &&
      call->head.flags & PILLION__CALL_ENDED)
    pillion__call_consumed(ex, call);
}

/*
 * The free waits for a call in its publication, whose publisher is between two
 * instructions. It also waits for a submission that began before the handle
 * went stale, and that either backs out or is swept. The sweep frees calls that
 * Go has not begun, so the list for Go must be empty by then. It stays empty,
 * since the handle is stale.
 */
void pillion__calls_drop_all(struct pillion__executor *ex) {
  bool told_go = !ex->guest_known;
  uint32_t round = 0;
  drop_errands(ex);
  while (atomic_load(&ex->calls_live) > 0 || !told_go) {
    pillion__drain(ex);
    pillion__drop_events(ex); /* or Go could end a call whose flow is there */
    pillion__calls_cancel(&ex->base, PILLION__CALL_ORPHAN);
    if (!told_go) pillion__guest.free(ex->base.index);
    told_go = true;
    pillion__drain(ex);
    pillion__drop_events(ex);
    pillion__cells_each(&pillion__calls.chunks, drop_unjoined_call, ex);
    if (atomic_load(&ex->calls_live) > 0) pillion__let_run(round++);
  }
}

/* ---- Counts -------------------------------------------------------------- */

static void count_one(struct pillion__head *head, uint32_t slot, void *alive) {
  (void)slot;
  if (atomic_load(&((struct pillion__call *)head)->state) != 0)
    ++*(uint64_t *)alive;
}

uint64_t pillion__calls_alive(void) {
  uint64_t alive = 0;
  pillion__cells_each(&pillion__calls.chunks, count_one, &alive);
  return alive;
}
