/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tokens that tasks carry: the spawn captures a token of the embedder's,
 * and the embedder's hooks enter and leave it around each poll.
 */
#include "executor/executor.h"

/* For an executor or a pool. Without `hooks` there is no capture. */
int pillion__hooks_copy(pillion_context_hooks *out,
                        const pillion_context_hooks *hooks,
                        struct pillion__why why) {
  *out = (pillion_context_hooks)PILLION_CONTEXT_HOOKS_INIT;
  if (hooks == NULL) return 0;
  int rc = pillion__sized_in(out, sizeof *out, PILLION__FIRST_CONTEXT_HOOKS,
                             hooks, why);
  if (rc < 0) return rc;
  return out->capture != NULL && out->enter != NULL && out->leave != NULL
             ? 0
             : pillion__fail(PILLION_EINVAL, why,
                             "context_hooks lack a function");
}

/* Drops a future inside its token, and releases the token. */
__attribute__((noinline)) void pillion__hooks_drop(
    const pillion_context_hooks *hooks, const pillion_future *future,
    struct pillion__cell *cell) {
  void *context = cell->u.live.context;
  if (future->drop != NULL) {
    hooks->enter(context, hooks->data);
    future->drop(cell->u.live.self);
    hooks->leave(context, hooks->data);
  }
  pillion__hooks_release(hooks, context);
}
