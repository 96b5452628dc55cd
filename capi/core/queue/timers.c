/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Timers, through the callers' own storage: arming one allocates nothing and
 * cannot fail. They fire in the order of (deadline, arming).
 *
 * wheel.c has the timers that are due at `wheel.base` or later. A timer for an
 * earlier time, long past, is rare, and waits in a pairing heap (Fredman,
 * Sedgewick, Sleator, Tarjan 1986). There `prev` is the elder sibling, or the
 * parent of a first child; that of the root is the root. There, too, NULL is
 * "not armed".
 */
#include "queue/queue.h"

/* ---- The late ones ------------------------------------------------------- */

static bool is_before(const pillion_timer *a, const pillion_timer *b) {
  return a->deadline != b->deadline ? a->deadline < b->deadline
                                    : a->seq < b->seq;
}

static pillion_timer *meld(pillion_timer *a, pillion_timer *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (is_before(b, a)) {
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

static void late_put(struct pillion__timers *timers, pillion_timer *timer) {
  timer->seq = ++timers->seq;
  timer->child = timer->next = NULL;
  timers->late = meld(timers->late, timer);
  timers->late->prev = timers->late;
}

static void late_remove(struct pillion__timers *timers, pillion_timer *timer) {
  pillion_timer *rest = meld_all(timer->child);
  if (timer == timers->late) {
    timers->late = rest;
  } else {
    if (timer->prev->child == timer) timer->prev->child = timer->next;
    else timer->prev->next = timer->next;
    if (timer->next != NULL) timer->next->prev = timer->prev;
    timers->late = meld(timers->late, rest);
  }
  if (timers->late != NULL) timers->late->prev = timers->late;
}

/* ---- All of them --------------------------------------------------------- */

static int64_t earliest(const struct pillion__timers *timers) {
  if (timers->late != NULL) return timers->late->deadline;
  const struct pillion__wheel_list *first =
      pillion__wheel_first(&timers->wheel);
  return first == NULL ? PILLION_TIME_NEVER : first->least;
}

void pillion__timers_disarm(struct pillion__timers *timers,
                            pillion_timer *timer) {
  if (timer->deadline < timers->wheel.base) late_remove(timers, timer);
  else pillion__wheel_remove(&timers->wheel, timer);
  timer->prev = NULL;
  timers->armed--;
  if (timer->deadline == timers->deadline) timers->deadline = earliest(timers);
}

/* Arms it for the task in `cx`, whose waker may be a task's handle. */
__attribute__((always_inline)) inline int pillion__timers_arm(
    struct pillion__timers *timers, pillion_timer *timer,
    const pillion_context *cx, uint64_t waker, int64_t deadline) {
  if (timer->prev != NULL) {
    if (timer->runtime != cx->runtime) return PILLION_EINVAL;
    pillion__timers_disarm(timers, timer);
  } else if (timers->armed >= timers->max_armed &&
             deadline != PILLION_TIME_NEVER) {
    return PILLION_EAGAIN;
  }
  timer->deadline = deadline;
  timer->waker = waker;
  timer->ops = cx->ops;
  timer->runtime = cx->runtime;
  if (deadline == PILLION_TIME_NEVER) return 0;
  timers->armed++;
  if (timers->wheel.levels == 0 && timers->wheel.base < cx->now)
    timers->wheel.base = cx->now;
  if (deadline < timers->wheel.base) late_put(timers, timer);
  else pillion__wheel_put(&timers->wheel, timer);
  if (deadline < timers->deadline) timers->deadline = deadline;
  return 0;
}

static inline void expire(struct pillion__timers *timers, pillion_timer *timer,
                          void (*fn)(void *data, uint64_t waker), void *data) {
  timer->prev = NULL;
  timers->armed--;
  fn(data, timer->waker);
}

/* Calls `fn` with the wakers of all due timers; `fn` may arm and disarm any. */
__attribute__((always_inline)) inline void pillion__timers_expire(
    struct pillion__timers *timers, int64_t now,
    void (*fn)(void *data, uint64_t waker), void *data) {
  pillion_timer *timer;
  while ((timer = timers->late) != NULL && timer->deadline <= now) {
    late_remove(timers, timer);
    expire(timers, timer, fn, data);
  }
  if (timer == NULL)
    while ((timer = pillion__wheel_due(&timers->wheel, now)) != NULL)
      expire(timers, timer, fn, data);
  timers->deadline = earliest(timers);
}

/* Disarms all, for the free of an executor. */
void pillion__timers_forget(struct pillion__timers *timers) {
  const struct pillion__wheel_list *first;
  while (timers->late != NULL) pillion__timers_disarm(timers, timers->late);
  while ((first = pillion__wheel_first(&timers->wheel)) != NULL)
    pillion__timers_disarm(timers, first->first);
  timers->wheel.base = 0;
}
