/* SPDX-License-Identifier: Apache-2.0 */

/* Submitting calls. */
#include "call/call.h"

/*
 * The owner may have counted a call that never began, and must look again: its
 * host waits for the last call's end.
 */
void pillion__unlive(struct pillion__executor *ex) {
  if (atomic_fetch_sub(&ex->calls_live, 1) == 1) pillion__poke(ex);
}

static int may_submit(struct pillion__executor *ex, pillion_executor executor,
                      uint64_t live) {
  if (atomic_load(&ex->base.gen) != pillion__gen_of(executor))
    return PILLION_EBADHANDLE;
  if (pillion__closing(&ex->base) != 0) return PILLION_ECLOSED;
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
    /*
     * The count first, then the handle; free ends the handle, then looks at the
     * count.
     */
    rc = may_submit(ex, executor, atomic_fetch_add(&ex->calls_live, 1));
    if (rc < 0) pillion__unlive(ex);
  }
  if (rc == 0 && handle != 0) {
    rc = pillion__pool_call_begins(pool, handle);
    if (rc < 0 && ex != NULL) pillion__unlive(ex);
  }
  if (rc < 0) atomic_fetch_sub(&pillion__calls_running, 1);
  return rc;
}

static void withdraw(struct pillion__executor *ex, uint32_t pool) {
  if (pool != 0) pillion__pool_call_ends(pool);
  if (ex != NULL) pillion__unlive(ex);
  atomic_fetch_sub(&pillion__calls_running, 1);
}

/*
 * The executor counts the call by now, and a free would wait for it. So the
 * hook counts as inside a turn, and cannot free the executor.
 */
static void *call_context(struct pillion__executor *ex) {
  if (PILLION__LIKELY(ex->hooks.capture == NULL)) return NULL;
  uint32_t turning = pillion__turning;
  pillion__turning = 1;
  void *context = pillion__hooks_capture(&ex->hooks);
  pillion__turning = turning;
  return context;
}

/* Go starts the clock of a call with a deadline, and the tasks of pools. */
static uint32_t ring_kind(uint32_t kind, const pillion_call_options *o) {
  if (o->pool != 0 || o->deadline != PILLION_TIME_NEVER)
    return PILLION__RING_URGENT;
  return kind == PILLION_KIND_CPU ? PILLION__RING_CPU : PILLION__RING_OFFLOAD;
}

static void unmake(struct pillion__call *call) {
  pillion__node_put(&pillion__calls, (struct pillion__node *)call);
}

#define CREDIT_MOST 65536u
#define HANDLES_MOST 65536u

static bool has_flows(const pillion_call_options *o) {
  return (o->credit | o->callbacks | (o->flags & PILLION_SENDING)) != 0;
}

static bool has_names(const pillion_call_options *o) {
  return (o->object | o->handle_count) != 0;
}

/* Objects come with events, and go with the calls that can name them. */
static int objects_fit(const struct pillion__executor *ex, uint32_t flows,
                       const pillion_call_options *o) {
  uint32_t mode = o->flags & PILLION__MODES;
  if ((o->object != 0) != ((flows & PILLION_FLOW_METHOD) != 0) ||
      (o->handle_count > 0 &&
       (!(flows & PILLION_FLOW_NAMES) || o->handles == NULL ||
        o->handle_count > HANDLES_MOST)))
    return PILLION_EINVAL;
  bool comes = mode == PILLION_DETACH || (mode == PILLION_EVENT && ex != NULL);
  return flows & PILLION_FLOW_GIVES && !comes ? PILLION_ENOTSUP : 0;
}

/* Whether the options fit the function's flows, which a host must ask for. */
static int flows_fit(const struct pillion__executor *ex, uint32_t flows,
                     const pillion_call_options *o) {
  bool sending = o->flags & PILLION_SENDING;
  if (has_flows(o) &&
      (ex == NULL || (o->flags & PILLION__MODES) == PILLION_DETACH ||
       o->credit > CREDIT_MOST ||
       (o->callbacks > 0 && (o->flags & PILLION__MODES) == PILLION_JOIN) ||
       (sending && !(flows & PILLION_FLOW_IN))))
    return PILLION_EINVAL;
  bool fit = (!(flows & PILLION_FLOW_OUT) || o->credit > 0) &&
             (!(flows & PILLION_FLOW_IN) || sending);
  return fit ? 0 : PILLION_ENOTSUP;
}

/*
 * What the call carries beside its request and its result: bits of its state,
 * or an error.
 */
__attribute__((noinline)) static int
carries(const struct pillion__executor *ex, uint32_t flows,
        const pillion_call_options *o) {
  int rc = flows_fit(ex, flows, o);
  if (rc == 0) rc = objects_fit(ex, flows, o);
  if (rc == 0 && has_flows(o)) rc |= PILLION__CALL_FLOWS;
  if (rc >= 0 && has_names(o)) rc |= PILLION__CALL_NAMES;
  if (rc >= 0 && flows & PILLION_FLOW_GIVES) rc |= PILLION__CALL_GIVES;
  return rc;
}

/* After the call has its request. */
__attribute__((noinline)) static void back_out(struct pillion__call *call,
                                               uint32_t carried,
                                               struct pillion__executor *ex,
                                               uint32_t pool) {
  if (carried & PILLION__CALL_FLOWS) pillion__flows_free(&call->flows);
  pillion__request_clear(call, carried);
  unmake(call);
  withdraw(ex, pool);
}

