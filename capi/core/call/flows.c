/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flows of a call. A flow is a node of its own, made for calls with credit,
 * callbacks or items from the host only.
 *
 * The owner's turn reads a flow to the host, or a task by pillion_next. A turn
 * that finds a flow in its list of what it has to tell takes a quantum of items
 * and puts it at the back. A bell brings it into that list: the writer rings
 * only if the reader has left its word, so once a burst.
 *
 *   call   RUNNING --body returns--> DONE --the flow out is empty--> event
 *   out    open --publish--> FINISHED      a cancel of the host's: what it has
 *                                          is thrown away, and nothing comes in
 *   in     open --pillion_call_finish--> FINISHED
 *          open or FINISHED --Go reads no more, or publish--> REFUSED
 *
 * Threads of the host's come at any time, also when the call ends. Each counts
 * itself in `users` before it looks whose flow it is; the end takes the owner
 * away and waits until none is counted.
 */
#include <string.h>

#include "call/call.h"

/*
 * The owner's flags of a flow, in head.flags.
 *
 *             set                                  cannot be set
 *   LISTED    while it is in the list `done`       on a flow of an orphan
 *   ENDED     when its call's end has come         on a flow from the host
 *   GONE      when it was freed while LISTED       without LISTED
 */
#define FLOW_LISTED 1u
#define FLOW_ENDED 2u
#define FLOW_GONE 4u

#define QUANTUM 16u   /* items of a flow in a row */
#define WINDOW_IN 32u /* items from the host that may wait for Go */

/* ---- Memory -------------------------------------------------------------- */

static struct pillion__flow *flow_at(uint32_t link) {
  return link == 0 ? NULL : pillion__node_at(link - 1);
}

static bool on_side(const struct pillion__flow *flow, uint32_t side) {
  bool in = atomic_load(&flow->state) & PILLION__FLOW_IN;
  return in == (side == PILLION__FLOW_IN_SIDE);
}

/* By a thread for which the call cannot end meanwhile. */
struct pillion__flow *pillion__call_flow(struct pillion__call *call,
                                         uint32_t side) {
  if (!(atomic_load(&call->state) & PILLION__CALL_FLOWS)) return NULL;
  struct pillion__flow *flow = flow_at(pillion__peek(&call->flows));
  if (flow != NULL && !on_side(flow, side)) flow = flow_at(flow->other);
  return flow != NULL && on_side(flow, side) ? flow : NULL;
}

/* `reader` waits for the first item already, or is 0. */
struct pillion__flow *pillion__flow_make(pillion_task owner,
                                         struct pillion__executor *ex,
                                         uint32_t side, uint32_t credit,
                                         uint64_t reader) {
  struct pillion__flow *flow =
      (struct pillion__flow *)pillion__node_get(&pillion__flows, ex);
  if (flow == NULL) return NULL;
  if (pillion__flow_open(flow, credit) < 0) {
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
    return NULL;
  }
  flow->head.flags = 0;
  flow->callbacks = 0;
  if (side == PILLION__FLOW_IN_SIDE)
    pillion__set(&flow->state, PILLION__FLOW_IN);
  pillion__set(&flow->reader, reader);
  atomic_store(&flow->owner, owner);
  return flow;
}

/* On the executor's thread, or on any once the executor has been freed. */
void pillion__flow_free(struct pillion__flow *flow) {
  uint32_t round = 0;
  atomic_store(&flow->owner, 0);
  while (atomic_load(&flow->users) > 0) pillion__let_run(round++);
  pillion__flow_shut(flow);
  if (flow->head.flags & FLOW_LISTED) flow->head.flags |= FLOW_GONE;
  else pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
}

void pillion__call_flows_free(struct pillion__call *call) {
  uint32_t link = pillion__peek(&call->flows);
  while (link != 0) {
    struct pillion__flow *flow = flow_at(link);
    link = flow->other;
    pillion__flow_free(flow);
  }
}

/* False: no memory, and no flows. The options fit. */
bool pillion__call_flows_make(struct pillion__call *call,
                              const pillion_call_options *o) {
  pillion_task owner =
      pillion__handle(PILLION__TASK, call->slot, pillion__gen(&call->head));
  struct pillion__executor *ex = atomic_load(&call->executor);
  bool joined = (o->flags & PILLION__MODES) == PILLION_JOIN;
  struct pillion__flow *out = NULL, *in = NULL;
  if ((o->credit | o->callbacks) != 0) {
    out = pillion__flow_make(owner, ex, PILLION__FLOW_OUT_SIDE, o->credit,
                             joined ? 0 : PILLION__WAITS_HOST);
    if (out == NULL) return false;
    out->callbacks = o->callbacks;
    if (joined) atomic_fetch_or(&out->state, PILLION__FLOW_JOINED);
  }
  if (o->flags & PILLION_SENDING) {
    in = pillion__flow_make(owner, ex, PILLION__FLOW_IN_SIDE, WINDOW_IN, 0);
    if (in == NULL && out != NULL) pillion__flow_free(out);
    if (in == NULL) return false;
  }
  if (out != NULL && in != NULL) out->other = in->slot + 1;
  pillion__set(&call->flows, (out != NULL ? out : in)->slot + 1);
  return true;
}

