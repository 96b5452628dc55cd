/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slots.
 *
 * A slot is 24 bits: 16,384 chunks of 1,024. The directory below is the only
 * one of the process, and its chunks are never unmapped. So a late wake always
 * finds memory of the right shape, and the generation tells that it is late.
 *
 * An executor leases whole chunks, so that it takes a slot without other
 * threads.
 */
#include "cell/cell.h"

struct pillion__chunk pillion__directory[PILLION__CHUNKS];

static pthread_mutex_t cell_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t chunks_used; /* directory entries, under cell_lock */
static uint32_t chunks_returned[PILLION__CHUNK_TYPES]; /* index + 1, likewise */

static void chunk_install(uint32_t index, struct pillion__owner *owner) {
  /*
   * The fence pairs with the compare-and-swap in pillion__mark: a late waker
   * that queues a cell of this chunk either reads the new owner here, or has
   * set QUEUED, at which the new owner looks before it uses the slot.
   */
  atomic_store(&pillion__directory[index].owner, owner);
  atomic_thread_fence(memory_order_seq_cst);
}

int pillion__chunk_lease(uint32_t *base, enum pillion__chunk_type type,
                         struct pillion__owner *owner) {
  pthread_mutex_lock(&cell_lock);
  uint32_t free_one = chunks_returned[type];
  if (free_one != 0) {
    chunks_returned[type] = pillion__directory[free_one - 1].next;
    pthread_mutex_unlock(&cell_lock);
    chunk_install(free_one - 1, owner);
    *base = (free_one - 1) * PILLION__CHUNK;
    return 0;
  }
  pthread_mutex_unlock(&cell_lock);

  void *memory; /* no callback under the lock */
  char *cells =
      pillion__alloc_lines(pillion__stride(type) * PILLION__CHUNK, &memory);
  if (cells == NULL) return PILLION_ENOMEM;
  for (uint32_t i = 0; i < PILLION__CHUNK; i++) {
    struct pillion__head *head = (void *)(cells + i * pillion__stride(type));
    atomic_init(&head->gen, pillion__first_gen());
  }

  pthread_mutex_lock(&cell_lock);
  if (chunks_used == PILLION__CHUNKS) {
    pthread_mutex_unlock(&cell_lock);
    pillion__free(memory);
    return PILLION_EAGAIN;
  }
  uint32_t index = chunks_used++;
  pthread_mutex_unlock(&cell_lock);
  struct pillion__chunk *chunk = &pillion__directory[index];
  chunk->type = type;
  chunk_install(index, owner);
  atomic_store_explicit(&chunk->cells, cells, memory_order_release);
  *base = index * PILLION__CHUNK;
  return 0;
}

void pillion__chunk_return(uint32_t base) {
  struct pillion__chunk *chunk = &pillion__directory[base / PILLION__CHUNK];
  pthread_mutex_lock(&cell_lock);
  chunk->next = chunks_returned[chunk->type];
  chunks_returned[chunk->type] = base / PILLION__CHUNK + 1;
  pthread_mutex_unlock(&cell_lock);
}

/* ---- The chunks of one lessee: a list that only grows until the return ---- */

/* Leases one for `list`. */
int pillion__chunks_add(_Atomic uint32_t *list, uint32_t *base,
                        enum pillion__chunk_type type,
                        struct pillion__owner *owner) {
  int rc = pillion__chunk_lease(base, type, owner);
  if (rc < 0) return rc;
  uint32_t chunk = *base / PILLION__CHUNK, first = atomic_load(list);
  do pillion__directory[chunk].next = first;
  while (!atomic_compare_exchange_weak(list, &first, chunk + 1));
  return 0;
}

void pillion__chunks_return(_Atomic uint32_t *list) {
  uint32_t chunk = atomic_exchange(list, 0);
  while (chunk != 0) {
    uint32_t next = pillion__directory[chunk - 1].next;
    pillion__chunk_return((chunk - 1) * PILLION__CHUNK);
    chunk = next;
  }
}

void pillion__cells_each(_Atomic uint32_t *list,
                         void (*fn)(struct pillion__head *head, uint32_t slot,
                                    void *data),
                         void *data) {
  uint32_t chunk = atomic_load(list), type;
  for (; chunk != 0; chunk = pillion__directory[chunk - 1].next)
    for (uint32_t i = 0; i < PILLION__CHUNK; i++) {
      uint32_t slot = (chunk - 1) * PILLION__CHUNK + i;
      fn(pillion__head_at(slot, &type), slot, data);
    }
}

/* NULL for a slot that was never in use. */
struct pillion__head *pillion__head_of(uint64_t handle, uint32_t *type) {
  uint32_t slot = pillion__slot_of(handle);
  *type = 0;
  return pillion__cell_at(slot) == NULL ? NULL : pillion__head_at(slot, type);
}

/* Whether there is a live task. */
bool pillion__joiner_alive(uint64_t joiner) {
  uint32_t type;
  if (pillion__tag_of(joiner) != PILLION__WAKER) return false;
  struct pillion__head *head = pillion__head_of(joiner, &type);
  return atomic_load(&head->gen) == pillion__gen_of(joiner);
}
