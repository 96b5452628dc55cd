/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_SIZE_H
#define PILLION_INCLUDE_SIZE_H

/*
 * Sizes of structs that begin with `size`; pillion.h tells the rule. All of
 * this is private.
 */

#include <stddef.h>

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The bytes of each struct in its first version. They never change. Futures
 * also exist where pointers have 32 bits.
 */
enum {
  PILLION__FIRST_START_OPTIONS = 40,
  PILLION__FIRST_LIBRARY_COUNTS = 72, /* all but `threads`, `max_workers` */
  PILLION__FIRST_EXECUTOR_OPTIONS = 88,
  PILLION__FIRST_EXECUTOR_STATS = 88,
  PILLION__FIRST_CONTEXT_HOOKS = 48,
  PILLION__FIRST_BUDGET = 24,
  PILLION__FIRST_PROGRESS = 32,
  PILLION__FIRST_HOST = 64,
  PILLION__FIRST_ATTACH_OPTIONS = 48,
  PILLION__FIRST_POOL_OPTIONS = 40,
  PILLION__FIRST_POOL_STATS = 56,
  PILLION__FIRST_FUNCTION_INFO = 40,
  PILLION__FIRST_CALL_OPTIONS = 64,
  PILLION__FIRST_FAILURE = 40,
  PILLION__FIRST_FUTURE = 3 * sizeof(void *),
  PILLION__FIRST_PROVIDER_OPTIONS = 40,
  PILLION__FIRST_CALL_INFORMATION = 40,
  PILLION__SIZE_MOST = 4096 /* a larger one was never set */
};

/*
 * Whether a struct may be taken by code that knows `ours` bytes of it: 0,
 * PILLION_EINVAL or PILLION_ENOTSUP.
 */
static inline int pillion__sized(const void *given, size_t ours, size_t first) {
  const unsigned char *bytes = (const unsigned char *)given;
  size_t size = given == NULL ? 0 : *(const size_t *)given;
  if (size < first || size > PILLION__SIZE_MOST) return PILLION_EINVAL;
  __asm__("" : "+r"(bytes)); /* else compilers warn of what is beyond */
  for (size_t at = ours; at < size; at++)
    if (bytes[at] != 0) return PILLION_ENOTSUP;
  return 0;
}

#ifdef __cplusplus
}
#endif

#endif
