/* SPDX-License-Identifier: Apache-2.0 */

/* A program that knows the library only as installed. */
#include <pillion.h>
#include <pillion/poll.h>
#include <stdio.h>

int main(void) {
  pillion_executor ex;
  char why[128];
  int rc = pillion_executor_new(&ex, NULL, why, sizeof why);
  if (rc < 0) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  printf("pillion %d.%d.%d\n", pillion_version() >> 16,
         pillion_version() >> 8 & 255, pillion_version() & 255);
  return pillion_executor_free(ex) == 0 ? 0 : 1;
}
