/* SPDX-License-Identifier: Apache-2.0 */

/* What a turn gives to its host: ends and posted events. */
#include "executor/executor.h"

static void release_lent(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot, type;
  while ((head = pillion__list_pop(&ex->taken, &slot, &type)) != NULL)
    if (type == PILLION__CHUNK_TASKS)
      pillion__task_release(ex, (struct pillion__cell *)head, slot);
    else pillion__kinds[type]->release(head, slot);
  pillion__posts_release(ex);
}

/* The host handles the events of a turn around the one that begins. */
__attribute__((noinline)) static void put_aside(struct pillion__executor *ex,
                                                uint32_t depth) {
  for (; ex->depth < depth; ex->depth++) {
    if (ex->depth == PILLION__DEPTHS) continue;
    ex->outer[ex->depth] = (struct pillion__lent){ex->taken, ex->posts_lent};
    ex->taken = (struct pillion__list){0, 0};
    ex->posts_lent = NULL;
  }
}

/* The host has left a handler, and the loop in there. */
__attribute__((noinline)) static void take_back(struct pillion__executor *ex,
                                                uint32_t depth) {
  for (; ex->depth > depth; ex->depth--) {
    if (ex->depth > PILLION__DEPTHS) continue;
    release_lent(ex);
    ex->taken = ex->outer[ex->depth - 1].taken;
    ex->posts_lent = ex->outer[ex->depth - 1].posts;
  }
}

/*
 * Ends the payloads of turns that are as deep as the one that begins, and
 * deeper. Those of turns deeper than there are places wait for one that is not.
 */
void pillion__lent_end(struct pillion__executor *ex, uint32_t depth) {
  if (PILLION__UNLIKELY(ex->depth < depth)) {
    put_aside(ex, depth);
    return;
  }
  if (PILLION__UNLIKELY(ex->depth > depth)) take_back(ex, depth);
  if (depth <= PILLION__DEPTHS) release_lent(ex);
}

static size_t take_ended(struct pillion__executor *ex, pillion_event *events,
                         size_t cap) {
  struct pillion__head *head;
  uint32_t slot, type;
  size_t n = 0;
  while (n < cap && (head = pillion__list_pop(&ex->done, &slot, &type)) != NULL)
    if (PILLION__LIKELY(type == PILLION__CHUNK_TASKS))
      pillion__task_event(ex, (struct pillion__cell *)head, slot, &events[n++]);
    else n += pillion__kinds[type]->event(ex, head, slot, &events[n], cap - n);
  if (ex->calls_taken > 0) {
    atomic_fetch_sub(&ex->calls_live, ex->calls_taken);
    ex->calls_taken = 0;
  }
  return n;
}

/* In turn: neither kind keeps the other from being taken, even in a flood. */
size_t pillion__take(struct pillion__executor *ex, pillion_event *events,
                     size_t cap) {
  size_t n = 0;
  if (cap == 0) return 0; /* `events` may be NULL then */
  if (ex->counts.turns % 2 == 0) n = pillion__posts_take(ex, events, cap);
  n += take_ended(ex, events + n, cap - n);
  if (n < cap) n += pillion__posts_take(ex, events + n, cap - n);
  ex->counts.events += n;
  return n;
}

/* Ends all that wait, for the free of an executor. */
void pillion__drop_events(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot, type;
  pillion__lent_end(ex, 0);
  while ((head = pillion__list_pop(&ex->done, &slot, &type)) != NULL)
    if (type == PILLION__CHUNK_TASKS)
      pillion__task_discard(ex, (struct pillion__cell *)head, slot);
    else pillion__kinds[type]->drop(head, slot);
}
