/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CALL_H
#define PILLION_CALL_H

/*
 * Calls of Go functions. Read it in this order:
 *
 *   call.c    the end of a call, and what its executor does with it
 *   submit.c  its beginning; node.c  its memory; ring.c  its way to Go
 *   flows.c   its flows; items.c  items to the host; verbs.c  the host's verbs
 *   wait.c    calls without an executor
 *   object.c  the objects that a request names, and those of results
 *   kind.c    the functions by handle; sweep.c  all of them; function.c
 */
#include "object/object.h"
#include "pool/pool.h"

#pragma GCC visibility push(hidden)

/*
 * The owner's flags of a call, in head.flags, beside its MODE.
 *
 *             set                                  cannot be set
 *   ENDED     when its end comes, if it is JOINed  on an event
 *   LISTED    while it is in the list for Go       on a call that is DONE
 *   ARRIVED   when its end comes while LISTED      without LISTED
 *
 * From FOR_GO_SHIFT on stand START and CANCEL, which a LISTED call carries.
 */
#define PILLION__CALL_ENDED 8u
#define PILLION__CALL_LISTED 64u
#define PILLION__CALL_ARRIVED 128u
#define PILLION__CALL_FOR_GO_SHIFT 12

/*
 * The owner's flags of a call's flow, in head.flags.
 *
 *             set                                  cannot be set
 *   LISTED    while it is in the list `done`       on a flow of an orphan
 *   ENDED     when its call's end has come         on a flow from the host
 *   GONE      when it was freed while LISTED       without LISTED
 */
#define PILLION__FLOW_LISTED 1u
#define PILLION__FLOW_ENDED 2u
#define PILLION__FLOW_GONE 4u

/*
 * The state of a call, in the low half of `state`, under its generation. call.c
 * has the phases NEW, RUNNING and DONE as a diagram; 0 is a free node. Beside
 * any phase:
 *
 *             set                                  cannot be set
 *   CANCEL    when a stop is asked for             once it is DONE
 *   ORPHAN    when the result is unwanted          while a thread waits for it
 *   WAITED    while a thread sleeps on it, or the  by a second one
 *             task that joined it takes it
 *   LOOP      by the submission to a loop          on an offloaded call
 *   EXPIRED   with CANCEL, if a deadline asked     if a cancel came before
 *   FLOWS     by a submission with flows           later
 *   NAMES     by a submission whose request names  later
 *             objects
 *   GIVES     by a submission, if the result will  later
 *             be an object
 */
#define PILLION__CALL_NEW 1u
#define PILLION__CALL_RUNNING 2u
#define PILLION__CALL_DONE 3u
#define PILLION__CALL_PHASE 3u
#define PILLION__CALL_CANCEL 4u
#define PILLION__CALL_ORPHAN 8u
#define PILLION__CALL_WAITED 16u
#define PILLION__CALL_LOOP 32u
#define PILLION__CALL_EXPIRED 64u
#define PILLION__CALL_FLOWS 128u
#define PILLION__CALL_NAMES 256u
#define PILLION__CALL_GIVES 512u
#define PILLION__MODES 3u /* of a submission's flags */

/*
 * The parent of a call, in one word: the slot + 1, and above it 8 bits of its
 * generation. It only opens windows. So a late one that is taken for another
 * does no harm.
 */
#define PILLION__PARENT_SLOT 0xffffffu

static inline uint32_t pillion__parent_word(pillion_task parent) {
  return parent == 0 ? 0
                     : pillion__gen_of(parent) << 24 |
                           ((pillion__slot_of(parent) + 1) &
                            PILLION__PARENT_SLOT);
}

/* A call of a Go function. */
struct pillion__call {
  PILLION__NODE;
  union {
    uint64_t token;
    _Atomic uint64_t taker; /* without an executor: the task that joins */
  };
  uint32_t request_length;
  _Atomic uint32_t parent; /* the call of Go's in whose handler it was made */
  pillion_waker joiner;
  union {
    struct { /* of the result */
      int32_t status;
      uint32_t outcome;
    };
    void *context; /* the token of a loop call, while it is NEW */
  };
  union {
    uint64_t length;  /* of the result, once it is DONE */
    int64_t deadline; /* until then */
  };
  union { /* the request until Go has copied it, then the result */
    uint8_t bytes[PILLION_INLINE];
    void *memory;
  } payload;
  union {
    _Atomic uint32_t wakeup; /* without an executor: a waiting thread's futex */
    _Atomic uint32_t flows;  /* with FLOWS: the slot + 1 of the first */
  };
  _Atomic uint32_t pool; /* where it runs: the index + 1, or 0 */
};
_Static_assert(sizeof(struct pillion__call) == PILLION__NODE_SIZE,
               "the directory counts on it");

/*
 * Reports whether a handle of generation `gen` still means the call with this
 * `state`. The handle ends with the call's executor, although Go may still run
 * the call.
 */
