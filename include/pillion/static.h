/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_STATIC_H
#define PILLION_INCLUDE_STATIC_H

/*
 * An executor for microcontrollers, in this header alone: one thread and its
 * interrupts, a fixed number of slots, no libc, no heap, no library. It polls
 * the futures of future.h, time.h, scope.h and select.h; the same object files
 * run on the shared library.
 *
 *     static pillion_slot slots[4];
 *     static const pillion_port port = {clock_now, clock_wait, NULL, NULL};
 *
 *     void uart_interrupt(void) {
 *       ring_put(uart_take());
 *       pillion_wake(reader);
 *     }
 *
 *     int main(void) {
 *       pillion_value value;
 *       pillion_static_init(slots, 4, &port);
 *       pillion_static_spawn(NULL, &blink_future, &blink, 0, PILLION_DETACH);
 *       return pillion_block_on(&value, &shell_future, &shell);
 *     }
 *
 * A program has one such executor. "The owner's" is the code outside
 * interrupts. Interrupts wake (pillion_wake, or ops->wake), and do nothing
 * else.
 *
 * SLOTS. A task has one from its spawn to its end, and one with PILLION_JOIN
 * until its result was taken. A slot is 48 bytes where pointers have 32 bits.
 *
 * TURNS. A turn polls what was ready at its beginning, in the order of the
 * wakes; timers that are due come last. A wake is one link in a list, with the
 * interrupts masked for some ten instructions.
 *
 * WHAT IS NOT HERE. Budgets, deadlines of tasks, descriptors, calls, pools, a
 * close. With PILLION_EVENT a task's end goes to port->ended. A slot's
 * generation has 32 bits, so a waker is late for good until four billion tasks
 * later.
 */

#include "select.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Interrupts ---------------------------------------------------------- */

/*
 * PILLION_IRQ_SAVE() masks the interrupts that wake, and answers the state for
 * PILLION_IRQ_RESTORE(state). A program may define both, the same for all its
 * files. On processors that this header does not know they do nothing: there
 * wakes have to come from the owner's own code.
 */
#ifndef PILLION_IRQ_SAVE
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
static inline uint32_t pillion__irq_save(void) {
  uint32_t state;
  __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(state) : : "memory");
  return state;
}
static inline void pillion__irq_restore(uint32_t state) {
  __asm__ volatile("msr primask, %0" : : "r"(state) : "memory");
}
#elif defined(__riscv)
static inline uint32_t pillion__irq_save(void) {
  unsigned long state;
  __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(state) : : "memory");
  return (uint32_t)state & 8;
}
static inline void pillion__irq_restore(uint32_t state) {
  __asm__ volatile("csrs mstatus, %0" : : "r"(state) : "memory");
}
#else
static inline uint32_t pillion__irq_save(void) {
  __asm__ volatile("" : : : "memory");
  return 0;
}
static inline void pillion__irq_restore(uint32_t state) {
  __asm__ volatile("" : : "r"(state) : "memory");
}
#endif
#define PILLION_IRQ_SAVE() pillion__irq_save()
#define PILLION_IRQ_RESTORE(state) pillion__irq_restore(state)
#endif

#ifndef PILLION_WOKEN /* as in task.h */
#define PILLION_WOKEN 0
#define PILLION_COALESCED 1
#define PILLION_STALE 2
#endif

/* Between the owner's accesses, where an interrupt may come. */
#define PILLION__FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)
/* The way of a poll that ends pending stays short. */
#define PILLION__COLD static __attribute__((noinline, unused))

/* ---- Storage ------------------------------------------------------------- */

/*
 * pillion_port is what the executor needs of the machine. `data` is given to
 * all of them.
 *
 *   now    the monotonic time in ns (pillion_ticks_now helps). NULL: there are
 *          no timers, and cx->now is 0.
 *   wait   sleeps until an interrupt is pending, or until `deadline`, which may
 *          be PILLION_TIME_NEVER. It is called with the interrupts masked, so
 *          that none can come between the last look and the sleep: WFI wakes on
 *          pending interrupts nevertheless, and they run when `wait` has
 *          returned. It may return early, for any reason. NULL: it spins.
 *   ended  is told the end of a task with PILLION_EVENT, after its drop, inside
 *          the turn. *value is valid during the call. NULL: nothing is told.
 */
