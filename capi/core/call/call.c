/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of Go functions. A call is one node from its submission until its
 * result was consumed, so publishing a result cannot fail. Its `state` says
 * who may touch what: see core.h.
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.h"

_Atomic uint64_t pillion__calls_running;

static uint32_t gen_of(const struct pillion__call *call) {
  return atomic_load_explicit(&call->head.gen, memory_order_relaxed);
}

/* ---- Results ------------------------------------------------------------- */

/* Moves the result out. */
void pillion__call_value(struct pillion__call *call, pillion_value *out) {
  out->status = call->status;
  out->reserved = 0;
  out->length = call->length;
  if (call->length > PILLION_INLINE) {
    out->payload.ref.data = call->payload.memory;
    out->payload.ref.release = pillion__payload_free;
    out->payload.ref.owner = call->payload.memory;
  } else {
    memcpy(out->payload.bytes, call->payload.bytes, PILLION_INLINE);
  }
  call->length = 0;
}

void pillion__call_free(struct pillion__call *call) {
  pillion__payload_clear(call, call->length);
  pillion__node_put(call);
}

void pillion__call_consumed(struct pillion__executor *ex,
                            struct pillion__call *call) {
  pillion__call_free(call);
  atomic_fetch_sub(&ex->calls_live, 1);
}

/* ---- Submission ---------------------------------------------------------- */

/*
 * The owner may have seen a call that never was, and must look again: its host
 * waits for the last one to be taken.
 */
static void unlive(struct pillion__executor *ex) {
  if (atomic_fetch_sub(&ex->calls_live, 1) == 1) pillion__poke(ex);
}

static int may_submit(struct pillion__executor *ex, pillion_executor executor,
                      uint64_t live) {
  if (atomic_load(&ex->gen) != pillion__gen_of(executor))
    return PILLION_EBADHANDLE;
  if (pillion__closing(ex) != 0) return PILLION_ECLOSED;
  return live >= ex->max_calls ? PILLION_EAGAIN : 0;
}

static int admit(struct pillion__executor *ex, pillion_executor executor,
                 uint32_t *pool, pillion_pool handle) {
  if (atomic_fetch_add(&pillion__calls_running, 1) >= pillion__max_calls) {
    atomic_fetch_sub(&pillion__calls_running, 1);
    return PILLION_EAGAIN;
  }
  int rc = atomic_load(&pillion__stopping) ? PILLION_ECLOSED : 0;
  if (rc == 0 && ex != NULL)
    rc = may_submit(ex, executor, atomic_load(&ex->calls_live));
  if (rc == 0 && ex != NULL) {
    /* The count first, then the look: free looks the other way round. */
    rc = may_submit(ex, executor, atomic_fetch_add(&ex->calls_live, 1));
    if (rc < 0) unlive(ex);
  }
  if (rc == 0 && handle != 0) {
    rc = pillion__pool_call(pool, handle);
    if (rc < 0 && ex != NULL) unlive(ex);
  }
  if (rc < 0) atomic_fetch_sub(&pillion__calls_running, 1);
  return rc;
}

static void withdraw(struct pillion__executor *ex, uint32_t pool) {
  if (pool != 0) pillion__pool_called(pool);
  if (ex != NULL) unlive(ex);
  atomic_fetch_sub(&pillion__calls_running, 1);
}

/*
 * The executor was told of a call, and its free would wait for that: the hook is
 * not to free it, and is as deep as if it were inside a turn.
 */
static void *call_context(struct pillion__executor *ex) {
  if (PILLION__LIKELY(ex->hooks.capture == NULL)) return NULL;
  uint32_t turning = pillion__turning;
  pillion__turning = 1;
  void *context = pillion__context_capture(ex);
  pillion__turning = turning;
  return context;
}

/* Go starts the clock of a call with a deadline, and the tasks of pools. */
static uint32_t ring_kind(uint32_t kind, const pillion_call_options *o) {
  if (o->pool != 0 || o->deadline != PILLION_TIME_NEVER)
    return PILLION__RING_URGENT;
  return kind == PILLION_KIND_CPU ? PILLION__RING_CPU : PILLION__RING_OFFLOAD;
}

