/* SPDX-License-Identifier: Apache-2.0 */

/* Some kernels only claim to wipe a page on fork, as qemu-user does. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "support.h"

static int advices;

/* Replaces libc's madvise in the whole program. */
int madvise(void *memory, size_t length, int advice) {
  if (advice == MADV_WIPEONFORK) advices++;
  return 0;
}

static int in_child(pillion_executor ex, pillion_waker waker) {
  if (pillion_wake(waker) != PILLION_EFORKED) return 1;
  if (turn(ex) != PILLION_EFORKED) return 2;
  if (pillion_executor_free(ex) != PILLION_EFORKED) return 3;
  return 0;
}

GIVEN(an_executor, child_of_a_kernel_that_does_not_wipe_is_refused) {
  static struct probe probe = {0};
  int status;
  pillion_waker waker = waker_of(spawn(ex, &probe, 0, PILLION_DETACH));
  assert_int_equal(advices, 1);
  turn(ex);
  pid_t child = fork();
  if (child == 0) _exit(in_child(ex, waker));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_false(readable(ex));
  assert_int_equal(pillion_wake(waker), PILLION_WOKEN);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.polls, 2);
}