typedef struct pillion_port {
  int64_t (*now)(void *data);
  void (*wait)(void *data, int64_t deadline);
  void (*ended)(void *data, uint64_t token, const pillion_value *value,
                uint32_t outcome);
  void *data;
} pillion_port;

/* pillion_slot is a task's place. Every field is private. */
typedef struct pillion_slot {
  struct pillion_slot *next; /* in the list of ready ones, or free */
  uint8_t queued;            /* PILLION__SLOT_IDLE… */
  uint8_t bits;              /* PILLION__SLOT_NEW… */
  uint8_t mode;              /* PILLION_EVENT… */
  uint8_t reserved;
  uint64_t waker; /* index, and generation << 32; grows at the task's end */
  union {
    struct {
      const pillion_future *future;
      void *self;
      uint64_t token; /* with PILLION_JOIN the joiner's waker, or 0 */
    } live;
    struct {
      int32_t status;
      uint32_t length;
      uint8_t payload[PILLION_INLINE];
    } result;
  } u;
} pillion_slot;

/* `queued`, and what a wake then answers. No other byte is an interrupt's. */
#define PILLION__SLOT_IDLE PILLION_WOKEN
#define PILLION__SLOT_QUEUED PILLION_COALESCED
#define PILLION__SLOT_FREE PILLION_STALE

/* A task that waits or is ready has none of these, if nothing is unusual. */
#define PILLION__SLOT_NEW 1   /* never polled */
#define PILLION__SLOT_ASKED 2 /* a cancel waits */
#define PILLION__SLOT_SHIELDED 4
#define PILLION__SLOT_ENDING 8 /* its drop is running */
#define PILLION__SLOT_ENDED 16 /* its result waits for a joiner */
#define PILLION__SLOT_EMPTY 32

#define PILLION__BLOCK 3 /* a mode: only pillion_block_on takes the result */

/* The executor; the linker keeps one of it, though each file brings one. */
struct pillion__static {
  pillion_context cx;
  int64_t (*now)(void *data); /* the port's */
  pillion_slot *first;        /* ready ones */
  pillion_slot **last;
  pillion_slot *slots;
  uint32_t count;
  pillion_slot *free;
  pillion_timer *timers; /* by deadline, then by arming */
  const pillion_port *port;
  uint32_t turning;
  uint32_t done; /* the future of pillion_block_on has ended */
};

__attribute__((weak)) struct pillion__static pillion__static;

/* ---- Wakes --------------------------------------------------------------- */

/* Puts a slot that isn't queued at the end. Interrupts are masked. */
static inline void pillion__static_push(struct pillion__static *ex,
                                        pillion_slot *slot) {
  slot->queued = PILLION__SLOT_QUEUED;
  slot->next = NULL;
  *ex->last = slot;
  ex->last = &slot->next;
}

/*
 * pillion_wake has a task polled again; future.h has the contract.
 *
 * Threads: any, and any interrupt that PILLION_IRQ_SAVE masks.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: PILLION_WOKEN, PILLION_COALESCED, PILLION_STALE or
 *   PILLION_EBADHANDLE.
 * Since: 0.1
 */
int pillion_wake(pillion_waker waker);

__attribute__((weak)) int pillion_wake(pillion_waker waker) {
  struct pillion__static *ex = &pillion__static;
  if ((uint32_t)waker >= ex->count) return PILLION_EBADHANDLE;
  pillion_slot *slot = &ex->slots[(uint32_t)waker];
  __asm__("" : "+r"(slot)); /* one address serves for all of it */
  int rc = PILLION_STALE;
  uint32_t state = PILLION_IRQ_SAVE();
  if ((uint32_t)(slot->waker >> 32) == (uint32_t)(waker >> 32)) {
    rc = slot->queued; /* also what is answered */
    if (rc == PILLION__SLOT_IDLE) pillion__static_push(ex, slot);
  }
  PILLION_IRQ_RESTORE(state);
  return rc;
}

