/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_QUEUE_H
#define PILLION_QUEUE_H

/*
 * Where cells, timers and items wait: inboxes, the deques of a pool's workers,
 * timers in their order, and flows. Nothing here knows an executor or a pool.
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

/* ---- Windows: how many calls of the host's functions wait for it --------- */

/* inbound/window.c. The queue is under its lock. */
struct pillion__window {
  _Atomic uint32_t open; /* how many; and WAITING, if others queue */
  struct pillion__list queue;
};
#define PILLION__WINDOW_WAITING (1u << 31)

/* ---- Flows: one writer's items for one reader, within its credit --------- */

/* What an item is that is no one-way call. */
#define PILLION__ITEM (-1)
#define PILLION__ITEM_OBJECT (-2) /* its bytes are a handle */

/* As a pillion_value: longer bytes lie at ref.data, until they are released. */
struct pillion__item {
  uint32_t length;
  int32_t function; /* a one-way call of it, or PILLION__ITEM… */
  union {
    uint8_t bytes[PILLION_INLINE];
    struct {
      const void *data;
      void (*release)(void *owner);
      void *owner;
    } ref;
  } payload;
};
_Static_assert(sizeof(struct pillion__item) == 32, "two in a line");

/*
 * The bits of a flow's `state`.
 *
 *             set                                  cannot be set
 *   FINISHED  by the writer: no more items         it stays
 *   REFUSED   by the reader: it wants no more      it stays
 *   SENDING   while a thread of the host's writes  by a second one
 *   JOINED    from the start, if pillion_next      on a flow from the host
 *             reads it
 *   IN        from the start: from the host to Go  on a flow to the host
 *   INBOUND   from the start: of a call of Go's,   on a flow of another
 *             whose node tells the host of it
 *   WRITABLE  by the wake of a host that sends,    without INBOUND and IN
 *             until the host is told
 *
 * From LENDS_SHIFT on stands how many functions the call lends, on its flow to
 * the host.
 */
#define PILLION__FLOW_FINISHED 1u
#define PILLION__FLOW_REFUSED 2u
#define PILLION__FLOW_SENDING 4u
#define PILLION__FLOW_JOINED 8u
#define PILLION__FLOW_IN 16u
#define PILLION__FLOW_INBOUND 32u
#define PILLION__FLOW_WRITABLE 64u
#define PILLION__FLOW_LENDS_SHIFT 32

/*
 * A flow: 128 bytes, the reader's line and the writer's. The positions are
 * counts modulo 2^32. `granted` is never more than `capacity` ahead of `read`,
 * so a writer that looks at it never overtakes the reader.
 */
struct pillion__flow {
  PILLION__NODE;
  _Atomic uint32_t read;
  uint32_t capacity; /* a power of two, or 0 */
  _Alignas(64) _Atomic uint32_t written;
  _Atomic uint32_t granted;
  _Atomic uint64_t writer;     /* what waits for room, by its word, or 0 */
  _Atomic uint64_t reader;     /* what waits for items, likewise */
  _Atomic uint64_t owner;      /* whose flow it is, a handle; 0: it ends */
  struct pillion__item *items; /* `capacity` of them */
  _Atomic uint32_t bytes;      /* of longer items that are not read */
  uint32_t other;         /* the slot + 1 of its owner's other flow, or 0 */
  _Atomic uint32_t users; /* threads of the host's inside a verb */
  struct pillion__window window; /* of what its call lends */
};
_Static_assert(sizeof(struct pillion__flow) == 128, "a flow is a node");

#define PILLION__FLOW_BYTES (1u << 20)

int pillion__flow_open(struct pillion__flow *flow, uint32_t credit);
void pillion__flow_shut(struct pillion__flow *flow);
int pillion__flow_room(struct pillion__flow *flow, uint64_t length);
void pillion__flow_put(struct pillion__flow *flow,
                       const struct pillion__item *item, uint64_t *wake);
uint64_t pillion__flow_reader(struct pillion__flow *flow);
struct pillion__item *pillion__flow_row(const struct pillion__flow *flow,
                                        uint32_t *count);
void pillion__flow_pass(struct pillion__flow *flow, uint32_t count,
                        uint32_t bytes, uint64_t *wake);
bool pillion__flow_take(struct pillion__flow *flow, struct pillion__item *item,
                        uint64_t *wake);
uint32_t pillion__flow_grant(struct pillion__flow *flow, uint32_t items,
                             uint64_t *wake);
void pillion__flow_end(struct pillion__flow *flow, uint32_t bit,
                       uint64_t *wake);
bool pillion__flow_await_room(struct pillion__flow *flow, uint64_t who,
                              uint64_t length);
bool pillion__flow_await_item(struct pillion__flow *flow, uint64_t who);
void pillion__item_drop(struct pillion__item *item);

/* The bytes of an item that lie elsewhere, and are bounded. */
static inline uint32_t pillion__item_elsewhere(
    const struct pillion__item *item) {
  return item->length > PILLION_INLINE ? item->length : 0;
}

static inline uint64_t pillion__item_object(const struct pillion__item *item) {
  uint64_t object;
  memcpy(&object, item->payload.bytes, sizeof object);
  return object;
}

static inline bool pillion__flow_empty(const struct pillion__flow *flow) {
  return atomic_load_explicit(&flow->written, memory_order_acquire) ==
         pillion__peek(&flow->read);
}

#pragma GCC visibility pop

#endif
