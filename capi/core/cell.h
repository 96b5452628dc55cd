/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CELL_H
#define PILLION_CELL_H

/* Handles, cells, calls and the directory that finds them. */
#include <stdatomic.h>
#include <stdbool.h>

#include "pillion.h"

#if defined(__GNUC__)
#define PILLION__HIDDEN __attribute__((visibility("hidden")))
#define PILLION__LIKELY(x) __builtin_expect(!!(x), 1)
#define PILLION__UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define PILLION__HIDDEN
#define PILLION__LIKELY(x) (x)
#define PILLION__UNLIKELY(x) (x)
#endif

/* ---- Handles: 8 bits kind, 24 slot, 32 generation ---------------------- */

enum pillion__kind {
  PILLION__EXECUTOR = 1,
  PILLION__TASK = 2,
  PILLION__WAKER = 3,
  PILLION__FUNCTION = 4,
  PILLION__WATCH = 5,
  PILLION__POOL = 6,
};

static inline uint64_t pillion__handle(unsigned kind, uint32_t slot,
                                       uint32_t gen) {
  return (uint64_t)kind << 56 | (uint64_t)slot << 32 | gen;
}
static inline unsigned pillion__kind_of(uint64_t h) {
  return (unsigned)(h >> 56);
}
static inline uint32_t pillion__slot_of(uint64_t h) {
  return (uint32_t)(h >> 32) & 0xffffffu;
}
static inline uint32_t pillion__gen_of(uint64_t h) { return (uint32_t)h; }

/* ---- Cells -------------------------------------------------------------- */

/*
 * The bits of `pend`, below the generation they are meant for. QUEUED says
 * that the cell is on its way through an inbox; who set it pushes it. KEPT
 * stay when the owner takes the others, so that later askers learn that they
 * are late.
 */
#define PILLION__QUEUED 1u
#define PILLION__WAKE 2u
#define PILLION__CANCEL 4u
#define PILLION__START 8u
#define PILLION__DONE 16u
#define PILLION__CLOSE 32u      /* of a watch */
#define PILLION__TIMEOUT 64u    /* a pool's task: its deadline was the CANCEL */
#define PILLION__EVENTS_SHIFT 8 /* what came, for a watch of Go's */
#define PILLION__KEPT (PILLION__CANCEL | PILLION__CLOSE) /* in C's own cells */

/* The owner's flags of a task. */
#define PILLION__READY_BIT 1u  /* in the ready ring */
#define PILLION__POLLED 2u     /* was polled at least once */
#define PILLION__ASKED 4u      /* a cancel was asked for */
#define PILLION__ENDED 8u      /* `u.payload` is valid, `u.live` is not */
#define PILLION__POLLING 16u   /* its poll or drop is on the stack */
#define PILLION__LIVE 32u      /* spawned, and its result not yet consumed */
#define PILLION__LISTED 64u    /* a call in the executor's list for Go */
#define PILLION__ARRIVED 128u  /* a call that ended while LISTED */
#define PILLION__WATCHES (1u << 30) /* no task: a watch, see watch.c */
#define PILLION__OWNS (1u << 31)    /* a watch, and its descriptor */
#define PILLION__MODE_SHIFT 8  /* two bits: PILLION_EVENT, JOIN, DETACH */
#define PILLION__OUTCOME_SHIFT 10
#define PILLION__FOR_GO_SHIFT 12 /* posts a LISTED call carries */
#define PILLION__SHIELDED (1u << 20) /* a cancel waits until it isn't */
#define PILLION__EXPIRED (1u << 21)  /* it was its deadline that asked */
#define PILLION__CONTEXT (1u << 22)  /* `u.live.context` is its token */
#define PILLION__MODE(flags) ((flags) >> PILLION__MODE_SHIFT & 3u)
#define PILLION__OUTCOME(flags) ((flags) >> PILLION__OUTCOME_SHIFT & 3u)

/*
 * The head that tasks in C, tasks in Go and calls share. Go's executor has
 * the same layout.
 */
struct pillion__head {
  _Atomic uint32_t gen;  /* written by the owner only */
  uint32_t next;         /* the owner's lists: slot + 1, 0 ends */
  _Atomic uint64_t pend; /* gen << 32 | bits */
  _Atomic uint32_t link; /* the inbox; belongs to who set QUEUED */
  union {
    uint32_t flags;        /* the owner's */
    _Atomic uint32_t mode; /* of a pool's task: for anybody to read */
  };
};

/*
 * A task: 64 bytes. Once it has ended its result lies where its future was.
 *
 * `what` is the address of the future, which is even, and then status << 1 | 1
 * with the length above it: one word that the owner stores, so that another
 * thread's cancel can tell without any locked instruction that it is late.
 */
struct pillion__cell {
  struct pillion__head head;
  uint64_t token;
  _Atomic uint64_t what;
  union {
    struct {
      void *self;
      pillion_waker joiner;
      void *context;
    } live;
    uint8_t payload[PILLION_INLINE];
  } u;
};
_Static_assert(sizeof(struct pillion__cell) == 64, "a cell is 64 bytes");

/* Neither ended nor freed. For the owner. */
static inline bool pillion__running(const struct pillion__cell *cell) {
  return (cell->head.flags & (PILLION__LIVE | PILLION__ENDED)) ==
         PILLION__LIVE;
}
/* For any thread. It may still have a result to give. */
static inline bool pillion__has_ended(const struct pillion__cell *cell) {
  return atomic_load_explicit(&cell->what, memory_order_relaxed) & 1;
}
static inline const pillion_future *
pillion__future_of(const struct pillion__cell *cell) {
  return (const pillion_future *)(uintptr_t)atomic_load_explicit(
      &cell->what, memory_order_relaxed);
}
static inline int32_t pillion__status_of(const struct pillion__cell *cell) {
  return (int32_t)(uint32_t)atomic_load_explicit(&cell->what,
                                                 memory_order_relaxed) >>
         1;
}
static inline uint32_t pillion__length_of(const struct pillion__cell *cell) {
  return (uint32_t)(atomic_load_explicit(&cell->what, memory_order_relaxed) >>
                    32);
}