/* ---- The end of a task --------------------------------------------------- */

static inline uint64_t pillion__static_after(uint64_t waker) {
  uint32_t generation = (uint32_t)(waker >> 32) + 1;
  if (generation == 0) generation = 1;
  return (uint64_t)generation << 32 | (uint32_t)waker;
}

/* NULL: it is gone, or was never there. */
static inline pillion_slot *pillion__static_find(struct pillion__static *ex,
                                                 pillion_task task) {
  if ((uint32_t)task >= ex->count) return NULL;
  pillion_slot *slot = &ex->slots[(uint32_t)task];
  if (slot->bits & PILLION__SLOT_EMPTY) return NULL;
  if (slot->bits & (PILLION__SLOT_ENDING | PILLION__SLOT_ENDED))
    task = pillion__static_after(task);
  return slot->waker == task ? slot : NULL;
}

/* One that is still queued becomes free when a turn has met it. */
static inline void pillion__static_release(struct pillion__static *ex,
                                           pillion_slot *slot) {
  slot->bits = PILLION__SLOT_EMPTY;
  if (slot->queued == PILLION__SLOT_QUEUED) return;
  slot->queued = PILLION__SLOT_FREE;
  slot->next = ex->free;
  ex->free = slot;
}

/* Moves an ended task's result out. */
static inline void pillion__static_take(pillion_value *out,
                                        struct pillion__static *ex,
                                        pillion_slot *slot) {
  out->status = slot->u.result.status;
  out->reserved = 0;
  out->length = slot->u.result.length;
  for (int i = 0; i < PILLION_INLINE; i++)
    out->payload.bytes[i] = slot->u.result.payload[i];
  pillion__static_release(ex, slot);
}

PILLION__COLD void pillion__static_finish(struct pillion__static *ex,
                                          pillion_slot *slot,
                                          pillion_value *value,
                                          uint32_t outcome) {
  const pillion_future *future = slot->u.live.future;
  uint32_t state = PILLION_IRQ_SAVE();
  slot->waker = pillion__static_after(slot->waker); /* wakes are late now */
  PILLION_IRQ_RESTORE(state);
  slot->bits = PILLION__SLOT_ENDING;
  if (future->drop != NULL) future->drop(slot->u.live.self);
  uint64_t token = slot->u.live.token;
  if (slot->mode == PILLION_JOIN || slot->mode == PILLION__BLOCK) {
    slot->bits = PILLION__SLOT_ENDED;
    slot->u.result.status = value->status;
    slot->u.result.length = (uint32_t)value->length;
    for (int i = 0; i < PILLION_INLINE; i++)
      slot->u.result.payload[i] = value->payload.bytes[i];
    if (slot->mode == PILLION__BLOCK) ex->done = 1;
    else if (token != 0) pillion_wake(token);
    return;
  }
  if (slot->mode == PILLION_EVENT && ex->port->ended != NULL)
    ex->port->ended(ex->port->data, token, value, outcome);
  pillion_value_drop(value);
  pillion__static_release(ex, slot);
}

PILLION__COLD void pillion__static_cancelled(struct pillion__static *ex,
                                             pillion_slot *slot) {
  pillion_value value;
  value.status = PILLION_ECANCELLED;
  value.reserved = 0;
  value.length = 0;
  pillion__static_finish(ex, slot, &value,
                         slot->bits & PILLION__SLOT_NEW
                             ? PILLION_OUTCOME_CANCELLED_UNSTARTED
                             : PILLION_OUTCOME_CANCELLED_RUNNING);
}

/* ---- Operations ---------------------------------------------------------- */

static inline void pillion__static_timer_clear(pillion_timer *timer) {
  struct pillion__static *ex = (struct pillion__static *)timer->runtime;
  if (timer->seq == 0) return; /* not in the list */
  if (timer->prev != NULL) timer->prev->next = timer->next;
  else ex->timers = timer->next;
  if (timer->next != NULL) timer->next->prev = timer->prev;
  timer->seq = 0;
}

