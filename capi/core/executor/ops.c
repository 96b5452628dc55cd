/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What futures see, the context and its operations; and what tasks carry, a
 * token of the embedder's that was captured when they were spawned.
 */
#include "core.h"

static int op_spawn(pillion_task *out, pillion_context *cx,
                    const pillion_future *future, void *self, uint64_t token,
                    uint32_t flags) {
  return pillion__spawn(out, cx->runtime, future, self, token, flags);
}

/*
 * The flag alone, if a cancel waits: the task goes on until its next turn, and
 * that turn is due then.
 */
static int op_shield(pillion_context *cx, int on) {
  struct pillion__executor *ex = cx->runtime;
  struct pillion__cell *cell = ex->polled;
  if (cell == NULL) return PILLION_EINVAL;
  uint32_t flags = cell->head.flags;
  cell->head.flags =
      on ? flags | PILLION__SHIELDED : flags & ~PILLION__SHIELDED;
  if (!on && (flags & (PILLION__ASKED | PILLION__READY_BIT)) == PILLION__ASKED)
    pillion__ready(ex, &cell->head, pillion__slot_of(cx->waker));
  return (flags & PILLION__SHIELDED) != 0;
}

static int op_cancelled(pillion_context *cx) {
  struct pillion__executor *ex = cx->runtime;
  return ex->polled != NULL && ex->polled->head.flags & PILLION__ASKED ? 1 : 0;
}

static const pillion_ops operations = {
    .size = sizeof operations,
    .timer_set = pillion__timer_set,
    .timer_clear = pillion__timer_clear,
    .join = pillion__join,
    .spawn = op_spawn,
    .wake = pillion_wake_local,
    .shield = op_shield,
    .cancelled = op_cancelled,
    .cancel = pillion_task_cancel,
    .detach = pillion_task_detach,
    .evict = pillion_task_evict,
    .ready = pillion__watch_ready,
    .ready_clear = pillion__watch_clear,
};

int pillion__context_init(struct pillion__executor *ex,
                          const pillion_context_hooks *hooks, char *errbuf,
                          size_t errcap) {
  ex->context.size = sizeof ex->context;
  ex->context.now = 0;
  ex->context.child = NULL;
  ex->context.ops = &operations;
  ex->context.runtime = ex;
  return pillion__hooks_copy(&ex->hooks, hooks, errbuf, errcap);
}

/* For an executor or a pool. Without `hooks` there is no capture. */
int pillion__hooks_copy(pillion_context_hooks *out,
                        const pillion_context_hooks *hooks, char *errbuf,
                        size_t errcap) {
  out->capture = NULL;
  if (hooks == NULL) return 0;
  if (hooks->size < sizeof *hooks || hooks->capture == NULL ||
      hooks->enter == NULL || hooks->leave == NULL)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "context_hooks lack a function");
  *out = *hooks;
  return 0;
}

/* Drops a future inside its token, and lets go of that. */
__attribute__((noinline)) void pillion__hooks_drop(
    const pillion_context_hooks *hooks, void *context,
    const pillion_future *future, void *self) {
  if (future->drop != NULL) {
    hooks->enter(context, hooks->data);
    future->drop(self);
    hooks->leave(context, hooks->data);
  }
  pillion__hooks_release(hooks, context);
}
