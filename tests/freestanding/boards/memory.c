/* SPDX-License-Identifier: Apache-2.0 */

/* What compilers call for large structs, even without a libc. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(
    void *to, const void *from, size_t n) {
  for (size_t i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(
    void *to, int byte, size_t n) {
  for (size_t i = 0; i < n; i++) ((char *)to)[i] = (char)byte;
  return to;
}
