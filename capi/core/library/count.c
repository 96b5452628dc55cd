/* SPDX-License-Identifier: Apache-2.0 */

/* The counts of the whole library. */
#include "library/library.h"

static void count_tasks(struct pillion__executor *ex, void *data) {
  pillion_library_counts *out = data;
  out->executors++;
  out->tasks += atomic_load(&ex->tasks_live);
  out->watches += atomic_load(&ex->watches_live);
}

int pillion_library_count(pillion_library_counts *out) {
  if (pillion__forked()) return PILLION_EFORKED;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion__executor_each(count_tasks, &counts);
  counts.calls = pillion__calls_alive();
  counts.payloads = atomic_load(&pillion__payloads_alive);
  if (pillion__guest.count != NULL) pillion__guest.count(&counts);
  pillion__pool_count(&counts);
  counts.providers = atomic_load(&pillion__providers_alive);
  counts.objects = atomic_load(&pillion__objects_alive);
  counts.inbound = atomic_load(&pillion__inbound_alive);
  return pillion__sized_out(out, PILLION__FIRST_LIBRARY_COUNTS, &counts,
                            sizeof counts);
}
