/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of the host's functions by Go. Such a call is one node from its offer
 * until Go has its answer, so an answer is never refused for want of room.
 *
 *             1            2             3            4
 *      free ----> QUEUED ----> OFFERED ----> TOLD ----> ANSWERED ----> free
 *        '---------- 1 -----------^           |            ^
 *                    '----------- '---- 5 ----'------------'
 *
 *   1  offered: the executor finds it in its inbox; or, if its window is full,
 *      it stands in a queue, where it is not seen
 *   2  another call has left the window
 *   3  its event is taken: the host knows its handle, and owns the request
 *   4  the host answers, on any thread
 *   5  its end without an answer: Go's cancel, before 3; the end of its
 *      provider, before 3; the free of its executor
 *
 * BUSY stands between two phases, while a thread reads, writes or ends the
 * node: a few instructions, in which others wait. All changes of QUEUED happen
 * under the lock of the queues.
 */
#include <string.h>

#include "inbound/inbound.h"

#define INBOUND_MOST (1u << 20) /* of them, alive */

struct pillion__nodes pillion__inbounds = {.type = PILLION__CHUNK_INBOUND};
_Atomic uint64_t pillion__inbound_alive;

/* ---- The state ----------------------------------------------------------- */

/*
 * Moves a call on to the phase in `to`, with the bits there, if it is in one of
 * the phases of the set. Reports whether it was.
 */
bool pillion__inbound_move(struct pillion__inbound *in, uint32_t gen,
                           uint32_t phases, uint64_t to) {
  uint64_t old = atomic_load(&in->state);
  uint32_t round = 0;
  for (;;) {
    uint32_t phase = old & PILLION__INBOUND_PHASE;
    if (old >> 32 != gen) return false;
    if (phases >> phase & 1) {
      uint64_t new = (old & ~(uint64_t)PILLION__INBOUND_PHASE) | to;
      if (atomic_compare_exchange_weak(&in->state, &old, new)) return true;
    } else if (phase == PILLION__INBOUND_BUSY) {
      pillion__let_run(round++);
      old = atomic_load(&in->state);
    } else {
      return false;
    }
  }
}

static void inbound_ask(struct pillion__inbound *in, uint32_t gen,
                        uint32_t bits) {
  pillion__node_ask((struct pillion__node *)in, gen, bits);
}

static void inbound_put(struct pillion__inbound *in) {
  pillion__flows_free(&in->flows);
  if (in->length > PILLION_INLINE && in->payload.ref.release != NULL)
    in->payload.ref.release(in->payload.ref.owner);
  atomic_store(&in->state, 0);
  pillion__node_put(&pillion__inbounds, (struct pillion__node *)in);
  atomic_fetch_sub(&pillion__inbound_alive, 1);
}

/* Gives HELD, LISTED or ENDING back. */
void pillion__inbound_let_go(struct pillion__inbound *in, uint64_t bit) {
  uint64_t old = atomic_fetch_and(&in->state, ~bit);
  if ((old & PILLION__INBOUND_HOLDS) == bit) inbound_put(in);
}

/* ---- The end ------------------------------------------------------------- */

static void wake_caller(struct pillion__inbound *in) {
  uint64_t who = atomic_exchange(&in->who, 0);
  if (who == PILLION__WAITS_GO) pillion__ring_news((struct pillion__node *)in);
  else if (who != 0) pillion_wake(who);
}

static void end_flow(struct pillion__inbound *in, uint32_t side, uint32_t bit) {
  struct pillion__flow *flow = pillion__inbound_flow(in, side);
  if (flow != NULL) pillion__flow_ends(flow, pillion__inbound_handle(in), bit);
}

/*
 * By the thread that has it BUSY. It leaves its window first, since a lender's
 * may be gone once the call is ANSWERED. `queued`: it had no place there.
 */
void pillion__inbound_answer(struct pillion__inbound *in, int status,
                             bool queued) {
  struct pillion__executor *ex = atomic_load(&in->executor);
  uint32_t provider = pillion__peek(&in->provider), gen;
  struct pillion__inbound *next =
      queued ? NULL : pillion__window_leave(in, &gen);
  pillion__inbound_move(
      in, pillion__gen(&in->head), PILLION__INBOUND_IN(BUSY),
      PILLION__INBOUND_ANSWERED | PILLION__INBOUND_ENDING |
          (uint64_t)-status << PILLION__INBOUND_STATUS_SHIFT);
  end_flow(in, PILLION__FLOW_OUT_SIDE, PILLION__FLOW_REFUSED);
  end_flow(in, PILLION__FLOW_IN_SIDE, PILLION__FLOW_FINISHED);
  wake_caller(in);
  pillion__inbound_let_go(in, PILLION__INBOUND_ENDING);
  if (next != NULL) inbound_ask(next, gen, PILLION__PEND_START);
  if (provider != 0) pillion__provider_unuse(provider);
  pillion__unlive(ex);
}

