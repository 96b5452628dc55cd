/* SPDX-License-Identifier: Apache-2.0 */

/* What Go's executors need from the one that they are guests of. */
#include "core.h"

/* Go's own inbox got its first post: a turn shall enter Go. */
void pillion__guest_wake(uint32_t index) {
  struct pillion__executor *ex = pillion__executor_at(index);
  atomic_store(&ex->guest_wake, 1);
  pillion__poke(ex);
}

/* PILLION__NOBODY: a pure Go executor, that C cannot wake. */
int pillion__guest_lease(uint32_t *base, void **cells, uint32_t index) {
  struct pillion__executor *ex =
      index == PILLION__NOBODY ? NULL : pillion__executor_at(index);
  int rc = pillion__chunk_lease(
      base, ex == NULL ? PILLION__CHUNK_ALIEN : PILLION__CHUNK_GUEST, ex);
  if (rc == 0) *cells = pillion__cell_at(*base);
  return rc;
}

void pillion__guest_return(uint32_t base) { pillion__chunk_return(base); }

/* The time on the executor's clock. */
int64_t pillion__guest_now(uint32_t index) {
  return pillion__clock(pillion__executor_at(index));
}

/* What orders the polls of Go's tasks, too. */
uint64_t pillion__guest_seed(uint32_t index) {
  return pillion__executor_at(index)->seed;
}

/*
 * What is done around the polls of Go tasks that carry a token. In Go that is a
 * number: an address of nobody knows what must not stand in a pointer there.
 */
int pillion__guest_hooked(uint32_t index) {
  return pillion__executor_at(index)->hooks.capture != NULL;
}

uintptr_t pillion__guest_capture(uint32_t index) {
  return (uintptr_t)pillion__context_capture(pillion__executor_at(index));
}

void pillion__guest_enter(uint32_t index, uintptr_t context) {
  pillion__context_enter(pillion__executor_at(index), (void *)context);
}

void pillion__guest_leave(uint32_t index, uintptr_t context) {
  pillion__context_leave(pillion__executor_at(index), (void *)context);
}

void pillion__guest_release(uint32_t index, uintptr_t context) {
  pillion__context_release(pillion__executor_at(index), (void *)context);
}
