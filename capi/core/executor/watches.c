/* SPDX-License-Identifier: Apache-2.0 */

/* Opening and closing watches, one and all. */
#include <fcntl.h>
#include <string.h>

#include "executor/executor.h"

int pillion_watch_open(pillion_watch *out, pillion_executor executor, int fd,
                       uint32_t flags) {
  struct pillion__executor *ex;
  uint32_t slot;
  int rc = pillion__executor_mine(&ex, executor);
  if (rc < 0) return rc;
  if (out == NULL || flags & ~PILLION_WATCH_OWN || fd < 0 ||
      fcntl(fd, F_GETFD) < 0)
    return PILLION_EINVAL;
  if (pillion__closing(&ex->base) == 1 + PILLION_CLOSE_CANCEL)
    return PILLION_ECLOSED;
  rc = pillion__cell_take(ex, &slot);
  if (rc < 0) return rc;
  struct pillion__watch *watch =
      (struct pillion__watch *)pillion__cell_at(slot);
  rc = pillion__fd_claim(ex, fd, slot);
  if (rc < 0) {
    pillion__cell_give(ex, (struct pillion__cell *)watch, slot);
    return rc;
  }
  watch->head.flags = PILLION__WATCH_CELL;
  if (flags & PILLION_WATCH_OWN) watch->head.flags |= PILLION__WATCH_OWNS;
  watch->fd = fd;
  watch->told = watch->woken = watch->came = watch->known = 0;
  memset(watch->waiters, 0, sizeof watch->waiters);
  *out = pillion__watch_key(slot, &watch->head);
  return 0;
}

/* Woken tasks, and the hook, find the handle stale. */
static bool watch_end(struct pillion__executor *ex,
                      struct pillion__watch *watch, uint32_t slot) {
  uint64_t key = pillion__watch_key(slot, &watch->head);
  int fd = watch->fd;
  bool owns = watch->head.flags & PILLION__WATCH_OWNS, known = watch->known;
  bool woken = pillion__watch_wake(ex, watch, PILLION__AWAITABLE) != 0;
  uint32_t asked = watch->head.flags & PILLION__WATCH_LISTED;
  watch->head.flags = asked;
  atomic_store_explicit(&watch->head.gen, pillion__gen_of(key) + 1,
                        memory_order_release);
  if (!asked) /* else it is in a list */
    pillion__cell_give(ex, (struct pillion__cell *)watch, slot);
  if (known) pillion__host_unwatch(ex, fd, key);
  pillion__fd_let_go(ex, fd);
  if (owns) pillion__descriptor_close(fd);
  return woken;
}

int pillion_watch_close(pillion_watch handle) {
  uint32_t type, slot = pillion__slot_of(handle);
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = pillion__watch_head(handle, &type);
  if (head == NULL || type != PILLION__CHUNK_TASKS ||
      pillion__watch_stale(handle, head))
    return PILLION_EBADHANDLE;
  struct pillion__executor *ex = pillion__executor_of(pillion__slot_of(handle));
  if (!pillion__owned_here(ex)) {
    int rc = pillion__ask_once(head, slot, pillion__gen_of(handle),
                               PILLION__PEND_CLOSE);
    return rc == 0 ? 0 : PILLION_EBADHANDLE;
  }
  if (!(head->flags & PILLION__WATCH_CELL)) return PILLION_EBADHANDLE;
  bool again =
      pillion__mark_once(head, pillion__gen_of(handle), PILLION__PEND_CLOSE);
  if (watch_end(ex, (struct pillion__watch *)head, slot) &&
      !pillion__in_turn(ex))
    pillion__poke(ex);
  return again ? PILLION_EBADHANDLE : 0;
}

/* Closing calls the host, so it waits for the next turn. */
void pillion__watch_posted(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot,
                           uint32_t bits) {
  if (!(bits & PILLION__PEND_CLOSE) || head->flags & PILLION__WATCH_LISTED)
    return;
  head->flags |= PILLION__WATCH_LISTED;
  pillion__list_push(&ex->unwatched, slot);
}

void pillion__watches_close_asked(struct pillion__executor *ex) {
  struct pillion__head *head;
  uint32_t slot, type;
  while ((head = pillion__list_pop(&ex->unwatched, &slot, &type)) != NULL) {
    head->flags &= ~PILLION__WATCH_LISTED;
    if (head->flags & PILLION__WATCH_CELL)
      watch_end(ex, (struct pillion__watch *)head, slot);
    else /* the owner was faster */
      pillion__cell_give(ex, (struct pillion__cell *)head, slot);
  }
}

/* ---- All of them --------------------------------------------------------- */

/* Finds the next watch behind `*fd`, Go's too, or answers NULL. */
static struct pillion__watch *watch_next(struct pillion__executor *ex, int *fd,
                                         uint32_t *slot, bool *guest) {
  uint32_t type;
  do
    if ((uint32_t)++*fd >= ex->watched_cap) return NULL;
  while (ex->watched[*fd] == 0);
  *slot = ex->watched[*fd] - 1;
  struct pillion__head *head = pillion__head_at(*slot, &type);
  *guest = type == PILLION__CHUNK_GUEST;
  return (struct pillion__watch *)head;
}

void pillion__watches_close(struct pillion__executor *ex) {
  struct pillion__watch *watch;
  int fd = -1;
  uint32_t slot;
  bool guest;
  while ((watch = watch_next(ex, &fd, &slot, &guest)) != NULL)
    if (!guest) watch_end(ex, watch, slot);
  pillion__watches_close_asked(ex);
}

/* The host is about to go. */
void pillion__watches_leave(struct pillion__executor *ex) {
  struct pillion__watch *watch;
  int fd = -1;
  uint32_t slot;
  bool guest;
  while ((watch = watch_next(ex, &fd, &slot, &guest)) != NULL) {
    uint64_t key = pillion__watch_key(slot, &watch->head);
    if (guest) { /* Go asks the new host itself */
      pillion__fd_let_go(ex, fd);
      pillion__host_unwatch(ex, fd, key);
    } else if (watch->known) { /* the hook may close it */
      watch->known = watch->told = 0;
      pillion__host_unwatch(ex, fd, key);
    }
  }
}

/*
 * A host has come. Tasks that wait for events that it can't watch ask again,
 * and get the error.
 */
void pillion__watches_tell(struct pillion__executor *ex) {
  struct pillion__watch *watch;
  int fd = -1;
  uint32_t slot;
  bool guest;
  if (pillion__peek(&ex->host) == NULL) return;
  while ((watch = watch_next(ex, &fd, &slot, &guest)) != NULL) {
    if (guest) continue;
    uint32_t want = pillion__watch_awaited(watch) & ~watch->woken;
    uint64_t key = pillion__watch_key(slot, &watch->head);
    if (want == 0 || pillion__watch_tell(ex, watch, slot, want) == 0 ||
        pillion__watch_stale(key, &watch->head))
      continue;
    pillion__watch_wake(ex, watch, want);
    pillion__watch_give(watch, want, 0);
  }
  if (ex->guest_known && pillion__guest.rewatch != NULL)
    pillion__guest.rewatch(ex->base.index);
}
