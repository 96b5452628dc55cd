/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tables of executors and of pools. No entry is ever unmapped: a returned entry
 * is used again, under another generation.
 */
#include "base/base.h"

int pillion__table_take(void **out, struct pillion__table *table, char *errbuf,
                        size_t errcap) {
  void *found = NULL, *memory;
  pthread_mutex_lock(&table->lock);
  if (table->idle_count > 0)
    found = atomic_load(&table->entries[table->idle[--table->idle_count]]);
  pthread_mutex_unlock(&table->lock);
  *out = found;
  if (found != NULL) return 0;
  found = pillion__alloc_lines(table->bytes, &memory);
  if (found == NULL)
    return pillion__fail(PILLION_ENOMEM, errbuf, errcap,
                         "no memory for another %s", table->what);
  pthread_mutex_lock(&table->lock);
  bool room = table->known < table->most;
  if (room) {
    table->first_use(found, table->known);
    atomic_store_explicit(&table->entries[table->known++], found,
                          memory_order_release);
  }
  pthread_mutex_unlock(&table->lock);
  *out = found;
  if (room) return 0;
  pillion__free(memory);
  return pillion__fail(PILLION_EAGAIN, errbuf, errcap, "too many %ss",
                       table->what);
}

void pillion__table_give(struct pillion__table *table, uint32_t index,
                         uint64_t gen) {
  if (gen >= UINT32_MAX - 1) return; /* used up: it retires */
  pthread_mutex_lock(&table->lock);
  table->idle[table->idle_count++] = index;
  pthread_mutex_unlock(&table->lock);
}