/* ---- Waking -------------------------------------------------------------- */

static struct pillion__node *owner_of(const struct pillion__flow *flow) {
  return pillion__node_at(pillion__slot_of(atomic_load(&flow->owner)));
}

/* A goroutine hears of it by the news of the call, if that still runs. */
static void wake_go(pillion_task owner) {
  struct pillion__node *node = pillion__node_at(pillion__slot_of(owner));
  uint64_t old = atomic_load(&node->state);
  do
    if (old >> 32 != pillion__gen_of(owner) ||
        (old & PILLION__CALL_PHASE) != PILLION__CALL_RUNNING)
      return;
  while (!atomic_compare_exchange_weak(&node->state, &old,
                                       old | PILLION__CALL_FLOWING));
  pillion__ring_news(node);
}

/* As for a call: a late bell finds that the flow has no executor any more. */
static void wake_host(struct pillion__flow *flow) {
  uint64_t old = 0;
  if (pillion__mark(&flow->head, pillion__gen(&flow->head), PILLION__PEND_WAKE,
                    &old) != PILLION_WOKEN)
    return;
  struct pillion__executor *ex = atomic_load(&flow->executor);
  if (ex == NULL) atomic_store(&flow->head.pend, 0);
  else pillion__push(ex, &flow->head, flow->slot);
}

/*
 * `who` was taken out of the flow, or is 0. The caller names the owner: a flow
 * that a thread of the host's is inside may have lost it meanwhile.
 */
void pillion__flow_wake(struct pillion__flow *flow, pillion_task owner,
                        uint64_t who) {
  switch (who) {
    case 0:
      return;
    case PILLION__WAITS_GO:
      wake_go(owner);
      return;
    case PILLION__WAITS_HOST:
      wake_host(flow);
      return;
    default:
      pillion_wake(who);
  }
}

/* ---- Go's side ----------------------------------------------------------- */

/* Whether the host has cancelled: then it wants no more. */
static bool dumped(const struct pillion__node *node) {
  uint64_t state = atomic_load(&node->state);
  return (state & (PILLION__CALL_CANCEL | PILLION__CALL_EXPIRED)) ==
         PILLION__CALL_CANCEL;
}

/* A lent payload stays the caller's unless the answer is 0. */
static int item_make(struct pillion__item *item, const void *payload,
                     uint64_t length) {
  if (length > PILLION_MAX_PAYLOAD) return PILLION_EMSGSIZE;
  item->length = (uint32_t)length;
  item->function = -1;
  if (length <= PILLION_INLINE) {
    if (length > 0) memcpy(item->payload.bytes, payload, length);
    return 0;
  }
  struct pillion__block *block = pillion__block_new(payload, length);
  if (block == NULL) return PILLION_ENOMEM;
  item->payload.ref.data = block->bytes;
  item->payload.ref.release = pillion__payload_free;
  item->payload.ref.owner = block;
  return 0;
}

int pillion__flow_send(struct pillion__flow *flow, int32_t function,
                       const void *payload, uint64_t length) {
  struct pillion__item item;
  uint64_t wake;
  if (flow == NULL || flow->capacity == 0) return PILLION_ENOTSUP;
  if (dumped(owner_of(flow))) return PILLION_ECLOSED;
  int rc = item_make(&item, payload, length);
  if (rc < 0) return rc;
  item.function = function;
  rc = pillion__flow_put(flow, &item, &wake);
  if (rc < 0) pillion__item_drop(&item);
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
  return rc;
}

int pillion__flow_wait_room(struct pillion__flow *flow, uint64_t who,
                            uint64_t length) {
  return !dumped(owner_of(flow)) && pillion__flow_await_room(flow, who, length);
}

/* Grants again when half of the window has been read. */
static void refill(struct pillion__flow *flow) {
  uint64_t wake;
  uint32_t ahead = atomic_load(&flow->granted) - pillion__peek(&flow->read);
  if (ahead > flow->capacity / 2) return;
  pillion__flow_grant(flow, flow->capacity, &wake);
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
}

static bool receive(struct pillion__flow *flow, struct pillion__item *item) {
  uint64_t wake;
  if (!pillion__flow_take(flow, item, &wake)) return false;
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
  refill(flow);
  return true;
}

