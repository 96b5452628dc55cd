/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Descriptors that the host watches. A watch has a place for each event:
 *
 *             1           2             3           4
 *      free ----> empty ----> awaited ----> woken ----> empty
 *       ^          | ^           |            |
 *       '---- 6 ---'  '---- 5 ---+------------'
 *
 *   1  opened: no other watch of the executor has the descriptor
 *   2  a task awaits the event: its waker stands there, and the host is told,
 *      unless it knows
 *   3  the host reports the event: the task is woken, and keeps its place
 *   4  the task asks, and hears
 *   5  the task gives the place up, or is gone when the host reports
 *   6  closed, by the owner at once, for other threads by the next turn: the
 *      generation grows, and all that wait are woken and find the handle stale
 *
 * `told` has the events that the host was last asked for, among them all
 * awaited ones. It grows when a task awaits more, and shrinks only when the
 * host reports an event that no task awaits. So a task that reads and awaits
 * again costs no call of the host, and an event left over from a cancelled task
 * costs one report.
 *
 * A woken waiter keeps its place, with its bit in `woken`, until its task asks.
 * If the host reports the event again before that, the task is in no hurry:
 * then, too, the host is asked for less, or its loop would spin.
 */
#include <string.h>

#include "executor/executor.h"

#define ALWAYS (PILLION_HANGUP | PILLION_FAULT) /* reported to every waiter */

/* NULL if the key was never one of the library's. */
struct pillion__head *pillion__watch_head(uint64_t key, uint32_t *type) {
  struct pillion__head *head = pillion__head_of(key, type);
  bool formed =
      pillion__tag_of(key) == PILLION__WATCH && pillion__gen_of(key) != 0;
  return formed ? head : NULL;
}

/* ---- Telling the host ---------------------------------------------------- */

/* The hook is the program's, and may do anything to the watch. */
int pillion__watch_tell(struct pillion__executor *ex,
                        struct pillion__watch *watch, uint32_t slot,
                        uint32_t events) {
  uint64_t key = pillion__watch_key(slot, &watch->head);
  uint8_t before = watch->told;
  watch->told = (uint8_t)events;
  int rc = pillion__host_watch(ex, watch->fd, events, key);
  if (pillion__watch_stale(key, &watch->head)) return PILLION_ECLOSED;
  if (rc < 0) watch->told = before;
  else watch->known = 1;
  return rc < 0 ? rc : 0;
}

/* ---- Waiters ------------------------------------------------------------- */

uint32_t pillion__watch_awaited(const struct pillion__watch *watch) {
  uint32_t events = 0;
  for (uint32_t i = 0; i < PILLION__WAITERS; i++)
    if (watch->waiters[i] != 0) events |= 1u << i;
  return events;
}

/* Gives the places in `events` to a task, or with 0 frees them. */
void pillion__watch_give(struct pillion__watch *watch, uint32_t events,
                         pillion_waker waker) {
  for (uint32_t i = 0; i < PILLION__WAITERS; i++)
    if (events >> i & 1u) watch->waiters[i] = waker;
  watch->woken &= (uint8_t)~events;
  if (watch->woken == 0) watch->came = 0;
}

/* The waiters in `events` that were not woken before. */
uint32_t pillion__watch_wake(struct pillion__executor *ex,
                             struct pillion__watch *watch, uint32_t events) {
  uint32_t woken = 0;
  for (uint32_t i = 0; i < PILLION__WAITERS; i++) {
    if (!(events >> i & 1u) || watch->waiters[i] == 0 || watch->woken >> i & 1u)
      continue;
    if (pillion__wake_local_in(ex, watch->waiters[i]) == PILLION_STALE)
      watch->waiters[i] = 0; /* cancelled, or evicted */
    else woken |= 1u << i;
  }
  watch->woken |= (uint8_t)woken;
  return woken;
}

static bool waits(pillion_waker waker) {
  struct pillion__cell *cell = pillion__cell_at(pillion__slot_of(waker));
  return pillion__gen(&cell->head) == pillion__gen_of(waker) &&
         pillion__task_running(cell);
}

/* The places in `events` of the task of `waker`. */
static uint32_t places(const struct pillion__watch *watch, pillion_waker waker,
                       uint32_t events) {
  uint32_t mine = 0;
  for (uint32_t i = 0; i < PILLION__WAITERS; i++)
    if (events >> i & 1u && watch->waiters[i] == waker) mine |= 1u << i;
  return mine;
}

