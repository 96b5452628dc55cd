/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All executors. They are never unmapped, only used again: a late waker that
 * still holds one finds an executor there, at worst a new one, and pokes it
 * once in vain.
 */
#include "executor/executor.h"

_Atomic(void *) pillion__executors[PILLION__EXECUTORS];

void pillion__executor_each(void (*fn)(struct pillion__executor *ex,
                                       void *data),
                            void *data) {
  for (uint32_t i = 0; i < PILLION__EXECUTORS; i++) {
    struct pillion__executor *ex = atomic_load(&pillion__executors[i]);
    if (ex == NULL) return;
    if (atomic_load(&ex->base.gen) % 2 == 1) fn(ex, data);
  }
}

/* ---- Whose executor is it? ----------------------------------------------- */

/* Makes the calling thread the owner, if there is none. */
int pillion__executor_claim(struct pillion__executor *ex) {
  uint64_t owner = 0, me = pillion__me();
  return atomic_compare_exchange_strong(&ex->owner, &owner, me) || owner == me
             ? 0
             : PILLION_EWRONGTHREAD;
}

/* For calls that must not come inside a turn. */
int pillion__executor_own_outside(struct pillion__executor **ex,
                                  pillion_executor executor) {
  int rc = pillion__executor_get(ex, executor);
  if (rc == 0 && pillion__turning) rc = PILLION_EREENTRANT;
  return rc < 0 ? rc : pillion__executor_own(*ex);
}

int pillion_executor_bind(pillion_executor executor) {
  struct pillion__executor *ex;
  return pillion__executor_own_outside(&ex, executor);
}

/*
 * Whether coroutines of Go's are suspended on its thread. Ends the idle ones.
 */
bool pillion__bound(struct pillion__executor *ex) {
  if (atomic_load(&ex->coroutines) == 0) return false;
  uint32_t suspended = pillion__guest.settle(ex->base.index);
  atomic_store(&ex->coroutines, suspended);
  return suspended > 0;
}

int pillion_executor_release(pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  if (pillion__bound(ex)) return PILLION_EBUSY;
  atomic_store(&ex->owner, 0);
  return 0;
}