static int submit(pillion_task *out, struct pillion__executor *ex,
                  pillion_executor executor, const pillion_call_options *o,
                  uint32_t *kinds) {
  uint32_t index, kind, pool = 0;
  int rc = pillion__function_kind(&index, &kind, o->function);
  if (rc < 0) return rc;
  bool polled = kind == PILLION_KIND_LOOP || kind == PILLION_KIND_ASYNC;
  bool on_loop = polled && o->pool == 0;
  if ((o->request == NULL && o->length > 0) ||
      (on_loop && ex == NULL) || (o->pool != 0 && !polled))
    return PILLION_EINVAL;
  if (o->length > pillion__max_request) return PILLION_EMSGSIZE;
  rc = admit(ex, executor, &pool, o->pool);
  if (rc < 0) return rc;
  struct pillion__call *call = pillion__node_get(ex);
  if (call == NULL) {
    withdraw(ex, pool);
    return PILLION_ENOMEM;
  }
  if (!pillion__payload_set(call, o->request, o->length)) {
    pillion__node_put(call);
    withdraw(ex, pool);
    return PILLION_ENOMEM;
  }
  uint32_t gen = gen_of(call);
  call->head.flags = o->flags << PILLION__MODE_SHIFT;
  if (ex != NULL)
    call->token = o->token;
  else
    atomic_store_explicit(
        &call->taker,
        pillion__joiner(o->flags == PILLION_JOIN ? PILLION__JOIN_OPEN
                                                 : PILLION__JOIN_NEVER,
                        gen),
        memory_order_relaxed);
  call->function = index;
  call->request_length = o->length;
  call->joiner = 0;
  call->deadline = o->deadline;
  atomic_store_explicit(&call->pool, pool, memory_order_relaxed);
  if (on_loop) call->context = call_context(ex);
  atomic_store_explicit(&call->wakeup, 0, memory_order_relaxed);
  uint64_t state = (uint64_t)gen << 32 | PILLION__CALL_NEW;
  if (on_loop) state |= PILLION__CALL_LOOP;
  if (ex == NULL && o->flags == PILLION_DETACH) state |= PILLION__CALL_ORPHAN;
  atomic_store(&call->state, state);
  pillion_task task = pillion__handle(PILLION__TASK, call->slot, gen);
  if (on_loop) {
    pillion__post(&call->head, call->slot, gen, PILLION__START);
  } else if (!pillion__ring_push(call->slot, gen, kinds)) {
    if (atomic_compare_exchange_strong(&call->state, &state, 0)) {
      pillion__payload_clear(call, o->length);
      pillion__node_put(call);
      withdraw(ex, pool);
      return PILLION_EAGAIN;
    } /* else a sweep has cancelled it: its end is on its way already */
  }
  if (!on_loop) *kinds |= ring_kind(kind, o);
  if (pool != 0 && pillion__pool_cancels(pool))
    pillion__call_cancel(call, gen, 0);
  if (ex != NULL)
    atomic_fetch_add_explicit(&ex->calls, 1, memory_order_relaxed);
  if (out != NULL) *out = task;
  return 0;
}

/* For all that were submitted at once. */
static void submitted(struct pillion__executor *ex, uint32_t kinds) {
  pillion__ring_publish(kinds);
  if (ex != NULL && atomic_load(&ex->owner) == pillion__me())
    pillion__tell_live(ex);
}

int pillion_call_batch(pillion_task *out, pillion_executor executor,
                       const pillion_call *calls, size_t count,
                       const void *base, uint32_t flags) {
  struct pillion__executor *ex = NULL;
  int rc = pillion__started();
  if (rc == 0 && executor != 0) rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (flags > PILLION_DETACH || (calls == NULL && count > 0) ||
      count > INT32_MAX)
    return PILLION_EINVAL;
  size_t i = 0;
  uint32_t kinds = 0;
  for (; i < count; i++) {
    const pillion_call *c = &calls[i];
    const char *request =
        base == NULL ? (const char *)(uintptr_t)c->request
                     : (const char *)base + c->request;
    const pillion_call_options o = {
        .size = sizeof o,
        .function = c->function,
        .request = request,
        .length = c->length,
        .token = c->token,
        .flags = flags,
        .deadline = PILLION_TIME_NEVER,
    };
    rc = submit(out == NULL ? NULL : &out[i], ex, executor, &o, &kinds);
    if (rc < 0) break;
  }
  if (i > 0) submitted(ex, kinds);
  return i > 0 || count == 0 ? (int)i : rc;
}

int pillion_call_submit_with(pillion_task *out, pillion_executor executor,
                             const pillion_call_options *options) {
  struct pillion__executor *ex = NULL;
  int rc = pillion__started();
  if (rc == 0 && executor != 0) rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (options == NULL || options->size < sizeof *options ||
      options->flags > PILLION_DETACH || options->reserved != 0)
    return PILLION_EINVAL;
  uint32_t kinds = 0;
  rc = submit(out, ex, executor, options, &kinds);
  if (rc == 0) submitted(ex, kinds);
  return rc;
}

int pillion_call_submit(pillion_task *out, pillion_executor executor,
                        pillion_function function, const void *request,
                        size_t length, uint64_t token, uint32_t flags) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = function;
  o.request = request;
  o.length = length;
  o.token = token;
  o.flags = flags;
  return pillion_call_submit_with(out, executor, &o);
}

/* ---- The end ------------------------------------------------------------- */

