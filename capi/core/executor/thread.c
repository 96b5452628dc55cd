/* SPDX-License-Identifier: Apache-2.0 */

/* The end of a thread that owns executors. */
#include "executor/executor.h"

_Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));

/*
 * Another thread may free the executor meanwhile. The free makes the generation
 * even, and then waits until no thread is leaving; this does the opposite.
 */
static void abandon(struct pillion__executor *ex, void *serial) {
  if (atomic_load(&ex->owner) != *(uint64_t *)serial) return;
  atomic_fetch_add(&ex->visitors, 1);
  uint64_t gen = atomic_load(&ex->base.gen);
  if (gen % 2 == 1 && atomic_load(&ex->owner) == *(uint64_t *)serial) {
    atomic_store(&ex->base.closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
    if (ex->worker != NULL) pillion__pool_side->leave(ex);
    pillion__tasks_drop(ex);
    if (ex->guest_known) pillion__guest.free(ex->base.index);
    pillion__watches_close(ex);
    ex->guest_known = ex->guest_more = 0;
    atomic_store(&ex->coroutines, 0);
    pillion__poke(ex); /* the next owner finds events */
    atomic_store(&ex->owner, 0);
  }
  atomic_fetch_sub(&ex->visitors, 1);
}

/*
 * The key's destructor. It runs before Go's own, which gives up the thread's
 * place in Go's scheduler.
 */
void pillion__thread_ends(void *serial) {
  if (pillion__forked()) return;
  pillion__turning = 1; /* for drops */
  pillion__executor_each(abandon, serial);
  pillion__turning = 0;
  pillion__serial = 0; /* a later destructor may begin again */
}
