/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static void *plain_alloc(size_t bytes, void *data) {
  (void)data;
  return malloc(bytes);
}
static void plain_free(void *memory, void *data) {
  (void)data;
  free(memory);
}
static const pillion_allocator plain = {plain_alloc, plain_free, NULL};
static pillion_allocator allocator = {plain_alloc, plain_free, NULL};

/* NULL: malloc and free. */
void pillion__allocator_set(const pillion_allocator *a) {
  allocator = a == NULL ? plain : *a;
}

void *pillion__alloc(size_t bytes) {
  return allocator.alloc(bytes, allocator.data);
}
void pillion__free(void *memory) {
  if (memory != NULL) allocator.free(memory, allocator.data);
}

/* Whole cache lines, zeroed. `memory` gets the address to free in the end. */
void *pillion__alloc_lines(size_t bytes, void **memory) {
  char *found = *memory = pillion__alloc(bytes + 63);
  if (found == NULL) return NULL;
  return memset(found + (-(uintptr_t)found & 63), 0, bytes);
}

/* ---- Payloads, which are counted ----------------------------------------- */

_Atomic uint64_t pillion__payloads_alive;

void *pillion__payload_alloc(size_t bytes) {
  void *memory = pillion__alloc(bytes);
  if (memory != NULL)
    atomic_fetch_add_explicit(&pillion__payloads_alive, 1,
                              memory_order_relaxed);
  return memory;
}

void pillion__payload_free(void *memory) {
  pillion__free(memory);
  atomic_fetch_sub_explicit(&pillion__payloads_alive, 1, memory_order_relaxed);
}
