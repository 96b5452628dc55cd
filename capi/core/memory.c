/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core.h"

static void *plain_alloc(size_t bytes, void *data) {
  (void)data;
  return malloc(bytes);
}
static void plain_free(void *memory, void *data) {
  (void)data;
  free(memory);
}
static pillion_allocator allocator = {plain_alloc, plain_free, NULL};

void pillion__allocator_set(const pillion_allocator *a) { allocator = *a; }

void *pillion__alloc(size_t bytes) {
  return allocator.alloc(bytes, allocator.data);
}
void pillion__free(void *memory) {
  if (memory != NULL) allocator.free(memory, allocator.data);
}
