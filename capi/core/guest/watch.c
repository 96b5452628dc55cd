/* SPDX-License-Identifier: Apache-2.0 */

/* Descriptors that Go's tasks await, watched by the executor's host. */
#include "guest/guest.h"

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
