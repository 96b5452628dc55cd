/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Posted events: any thread sends the taker an event with a payload. A bounded
 * ring (Vyukov's bounded MPMC queue, with one consumer): the poster claims a
 * position by one compare-and-swap and publishes it by one exchange.
 *
 * The executor's generation stands above the tail. So a claim succeeds only
 * while the executor is the one that the poster meant. `free` changes the
 * generation, and waits for the claimed positions, whose posters are between
 * two instructions. Before its claim a poster reads only the executor itself,
 * which is never unmapped.
 *
 * After the exchange the poster looks whether to tell the host; after going
 * idle the owner looks at the ring. tests/model/post.pml is the model of this
 * file.
 */
#include <string.h>

#include "executor/executor.h"

#define POSTS_DEFAULT 1024u
#define POSTS_MOST (1u << 24)

struct pillion__posted {     /* 40 bytes */
  _Atomic uint32_t sequence; /* the position + 1, once it is written */
  uint32_t length;
  uint64_t token;
  union {
    uint8_t bytes[PILLION_INLINE];
    struct pillion__block *block;
  } payload;
};

/* NULL: no memory. */
struct pillion__block *pillion__block_make(size_t length) {
  return pillion__payload_alloc(sizeof(struct pillion__block) + length);
}

struct pillion__block *pillion__block_new(const void *payload, size_t length) {
  struct pillion__block *block = pillion__block_make(length);
  if (block != NULL) memcpy(block->bytes, payload, length);
  return block;
}

/* ---- The ring ------------------------------------------------------------ */

/* As for `leaving`: the count first, then the look; free does the opposite. */
static int ring_make(struct pillion__executor *ex, uint64_t gen) {
  size_t size = (size_t)atomic_load(&ex->posts_mask) + 1;
  struct pillion__posted *none = NULL,
                         *ring = pillion__alloc(size * sizeof *ring);
  if (ring == NULL) return PILLION_ENOMEM;
  for (size_t i = 0; i < size; i++) atomic_init(&ring[i].sequence, 0);
  atomic_fetch_add(&ex->posts_making, 1);
  bool gone = atomic_load(&ex->posts_tail) >> 32 != gen;
  bool made = !gone && size == (size_t)atomic_load(&ex->posts_mask) + 1 &&
              atomic_compare_exchange_strong(&ex->posts, &none, ring);
  atomic_fetch_sub(&ex->posts_making, 1);
  if (!made) pillion__free(ring); /* another thread was faster */
  return gone ? PILLION_EBADHANDLE : 0;
}

/* For a new executor; the ring waits for the first post if `posts` is 0. */
int pillion__posts_init(struct pillion__executor *ex, uint32_t posts,
                        struct pillion__why why) {
  uint64_t gen = atomic_load(&ex->base.gen) + 1;
  if ((posts & (posts - 1)) != 0 || posts > POSTS_MOST)
    return pillion__fail(PILLION_EINVAL, why,
                         "posts is %u, not a power of two up to %u", posts,
                         POSTS_MOST);
  atomic_store(&ex->posts_mask, (posts == 0 ? POSTS_DEFAULT : posts) - 1);
  atomic_store(&ex->posts_head, 0);
  atomic_store(&ex->posts_tail, gen << 32);
  if (posts == 0 || ring_make(ex, gen) == 0) return 0;
  return pillion__fail(PILLION_ENOMEM, why,
                       "no memory for a ring of %u posted events", posts);
}

/* The executor's last; its generation has changed. */
void pillion__posts_free(struct pillion__executor *ex) {
  uint64_t gen = atomic_load(&ex->base.gen);
  uint32_t end = (uint32_t)atomic_exchange(&ex->posts_tail, gen << 32);
  uint32_t round = 0;
  while (atomic_load(&ex->posts_making) > 0) pillion__let_run(round++);
  struct pillion__posted *ring = atomic_load(&ex->posts);
  uint32_t mask = atomic_load(&ex->posts_mask);
  for (uint32_t at = atomic_load(&ex->posts_head); at != end; at++) {
    struct pillion__posted *posted = &ring[at & mask];
    while (atomic_load(&posted->sequence) != at + 1) pillion__let_run(round++);
    if (posted->length > PILLION_INLINE)
      pillion__payload_free(posted->payload.block);
  }
  pillion__posts_release(ex);
  atomic_store(&ex->posts, NULL);
  pillion__free(ring);
}

/* ---- Any thread ---------------------------------------------------------- */

/*
 * The owner was the last to read the entries ahead, and fetching one costs ten
 * times as much as the rest of a post. So the poster asks for an entry 16 posts
 * early. GCC has no builtin that means "to write" on every x86-64.
 */
#define AHEAD 16
static inline void write_soon(const struct pillion__posted *posted) {
#if defined(__x86_64__)
  __asm__ volatile("prefetchw %0" : : "m"(*posted));
#else
  __builtin_prefetch(posted, 1);
#endif
}

/* At most PILLION_INLINE bytes: a call of memcpy would cost more. */
static inline void copy_short(uint8_t *to, const char *from, size_t length) {
  if (length >= 16) {
    memcpy(to, from, 16);
    memcpy(to + length - 8, from + length - 8, 8);
  } else if (length >= 8) {
    memcpy(to, from, 8);
    memcpy(to + length - 8, from + length - 8, 8);
  } else {
    for (size_t i = 0; i < length; i++) to[i] = (uint8_t)from[i];
  }
}

/*
 * There is a ring. Ring and mask are read after the tail; if the claim still
 * finds that tail, they belong to its generation.
 */
__attribute__((always_inline)) static inline int put(
    struct pillion__executor *ex, pillion_executor executor, uint64_t token,
    const void *payload, size_t length, struct pillion__block *block) {
  struct pillion__posted *ring;
  uint64_t tail, next;
  uint32_t mask;
  do {
    tail = atomic_load_explicit(&ex->posts_tail, memory_order_acquire);
    if (PILLION__UNLIKELY(tail >> 32 != pillion__gen_of(executor)))
      return PILLION_EBADHANDLE;
    ring = pillion__peek(&ex->posts);
    mask = pillion__peek(&ex->posts_mask);
    uint32_t head = atomic_load_explicit(&ex->posts_head, memory_order_acquire);
    /* The tail may be old by now, and behind the head. */
    if (PILLION__UNLIKELY((int32_t)((uint32_t)tail - head) > (int32_t)mask))
      return PILLION_EAGAIN;
    next = tail >> 32 << 32 | (uint32_t)(tail + 1);
  } while (!atomic_compare_exchange_weak(&ex->posts_tail, &tail, next));
  uint32_t at = (uint32_t)tail;
  struct pillion__posted *posted = &ring[at & mask];
  write_soon(&ring[(at + AHEAD) & mask]);
  posted->length = (uint32_t)length;
  posted->token = token;
  if (block != NULL) posted->payload.block = block;
  else copy_short(posted->payload.bytes, payload, length);
  atomic_exchange(&posted->sequence, at + 1);
  pillion__poke(ex);
  return 0;
}

/* A payload of its own, or the first post without a ring from the options. */
__attribute__((noinline)) static int put_slowly(struct pillion__executor *ex,
                                                pillion_executor executor,
                                                uint64_t token,
                                                const void *payload,
                                                size_t length) {
  struct pillion__block *block = NULL;
  int rc = 0;
  if (atomic_load(&ex->posts) == NULL)
    rc = ring_make(ex, pillion__gen_of(executor));
  if (rc < 0) return rc;
  if (length > PILLION_INLINE) {
    block = pillion__block_new(payload, length);
    if (block == NULL) return PILLION_ENOMEM;
  }
  rc = put(ex, executor, token, payload, length, block);
  if (rc < 0 && block != NULL) pillion__payload_free(block);
  return rc;
}

/*
 * A locked instruction waits for all before it. So little stands before it
 * here, with few registers to save; the rare cases have their own function.
 */
int pillion_executor_post(pillion_executor executor, uint64_t token,
                          const void *payload, size_t length) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (PILLION__UNLIKELY(rc < 0)) return rc;
  if (PILLION__UNLIKELY(payload == NULL && length > 0)) return PILLION_EINVAL;
  if (PILLION__UNLIKELY(length > pillion__max_request)) return PILLION_EMSGSIZE;
  if (PILLION__UNLIKELY(pillion__closing(&ex->base) != 0))
    return PILLION_ECLOSED;
  if (PILLION__UNLIKELY(
          length > PILLION_INLINE ||
          atomic_load_explicit(&ex->posts, memory_order_acquire) == NULL))
    return put_slowly(ex, executor, token, payload, length);
  return put(ex, executor, token, payload, length, NULL);
}

