/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Descriptors that the host watches. `told` is what the host was last asked to
 * report; what somebody awaits is always part of it. It grows when more is
 * awaited, and shrinks only when the host reports what nobody does: so a task
 * that reads and awaits again costs no call of the host, and interest that is
 * left over by a cancelled task costs one report.
 *
 * A waiter that was woken stays in its place, with its bit in `woken`, until
 * its task asks. If the host reports it again before, that task is in no hurry:
 * then, too, the host is told less, or its loop would spin.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

#define WAITERS 4u /* one for each event that can be awaited */
#define AWAITABLE ((1u << WAITERS) - 1u)
#define ALWAYS (PILLION_HANGUP | PILLION_FAULT) /* reported to everybody */

struct watch { /* a cell of the executor's */
  struct pillion__head head;
  pillion_waker waiters[WAITERS];
  int32_t fd;
  uint8_t told, woken, came;
  uint8_t known; /* to the host: it is owed an unwatch */
};
_Static_assert(sizeof(struct watch) == sizeof(struct pillion__cell),
               "a watch is a cell");

static uint64_t watch_key(uint32_t slot, const struct pillion__head *head) {
  return pillion__handle(
      PILLION__WATCH, slot,
      atomic_load_explicit(&head->gen, memory_order_relaxed));
}

/* NULL if it was never one of the library's. */
static struct pillion__head *key_head(uint64_t key, uint32_t *type) {
  struct pillion__head *head = pillion__head_of(key, type);
  bool formed = pillion__kind_of(key) == PILLION__WATCH &&
                pillion__gen_of(key) != 0;
  return formed ? head : NULL;
}

static bool key_stale(uint64_t key, struct pillion__head *head) {
  return atomic_load_explicit(&head->gen, memory_order_acquire) !=
         pillion__gen_of(key);
}

static struct pillion__executor *key_executor(uint64_t key) {
  return atomic_load(
      &pillion__directory[pillion__slot_of(key) / PILLION__CHUNK].executor);
}

/* The hook is the program's, and may do what it likes with the watch. */
static int tell(struct pillion__executor *ex, struct watch *watch,
                uint32_t slot, uint32_t events) {
  uint64_t key = watch_key(slot, &watch->head);
  uint8_t before = watch->told;
  watch->told = (uint8_t)events;
  int rc = pillion__host_watch(ex, watch->fd, events, key);
  if (key_stale(key, &watch->head)) return PILLION_ECLOSED;
  if (rc < 0)
    watch->told = before;
  else
    watch->known = 1;
  return rc < 0 ? rc : 0;
}

/* ---- Waiters ------------------------------------------------------------- */

static uint32_t awaited(const struct watch *watch) {
  uint32_t events = 0;
  for (uint32_t i = 0; i < WAITERS; i++)
    if (watch->waiters[i] != 0) events |= 1u << i;
  return events;
}

/* Gives the places in `events` up. */
static void forget(struct watch *watch, uint32_t events) {
  for (uint32_t i = 0; i < WAITERS; i++)
    if (events >> i & 1u) watch->waiters[i] = 0;
  watch->woken &= (uint8_t)~events;
  if (watch->woken == 0) watch->came = 0;
}

/* Those who wait in `events` and were not woken before. */
static uint32_t wake(struct pillion__executor *ex, struct watch *watch,
                     uint32_t events) {
  uint32_t woken = 0;
  for (uint32_t i = 0; i < WAITERS; i++) {
    if (!(events >> i & 1u) || watch->waiters[i] == 0 || watch->woken >> i & 1u)
      continue;
    if (pillion__wake_local_in(ex, watch->waiters[i]) == PILLION_STALE)
      watch->waiters[i] = 0; /* cancelled, or evicted */
    else
      woken |= 1u << i;
  }
  watch->woken |= (uint8_t)woken;
  return woken;
}