int pillion__flow_receive(struct pillion__flow *flow,
                          struct pillion__item *out) {
  bool finished = atomic_load(&flow->state) & PILLION__FLOW_FINISHED;
  if (receive(flow, out)) return PILLION_READY;
  return finished ? PILLION_ECLOSED : PILLION_PENDING;
}

int pillion__flow_wait_item(struct pillion__flow *flow, uint64_t who) {
  return pillion__flow_await_item(flow, who);
}

void pillion__flow_refuse(struct pillion__flow *flow) {
  uint64_t wake;
  pillion__flow_end(flow, PILLION__FLOW_REFUSED, &wake);
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
}

/* ---- The end of a call --------------------------------------------------- */

/* Before its end is published: what waits for its flows waits in vain. */
void pillion__call_flows_done(struct pillion__call *call) {
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE),
                       *in = pillion__call_flow(call, PILLION__FLOW_IN_SIDE);
  uint64_t wake;
  if (out != NULL) {
    pillion__flow_end(out, PILLION__FLOW_FINISHED, &wake);
    if (wake != PILLION__WAITS_HOST)
      pillion__flow_wake(out, atomic_load(&out->owner), wake);
  }
  if (in != NULL) pillion__flow_refuse(in);
}

static void list(struct pillion__executor *ex, struct pillion__flow *flow) {
  if (flow->head.flags & FLOW_LISTED) return;
  flow->head.flags |= FLOW_LISTED;
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
  out->head.flags |= FLOW_ENDED;
  list(ex, out);
}

/* The host reads no more. */
void pillion__call_flows_refuse(struct pillion__call *call) {
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE);
  if (out != NULL) pillion__flow_refuse(out);
}

/* Before the owner gives a call up that Go may still run. */
void pillion__call_flows_orphan(struct pillion__call *call) {
  for (uint32_t side = 0; side < 2; side++) {
    struct pillion__flow *flow = pillion__call_flow(call, side);
    if (flow != NULL) atomic_store(&flow->executor, NULL);
  }
}

/* ---- In turns ------------------------------------------------------------ */

static void tell(struct pillion__executor *ex, pillion_event *event,
                 const struct pillion__call *call, struct pillion__item *item) {
  pillion_task task =
      pillion__handle(PILLION__TASK, call->slot, pillion__gen(&call->head));
  pillion__event_put(event, call->token, task, 0, 0, item->length,
                     item->payload.bytes);
  event->flags = PILLION_EVENT_ITEM;
  if (item->function >= 0) {
    event->flags = PILLION_EVENT_CALLED;
    event->task = 0;
    event->outcome = (uint16_t)item->function;
  }
  if (item->length > PILLION_INLINE)
    pillion__lend(ex, event, item->payload.ref.owner);
}

static size_t tell_writable(const struct pillion__flow *flow,
                            const struct pillion__call *call,
                            pillion_event *event) {
  bool refused = atomic_load(&flow->state) & PILLION__FLOW_REFUSED;
  pillion__event_put(event, call->token, atomic_load(&flow->owner),
                     refused ? PILLION_ECLOSED : 0, 0, 0, event->payload.bytes);
  event->flags = PILLION_EVENT_WRITABLE;
  return 1;
}

/* Takes a quantum. The flow's list of waiters is the caller's to see to. */
static size_t take_items(struct pillion__executor *ex,
                         struct pillion__flow *flow,
                         const struct pillion__call *call,
                         pillion_event *events, size_t room) {
  struct pillion__item item;
  uint64_t wake;
  size_t n = 0;
  bool thrown = dumped((const struct pillion__node *)call);
  if (room > QUANTUM) room = QUANTUM;
  while ((thrown || n < room) && pillion__flow_take(flow, &item, &wake)) {
    pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
    if (thrown) pillion__item_drop(&item);
    else tell(ex, &events[n++], call, &item);
  }
  return n;
}

/*
 * A call's end comes once its flow is empty. Its body has returned by then, so
 * nothing comes after that look.
 */
static size_t flow_event(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot,
                         pillion_event *events, size_t room) {
  struct pillion__flow *flow = (struct pillion__flow *)head;
  head->flags &= ~FLOW_LISTED;
  if (head->flags & FLOW_GONE) {
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
    return 0;
  }
  struct pillion__call *call = (struct pillion__call *)owner_of(flow);
  if (atomic_load(&flow->state) & PILLION__FLOW_IN)
    return tell_writable(flow, call, events);
  size_t n = take_items(ex, flow, call, events, room);
  if (!pillion__flow_empty(flow)) list(ex, flow);
  else if (head->flags & FLOW_ENDED) pillion__list_push(&ex->done, call->slot);
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
  struct pillion__call *call = (struct pillion__call *)owner_of(flow);
  head->flags &= ~FLOW_LISTED;
  if (head->flags & FLOW_GONE)
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
  else if (head->flags & FLOW_ENDED) /* the call's end stood behind it */
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
  if (dumped((struct pillion__node *)call)) return PILLION_ECLOSED;
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

/* ---- The host's verbs ---------------------------------------------------- */

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
  pillion__flow_leave(flow);
  return NULL;
}

