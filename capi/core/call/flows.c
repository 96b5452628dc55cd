/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flows of a call: their life, what waits for them, and Go's side. A flow
 * is a node of its own, made for calls with credit, callbacks or items from the
 * host only.
 *
 *   call   RUNNING --body returns--> DONE --the flow out is empty--> event
 *   out    open --publish--> FINISHED
 *          open or FINISHED --the host reads no more--> REFUSED
 *   in     open --pillion_call_finish--> FINISHED
 *          open or FINISHED --Go reads no more, or publish--> REFUSED
 *
 * Threads of the host's come at any time, also when the call ends. Each counts
 * itself in `users` before it looks whose flow it is; the end takes the owner
 * away and waits until none is counted.
 */
#include <string.h>

#include "call/call.h"

/* ---- Memory -------------------------------------------------------------- */

static struct pillion__flow *flow_at(uint32_t link) {
  return link == 0 ? NULL : pillion__node_at(link - 1);
}

/* By a thread for which the call cannot end meanwhile; or NULL. */
struct pillion__flow *pillion__flow_of(_Atomic uint32_t *flows, uint32_t side) {
  struct pillion__flow *flow = flow_at(pillion__peek(flows));
  while (flow != NULL && !pillion__flow_on(flow, side))
    flow = flow_at(flow->other);
  return flow;
}

struct pillion__flow *pillion__call_flow(struct pillion__call *call,
                                         uint32_t side) {
  return atomic_load(&call->state) & PILLION__CALL_FLOWS
             ? pillion__flow_of(&call->flows, side)
             : NULL;
}

/* Adds a flow to those of an owner that is not known yet. NULL: no memory. */
struct pillion__flow *pillion__flow_add(_Atomic uint32_t *flows,
                                        pillion_task owner,
                                        struct pillion__executor *ex,
                                        uint64_t bits, uint32_t credit) {
  struct pillion__flow *flow =
      (struct pillion__flow *)pillion__node_get(&pillion__flows, ex);
  if (flow == NULL) return NULL;
  if (pillion__flow_open(flow, credit) < 0) {
    pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
    return NULL;
  }
  flow->head.flags = 0;
  flow->other = pillion__peek(flows);
  pillion__set(&flow->state, bits);
  atomic_store(&flow->owner, owner);
  pillion__set(flows, flow->slot + 1);
  return flow;
}

/* Those of a call on its executor's thread, or on any once that is freed. */
static void flow_free(struct pillion__flow *flow) {
  uint32_t round = 0;
  atomic_store(&flow->owner, 0);
  while (atomic_load(&flow->users) > 0) pillion__let_run(round++);
  pillion__flow_shut(flow);
  if (flow->head.flags & PILLION__FLOW_LISTED)
    flow->head.flags |= PILLION__FLOW_GONE;
  else pillion__node_put(&pillion__flows, (struct pillion__node *)flow);
}

void pillion__flows_free(_Atomic uint32_t *flows) {
  struct pillion__flow *flow = flow_at(pillion__peek(flows));
  while (flow != NULL) {
    struct pillion__flow *other = flow_at(flow->other);
    flow_free(flow);
    flow = other;
  }
}

/* ---- Waking -------------------------------------------------------------- */

/* A goroutine looks again, if that is still about the same call. */
static void wake_go(pillion_task owner) {
  struct pillion__node *node = pillion__node_at(pillion__slot_of(owner));
  if (atomic_load(&node->state) >> 32 == pillion__gen_of(owner))
    pillion__ring_news(node);
}

static void wake_host(struct pillion__flow *flow, pillion_task owner) {
  uint64_t state = atomic_load(&flow->state);
  if (!(state & PILLION__FLOW_INBOUND)) {
    pillion__node_ask((struct pillion__node *)flow, pillion__gen(&flow->head),
                      PILLION__PEND_WAKE);
    return;
  }
  if (state & PILLION__FLOW_IN)
    atomic_fetch_or(&flow->state, PILLION__FLOW_WRITABLE);
  pillion__node_ask(pillion__node_at(pillion__slot_of(owner)),
                    pillion__gen_of(owner), PILLION__PEND_WAKE);
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
      wake_host(flow, owner);
      return;
    default:
      pillion_wake(who);
  }
}

/* ---- Go's side ----------------------------------------------------------- */