static inline bool pillion__call_known(struct pillion__call *call, uint32_t gen,
                                       uint64_t state) {
  return (uint32_t)(state >> 32) == gen && (state & PILLION__CALL_PHASE) != 0 &&
         !(state & PILLION__CALL_ORPHAN &&
           atomic_load(&call->executor) != NULL);
}

static inline void *pillion__node_at(uint32_t slot) {
  char *cells = atomic_load_explicit(
      &pillion__directory[slot / PILLION__CHUNK].cells, memory_order_acquire);
  return cells + slot % PILLION__CHUNK * PILLION__NODE_SIZE;
}
static inline struct pillion__call *pillion__call_at(uint32_t slot) {
  return pillion__node_at(slot);
}

/*
 * A job for Go's workers, or the cancel of one. A worker takes a job up by
 * changing the phase in call->state, under its generation, from NEW to RUNNING;
 * it leaves the other bits alone. If the phase isn't NEW, the call was
 * cancelled, and the worker lets it be.
 */
struct pillion__job {
  struct pillion__call *call;
  uint32_t gen;
  uint32_t news; /* 0: it is a job */
};

/*
 * News about a call that Go works for, or that Go has made. CANCEL: asked()
 * tells why. FLOW: what waits for one of its flows looks again. ANSWER: the
 * inbound call has its answer.
 */
#define PILLION__NEWS_CANCEL 1u
#define PILLION__NEWS_FLOW 2u
#define PILLION__NEWS_ANSWER 4u

/* Kinds of submissions, by the workers that wait for them. */
#define PILLION__RING_OFFLOAD 1u
#define PILLION__RING_CPU 2u
#define PILLION__RING_URGENT 4u /* it must not wait in the ring */

/* call.c */
void pillion__call_posted(struct pillion__executor *ex,
                          struct pillion__call *call, uint32_t bits);
size_t pillion__call_event(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot,
                           pillion_event *event, size_t room);
void pillion__call_value(struct pillion__call *call, pillion_value *out);
void pillion__call_free(struct pillion__call *call);
int pillion__call_cancel(struct pillion__call *call, uint32_t gen,
                         uint32_t bits);
int pillion__call_ask(struct pillion__call *call, uint32_t gen, uint32_t bits);
void pillion__call_consumed(struct pillion__executor *ex,
                            struct pillion__call *call);
bool pillion__call_take_up(struct pillion__call *call);
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length);

/*
 * flows.c: the flows of a call. A word says what waits for one: a goroutine,
 * which the news wake; the host, which hears of it in a turn; or a task of C's
 * or Go's, by its waker.
 */
#define PILLION__WAITS_GO 1u
#define PILLION__WAITS_HOST 2u
#define PILLION__FLOW_OUT_SIDE 0u /* to the host */
#define PILLION__FLOW_IN_SIDE PILLION__FLOW_IN
#define PILLION__FLOW_WINDOW 32u /* items that may wait for Go, or for a handler */

static inline bool pillion__flow_on(const struct pillion__flow *flow,
                                    uint32_t side) {
  return (atomic_load(&flow->state) & PILLION__FLOW_IN) == side;
}

/*
 * Go's side. A flow is valid until the call's end is published. They never
 * block. send: 0, PILLION_EAGAIN (no room), PILLION_ECLOSED (the host wants no
 * more), PILLION_ENOTSUP (it asked for none), PILLION_EMSGSIZE or
 * PILLION_ENOMEM. receive: PILLION_READY, PILLION_PENDING or PILLION_ECLOSED
 * (no more will come).
 */
struct pillion__flow *pillion__call_flow(struct pillion__call *call,
                                         uint32_t side);
int pillion__flow_send(struct pillion__flow *flow, int32_t function,
                       const void *payload, uint64_t length);
void pillion__flow_bell(struct pillion__flow *flow);
int pillion__flow_receive(struct pillion__flow *flow,
                          struct pillion__item *out);
void pillion__flow_refuse(struct pillion__flow *flow);

/* The core's. `flows` is the slot + 1 of an owner's first flow. */
struct pillion__flow *pillion__flow_add(_Atomic uint32_t *flows,
                                        pillion_task owner,
                                        struct pillion__executor *ex,
                                        uint64_t bits, uint32_t credit);
struct pillion__flow *pillion__flow_of(_Atomic uint32_t *flows, uint32_t side);
void pillion__flows_free(_Atomic uint32_t *flows);
int pillion__item_make(struct pillion__item *item, int32_t function,
                       const void *payload, uint64_t length);
void pillion__flow_wake(struct pillion__flow *flow, pillion_task owner,
                        uint64_t who);
void pillion__flow_ends(struct pillion__flow *flow, pillion_task owner,
                        uint32_t bit);