/* After 0 the flow stays until the caller leaves it. */
int pillion__flow_enter(struct pillion__flow **out, pillion_task task,
                        uint32_t side) {
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || pillion__tag_of(task) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_CALLS) return pillion__other_kind(head, task);
  struct pillion__call *call = (struct pillion__call *)head;
  uint64_t state = atomic_load(&call->state);
  if (!pillion__call_known(call, pillion__gen_of(task), state))
    return PILLION_EBADHANDLE;
  if (!(state & PILLION__CALL_FLOWS)) return PILLION_EINVAL;
  struct pillion__flow *flow = enter(atomic_load(&call->flows), task);
  if (flow == NULL) return PILLION_EBADHANDLE;
  if (!on_side(flow, side)) {
    struct pillion__flow *other = enter(flow->other, task);
    pillion__flow_leave(flow);
    if (other == NULL || !on_side(other, side)) {
      if (other != NULL) pillion__flow_leave(other);
      return PILLION_EINVAL;
    }
    flow = other;
  }
  *out = flow;
  return 0;
}

void pillion__flow_leave(struct pillion__flow *flow) {
  atomic_fetch_sub(&flow->users, 1);
}

/*
 * After a deadline Go may wait for credit: what it has sent still comes. A
 * cancel, or the free of the executor, ends that wait.
 */
void pillion__call_flows_cancel(struct pillion__call *call, uint32_t gen) {
  pillion_task task = pillion__handle(PILLION__TASK, call->slot, gen);
  struct pillion__flow *flow = enter(atomic_load(&call->flows), task);
  uint64_t wake;
  if (flow == NULL) return;
  if (on_side(flow, PILLION__FLOW_OUT_SIDE)) {
    pillion__flow_end(flow, PILLION__FLOW_REFUSED, &wake);
    pillion__flow_wake(flow, task, wake);
  }
  pillion__flow_leave(flow);
}

int pillion_call_credit(pillion_task call, uint32_t items) {
  struct pillion__flow *flow;
  uint64_t wake;
  int rc = pillion__flow_enter(&flow, call, PILLION__FLOW_OUT_SIDE);
  if (rc < 0) return rc;
  if (flow->capacity == 0 || atomic_load(&flow->state) & PILLION__FLOW_JOINED) {
    rc = PILLION_EINVAL;
  } else {
    rc = (int)pillion__flow_grant(flow, items, &wake);
    pillion__flow_wake(flow, call, wake);
  }
  pillion__flow_leave(flow);
  return rc;
}

/* Under SENDING. */
static int send_now(struct pillion__flow *flow, pillion_task call,
                    struct pillion__item *item) {
  uint64_t wake;
  int rc;
  do rc = pillion__flow_put(flow, item, &wake);
  while (rc == PILLION_EAGAIN &&
         !pillion__flow_await_room(flow, PILLION__WAITS_HOST, item->length));
  pillion__flow_wake(flow, call, wake);
  return rc;
}

int pillion_call_send(pillion_task call, const pillion_value *value) {
  struct pillion__item item;
  struct pillion__flow *flow;
  if (value == NULL) return PILLION_EINVAL;
  if (value->length > pillion__max_request) return PILLION_EMSGSIZE;
  bool lent =
      value->length > PILLION_INLINE && value->payload.ref.release != NULL;
  int rc = pillion__flow_enter(&flow, call, PILLION__FLOW_IN_SIDE);
  if (rc < 0) return rc;
  if (atomic_fetch_or(&flow->state, PILLION__FLOW_SENDING) &
      PILLION__FLOW_SENDING) {
    pillion__flow_leave(flow);
    return PILLION_EBUSY;
  }
  if (lent) {
    item.length = (uint32_t)value->length;
    item.function = -1;
    memcpy(&item.payload, &value->payload, sizeof item.payload);
  } else {
    rc = item_make(&item, pillion_value_data(value), value->length);
  }
  if (rc == 0) {
    rc = send_now(flow, call, &item);
    if (rc < 0 && !lent) pillion__item_drop(&item);
  }
  atomic_fetch_and(&flow->state, ~PILLION__FLOW_SENDING);
  pillion__flow_leave(flow);
  return rc;
}

int pillion_call_finish(pillion_task call) {
  struct pillion__flow *flow;
  uint64_t wake;
  int rc = pillion__flow_enter(&flow, call, PILLION__FLOW_IN_SIDE);
  if (rc < 0) return rc;
  pillion__flow_end(flow, PILLION__FLOW_FINISHED, &wake);
  pillion__flow_wake(flow, call, wake);
  pillion__flow_leave(flow);
  return 0;
}