/*
 * Without an answer: reports whether it was in one of the phases, of which
 * QUEUED is one.
 */
bool pillion__inbound_end(struct pillion__inbound *in, uint32_t gen,
                          uint32_t phases, int status) {
  bool queued = pillion__window_unqueue(in, gen);
  if (!queued &&
      !pillion__inbound_move(in, gen, phases & ~PILLION__INBOUND_IN(QUEUED),
                             PILLION__INBOUND_BUSY))
    return false;
  pillion__inbound_answer(in, status, queued);
  return true;
}

/* Go, or a close, asks a call to stop. */
void pillion__inbound_stop(struct pillion__inbound *in, uint32_t gen) {
  if (pillion__inbound_end(in, gen, PILLION__INBOUND_UNTOLD,
                           PILLION_ECANCELLED))
    return;
  if (pillion__inbound_move(in, gen, PILLION__INBOUND_IN(TOLD),
                            PILLION__INBOUND_TOLD | PILLION__INBOUND_CANCEL))
    inbound_ask(in, gen, PILLION__PEND_CANCEL);
}

/* ---- The offer ----------------------------------------------------------- */

/*
 * The free of an executor makes its generation even, and then waits until it
 * has no visitors. So a visitor that finds it odd may count a call.
 */
static int lent_by(struct pillion__executor **ex, uint64_t *token,
                   struct pillion__call *call, uint32_t function) {
  struct pillion__flow *flow = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE);
  if (flow == NULL ||
      function >= atomic_load(&flow->state) >> PILLION__FLOW_LENDS_SHIFT)
    return PILLION_ENOTSUP;
  *ex = atomic_load(&call->executor);
  *token = call->token;
  atomic_fetch_add(&(*ex)->visitors, 1);
  if (atomic_load(&(*ex)->base.gen) % 2 == 1 &&
      !(atomic_load(&call->state) & PILLION__CALL_ORPHAN) &&
      pillion__closing(&(*ex)->base) != 1 + PILLION_CLOSE_CANCEL)
    return 0;
  atomic_fetch_sub(&(*ex)->visitors, 1);
  return PILLION_ECLOSED;
}

/* False: no memory. The handler says by its credit when Go may send. */
static bool flows_made(struct pillion__inbound *in, uint32_t flows) {
  pillion_task owner = pillion__inbound_handle(in);
  struct pillion__flow *flow;
  if (flows & PILLION_FLOW_OUT) {
    flow = pillion__flow_add(&in->flows, owner, NULL, PILLION__FLOW_INBOUND,
                             PILLION__FLOW_WINDOW);
    if (flow == NULL) return false;
    pillion__set(&flow->granted, 0);
  }
  return !(flows & PILLION_FLOW_IN) ||
         pillion__flow_add(&in->flows, owner, NULL,
                           PILLION__FLOW_INBOUND | PILLION__FLOW_IN,
                           PILLION__FLOW_WINDOW) != NULL;
}

/* The node, with nothing in it but the request and the flows. */
static int inbound_make(struct pillion__inbound **out,
                        struct pillion__executor *ex,
                        const struct pillion__inbound_request *r) {
  struct pillion__block *block = NULL;
  struct pillion__inbound *in;
  if (atomic_fetch_add(&pillion__inbound_alive, 1) >= INBOUND_MOST) {
    atomic_fetch_sub(&pillion__inbound_alive, 1);
    return PILLION_EAGAIN;
  }
  if (r->length > PILLION_INLINE)
    block = pillion__block_new(r->payload, r->length);
  if ((r->length > PILLION_INLINE && block == NULL) ||
      (in = (struct pillion__inbound *)pillion__node_get(&pillion__inbounds,
                                                         ex)) == NULL) {
    if (block != NULL) pillion__payload_free(block);
    atomic_fetch_sub(&pillion__inbound_alive, 1);
    return PILLION_ENOMEM;
  }
  in->length = (uint32_t)r->length;
  if (block != NULL) {
    in->payload.ref.data = block->bytes;
    in->payload.ref.release = pillion__payload_free;
    in->payload.ref.owner = block;
  } else if (r->length > 0) {
    memcpy(in->payload.bytes, r->payload, r->length);
  }
  pillion__set(&in->flows, 0);
  *out = in;
  if (flows_made(in, r->flows)) return 0;
  inbound_put(in);
  return PILLION_ENOMEM;
}

