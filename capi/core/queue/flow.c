/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A flow: a bounded queue of items with one writer and one reader, who grants
 * credit. A grant may come from any thread.
 *
 *   0 .. read .. written .. granted        written <= granted
 *                                          granted <= read + capacity
 *
 * A side that finds nothing to do leaves a word, and looks again; the other
 * side does its step, and then takes the word out. So one of them sees the
 * other. A side that has found something takes its own word back; if the word
 * is gone by then a wake is on its way, so the side waits for that. What the
 * word means is the caller's business: each function gives the word that it
 * took out, or 0, in *wake. tests/model/flow.pml is the model.
 */
#include <string.h>

#include "object/object.h"
#include "queue/queue.h"

/* `credit` is 0 for a flow without items. */
int pillion__flow_open(struct pillion__flow *flow, uint32_t credit) {
  uint32_t capacity = credit == 0 ? 0 : 1;
  while (capacity < credit) capacity *= 2;
  flow->items = NULL;
  if (capacity > 0) {
    flow->items = pillion__alloc(capacity * sizeof *flow->items);
    if (flow->items == NULL) return PILLION_ENOMEM;
  }
  flow->capacity = capacity;
  flow->other = 0;
  pillion__set(&flow->read, 0);
  pillion__set(&flow->written, 0);
  pillion__set(&flow->granted, credit);
  pillion__set(&flow->writer, 0);
  pillion__set(&flow->reader, 0);
  pillion__set(&flow->bytes, 0);
  pillion__set(&flow->state, 0);
  pillion__set(&flow->window.open, 0);
  flow->window.queue = (struct pillion__list){0};
  return 0;
}

/* Drops what was not read. Neither side uses the flow any more. */
void pillion__flow_shut(struct pillion__flow *flow) {
  struct pillion__item item;
  uint64_t none;
  while (pillion__flow_take(flow, &item, &none)) pillion__item_drop(&item);
  pillion__free(flow->items);
  flow->items = NULL;
}

void pillion__item_drop(struct pillion__item *item) {
  if (item->function == PILLION__ITEM_OBJECT)
    pillion__object_drop(pillion__item_object(item));
  else if (item->length > PILLION_INLINE && item->payload.ref.release != NULL)
    item->payload.ref.release(item->payload.ref.owner);
}

/* A seq_cst step on the flow stands before it. */
static uint64_t take_out(_Atomic uint64_t *waits) {
  return atomic_load(waits) == 0 ? 0 : atomic_exchange(waits, 0);
}

/* Small items are bounded by their number, and one item always has room. */
static bool room(struct pillion__flow *flow, uint64_t length) {
  if (pillion__peek(&flow->written) == atomic_load(&flow->granted))
    return false;
  if (length <= PILLION_INLINE) return true;
  uint32_t bytes = atomic_load(&flow->bytes);
  return bytes == 0 || bytes + length <= PILLION__FLOW_BYTES;
}

/* ---- The writer ---------------------------------------------------------- */

/* 0: an item of `length` bytes may be put. PILLION_EAGAIN, PILLION_ECLOSED. */
int pillion__flow_room(struct pillion__flow *flow, uint64_t length) {
  if (pillion__peek(&flow->state) &
      (PILLION__FLOW_FINISHED | PILLION__FLOW_REFUSED))
    return PILLION_ECLOSED;
  return room(flow, length) ? 0 : PILLION_EAGAIN;
}

/* After an item was written. */
uint64_t pillion__flow_reader(struct pillion__flow *flow) {
  return take_out(&flow->reader);
}

/*
 * There is room for it. The flow owns it from here on. Go does the same for its
 * short items.
 */
void pillion__flow_put(struct pillion__flow *flow,
                       const struct pillion__item *item, uint64_t *wake) {
  uint32_t at = pillion__peek(&flow->written);
  flow->items[at & (flow->capacity - 1)] = *item;
  if (item->length > PILLION_INLINE)
    atomic_fetch_add(&flow->bytes, item->length);
  atomic_store(&flow->written, at + 1);
  *wake = pillion__flow_reader(flow);
}

/*
 * After PILLION_EAGAIN: reports whether `who` waits. If not, there is room for
 * `length` bytes, or the reader wants no more.
 */
bool pillion__flow_await_room(struct pillion__flow *flow, uint64_t who,
                              uint64_t length) {
  uint64_t earlier = atomic_exchange(&flow->writer, who);
  if (!room(flow, length) &&
      !(atomic_load(&flow->state) & PILLION__FLOW_REFUSED))
    return true;
  /* The word is also an earlier writer's, which was told that it waits. */
  return earlier == 0 && atomic_exchange(&flow->writer, 0) == 0;
}

/* ---- The reader ---------------------------------------------------------- */

/* Not empty: the first of the items that stand in a row, and how many. */
struct pillion__item *pillion__flow_row(const struct pillion__flow *flow,
                                        uint32_t *count) {
  uint32_t read = pillion__peek(&flow->read), mask = flow->capacity - 1;
  uint32_t written = atomic_load_explicit(&flow->written, memory_order_acquire);
  *count = written - read;
  if (*count > flow->capacity - (read & mask))
    *count = flow->capacity - (read & mask);
  return &flow->items[read & mask];
}

/*
 * The first `count` were read, and belong to the caller. `bytes`: of the longer
 * ones among them.
 */
void pillion__flow_pass(struct pillion__flow *flow, uint32_t count,
                        uint32_t bytes, uint64_t *wake) {
  atomic_store_explicit(&flow->read, pillion__peek(&flow->read) + count,
                        memory_order_release);
  *wake = 0;
  if (bytes == 0) return;
  atomic_fetch_sub(&flow->bytes, bytes);
  *wake = take_out(&flow->writer);
}

/* The caller owns the item after true. */
bool pillion__flow_take(struct pillion__flow *flow, struct pillion__item *item,
                        uint64_t *wake) {
  *wake = 0;
  if (pillion__flow_empty(flow)) return false;
  uint32_t count;
  *item = *pillion__flow_row(flow, &count);
  pillion__flow_pass(flow, 1, pillion__item_elsewhere(item), wake);
  return true;
}

/* Reports whether `who` waits. If not, there is an item, or the writer's end. */
bool pillion__flow_await_item(struct pillion__flow *flow, uint64_t who) {
  atomic_store(&flow->reader, who);
  if (atomic_load(&flow->written) == pillion__peek(&flow->read) &&
      !(atomic_load(&flow->state) & PILLION__FLOW_FINISHED))
    return true;
  return atomic_exchange(&flow->reader, 0) == 0;
}

/* On any thread: how many were granted. */
uint32_t pillion__flow_grant(struct pillion__flow *flow, uint32_t items,
                             uint64_t *wake) {
  uint32_t old = atomic_load(&flow->granted), more;
  *wake = 0;
  do {
    uint32_t read = atomic_load_explicit(&flow->read, memory_order_acquire);
    more = read + flow->capacity - old;
    if (more > items) more = items;
    if (more == 0) return 0;
  } while (!atomic_compare_exchange_weak(&flow->granted, &old, old + more));
  *wake = take_out(&flow->writer);
  return more;
}

/* ---- Both ---------------------------------------------------------------- */

/* FINISHED by the writer, or REFUSED by the reader. */
void pillion__flow_end(struct pillion__flow *flow, uint32_t bit,
                       uint64_t *wake) {
  atomic_fetch_or(&flow->state, bit);
  *wake =
      take_out(bit == PILLION__FLOW_FINISHED ? &flow->reader : &flow->writer);
}
