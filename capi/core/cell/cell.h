/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CELL_H
#define PILLION_CELL_H

/* Handles, the cells that they name, and the directory that finds cells. */
#include <string.h>

#include "base/base.h"

#pragma GCC visibility push(hidden)

/* ---- Handles: 8 bits tag, 24 slot, 32 generation ------------------------- */

enum {
  PILLION__EXECUTOR = 1,
  PILLION__TASK = 2,
  PILLION__WAKER = 3,
  PILLION__FUNCTION = 4,
  PILLION__WATCH = 5,
  PILLION__POOL = 6,
  PILLION__PROVIDER = 7,
  PILLION__OBJECT = 8,
};

static inline uint64_t pillion__handle(unsigned tag, uint32_t slot,
                                       uint32_t gen) {
  return (uint64_t)tag << 56 | (uint64_t)slot << 32 | gen;
}
static inline unsigned pillion__tag_of(uint64_t h) {
  return (unsigned)(h >> 56);
}
static inline uint32_t pillion__slot_of(uint64_t h) {
  return (uint32_t)(h >> 32) & 0xffffffu;
}
static inline uint32_t pillion__gen_of(uint64_t h) { return (uint32_t)h; }

/* ---- Cells --------------------------------------------------------------- */

/*
 * The bits of `pend`, below the generation they are meant for.
 *
 *             set                                  cannot be set
 *   QUEUED    by the thread that pushes the cell,  twice: a thread that finds
 *             until the owner has popped it        it set pushes nothing
 *   WAKE      by a waker                           on a call
 *   CANCEL    when a stop is asked for; it stays   on a task of Go's
 *   START     when a loop call is submitted        on a cell but a call's
 *   DONE      when a result is in place            on a local task
 *   CLOSE     when a watch must close; it stays    on a cell but a watch's
 *   TIMEOUT   beside CANCEL, by a deadline         by a second CANCEL
 *
 * The bits in KEPT stay when the owner takes the others, so that later askers
 * learn that they are late. From EVENTS_SHIFT on stand the reported events of a
 * watch of Go's.
 */
#define PILLION__PEND_QUEUED 1u
#define PILLION__PEND_WAKE 2u
#define PILLION__PEND_CANCEL 4u
#define PILLION__PEND_START 8u
#define PILLION__PEND_DONE 16u
#define PILLION__PEND_CLOSE 32u
#define PILLION__PEND_TIMEOUT 64u
#define PILLION__PEND_EVENTS_SHIFT 8
#define PILLION__PEND_KEPT (PILLION__PEND_CANCEL | PILLION__PEND_CLOSE)

/*
 * The flags of a task: of a local one in head.flags, for its owner; of a pool's
 * in head.next, for the thread that holds QUEUED, but LIVE in head.mode.
 *
 *             set                                  cannot be set
 *   READY     while the cell is in the ready ring  on a pool's task
 *   POLLED    by the first poll                    before it; it stays
 *   ASKED     when the owner takes a CANCEL        once the task has ended
 *   ENDED     with the result, after the drop      on a pool's task: DONE
 *   POLLING   while the drop is on the stack       on a pool's task: DONE
 *   LIVE      from the spawn until the result is   on a free cell
 *             consumed
 *   SHIELDED  by the task, for what it asks for    outside of its poll
 *   EXPIRED   with ASKED, if a deadline asked      if a cancel came before
 *   CONTEXT   by the spawn, if a token was         without hooks
 *             captured; until the drop
 *
 * Beside them stand the MODE (PILLION_EVENT, JOIN, DETACH) and the OUTCOME, two
 * bits each. A call has a MODE, too.
 */
#define PILLION__TASK_READY 1u
#define PILLION__TASK_POLLED 2u
#define PILLION__TASK_ASKED 4u
#define PILLION__TASK_ENDED 8u
#define PILLION__TASK_POLLING 16u
#define PILLION__TASK_LIVE 32u
#define PILLION__MODE_SHIFT 8
#define PILLION__OUTCOME_SHIFT 10
#define PILLION__TASK_SHIELDED (1u << 20)
#define PILLION__TASK_EXPIRED (1u << 21)
#define PILLION__TASK_CONTEXT (1u << 22)
#define PILLION__MODE(flags) ((flags) >> PILLION__MODE_SHIFT & 3u)
#define PILLION__OUTCOME(flags) ((flags) >> PILLION__OUTCOME_SHIFT & 3u)

