/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Posted events: something with a payload that any thread tells the taker. A
 * bounded ring (Vyukov's bounded MPMC queue, with one consumer), in which a
 * position is claimed by one compare-and-swap and published by one exchange.
 *
 * The executor's generation stands above the tail. So a claim succeeds only
 * while the executor is the one that was meant, and `free`, which changes it,
 * waits for those that were claimed: its posters are between two instructions.
 * What they read before they have claimed is the executor's own, and never
 * unmapped.
 *
 * Whether the host must be told is looked at after the exchange; the owner
 * looks at the ring after it went idle. tests/model/post.pml is this file.
 */
#include <string.h>

#include "core.h"

#define POSTS_DEFAULT 1024u
#define POSTS_MOST (1u << 24)

struct pillion__posted { /* 40 bytes */
  _Atomic uint32_t sequence; /* the position + 1, once it is written */
  uint32_t length;
  uint64_t token;
  union {
    uint8_t bytes[PILLION_INLINE];
    struct pillion__block *block;
  } payload;
};

struct pillion__block { /* a payload in memory of its own */
  struct pillion__block *next;
  uint64_t reserved; /* the bytes begin where any type may */
  char bytes[];
};

static struct pillion__block *block_new(const void *payload, size_t length) {
  struct pillion__block *block = pillion__alloc(sizeof *block + length);
  if (block == NULL) return NULL;
  memcpy(block->bytes, payload, length);
  atomic_fetch_add_explicit(&pillion__payloads_alive, 1, memory_order_relaxed);
  return block;
}

static void block_free(struct pillion__block *block) {
  pillion__free(block);
  atomic_fetch_sub_explicit(&pillion__payloads_alive, 1, memory_order_relaxed);
}

/* ---- The ring ------------------------------------------------------------ */

/* As for `leaving`: the count first, then the look; free does it conversely. */
static int ring_make(struct pillion__executor *ex, uint64_t gen) {
  size_t size = (size_t)atomic_load(&ex->posts_mask) + 1;
  struct pillion__posted *none = NULL, *ring = pillion__alloc(size * sizeof *ring);
  if (ring == NULL) return PILLION_ENOMEM;
  for (size_t i = 0; i < size; i++) atomic_init(&ring[i].sequence, 0);
  atomic_fetch_add(&ex->posts_making, 1);
  bool gone = atomic_load(&ex->posts_tail) >> 32 != gen;
  bool made =
      !gone && size == (size_t)atomic_load(&ex->posts_mask) + 1 &&
      atomic_compare_exchange_strong(&ex->posts, &none, ring);
  atomic_fetch_sub(&ex->posts_making, 1);
  if (!made) pillion__free(ring); /* somebody was faster */
  return gone ? PILLION_EBADHANDLE : 0;
}

/* For a new executor; the ring waits for the first post if `posts` is 0. */
int pillion__posts_init(struct pillion__executor *ex, uint32_t posts,
                        char *errbuf, size_t errcap) {
  uint64_t gen = atomic_load(&ex->gen) + 1;
  if ((posts & (posts - 1)) != 0 || posts > POSTS_MOST)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "posts is %u, not a power of two up to %u", posts,
                         POSTS_MOST);
  atomic_store(&ex->posts_mask, (posts == 0 ? POSTS_DEFAULT : posts) - 1);
  atomic_store(&ex->posts_head, 0);
  atomic_store(&ex->posts_tail, gen << 32);
  if (posts == 0 || ring_make(ex, gen) == 0) return 0;
  return pillion__fail(PILLION_ENOMEM, errbuf, errcap,
                       "no memory for a ring of %u posted events", posts);
}

/* The executor's last; its generation has changed. */
void pillion__posts_free(struct pillion__executor *ex) {
  uint64_t gen = atomic_load(&ex->gen);
  uint32_t end = (uint32_t)atomic_exchange(&ex->posts_tail, gen << 32);
  uint32_t round = 0;
  while (atomic_load(&ex->posts_making) > 0) pillion__let_run(round++);
  struct pillion__posted *ring = atomic_load(&ex->posts);
  uint32_t mask = atomic_load(&ex->posts_mask);
  for (uint32_t at = atomic_load(&ex->posts_head); at != end; at++) {
    struct pillion__posted *posted = &ring[at & mask];
    while (atomic_load(&posted->sequence) != at + 1) pillion__let_run(round++);
    if (posted->length > PILLION_INLINE) block_free(posted->payload.block);
  }
  pillion__posts_release(ex);
  atomic_store(&ex->posts, NULL);
  pillion__free(ring);
}

/* ---- Any thread ---------------------------------------------------------- */

/*
 * What lies ahead was read by the owner last, and to get it from there is ten
 * times what a post costs otherwise: it is asked for when a post is 16 away.
 * GCC has no builtin that means "to write" on every x86-64.
 */
#define AHEAD 16
static inline void write_soon(const struct pillion__posted *posted) {
#if defined(__x86_64__)
  __asm__ volatile("prefetchw %0" : : "m"(*posted));
#else
  __builtin_prefetch(posted, 1);
#endif
}

