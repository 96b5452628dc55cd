/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_INBOUND_H
#define PILLION_CORE_INBOUND_H

/*
 * Inbound calls: Go calls functions of the host's. Read it in this order:
 *
 *   inbound.c   a call, from its offer to its answer
 *   window.c    the calls that wait until another is answered
 *   provider.c  named functions
 *   verbs.c     the functions by handle; deeds.c  many of them at once
 *   kind.c      by its executor, and all at once
 */
#include "call/call.h"

#pragma GCC visibility push(hidden)

/*
 * The state of an inbound call, in the low half of `state`, under its
 * generation. inbound.c has the phases as a diagram; 0 is a free node. From
 * STATUS_SHIFT on stands the status, negated, once it is ANSWERED. Beside it:
 *
 *             set                                  cannot be set
 *   CANCEL    when Go asks the host to stop        unless it is TOLD
 *   STARTED   when the host is told                before it; it stays
 *   HELD      by the offer, until Go releases it   on a free node
 *   LISTED    while it is in its executor's list   on a free node
 *   ENDING    with the answer, until its waiter    before it
 *             is woken
 *
 * The last to clear one of HELD, LISTED and ENDING frees the node.
 */
#define PILLION__INBOUND_QUEUED 1u
#define PILLION__INBOUND_OFFERED 2u
#define PILLION__INBOUND_BUSY 3u
#define PILLION__INBOUND_TOLD 4u
#define PILLION__INBOUND_ANSWERED 5u
#define PILLION__INBOUND_PHASE 7u
#define PILLION__INBOUND_CANCEL 8u
#define PILLION__INBOUND_STARTED 16u
#define PILLION__INBOUND_HELD 32u
#define PILLION__INBOUND_LISTED 64u
#define PILLION__INBOUND_ENDING 128u
#define PILLION__INBOUND_HOLDS \
  (PILLION__INBOUND_HELD | PILLION__INBOUND_LISTED | PILLION__INBOUND_ENDING)
#define PILLION__INBOUND_STATUS_SHIFT 16

/* Only the thread that holds BUSY, or has the node to itself, touches the
 * members that are not atomic. */
struct pillion__inbound {
  PILLION__NODE;
  uint64_t token;
  _Atomic uint64_t parent; /* the call that Go works for, a handle, or 0 */
  _Atomic uint64_t who;    /* waits for the answer, or 0 */
  int64_t deadline;
  union { /* as a pillion_value's: the request, then the answer */
    uint8_t bytes[PILLION_INLINE];
    struct {
      const void *data;
      pillion_release_fn release;
      void *owner; /* of a request: its block */
    } ref;
  } payload;
  uint32_t length;
  _Atomic uint32_t provider; /* its index + 1; 0: `parent` lends the function */
  _Atomic uint32_t flows;    /* the slot + 1 of the first, or 0 */
};
_Static_assert(sizeof(struct pillion__inbound) == PILLION__NODE_SIZE,
               "the directory counts on it");

/* What Go asks for. */
struct pillion__inbound_request {
  struct pillion__call *lender; /* whose request lends the function; it runs.
                                   NULL: a provider's */
  uint64_t provider;            /* its handle, if there is no lender */
  uint64_t on_behalf;           /* the call that Go works for, or 0 */
  uint32_t function;            /* its index */
  uint32_t flows;               /* PILLION_FLOW_OUT: Go sends items; _IN: the
                                   handler does */
  int64_t deadline;             /* the host's to look at; the clock is Go's */
  const void *payload;          /* copied */
  uint64_t length;
  uint64_t who; /* waits for the answer: PILLION__WAITS_GO or a waker; 0: tell
                   later, by pillion__inbound_wait */
};

/* inbound.c */
extern struct pillion__nodes pillion__inbounds;
extern _Atomic uint64_t pillion__inbound_alive;
#define PILLION__INBOUND_IN(phase) (1u << PILLION__INBOUND_##phase)
#define PILLION__INBOUND_UNTOLD \
  (PILLION__INBOUND_IN(QUEUED) | PILLION__INBOUND_IN(OFFERED))
#define PILLION__INBOUND_OPEN \
  (PILLION__INBOUND_UNTOLD | PILLION__INBOUND_IN(TOLD))
bool pillion__inbound_move(struct pillion__inbound *in, uint32_t gen,
                           uint32_t phases, uint64_t to);
