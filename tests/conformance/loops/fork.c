/* SPDX-License-Identifier: Apache-2.0 */

/* Children. */
#include <spawn.h>
#include <stdatomic.h>

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

/* ---- A storm ------------------------------------------------------------- */

static atomic_int reaped;

static void on_child(int number) {
  int before = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) reaped++;
  errno = before;
}

static void start_child(int kind) {
  char *const argv[] = {"true", NULL};
  pid_t pid = 0;
  if (kind == 0) {
    assert_ok(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, argv + 1));
    return;
  }
  pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) return;
  if (kind == 1) execv("/bin/true", argv);
  _exit(0);
}

/* The handler has no SA_ONSTACK, and restarts no system call. */
TEST(children_come_and_go_and_nothing_is_lost) {
  enum { CHILDREN = 60 };
  struct rig *rig = rig_new(record);
  struct sigaction action = {.sa_handler = on_child}, before;
  int rounds = 0;
  reaped = 0;
  assert_ok(sigaction(SIGCHLD, &action, &before));
  while (reaped < CHILDREN) {
    struct doze nap = {.ns = MS / 2};
    assert_ok(
        pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 1, PILLION_EVENT));
    submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
    if (rounds < CHILDREN) start_child(rounds % 3);
    rig_run(rig);
    assert_true(nap.woke - nap.began >= nap.ns);
    assert_int_equal(rig->seen.count, 2 * ++rounds);
  }
  assert_ok(sigaction(SIGCHLD, &before, NULL));
  rig_free(rig);
}
