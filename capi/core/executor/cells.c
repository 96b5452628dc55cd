/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cells for tasks and watches, and places for them in the ready ring. An
 * executor leases cells by the chunk, so that it takes one without other
 * threads.
 */
#include <string.h>

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

static int chunk_add(struct pillion__executor *ex) {
  if (ex->chunk_count == ex->chunk_cap) {
    uint32_t cap = ex->chunk_cap == 0 ? 4 : 2 * ex->chunk_cap;
    uint32_t *chunks = pillion__alloc(cap * sizeof *chunks);
    if (chunks == NULL) return PILLION_ENOMEM;
    if (ex->chunk_count > 0)
      memcpy(chunks, ex->chunks, ex->chunk_count * sizeof *chunks);
    pillion__free(ex->chunks);
    ex->chunks = chunks;
    ex->chunk_cap = cap;
  }
  uint32_t base;
  int rc = pillion__chunk_lease(&base, PILLION__CHUNK_TASKS, &ex->base);
  if (rc < 0) return rc;
  ex->chunks[ex->chunk_count++] = base;
  return 0;
}

static int chunk_begin(struct pillion__executor *ex) {
  if (ex->chunks_begun == ex->chunk_count) {
    int rc = chunk_add(ex);
    if (rc < 0) return rc;
  }
  ex->fresh = ex->chunks[ex->chunks_begun++];
  ex->fresh_end = ex->fresh + PILLION__CHUNK;
  return 0;
}

/* Cells and places for so many tasks, before the first comes. */
int pillion__tasks_reserve(struct pillion__executor *ex, uint32_t tasks) {
  int rc = pillion__ready_reserve(ex, tasks);
  while (rc == 0 && ex->chunk_count * PILLION__CHUNK < tasks)
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
