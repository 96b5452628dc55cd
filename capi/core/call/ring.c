/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way to Go: a bounded ring of submissions (Vyukov's bounded MPMC queue,
 * with one consumer at a time) and a list of calls of which there is news, which
 * can't be full since each call is in it once at most. Under a lock of Go's, a goroutine
 * takes from both. It sleeps on a descriptor, and is poked once a burst.
 * Workers that find no job take in its place before they rest. While all
 * workers for a kind of calls are at work, the kind is attended. A call of an
 * attended kind makes no poke: the first worker that rests finds it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "call/call.h"

struct ring_entry {
  _Atomic uint32_t sequence;
  uint32_t slot, gen;
};

static struct ring_entry *ring;
static uint32_t ring_mask;
static _Alignas(64) _Atomic uint32_t ring_tail;
static _Alignas(64) _Atomic uint32_t ring_head; /* the consumer's */
static _Atomic uint32_t ring_news;              /* slot + 1 */
static _Atomic uint32_t ring_asleep;
static _Atomic uint32_t ring_attended; /* kinds, Go's to change */
static _Atomic bool ring_closed = true;
static int ring_fd =
    -1; /* ours for good: a late poke never meets a closed descriptor */
static int ring_go_fd = -1; /* Go's copy, until Go takes it */

#define RING_END UINT32_MAX /* of the list of news */

static _Thread_local enum { HELD = 1, HELD_SOME } news_held;

/* Also opens it again after a close, when it is empty. */
int pillion__ring_open(uint32_t capacity, struct pillion__why why) {
  if (capacity == 1) capacity = 2; /* one place can't tell full from empty */
  if (ring == NULL) {
    ring = pillion__alloc(capacity * sizeof *ring);
    if (ring == NULL)
      return pillion__fail(PILLION_ENOMEM, why,
                           "no memory for a submission ring of %u entries",
                           capacity);
    ring_mask = capacity - 1;
    for (uint32_t i = 0; i < capacity; i++) atomic_init(&ring[i].sequence, i);
  }
  if (ring_fd < 0) ring_fd = pillion__descriptor_event();
  ring_go_fd = ring_fd < 0 ? -1 : pillion__descriptor_copy(ring_fd);
  if (ring_go_fd < 0)
    return pillion__fail_system(why, "no eventfd for the submission ring");
  atomic_store(&ring_asleep, 0);
  atomic_store(&ring_closed, false);
  return 0;
}

/* The goroutine takes soon, also if no submission waits. */
void pillion__ring_hurry(void) { pillion__ring_publish(PILLION__RING_URGENT); }

void pillion__ring_close(void) {
  atomic_store(&ring_closed, true);
  pillion__ring_hurry();
}

/* After a start that failed. `first`: no call has used the ring. */
void pillion__ring_undo(bool first) {
  atomic_store(&ring_closed, true);
  if (ring_go_fd >= 0) close(ring_go_fd);
  ring_go_fd = -1;
  if (!first) return;
  if (ring_fd >= 0) close(ring_fd);
  ring_fd = -1;
  pillion__free(ring);
  ring = NULL;
}

int pillion__ring_fd(void) { return ring_go_fd; }

/* The caller owns it from here on. */
int pillion__ring_fd_take(void) {
  int fd = ring_go_fd;
  ring_go_fd = -1;
  return fd;
}

/*
 * At most an eighth of the ring waits for a worker. Beyond that Go empties it
 * into its own memory, so that it is seldom full.
 */
bool pillion__ring_push(uint32_t slot, uint32_t gen, uint32_t *kinds) {
  uint32_t at = pillion__peek(&ring_tail);
  for (;;) {
    struct ring_entry *entry = &ring[at & ring_mask];
    uint32_t sequence =
        atomic_load_explicit(&entry->sequence, memory_order_acquire);
    int32_t ahead = (int32_t)(sequence - at);
    if (ahead < 0) return false;
    if (ahead > 0) {
      at = pillion__peek(&ring_tail);
    } else if (atomic_compare_exchange_weak_explicit(&ring_tail, &at, at + 1,
                                                     memory_order_relaxed,
                                                     memory_order_relaxed)) {
      entry->slot = slot;
      entry->gen = gen;
      atomic_store_explicit(&entry->sequence, at + 1, memory_order_release);
      if ((at & (ring_mask >> 3)) == 0) *kinds |= PILLION__RING_URGENT;
      return true;
    }
  }
}

