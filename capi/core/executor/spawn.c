/* SPDX-License-Identifier: Apache-2.0 */

/* Starting local tasks. */
#include "executor/executor.h"

/* It is of another size than ours, or wrong. */
__attribute__((noinline)) int pillion__spawn_unusual(
    const pillion_future *future, uint32_t flags) {
  return flags <= PILLION_DETACH ? pillion__future_check(future)
                                 : PILLION_EINVAL;
}

__attribute__((always_inline)) static inline int spawn_bare(
    pillion_task *out, struct pillion__executor *ex,
    const pillion_future *future, void *self, uint64_t token, uint32_t flags) {
  int rc = pillion__spawnable(future, flags);
  if (PILLION__UNLIKELY(rc < 0)) return rc;
  if (pillion__closing(&ex->base) != 0) return PILLION_ECLOSED;
  uint64_t live = pillion__tasks_live(ex);
  if (live >= ex->max_tasks) return PILLION_EAGAIN;
  if (ex->ready == NULL || live + ex->ready_stale > ex->ready_mask) {
    rc = pillion__ready_reserve(ex, 2 * (ex->ready_mask + 1));
    if (rc < 0) return rc;
  }
  uint32_t slot;
  rc = pillion__cell_take(ex, &slot);
  if (rc < 0) return rc;
  struct pillion__cell *cell = pillion__cell_at(slot);
  cell->head.flags = PILLION__TASK_LIVE | flags << PILLION__MODE_SHIFT;
  cell->token = token;
  atomic_store_explicit(&cell->future_or_end, (uintptr_t)future,
                        memory_order_release);
  cell->u.live.self = self;
  cell->u.live.joiner = 0;
  pillion__set(&ex->tasks_live, live + 1);
  ex->counts.spawned++;
  pillion__ready(ex, &cell->head, slot);
  if (out != NULL)
    *out = pillion__handle(PILLION__TASK, slot, pillion__gen(&cell->head));
  return 0;
}

/* The capture may do anything, even spawn, so it comes first. */
__attribute__((noinline)) static int spawn_captured(
    pillion_task *out, struct pillion__executor *ex,
    const pillion_future *future, void *self, uint64_t token, uint32_t flags) {
  void *context = pillion__hooks_capture(&ex->hooks);
  pillion_task task;
  int rc = spawn_bare(&task, ex, future, self, token, flags);
  if (rc < 0) {
    pillion__hooks_release(&ex->hooks, context);
    return rc;
  }
  if (context != NULL) {
    struct pillion__cell *cell = pillion__cell_at(pillion__slot_of(task));
    cell->u.live.context = context;
    cell->head.flags |= PILLION__TASK_CONTEXT;
  }
  if (out != NULL) *out = task;
  return 0;
}

int pillion__spawn(pillion_task *out, struct pillion__executor *ex,
                   const pillion_future *future, void *self, uint64_t token,
                   uint32_t flags) {
  return PILLION__LIKELY(ex->hooks.capture == NULL)
             ? spawn_bare(out, ex, future, self, token, flags)
             : spawn_captured(out, ex, future, self, token, flags);
}

int pillion_task_spawn(pillion_task *out, pillion_executor executor,
                       const pillion_future *future, void *self, uint64_t token,
                       uint32_t flags) {
  struct pillion__executor *ex;
  int rc = pillion__executor_mine(&ex, executor);
  if (rc == 0) rc = pillion__spawn(out, ex, future, self, token, flags);
  if (rc == 0 && !pillion__in_turn(ex)) {
    pillion__tell_live(ex);
    pillion__poke(ex);
  }
  return rc;
}
