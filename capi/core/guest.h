/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_GUEST_H
#define PILLION_GUEST_H

/* Go's side: what the core calls there, and what Go calls here. */
#include "cell.h"

/* What a turn hands to Go, and what it gets back. */
struct pillion__post {
  struct pillion__call *call; /* NULL: a wake of Go's cell `slot` */
  uint32_t slot;
  uint32_t bits;
  uintptr_t context; /* with START: the task's token, or 0; Go's to release */
};

#define PILLION__POSTS 128
#define PILLION__POOLS 1024u

struct pillion__guest_turn {
  uint32_t index; /* of the executor */
  uint32_t pool;  /* that it works for, if Go does too: the index + 1, or 0 */
  uint32_t count;
  struct pillion__post posts[PILLION__POSTS];
  uint32_t max_polls;
  int64_t max_ns;
  uint32_t polled, more; /* out, from here */
  int64_t deadline;
  uint32_t coroutines; /* alive on this thread, idle ones too */
};

/* All of them enter Go. Set once, by capi, before anything runs. */
struct pillion__guest {
  int (*functions)(char *errbuf, size_t errcap); /* register them */
  /* Start the dispatcher, if there are functions. */
  int (*start)(char *errbuf, size_t errcap);
  int (*stop)(void);  /* end workers and dispatcher */
  void (*turn)(struct pillion__guest_turn *turn);
  uint32_t (*settle)(uint32_t index); /* end idle coroutines; how many stay? */
  void (*free)(uint32_t index); /* drop all Go tasks, on their thread */
  void (*count)(pillion_library_counts *out); /* what is Go's */
  void (*rewatch)(uint32_t index); /* a new host knows of no descriptor */
  void (*leave)(uint32_t index); /* the executor's pool, on its thread */
  void (*pool_free)(uint32_t pool); /* drop all of the pool's Go tasks */
};
extern PILLION__HIDDEN struct pillion__guest pillion__guest;

/*
 * A job for Go's workers, or the cancel of one. A worker takes it up by
 * changing the phase in call->state, under its generation, from NEW to
 * RUNNING, and leaves the other bits alone; if it isn't NEW, the call was
 * cancelled and is none of its business.
 */
struct pillion__job {
  struct pillion__call *call;
  uint32_t gen;
  uint32_t cancel;
};

/* Kinds of submissions, as far as it matters to who waits for them. */
#define PILLION__RING_OFFLOAD 1u
#define PILLION__RING_CPU 2u
#define PILLION__RING_URGENT 4u /* it must not wait in the ring */

/* What Go calls. */
int pillion__ring_fd(void);
int pillion__ring_fd_take(void);
int pillion__ring_take(struct pillion__job *jobs, int cap);
int pillion__ring_sleep(void);
_Atomic uint32_t *pillion__ring_asleep(void);
_Atomic uint32_t *pillion__ring_attended(void);
_Atomic uint32_t *pillion__ring_head(void);
_Atomic uint32_t *pillion__ring_tail(void);
void pillion__ring_publish(uint32_t kinds);
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length);
void pillion__guest_wake(uint32_t index);
int pillion__guest_hooked(uint32_t index);
uintptr_t pillion__guest_capture(uint32_t index);
void pillion__guest_enter(uint32_t index, uintptr_t context);
void pillion__guest_leave(uint32_t index, uintptr_t context);
void pillion__guest_release(uint32_t index, uintptr_t context);
#define PILLION__NOBODY UINT32_MAX
int pillion__guest_lease(uint32_t *base, void **cells, uint32_t index);
void pillion__guest_return(uint32_t base);
int pillion__guest_pool_open(uint32_t pool);
int pillion__guest_pool_lease(uint32_t *base, void **cells, uint32_t pool);
_Atomic uint32_t *pillion__guest_pool_inbox(uint32_t pool);
uint64_t pillion__guest_pool_seed(uint32_t pool);
int64_t pillion__guest_now(uint32_t index);
uint64_t pillion__guest_seed(uint32_t index);
int pillion__guest_watch(uint32_t index, int fd, uint32_t events,
                         uint64_t key);
void pillion__guest_unwatch(uint32_t index, int fd, uint64_t key);
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind);

#endif