static inline int pillion__static_timer_set(pillion_timer *timer,
                                            pillion_context *cx,
                                            int64_t deadline) {
  struct pillion__static *ex = (struct pillion__static *)cx->runtime;
  if (ex->now == NULL) return PILLION_ENOTSUP;
  if (timer->ops != NULL) {
    if (timer->runtime != ex && timer->seq != 0) return PILLION_EINVAL;
    pillion__static_timer_clear(timer);
  }
  timer->deadline = deadline;
  timer->waker = cx->waker;
  timer->ops = cx->ops;
  timer->runtime = ex;
  if (deadline == PILLION_TIME_NEVER) return 0;
  pillion_timer *before = NULL, *after = ex->timers;
  while (after != NULL && after->deadline <= deadline) {
    before = after;
    after = after->next;
  }
  timer->seq = 1;
  timer->prev = before;
  timer->next = after;
  if (before != NULL) before->next = timer;
  else ex->timers = timer;
  if (after != NULL) after->prev = timer;
  return 0;
}

static inline int pillion__static_start(pillion_task *out,
                                        struct pillion__static *ex,
                                        const pillion_future *future,
                                        void *self, uint64_t token,
                                        uint32_t mode) {
  pillion_slot *slot = ex->free;
  int rc = pillion__future_check(future);
  if (rc < 0) return rc;
  if (slot == NULL) return PILLION_EAGAIN;
  ex->free = slot->next;
  slot->bits = PILLION__SLOT_NEW;
  slot->mode = (uint8_t)mode;
  slot->u.live.future = future;
  slot->u.live.self = self;
  slot->u.live.token = mode == PILLION_JOIN ? 0 : token;
  uint32_t state = PILLION_IRQ_SAVE();
  pillion__static_push(ex, slot);
  PILLION_IRQ_RESTORE(state);
  if (out != NULL) *out = slot->waker;
  return 0;
}

static inline int pillion__static_spawn(pillion_task *out, pillion_context *cx,
                                        const pillion_future *future,
                                        void *self, uint64_t token,
                                        uint32_t mode) {
  if (mode > PILLION_DETACH) return PILLION_EINVAL;
  return pillion__static_start(out, (struct pillion__static *)cx->runtime,
                               future, self, token, mode);
}

static inline int pillion__static_join(pillion_value *out, pillion_context *cx,
                                       pillion_task task) {
  struct pillion__static *ex = (struct pillion__static *)cx->runtime;
  pillion_slot *slot = pillion__static_find(ex, task);
  if (slot == NULL) return PILLION_EBADHANDLE;
  if (slot->mode != PILLION_JOIN || task == cx->waker) return PILLION_EINVAL;
  if (slot->bits & PILLION__SLOT_ENDED) {
    pillion__static_take(out, ex, slot);
    return PILLION_READY;
  }
  uint64_t joiner = slot->u.live.token;
  if (joiner != cx->waker && joiner != 0 &&
      ex->slots[(uint32_t)joiner].waker == joiner)
    return PILLION_EBUSY;
  slot->u.live.token = cx->waker;
  return PILLION_PENDING;
}

static inline int pillion__static_shield(pillion_context *cx, int on) {
  struct pillion__static *ex = (struct pillion__static *)cx->runtime;
  pillion_slot *slot = &ex->slots[(uint32_t)cx->waker];
  uint8_t bits = slot->bits;
  if (slot->waker != cx->waker) return PILLION_EINVAL;
  slot->bits = (uint8_t)(on ? bits | PILLION__SLOT_SHIELDED
                            : bits & ~PILLION__SLOT_SHIELDED);
  if (!on && bits & PILLION__SLOT_ASKED) pillion_wake(cx->waker);
  return (bits & PILLION__SLOT_SHIELDED) != 0;
}

static inline int pillion__static_is_cancelled(pillion_context *cx) {
  struct pillion__static *ex = (struct pillion__static *)cx->runtime;
  pillion_slot *slot = &ex->slots[(uint32_t)cx->waker];
  return slot->waker == cx->waker && slot->bits & PILLION__SLOT_ASKED;
}