/*
 * Who awaits the end of something, for any thread to ask: a waker, or one of the
 * words below over the generation of what is awaited. So what an old handle
 * expects to find is never found in what came later.
 */
#define PILLION__JOIN_OPEN 0u /* nobody yet */
#define PILLION__JOIN_ENDED 1u
#define PILLION__JOIN_TAKEN 2u
#define PILLION__JOIN_DETACHED 3u
#define PILLION__JOIN_NEVER 4u /* it was started with other flags */

static inline uint64_t pillion__joiner(uint64_t what, uint32_t gen) {
  return what << 32 | gen;
}

struct pillion__executor;
struct pillion__pool;

/*
 * The life of a call, in the low half of `state`, under its generation:
 * NEW until Go takes it up, RUNNING until it has a result, DONE afterwards;
 * a cancel makes a NEW one DONE. 0 is a free node.
 * ORPHAN: nobody wants the result. WAITED: a thread sleeps on it, or a task that
 * joined it takes it right now. LOOP: it is of a loop function. EXPIRED: beside CANCEL, it was its deadline that asked.
 * All of them may stand beside any phase.
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

/* A call of a Go function: 128 bytes. */
struct pillion__call {
  struct pillion__head head;
  union {
    uint64_t token;
    _Atomic uint64_t taker; /* of one without an executor: which task joins */
  };
  _Atomic uint64_t state;
  _Atomic(struct pillion__executor *) executor; /* NULL: it waits for a taker */
  uint32_t slot;
  uint32_t function;
  uint64_t request_length;
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
  _Atomic uint32_t cancel_link; /* ring.c; 0: not in the list of cancels */
  _Atomic uint32_t wakeup;      /* the futex of pillion_task_wait */
  _Atomic uint32_t free_link;   /* slot + 1 */
  _Atomic uint32_t pool;        /* where it runs: the index + 1, or 0 */
};
_Static_assert(sizeof(struct pillion__call) == 128, "a call is 128 bytes");

/*
 * Reports whether a handle of generation `gen` still means the call with this
 * `state`. Its handle goes with its executor, although Go may run it on.
 */
static inline bool pillion__call_known(struct pillion__call *call,
                                       uint32_t gen, uint64_t state) {
  return (uint32_t)(state >> 32) == gen &&
         (state & PILLION__CALL_PHASE) != 0 &&
         !(state & PILLION__CALL_ORPHAN &&
           atomic_load(&call->executor) != NULL);
}

/* ---- The directory of chunks -------------------------------------------- */

#define PILLION__CHUNK 1024u /* slots */
#define PILLION__CHUNKS 16384u

enum pillion__chunk_type {
  PILLION__CHUNK_TASKS = 1, /* C tasks; leased by an executor */
  PILLION__CHUNK_GUEST = 2, /* Go tasks; leased by an executor */
  PILLION__CHUNK_CALLS = 3, /* the process's */
  PILLION__CHUNK_ALIEN = 4, /* Go tasks of executors that C cannot wake */
  PILLION__CHUNK_POOL = 5,  /* C tasks that move between workers */
  PILLION__CHUNK_GUEST_POOL = 6, /* Go tasks that do */
  PILLION__CHUNK_TYPES
};

struct pillion__chunk {
  _Alignas(32) _Atomic(char *) cells;
  _Atomic(struct pillion__executor *) executor;
  _Atomic(struct pillion__pool *) pool;
  uint32_t type;
  uint32_t next_free; /* directory index + 1 */
};

extern PILLION__HIDDEN struct pillion__chunk
    pillion__directory[PILLION__CHUNKS];

static inline struct pillion__cell *pillion__cell_at(uint32_t slot) {
  char *cells = atomic_load_explicit(
      &pillion__directory[slot / PILLION__CHUNK].cells, memory_order_acquire);
  return cells == NULL
             ? NULL
             : (struct pillion__cell *)cells + slot % PILLION__CHUNK;
}
static inline struct pillion__call *pillion__call_at(uint32_t slot) {
  char *cells = atomic_load_explicit(
      &pillion__directory[slot / PILLION__CHUNK].cells, memory_order_acquire);
  return (struct pillion__call *)cells + slot % PILLION__CHUNK;
}

PILLION__HIDDEN int pillion__chunk_lease(uint32_t *base,
                                         enum pillion__chunk_type type,
                                         struct pillion__executor *executor);
PILLION__HIDDEN int pillion__chunk_lease_pool(uint32_t *base,
                                              enum pillion__chunk_type type,
                                              struct pillion__pool *pool);
PILLION__HIDDEN void pillion__chunk_return(uint32_t base);
PILLION__HIDDEN struct pillion__head *pillion__head_of(uint64_t handle,
                                                       uint32_t *type);
PILLION__HIDDEN int pillion__post(struct pillion__head *head, uint32_t slot,
                                  uint32_t gen, uint32_t bits);
PILLION__HIDDEN int pillion__post_once(struct pillion__head *head,
                                       uint32_t slot, uint32_t gen,
                                       uint32_t bit);
PILLION__HIDDEN bool pillion__mark_once(struct pillion__head *head,
                                        uint32_t gen, uint32_t bit);

#endif
