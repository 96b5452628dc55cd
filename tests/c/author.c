/* SPDX-License-Identifier: Apache-2.0 */

/* A C library on top of its author's own library of Go functions; see
   libraries_test.c. */
#include "pillion.h"

int AUTHOR(uint64_t *executors);

/* Makes a call on an executor of its own, and answers the call's status. */
int AUTHOR(uint64_t *executors) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_executor ex;
  pillion_function echo;
  pillion_value value;
  int rc = pillion_executor_new(&ex, NULL, NULL, 0);
  if (rc < 0) return rc;
  rc = pillion_library_count(&counts);
  *executors = counts.executors;
  if (rc == 0) rc = pillion_function_find(&echo, "test.echo");
  if (rc == 0) rc = pillion_call_wait(&value, echo, "", 0, PILLION_TIME_NEVER);
  return rc == 0 ? value.status : rc; /* the executor stays */
}
