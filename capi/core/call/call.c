/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of Go functions. A call is one node from its submission until its
 * result is consumed, so the publication of a result cannot fail.
 *
 *             1           2               3            5
 *      free ----> NEW ------> RUNNING ------> DONE ------> free
 *                  '---------- 4 --------------^
 *
 *   1  submitted: the node has a request, and is on its way to Go, in the ring
 *      or, for a loop function, in its executor's inbox. Only the submitter
 *      touches it before
 *   2  Go takes it up, by compare-and-swap from NEW, and copies the request
 *   3  pillion__call_complete: the result lies in the node, and is published
 *   4  a cancel of a NEW call is its end: Go leaves it alone. A RUNNING call only
 *      learns of it
 *   5  the event is taken, the result joined or waited for; at once if the
 *      result is unwanted. The generation grows
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/call.h"

_Atomic uint64_t pillion__calls_running;

/* ---- Results ------------------------------------------------------------- */

/* Moves the result out. */
void pillion__call_value(struct pillion__call *call, pillion_value *out) {
  pillion__value_empty(out, call->status);
  out->length = call->length;
  if (call->length > PILLION_INLINE) {
    out->payload.ref.data = call->payload.memory;
    out->payload.ref.release = pillion__payload_free;
    out->payload.ref.owner = pillion__block_of(call->payload.memory);
  } else {
    memcpy(out->payload.bytes, call->payload.bytes, PILLION_INLINE);
  }
  call->length = 0;
}

/* The node and its flows. Its payload is gone, or lent. */
static void call_put(struct pillion__call *call, uint64_t state) {
  if (PILLION__UNLIKELY(state & PILLION__CALL_FLOWS))
    pillion__flows_free(&call->flows);
  atomic_store_explicit(&call->state, 0, memory_order_release);
  pillion__node_put(&pillion__calls, (struct pillion__node *)call);
}

void pillion__call_free(struct pillion__call *call) {
  uint64_t state = atomic_load(&call->state);
  uint64_t object = pillion__call_given(call, state);
  if (PILLION__UNLIKELY(object != 0)) pillion__object_drop(object);
  pillion__payload_clear(call, call->length);
  call_put(call, state);
}

void pillion__call_consumed(struct pillion__executor *ex,
                            struct pillion__call *call) {
  pillion__call_free(call);
  atomic_fetch_sub(&ex->calls_live, 1);
}

/* ---- The end ------------------------------------------------------------- */

/*
 * Marks a call for its executor. A late cancel may find that another call uses
 * the node, one without an executor, which needs no mark.
 */
int pillion__call_ask(struct pillion__call *call, uint32_t gen, uint32_t bits) {
  uint64_t old = (uint64_t)gen << 32 | PILLION__PEND_QUEUED | bits;
  int rc = pillion__mark(&call->head, gen, bits, &old);
  if (rc != PILLION_WOKEN) return rc;
  struct pillion__executor *ex = atomic_load(&call->executor);
  if (PILLION__UNLIKELY(ex == NULL)) {
    atomic_store(&call->head.pend, 0);
    return PILLION_STALE;
  }
  if (bits & PILLION__PEND_DONE)
    pillion__ended_push(ex, &call->head, call->slot);
  else pillion__push(ex, &call->head, call->slot);
  return PILLION_WOKEN;
}