static int submit(pillion_task *out, struct pillion__executor *ex,
                  pillion_executor executor, const pillion_call_options *o,
                  uint32_t *kinds) {
  const struct pillion__function *function = pillion__function_of(o->function);
  if (function == NULL) return PILLION_EBADHANDLE;
  uint32_t kind = function->kind, flows = function->flows, pool = 0;
  uint32_t more = 0; /* bits of the state */
  int rc;
  if (PILLION__UNLIKELY(flows != 0 || has_flows(o) || has_names(o))) {
    rc = carries(ex, flows, o);
    if (rc < 0) return rc;
    more = (uint32_t)rc;
  }
  bool polled = kind == PILLION_KIND_LOOP || kind == PILLION_KIND_ASYNC;
  bool on_loop = polled && o->pool == 0;
  if ((o->request == NULL && o->length > 0) || (on_loop && ex == NULL) ||
      (o->pool != 0 && !polled))
    return PILLION_EINVAL;
  if (o->length > pillion__max_request) return PILLION_EMSGSIZE;
  rc = admit(ex, executor, &pool, o->pool);
  if (rc < 0) return rc;
  struct pillion__call *call =
      (struct pillion__call *)pillion__node_get(&pillion__calls, ex);
  if (call == NULL) rc = PILLION_ENOMEM;
  else if (PILLION__UNLIKELY(more & PILLION__CALL_NAMES))
    rc = pillion__call_names_set(call, o, function->class);
  else if (!pillion__payload_set(call, o->request, o->length))
    rc = PILLION_ENOMEM;
  if (PILLION__UNLIKELY(rc < 0)) {
    if (call != NULL) unmake(call);
    withdraw(ex, pool);
    return rc;
  }
  uint32_t gen = pillion__gen(&call->head);
  call->head.flags = (o->flags & PILLION__MODES) << PILLION__MODE_SHIFT;
  if (ex != NULL) call->token = o->token;
  else
    pillion__set(&call->taker,
                 pillion__joiner(o->flags == PILLION_JOIN ? PILLION__JOIN_OPEN
                                                          : PILLION__JOIN_NEVER,
                                 gen));
  call->function = pillion__slot_of(o->function);
  call->request_length = (uint32_t)o->length;
  pillion__set(&call->parent, pillion__parent_word(o->parent));
  call->joiner = 0;
  pillion__set(&call->wakeup, 0);
  if (PILLION__UNLIKELY(more & PILLION__CALL_FLOWS) &&
      !pillion__call_flows_make(call, o)) {
    back_out(call, more, ex, pool);
    return PILLION_ENOMEM;
  }
  call->deadline = o->deadline;
  pillion__set(&call->pool, pool);
  if (on_loop) call->context = call_context(ex);
  uint64_t state = (uint64_t)gen << 32 | PILLION__CALL_NEW | more;
  if (on_loop) state |= PILLION__CALL_LOOP;
  if (ex == NULL && o->flags == PILLION_DETACH) state |= PILLION__CALL_ORPHAN;
  atomic_store(&call->state, state);
  pillion_task task = pillion__handle(PILLION__TASK, call->slot, gen);
  if (on_loop) {
    pillion__call_ask(call, gen, PILLION__PEND_START);
  } else if (!pillion__ring_push(call->slot, gen, kinds)) {
    if (atomic_compare_exchange_strong(&call->state, &state, 0)) {
      back_out(call, more, ex, pool);
      return PILLION_EAGAIN;
    } /* else a sweep has cancelled it, and its end is on its way */
  }
  if (!on_loop) *kinds |= ring_kind(kind, o);
  if (pool != 0 && pillion__pool_is_cancelling(pool))
    pillion__call_cancel(call, gen, 0);
  if (ex != NULL)
    atomic_fetch_add_explicit(&ex->calls, 1, memory_order_relaxed);
  if (out != NULL) *out = task;
  return 0;
}

/* For all calls of one submission. */
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
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.flags = flags;
  size_t i = 0;
  uint32_t kinds = 0;
  for (; i < count; i++) {
    o.function = calls[i].function;
    o.request = base == NULL ? (const char *)(uintptr_t)calls[i].request
                             : (const char *)base + calls[i].request;
    o.length = calls[i].length;
    o.token = calls[i].token;
    rc = submit(out == NULL ? NULL : &out[i], ex, executor, &o, &kinds);
    if (rc < 0) break;
  }
  if (i > 0) submitted(ex, kinds);
  return i > 0 || count == 0 ? (int)i : rc;
}

/* It may be stale: the handler has answered. */
static bool is_inbound(pillion_task task) {
  uint32_t type;
  return pillion__tag_of(task) == PILLION__TASK &&
         pillion__head_of(task, &type) != NULL &&
         type == PILLION__CHUNK_INBOUND;
}

static int submit_one(pillion_task *out, pillion_executor executor,
                      const pillion_call_options *o) {
  struct pillion__executor *ex = NULL;
  uint32_t kinds = 0;
  int rc = pillion__started();
  if (rc == 0 && executor != 0) rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if ((o->flags & ~PILLION_SENDING) > PILLION_DETACH) return PILLION_EINVAL;
  rc = submit(out, ex, executor, o, &kinds);
  if (rc == 0) submitted(ex, kinds);
  return rc;
}

int pillion_call_submit_with(pillion_task *out, pillion_executor executor,
                             const pillion_call_options *options) {
  pillion_call_options whole;
  if (PILLION__UNLIKELY(options == NULL || options->size != sizeof whole)) {
    whole = (pillion_call_options)PILLION_CALL_OPTIONS_INIT;
    int rc = pillion__sized_in(&whole, sizeof whole,
                               PILLION__FIRST_CALL_OPTIONS, options,
                               PILLION__NOWHERE);
    if (rc < 0) return rc;
    options = &whole;
  }
  if ((options->reserved | options->reserved2) != 0 ||
      (options->parent != 0 && !is_inbound(options->parent)))
    return PILLION_EINVAL;
  return submit_one(out, executor, options);
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
  return submit_one(out, executor, &o);
}