/* Those that end calls may have looked for them just before. */
static void look_again(struct pillion__inbound *in, uint32_t gen,
                       struct pillion__executor *ex, uint32_t provider) {
  if (pillion__closing(&ex->base) == 1 + PILLION_CLOSE_CANCEL)
    pillion__inbound_stop(in, gen);
  if (provider != 0 && !pillion__provider_alive(provider))
    pillion__inbound_end(in, gen, PILLION__INBOUND_UNTOLD, PILLION_ENOTFOUND);
  if (atomic_load(&pillion__stopping) &&
      atomic_load(&pillion__calls_running) == 0)
    pillion__inbound_end(in, gen, PILLION__INBOUND_OPEN, PILLION_ECLOSED);
}

/* Inside the executor, and with the provider if there is one. */
static int offer_to(struct pillion__inbound **out, struct pillion__executor *ex,
                    uint64_t token, uint32_t provider,
                    const struct pillion__inbound_request *r) {
  struct pillion__inbound *in;
  int rc = inbound_make(&in, ex, r);
  if (rc < 0) return rc;
  uint32_t gen = pillion__gen(&in->head);
  uint64_t state = (uint64_t)gen << 32 | PILLION__INBOUND_HELD;
  in->head.flags = 0;
  in->function = r->function;
  in->token = token;
  in->deadline = r->deadline;
  pillion__set(&in->parent,
               r->lender == NULL
                   ? r->on_behalf
                   : pillion__handle(PILLION__TASK, r->lender->slot,
                                     pillion__gen(&r->lender->head)));
  pillion__set(&in->who, r->who);
  pillion__set(&in->provider, provider);
  atomic_fetch_add(&ex->calls_live, 1);
  *out = in;
  if (pillion__window_enter(in, r->on_behalf)) {
    atomic_store(&in->state, state | PILLION__INBOUND_OFFERED);
    inbound_ask(in, gen, PILLION__PEND_START);
  } else {
    pillion__window_queue(in, state | PILLION__INBOUND_QUEUED);
  }
  look_again(in, gen, ex, provider);
  return 0;
}

int pillion__inbound_offer(struct pillion__inbound **out,
                           const struct pillion__inbound_request *r) {
  struct pillion__executor *ex;
  uint64_t token;
  uint32_t provider = 0;
  int rc;
  if (r->length > pillion__max_request) return PILLION_EMSGSIZE;
  if (r->lender != NULL) rc = lent_by(&ex, &token, r->lender, r->function);
  else rc = pillion__provider_use(&provider, &ex, &token, r);
  if (rc < 0) return rc;
  rc = offer_to(out, ex, token, provider, r);
  atomic_fetch_sub(&ex->visitors, 1);
  if (rc < 0 && provider != 0) pillion__provider_unuse(provider);
  return rc;
}

/* ---- What Go does with it ------------------------------------------------ */

uint64_t pillion__inbound_handle(const struct pillion__inbound *in) {
  return pillion__handle(PILLION__TASK, in->slot, pillion__gen(&in->head));
}

static bool is_answered(struct pillion__inbound *in) {
  return (atomic_load(&in->state) & PILLION__INBOUND_PHASE) ==
         PILLION__INBOUND_ANSWERED;
}

int pillion__inbound_wait(struct pillion__inbound *in, uint64_t who) {
  atomic_store(&in->who, who);
  if (!is_answered(in)) return 1;
  atomic_store(&in->who, 0);
  return 0;
}

int pillion__inbound_take(struct pillion__inbound *in, pillion_value *out,
                          uint32_t *outcome) {
  if (!is_answered(in)) return PILLION_PENDING;
  uint64_t state = atomic_load(&in->state);
  int status = -(int)(state >> PILLION__INBOUND_STATUS_SHIFT & 0xff);
  pillion__value_empty(out, status);
  if (!(state & PILLION__INBOUND_STARTED)) {
    *outcome = PILLION_OUTCOME_CANCELLED_UNSTARTED;
    return PILLION_READY; /* the request is still there */
  }
  *outcome = status == PILLION_ECANCELLED || status == PILLION_ECLOSED
                 ? PILLION_OUTCOME_CANCELLED_RUNNING
                 : PILLION_OUTCOME_RETURNED;
  out->length = in->length;
  memcpy(&out->payload, &in->payload, sizeof in->payload);
  in->length = 0;
  return PILLION_READY;
}

void pillion__inbound_cancel(struct pillion__inbound *in) {
  pillion__inbound_stop(in, pillion__gen(&in->head));
}

void pillion__inbound_release(struct pillion__inbound *in) {
  pillion__inbound_let_go(in, PILLION__INBOUND_HELD);
}

struct pillion__flow *pillion__inbound_flow(struct pillion__inbound *in,
                                            uint32_t side) {
  return pillion__flow_of(&in->flows, side);
}

void pillion__inbound_finish(struct pillion__inbound *in) {
  end_flow(in, PILLION__FLOW_OUT_SIDE, PILLION__FLOW_FINISHED);
}
