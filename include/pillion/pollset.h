/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_POLLSET_H
#define PILLION_POLLSET_H

/*
 * What pillion/poll.h watches for an executor: the set that poll(2) wants,
 * kept from one wait to the next. It is the executor's: the hook `drop` frees
 * it. Everything here is private.
 *
 * fds[0] is the executor's own descriptor. One of which nothing is asked is
 * not in the set, since poll(2) reports hang-ups unasked.
 */

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../pillion.h"

#ifdef POLLRDHUP
#define PILLION__POLLRDHUP POLLRDHUP
#else /* -std=c11 hides it; this is Linux's own. */
#define PILLION__POLLRDHUP 0x2000
#endif

struct pillion__pollset {
  struct pollfd *fds;
  uint64_t *keys;
  uint32_t count, cap;
  uint32_t *at; /* by descriptor: its place in fds, or 0 */
  uint32_t at_cap;
};

/* Makes *array longer than `need`; what is new in it is zero. */
static inline int pillion__pollset_grow(void **array, uint32_t cap,
                                        uint32_t need, size_t each) {
  void *grown = realloc(*array, (size_t)need * each);
  if (grown == NULL) return PILLION_ENOMEM;
  memset((char *)grown + cap * each, 0, (size_t)(need - cap) * each);
  *array = grown;
  return 0;
}

static inline uint32_t pillion__pollset_size(uint32_t cap, uint32_t least) {
  while (cap <= least) cap = cap == 0 ? 16 : cap * 2;
  return cap;
}

static inline int pillion__pollset_room(struct pillion__pollset *set, int fd) {
  uint32_t cap = pillion__pollset_size(set->at_cap, (uint32_t)fd);
  void *fds = set->fds, *keys = set->keys, *at = set->at;
  int rc = 0;

  if (cap > set->at_cap)
    rc = pillion__pollset_grow(&at, set->at_cap, cap, sizeof *set->at);
  set->at = (uint32_t *)at;
  if (rc == 0) set->at_cap = cap;
  cap = pillion__pollset_size(set->cap, set->count);
  if (rc == 0 && cap > set->cap) {
    rc = pillion__pollset_grow(&fds, set->cap, cap, sizeof *set->fds);
    set->fds = (struct pollfd *)fds;
    if (rc == 0)
      rc = pillion__pollset_grow(&keys, set->cap, cap, sizeof *set->keys);
    set->keys = (uint64_t *)keys;
    if (rc == 0) set->cap = cap;
  }
  return rc;
}

/* The last one takes its place. */
static inline void pillion__pollset_remove(struct pillion__pollset *set,
                                           int fd) {
  uint32_t i = (uint32_t)fd < set->at_cap ? set->at[fd] : 0;
  if (i == 0) return;
  set->at[set->fds[--set->count].fd] = i;
  set->fds[i] = set->fds[set->count];
  set->keys[i] = set->keys[set->count];
  set->at[fd] = 0;
}

static inline int pillion__pollset_watch(int fd, uint32_t events, uint64_t key,
                                         void *data) {
  struct pillion__pollset *set = (struct pillion__pollset *)data;
  uint32_t i;
  int rc;

  if (events == 0) {
    pillion__pollset_remove(set, fd);
    return 0;
  }
  rc = pillion__pollset_room(set, fd);
  if (rc < 0) return rc;
  i = set->at[fd];
  if (i == 0) i = set->at[fd] = set->count++;
  set->keys[i] = key;
  set->fds[i].fd = fd;
  set->fds[i].events = (short)((events & PILLION_READABLE ? POLLIN : 0) |
                               (events & PILLION_WRITABLE ? POLLOUT : 0) |
                               (events & PILLION_PRIORITY ? POLLPRI : 0) |
                               (events & PILLION_HANGUP ? PILLION__POLLRDHUP
                                                        : 0));
  return 0;
}

static inline void pillion__pollset_unwatch(int fd, uint64_t key, void *data) {
  (void)key;
  pillion__pollset_remove((struct pillion__pollset *)data, fd);
}

static inline void pillion__pollset_drop(void *data) {
  struct pillion__pollset *set = (struct pillion__pollset *)data;
  free(set->fds);
  free(set->keys);
  free(set->at);
  free(set);
}

/* Becomes the executor's host. */
static inline int pillion__pollset_new(struct pillion__pollset **out,
                                       pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  int rc;

  *out = (struct pillion__pollset *)calloc(1, sizeof **out);
  if (*out == NULL) return PILLION_ENOMEM;
  (*out)->count = 1;
  host.data = *out;
  host.drop = pillion__pollset_drop;
  host.watch = pillion__pollset_watch;
  host.unwatch = pillion__pollset_unwatch;
  rc = pillion__pollset_room(*out, 0);
  if (rc == 0) rc = pillion_host_set(executor, &host);
  if (rc < 0) {
    pillion__pollset_drop(*out);
    *out = NULL;
  }
  return rc;
}

/* The set of an executor whose loop knows `*known`, which is NULL before the
 * first turn; none if another host has come since. */
static inline int pillion__pollset_of(struct pillion__pollset **out,
                                      struct pillion__pollset **known,
                                      pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  int rc = pillion_host_get(&host, executor);

  if (rc == 0 && *known == NULL) {
    if (host.watch == pillion__pollset_watch) /* of a loop before this one */
      *known = (struct pillion__pollset *)host.data;
    else
      rc = pillion__pollset_new(known, executor);
    host.data = *known;
  }
  *out = host.data == *known ? *known : NULL;
  return rc;
}

/* A report may take its own descriptor out of the set: so from behind. */
static inline void pillion__pollset_report(struct pillion__pollset *set,
                                           pillion_executor executor) {
  for (uint32_t i = set->count - 1; i > 0; i--) {
    int came = set->fds[i].revents;
    uint32_t events = (came & POLLIN ? PILLION_READABLE : 0) |
                      (came & POLLOUT ? PILLION_WRITABLE : 0) |
                      (came & POLLPRI ? PILLION_PRIORITY : 0) |
                      (came & (POLLHUP | PILLION__POLLRDHUP) ? PILLION_HANGUP
                                                             : 0) |
                      (came & (POLLERR | POLLNVAL) ? PILLION_FAULT : 0);
    uint64_t key = set->keys[i];
    if (came == 0) continue;
    if (events & PILLION_FAULT) pillion__pollset_remove(set, set->fds[i].fd);
    pillion_executor_ready(executor, key, events | PILLION_TURN_FOLLOWS);
  }
}

#endif