/* Publishes a result that is in its place. `state` is DONE from here on. */
static void publish(struct pillion__call *call, uint64_t old) {
  uint32_t gen = (uint32_t)(old >> 32);
  if (PILLION__UNLIKELY(old & PILLION__CALL_FLOWS))
    pillion__call_flows_done(call);
  uint32_t pool = pillion__peek(&call->pool);
  bool owned = atomic_load(&call->executor) != NULL;
  uint64_t taker = 0;
  if (!owned &&
      atomic_load(&call->taker) != pillion__joiner(PILLION__JOIN_NEVER, gen))
    taker = atomic_exchange(&call->taker,
                            pillion__joiner(PILLION__JOIN_ENDED, gen));
  if (old & PILLION__CALL_ORPHAN) {
    pillion__call_free(call);
  } else if (owned) {
    pillion__call_ask(call, gen, PILLION__PEND_DONE);
  } else {
    /* From the store on the taker may free the node; its memory stays. */
    atomic_store(&call->wakeup, 1);
    syscall(SYS_futex, &call->wakeup, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
  if (pool != 0) pillion__pool_call_ends(pool);
  if (pillion__tag_of(taker) == PILLION__WAKER) pillion__pool_wake(taker);
  atomic_fetch_sub(&pillion__calls_running, 1);
}

/*
 * pillion__call_complete ends a RUNNING call, on any thread, and copies the
 * result.
 */
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length) {
  uint64_t old = atomic_load(&call->state);
  pillion__request_clear(call, old);
  bool too_large = length > PILLION_MAX_PAYLOAD;
  if (too_large || !pillion__payload_set(call, result, length)) {
    status = too_large ? PILLION_EMSGSIZE : PILLION_ENOMEM;
    length = 0;
  }
  call->length = length;
  call->status = status;
  call->outcome = outcome;
  while (!atomic_compare_exchange_weak(&call->state, &old,
                                       old | PILLION__CALL_DONE)) {
  }
  publish(call, old);
}

/* Takes a NEW call up, on behalf of Go. */
bool pillion__call_take_up(struct pillion__call *call) {
  uint64_t old = atomic_load(&call->state);
  return (old & PILLION__CALL_PHASE) == PILLION__CALL_NEW &&
         atomic_compare_exchange_strong(
             &call->state, &old,
             old - PILLION__CALL_NEW + PILLION__CALL_RUNNING);
}

/*
 * Asks a call to stop. `bits` may add ORPHAN, for an unwanted result: then a
 * call that has ended already is left to the thread that takes its end. Or they
 * add EXPIRED, which counts if it is the first to ask.
 */
int pillion__call_cancel(struct pillion__call *call, uint32_t gen,
                         uint32_t bits) {
  uint64_t old = atomic_load(&call->state), new;
  do {
    uint32_t phase = old & PILLION__CALL_PHASE;
    if (!pillion__call_known(call, gen, old)) return PILLION_EBADHANDLE;
    if (phase == PILLION__CALL_DONE) return 2;
    new = old | PILLION__CALL_CANCEL | bits;
    if (old & PILLION__CALL_CANCEL && !(old & PILLION__CALL_EXPIRED))
      new &= ~(uint64_t)PILLION__CALL_EXPIRED;
    if (phase == PILLION__CALL_NEW) new |= PILLION__CALL_DONE;
  } while (!atomic_compare_exchange_weak(&call->state, &old, new));

  if ((old & PILLION__CALL_PHASE) == PILLION__CALL_NEW) {
    pillion__request_clear(call, old);
    if (old & PILLION__CALL_LOOP)
      pillion__hooks_release(&atomic_load(&call->executor)->hooks,
                             call->context);
    call->length = 0;
    call->status =
        new &PILLION__CALL_EXPIRED ? PILLION_ETIMEDOUT : PILLION_ECANCELLED;
    call->outcome = PILLION_OUTCOME_CANCELLED_UNSTARTED;
    publish(call, new);
    return 0;
  }
  bool first = !(old & PILLION__CALL_CANCEL);
  if (old & PILLION__CALL_FLOWS && !(bits & PILLION__CALL_EXPIRED))
    pillion__call_flows_cancel(call, gen, first);
  if (!first) return 1;
  if (old & PILLION__CALL_LOOP)
    pillion__call_ask(call, gen, PILLION__PEND_CANCEL);
  else pillion__ring_news((struct pillion__node *)call);
  return 0;
}

/* ---- On the owner's thread ----------------------------------------------- */

static void arrived(struct pillion__executor *ex, struct pillion__call *call) {
  bool flows = atomic_load(&call->state) & PILLION__CALL_FLOWS;
  switch (PILLION__MODE(call->head.flags)) {
    case PILLION_EVENT:
      if (PILLION__UNLIKELY(flows)) pillion__call_flows_ended(ex, call);
      else pillion__list_push(&ex->done, call->slot);
      break;
    case PILLION_JOIN:
      call->head.flags |= PILLION__CALL_ENDED;
      if (call->joiner != 0) pillion__wake_local_in(ex, call->joiner);
      break;
    default:
      pillion__call_consumed(ex, call);
  }
}

/*
 * Does what the inbox brought for a call, or what its place in `guest` held
 * back.
 */
void pillion__call_posted(struct pillion__executor *ex,
                          struct pillion__call *call, uint32_t bits) {
  uint32_t for_go = bits & (PILLION__PEND_START | PILLION__PEND_CANCEL);
  /* A cancel may lose the race with the end, and come when the call is in the
   * list of events: then the call must stay there, and not move to Go's list.
   * Nothing moves there once a free has begun. */
  if ((atomic_load(&call->state) & PILLION__CALL_PHASE) == PILLION__CALL_DONE ||
      atomic_load(&ex->base.gen) % 2 == 0)
    for_go = 0;
  call->head.flags |= for_go << PILLION__CALL_FOR_GO_SHIFT;
  if (for_go != 0 && !(call->head.flags & PILLION__CALL_LISTED)) {
    call->head.flags |= PILLION__CALL_LISTED;
    pillion__list_push(&ex->guest, call->slot);
  }
  if (!(bits & PILLION__PEND_DONE)) return;
  if (call->head.flags & PILLION__CALL_LISTED)
    call->head.flags |= PILLION__CALL_ARRIVED;
  else arrived(ex, call);
}

size_t pillion__call_event(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot,
                           pillion_event *event, size_t room) {
  (void)room;
  struct pillion__call *call = (struct pillion__call *)head;
  ex->calls_taken++;
  pillion__event_put(event, call->token,
                     pillion__handle(PILLION__TASK, slot, pillion__gen(head)),
                     call->status, call->outcome, call->length,
                     call->payload.bytes);
  uint64_t state = atomic_load(&call->state);
  uint64_t object = pillion__call_given(call, state);
  if (PILLION__UNLIKELY(object != 0)) pillion__event_object(event, object);
  if (call->length > PILLION_INLINE)
    pillion__lend(ex, event, pillion__block_of(call->payload.memory));
  call_put(call, state);
  return 1;
}