/*
 * The head that tasks in C, tasks in Go and calls share. Go's executor has
 * the same layout.
 */
struct pillion__head {
  _Atomic uint32_t gen;  /* written by the owner only */
  uint32_t next;         /* in the owner's lists: slot + 1, 0 ends */
  _Atomic uint64_t pend; /* gen << 32 | bits */
  _Atomic uint32_t link; /* the inbox; belongs to the thread that set QUEUED */
  union {
    uint32_t flags;        /* the owner's */
    _Atomic uint32_t mode; /* of a pool's task: for every thread to read */
  };
};

static inline uint32_t pillion__gen(const struct pillion__head *head) {
  return pillion__peek(&head->gen);
}

/*
 * A task in C, of an executor or of a pool: 64 bytes. After its end its result
 * lies in the place of its future.
 *
 * `future_or_end` is the address of the future, which is even; after the end it
 * is status << 1 | 1 with the length above it. The owner of a local task stores
 * it as one word, so that another thread's cancel sees without a locked
 * instruction that it is late.
 */
struct pillion__cell {
  struct pillion__head head;
  union {
    uint64_t token;
    _Atomic uint64_t
        waiter; /* of a pool's task with JOIN, in the words below */
  };
  _Atomic uint64_t future_or_end;
  union {
    struct {
      void *self;
      union {
        pillion_waker joiner;  /* of a local task */
        pillion_executor home; /* a pool's task tells its end there, and its
                                  children theirs */
      };
      void *context; /* the token, with CONTEXT in its flags */
    } live;
    uint8_t payload[PILLION_INLINE];
  } u;
};
_Static_assert(sizeof(struct pillion__cell) == 64, "a cell is 64 bytes");
/*
 * A node is a cell of the process's: a call, a flow or an inbound call. It has
 * 128 bytes, and these members first. Its slot is in no executor's chunk, so it
 * says itself to whom it belongs.
 */
struct pillion__executor;
#define PILLION__NODE_SIZE 128u
#define PILLION__NODE                                                  \
  struct pillion__head head;                                           \
  _Atomic(struct pillion__executor *) executor; /* NULL: none */       \
  uint32_t slot;                                                       \
  _Atomic uint32_t free_link; /* slot + 1 */                           \
  _Atomic uint32_t news_link; /* ring.c; 0: not in the list of news */ \
  uint32_t function;          /* that a call is for: its index */      \
  _Atomic uint64_t state      /* its phase and more, under its generation */

struct pillion__node {
  PILLION__NODE;
};

/*
 * The waiter for an end, in a word that every thread may read: a waker, or one
 * of the words below over the generation of the awaited task or call. So a word
 * for an old generation never matches a later one.
 */
#define PILLION__JOIN_OPEN 0u /* no waiter yet */
#define PILLION__JOIN_ENDED 1u
#define PILLION__JOIN_TAKEN 2u
#define PILLION__JOIN_DETACHED 3u
#define PILLION__JOIN_NEVER 4u /* it has other flags than JOIN */

static inline uint64_t pillion__joiner(uint64_t what, uint32_t gen) {
  return what << 32 | gen;
}

static inline const pillion_future *pillion__future_of(
    const struct pillion__cell *cell) {
  return (const pillion_future *)(uintptr_t)pillion__peek(&cell->future_or_end);
}

/* A value without a payload. */
static inline void pillion__value_empty(pillion_value *value, int32_t status) {
  value->status = status;
  value->reserved = 0;
  value->length = 0;
}

/* What a task's value becomes: it may be too large. */
static inline void pillion__value_fit(pillion_value *value) {
  if (value->length <= PILLION_MAX_PAYLOAD) return;
  pillion_value_drop(value);
  value->status = PILLION_EMSGSIZE;
}

