/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Structs that begin with `size`, from and to programs that know less of them
 * than the library, or more. The rule is in pillion.h.
 */
#include <string.h>

#include "base/base.h"

static size_t less(size_t a, size_t b) { return a < b ? a : b; }

/* Copies what a program gives over *ours: `size` bytes, which are defaults. */
int pillion__sized_in(void *ours, size_t size, size_t first, const void *given,
                      struct pillion__why why) {
  size_t its = given == NULL ? 0 : *(const size_t *)given;
  int rc = pillion__sized(given, size, first);
  if (rc == PILLION_EINVAL)
    return pillion__fail(rc, why, "size is %zu, not %zu to %d", its, first,
                         PILLION__SIZE_MOST);
  if (rc < 0)
    return pillion__fail(rc, why,
                         "size is %zu, of which the library knows %zu bytes, "
                         "and those beyond are not zero",
                         its, size);
  memcpy(ours, given, less(its, size));
  *(size_t *)ours = size;
  return 0;
}

/* Copies *ours, which has `size` bytes, to a program: all but the size. */
int pillion__sized_out(void *given, size_t first, const void *ours,
                       size_t size) {
  size_t from = sizeof(size_t);
  int rc = pillion__sized(given, PILLION__SIZE_MOST, first);
  if (rc < 0) return rc;
  memcpy((char *)given + from, (const char *)ours + from,
         less(*(size_t *)given, size) - from);
  return 0;
}