/* Says that there is news of a call; its state tells which. */
void pillion__ring_news(struct pillion__node *node) {
  uint32_t unlisted = 0;
  if (!atomic_compare_exchange_strong(&node->news_link, &unlisted, RING_END))
    return; /* the consumer will look at its state */
  uint32_t first = pillion__peek(&ring_news);
  do {
    pillion__set(&node->news_link, first == 0 ? RING_END : first);
  } while (!atomic_compare_exchange_weak(&ring_news, &first, node->slot + 1));
  if (news_held) news_held = HELD_SOME;
  else pillion__ring_hurry();
}

/* Until the release Go isn't told of this thread's news. They don't nest. */
void pillion__ring_hold(void) { news_held = HELD; }

void pillion__ring_release(void) {
  if (news_held == HELD_SOME) pillion__ring_hurry();
  news_held = 0;
}

/* A failed entry is left to the next publisher. */
void pillion__ring_poke(void) {
  int saved = errno;
  if (!pillion__descriptor_poke(ring_fd)) {
    pillion__log(PILLION_LOG_WARNING, "cannot poke Go: %s", strerror(errno));
    atomic_store(&ring_asleep, 1);
  }
  errno = saved;
}

/* The pushed calls are of these kinds. */
void pillion__ring_publish(uint32_t kinds) {
  if (kinds == 0) return;
  atomic_thread_fence(memory_order_seq_cst);
  kinds &= ~pillion__peek(&ring_attended);
  if (kinds != 0 && pillion__peek(&ring_asleep) &&
      atomic_exchange(&ring_asleep, 0))
    pillion__ring_poke();
}

static _Atomic uint32_t *news_link(uint32_t link) {
  return &((struct pillion__node *)pillion__node_at(link - 1))->news_link;
}

static int take_news(struct pillion__job *jobs, int cap) {
  uint32_t first = atomic_exchange(&ring_news, 0);
  int n = 0;
  while (first != 0 && first != RING_END) {
    if (n == cap) { /* the rest goes back, for the next time */
      uint32_t last = first, next;
      while ((next = atomic_load(news_link(last))) != RING_END) last = next;
      uint32_t others = atomic_load(&ring_news);
      do {
        atomic_store(news_link(last), others == 0 ? RING_END : others);
      } while (!atomic_compare_exchange_weak(&ring_news, &others, first));
      break;
    }
    uint32_t slot = first - 1, type;
    struct pillion__head *head = pillion__head_at(slot, &type);
    first = atomic_exchange(news_link(first), 0);
    if (pillion__kinds[type]->news(head, &jobs[n])) n++;
  }
  return n;
}

/* The number of jobs, or -1 once the ring is closed. */
int pillion__ring_take(struct pillion__job *jobs, int cap) {
  int n = atomic_load(&ring_news) == 0 ? 0 : take_news(jobs, cap);
  uint32_t head = pillion__peek(&ring_head);
  for (; n < cap; head++) {
    struct ring_entry *entry = &ring[head & ring_mask];
    if (atomic_load_explicit(&entry->sequence, memory_order_acquire) !=
        head + 1)
      break;
    jobs[n++] =
        (struct pillion__job){pillion__call_at(entry->slot), entry->gen, 0};
    atomic_store_explicit(&entry->sequence, head + ring_mask + 1,
                          memory_order_release);
  }
  pillion__set(&ring_head, head);
  return n == 0 && atomic_load(&ring_closed) ? -1 : n;
}

/*
 * It is 0 again before the write to the descriptor, so the goroutine need not
 * read the descriptor.
 */
_Atomic uint32_t *pillion__ring_asleep(void) { return &ring_asleep; }

_Atomic uint32_t *pillion__ring_attended(void) { return &ring_attended; }

/* They are equal while no submission waits. */
_Atomic uint32_t *pillion__ring_head(void) { return &ring_head; }
_Atomic uint32_t *pillion__ring_tail(void) { return &ring_tail; }

/*
 * Reports whether the goroutine may sleep on the descriptor now. It asks under
 * the lock, or it could look at an entry that a worker has just taken.
 */
int pillion__ring_sleep(void) {
  uint32_t head = pillion__peek(&ring_head);
  atomic_store(&ring_asleep, 1);
  if (atomic_load(&ring[head & ring_mask].sequence) != head + 1 &&
      atomic_load(&ring_news) == 0 && !atomic_load(&ring_closed) &&
      atomic_load(pillion__objects_dead()) == 0)
    return 1;
  atomic_store(&ring_asleep, 0);
  return 0;
}
