/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slots and the one way anything crosses threads.
 *
 * A slot is 24 bits: 16,384 chunks of 1,024. The directory below is the
 * process's only one, and a chunk that it names is never unmapped: so a late
 * wake always finds memory of the right shape, and the generation tells it
 * that it is late.
 *
 * An executor leases whole chunks, so that taking a slot is its own affair.
 */
#include <pthread.h>
#include <string.h>

#include "core.h"

struct pillion__chunk pillion__directory[PILLION__CHUNKS];

static pthread_mutex_t cell_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t chunks_used;                    /* directory entries, under cell_lock */
static uint32_t chunks_returned[PILLION__CHUNK_TYPES]; /* index + 1, likewise */

static size_t cell_stride(enum pillion__chunk_type type) {
  return type == PILLION__CHUNK_CALLS ? sizeof(struct pillion__call)
                                      : sizeof(struct pillion__cell);
}

static void chunk_install(uint32_t index, struct pillion__executor *executor,
                          struct pillion__pool *pool) {
  /*
   * The fence pairs with the compare-and-swap in pillion__post: a late waker
   * that queues a cell of this chunk either reads the new executor here, or
   * has set QUEUED where the new executor will look before it uses the slot.
   */
  atomic_store(&pillion__directory[index].pool, pool);
  atomic_store(&pillion__directory[index].executor, executor);
  atomic_thread_fence(memory_order_seq_cst);
}

