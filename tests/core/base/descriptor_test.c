/* SPDX-License-Identifier: Apache-2.0 */

/* The library's descriptors are above 0, 1 and 2, and none leaks. */
#include "support.h"

static int open_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 64; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static int above_stdio(int fd) {
  return fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

TEST(closed_stdio_gets_none_of_the_descriptors) {
  int kept[3], good = 0, n, fd, low;
  pillion_executor ex[3];
  fflush(stdout);
  for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
  n = open_descriptors() - 3;
  for (low = 0; low < 3; low++) close(low);
  assert_ok(pillion_start(NULL, NULL, 0)); /* the ring has two */
  good += above_stdio(pillion__ring_fd());
  for (int i = 0; i < 3; i++) {
    ex[i] = executor_new();
    assert_ok(pillion_executor_fd(&fd, ex[i]));
    good += above_stdio(fd);
  }
  for (low = 0; low < 3 && fcntl(low, F_GETFD) < 0;) low++;
  int more = open_descriptors() - n;
  for (int i = 0; i < 3; i++) executor_free(ex[i]);
  int left = open_descriptors() - n;
  for (int i = 0; i < 3; i++) dup2(kept[i], i), close(kept[i]);
  assert_int_equal(low, 3);
  assert_int_equal(good, 4);
  assert_int_equal(more, 5);
  assert_int_equal(left, 2);
}
