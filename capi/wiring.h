/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_WIRING_H
#define PILLION_WIRING_H

#include "guest/guest.h"
#include "inbound/inbound.h"

#pragma GCC visibility push(hidden)

/* The jobs that the dispatcher takes at a time. They lie here for leak
 * checkers, which do not find pointers in Go's memory. */
extern struct pillion__job pillion__jobs[512];

void pillion__warn(const char *text);
int pillion__refuse(int rc, const char *text, char *errbuf, size_t errcap);

/* cgo has no name for a member of an unnamed union. */
enum { PILLION__DEADLINE_AT = offsetof(struct pillion__call, deadline) };

/*
 * Functions without cgo's look at every pointer that it passes, which costs as
 * much as the call. Calls and flows are C's memory, and payloads are copied
 * before they return.
 */
static inline void pillion__complete(uintptr_t call, int32_t status,
                                     uint32_t outcome, uintptr_t result,
                                     uint64_t length) {
  pillion__call_complete((struct pillion__call *)call, status, outcome,
                         (const void *)result, length);
}

static inline int pillion__send(uintptr_t flow, int32_t function,
                                uintptr_t payload, uint64_t length) {
  return pillion__flow_send((struct pillion__flow *)flow, function,
                            (const void *)payload, length);
}

static inline void pillion__bell(uintptr_t flow) {
  pillion__flow_bell((struct pillion__flow *)flow);
}

static inline uint64_t pillion__call_handle(struct pillion__call *call) {
  return pillion__handle(PILLION__TASK, call->slot, pillion__gen(&call->head));
}

/* The executor that it was submitted on, or 0. It may be freed by now. */
static inline uint64_t pillion__call_executor(struct pillion__call *call) {
  struct pillion__executor *ex = atomic_load(&call->executor);
  return ex == NULL ? 0
                    : pillion__handle(PILLION__EXECUTOR, ex->base.index,
                                      atomic_load(&ex->base.gen));
}

static inline int pillion__offer(struct pillion__inbound **out,
                                 struct pillion__call *lender,
                                 uint64_t provider, uint64_t on_behalf,
                                 uint32_t function, uint32_t flows,
                                 int64_t deadline, uintptr_t payload,
                                 uint64_t length) {
  struct pillion__inbound_request request = {
      lender, provider,              on_behalf, function, flows, deadline,
      (const void *)payload, length, 0};
  return pillion__inbound_offer(out, &request);
}

/* Reports whether pillion_wake reaches the task. */
static inline int pillion__wakes(uint64_t waker) {
  uint32_t type;
  return pillion__head_of(waker, &type) != NULL &&
         type != PILLION__CHUNK_ALIEN;
}

#pragma GCC visibility pop

#endif