static int chunk_lease(uint32_t *base, enum pillion__chunk_type type,
                       struct pillion__executor *executor,
                       struct pillion__pool *pool) {
  pthread_mutex_lock(&cell_lock);
  uint32_t free_one = chunks_returned[type];
  if (free_one != 0) {
    chunks_returned[type] = pillion__directory[free_one - 1].next_free;
    pthread_mutex_unlock(&cell_lock);
    chunk_install(free_one - 1, executor, pool);
    *base = (free_one - 1) * PILLION__CHUNK;
    return 0;
  }
  pthread_mutex_unlock(&cell_lock);

  /* Whole cache lines, and no callback under the cell_lock. */
  size_t bytes = cell_stride(type) * PILLION__CHUNK;
  char *memory = pillion__alloc(bytes + 63);
  if (memory == NULL) return PILLION_ENOMEM;
  char *cells = memory + (-(uintptr_t)memory & 63);
  memset(cells, 0, bytes);
  for (uint32_t i = 0; i < PILLION__CHUNK; i++) {
    struct pillion__head *head = (void *)(cells + i * cell_stride(type));
    atomic_init(&head->gen, 1);
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
  chunk_install(index, executor, pool);
  atomic_store_explicit(&chunk->cells, cells, memory_order_release);
  *base = index * PILLION__CHUNK;
  return 0;
}

int pillion__chunk_lease(uint32_t *base, enum pillion__chunk_type type,
                         struct pillion__executor *executor) {
  return chunk_lease(base, type, executor, NULL);
}

int pillion__chunk_lease_pool(uint32_t *base, enum pillion__chunk_type type,
                              struct pillion__pool *pool) {
  return chunk_lease(base, type, NULL, pool);
}

void pillion__chunk_return(uint32_t base) {
  struct pillion__chunk *chunk = &pillion__directory[base / PILLION__CHUNK];
  pthread_mutex_lock(&cell_lock);
  chunk->next_free = chunks_returned[chunk->type];
  chunks_returned[chunk->type] = base / PILLION__CHUNK + 1;
  pthread_mutex_unlock(&cell_lock);
}

/* NULL for a slot that was never in use. */
struct pillion__head *pillion__head_of(uint64_t handle, uint32_t *type) {
  uint32_t slot = pillion__slot_of(handle);
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  *type = chunk->type;
  if (cells == NULL) return NULL;
  return (void *)(cells + slot % PILLION__CHUNK * cell_stride(chunk->type));
}

void pillion__inbox_push(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot) {
  uint32_t first = atomic_load_explicit(&ex->inbox, memory_order_relaxed);
  do {
    atomic_store_explicit(&head->link, first, memory_order_relaxed);
  } while (!atomic_compare_exchange_weak(&ex->inbox, &first, slot + 1));
  pillion__poke(ex);
}

/*
 * post_bits tells the owner of a slot something, from any thread and any
 * signal handler. The bits for one generation gather in `pend` until the
 * owner takes them; only who finds it unqueued pushes the cell, so
 * a cell is in one inbox at most, once.
 *
 * The compare-and-swap happens even if it changes nothing: the owner's
 * own then synchronises with it, and what the waker wrote before is seen
 * by the poll that follows. It begins with a guess of what is pending, `*old`,
 * and leaves there what it has found.
 */
static int post_bits(struct pillion__head *head, uint32_t slot, uint32_t gen,
                     uint32_t bits, uint64_t *old) {
  uint64_t new;
  if (atomic_load_explicit(&head->gen, memory_order_acquire) != gen)
    return PILLION_STALE;
  do {
    uint32_t old_gen = (uint32_t)(*old >> 32);
    if (*old & PILLION__QUEUED && (int32_t)(old_gen - gen) > 0)
      return PILLION_STALE;
    new = (uint64_t)gen << 32 | PILLION__QUEUED | bits;
    if (old_gen == gen) new |= (uint32_t)*old;
  } while (!atomic_compare_exchange_weak(&head->pend, old, new));
  if (*old & PILLION__QUEUED) return PILLION_COALESCED;

  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  struct pillion__executor *ex =
      chunk->type == PILLION__CHUNK_CALLS
          ? atomic_load(&((struct pillion__call *)head)->executor)
          : atomic_load(&chunk->executor);
  if (PILLION__UNLIKELY(ex == NULL)) {
    if (chunk->type == PILLION__CHUNK_GUEST_POOL) {
      pillion__guest_push(atomic_load(&chunk->pool), head, slot);
      return PILLION_WOKEN;
    } /* reused meanwhile for a call that nobody posts to */
    atomic_store(&head->pend, 0);
    return PILLION_STALE;
  }
  if (bits & PILLION__DONE)
    pillion__ended_push(ex, head, slot);
  else
    pillion__inbox_push(ex, head, slot);
  return PILLION_WOKEN;
}

int pillion__post(struct pillion__head *head, uint32_t slot, uint32_t gen,
                  uint32_t bits) {
  uint64_t old = (uint64_t)gen << 32 | PILLION__QUEUED | bits;
  return post_bits(head, slot, gen, bits, &old);
}

/*
 * A bit that stays (PILLION__KEPT): 0, 1 if it was asked before, or
 * PILLION_EBADHANDLE if the handle is stale.
 */
int pillion__post_once(struct pillion__head *head, uint32_t slot,
                       uint32_t gen, uint32_t bit) {
  uint64_t old = atomic_load(&head->pend);
  if (old >> 32 == gen && old & bit) return 1;
  if (post_bits(head, slot, gen, bit, &old) == PILLION_STALE)
    return PILLION_EBADHANDLE;
  return old >> 32 == gen && old & bit;
}

/* The owner's own, for others to see. Reports whether it was asked before. */
bool pillion__mark_once(struct pillion__head *head, uint32_t gen,
                        uint32_t bit) {
  uint64_t old = atomic_load(&head->pend), new;
  do {
    bool same = old >> 32 == gen;
    if (same && old & bit) return true;
    new = (uint64_t)gen << 32 | bit |
          (same ? (uint32_t)old : old & PILLION__QUEUED);
  } while (!atomic_compare_exchange_weak(&head->pend, &old, new));
  return false;
}

/* A wake that isn't pending yet; `pend` is what is. */
__attribute__((noinline)) static int
wake_anew(struct pillion__cell *cell, uint64_t pend, pillion_waker waker) {
  uint32_t slot = pillion__slot_of(waker), gen = pillion__gen_of(waker);
  if (gen == 0) return PILLION_EBADHANDLE;
  if (pillion__has_ended(cell)) return PILLION_STALE;
  return post_bits(&cell->head, slot, gen, PILLION__WAKE, &pend);
}

__attribute__((noinline)) static int wake_pooled(struct pillion__cell *cell,
                                                 pillion_waker waker) {
  uint32_t slot = pillion__slot_of(waker), gen = pillion__gen_of(waker);
  uint32_t type = pillion__directory[slot / PILLION__CHUNK].type;
  if (gen == 0) return PILLION_EBADHANDLE;
  if (type == PILLION__CHUNK_POOL)
    return pillion__ptask_wake((struct pillion__ptask *)cell, slot, gen, NULL);
  if (type != PILLION__CHUNK_GUEST_POOL) return PILLION_EBADHANDLE;
  return pillion__post(&cell->head, slot, gen, PILLION__WAKE);
}

/*
 * First comes the guess that this very wake is pending. If it is, the
 * compare-and-swap has changed nothing, whatever the cell is now; so the
 * generation is compared after it. A locked instruction waits for all that
 * comes before it: that is little here, and what is rare has its own function.
 */
int pillion_wake(pillion_waker waker) {
  if (pillion__forked()) return PILLION_EFORKED;
  uint32_t slot = pillion__slot_of(waker);
  struct pillion__chunk *chunk = &pillion__directory[slot / PILLION__CHUNK];
  char *cells = atomic_load_explicit(&chunk->cells, memory_order_acquire);
  if (PILLION__UNLIKELY(pillion__kind_of(waker) != PILLION__WAKER ||
                        cells == NULL))
    return PILLION_EBADHANDLE;
  struct pillion__cell *cell =
      (struct pillion__cell *)cells + slot % PILLION__CHUNK;
  if (PILLION__UNLIKELY(chunk->type >= PILLION__CHUNK_CALLS))
    return wake_pooled(cell, waker);
  uint64_t same = waker << 32 | PILLION__QUEUED | PILLION__WAKE, pend = same;
  if (!atomic_compare_exchange_strong(&cell->head.pend, &pend, same))
    return wake_anew(cell, pend, waker);
  bool gone = atomic_load_explicit(&cell->head.gen, memory_order_relaxed) !=
              pillion__gen_of(waker);
  return PILLION_COALESCED + (gone | pillion__has_ended(cell)); /* or STALE */
}