/* ---- The owner ----------------------------------------------------------- */

static struct pillion__posted *posted_at(struct pillion__executor *ex,
                                         uint32_t at) {
  struct pillion__posted *ring = atomic_load(&ex->posts);
  if (ring == NULL) return NULL;
  struct pillion__posted *posted = &ring[at & pillion__peek(&ex->posts_mask)];
  return atomic_load(&posted->sequence) == at + 1 ? posted : NULL;
}

/* Reports whether there is one to take. */
bool pillion__posts_ready(struct pillion__executor *ex) {
  return posted_at(ex, pillion__peek(&ex->posts_head)) != NULL;
}

static void posted_tell(struct pillion__executor *ex, pillion_event *event,
                        struct pillion__posted *posted) {
  pillion__event_put(event, posted->token, 0, 0, PILLION_OUTCOME_RETURNED,
                     posted->length, posted->payload.bytes);
  event->flags = PILLION_EVENT_POSTED;
  if (PILLION__UNLIKELY(posted->length > PILLION_INLINE)) {
    pillion__lend(ex, event, posted->payload.block);
  }
}

size_t pillion__posts_take(struct pillion__executor *ex, pillion_event *events,
                           size_t cap) {
  uint32_t head = pillion__peek(&ex->posts_head);
  struct pillion__posted *posted;
  size_t n = 0;
  while (n < cap && (posted = posted_at(ex, head)) != NULL) {
    posted_tell(ex, &events[n++], posted);
    head++;
  }
  if (n > 0) atomic_store_explicit(&ex->posts_head, head, memory_order_release);
  return n;
}

