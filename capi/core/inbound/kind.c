/* SPDX-License-Identifier: Apache-2.0 */

/* Inbound calls by their executor, in turns; and all at once. */
#include <string.h>

#include "inbound/inbound.h"

/* In head.flags, the owner's. */
#define TOLD_TO_STOP 1u
#define TOLD_FINISHED 2u

/* ---- In turns ------------------------------------------------------------ */

/* A cancel or an offer; it may be late. */
static void inbound_delivered(struct pillion__executor *ex,
                              struct pillion__head *head, uint32_t slot) {
  struct pillion__inbound *in = (struct pillion__inbound *)head;
  bool ours = atomic_load(&in->executor) == ex;
  uint32_t gen = (uint32_t)(atomic_exchange(&head->pend, 0) >> 32);
  if (!ours || atomic_load(&ex->base.gen) % 2 == 0) return;
  uint64_t old = atomic_load(&in->state);
  do
    if (old >> 32 != gen || old & PILLION__INBOUND_LISTED ||
        (old & PILLION__INBOUND_PHASE) == PILLION__INBOUND_ANSWERED)
      return;
  while (!atomic_compare_exchange_weak(&in->state, &old,
                                       old | PILLION__INBOUND_LISTED));
  pillion__list_push(&ex->done, slot);
}

/* A handler's context is that of the call which it works for, if the host has
 * it on this executor: then only its owner, we, ends it. */
static void link_parent(struct pillion__executor *ex, pillion_event *event,
                        pillion_task parent) {
  uint32_t type;
  struct pillion__head *head = pillion__head_of(parent, &type);
  if (head == NULL || type != PILLION__CHUNK_CALLS) return;
  struct pillion__call *call = (struct pillion__call *)head;
  if (atomic_load(&call->executor) != ex ||
      !pillion__call_known(call, pillion__gen_of(parent),
                           atomic_load(&call->state)))
    return;
  event->flags |= PILLION_EVENT_LINKED;
  event->link = call->token;
}

/* The caller has it BUSY. The request is the host's until the next turn. */
static void tell_called(struct pillion__executor *ex,
                        struct pillion__inbound *in, pillion_event *event) {
  pillion__event_put(event, in->token, pillion__inbound_handle(in), 0,
                     in->function, in->length, in->payload.bytes);
  event->flags = PILLION_EVENT_CALLED;
  if (pillion__peek(&in->flows) != 0) event->flags |= PILLION_EVENT_FLOWS;
  if (in->length > PILLION_INLINE)
    pillion__lend(ex, event, in->payload.ref.owner);
  in->length = 0;
  if (pillion__peek(&in->provider) != 0)
    link_parent(ex, event, pillion__peek(&in->parent));
}

static void tell_plainly(struct pillion__inbound *in, pillion_event *event,
                         uint32_t flag) {
  pillion__event_put(event, in->token, pillion__inbound_handle(in), 0, 0, 0,
                     in->payload.bytes);
  memset(&event->payload, 0, sizeof event->payload);
  event->flags = flag;
}

/* Items of the caller's, then once that there are no more. */
static size_t tell_items(struct pillion__executor *ex,
                         struct pillion__inbound *in, pillion_event *events,
                         size_t room, bool *more) {
  struct pillion__flow *flow =
      pillion__inbound_flow(in, PILLION__FLOW_OUT_SIDE);
  if (flow == NULL || in->head.flags & TOLD_FINISHED) return 0;
  bool finished = atomic_load(&flow->state) & PILLION__FLOW_FINISHED;
  size_t n = pillion__flow_tell(ex, flow, in->token, events, room);
  if (!pillion__flow_empty(flow) || (finished && n == room)) {
    *more = true;
  } else if (finished) {
    in->head.flags |= TOLD_FINISHED;
    tell_plainly(in, &events[n++], PILLION_EVENT_FINISHED);
  } else if (!pillion__flow_await_item(flow, PILLION__WAITS_HOST)) {
    /* If its word is gone a bell is on the way. */
    *more = !pillion__flow_empty(flow) ||
            atomic_load(&flow->state) & PILLION__FLOW_FINISHED;
  }
  return n;
}

/* What there is to say of a call that the host knows; the caller has it BUSY. */
static size_t tell_rest(struct pillion__executor *ex,
                        struct pillion__inbound *in, pillion_event *events,
                        size_t room, bool *more) {
  struct pillion__flow *from = pillion__inbound_flow(in, PILLION__FLOW_IN_SIDE);
  size_t n = 0;
  if (atomic_load(&in->state) & PILLION__INBOUND_CANCEL &&
      !(in->head.flags & TOLD_TO_STOP) && n < room) {
    in->head.flags |= TOLD_TO_STOP;
    tell_plainly(in, &events[n++], PILLION_EVENT_CANCEL);
  }
  if (from != NULL && n < room &&
      atomic_fetch_and(&from->state, ~PILLION__FLOW_WRITABLE) &
          PILLION__FLOW_WRITABLE)
    pillion__flow_tell_writable(from, in->token, &events[n++]);
  if (n < room) return n + tell_items(ex, in, events + n, room - n, more);
  *more = atomic_load(&in->flows) != 0;
  return n;
}

