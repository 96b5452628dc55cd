/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_QUEUE_H
#define PILLION_QUEUE_H

/*
 * Where cells and timers wait: inboxes, the deques of a pool's workers, and
 * timers in their order. Nothing here knows an executor or a pool.
 */
#include "cell/cell.h"

#pragma GCC visibility push(hidden)

/* ---- Inboxes: stacks that any thread pushes on --------------------------- */

/* By the thread that set QUEUED. */
static inline void pillion__inbox_put(_Atomic uint32_t *inbox,
                                      struct pillion__head *head,
                                      uint32_t slot) {
  uint32_t first = pillion__peek(inbox);
  do {
    pillion__set(&head->link, first);
  } while (!atomic_compare_exchange_weak(inbox, &first, slot + 1));
}

uint32_t pillion__inbox_turn(uint32_t from);
uint32_t pillion__inbox_take(_Atomic uint32_t *inbox);

/*
 * Takes the first cell off a list, or answers NULL. From then on the cell may be
 * queued again.
 */
static inline struct pillion__head *pillion__inbox_next(uint32_t *list,
                                                        uint32_t *slot,
                                                        uint32_t *type) {
  if (*list == 0) return NULL;
  *slot = *list - 1;
  struct pillion__head *head = pillion__head_at(*slot, type);
  *list = pillion__peek(&head->link);
  return head;
}

/* ---- Deques -------------------------------------------------------------- */

struct pillion__buffer {
  struct pillion__buffer *older; /* thieves may still read them */
  uint64_t mask;
  _Atomic uint32_t slots[];
};

struct pillion__deque {
  _Alignas(64) _Atomic uint64_t head; /* taken by compare-and-swap; grows */
  _Atomic uint64_t tail;              /* the owner's; grows */
  _Atomic(struct pillion__buffer *) buffer;
};

bool pillion__deque_open(struct pillion__deque *deque);
bool pillion__deque_push(struct pillion__deque *deque, uint32_t slot,
                         bool fenced);
bool pillion__deque_pop(struct pillion__deque *deque, uint32_t *out);
uint32_t pillion__deque_steal(struct pillion__deque *to,
                              struct pillion__deque *from);
void pillion__deque_free(struct pillion__deque *deque);

static inline bool pillion__deque_empty(const struct pillion__deque *deque) {
  return atomic_load(&deque->tail) == atomic_load(&deque->head);
}

/* ---- Timers -------------------------------------------------------------- */

#define PILLION__WHEEL_BITS 6u
#define PILLION__WHEEL_SLOTS (1u << PILLION__WHEEL_BITS)
#define PILLION__WHEEL_LEVELS 11u /* of 6 bits: all of an int64_t */

/* A list of timers in their arming order. Meaningless if it is empty. */
struct pillion__wheel_list {
  pillion_timer *first, *last;
  int64_t least; /* no timer here is due before it */
};

struct pillion__wheel {
  int64_t base;                          /* no timer here is due before it */
  uint64_t levels;                       /* those with timers, one bit each */
  uint64_t slots[PILLION__WHEEL_LEVELS]; /* of each level, those with timers */
  struct pillion__wheel_list at[PILLION__WHEEL_LEVELS][PILLION__WHEEL_SLOTS];
};

struct pillion__timers {
  int64_t deadline; /* of the earliest; after a clear it may be too early */
  uint32_t armed, max_armed;
  uint64_t seq;        /* of the last timer that was armed late */
  pillion_timer *late; /* timers due before wheel.base: a pairing heap */
  struct pillion__wheel wheel;
};

void pillion__wheel_put(struct pillion__wheel *wheel, pillion_timer *timer);
void pillion__wheel_remove(struct pillion__wheel *wheel, pillion_timer *timer);
pillion_timer *pillion__wheel_due(struct pillion__wheel *wheel, int64_t now);

/* The list with the earliest timers, or NULL. */
static inline const struct pillion__wheel_list *pillion__wheel_first(
    const struct pillion__wheel *wheel) {
  if (wheel->levels == 0) return NULL;
  int level = __builtin_ctzll(wheel->levels);
  return &wheel->at[level][__builtin_ctzll(wheel->slots[level])];
}

int pillion__timers_arm(struct pillion__timers *timers, pillion_timer *timer,
                        const pillion_context *cx, uint64_t waker,
                        int64_t deadline);
void pillion__timers_disarm(struct pillion__timers *timers,
                            pillion_timer *timer);
void pillion__timers_expire(struct pillion__timers *timers, int64_t now,
                            void (*fn)(void *data, uint64_t waker), void *data);
void pillion__timers_forget(struct pillion__timers *timers);

#pragma GCC visibility pop

#endif