static bool waits(pillion_waker waker) {
  struct pillion__cell *cell = pillion__cell_at(pillion__slot_of(waker));
  return atomic_load_explicit(&cell->head.gen, memory_order_relaxed) ==
             pillion__gen_of(waker) &&
         (cell->head.flags & (PILLION__LIVE | PILLION__ENDED)) ==
             PILLION__LIVE;
}

/* The places in `events` that the task of `waker` has. */
static uint32_t places(const struct watch *watch, pillion_waker waker,
                       uint32_t events) {
  uint32_t mine = 0;
  for (uint32_t i = 0; i < WAITERS; i++)
    if (events >> i & 1u && watch->waiters[i] == waker) mine |= 1u << i;
  return mine;
}

static int watch_find(struct watch **out, pillion_context *cx,
                      pillion_watch handle) {
  uint32_t type;
  struct pillion__head *head = key_head(handle, &type);
  if (head == NULL || type != PILLION__CHUNK_TASKS) return PILLION_EBADHANDLE;
  uint32_t gen = atomic_load_explicit(&head->gen, memory_order_acquire);
  if (gen != pillion__gen_of(handle))
    return (int32_t)(gen - pillion__gen_of(handle)) > 0 ? PILLION_ECLOSED
                                                        : PILLION_EBADHANDLE;
  if (key_executor(handle) != cx->runtime) return PILLION_EWRONGTHREAD;
  if (!(head->flags & PILLION__WATCHES)) return PILLION_EBADHANDLE;
  *out = (struct watch *)head;
  return 0;
}

int pillion__watch_ready(uint32_t *events, pillion_context *cx,
                         pillion_watch handle, uint32_t interest) {
  struct watch *watch;
  int rc = watch_find(&watch, cx, handle);
  if (rc < 0) return rc;
  if (interest == 0 || interest & ~AWAITABLE) return PILLION_EINVAL;
  uint32_t mine = places(watch, cx->waker, interest);
  if (watch->woken & mine) {
    uint32_t came = watch->came & (interest | ALWAYS);
    forget(watch, mine);
    if (events != NULL) *events = came;
    return PILLION_READY;
  }
  for (uint32_t i = 0; i < WAITERS; i++)
    if ((interest & ~mine) >> i & 1u && watch->waiters[i] != 0 &&
        waits(watch->waiters[i]))
      return PILLION_EBUSY;
  forget(watch, interest & ~mine);
  for (uint32_t i = 0; i < WAITERS; i++)
    if (interest >> i & 1u) watch->waiters[i] = cx->waker;
  uint32_t want = awaited(watch) & ~watch->woken;
  if ((want & ~watch->told) == 0) return PILLION_PENDING;
  rc = tell(cx->runtime, watch, pillion__slot_of(handle), want | watch->told);
  if (rc == 0) return PILLION_PENDING;
  if (!key_stale(handle, &watch->head)) forget(watch, interest);
  return rc;
}

void pillion__watch_clear(pillion_context *cx, pillion_watch handle,
                          uint32_t interest) {
  struct watch *watch;
  if (watch_find(&watch, cx, handle) == 0)
    forget(watch, places(watch, cx->waker, interest));
}

/* ---- Reports ------------------------------------------------------------- */

/* True if somebody was woken. */
static bool report(struct pillion__executor *ex, struct watch *watch,
                   uint32_t slot, uint32_t events) {
  uint32_t woken = wake(ex, watch, events & ALWAYS ? AWAITABLE : events);
  if (watch->woken != 0) watch->came |= (uint8_t)events;
  if (events & PILLION_FAULT) {
    watch->told = 0; /* the host has stopped by itself */
    return woken != 0;
  }
  uint32_t superfluous = events & ~woken;
  if (events & PILLION_HANGUP) /* it comes whatever the host was told */
    superfluous = woken == 0 ? AWAITABLE : superfluous & ~PILLION_HANGUP;
  if (superfluous & watch->told)
    tell(ex, watch, slot, watch->told & ~superfluous);
  return woken != 0;
}