/* One of its holders has let go of it: the turn, or who keeps its payload. */
static void block_leave(void *owner) {
  struct pillion__block *block = owner;
  if (atomic_load_explicit(&block->holders, memory_order_acquire) == 1 ||
      atomic_fetch_sub(&block->holders, 1) == 1)
    pillion__payload_free(block);
}

/* Ends the payloads that the latest turn's events have lent to the host. */
void pillion__posts_release(struct pillion__executor *ex) {
  while (ex->posts_lent != NULL) {
    struct pillion__block *block = ex->posts_lent;
    ex->posts_lent = block->next;
    block_leave(block);
  }
}

/* A block stays in the list of its turn, which no longer frees it. */
int pillion_event_keep(pillion_value *out, pillion_event *event) {
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL || event == NULL) return PILLION_EINVAL;
  if (event->length > PILLION_INLINE && event->flags == 0 &&
      pillion__head_of(event->task, &type) != NULL && !pillion__is_node(type))
    return PILLION_ENOTSUP; /* the payload is of a future */
  pillion__value_empty(out, event->status);
  out->length = event->length;
  memcpy(out->payload.bytes, event->payload.bytes, PILLION_INLINE);
  if (event->length > PILLION_INLINE) {
    struct pillion__block *block = pillion__block_of(event->payload.data);
    atomic_fetch_add(&block->holders, 1);
    out->payload.ref.release = block_leave;
    out->payload.ref.owner = block;
  }
  event->length = 0;
  return 0;
}
