/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Executors and pools: how they come from their tables, and close. None is ever
 * unmapped: a freed one is used again, under another generation.
 */
#include <stddef.h>

#include "cell/cell.h"

static int table_take(void **out, struct pillion__table *table,
                      struct pillion__why why) {
  void *found = NULL, *memory;
  pthread_mutex_lock(&table->lock);
  if (table->idle_count > 0)
    found = atomic_load(&table->entries[table->idle[--table->idle_count]]);
  pthread_mutex_unlock(&table->lock);
  *out = found;
  if (found != NULL) return 0;
  found = pillion__alloc_lines(table->bytes, &memory);
  if (found == NULL)
    return pillion__fail(PILLION_ENOMEM, why, "no memory for another %s",
                         table->what);
  pthread_mutex_lock(&table->lock);
  bool room = table->known < table->most;
  if (room) {
    struct pillion__owner *owner = found;
    owner->index = table->known;
    atomic_init(&owner->gen, pillion__first_gen() - 1);
    table->first_use(found);
    atomic_store_explicit(&table->entries[table->known++], found,
                          memory_order_release);
  }
  pthread_mutex_unlock(&table->lock);
  *out = found;
  if (room) return 0;
  pillion__free(memory);
  return pillion__fail(PILLION_EAGAIN, why, "too many %ss", table->what);
}

/*
 * Checks the beginning of options, which `options` gets, and takes an owner for
 * a handle in `handle`.
 */
int pillion__owner_new(void **out, struct pillion__table *table, void *options,
                       size_t size, size_t first, const void *given,
                       const uint64_t *handle, struct pillion__why why) {
  uint32_t flags;
  int rc = pillion__options_take(options, size, first, given, why);
  if (rc < 0) return rc;
  memcpy(&flags, (char *)options + offsetof(pillion_executor_options, flags),
         sizeof flags); /* a pool's options have them there, too */
  if (handle == NULL) return pillion__fail(PILLION_EINVAL, why, "out is NULL");
  if (flags & ~table->flags)
    return pillion__fail(PILLION_EINVAL, why, "unknown flags %#x", flags);
  rc = pillion__started_or(why);
  return rc < 0 ? rc : table_take(out, table, why);
}

/* It is used again, unless its generations are used up. */
void pillion__owner_give(struct pillion__table *table,
                         struct pillion__owner *owner) {
  if (atomic_load(&owner->gen) >= UINT32_MAX - 1) return;
  pthread_mutex_lock(&table->lock);
  table->idle[table->idle_count++] = owner->index;
  pthread_mutex_unlock(&table->lock);
}

/*
 * Raises `closing`, since a drain may become a cancel, never less. 1 if that is
 * new, 0 or an error.
 */
int pillion__owner_close(struct pillion__owner *owner, uint64_t gen, int mode) {
  if (mode != PILLION_CLOSE_DRAIN && mode != PILLION_CLOSE_CANCEL)
    return PILLION_EINVAL;
  uint64_t closing = gen << 2 | (1u + (uint32_t)mode);
  uint64_t old = atomic_load(&owner->closing);
  do {
    if (old >> 2 != gen) return PILLION_EBADHANDLE; /* freed meanwhile */
    if (old >= closing) return 0;
  } while (!atomic_compare_exchange_weak(&owner->closing, &old, closing));
  return 1;
}
