/* SPDX-License-Identifier: Apache-2.0 */

/* What Go's executors need of their host executor. */
#include "guest/guest.h"

/* Go's own inbox got its first post. */
void pillion__guest_wake(uint32_t index) {
  pillion__poke_for_go(pillion__executor_at(index));
}

/* The index of an executor or of a pool; ALIEN cells belong to neither. */
int pillion__guest_lease(uint32_t *base, void **cells, uint32_t type,
                         uint32_t index) {
  struct pillion__owner *owner = NULL;
  if (type == PILLION__CHUNK_GUEST) owner = &pillion__executor_at(index)->base;
  if (type == PILLION__CHUNK_GUEST_POOL) owner = &pillion__pool_at(index)->base;
  int rc = pillion__chunk_lease(base, type, owner);
  if (rc == 0) *cells = pillion__cell_at(*base);
  return rc;
}

/* The time on the executor's clock. */
int64_t pillion__guest_now(uint32_t index) {
  return pillion__clock(pillion__executor_at(index));
}

/* The seed that orders the polls of Go's tasks, too. */
uint64_t pillion__guest_seed(uint32_t index) {
  return pillion__executor_at(index)->seed;
}

static const pillion_context_hooks *hooks_of(uint32_t index) {
  return &pillion__executor_at(index)->hooks;
}

/*
 * The hooks around the polls of Go tasks that carry a token. In Go a token is a
 * number: Go must not hold an unknown C address in a pointer.
 */
int pillion__guest_hooked(uint32_t index) {
  return hooks_of(index)->capture != NULL;
}

uintptr_t pillion__guest_capture(uint32_t index) {
  return (uintptr_t)pillion__hooks_capture(hooks_of(index));
}

void pillion__guest_enter(uint32_t index, uintptr_t context) {
  hooks_of(index)->enter((void *)context, hooks_of(index)->data);
}

void pillion__guest_leave(uint32_t index, uintptr_t context) {
  hooks_of(index)->leave((void *)context, hooks_of(index)->data);
}

void pillion__guest_release(uint32_t index, uintptr_t context) {
  pillion__hooks_release(hooks_of(index), (void *)context);
}
