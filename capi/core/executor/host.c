/* SPDX-License-Identifier: Apache-2.0 */

/* The host's hooks, and the descriptors that it watches. */
#include <string.h>

#include "core.h"

/* Nobody is inside the old hooks any more when this returns them. */
static pillion_host *host_swap(struct pillion__executor *ex,
                               pillion_host *host) {
  pillion__park_stop(ex);
  ex->live_told = 0;
  ex->told_deadline = PILLION_TIME_NEVER;
  ex->signaled = 0; /* what is known of a hook is nothing of a descriptor */
  ex->armed = true; /* perhaps the host before has left it so */
  return atomic_exchange(&ex->host, host);
}

static void host_forget(pillion_host *old) {
  if (old == NULL) return;
  if (old->drop != NULL) old->drop(old->data);
  pillion__free(old);
}

int pillion_host_set(pillion_executor executor, const pillion_host *host) {
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  pillion_host *copy = NULL;
  if (host != NULL) {
    if (host->size < sizeof *host ||
        (host->watch == NULL) != (host->unwatch == NULL))
      return PILLION_EINVAL;
    copy = pillion__alloc(sizeof *copy);
    if (copy == NULL) return PILLION_ENOMEM;
    *copy = *host;
  }
  pillion__watches_leave(ex);
  pillion_host *old = host_swap(ex, copy);
  /* The new host has heard nothing yet: let it come by once. */
  pillion__park_leave(ex, true);
  pillion__tell_live(ex);
  pillion__watches_tell(ex);
  host_forget(old);
  return 0;
}

int pillion_host_get(pillion_host *out, pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (rc < 0) return rc;
  if (out == NULL || out->size < sizeof *out) return PILLION_EINVAL;
  const pillion_host *host =
      atomic_load_explicit(&ex->host, memory_order_relaxed);
  size_t size = out->size;
  *out = host != NULL ? *host : (pillion_host)PILLION_HOST_INIT;
  out->size = size;
  return 0;
}

void pillion__host_drop(struct pillion__executor *ex) {
  host_forget(host_swap(ex, NULL));
}

int pillion__host_watch(struct pillion__executor *ex, int fd, uint32_t events,
                      uint64_t key) {
  pillion_host *host = atomic_load_explicit(&ex->host, memory_order_relaxed);
  return host == NULL || host->watch == NULL
             ? PILLION_ENOTSUP
             : host->watch(fd, events, key, host->data);
}

void pillion__host_unwatch(struct pillion__executor *ex, int fd, uint64_t key) {
  pillion_host *host = atomic_load_explicit(&ex->host, memory_order_relaxed);
  if (host != NULL && host->unwatch != NULL)
    host->unwatch(fd, key, host->data);
}

/* ---- Which descriptor is whose ------------------------------------------- */

static uint64_t watches_live(struct pillion__executor *ex) {
  return atomic_load_explicit(&ex->watches_live, memory_order_relaxed);
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
  atomic_store_explicit(&ex->watches_live, watches_live(ex) + 1,
                        memory_order_relaxed);
  return 0;
}

void pillion__fd_let_go(struct pillion__executor *ex, int fd) {
  ex->watched[fd] = 0;
  atomic_store_explicit(&ex->watches_live, watches_live(ex) - 1,
                        memory_order_relaxed);
}

/* ---- Go's ---------------------------------------------------------------- */

int pillion__guest_watch(uint32_t index, int fd, uint32_t events,
                         uint64_t key) {
  struct pillion__executor *ex = pillion__executor_at(index);
  uint32_t slot = pillion__slot_of(key);
  if (fd < 0) return PILLION_EINVAL;
  bool known = (uint32_t)fd < ex->watched_cap && ex->watched[fd] == slot + 1;
  int rc = known ? 0 : pillion__fd_claim(ex, fd, slot);
  if (rc < 0) return rc;
  rc = pillion__host_watch(ex, fd, events, key);
  if (rc < 0 && !known) pillion__fd_let_go(ex, fd);
  return rc;
}

void pillion__guest_unwatch(uint32_t index, int fd, uint64_t key) {
  struct pillion__executor *ex = pillion__executor_at(index);
  if ((uint32_t)fd >= ex->watched_cap ||
      ex->watched[fd] != pillion__slot_of(key) + 1)
    return;
  pillion__host_unwatch(ex, fd, key);
  pillion__fd_let_go(ex, fd);
}
