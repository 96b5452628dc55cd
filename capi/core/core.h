/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_H
#define PILLION_CORE_H

/*
 * The C executor, from the inside. Read it in this order:
 *
 *   cell.c   slots, handles, and the one way anything crosses threads: post
 *   park.c   when and how the host is told
 *   task.c   C futures;  timer.c  their timers;  join.c  who awaits them;
 *            handle.c  what is done to them by handle
 *   call.c   calls of Go functions;  node.c  their memory;  ring.c  their way
 *            to Go;  sweep.c  all of them at once
 *   turn.c   one round of work
 *   executor.c, guard.c, start.c, wait.c, memory.c, log.c, error.c, function.c
 *
 * No Go, no cgo: Go stands behind struct pillion__guest and the functions
 * that ring.c and call.c offer to it.
 */

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
 * that the cell is on its way through an inbox; who set it pushes it.
 */
#define PILLION__QUEUED 1u
#define PILLION__WAKE 2u
#define PILLION__CANCEL 4u
#define PILLION__START 8u
#define PILLION__DONE 16u

/* The owner's flags of a task. */
#define PILLION__READY_BIT 1u  /* in the ready ring */
#define PILLION__POLLED 2u     /* was polled at least once */
#define PILLION__ASKED 4u      /* a cancel was asked for */
#define PILLION__ENDED 8u      /* `u.done` is valid, `u.live` is not */
#define PILLION__POLLING 16u   /* its poll or drop is on the stack */
#define PILLION__LIVE 32u      /* spawned, and its result not yet consumed */
#define PILLION__LISTED 64u    /* a call in the executor's list for Go */
#define PILLION__ARRIVED 128u  /* a call that ended while LISTED */
#define PILLION__MODE_SHIFT 8  /* two bits: PILLION_EVENT, JOIN, DETACH */
#define PILLION__OUTCOME_SHIFT 10
#define PILLION__FOR_GO_SHIFT 12 /* posts a LISTED call carries */
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
  uint32_t flags;        /* the owner's */
};

/* A task: 64 bytes. Once it has ended its result lies where its future was. */
struct pillion__cell {
  struct pillion__head head;
  uint64_t token;
  union {
    struct {
      const pillion_future *future;
      void *self;
      pillion_waker joiner;
    } live;
    struct {
      int32_t status;
      uint32_t length;
      uint8_t payload[PILLION_INLINE];
    } done;
  } u;
};
_Static_assert(sizeof(struct pillion__cell) == 64, "a cell is 64 bytes");

struct pillion__executor;

/*
 * The life of a call, in the low half of `state`, under its generation:
 * NEW until Go takes it up, RUNNING until it has a result, DONE afterwards;
 * a cancel makes a NEW one DONE. 0 is a free node.
 * ORPHAN: nobody wants the result. WAITED: a thread sleeps on it. LOOP: it is
 * of a loop function. All three may stand beside any phase.
 */
#define PILLION__CALL_NEW 1u
#define PILLION__CALL_RUNNING 2u
#define PILLION__CALL_DONE 3u
#define PILLION__CALL_PHASE 3u
#define PILLION__CALL_CANCEL 4u
#define PILLION__CALL_ORPHAN 8u
#define PILLION__CALL_WAITED 16u
#define PILLION__CALL_LOOP 32u

/* A call of a Go function: 128 bytes. */
struct pillion__call {
  struct pillion__head head;
  uint64_t token;
  _Atomic uint64_t state;
  _Atomic(struct pillion__executor *) executor; /* NULL: a thread waits */
  uint32_t slot;
  uint32_t function;
  uint64_t request_length;
  pillion_waker joiner;
  int32_t status;
  uint32_t outcome;
  uint64_t length;
  union { /* the request until Go has copied it, then the result */
    uint8_t bytes[PILLION_INLINE];
    void *memory;
  } payload;
  _Atomic uint32_t cancel_link; /* ring.c; 0: not in the list of cancels */
  _Atomic uint32_t wakeup;      /* the futex of pillion_task_wait */
  _Atomic uint32_t free_link;   /* slot + 1 */
  uint32_t reserved;
};
_Static_assert(sizeof(struct pillion__call) == 128, "a call is 128 bytes");

/* ---- The directory of chunks -------------------------------------------- */