bool pillion__call_flows_make(struct pillion__call *call,
                              const pillion_call_options *o);
void pillion__call_flows_done(struct pillion__call *call);
void pillion__call_flows_refuse(struct pillion__call *call);
void pillion__call_flows_orphan(struct pillion__call *call);

/* items.c */
size_t pillion__flow_tell(struct pillion__executor *ex,
                          struct pillion__flow *flow, uint64_t token,
                          pillion_event *events, size_t room);
void pillion__flow_tell_writable(const struct pillion__flow *flow,
                                 uint64_t token, pillion_event *event);
void pillion__call_flows_ended(struct pillion__executor *ex,
                               struct pillion__call *call);
int pillion__call_next(pillion_value *out, pillion_context *cx,
                       struct pillion__head *head, pillion_task task);
extern const struct pillion__kind pillion__flow_kind;

/* verbs.c */
void pillion__call_flows_cancel(struct pillion__call *call, uint32_t gen,
                                bool first);

/* sweep.c */
void pillion__calls_cancel(struct pillion__owner *owner, uint32_t bits);
void pillion__calls_drop_all(struct pillion__executor *ex);
uint64_t pillion__calls_alive(void);

/* submit.c */
void pillion__unlive(struct pillion__executor *ex);

/* wait.c */
extern _Atomic uint64_t pillion__providers_alive;
int pillion__call_join(pillion_value *out, pillion_context *cx,
                       struct pillion__call *call, pillion_task task);

/* node.c */
struct pillion__nodes {   /* of one kind */
  _Atomic uint64_t free;  /* tag << 32 | slot + 1 */
  _Atomic uint64_t limbo; /* free, but still in some inbox */
  _Atomic uint32_t chunks;
  uint32_t type;
};
extern struct pillion__nodes pillion__calls, pillion__flows;
struct pillion__node *pillion__node_get(struct pillion__nodes *nodes,
                                        struct pillion__executor *executor);
void pillion__node_put(struct pillion__nodes *nodes,
                       struct pillion__node *node);
void pillion__node_ask(struct pillion__node *node, uint32_t gen, uint32_t bits);
bool pillion__payload_set(struct pillion__call *call, const void *bytes,
                          uint64_t length);
void pillion__payload_clear(struct pillion__call *call, uint64_t length);
extern _Atomic uint64_t pillion__calls_running;

/* ring.c */
int pillion__ring_open(uint32_t capacity, struct pillion__why why);
bool pillion__ring_push(uint32_t slot, uint32_t gen, uint32_t *kinds);
void pillion__ring_close(void);
void pillion__ring_undo(bool first);
void pillion__ring_news(struct pillion__node *node);
void pillion__ring_hold(void);
void pillion__ring_release(void);
void pillion__ring_hurry(void);
void pillion__ring_poke(void);

int pillion__ring_fd(void);
int pillion__ring_fd_take(void);
int pillion__ring_take(struct pillion__job *jobs, int cap);
int pillion__ring_sleep(void);
_Atomic uint32_t *pillion__ring_asleep(void);
_Atomic uint32_t *pillion__ring_attended(void);
_Atomic uint32_t *pillion__ring_head(void);
_Atomic uint32_t *pillion__ring_tail(void);
void pillion__ring_publish(uint32_t kinds);

/* function.c */
bool pillion__function_any(void);
struct pillion__function {
  pillion_function handle;
  char *name, *module, *descriptor;
  uint32_t kind, flows, class; /* of the object whose method it is, or 0 */
};
const struct pillion__function *pillion__function_of(pillion_function handle);
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind,
                          uint32_t flows, uint32_t class);

/* object.c */
int pillion__call_names_set(struct pillion__call *call,
                            const pillion_call_options *o, uint32_t class);
void pillion__call_names_clear(struct pillion__call *call);

/* Go's: the key of the receiver of a call that runs, or of the object `at` - 1
 * of its `handles`; 0 if there is none. */
uintptr_t pillion__call_object(struct pillion__call *call, uint32_t at);

/* Drops a request. `state` reports whether the request names objects. */
static inline void pillion__request_clear(struct pillion__call *call,
                                          uint64_t state) {
  if (PILLION__UNLIKELY(state & PILLION__CALL_NAMES))
    pillion__call_names_clear(call);
  else pillion__payload_clear(call, call->request_length);
  call->request_length = 0;
}

/* The object in the result of a call that has ended, or 0. */
static inline uint64_t pillion__call_given(struct pillion__call *call,
                                           uint64_t state) {
  uint64_t object = 0;
  if (PILLION__UNLIKELY(state & PILLION__CALL_GIVES) &&
      call->status == 0 && call->length == sizeof object)
    memcpy(&object, call->payload.bytes, sizeof object);
  return object;
}

/* kind.c */
extern const struct pillion__kind pillion__call_kind;

#pragma GCC visibility pop

#endif