void pillion__inbound_let_go(struct pillion__inbound *in, uint64_t bit);
void pillion__inbound_answer(struct pillion__inbound *in, int status,
                             bool queued);
bool pillion__inbound_end(struct pillion__inbound *in, uint32_t gen,
                          uint32_t phases, int status);
void pillion__inbound_stop(struct pillion__inbound *in, uint32_t gen);

/* window.c */
bool pillion__window_enter(struct pillion__inbound *in, uint64_t on_behalf);
struct pillion__inbound *pillion__window_leave(struct pillion__inbound *in,
                                               uint32_t *gen);
void pillion__window_queue(struct pillion__inbound *in, uint64_t state);
bool pillion__window_unqueue(struct pillion__inbound *in, uint32_t gen);

#define PILLION__FUNCTIONS 65536u /* an event names their index */

/* provider.c: a provider by its `link`, the index + 1 */
int pillion__provider_use(uint32_t *link, struct pillion__executor **ex,
                          uint64_t *token,
                          const struct pillion__inbound_request *request);
void pillion__provider_unuse(uint32_t link);
bool pillion__provider_alive(uint32_t link);
struct pillion__window *pillion__provider_window(uint32_t link, uint32_t *most);
void pillion__providers_end(struct pillion__executor *ex);

/* kind.c */
extern const struct pillion__kind pillion__inbound_kind;
void pillion__inbounds_end(struct pillion__executor *ex, uint32_t link,
                           uint32_t phases, int status);

/* ---- Go's side: any thread, and it never blocks -------------------------- */

/*
 * Calls a function of the host's: 0, and Go holds *out until it releases it. If
 * the window of the provider, or of what the lender lends, is full, the call
 * waits in a queue: Go notices nothing, and may cancel it. PILLION_ECLOSED: the executor closes or is freed,
 * or the library stops. PILLION_ENOTFOUND: there is no such provider any more,
 * or its executor closes. PILLION_ENOTSUP: nothing of that index is lent or
 * provided. PILLION_EAGAIN: there are too many inbound calls.
 * PILLION_EMSGSIZE, PILLION_ENOMEM.
 */
int pillion__inbound_offer(struct pillion__inbound **out,
                           const struct pillion__inbound_request *request);

/*
 * The waiter is woken at least once when the answer is there, or perhaps
 * earlier: it takes, and if that is PILLION_PENDING waits again. A goroutine
 * hears by a job with PILLION__NEWS_ANSWER, whose `call` is the inbound call;
 * `gen` is that of the handle of pillion__inbound_handle.
 */
uint64_t pillion__inbound_handle(const struct pillion__inbound *in);
/* 1: `who` will be woken; 0: the answer is there. */
int pillion__inbound_wait(struct pillion__inbound *in, uint64_t who);

/*
 * The answer, once: PILLION_READY, and *out is the caller's to drop, or
 * PILLION_PENDING. *outcome is RETURNED, CANCELLED_UNSTARTED (the host never
 * heard of the call) or CANCELLED_RUNNING (it answered that it was cancelled).
 * Without an answer the status is PILLION_ECLOSED (the executor was freed, or
 * the library stops), PILLION_ENOTFOUND (the provider ended before the host was
 * told) or, after a cancel, PILLION_ECANCELLED.
 */
int pillion__inbound_take(struct pillion__inbound *in, pillion_value *out,
                          uint32_t *outcome);

/*
 * A call that the host has not been told of ends at once; else the host gets a
 * CANCEL event. In both cases Go takes the answer all the same.
 */
void pillion__inbound_cancel(struct pillion__inbound *in);

/* Once, after the answer was taken. */
void pillion__inbound_release(struct pillion__inbound *in);

/*
 * Valid until the release, or NULL. Go sends on the side OUT, and says that it
 * has finished by pillion__inbound_finish. The answer ends both flows; what the
 * handler has sent before is there to be read.
 */
struct pillion__flow *pillion__inbound_flow(struct pillion__inbound *in,
                                            uint32_t side);

void pillion__inbound_finish(struct pillion__inbound *in);

/* 0 or PILLION_ENOTFOUND. `preferred` is an executor, or 0. */
int pillion__provider_find(uint64_t *out, const char *name,
                           pillion_executor preferred);
/* Copies the descriptor, with its NUL: its length, or an error. */
int pillion__provider_descriptor(char *out, size_t cap, uint64_t provider);

#pragma GCC visibility pop

#endif