#define PILLION__CHUNK 1024u /* slots */
#define PILLION__CHUNKS 16384u

enum pillion__chunk_type {
  PILLION__CHUNK_TASKS = 1, /* C tasks; leased by an executor */
  PILLION__CHUNK_GUEST = 2, /* Go tasks; leased by an executor */
  PILLION__CHUNK_CALLS = 3, /* the process's */
  PILLION__CHUNK_ALIEN = 4, /* Go tasks of executors that C cannot wake */
};

struct pillion__chunk {
  _Alignas(32) _Atomic(char *) cells;
  _Atomic(struct pillion__executor *) executor;
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
PILLION__HIDDEN void pillion__chunk_return(uint32_t base);
PILLION__HIDDEN struct pillion__head *pillion__head_of(uint64_t handle,
                                                       uint32_t *type);
PILLION__HIDDEN int pillion__post(struct pillion__head *head, uint32_t slot,
                                  uint32_t gen, uint32_t bits);

/* ---- Executors ----------------------------------------------------------- */

enum pillion__park { /* the diagram is in park.c */
  PILLION__IDLE,
  PILLION__POKING,
  PILLION__POKED,
  PILLION__RUNNING,
  PILLION__SEEN,
};

#define PILLION__EXECUTORS 4096

struct pillion__list { /* of slots, through head.next */
  uint32_t first, last; /* slot + 1 */
};

struct pillion__executor {
  /* What other threads touch. Never unmapped, so a late touch is harmless. */
  _Atomic uint32_t inbox; /* slot + 1 */
  _Atomic uint32_t park;
  _Atomic uint64_t gen;   /* of the handle; even: not in use */
  _Atomic uint64_t owner; /* a thread's serial, 0: none */
  _Atomic int fd;
  _Atomic uint64_t closing; /* gen << 2, below it 0 or 1 + mode */
  _Atomic uint64_t calls_live; /* submitted, and not consumed */
  _Atomic uint64_t calls, pokes, poke_errors;
  _Atomic uint64_t tasks_live;      /* written by the owner only */
  _Atomic uint32_t in_turn;         /* written by the owner only */
  _Atomic uint32_t guest_wake;      /* Go's own inbox has something */
  _Atomic uint32_t coroutines;      /* of Go's; bound to the owner's thread */
  _Atomic uint32_t leaving;         /* exit hooks that look at it */
  _Atomic uint32_t max_calls;
  _Atomic(pillion_host *) host;

