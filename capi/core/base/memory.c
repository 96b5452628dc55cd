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
