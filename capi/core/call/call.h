/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CALL_H
#define PILLION_CALL_H

/*
 * Calls of Go functions. Read it in this order:
 *
 *   call.c    the end of a call, and what its executor does with it
 *   submit.c  its beginning; node.c  its memory; ring.c  its way to Go
 *   wait.c    calls without an executor
 *   kind.c    the functions by handle; sweep.c  all of them; function.c
 */
#include "pool/pool.h"

#pragma GCC visibility push(hidden)

/*
 * The owner's flags of a call, in head.flags, beside its MODE.
 *
 *             set                                  cannot be set
 *   ENDED     when its end comes, if it is JOINed  on an event
 *   LISTED    while it is in the list for Go       on a call that is DONE
 *   ARRIVED   when its end comes while LISTED      without LISTED
 *
 * From FOR_GO_SHIFT on stand START and CANCEL, which a LISTED call carries.
 */
#define PILLION__CALL_ENDED 8u
#define PILLION__CALL_LISTED 64u
#define PILLION__CALL_ARRIVED 128u
#define PILLION__CALL_FOR_GO_SHIFT 12

/*
 * The state of a call, in the low half of `state`, under its generation. call.c
 * has the phases NEW, RUNNING and DONE as a diagram; 0 is a free node. Beside
 * any phase:
 *
 *             set                                  cannot be set
 *   CANCEL    when a stop is asked for             once it is DONE
 *   ORPHAN    when the result is unwanted          while a thread waits for it
 *   WAITED    while a thread sleeps on it, or the  by a second one
 *             task that joined it takes it
 *   LOOP      by the submission to a loop          on an offloaded call
 *   EXPIRED   with CANCEL, if a deadline asked     if a cancel came before
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
    _Atomic uint64_t taker; /* without an executor: the task that joins */
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
_Static_assert(sizeof(struct pillion__call) == PILLION__CALL_SIZE,
               "the directory counts on it");

/*
 * Reports whether a handle of generation `gen` still means the call with this
 * `state`. The handle ends with the call's executor, although Go may still run
 * the call.
 */
static inline bool pillion__call_known(struct pillion__call *call, uint32_t gen,
                                       uint64_t state) {
  return (uint32_t)(state >> 32) == gen && (state & PILLION__CALL_PHASE) != 0 &&
         !(state & PILLION__CALL_ORPHAN &&
           atomic_load(&call->executor) != NULL);
}

static inline struct pillion__call *pillion__call_at(uint32_t slot) {
  char *cells = atomic_load_explicit(
      &pillion__directory[slot / PILLION__CHUNK].cells, memory_order_acquire);
  return (struct pillion__call *)cells + slot % PILLION__CHUNK;
}

/*
 * A job for Go's workers, or the cancel of one. A worker takes a job up by
 * changing the phase in call->state, under its generation, from NEW to RUNNING;
 * it leaves the other bits alone. If the phase isn't NEW, the call was
 * cancelled, and the worker lets it be.
 */
struct pillion__job {
  struct pillion__call *call;
  uint32_t gen;
  uint32_t cancel;
};

/* Kinds of submissions, by the workers that wait for them. */
#define PILLION__RING_OFFLOAD 1u
#define PILLION__RING_CPU 2u
#define PILLION__RING_URGENT 4u /* it must not wait in the ring */

/* call.c */
void pillion__call_posted(struct pillion__executor *ex,
                          struct pillion__call *call, uint32_t bits);
void pillion__call_event(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot,
                         pillion_event *event);
void pillion__call_value(struct pillion__call *call, pillion_value *out);
void pillion__call_free(struct pillion__call *call);
int pillion__call_cancel(struct pillion__call *call, uint32_t gen,
                         uint32_t bits);
int pillion__call_ask(struct pillion__call *call, uint32_t gen, uint32_t bits);
void pillion__call_consumed(struct pillion__executor *ex,
                            struct pillion__call *call);
bool pillion__call_take_up(struct pillion__call *call);
void pillion__call_complete(struct pillion__call *call, int32_t status,
                            uint32_t outcome, const void *result,
                            uint64_t length);

/* sweep.c */
void pillion__calls_cancel(struct pillion__owner *owner, uint32_t bits);
void pillion__calls_drop_all(struct pillion__executor *ex);
uint64_t pillion__calls_alive(void);

/* wait.c */
int pillion__call_join(pillion_value *out, pillion_context *cx,
                       struct pillion__call *call, pillion_task task);

/* node.c */
struct pillion__call *pillion__node_get(struct pillion__executor *executor);
void pillion__node_put(struct pillion__call *call);
extern _Atomic uint32_t pillion__call_chunks;
bool pillion__payload_set(struct pillion__call *call, const void *bytes,
                          uint64_t length);
void pillion__payload_clear(struct pillion__call *call, uint64_t length);
extern _Atomic uint64_t pillion__calls_running;

/* ring.c */
int pillion__ring_open(uint32_t capacity, struct pillion__why why);
bool pillion__ring_push(uint32_t slot, uint32_t gen, uint32_t *kinds);
void pillion__ring_close(void);
void pillion__ring_undo(bool first);
void pillion__ring_cancel(struct pillion__call *call);
void pillion__ring_poke(void);

int pillion__ring_fd(void);
int pillion__ring_fd_take(void);
int pillion__ring_take(struct pillion__job *jobs, int cap);
int pillion__ring_sleep(void);
_Atomic uint32_t *pillion__ring_asleep(void);
_Atomic uint32_t *pillion__ring_attended(void);
_Atomic uint32_t *pillion__ring_head(void);
_Atomic uint32_t *pillion__ring_tail(void);
void pillion__ring_publish(uint32_t kinds);

/* function.c */
bool pillion__function_any(void);
int pillion__function_kind(uint32_t *index, uint32_t *kind,
                           pillion_function function);
int pillion__function_add(const char *name, const char *module,
                          const char *descriptor, uint32_t kind);

/* kind.c */
extern const struct pillion__kind pillion__call_kind;

#pragma GCC visibility pop

#endif
