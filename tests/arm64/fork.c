/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A forked child is noticed, also where the kernel only claims to wipe its
 * pages, as qemu-user does.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pillion.h"

int main(void) {
  pillion_executor ex;
  int status;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  pid_t child = fork();
  if (child == 0)
    _exit(pillion_executor_bind(ex) == PILLION_EFORKED &&
                  pillion_wake(1) == PILLION_EFORKED
              ? 0
              : 1);
  if (waitpid(child, &status, 0) != child) return 1;
  int noticed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  pillion_executor_free(ex);
  printf("%d passed, %d failed\n", noticed, !noticed);
  return !noticed;
}
