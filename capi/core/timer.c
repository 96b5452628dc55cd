/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Timers: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) through
 * the callers' own storage. Arming is one comparison, and cannot fail.
 *
 * `prev` is the elder sibling, or the parent of a first child; the root has
 * itself there, so that a NULL means "not armed".
 */
#include <time.h>

#include "core.h"

int64_t pillion__now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static pillion_timer *meld(pillion_timer *a, pillion_timer *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (b->deadline < a->deadline) {
    pillion_timer *t = a;
    a = b;
    b = t;
  }
  b->next = a->child;
  if (b->next != NULL) b->next->prev = b;
  b->prev = a;
  a->child = b;
  return a;
}

/* Melds siblings in pairs, then the pairs from the last to the first. */
static pillion_timer *meld_all(pillion_timer *first) {
  pillion_timer *pairs = NULL, *root = NULL;
  while (first != NULL) {
    pillion_timer *a = first, *b = first->next;
    first = b == NULL ? NULL : b->next;
    a->next = NULL;
    if (b != NULL) b->next = NULL;
    a = meld(a, b);
    a->next = pairs;
    pairs = a;
  }
  while (pairs != NULL) {
    pillion_timer *a = pairs;
    pairs = a->next;
    a->next = NULL;
    root = meld(root, a);
  }
  return root;
}

static void remove_timer(struct pillion__executor *ex, pillion_timer *timer) {
  pillion_timer *rest = meld_all(timer->child);
  if (timer == ex->timers) {
    ex->timers = rest;
  } else {
    if (timer->prev->child == timer)
      timer->prev->child = timer->next;
    else
      timer->prev->next = timer->next;
    if (timer->next != NULL) timer->next->prev = timer->prev;
    ex->timers = meld(ex->timers, rest);
  }
  if (ex->timers != NULL) ex->timers->prev = ex->timers;
  timer->child = timer->next = timer->prev = NULL;
}

void pillion__timer_clear(pillion_timer *timer) {
  if (timer->prev != NULL) remove_timer(timer->runtime, timer);
}

int pillion__timer_set(pillion_timer *timer, pillion_context *cx,
                       int64_t deadline) {
  struct pillion__executor *ex = cx->runtime;
  if (timer->prev != NULL) {
    if (timer->runtime != ex) return PILLION_EINVAL;
    remove_timer(ex, timer);
  }
  timer->deadline = deadline;
  timer->waker = cx->waker;
  timer->ops = cx->ops;
  timer->runtime = ex;
  timer->child = timer->next = NULL;
  ex->timers = meld(ex->timers, timer);
  ex->timers->prev = ex->timers;
  return 0;
}

void pillion__timers_fire(struct pillion__executor *ex, int64_t now) {
  while (ex->timers != NULL && ex->timers->deadline <= now) {
    pillion_timer *timer = ex->timers;
    remove_timer(ex, timer);
    pillion__wake_local_in(ex, timer->waker);
  }
}
