/* SPDX-License-Identifier: Apache-2.0 */

/* The host's verbs for the flows of both kinds of calls, on any thread. */
#include <string.h>

#include "call/call.h"

static void leave(struct pillion__flow *flow) {
  atomic_fetch_sub(&flow->users, 1);
}

/*
 * Counts itself in, and reports whether the flow is still the owner's. The link
 * may be of the node's next life by now, or of none.
 */
static struct pillion__flow *enter(uint32_t link, pillion_task owner) {
  uint32_t type;
  if (link == 0 || link > PILLION__CHUNKS * PILLION__CHUNK ||
      pillion__cell_at(link - 1) == NULL)
    return NULL;
  struct pillion__flow *flow = (void *)pillion__head_at(link - 1, &type);
  if (type != PILLION__CHUNK_FLOWS) return NULL;
  atomic_fetch_add(&flow->users, 1);
  if (atomic_load(&flow->owner) == owner) return flow;
  leave(flow);
  return NULL;
}

/* After 0 the flow stays until the caller leaves it. */
static int enter_on(struct pillion__flow **out, uint32_t link,
                    pillion_task owner, uint32_t side) {
  *out = enter(link, owner);
  if (*out == NULL) return PILLION_EBADHANDLE; /* its owner ends */
  while (*out != NULL && !pillion__flow_on(*out, side)) {
    struct pillion__flow *other = enter((*out)->other, owner);
    leave(*out);
    *out = other;
  }
  return *out == NULL ? PILLION_EINVAL : 0;
}

static int use(struct pillion__flow **out, pillion_task task, uint32_t side) {
  uint32_t type, link;
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || pillion__tag_of(task) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  if (pillion__kinds[type]->flows == NULL)
    return pillion__other_kind(head, task);
  int rc = pillion__kinds[type]->flows(&link, head, task);
  return rc < 0 ? rc : enter_on(out, link, task, side);
}

/*
 * After a cancel the host wants no more items. The first cancel ends Go's wait
 * for room by itself. A later one may come after a deadline, when Go waits on,
 * since what it has sent still comes; so this one wakes.
 */
void pillion__call_flows_cancel(struct pillion__call *call, uint32_t gen,
                                bool first) {
  pillion_task task = pillion__handle(PILLION__TASK, call->slot, gen);
  struct pillion__flow *flow;
  uint64_t wake = 0;
  if (enter_on(&flow, atomic_load(&call->flows), task, PILLION__FLOW_OUT_SIDE) <
      0)
    return;
  if (first) atomic_fetch_or(&flow->state, PILLION__FLOW_REFUSED);
  else pillion__flow_end(flow, PILLION__FLOW_REFUSED, &wake);
  pillion__flow_wake(flow, task, wake);
  leave(flow);
}

int pillion_call_credit(pillion_task call, uint32_t items) {
  struct pillion__flow *flow;
  uint64_t wake;
  int rc = use(&flow, call, PILLION__FLOW_OUT_SIDE);
  if (rc < 0) return rc;
  if (flow->capacity == 0 || atomic_load(&flow->state) & PILLION__FLOW_JOINED) {
    rc = PILLION_EINVAL;
  } else {
    rc = (int)pillion__flow_grant(flow, items, &wake);
    pillion__flow_wake(flow, call, wake);
  }
  leave(flow);
  return rc;
}

/* Under SENDING. */
static int send_now(struct pillion__flow *flow, pillion_task call,
                    const pillion_value *value) {
  struct pillion__item item = {(uint32_t)value->length, -1, {{0}}};
  uint64_t wake;
  int rc;
  do rc = pillion__flow_room(flow, value->length);
  while (rc == PILLION_EAGAIN &&
         !pillion__flow_await_room(flow, PILLION__WAITS_HOST, value->length));
  if (rc < 0) return rc;
  if (value->length > PILLION_INLINE && value->payload.ref.release != NULL)
    memcpy(&item.payload, &value->payload, sizeof item.payload); /* lent */
  else
    rc =
        pillion__item_make(&item, -1, pillion_value_data(value), value->length);
  if (rc < 0) return rc;
  pillion__flow_put(flow, &item, &wake);
  pillion__flow_wake(flow, call, wake);
  return 0;
}

int pillion_call_send(pillion_task call, const pillion_value *value) {
  struct pillion__flow *flow;
  if (value == NULL) return PILLION_EINVAL;
  if (value->length > pillion__max_request) return PILLION_EMSGSIZE;
  int rc = use(&flow, call, PILLION__FLOW_IN_SIDE);
  if (rc < 0) return rc;
  if (atomic_fetch_or(&flow->state, PILLION__FLOW_SENDING) &
      PILLION__FLOW_SENDING) {
    rc = PILLION_EBUSY;
  } else {
    rc = send_now(flow, call, value);
    atomic_fetch_and(&flow->state, ~PILLION__FLOW_SENDING);
  }
  leave(flow);
  return rc;
}

int pillion_call_finish(pillion_task call) {
  struct pillion__flow *flow;
  int rc = use(&flow, call, PILLION__FLOW_IN_SIDE);
  if (rc < 0) return rc;
  pillion__flow_ends(flow, call, PILLION__FLOW_FINISHED);
  leave(flow);
  return 0;
}