/* A lent payload stays the caller's unless the answer is 0. */
int pillion__item_make(struct pillion__item *item, int32_t function,
                       const void *payload, uint64_t length) {
  item->length = (uint32_t)length;
  item->function = function;
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
  if (length > PILLION_MAX_PAYLOAD) return PILLION_EMSGSIZE;
  int rc = pillion__flow_room(flow, length);
  if (rc == 0) rc = pillion__item_make(&item, function, payload, length);
  if (rc < 0) return rc;
  pillion__flow_put(flow, &item, &wake);
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
  return 0;
}

/* Go has written a short item itself, and the reader waits. */
void pillion__flow_bell(struct pillion__flow *flow) {
  pillion__flow_wake(flow, atomic_load(&flow->owner),
                     pillion__flow_reader(flow));
}

/* Grants again when half of the window has been read. */
static void refill(struct pillion__flow *flow) {
  uint64_t wake;
  uint32_t ahead = atomic_load(&flow->granted) - pillion__peek(&flow->read);
  if (ahead > flow->capacity / 2) return;
  pillion__flow_grant(flow, flow->capacity, &wake);
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
}

int pillion__flow_receive(struct pillion__flow *flow,
                          struct pillion__item *out) {
  uint64_t wake;
  bool finished = atomic_load(&flow->state) & PILLION__FLOW_FINISHED;
  if (!pillion__flow_take(flow, out, &wake))
    return finished ? PILLION_ECLOSED : PILLION_PENDING;
  pillion__flow_wake(flow, atomic_load(&flow->owner), wake);
  refill(flow);
  return PILLION_READY;
}

void pillion__flow_ends(struct pillion__flow *flow, pillion_task owner,
                        uint32_t bit) {
  uint64_t wake;
  pillion__flow_end(flow, bit, &wake);
  pillion__flow_wake(flow, owner, wake);
}

void pillion__flow_refuse(struct pillion__flow *flow) {
  pillion__flow_ends(flow, atomic_load(&flow->owner), PILLION__FLOW_REFUSED);
}

/* ---- With a call --------------------------------------------------------- */

/* False: no memory, and the caller frees them. The options fit. */
bool pillion__call_flows_make(struct pillion__call *call,
                              const pillion_call_options *o) {
  pillion_task owner =
      pillion__handle(PILLION__TASK, call->slot, pillion__gen(&call->head));
  struct pillion__executor *ex = atomic_load(&call->executor);
  bool joined = (o->flags & PILLION__MODES) == PILLION_JOIN;
  pillion__set(&call->flows, 0);
  if ((o->credit | o->callbacks) != 0) {
    struct pillion__flow *out = pillion__flow_add(
        &call->flows, owner, ex,
        (joined ? PILLION__FLOW_JOINED : 0) |
            (uint64_t)o->callbacks << PILLION__FLOW_LENDS_SHIFT,
        o->credit);
    if (out == NULL) return false;
    if (!joined) pillion__set(&out->reader, PILLION__WAITS_HOST);
  }
  return !(o->flags & PILLION_SENDING) ||
         pillion__flow_add(&call->flows, owner, ex, PILLION__FLOW_IN,
                           PILLION__FLOW_WINDOW) != NULL;
}

/* Before its end is published: what waits for its flows waits in vain. */
void pillion__call_flows_done(struct pillion__call *call) {
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE),
                       *in = pillion__call_flow(call, PILLION__FLOW_IN_SIDE);
  uint64_t wake;
  if (out != NULL) {
    pillion__flow_end(out, PILLION__FLOW_FINISHED, &wake);
    if (wake != PILLION__WAITS_HOST) /* it hears of the end */
      pillion__flow_wake(out, atomic_load(&out->owner), wake);
  }
  if (in != NULL) pillion__flow_refuse(in);
}

/* The host reads no more. */
void pillion__call_flows_refuse(struct pillion__call *call) {
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE);
  if (out != NULL) pillion__flow_refuse(out);
}

/* Before the owner gives a call up that Go may still run. */
void pillion__call_flows_orphan(struct pillion__call *call) {
  for (uint32_t side = 0; side <= PILLION__FLOW_IN; side += PILLION__FLOW_IN) {
    struct pillion__flow *flow = pillion__call_flow(call, side);
    if (flow != NULL) atomic_store(&flow->executor, NULL);
  }
}