static inline int pillion__static_cancel(pillion_task task) {
  pillion_slot *slot = pillion__static_find(&pillion__static, task);
  if (slot == NULL) return PILLION_EBADHANDLE;
  if (slot->bits & (PILLION__SLOT_ENDING | PILLION__SLOT_ENDED)) return 2;
  if (slot->bits & PILLION__SLOT_ASKED) return 1;
  slot->bits |= PILLION__SLOT_ASKED;
  pillion_wake(task);
  return 0;
}

static inline int pillion__static_detach(pillion_task task) {
  struct pillion__static *ex = &pillion__static;
  pillion_slot *slot = pillion__static_find(ex, task);
  if (slot == NULL) return PILLION_EBADHANDLE;
  if (slot->mode != PILLION_JOIN) return PILLION_EINVAL;
  if (slot->bits & PILLION__SLOT_ENDED) {
    pillion_value value;
    pillion__static_take(&value, ex, slot);
    pillion_value_drop(&value);
  }
  slot->mode = PILLION_DETACH;
  return 0;
}

static inline int pillion__static_evict(pillion_task task) {
  struct pillion__static *ex = &pillion__static;
  pillion_slot *slot = pillion__static_find(ex, task);
  if (slot == NULL) return PILLION_EBADHANDLE;
  if (slot->bits & PILLION__SLOT_ENDED) return 2;
  if (slot->bits & PILLION__SLOT_ENDING ||
      (ex->turning && ex->cx.waker == task))
    return PILLION_EREENTRANT;
  pillion__static_cancelled(ex, slot);
  return 0;
}

/*
 * pillion_static_ops tells the operations of the executor, for pillion_cancel
 * and pillion_abandon outside polls.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: they are static.
 * Returns: the operations.
 * Since: 0.1
 */
static inline const pillion_ops *pillion_static_ops(void) {
  static const pillion_ops operations = {sizeof operations,
                                         pillion__static_timer_set,
                                         pillion__static_timer_clear,
                                         pillion__static_join,
                                         pillion__static_spawn,
                                         pillion_wake,
                                         pillion__static_shield,
                                         pillion__static_is_cancelled,
                                         pillion__static_cancel,
                                         pillion__static_detach,
                                         pillion__static_evict,
                                         0,
                                         NULL,
                                         NULL,
                                         NULL};
  return &operations;
}

/* ---- The executor -------------------------------------------------------- */

/*
 * pillion_static_init makes the executor, with `count` slots. Calling it again
 * begins anew and forgets all tasks, without their drops.
 *
 * Threads: the owner's, before an interrupt wakes.
 * Reentrancy: not inside a turn.
 * Ownership: both stay the caller's, and live as long as the program.
 * Returns: 0, PILLION_EINVAL (no slots, or no port) or PILLION_EREENTRANT.
 * Since: 0.1
 */
static inline int pillion_static_init(pillion_slot *slots, uint32_t count,
                                      const pillion_port *port) {
  struct pillion__static *ex = &pillion__static;
  if (slots == NULL || count == 0 || port == NULL) return PILLION_EINVAL;
  if (ex->turning) return PILLION_EREENTRANT;
  pillion_context cx = {sizeof cx, 0, 0, pillion_static_ops(), ex, NULL};
  ex->cx = cx;
  ex->first = ex->free = NULL;
  ex->last = &ex->first;
  ex->slots = slots;
  ex->count = count;
  ex->timers = NULL;
  ex->port = port;
  ex->now = port->now;
  ex->done = 0;
  for (uint32_t i = count; i-- > 0;) {
    slots[i].waker = UINT64_C(1) << 32 | i;
    slots[i].queued = PILLION__SLOT_IDLE;
    pillion__static_release(ex, &slots[i]);
  }
  return 0;
}

/*
 * pillion_static_spawn starts `future`, which is first polled in the next turn.
 * `mode` is PILLION_EVENT with a `token` for port->ended, PILLION_JOIN or
 * PILLION_DETACH. `out` may be NULL.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: `self` is the future's until its drop was called; *future is
 *   static.
 * Returns: 0, PILLION_EAGAIN (no slot is free), PILLION_EINVAL or
 *   PILLION_ENOTSUP (see SIZES in pillion.h).
 * Since: 0.1
 */
