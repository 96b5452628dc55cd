/* SPDX-License-Identifier: Apache-2.0 */

/* The host's hooks, and the descriptors that it watches. */
#include <string.h>

#include "executor/executor.h"

/* When this returns the old hooks, no thread is inside them any more. */
pillion_host *pillion__host_swap(struct pillion__executor *ex,
                                 pillion_host *host) {
  pillion__park_stop(ex);
  ex->live_told = 0;
  ex->told_deadline = PILLION_TIME_NEVER;
  ex->signaled = 0; /* knowledge of the hook says nothing of the descriptor */
  ex->armed = true; /* the host before may have left it armed */
  return atomic_exchange(&ex->host, host);
}

void pillion__host_forget(pillion_host *old) {
  if (old == NULL) return;
  if (old->drop != NULL) old->drop(old->data);
  pillion__free(old);
}

int pillion__host_watch(struct pillion__executor *ex, int fd, uint32_t events,
                        uint64_t key) {
  pillion_host *host = pillion__peek(&ex->host);
  return host == NULL || host->watch == NULL
             ? PILLION_ENOTSUP
             : host->watch(fd, events, key, host->data);
}

void pillion__host_unwatch(struct pillion__executor *ex, int fd, uint64_t key) {
  pillion_host *host = pillion__peek(&ex->host);
  if (host != NULL && host->unwatch != NULL) host->unwatch(fd, key, host->data);
}

/* ---- Which descriptor is whose ------------------------------------------- */

static uint64_t watches_live(struct pillion__executor *ex) {
  return pillion__peek(&ex->watches_live);
}

int pillion__fd_claim(struct pillion__executor *ex, int fd, uint32_t slot) {
  if ((uint32_t)fd < ex->watched_cap && ex->watched[fd] != 0)
    return PILLION_EBUSY;
  if (watches_live(ex) >= ex->max_watches) return PILLION_EAGAIN;
  if ((uint32_t)fd >= ex->watched_cap) {
    uint32_t cap = ex->watched_cap == 0 ? 32 : ex->watched_cap;
    while (cap <= (uint32_t)fd) cap *= 2;
    uint32_t *watched = pillion__alloc(cap * sizeof *watched);
    if (watched == NULL) return PILLION_ENOMEM;
    memset(watched, 0, cap * sizeof *watched);
    if (ex->watched != NULL)
      memcpy(watched, ex->watched, ex->watched_cap * sizeof *watched);
    pillion__free(ex->watched);
    ex->watched = watched;
    ex->watched_cap = cap;
  }
  ex->watched[fd] = slot + 1;
  pillion__set(&ex->watches_live, watches_live(ex) + 1);
  return 0;
}

void pillion__fd_let_go(struct pillion__executor *ex, int fd) {
  ex->watched[fd] = 0;
  pillion__set(&ex->watches_live, watches_live(ex) - 1);
}