static inline uint64_t pillion__end_of(const pillion_value *value) {
  return value->length << 32 | (uint32_t)value->status << 1 | 1;
}

/* The result of a task that has ended. */
static inline void pillion__cell_value(const struct pillion__cell *cell,
                                       pillion_value *out) {
  uint64_t end = pillion__peek(&cell->future_or_end);
  pillion__value_empty(out, (int32_t)(uint32_t)end >> 1);
  out->length = end >> 32;
  memcpy(out->payload.bytes, cell->u.payload, PILLION_INLINE);
}

/* The event that tells of an end. A payload elsewhere is lent. */
static inline void pillion__event_put(pillion_event *event, uint64_t token,
                                      pillion_task task, int32_t status,
                                      uint32_t outcome, size_t length,
                                      const uint8_t *payload) {
  event->token = token;
  event->task = task;
  event->status = status;
  event->outcome = (uint16_t)outcome;
  event->flags = 0;
  event->length = length;
  event->link = 0;
  memcpy(event->payload.bytes, payload, PILLION_INLINE);
}

static inline void pillion__event_object(pillion_event *event,
                                         uint64_t object) {
  event->flags |= PILLION_EVENT_OBJECT;
  event->link = object;
  event->length = 0;
}

static inline void pillion__cell_event(const struct pillion__cell *cell,
                                       uint32_t slot, pillion_event *event) {
  pillion_value value;
  pillion__cell_value(cell, &value);
  pillion__event_put(
      event, cell->token,
      pillion__handle(PILLION__TASK, slot, pillion__gen(&cell->head)),
      value.status, PILLION__OUTCOME(pillion__peek(&cell->head.mode)),
      value.length, value.payload.bytes);
}

/* ---- The directory of chunks --------------------------------------------- */

#define PILLION__CHUNK 1024u /* slots */
#define PILLION__CHUNKS 16384u

enum pillion__chunk_type {
  PILLION__CHUNK_TASKS = 1,      /* local tasks; leased by an executor */
  PILLION__CHUNK_GUEST = 2,      /* Go tasks; leased by an executor */
  PILLION__CHUNK_ALIEN = 3,      /* Go tasks of executors that C cannot wake */
  PILLION__CHUNK_POOL = 4,       /* C tasks that move between workers */
  PILLION__CHUNK_GUEST_POOL = 5, /* Go tasks that move between workers */
  PILLION__CHUNK_CALLS = 6,      /* from here on: nodes, the process's */
  PILLION__CHUNK_FLOWS = 7,
  PILLION__CHUNK_INBOUND = 8,
  PILLION__CHUNK_TYPES
};

/*
 * A lessee of chunks: executors and pools begin with it. It is never unmapped,
 * so a late touch is harmless.
 */
struct pillion__owner {
  _Atomic uint32_t inbox;   /* slot + 1 */
  uint32_t index;           /* in the table */
  _Atomic uint64_t gen;     /* of the handle; even: not in use */
  _Atomic uint64_t closing; /* gen << 2, below it 0 or 1 + mode */
};

/* The owner of a handle with this tag, from its table, or NULL. */
static inline struct pillion__owner *pillion__owner_at(uint64_t handle,
                                                       unsigned tag,
                                                       _Atomic(void *) *table,
                                                       uint32_t most) {
  uint32_t index = pillion__slot_of(handle), gen = pillion__gen_of(handle);
  if (PILLION__UNLIKELY(pillion__tag_of(handle) != tag || index >= most))
    return NULL;
  struct pillion__owner *owner =
      atomic_load_explicit(&table[index], memory_order_acquire);
  return PILLION__UNLIKELY(owner == NULL || pillion__peek(&owner->gen) != gen ||
                           gen % 2 == 0)
             ? NULL
             : owner;
}

static inline uint32_t pillion__closing(const struct pillion__owner *owner) {
  return (uint32_t)atomic_load(&owner->closing) & 3u;
}