/* An answer has none. */
static size_t inbound_event(struct pillion__executor *ex,
                            struct pillion__head *head, uint32_t slot,
                            pillion_event *events, size_t room) {
  struct pillion__inbound *in = (struct pillion__inbound *)head;
  uint32_t gen = pillion__gen(head);
  size_t n = 0;
  bool more = false;
  if (pillion__inbound_move(in, gen, PILLION__INBOUND_IN(OFFERED),
                            PILLION__INBOUND_BUSY | PILLION__INBOUND_STARTED))
    tell_called(ex, in, &events[n++]);
  else if (!pillion__inbound_move(in, gen, PILLION__INBOUND_IN(TOLD),
                                  PILLION__INBOUND_BUSY))
    room = 0;
  if (room > 0) {
    n += tell_rest(ex, in, events + n, room - n, &more);
    pillion__inbound_move(in, gen, PILLION__INBOUND_IN(BUSY),
                          PILLION__INBOUND_TOLD);
  }
  if (more) pillion__list_push(&ex->done, slot);
  else pillion__inbound_let_go(in, PILLION__INBOUND_LISTED);
  return n;
}

static void inbound_drop(struct pillion__head *head, uint32_t slot) {
  (void)slot;
  pillion__inbound_let_go((struct pillion__inbound *)head,
                          PILLION__INBOUND_LISTED);
}

/* To a goroutine that may have the answer already. What waits for a flow looks
 * again whatever the news is. */
static bool inbound_news(struct pillion__head *head, struct pillion__job *job) {
  struct pillion__inbound *in = (struct pillion__inbound *)head;
  uint64_t state = atomic_load(&in->state);
  *job = (struct pillion__job){(struct pillion__call *)head,
                               (uint32_t)(state >> 32), PILLION__NEWS_ANSWER};
  return (state & PILLION__INBOUND_PHASE) == PILLION__INBOUND_ANSWERED ||
         (state != 0 && pillion__peek(&in->flows) != 0);
}

/* The host knows it from its event on, until it answers. */
static int inbound_flows(uint32_t *out, struct pillion__head *head,
                         pillion_task task) {
  struct pillion__inbound *in = (struct pillion__inbound *)head;
  uint64_t state = atomic_load(&in->state);
  if (state >> 32 != pillion__gen_of(task) ||
      !(state & PILLION__INBOUND_STARTED) ||
      (state & PILLION__INBOUND_PHASE) == PILLION__INBOUND_ANSWERED)
    return PILLION_EBADHANDLE;
  *out = atomic_load(&in->flows);
  return *out == 0 ? pillion__other_kind(head, task) : 0;
}

/* ---- All of them --------------------------------------------------------- */

struct inbound_sweep {
  struct pillion__executor *ex; /* whose; or, if there is none, */
  uint32_t link;                /* of which provider; 0: all of them */
  uint32_t phases;              /* 0: they are asked to stop */
  int status;
};

static void inbound_sweep_one(struct pillion__head *head, uint32_t slot,
                              void *data) {
  (void)slot;
  const struct inbound_sweep *sweep = data;
  struct pillion__inbound *in = (struct pillion__inbound *)head;
  uint32_t gen = (uint32_t)(atomic_load(&in->state) >> 32);
  if (gen == 0 ||
      (sweep->ex != NULL && atomic_load(&in->executor) != sweep->ex) ||
      (sweep->link != 0 && pillion__peek(&in->provider) != sweep->link))
    return;
  if (sweep->phases == 0) pillion__inbound_stop(in, gen);
  else pillion__inbound_end(in, gen, sweep->phases, sweep->status);
}

/* Ends the calls of an executor or a provider that are in these phases. */
void pillion__inbounds_end(struct pillion__executor *ex, uint32_t link,
                           uint32_t phases, int status) {
  struct inbound_sweep sweep = {ex, link, phases, status};
  pillion__cells_each(&pillion__inbounds.chunks, inbound_sweep_one, &sweep);
}

/* A pool has none. */
static void inbound_cancel_all(struct pillion__owner *owner, uint32_t bits) {
  (void)bits;
  pillion__inbounds_end((struct pillion__executor *)owner, 0, 0, 0);
}

/* An executor is freed. Its handle is stale by now. */
static void inbound_drop_all(struct pillion__executor *ex) {
  pillion__inbounds_end(ex, 0, PILLION__INBOUND_OPEN, PILLION_ECLOSED);
  pillion__providers_end(ex);
}

const struct pillion__kind pillion__inbound_kind = {
    .delivered = inbound_delivered,
    .event = inbound_event,
    .drop = inbound_drop,
    .flows = inbound_flows,
    .news = inbound_news,
    .cancel_all = inbound_cancel_all,
    .drop_all = inbound_drop_all,
};