static int watch_find(struct pillion__watch **out, pillion_context *cx,
                      pillion_watch handle) {
  uint32_t type;
  struct pillion__head *head = pillion__watch_head(handle, &type);
  if (head == NULL || type != PILLION__CHUNK_TASKS) return PILLION_EBADHANDLE;
  uint32_t gen = atomic_load_explicit(&head->gen, memory_order_acquire);
  if (gen != pillion__gen_of(handle))
    return (int32_t)(gen - pillion__gen_of(handle)) > 0 ? PILLION_ECLOSED
                                                        : PILLION_EBADHANDLE;
  if (pillion__executor_of(pillion__slot_of(handle)) != cx->runtime)
    return PILLION_EWRONGTHREAD;
  if (!(head->flags & PILLION__WATCH_CELL)) return PILLION_EBADHANDLE;
  *out = (struct pillion__watch *)head;
  return 0;
}

int pillion__watch_ready(uint32_t *events, pillion_context *cx,
                         pillion_watch handle, uint32_t interest) {
  struct pillion__watch *watch;
  int rc = watch_find(&watch, cx, handle);
  if (rc < 0) return rc;
  if (interest == 0 || interest & ~PILLION__AWAITABLE) return PILLION_EINVAL;
  uint32_t mine = places(watch, cx->waker, interest);
  if (watch->woken & mine) {
    uint32_t came = watch->came & (interest | ALWAYS);
    pillion__watch_give(watch, mine, 0);
    if (events != NULL) *events = came;
    return PILLION_READY;
  }
  for (uint32_t i = 0; i < PILLION__WAITERS; i++)
    if ((interest & ~mine) >> i & 1u && watch->waiters[i] != 0 &&
        waits(watch->waiters[i]))
      return PILLION_EBUSY;
  pillion__watch_give(watch, interest & ~mine, cx->waker);
  uint32_t want = pillion__watch_awaited(watch) & ~watch->woken;
  if ((want & ~watch->told) == 0) return PILLION_PENDING;
  rc = pillion__watch_tell(cx->runtime, watch, pillion__slot_of(handle),
                           want | watch->told);
  if (rc == 0) return PILLION_PENDING;
  if (!pillion__watch_stale(handle, &watch->head))
    pillion__watch_give(watch, interest, 0);
  return rc;
}

void pillion__watch_clear(pillion_context *cx, pillion_watch handle,
                          uint32_t interest) {
  struct pillion__watch *watch;
  if (watch_find(&watch, cx, handle) == 0)
    pillion__watch_give(watch, places(watch, cx->waker, interest), 0);
}

/* ---- Reports ------------------------------------------------------------- */

/* Reports whether it woke a task. */
static bool report(struct pillion__executor *ex, struct pillion__watch *watch,
                   uint32_t slot, uint32_t events) {
  uint32_t woken = pillion__watch_wake(
      ex, watch, events & ALWAYS ? PILLION__AWAITABLE : events);
  if (watch->woken != 0) watch->came |= (uint8_t)events;
  if (events & PILLION_FAULT) {
    watch->told = 0; /* the host has stopped watching by itself */
    return woken != 0;
  }
  uint32_t superfluous = events & ~woken;
  if (events & PILLION_HANGUP) /* it comes unasked */
    superfluous =
        woken == 0 ? PILLION__AWAITABLE : superfluous & ~PILLION_HANGUP;
  if (superfluous & watch->told)
    pillion__watch_tell(ex, watch, slot, watch->told & ~superfluous);
  return woken != 0;
}

int pillion__watch_report(struct pillion__executor *ex, uint64_t key,
                          uint32_t events) {
  uint32_t type, slot = pillion__slot_of(key);
  bool follows = events & PILLION_TURN_FOLLOWS && !pillion__turning;
  events &= ~PILLION_TURN_FOLLOWS;
  if (events & ~(PILLION__AWAITABLE | PILLION_FAULT)) return PILLION_EINVAL;
  struct pillion__head *head = pillion__watch_head(key, &type);
  if (head == NULL || pillion__executor_of(pillion__slot_of(key)) != ex ||
      pillion__watch_stale(key, head))
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_GUEST &&
      (type != PILLION__CHUNK_TASKS || !(head->flags & PILLION__WATCH_CELL)))
    return PILLION_EBADHANDLE;
  if (follows) pillion__park_enter(ex); /* no thread pokes any more */
  if (type == PILLION__CHUNK_GUEST) {
    int rc = pillion__ask(head, slot, pillion__gen_of(key),
                          events << PILLION__PEND_EVENTS_SHIFT);
    return rc == PILLION_STALE ? PILLION_EBADHANDLE : 0;
  }
  if (report(ex, (struct pillion__watch *)head, slot, events) &&
      !pillion__in_turn(ex))
    pillion__poke(ex);
  return 0;
}

int pillion_executor_ready(pillion_executor executor, uint64_t key,
                           uint32_t events) {
  struct pillion__executor *ex;
  int rc = pillion__executor_mine(&ex, executor);
  return rc < 0 ? rc : pillion__watch_report(ex, key, events);
}