/* owner.c */
struct pillion__table {
  pthread_mutex_t lock;
  uint32_t known, idle_count; /* all entries, and the unused ones */
  uint32_t most, *idle;       /* a stack of their indexes */
  _Atomic(void *) *entries;
  size_t bytes;   /* of an entry's target */
  uint32_t flags; /* that its options may have */
  const char *what;
  void (*first_use)(void *memory);
};

int pillion__owner_new(void **out, struct pillion__table *table, void *options,
                       size_t size, size_t first, const void *given,
                       const uint64_t *handle, struct pillion__why why);
void pillion__owner_give(struct pillion__table *table,
                         struct pillion__owner *owner);
int pillion__owner_close(struct pillion__owner *owner, uint64_t gen, int mode);

struct pillion__chunk {
  _Alignas(32) _Atomic(char *) cells;
  _Atomic(struct pillion__owner *) owner;
  uint32_t type;
  uint32_t next; /* of the lessee's, or of the returned: directory index + 1 */
};

extern struct pillion__chunk pillion__directory[PILLION__CHUNKS];

static inline struct pillion__cell *pillion__cell_at(uint32_t slot) {
  char *cells = atomic_load_explicit(
      &pillion__directory[slot / PILLION__CHUNK].cells, memory_order_acquire);
  return cells == NULL ? NULL
                       : (struct pillion__cell *)cells + slot % PILLION__CHUNK;
}
static inline bool pillion__is_node(uint32_t type) {
  return type >= PILLION__CHUNK_CALLS;
}
static inline size_t pillion__stride(uint32_t type) {
  return pillion__is_node(type) ? PILLION__NODE_SIZE
                                : sizeof(struct pillion__cell);
}
/* Of a slot in use, of any kind. */
static inline struct pillion__head *pillion__head_at(uint32_t slot,
                                                     uint32_t *type) {
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  *type = chunk->type;
  return (void *)(cells + slot % PILLION__CHUNK * pillion__stride(*type));
}
static inline struct pillion__owner *pillion__owner_of(uint32_t slot) {
  return atomic_load(&pillion__directory[slot / PILLION__CHUNK].owner);
}

int pillion__chunk_lease(uint32_t *base, enum pillion__chunk_type type,
                         struct pillion__owner *owner);
void pillion__chunk_return(uint32_t base);
int pillion__chunks_add(_Atomic uint32_t *list, uint32_t *base,
                        enum pillion__chunk_type type,
                        struct pillion__owner *owner);
void pillion__chunks_return(_Atomic uint32_t *list);
void pillion__cells_each(_Atomic uint32_t *list,
                         void (*fn)(struct pillion__head *head, uint32_t slot,
                                    void *data),
                         void *data);
struct pillion__head *pillion__head_of(uint64_t handle, uint32_t *type);
bool pillion__joiner_alive(uint64_t joiner);

/* For a handle that names a cell, but one of another kind. */
static inline int pillion__other_kind(const struct pillion__head *head,
                                      uint64_t handle) {
  return atomic_load(&head->gen) == pillion__gen_of(handle)
             ? PILLION_EINVAL
             : PILLION_EBADHANDLE;
}

/* mark.c */
int pillion__mark(struct pillion__head *head, uint32_t gen, uint32_t bits,
                  uint64_t *old);
bool pillion__mark_once(struct pillion__head *head, uint32_t gen, uint32_t bit);

/* ---- Lists of slots, through head.next ----------------------------------- */

struct pillion__list {
  uint32_t first, last; /* slot + 1 */
};

void pillion__list_push(struct pillion__list *list, uint32_t slot);

/* Takes the first cell off, or answers NULL. */
static inline struct pillion__head *pillion__list_pop(
    struct pillion__list *list, uint32_t *slot, uint32_t *type) {
  if (list->first == 0) return NULL;
  *slot = list->first - 1;
  struct pillion__head *head = pillion__head_at(*slot, type);
  list->first = head->next;
  if (list->first == 0) list->last = 0;
  return head;
}

#pragma GCC visibility pop

#endif
