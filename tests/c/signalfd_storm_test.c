/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A bare poll(2) loop that starts children by posix_spawn. It hears of their
 * ends through a signalfd, so SIGCHLD must be blocked on every thread. If a
 * thread of Go's took one, the loop would wait for ever. See storm.h.
 */
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>

#include "storm.h"

static void start(void) {
  char *arguments[] = {"/bin/true", NULL}, *nothing[] = {NULL};
  pid_t pid;
  assert_ok(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, nothing));
  children_left--;
  children_alive++;
}

static void reap(int signals) {
  struct signalfd_siginfo info;
  int status;
  while (read(signals, &info, sizeof info) == sizeof info) {
  }
  while (waitpid(-1, &status, WNOHANG) > 0) {
    if (status == 0) children_ended++;
    children_alive--;
    if (children_left > 0) start();
  }
}

TEST(a_signalfd_hears_of_every_child) {
  pillion_event events[64];
  sigset_t child;
  storm_begin();
  int children = children_left;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  struct pollfd watched[] = {{signals, POLLIN, 0}, {-1, POLLIN, 0}};
  assert_true(signals >= 0);
  assert_ok(pillion_executor_fd(&watched[1].fd, storm_executor));
  for (int i = 0; i < 16; i++) start();
  while (children_alive > 0 || calls_alive > 0) {
    if (poll(watched, COUNT(watched), -1) < 0) continue;
    if (watched[0].revents != 0) reap(signals);
    if (watched[1].revents == 0) continue;
    int n = pillion_executor_turn(events, COUNT(events), NULL, storm_executor,
                                  NULL);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) storm_event(&events[i], NULL);
  }
  storm_end(children);
  close(signals);
}

int main(void) {
  /* The library's threads are there already, but none of this program's. */
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child, NULL);
  return run_all_tests(NULL, free_executor, nothing_lives);
}