static inline int pillion_static_spawn(pillion_task *out,
                                       const pillion_future *future, void *self,
                                       uint64_t token, uint32_t mode) {
  return pillion__static_spawn(out, &pillion__static.cx, future, self, token,
                               mode);
}

/* Whether to poll a slot that a turn has met, and that is not a usual one. */
PILLION__COLD int pillion__static_special(struct pillion__static *ex,
                                          pillion_slot *slot) {
  uint8_t bits = slot->bits;
  if (bits & PILLION__SLOT_EMPTY) {
    pillion__static_release(ex, slot);
    return 0;
  }
  if (bits & PILLION__SLOT_ENDED) return 0;
  ex->cx.waker = slot->waker;
  if ((bits & (PILLION__SLOT_ASKED | PILLION__SLOT_SHIELDED)) ==
      PILLION__SLOT_ASKED) {
    pillion__static_cancelled(ex, slot);
    return 0;
  }
  slot->bits = (uint8_t)(bits & ~PILLION__SLOT_NEW);
  return 1;
}

PILLION__COLD void pillion__static_ended(struct pillion__static *ex,
                                         pillion_slot *slot,
                                         pillion_value *value, int rc) {
  if (rc < 0) {
    value->status = rc;
    value->length = 0;
  }
  pillion__static_finish(ex, slot, value, PILLION_OUTCOME_RETURNED);
}

static inline void pillion__static_fire(struct pillion__static *ex) {
  int64_t now = ex->cx.now = ex->now(ex->port->data);
  pillion_timer *timer;
  while ((timer = ex->timers) != NULL && timer->deadline <= now) {
    pillion__static_timer_clear(timer);
    pillion_wake(timer->waker);
  }
}

/*
 * Polls all that are ready, of which `slot` is the first. The list is taken
 * with the interrupts on: one that comes before `last` is set puts its slot
 * behind the last of those taken. So an empty list may not be taken.
 */
static inline void pillion__static_run(struct pillion__static *ex,
                                       pillion_slot *slot) {
  pillion_value value;
  ex->first = NULL;
  PILLION__FENCE();
  ex->last = &ex->first;
  PILLION__FENCE();
  for (;;) {
    pillion_slot *next = slot->next;
    PILLION__FENCE();
    slot->queued = PILLION__SLOT_IDLE; /* an interrupt may queue it again */
    PILLION__FENCE();
    if (slot->bits == 0 || pillion__static_special(ex, slot)) {
      ex->cx.waker = slot->waker;
      value.status = 0;
      value.reserved = 0;
      value.length = 0;
      int rc = slot->u.live.future->poll(&value, &ex->cx, slot->u.live.self);
      if (rc != PILLION_PENDING) pillion__static_ended(ex, slot, &value, rc);
    }
    if (next == NULL) return;
    slot = next;
  }
}

/* Nothing is ready, as far as the owner has seen. */
PILLION__COLD void pillion__static_idle(struct pillion__static *ex) {
  uint32_t state = PILLION_IRQ_SAVE();
  if (ex->first == NULL && ex->port->wait != NULL)
    ex->port->wait(ex->port->data, ex->timers == NULL ? PILLION_TIME_NEVER
                                                      : ex->timers->deadline);
  PILLION_IRQ_RESTORE(state);
}

/*
 * pillion_static_turn fires the timers that are due, and polls what is ready.
 * It is for programs that have a loop of their own; pillion_block_on makes its
 * turns itself.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 1 if another turn is due at once, 0 if an interrupt or a timer has
 *   to come first, or PILLION_EREENTRANT.
 * Since: 0.1
 */
static inline int pillion_static_turn(void) {
  struct pillion__static *ex = &pillion__static;
  if (ex->turning) return PILLION_EREENTRANT;
  ex->turning = 1;
  if (ex->now != NULL) pillion__static_fire(ex);
  if (ex->first != NULL) pillion__static_run(ex, ex->first);
  ex->turning = 0;
  return ex->first != NULL;
}

