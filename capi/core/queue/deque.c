/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a worker's ready tasks wait. The owner pushes at the tail; owner and
 * thieves take at the head, by compare-and-swap, so that all take first in,
 * first out (the shape is Go's and tokio's run queue). Both ends are 64 bits
 * and only grow, so that a word which a compare-and-swap finds unchanged was
 * unchanged.
 *
 * tests/model/pool_deque.pml is this file as a model.
 */
#include "queue/queue.h"

#define FIRST_SIZE 64u

static bool deque_grow(struct pillion__deque *deque,
                       struct pillion__buffer *old, uint64_t head,
                       uint64_t tail) {
  uint64_t size = old == NULL ? FIRST_SIZE : 2 * (old->mask + 1);
  struct pillion__buffer *new =
      pillion__alloc(sizeof *new + size * sizeof *new->slots);
  if (new == NULL) return false;
  new->older = old;
  new->mask = size - 1;
  for (uint64_t i = head; i != tail; i++)
    atomic_init(&new->slots[i & new->mask],
                pillion__peek(&old->slots[i & old->mask]));
  atomic_store_explicit(&deque->buffer, new, memory_order_release);
  return true;
}

/* The first buffer, so that a few pushes can't fail. */
bool pillion__deque_open(struct pillion__deque *deque) {
  return atomic_load(&deque->buffer) != NULL || deque_grow(deque, NULL, 0, 0);
}

/*
 * The owner's. With `fenced` the slot is visible to other threads before the
 * caller's next load. False if there is no memory.
 */
bool pillion__deque_push(struct pillion__deque *deque, uint32_t slot,
                         bool fenced) {
  uint64_t tail = pillion__peek(&deque->tail);
  uint64_t head = atomic_load_explicit(&deque->head, memory_order_acquire);
  struct pillion__buffer *buffer = pillion__peek(&deque->buffer);
  if (PILLION__UNLIKELY(tail - head > buffer->mask)) {
    if (!deque_grow(deque, buffer, head, tail)) return false;
    buffer = pillion__peek(&deque->buffer);
  }
  pillion__set(&buffer->slots[tail & buffer->mask], slot);
  if (fenced) atomic_store(&deque->tail, tail + 1);
  else atomic_store_explicit(&deque->tail, tail + 1, memory_order_release);
  return true;
}

/* The owner's. The compare-and-swap is also a fence for its pushes. */
bool pillion__deque_pop(struct pillion__deque *deque, uint32_t *out) {
  uint64_t tail = pillion__peek(&deque->tail);
  uint64_t head = pillion__peek(&deque->head);
  struct pillion__buffer *buffer = pillion__peek(&deque->buffer);
  do {
    if (head == tail) return false;
    *out = pillion__peek(&buffer->slots[head & buffer->mask]);
  } while (!atomic_compare_exchange_weak(&deque->head, &head, head + 1));
  return true;
}

/*
 * Moves the older half of `from`, another worker's, into `to`, the caller's own
 * and empty, as far as there is room. The copy comes before the
 * compare-and-swap: if that succeeds, the owner has overwritten nothing. The
 * tail is read before the buffer, so that the buffer is at least as new as the
 * tail.
 */
uint32_t pillion__deque_steal(struct pillion__deque *to,
                              struct pillion__deque *from) {
  uint64_t at = pillion__peek(&to->tail);
  struct pillion__buffer *into = pillion__peek(&to->buffer);
  uint64_t head = atomic_load(&from->head);
  for (;;) {
    uint64_t tail = atomic_load(&from->tail);
    if ((int64_t)(tail - head) <= 0) return 0;
    uint64_t n = (tail - head + 1) / 2;
    struct pillion__buffer *buffer =
        atomic_load_explicit(&from->buffer, memory_order_acquire);
    if (n > into->mask + 1) n = into->mask + 1;
    for (uint64_t i = 0; i < n; i++)
      pillion__set(&into->slots[(at + i) & into->mask],
                   pillion__peek(&buffer->slots[(head + i) & buffer->mask]));
    if (atomic_compare_exchange_strong(&from->head, &head, head + n)) {
      atomic_store(&to->tail, at + n);
      return (uint32_t)n;
    }
  }
}

/* Once no thief is left. */
void pillion__deque_free(struct pillion__deque *deque) {
  struct pillion__buffer *buffer = atomic_load(&deque->buffer);
  atomic_store(&deque->buffer, NULL);
  while (buffer != NULL) {
    struct pillion__buffer *older = buffer->older;
    pillion__free(buffer);
    buffer = older;
  }
}
