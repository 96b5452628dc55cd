/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All tasks or all calls at once: for a close, a free, a shutdown, and to
 * count them.
 */
#include "core.h"

/* ---- Tasks --------------------------------------------------------------- */

static void each_running(struct pillion__executor *ex,
                         void (*fn)(struct pillion__executor *ex,
                                    struct pillion__cell *cell,
                                    uint32_t slot)) {
  for (uint32_t i = 0; i < ex->chunk_count; i++)
    for (uint32_t j = 0; j < PILLION__CHUNK; j++) {
      uint32_t slot = ex->chunks[i] + j;
      struct pillion__cell *cell = pillion__cell_at(slot);
      if (pillion__running(cell)) fn(ex, cell, slot);
    }
}

static void ask(struct pillion__executor *ex, struct pillion__cell *cell,
                uint32_t slot) {
  pillion__mark_once(
      &cell->head,
      atomic_load_explicit(&cell->head.gen, memory_order_relaxed),
      PILLION__CANCEL);
  pillion__task_posted(ex, cell, slot, PILLION__CANCEL);
}

void pillion__tasks_cancel(struct pillion__executor *ex) {
  each_running(ex, ask);
}

void pillion__tasks_drop(struct pillion__executor *ex) {
  each_running(ex, pillion__task_cancelled);
}

/* ---- Calls --------------------------------------------------------------- */

struct sweep {
  struct pillion__executor *ex; /* NULL: everybody's */
  uint32_t bits;
};

static void sweep_one(struct pillion__call *call, void *data) {
  struct sweep *sweep = data;
  uint64_t state = atomic_load(&call->state);
  if (state == 0) return;
  if (sweep->ex != NULL && atomic_load(&call->executor) != sweep->ex) return;
  if (state & sweep->bits & PILLION__CALL_ORPHAN) return;
  int rc = pillion__call_cancel(call, (uint32_t)(state >> 32), sweep->bits);
  if ((rc == 0 || rc == 1) && sweep->bits & PILLION__CALL_ORPHAN)
    atomic_fetch_sub(&sweep->ex->calls_live, 1);
}

/* `ex` NULL: those of the whole process. */
void pillion__calls_cancel(struct pillion__executor *ex, uint32_t bits) {
  struct sweep sweep = {ex, bits};
  pillion__nodes_each(sweep_one, &sweep);
}

static void sweep_pool(struct pillion__call *call, void *data) {
  uint64_t state = atomic_load(&call->state);
  if (state != 0 && atomic_load(&call->pool) == *(uint32_t *)data)
    pillion__call_cancel(call, (uint32_t)(state >> 32), 0);
}

/* Those that run on a pool, by its index + 1. */
void pillion__calls_cancel_in(uint32_t pool) {
  pillion__nodes_each(sweep_pool, &pool);
}

static void count_one(struct pillion__call *call, void *data) {
  if (atomic_load(&call->state) != 0) ++*(uint64_t *)data;
}

uint64_t pillion__calls_alive(void) {
  uint64_t alive = 0;
  pillion__nodes_each(count_one, &alive);
  return alive;
}