/* Publishes a result that is in place. `state` is DONE from here on. */
static void publish(struct pillion__call *call, uint64_t old) {
  uint32_t slot = call->slot, gen = (uint32_t)(old >> 32);
  uint32_t pool = atomic_load_explicit(&call->pool, memory_order_relaxed);
  bool owned = atomic_load(&call->executor) != NULL;
  uint64_t taker = 0;
  if (!owned &&
      atomic_load(&call->taker) != pillion__joiner(PILLION__JOIN_NEVER, gen))
    taker = atomic_exchange(&call->taker,
                            pillion__joiner(PILLION__JOIN_ENDED, gen));
  if (old & PILLION__CALL_ORPHAN) {
    pillion__call_free(call);
  } else if (owned) {
    pillion__post(&call->head, slot, gen, PILLION__DONE);
  } else {
    /* From the store on the taker may free the node; its memory stays. */
    atomic_store(&call->wakeup, 1);
    syscall(SYS_futex, &call->wakeup, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
  if (pool != 0) pillion__pool_called(pool);
  if (pillion__kind_of(taker) == PILLION__WAKER) pillion__pool_wake(taker);
  atomic_fetch_sub(&pillion__calls_running, 1);
}

/*
 * pillion__call_complete ends a RUNNING call, on any thread. The result is
 * copied.
 */
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length) {
  pillion__payload_clear(call, call->request_length);
  call->request_length = 0;
  if (length > PILLION_MAX_PAYLOAD) {
    status = PILLION_EMSGSIZE;
    length = 0;
  } else if (!pillion__payload_set(call, result, length)) {
    status = PILLION_ENOMEM;
    length = 0;
  }
  call->length = length;
  call->status = status;
  call->outcome = outcome;
  uint64_t old = atomic_load(&call->state);
  while (!atomic_compare_exchange_weak(&call->state, &old,
                                       old | PILLION__CALL_DONE)) {
  }
  publish(call, old);
}

/* Takes a NEW call up, on behalf of Go. */
bool pillion__call_start(struct pillion__call *call) {
  uint64_t new = (uint64_t)gen_of(call) << 32 | PILLION__CALL_LOOP |
                 PILLION__CALL_NEW;
  return atomic_compare_exchange_strong(
      &call->state, &new, new - PILLION__CALL_NEW + PILLION__CALL_RUNNING);
}

/*
 * Asks a call to stop. `bits` may add ORPHAN, for a result that nobody wants;
 * then a call that has ended already is left to whoever takes its end up. Or
 * EXPIRED, which counts if it is the first that asks.
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
    pillion__payload_clear(call, call->request_length);
    call->request_length = 0;
    if (old & PILLION__CALL_LOOP)
      pillion__context_release(atomic_load(&call->executor), call->context);
    call->length = 0;
    call->status = new & PILLION__CALL_EXPIRED ? PILLION_ETIMEDOUT
                                               : PILLION_ECANCELLED;
    call->outcome = PILLION_OUTCOME_CANCELLED_UNSTARTED;
    publish(call, new);
  } else if (old & PILLION__CALL_CANCEL) {
    return 1;
  } else if (old & PILLION__CALL_LOOP) {
    pillion__post(&call->head, call->slot, gen, PILLION__CANCEL);
  } else {
    pillion__ring_cancel(call);
  }
  return 0;
}

/* ---- On the owner's thread ----------------------------------------------- */

static void arrived(struct pillion__executor *ex, struct pillion__call *call) {
  switch (PILLION__MODE(call->head.flags)) {
    case PILLION_EVENT:
      pillion__list_push(&ex->done, call->slot);
      break;
    case PILLION_JOIN:
      call->head.flags |= PILLION__ENDED;
      if (call->joiner != 0) pillion__wake_local_in(ex, call->joiner);
      break;
    default:
      pillion__call_consumed(ex, call);
  }
}

/* What the inbox brought for a call, or what its place in `guest` held back. */
void pillion__call_posted(struct pillion__executor *ex,
                          struct pillion__call *call, uint32_t slot,
                          uint32_t bits) {
  uint32_t for_go = bits & (PILLION__START | PILLION__CANCEL);
  /* A cancel may lose the race with the end, and come when the call stands in
   * the list of events: it must not be moved to Go's. */
  if ((atomic_load(&call->state) & PILLION__CALL_PHASE) == PILLION__CALL_DONE)
    for_go = 0;
  call->head.flags |= for_go << PILLION__FOR_GO_SHIFT;
  if (for_go != 0 && !(call->head.flags & PILLION__LISTED)) {
    call->head.flags |= PILLION__LISTED;
    pillion__list_push(&ex->guest, slot);
  }
  if (!(bits & PILLION__DONE)) return;
  if (call->head.flags & PILLION__LISTED)
    call->head.flags |= PILLION__ARRIVED;
  else
    arrived(ex, call);
}

/* A payload elsewhere keeps its node until the next turn. */
void pillion__call_event(struct pillion__executor *ex,
                         struct pillion__call *call, pillion_event *event) {
  event->token = call->token;
  event->task = pillion__handle(PILLION__TASK, call->slot, gen_of(call));
  event->status = call->status;
  event->outcome = (uint16_t)call->outcome;
  event->length = call->length;
  if (call->length > PILLION_INLINE) {
    event->payload.data = call->payload.memory;
    atomic_store(&call->state, 0); /* the handle is stale from here on */
    pillion__list_push(&ex->taken, call->slot);
  } else {
    memcpy(event->payload.bytes, call->payload.bytes, PILLION_INLINE);
    pillion__node_put(call);
  }
}
