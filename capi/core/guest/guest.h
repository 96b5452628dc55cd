/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_GUEST_H
#define PILLION_GUEST_H

/*
 * Go's executors on ours: what a turn hands to Go, and the functions that Go
 * calls. The functions of Go's that the core calls are in base/guest.h.
 */
#include <signal.h>

#include "call/call.h"

#pragma GCC visibility push(hidden)

/* What a turn hands to Go, and gets back. */
struct pillion__errand {
  struct pillion__call *call; /* NULL: a wake of Go's cell `slot` */
  uint32_t slot;
  uint32_t bits;
  uintptr_t context; /* with START: the task's token, or 0; Go's to release */
};

#define PILLION__ERRANDS 128

struct pillion__guest_turn {
  uint32_t index; /* of the executor */
  uint32_t pool;  /* that it works for, if Go does too: the index + 1, or 0 */
  uint32_t count;
  struct pillion__errand errands[PILLION__ERRANDS];
  uint32_t max_polls;
  int64_t max_ns;
  uint32_t polled, more; /* out, from here */
  int64_t deadline;
  uint32_t coroutines; /* alive on this thread, idle ones too */
};

/* The functions that Go calls. */
void pillion__guest_wake(uint32_t index);
int pillion__guest_hooked(uint32_t index);
uintptr_t pillion__guest_capture(uint32_t index);
void pillion__guest_enter(uint32_t index, uintptr_t context);
void pillion__guest_leave(uint32_t index, uintptr_t context);
void pillion__guest_release(uint32_t index, uintptr_t context);
int pillion__guest_lease(uint32_t *base, void **cells, uint32_t type,
                         uint32_t index);
int pillion__guest_pool_open(uint32_t pool);
_Atomic uint32_t *pillion__guest_pool_inbox(uint32_t pool);
uint64_t pillion__guest_pool_seed(uint32_t pool);
int64_t pillion__guest_now(uint32_t index);
uint64_t pillion__guest_seed(uint32_t index);
int pillion__guest_watch(uint32_t index, int fd, uint32_t events, uint64_t key);
void pillion__guest_unwatch(uint32_t index, int fd, uint64_t key);

/* turn.c */
extern const struct pillion__side pillion__side_of_guest;

/* guest.c, pool.c */
extern const struct pillion__kind pillion__guest_kind;
extern const struct pillion__kind pillion__guest_pool_kind;

/* visit.c: around each entry into Go on a host's thread */
void pillion__visit_begin(sigset_t *mask);
void pillion__visit_end(const sigset_t *mask);

#pragma GCC visibility pop

#endif