/*
 * pillion_static_deadline tells when a turn is due even without a wake.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: the earliest timer's deadline, or PILLION_TIME_NEVER.
 * Since: 0.1
 */
static inline int64_t pillion_static_deadline(void) {
  const pillion_timer *timer = pillion__static.timers;
  return timer == NULL ? PILLION_TIME_NEVER : timer->deadline;
}

/*
 * pillion_block_on runs a future, with all other tasks beside it, until it has
 * ended. The others go on in the next pillion_block_on or turn.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: `self` is the caller's again. The value is the caller's, to be
 *   released with pillion_value_drop.
 * Returns: 0 with *out, whose status is the future's own; PILLION_EREENTRANT,
 *   or as pillion_static_spawn.
 * Since: 0.1
 */
static inline int pillion_block_on(pillion_value *out,
                                   const pillion_future *future, void *self) {
  struct pillion__static *ex = &pillion__static;
  pillion_task task;
  __asm__("" : "+r"(ex)); /* one address serves for all of it */
  if (ex->turning) return PILLION_EREENTRANT;
  int rc = pillion__static_start(&task, ex, future, self, 0, PILLION__BLOCK);
  if (rc < 0) return rc;
  ex->turning = 1;
  do {
    pillion_slot *slot = ex->first;
    if (ex->now != NULL) {
      pillion__static_fire(ex);
      slot = ex->first;
    }
    if (slot == NULL) pillion__static_idle(ex);
    else pillion__static_run(ex, slot);
  } while (!ex->done);
  ex->turning = ex->done = 0;
  pillion__static_take(out, ex, &ex->slots[(uint32_t)task]);
  return 0;
}

/* ---- Clocks -------------------------------------------------------------- */

/*
 * pillion_ticks makes a time of a hardware counter that counts up and wraps. It
 * begins as PILLION_TICKS_INIT(hz, mask), where `mask` is the counter's largest
 * value, all ones: 0xffffffff for 32 bits. Every field is private.
 */
typedef struct pillion_ticks {
  uint32_t ns, fraction; /* of a tick; the fraction in 1 / 2^32 ns */
  uint32_t mask;
  uint32_t last;
  uint32_t rest; /* of a ns */
  int64_t now;
} pillion_ticks;

#define PILLION_TICKS_INIT(hz, mask)                          \
  {1000000000u / (hz),                                        \
   (uint32_t)(((uint64_t)(1000000000u % (hz)) << 32) / (hz)), \
   (mask),                                                    \
   0,                                                         \
   0,                                                         \
   1}

/*
 * pillion_ticks_now takes the counter's value, and tells the time. It has to be
 * called at least once in each round of the counter. Turns do so, if no wait is
 * longer than pillion_ticks_until says.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: ns since the counter was 0, at least 1.
 * Since: 0.1
 */
static inline int64_t pillion_ticks_now(pillion_ticks *ticks,
                                        uint32_t counter) {
  uint32_t passed = (counter - ticks->last) & ticks->mask;
  uint64_t rest = (uint64_t)passed * ticks->fraction + ticks->rest;
  ticks->last = counter;
  ticks->rest = (uint32_t)rest;
  ticks->now += (int64_t)((uint64_t)passed * ticks->ns + (rest >> 32));
  return ticks->now;
}

/*
 * pillion_ticks_until tells how many ticks to sleep at most: about as many as
 * are left until `deadline`, and never more than half a round of the counter.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0 if the deadline has passed, else 1 to mask / 2 + 1.
 * Since: 0.1
 */
static inline uint32_t pillion_ticks_until(pillion_ticks *ticks,
                                           uint32_t counter, int64_t deadline) {
  int64_t left = deadline - pillion_ticks_now(ticks, counter);
  uint32_t most = ticks->mask / 2 + 1;
  if (left <= 0) return 0;
  if (left >> 55 != 0) return most; /* a year away */
  uint64_t n = ((uint64_t)left << 8) /
               ((uint64_t)ticks->ns << 8 | ticks->fraction >> 24);
  return n >= most ? most : (uint32_t)n + 1;
}

#ifdef __cplusplus
}
#endif
#endif