/* PILLION_EAGAIN if all positions are waiting to be taken. */
static int claim(uint32_t *out, struct pillion__executor *ex, uint64_t gen) {
  uint64_t tail = atomic_load_explicit(&ex->posts_tail, memory_order_relaxed);
  uint32_t mask = atomic_load_explicit(&ex->posts_mask, memory_order_relaxed);
  do {
    if (tail >> 32 != gen) return PILLION_EBADHANDLE;
    *out = (uint32_t)tail; /* old by now, perhaps, and behind the head */
    uint32_t head =
        atomic_load_explicit(&ex->posts_head, memory_order_acquire);
    if ((int32_t)(*out - head) > (int32_t)mask) return PILLION_EAGAIN;
  } while (!atomic_compare_exchange_weak(&ex->posts_tail, &tail,
                                         gen << 32 | (uint32_t)(*out + 1)));
  return 0;
}

int pillion_executor_post(pillion_executor executor, uint64_t token,
                          const void *payload, size_t length) {
  struct pillion__executor *ex;
  struct pillion__posted *ring;
  struct pillion__block *block = NULL;
  uint64_t gen = pillion__gen_of(executor);
  uint32_t at;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (payload == NULL && length > 0) return PILLION_EINVAL;
  if (length > pillion__max_request) return PILLION_EMSGSIZE;
  if (pillion__closing(ex) != 0) return PILLION_ECLOSED;
  ring = atomic_load_explicit(&ex->posts, memory_order_acquire);
  if (PILLION__UNLIKELY(ring == NULL)) {
    rc = ring_make(ex, gen);
    if (rc < 0) return rc;
    ring = atomic_load_explicit(&ex->posts, memory_order_acquire);
  }
  if (length > PILLION_INLINE) {
    block = block_new(payload, length);
    if (block == NULL) return PILLION_ENOMEM;
  }
  rc = claim(&at, ex, gen);
  if (PILLION__UNLIKELY(rc < 0)) {
    if (block != NULL) block_free(block);
    return rc;
  }
  uint32_t mask = atomic_load_explicit(&ex->posts_mask, memory_order_relaxed);
  struct pillion__posted *posted = &ring[at & mask];
  write_soon(&ring[(at + AHEAD) & mask]);
  posted->length = (uint32_t)length;
  posted->token = token;
  if (block != NULL)
    posted->payload.block = block;
  else if (length > 0)
    memcpy(posted->payload.bytes, payload, length);
  atomic_exchange(&posted->sequence, at + 1);
  pillion__poke(ex);
  return 0;
}

/* ---- The owner ----------------------------------------------------------- */

static struct pillion__posted *posted_at(struct pillion__executor *ex,
                                         uint32_t at) {
  struct pillion__posted *ring = atomic_load(&ex->posts);
  if (ring == NULL) return NULL;
  struct pillion__posted *posted =
      &ring[at & atomic_load_explicit(&ex->posts_mask, memory_order_relaxed)];
  return atomic_load(&posted->sequence) == at + 1 ? posted : NULL;
}

/* Tells whether there is one to take. */
bool pillion__posts_ready(struct pillion__executor *ex) {
  return posted_at(ex, atomic_load_explicit(&ex->posts_head,
                                            memory_order_relaxed)) != NULL;
}

static void posted_tell(struct pillion__executor *ex, pillion_event *event,
                        struct pillion__posted *posted) {
  event->token = posted->token;
  event->task = 0;
  event->status = 0;
  event->outcome = PILLION_OUTCOME_RETURNED;
  event->flags = PILLION_EVENT_POSTED;
  event->length = posted->length;
  event->reserved = 0;
  if (PILLION__UNLIKELY(posted->length > PILLION_INLINE)) {
    struct pillion__block *block = posted->payload.block;
    event->payload.data = block->bytes;
    block->next = ex->posts_lent;
    ex->posts_lent = block;
    ex->posts_lending = 1;
  } else {
    memcpy(event->payload.bytes, posted->payload.bytes, PILLION_INLINE);
  }
}

size_t pillion__posts_take(struct pillion__executor *ex, pillion_event *events,
                           size_t cap) {
  uint32_t head = atomic_load_explicit(&ex->posts_head, memory_order_relaxed);
  struct pillion__posted *posted;
  size_t n = 0;
  while (n < cap && (posted = posted_at(ex, head)) != NULL) {
    posted_tell(ex, &events[n++], posted);
    head++;
  }
  if (n > 0)
    atomic_store_explicit(&ex->posts_head, head, memory_order_release);
  return n;
}

/* The end of the payloads that the last turn's events have lent to the host. */
void pillion__posts_release(struct pillion__executor *ex) {
  while (ex->posts_lent != NULL) {
    struct pillion__block *block = ex->posts_lent;
    ex->posts_lent = block->next;
    block_free(block);
  }
  ex->posts_lending = 0;
}
