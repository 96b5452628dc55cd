/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_WIRING_H
#define PILLION_WIRING_H

#include "guest/guest.h"

#pragma GCC visibility push(hidden)

/* What the dispatcher takes at a time. It lies here for leak checkers, which do
 * not look into Go's memory for who points to what. */
extern struct pillion__job pillion__jobs[512];

void pillion__warn(const char *text);
int pillion__refuse(int rc, const char *text, char *errbuf, size_t errcap);

/* cgo has no name for a member of an unnamed union. */
enum { PILLION__DEADLINE_AT = offsetof(struct pillion__call, deadline) };

/*
 * pillion__call_complete, without the look that cgo takes at every pointer it
 * passes, which costs as much as the call. The call is C's memory; the result
 * is copied before this returns.
 */
static inline void pillion__complete(uintptr_t call, int32_t status,
                                     uint32_t outcome, uintptr_t result,
                                     uint64_t length) {
  pillion__call_complete((struct pillion__call *)call, status, outcome,
                         (const void *)result, length);
}

#pragma GCC visibility pop

#endif
