/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Items to the host, and to its tasks. The owner's turn reads a flow to the
 * host, or a task by pillion_next. A turn that finds a flow in its list of what
 * it has to tell takes a quantum of items and puts it at the back. A bell
 * brings it into that list: the writer rings only if the reader has left its
 * word, so once a burst.
 */
#include <string.h>

#include "call/call.h"

#define QUANTUM 16u /* items of a flow in a row */

static bool refused(const struct pillion__flow *flow) {
  return atomic_load(&flow->state) & PILLION__FLOW_REFUSED;
}

/* ---- In turns ------------------------------------------------------------ */

static void tell(struct pillion__executor *ex, pillion_event *event,
                 uint64_t token, pillion_task owner,
                 const struct pillion__item *item) {
  pillion__event_put(event, token, owner, 0, 0, item->length,
                     item->payload.bytes);
  event->flags = PILLION_EVENT_ITEM;
  if (PILLION__UNLIKELY(item->function == PILLION__ITEM_OBJECT)) {
    pillion__event_object(event, pillion__item_object(item));
  } else if (item->function >= 0) {
    event->flags = PILLION_EVENT_CALLED;
    event->task = 0;
    event->outcome = (uint16_t)item->function;
  }
  if (item->length > PILLION_INLINE)
    pillion__lend(ex, event, item->payload.ref.owner);
}

/* Takes a quantum. The caller sees to the word of the reader. */
size_t pillion__flow_tell(struct pillion__executor *ex,
                          struct pillion__flow *flow, uint64_t token,
                          pillion_event *events, size_t room) {
  pillion_task owner = atomic_load(&flow->owner);
  uint64_t wake;
  size_t n = 0;
  bool thrown = refused(flow);
  if (room > QUANTUM) room = QUANTUM;
  while ((thrown || n < room) && !pillion__flow_empty(flow)) {
    uint32_t count, bytes = 0;
    struct pillion__item *items = pillion__flow_row(flow, &count);
    if (!thrown && count > room - n) count = (uint32_t)(room - n);
    for (uint32_t i = 0; i < count; i++) {
      bytes += pillion__item_elsewhere(&items[i]);
      if (thrown) pillion__item_drop(&items[i]);
      else tell(ex, &events[n++], token, owner, &items[i]);
    }
    pillion__flow_pass(flow, count, bytes, &wake);
    pillion__flow_wake(flow, owner, wake);
  }
  return n;
}

void pillion__flow_tell_writable(const struct pillion__flow *flow,
                                 uint64_t token, pillion_event *event) {
  pillion__event_put(event, token, atomic_load(&flow->owner),
                     refused(flow) ? PILLION_ECLOSED : 0, 0, 0,
                     event->payload.bytes);
  event->flags = PILLION_EVENT_WRITABLE;
}

/* ---- Flows of calls ------------------------------------------------------ */

static struct pillion__call *call_of(const struct pillion__flow *flow) {
  return pillion__call_at(pillion__slot_of(atomic_load(&flow->owner)));
}

static void list(struct pillion__executor *ex, struct pillion__flow *flow) {
  if (flow->head.flags & PILLION__FLOW_LISTED) return;
  flow->head.flags |= PILLION__FLOW_LISTED;
  pillion__list_push(&ex->done, flow->slot);
}

/* The end of a call with PILLION_EVENT; its flow brings its event. */
void pillion__call_flows_ended(struct pillion__executor *ex,
                               struct pillion__call *call) {
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE);
  if (out == NULL) {
    pillion__list_push(&ex->done, call->slot);
    return;
  }
  out->head.flags |= PILLION__FLOW_ENDED;
  list(ex, out);
}

/*
 * A call's end comes once its flow is empty. Its body has returned by then, so
 * nothing comes after that look.
 */
static size_t flow_event(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot,
                         pillion_event *events, size_t room) {
  struct pillion__flow *flow = (struct pillion__flow *)head;
  head->flags &= ~PILLION__FLOW_LISTED;
  if (head->flags & PILLION__FLOW_GONE) {
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
    return 0;
  }
  struct pillion__call *call = call_of(flow);
  if (pillion__flow_on(flow, PILLION__FLOW_IN_SIDE)) {
    pillion__flow_tell_writable(flow, call->token, events);
    return 1;
  }
  size_t n = pillion__flow_tell(ex, flow, call->token, events, room);
  if (!pillion__flow_empty(flow)) list(ex, flow);
  else if (head->flags & PILLION__FLOW_ENDED)
    pillion__list_push(&ex->done, call->slot);
  else if (!pillion__flow_await_item(flow, PILLION__WAITS_HOST) &&
           !pillion__flow_empty(flow))
    list(ex, flow); /* if it is finished its call's end will do so */
  (void)slot;
  return n;
}

static void flow_delivered(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot) {
  (void)slot;
  struct pillion__flow *flow = (struct pillion__flow *)head;
  bool ours = atomic_load(&flow->executor) == ex;
  uint64_t pend = atomic_exchange(&head->pend, 0);
  if (!ours || (uint32_t)(pend >> 32) != pillion__gen(head) ||
      atomic_load(&flow->owner) == 0 || atomic_load(&ex->base.gen) % 2 == 0)
    return;
  list(ex, flow);
}

static void flow_drop(struct pillion__head *head, uint32_t slot) {
  (void)slot;
  struct pillion__flow *flow = (struct pillion__flow *)head;
  struct pillion__call *call = call_of(flow);
  head->flags &= ~PILLION__FLOW_LISTED;
  if (head->flags & PILLION__FLOW_GONE)
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
  else if (head->flags &
           PILLION__FLOW_ENDED) /* the call's end stood behind it */
    pillion__call_consumed(atomic_load(&call->executor), call);
}

const struct pillion__kind pillion__flow_kind = {
    .delivered = flow_delivered,
    .event = flow_event,
    .drop = flow_drop,
};

/* ---- pillion_next -------------------------------------------------------- */

int pillion__call_next(pillion_value *out, pillion_context *cx,
                       struct pillion__head *head, pillion_task task) {
  struct pillion__call *call = (struct pillion__call *)head;
  struct pillion__executor *ex = atomic_load(&call->executor);
  uint64_t state = atomic_load(&call->state);
  if (!pillion__call_known(call, pillion__gen_of(task), state))
    return PILLION_EBADHANDLE;
  if (ex != cx->runtime) return PILLION_EWRONGTHREAD;
  struct pillion__flow *flow =
      state & PILLION__CALL_FLOWS
          ? pillion__call_flow(call, PILLION__FLOW_OUT_SIDE)
          : NULL;
  if (flow == NULL || PILLION__MODE(head->flags) != PILLION_JOIN)
    return PILLION_EINVAL;
  if (refused(flow)) return PILLION_ECLOSED;
  struct pillion__item item;
  do {
    int rc = pillion__flow_receive(flow, &item);
    if (rc < 0) return rc;
    if (rc == PILLION_PENDING) continue;
    pillion__value_empty(out, 0);
    out->length = item.length;
    memcpy(&out->payload, &item.payload, sizeof item.payload);
    return PILLION_READY;
  } while (!pillion__flow_await_item(flow, cx->waker));
  return PILLION_PENDING;
}
