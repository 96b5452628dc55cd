/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cells for tasks and watches, and places for them in the ready ring. An
 * executor leases cells by the chunk, so that it takes one without other
 * threads.
 */
#include "executor/executor.h"

/* At the back of the ready ring, in which there is room. */
void pillion__ready(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot) {
  head->flags |= PILLION__TASK_READY;
  ex->ready[ex->ready_tail++ & ex->ready_mask] = slot;
}

/*
 * The ring has room for every live cell, and for cells that were freed while in
 * the ring. Each is in it once at most.
 */
int pillion__ready_reserve(struct pillion__executor *ex, uint32_t tasks) {
  uint32_t size = 64;
  while (size < tasks) size *= 2;
  uint32_t *ring = pillion__alloc(size * sizeof *ring);
  if (ring == NULL) return PILLION_ENOMEM;
  for (uint32_t i = ex->ready_head; i != ex->ready_tail; i++)
    ring[i & (size - 1)] = ex->ready[i & ex->ready_mask];
  pillion__free(ex->ready);
  ex->ready = ring;
  ex->ready_mask = size - 1;
  return 0;
}

/* At the front of the list, so those that are not begun stand side by side. */
static int chunk_add(struct pillion__executor *ex) {
  uint32_t base;
  int rc =
      pillion__chunks_add(&ex->chunks, &base, PILLION__CHUNK_TASKS, &ex->base);
  if (rc < 0) return rc;
  ex->unbegun = base / PILLION__CHUNK;
  ex->unbegun_chunks++;
  return 0;
}

static int chunk_begin(struct pillion__executor *ex) {
  int rc = ex->unbegun_chunks == 0 ? chunk_add(ex) : 0;
  if (rc < 0) return rc;
  ex->fresh = ex->unbegun * PILLION__CHUNK;
  ex->fresh_end = ex->fresh + PILLION__CHUNK;
  ex->unbegun = pillion__directory[ex->unbegun].next - 1;
  ex->unbegun_chunks--;
  return 0;
}

/* Cells and places for so many tasks, before the first comes. */
int pillion__tasks_reserve(struct pillion__executor *ex, uint32_t tasks) {
  int rc = pillion__ready_reserve(ex, tasks);
  while (rc == 0 && ex->unbegun_chunks * PILLION__CHUNK < tasks)
    rc = chunk_add(ex);
  return rc;
}

static bool cell_queued(struct pillion__cell *cell) {
  return atomic_load_explicit(&cell->head.pend, memory_order_acquire) &
         PILLION__PEND_QUEUED;
}

/* The owner uses a queued cell again only after its pop. */
__attribute__((always_inline)) inline int pillion__cell_take(
    struct pillion__executor *ex, uint32_t *out) {
  for (uint32_t *at = &ex->free_first; *at != 0;) {
    uint32_t slot = *at - 1;
    struct pillion__cell *cell = pillion__cell_at(slot);
    if (PILLION__UNLIKELY(cell_queued(cell))) pillion__drain(ex);
    if (PILLION__LIKELY(!cell_queued(cell))) {
      *at = cell->head.next;
      *out = slot;
      return 0;
    }
    at = &cell->head.next; /* its waker is between two instructions */
  }
  for (;;) {
    if (ex->fresh == ex->fresh_end) {
      int rc = chunk_begin(ex);
      if (rc < 0) return rc;
    }
    uint32_t slot = ex->fresh++;
    struct pillion__cell *cell = pillion__cell_at(slot);
    if (pillion__gen(&cell->head) != UINT32_MAX && !cell_queued(cell)) {
      *out = slot;
      return 0;
    }
  }
}

__attribute__((always_inline)) inline void pillion__cell_give(
    struct pillion__executor *ex, struct pillion__cell *cell, uint32_t slot) {
  if (pillion__gen(&cell->head) == UINT32_MAX) return; /* used up: retired */
  cell->head.next = ex->free_first;
  ex->free_first = slot + 1;
}