int pillion_executor_ready(pillion_executor executor, uint64_t key,
                           uint32_t events) {
  struct pillion__executor *ex;
  uint32_t type, slot = pillion__slot_of(key);
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (rc < 0) return rc;
  bool follows = events & PILLION_TURN_FOLLOWS && !pillion__turning;
  events &= ~PILLION_TURN_FOLLOWS;
  if (events & ~(AWAITABLE | PILLION_FAULT)) return PILLION_EINVAL;
  struct pillion__head *head = key_head(key, &type);
  if (head == NULL || key_executor(key) != ex || key_stale(key, head))
    return PILLION_EBADHANDLE;
  if (type != PILLION__CHUNK_GUEST &&
      (type != PILLION__CHUNK_TASKS || !(head->flags & PILLION__WATCHES)))
    return PILLION_EBADHANDLE;
  if (follows) pillion__park_enter(ex); /* nobody pokes any more */
  if (type == PILLION__CHUNK_GUEST) {
    rc = pillion__post(head, slot, pillion__gen_of(key),
                       events << PILLION__EVENTS_SHIFT);
    return rc == PILLION_STALE ? PILLION_EBADHANDLE : 0;
  }
  if (report(ex, (struct watch *)head, slot, events) &&
      !atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    pillion__poke(ex);
  return 0;
}

/* ---- Opening and closing ------------------------------------------------- */

int pillion_watch_open(pillion_watch *out, pillion_executor executor, int fd,
                       uint32_t flags) {
  struct pillion__executor *ex;
  uint32_t slot;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (rc < 0) return rc;
  if (out == NULL || flags & ~PILLION_WATCH_OWN || fd < 0 ||
      fcntl(fd, F_GETFD) < 0)
    return PILLION_EINVAL;
  if (pillion__closing(ex) == 1 + PILLION_CLOSE_CANCEL) return PILLION_ECLOSED;
  rc = pillion__slot_take(ex, &slot);
  if (rc < 0) return rc;
  struct watch *watch = (struct watch *)pillion__cell_at(slot);
  rc = pillion__fd_claim(ex, fd, slot);
  if (rc < 0) {
    pillion__slot_give(ex, (struct pillion__cell *)watch, slot);
    return rc;
  }
  watch->head.flags = PILLION__WATCHES;
  if (flags & PILLION_WATCH_OWN) watch->head.flags |= PILLION__OWNS;
  watch->fd = fd;
  watch->told = watch->woken = watch->came = watch->known = 0;
  memset(watch->waiters, 0, sizeof watch->waiters);
  *out = watch_key(slot, &watch->head);
  return 0;
}

/* What is woken, and the hook, find the handle stale. */
static bool watch_end(struct pillion__executor *ex, struct watch *watch,
                      uint32_t slot) {
  uint64_t key = watch_key(slot, &watch->head);
  int fd = watch->fd;
  bool owns = watch->head.flags & PILLION__OWNS, known = watch->known;
  bool woken = wake(ex, watch, AWAITABLE) != 0;
  uint32_t asked = watch->head.flags & PILLION__ASKED;
  watch->head.flags = asked;
  atomic_store_explicit(&watch->head.gen, pillion__gen_of(key) + 1,
                        memory_order_release);
  if (!asked) /* else it is in a list */
    pillion__slot_give(ex, (struct pillion__cell *)watch, slot);
  if (known) pillion__host_unwatch(ex, fd, key);
  pillion__fd_let_go(ex, fd);
  if (owns) pillion__descriptor_close(fd);
  return woken;
}

int pillion_watch_close(pillion_watch handle) {
  uint32_t type, slot = pillion__slot_of(handle);
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = key_head(handle, &type);
  if (head == NULL || type != PILLION__CHUNK_TASKS || key_stale(handle, head))
    return PILLION_EBADHANDLE;
  struct pillion__executor *ex = key_executor(handle);
  if (atomic_load_explicit(&ex->owner, memory_order_relaxed) !=
      pillion__me()) {
    int rc = pillion__post_once(head, slot, pillion__gen_of(handle),
                                PILLION__CLOSE);
    return rc == 0 ? 0 : PILLION_EBADHANDLE;
  }
  if (!(head->flags & PILLION__WATCHES)) return PILLION_EBADHANDLE;
  bool again = pillion__mark_once(head, pillion__gen_of(handle), PILLION__CLOSE);
  if (watch_end(ex, (struct watch *)head, slot) &&
      !atomic_load_explicit(&ex->in_turn, memory_order_relaxed))
    pillion__poke(ex);
  return again ? PILLION_EBADHANDLE : 0;
}

/* A close calls the host, which is not to be done wherever posts are taken. */
void pillion__watch_posted(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot,
                           uint32_t bits) {
  if (!(bits & PILLION__CLOSE) || head->flags & PILLION__ASKED) return;
  head->flags |= PILLION__ASKED;
  pillion__list_push(&ex->unwatched, slot);
}

void pillion__watches_close_asked(struct pillion__executor *ex) {
  uint32_t found;
  while ((found = pillion__list_pop(&ex->unwatched)) != 0) {
    struct pillion__cell *cell = pillion__cell_at(found - 1);
    cell->head.flags &= ~PILLION__ASKED;
    if (cell->head.flags & PILLION__WATCHES)
      watch_end(ex, (struct watch *)cell, found - 1);
    else /* the owner was faster */
      pillion__slot_give(ex, cell, found - 1);
  }
}

/* ---- All of them --------------------------------------------------------- */

/* Those of Go's, too; the head tells whose it is. */
static struct pillion__head *watch_at(struct pillion__executor *ex, int fd,
                                      uint32_t *slot, bool *guest) {
  uint32_t type;
  if (ex->watched[fd] == 0) return NULL;
  *slot = ex->watched[fd] - 1;
  struct pillion__head *head = pillion__head_of((uint64_t)*slot << 32, &type);
  *guest = type == PILLION__CHUNK_GUEST;
  return head;
}

void pillion__watches_close(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot;
  bool guest;
  for (int fd = 0; (uint32_t)fd < ex->watched_cap; fd++)
    if ((head = watch_at(ex, fd, &slot, &guest)) != NULL && !guest)
      watch_end(ex, (struct watch *)head, slot);
  pillion__watches_close_asked(ex);
}

/* The host is about to go. */
void pillion__watches_leave(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot;
  bool guest;
  for (int fd = 0; (uint32_t)fd < ex->watched_cap; fd++) {
    if ((head = watch_at(ex, fd, &slot, &guest)) == NULL) continue;
    struct watch *watch = (struct watch *)head;
    uint64_t key = watch_key(slot, head);
    if (guest) { /* Go makes it known anew */
      pillion__fd_let_go(ex, fd);
      pillion__host_unwatch(ex, fd, key);
    } else if (watch->known) { /* the hook may close it */
      watch->known = watch->told = 0;
      pillion__host_unwatch(ex, fd, key);
    }
  }
}

/* A host has come. Who waits for what it can't watch asks again, and hears. */
void pillion__watches_tell(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot;
  bool guest;
  if (atomic_load_explicit(&ex->host, memory_order_relaxed) == NULL) return;
  for (int fd = 0; (uint32_t)fd < ex->watched_cap; fd++) {
    if ((head = watch_at(ex, fd, &slot, &guest)) == NULL || guest) continue;
    struct watch *watch = (struct watch *)head;
    uint32_t want = awaited(watch) & ~watch->woken;
    uint64_t key = watch_key(slot, head);
    if (want == 0 || tell(ex, watch, slot, want) == 0 || key_stale(key, head))
      continue;
    wake(ex, watch, want);
    forget(watch, want);
  }
  if (ex->guest_known && pillion__guest.rewatch != NULL)
    pillion__guest.rewatch(ex->index);
}
