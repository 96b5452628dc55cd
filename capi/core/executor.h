/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_EXECUTOR_H
#define PILLION_EXECUTOR_H

/* What an executor is made of, and whose it is. */
#include "cell.h"
#include "wheel.h"

/* The bits of `park`; the diagram is in park.c. */
#define PILLION__IDLE 0u    /* none of the next three */
#define PILLION__POKED 1u   /* set by a poker, until the owner goes idle */
#define PILLION__RUNNING 2u /* set by the owner, until it goes idle */
#define PILLION__ARMED 4u   /* so is its timer, until the owner goes idle */
#define PILLION__POKER 8u   /* the count of pokers, which stands above */
#define PILLION__AWAKE (PILLION__POKED | PILLION__RUNNING)

/* What the owner knows of the descriptor. */
#define PILLION__NOT_SIGNALED 0u
#define PILLION__SIGNALED 1u         /* it is readable */
#define PILLION__PERHAPS_SIGNALED 2u /* a poker may have written, or will */

#define PILLION__EXECUTORS 4096

struct pillion__list { /* of slots, through head.next */
  uint32_t first, last; /* slot + 1 */
};

struct pillion__executor {
  /* What other threads touch. Never unmapped, so a late touch is harmless. */
  _Atomic uint32_t inbox; /* slot + 1 */
  _Atomic uint32_t park;
  _Atomic uint64_t ended; /* ends that wait: their count << 32 | slot + 1 */
  _Atomic uint64_t gen;   /* of the handle; even: not in use */
  _Atomic uint64_t owner; /* a thread's serial, 0: none */
  _Atomic int fd;         /* the eventfd */
  _Atomic int watched_fd; /* what the host watches: that, or a set with it */
  _Atomic int timer;      /* the timerfd of who gathers, or -1 */
  _Atomic uint64_t closing; /* gen << 2, below it 0 or 1 + mode */
  _Atomic uint64_t calls_live; /* submitted, and not consumed */
  _Atomic uint64_t calls, pokes, poke_errors;
  _Atomic uint64_t tasks_live;      /* written by the owner only */
  _Atomic uint64_t watches_live;    /* written by the owner only */
  _Atomic uint32_t in_turn;         /* written by the owner only */
  _Atomic uint32_t guest_wake;      /* Go's own inbox has something */
  _Atomic uint32_t coroutines;      /* of Go's; bound to the owner's thread */
  _Atomic uint32_t visitors; /* exit hooks and pools that look at it */
  _Atomic uint64_t pool_events; /* tasks of pools whose end is told here */
  _Atomic uint32_t max_calls;
  _Atomic uint32_t gather; /* ns */
  _Atomic(pillion_host *) host;

  /* What the owner touches. */
  _Alignas(64) uint32_t *ready; /* a ring of slots, its size a power of two */
  uint32_t ready_mask, ready_head, ready_tail; /* the latter two only grow */
  struct pillion__cell *polled; /* whose poll is on the stack, or NULL */
  uint32_t ready_stale; /* cells in the ring whose tasks are gone */
  uint32_t signaled;    /* what is known of the descriptor */
  uint32_t armed;       /* its timer is, perhaps */
  uint32_t free_first; /* recycled cells: slot + 1 */
  uint32_t fresh, fresh_end;
  uint32_t chunk_count, chunks_begun, chunk_cap;
  uint32_t *chunks; /* bases of the leased ones */
  uint32_t max_tasks;
  uint32_t max_polls; /* of a turn whose budget does not say */
  int64_t max_ns;
  uint64_t seed; /* the present state of what orders the polls; 0: nothing */
  int64_t (*clock)(void *data); /* or NULL */
  void *clock_data;
  uint32_t closed_with, live_told, guest_more, guest_known;
  struct pillion__list done; /* ended, waiting to be taken */
  struct pillion__list taken; /* those whose payloads the host still reads */
  struct pillion__list guest; /* posts for Go */
  struct pillion__list unwatched; /* watches that others have closed */
  uint32_t *watched; /* by descriptor: the slot + 1 of its watch */
  uint32_t watched_cap, max_watches;
  int64_t guest_deadline, told_deadline;
  struct pillion__worker *worker; /* its place in a pool, or NULL */
  uint32_t pooled; /* it works for that pool, and isn't known to be idle */
  pillion_context context;
  uint64_t turns, polls, wakes, spawned, dropped, events, go_entries;
  uint32_t index;
  struct pillion__timers timers;
  pillion_context_hooks hooks; /* set before the handle is out */
  struct pillion__block *posts_lent; /* payloads that the host still reads */
  uint32_t posts_lending;            /* there are some */

  /* Posted events; see post.c. The posters' line, and then the owner's. */
  _Alignas(64) _Atomic uint64_t posts_tail; /* gen << 32 | position */
  _Atomic(struct pillion__posted *) posts;  /* the ring, or NULL */
  _Atomic uint32_t posts_mask, posts_making;
  _Alignas(64) _Atomic uint32_t posts_head;
};

PILLION__HIDDEN struct pillion__executor *pillion__executor_at(uint32_t index);
PILLION__HIDDEN void pillion__executor_each(
    void (*fn)(struct pillion__executor *ex, void *data), void *data);

/* guard.c: fork, thread serials, signal masks */
#if defined(__x86_64__)
#define PILLION__PAGE 4096
#else
#define PILLION__PAGE 65536 /* the largest that there is */
#endif
PILLION__HIDDEN extern union pillion__page {
  _Alignas(PILLION__PAGE) uint32_t word;
  char whole[PILLION__PAGE];
} pillion__alive;
PILLION__HIDDEN extern _Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
/* The executor whose turn is on this thread's stack, or NULL. */
PILLION__HIDDEN extern _Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN extern _Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN uint64_t pillion__serial_new(void);

static inline bool pillion__forked(void) {
  return PILLION__UNLIKELY(pillion__alive.word == 0);
}
static inline uint64_t pillion__me(void) {
  return PILLION__LIKELY(pillion__serial != 0) ? pillion__serial
                                               : pillion__serial_new();
}

/* ---- Whose executor is it? ----------------------------------------------- */

extern PILLION__HIDDEN _Atomic(struct pillion__executor *)
    pillion__executors[PILLION__EXECUTORS];
PILLION__HIDDEN int pillion__executor_claim(struct pillion__executor *ex);
PILLION__HIDDEN int
pillion__executor_own_outside(struct pillion__executor **ex,
                              pillion_executor executor);

static inline int pillion__executor_get(struct pillion__executor **out,
                                        pillion_executor handle) {
  if (pillion__forked()) return PILLION_EFORKED;
  uint32_t index = pillion__slot_of(handle);
  if (PILLION__UNLIKELY(pillion__kind_of(handle) != PILLION__EXECUTOR ||
                        index >= PILLION__EXECUTORS))
    return PILLION_EBADHANDLE;
  struct pillion__executor *ex =
      atomic_load_explicit(&pillion__executors[index], memory_order_acquire);
  if (PILLION__UNLIKELY(ex == NULL ||
                        atomic_load_explicit(&ex->gen, memory_order_relaxed) !=
                            pillion__gen_of(handle) ||
                        pillion__gen_of(handle) % 2 == 0))
    return PILLION_EBADHANDLE;
  *out = ex;
  return 0;
}

static inline int pillion__executor_own(struct pillion__executor *ex) {
  uint64_t owner = atomic_load_explicit(&ex->owner, memory_order_relaxed);
  return PILLION__LIKELY(owner == pillion__serial && owner != 0)
             ? 0
             : pillion__executor_claim(ex);
}

#endif