  /* What the owner touches. */
  _Alignas(64) uint32_t *ready; /* a ring of slots, its size a power of two */
  uint32_t ready_mask, ready_head, ready_tail; /* the latter two only grow */
  struct pillion__cell *polled; /* whose poll is on the stack, or NULL */
  uint32_t ready_stale; /* cells in the ring whose tasks are gone */
  uint32_t signaled; /* the descriptor is known to be readable */
  uint32_t free_first; /* recycled cells: slot + 1 */
  uint32_t fresh, fresh_end;
  uint32_t chunk_count, chunk_cap;
  uint32_t *chunks; /* bases of the leased ones */
  uint32_t max_tasks;
  uint32_t closed_with, live_told, guest_more, guest_known;
  struct pillion__list done; /* ended, waiting to be taken */
  struct pillion__list taken; /* those whose payloads the host still reads */
  struct pillion__list guest; /* posts for Go */
  pillion_timer *timers; /* the root of a pairing heap */
  int64_t guest_deadline, told_deadline;
  pillion_context context;
  uint64_t turns, polls, wakes, spawned, dropped, events, go_entries;
  uint32_t index;
};

PILLION__HIDDEN struct pillion__executor *pillion__executor_at(uint32_t index);
PILLION__HIDDEN void pillion__executor_each(
    void (*fn)(struct pillion__executor *ex, void *data), void *data);

/* park.c */
PILLION__HIDDEN void pillion__poke(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__park_enter(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__park_leave(struct pillion__executor *ex,
                                         bool more);
PILLION__HIDDEN void pillion__park_stop(struct pillion__executor *ex);

/* turn.c */
PILLION__HIDDEN void pillion__drain(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__list_push(struct pillion__list *list,
                                        uint32_t slot);
PILLION__HIDDEN uint32_t pillion__list_pop(struct pillion__list *list);
PILLION__HIDDEN void pillion__tell_live(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__release_taken(struct pillion__executor *ex);

static inline uint32_t pillion__closing(struct pillion__executor *ex) {
  return (uint32_t)atomic_load_explicit(&ex->closing, memory_order_relaxed) &
         3u;
}

static inline uint64_t pillion__live(const struct pillion__executor *ex) {
  return atomic_load_explicit(&ex->tasks_live, memory_order_relaxed) +
         atomic_load_explicit(&ex->calls_live, memory_order_relaxed);
}

/* task.c */
PILLION__HIDDEN void pillion__ready(struct pillion__executor *ex,
                                    struct pillion__head *head, uint32_t slot);
PILLION__HIDDEN void pillion__task_run(struct pillion__executor *ex,
                                       uint32_t slot);
PILLION__HIDDEN void pillion__task_posted(struct pillion__executor *ex,
                                          struct pillion__cell *cell,
                                          uint32_t slot, uint32_t bits);
PILLION__HIDDEN void pillion__task_event(struct pillion__executor *ex,
                                         struct pillion__cell *cell,
                                         uint32_t slot, pillion_event *event);
PILLION__HIDDEN void pillion__task_cancelled(struct pillion__executor *ex,
                                             struct pillion__cell *cell,
                                             uint32_t slot);
PILLION__HIDDEN void pillion__tasks_cancel(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__tasks_drop(struct pillion__executor *ex);
PILLION__HIDDEN int pillion__task_value(struct pillion__executor *ex,
                                        struct pillion__cell *cell,
                                        uint32_t slot, pillion_value *out);
PILLION__HIDDEN void pillion__task_discard(struct pillion__executor *ex,
                                           struct pillion__cell *cell,
                                           uint32_t slot);
PILLION__HIDDEN void pillion__task_release(struct pillion__executor *ex,
                                           struct pillion__cell *cell,
                                           uint32_t slot);
PILLION__HIDDEN int pillion__spawn(pillion_task *out,
                                   struct pillion__executor *ex,
                                   const pillion_future *future, void *self,
                                   uint64_t token, uint32_t flags);
PILLION__HIDDEN void pillion__task_free(struct pillion__executor *ex,
                                        struct pillion__cell *cell,
                                        uint32_t slot);
PILLION__HIDDEN void pillion__context_init(struct pillion__executor *ex);

/* timer.c */
PILLION__HIDDEN int pillion__timer_set(pillion_timer *timer,
                                       pillion_context *cx, int64_t deadline);
PILLION__HIDDEN void pillion__timer_clear(pillion_timer *timer);
PILLION__HIDDEN void pillion__timers_fire(struct pillion__executor *ex,
                                          int64_t now);
PILLION__HIDDEN int64_t pillion__now(void);

/* join.c */
PILLION__HIDDEN int pillion__join(pillion_value *out, pillion_context *cx,
                                  pillion_task task);
PILLION__HIDDEN int pillion__wake_local_in(struct pillion__executor *ex,
                                           pillion_waker waker);

/* call.c */
PILLION__HIDDEN void pillion__call_posted(struct pillion__executor *ex,
                                          struct pillion__call *call,
                                          uint32_t slot, uint32_t bits);
PILLION__HIDDEN void pillion__call_event(struct pillion__executor *ex,
                                         struct pillion__call *call,
                                         pillion_event *event);
PILLION__HIDDEN void pillion__call_value(struct pillion__call *call,
                                         pillion_value *out);
PILLION__HIDDEN void pillion__call_free(struct pillion__call *call);
PILLION__HIDDEN int pillion__call_cancel(struct pillion__call *call,
                                         uint32_t gen, uint32_t bits);
PILLION__HIDDEN int pillion__call_detach(struct pillion__call *call,
                                         pillion_task task);
PILLION__HIDDEN void pillion__call_consumed(struct pillion__executor *ex,
                                            struct pillion__call *call);
PILLION__HIDDEN void pillion__calls_cancel(struct pillion__executor *ex,
                                           uint32_t bits);
PILLION__HIDDEN uint64_t pillion__calls_alive(void);
PILLION__HIDDEN bool pillion__call_start(struct pillion__call *call);

/* node.c */
PILLION__HIDDEN struct pillion__call *
pillion__node_get(struct pillion__executor *executor);
PILLION__HIDDEN void pillion__node_put(struct pillion__call *call);
PILLION__HIDDEN void pillion__nodes_each(void (*fn)(struct pillion__call *call,
                                                    void *data),
                                         void *data);
extern PILLION__HIDDEN _Atomic uint64_t pillion__calls_running;
extern PILLION__HIDDEN _Atomic uint64_t pillion__payloads_alive;

/* ring.c */
PILLION__HIDDEN int pillion__ring_open(uint32_t capacity, char *errbuf,
                                       size_t errcap);
PILLION__HIDDEN bool pillion__ring_push(uint32_t slot, uint32_t gen);
PILLION__HIDDEN void pillion__ring_close(void);
PILLION__HIDDEN void pillion__ring_cancel(struct pillion__call *call);
PILLION__HIDDEN void pillion__ring_publish(void);
PILLION__HIDDEN void pillion__ring_poke(void);

/* guard.c: fork, thread serials, signal masks */
PILLION__HIDDEN extern const uint32_t *pillion__alive_page;
PILLION__HIDDEN extern _Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
/* The executor whose turn is on this thread's stack, or NULL. */
PILLION__HIDDEN extern _Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN extern _Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN uint64_t pillion__serial_new(void);
PILLION__HIDDEN extern bool pillion__second_go;

static inline bool pillion__forked(void) {
  return PILLION__UNLIKELY(*pillion__alive_page == 0);
}
static inline uint64_t pillion__me(void) {
  return PILLION__LIKELY(pillion__serial != 0) ? pillion__serial
                                               : pillion__serial_new();
}

/* ---- Whose executor is it? ----------------------------------------------- */

extern PILLION__HIDDEN _Atomic(struct pillion__executor *)
    pillion__executors[PILLION__EXECUTORS];
PILLION__HIDDEN int pillion__executor_claim(struct pillion__executor *ex);

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

/* memory.c, log.c, start.c */
PILLION__HIDDEN void *pillion__alloc(size_t bytes);
PILLION__HIDDEN void pillion__free(void *memory);
PILLION__HIDDEN void pillion__allocator_set(const pillion_allocator *a);
PILLION__HIDDEN void pillion__log(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
PILLION__HIDDEN int pillion__fail(int code, char *errbuf, size_t errcap,
                                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));
PILLION__HIDDEN int pillion__started(void); /* starts if need be */
PILLION__HIDDEN int pillion__started_for(int version, char *errbuf,
                                         size_t errcap);
PILLION__HIDDEN extern _Atomic bool pillion__stopping;
PILLION__HIDDEN extern uint64_t pillion__max_request;
PILLION__HIDDEN extern uint32_t pillion__max_calls;

/* function.c */
PILLION__HIDDEN int pillion__function_kind(uint32_t *index, uint32_t *kind,
                                           pillion_function function);

/* ---- Go's side ----------------------------------------------------------- */

/* What a turn hands to Go, and what it gets back. */
struct pillion__post {
  struct pillion__call *call; /* NULL: a wake of Go's cell `slot` */
  uint32_t slot;
  uint32_t bits;
};

#define PILLION__POSTS 128

struct pillion__guest_turn {
  uint32_t index; /* of the executor */
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
  int (*start)(void);  /* register functions, start the dispatcher */
  int (*stop)(void);   /* end workers and dispatcher */
  void (*turn)(struct pillion__guest_turn *turn);
  uint32_t (*settle)(uint32_t index); /* end idle coroutines; how many stay? */
  void (*free)(uint32_t index); /* drop all Go tasks, on their thread */
  void (*count)(uint64_t *workers, uint64_t *parked);
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

/* What Go calls. */
int pillion__ring_fd(void);
int pillion__ring_take(struct pillion__job *jobs, int cap);
int pillion__ring_sleep(void);
_Atomic uint32_t *pillion__ring_asleep(void);
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length);
void pillion__guest_wake(uint32_t index);
#define PILLION__NOBODY UINT32_MAX
int pillion__guest_lease(uint32_t *base, void **cells, uint32_t index);
void pillion__guest_return(uint32_t base);
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind);

#endif
