/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_INBOUND_H
#define PILLION_INCLUDE_INBOUND_H

/*
 * Inbound calls: Go calls the host. No function pointer crosses. A call is an
 * event with the flag PILLION_EVENT_CALLED, which the host answers when it
 * likes, from any thread.
 *
 *   OFFERED --taken in a turn--> TOLD --pillion_call_answer--> gone
 *      |                          |
 *      | Go cancels: no event     | Go cancels: an event with
 *      v                          | PILLION_EVENT_CANCEL; answer all the same
 *     gone                        | executor freed: gone, Go's caller gets an
 *                                 v error
 *
 * EVENTS. With CALLED, `outcome` is the index of the function, the payload is
 * the request, and `task` is the call to answer. If `task` is 0 no caller waits
 * for an answer. `token` is of the call that lent the function, or of the
 * provider; pillion_call_accept may give the inbound call a token of its own
 * for what comes later. With LINKED, `link` is the token of the call on whose
 * behalf a provider is called.
 *
 * FLOWS (flow.h). CALLED comes with PILLION_EVENT_FLOWS if a call has some,
 * pillion_call_info tells which, and the verbs for items are the same. Go's
 * items come with ITEM, once pillion_call_accept or pillion_call_credit lets
 * them, and then FINISHED, unless Go gave up: then CANCEL comes only. A
 * handler that gives items to Go sends them by pillion_call_send, and then
 * answers; pillion_call_finish may come before. Go reads all items before it
 * looks at the answer. Once Go reads no more CANCEL comes, and a handler that
 * waits for room gets its WRITABLE. Each buffer holds 32 items. The answer
 * ends both flows. What another thread sends at the same time may then be
 * thrown away.
 *
 * LENT FUNCTIONS belong to the call whose request lends them, by index
 * (pillion_call_options.callbacks), and end with it: a call's end comes after
 * the last answer. A one-way call (`task` is 0) is an item of the call's flow,
 * in order with the others, under the same credit; two-way ones have no order.
 * At most 64 two-way calls of what one call lends are unanswered at once; see
 * `window` below.
 *
 * PROVIDERS are named functions of the host's that live longer than a call. A
 * provider does not keep a loop alive; a call that waits for its answer does.
 */

#include "flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_call_answer gives an inbound call its result, once. A failure is a
 * status of PILLION_EFAILED and a payload made by pillion_failure_write;
 * PILLION_ECANCELLED says that the handler was cancelled. `result` may be NULL
 * for an empty success. It is never refused for want of room.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: after 0 the result is the library's, as for pillion_call_send.
 *   After an error it is still the caller's.
 * Returns: 0, PILLION_EBADHANDLE (it was answered, or its executor was freed),
 *   PILLION_EMSGSIZE, PILLION_ENOMEM (answer again, with less) or
 *   PILLION_EINVAL (no inbound call, or a status that is positive, or below
 *   -255).
 * Since: 0.1
 */
int pillion_call_answer(pillion_task call, const pillion_value *result);

/*
 * pillion_call_accept gives an inbound call a token of its own, and lets
 * `credit` items of its caller's come, if it has a flow to the host: 32 are the
 * most that may be granted ahead.
 *
 * Threads: any; a later event may carry the old token if it is on its way.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL (no inbound call).
 * Since: 0.1
 */
int pillion_call_accept(pillion_task call, uint64_t token, uint32_t credit);

/*
 * pillion_call_information tells about an inbound call that is not answered.
 */
typedef struct pillion_call_information {
  size_t size;
  uint64_t token;    /* of the provider, or of the call that lent it */
  pillion_task call; /* that lent it; 0: a provider's */
  uint32_t function; /* its index */
  uint32_t flows;    /* PILLION_FLOW_OUT: items come; _IN: items may be sent */
  int64_t deadline;  /* PILLION_TIME_NEVER: none */
} pillion_call_information;

#define PILLION_CALL_INFORMATION_INIT \
  {sizeof(pillion_call_information), 0, 0, 0, 0, 0}

/*
 * pillion_call_info fills *out, as far as out->size goes.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_call_info(pillion_call_information *out, pillion_task call);

#define PILLION_DEED_ANSWER 1u /* number: the status */
#define PILLION_DEED_SEND 2u
#define PILLION_DEED_FINISH 3u
#define PILLION_DEED_CREDIT 4u /* number: items */
#define PILLION_DEED_CANCEL 5u

/*
 * pillion_deed is one thing said about a call. It has 32 bytes, and its layout
 * is frozen. `payload` is an address, or an offset if there is a base; the
 * bytes are copied.
 */
typedef struct pillion_deed {
  pillion_task task;
  uint32_t what; /* PILLION_DEED_… */
  int32_t number;
  uint64_t payload;
  uint64_t length;
} pillion_deed;

/*
 * pillion_call_deeds does `count` deeds in order. It stops at the first that
 * fails.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: deeds and payloads are copied before the call returns.
 * Returns: how many were done; if the first failed its error, as from
 *   pillion_call_answer, _send, _finish, _credit, or pillion_task_cancel.
 * Since: 0.1
 */
int pillion_call_deeds(const pillion_deed *deeds, size_t count,
                       const void *base);

typedef uint64_t pillion_provider;

/*
 * pillion_provider_options describe functions of the host's.
 *
 * name: "module.Interface", by which Go asks for it. If several executors have
 *   providers of one name, Go calls the one on the executor of the call that it
 *   works for, and else the eldest.
 * window: how many of its calls may wait for an answer. Go's further callers
 *   wait, but not those on whose behalf one of its handlers called Go
 *   (pillion_call_options.parent).
 */
typedef struct pillion_provider_options {
  size_t size;
  const char *name;       /* copied */
  const char *descriptor; /* JSON, copied; NULL: Go checks nothing */
  uint64_t token;
  uint32_t functions; /* with the indices 0 to functions - 1 */
  uint32_t window;    /* 0: 1024 */
} pillion_provider_options;

#define PILLION_PROVIDER_OPTIONS_INIT \
  {sizeof(pillion_provider_options), NULL, NULL, 0, 0, 0}

/*
 * pillion_provider_new lets Go call functions of the host's, on `executor`.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere; not inside a turn if the library has not started.
 * Ownership: *out ends with pillion_provider_free, or with its executor.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_ECLOSED, PILLION_EINVAL (no name of
 *   two parts, no functions or more than 65,536), PILLION_EBUSY (the executor
 *   has one of this name), PILLION_EAGAIN (1,024 providers are alive),
 *   PILLION_ENOMEM, or as pillion_start. A reason goes to `errbuf`, which may
 *   be NULL.
 * Since: 0.1
 */
int pillion_provider_new(pillion_provider *out, pillion_executor executor,
                         const pillion_provider_options *options, char *errbuf,
                         size_t errcap);

/*
 * pillion_provider_free ends a provider: no new calls come, and those that were
 * offered and not told fail in Go. Those that the host knows stay its to
 * answer.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the handle is stale afterwards.
 * Returns: 0, or PILLION_EBADHANDLE.
 * Since: 0.1
 */
int pillion_provider_free(pillion_provider provider);

#ifdef __cplusplus
}
#endif

#endif
