/* SPDX-License-Identifier: Apache-2.0 */

/* Forked children. */
#include "rig.h"

/* The loop's descriptors are the parent's, too. */
TEST(a_forked_child_touches_nothing_of_the_parents) {
  struct rig *rig = rig_new(record);
  for (int i = 0; i < 20; i++)
    submit(rig->ex, "test.block", "", i, PILLION_EVENT);
  settle(rig);
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    if (host_detach(&rig->host) != PILLION_EFORKED) _exit(1);
    if (rig_attach(rig, record) != PILLION_EFORKED) _exit(2);
    _exit(pillion_executor_free(rig->ex) == PILLION_EFORKED ? 0 : 3);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  assert_int_equal(status, 0);
  assert_ok(pillion_executor_close(rig->ex, PILLION_CLOSE_CANCEL));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 20);
  rig_free(rig);
}
