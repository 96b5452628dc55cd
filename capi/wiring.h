/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_WIRING_H
#define PILLION_WIRING_H

#include "guest/guest.h"

#pragma GCC visibility push(hidden)

/* The jobs that the dispatcher takes at a time. They lie here for leak
 * checkers, which do not find pointers in Go's memory. */
extern struct pillion__job pillion__jobs[512];

void pillion__warn(const char *text);
int pillion__refuse(int rc, const char *text, char *errbuf, size_t errcap);

/* cgo has no name for a member of an unnamed union. */
enum { PILLION__DEADLINE_AT = offsetof(struct pillion__call, deadline) };

/*
 * pillion__call_complete without cgo's look at every pointer that it passes,
 * which costs as much as the call. The call is C's memory, and this copies the
 * result before it returns.
 */
static inline void pillion__complete(uintptr_t call, int32_t status,
                                     uint32_t outcome, uintptr_t result,
                                     uint64_t length) {
  pillion__call_complete((struct pillion__call *)call, status, outcome,
                         (const void *)result, length);
}

#pragma GCC visibility pop

#endif
