/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signals that the program blocks are for its sigwait or signalfd: Go's threads
 * must not take them, and the load must not change the program's masks.
 */
#include "support.h"

static const int ours[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGHUP,
                           SIGINT,  SIGCHLD, SIGPROF, SIGALRM};

static _Atomic int handled;
static void handler(int signal) {
  handled++;
}

static void fill(sigset_t *set) {
  sigemptyset(set);
  for (size_t i = 0; i < COUNT(ours); i++)
    if (ours[i] != SIGALRM) sigaddset(set, ours[i]);
}

/* Gives Go work for many threads. */
static void keep_go_busy(pillion_executor ex) {
  for (int i = 0; i < 8; i++) {
    submit(ex, "test.spin", "20", i, PILLION_EVENT);
    submit(ex, "test.garbage", "20", i, PILLION_EVENT);
    submit(ex, "test.sleep", "20000000", i, PILLION_EVENT);
  }
}

GIVEN(an_executor, blocked_signals_wait_for_the_program) {
  struct sigaction action, old[COUNT(ours)];
  struct seen seen = {0};
  sigset_t set, before;
  fill(&set);
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  for (size_t i = 0; i < COUNT(ours); i++)
    assert_ok(sigaction(ours[i], &action, &old[i]));
  assert_ok(pthread_sigmask(SIG_BLOCK, &set, &before));
  handled = 0;
  keep_go_busy(ex);
  for (int round = 0; round < 200; round++) {
    for (size_t i = 0; i < COUNT(ours); i++) {
      if (ours[i] == SIGALRM) continue;
      siginfo_t info;
      sigset_t one;
      sigemptyset(&one);
      sigaddset(&one, ours[i]);
      assert_ok(kill(getpid(), ours[i]));
      assert_int_equal(sigwaitinfo(&one, &info), ours[i]);
    }
    turn(ex, &seen, NULL);
  }
  run(ex, &seen);
  assert_int_equal(handled, 0);
  assert_int_equal(seen.count, 24);
  assert_ok(pthread_sigmask(SIG_SETMASK, &before, NULL));
  for (size_t i = 0; i < COUNT(ours); i++)
    assert_ok(sigaction(ours[i], &old[i], NULL));
}

static pthread_t handled_by;
static void who(int signal) {
  handled_by = pthread_self();
  handled++;
}

GIVEN(an_executor, signals_that_are_not_blocked_reach_the_program) {
  struct sigaction action, old;
  struct seen seen = {0};
  memset(&action, 0, sizeof action);
  action.sa_handler = who;
  action.sa_flags = SA_ONSTACK;
  assert_ok(sigaction(SIGUSR1, &action, &old));
  handled = 0;
  keep_go_busy(ex);
  for (int i = 0; i < 200; i++) {
    int before = handled;
    assert_ok(kill(getpid(), SIGUSR1));
    while (handled == before) sched_yield();
    assert_true(pthread_equal(handled_by, pthread_self()));
  }
  run(ex, &seen);
  assert_ok(sigaction(SIGUSR1, &old, NULL));
}

/* Runs in a process that began with SIGUSR2 and SIGHUP blocked. */
static int mask_after_load(void) {
  sigset_t mask;
  must(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
  for (int i = 1; i < 32; i++)
    must(sigismember(&mask, i) == (i == SIGUSR2 || i == SIGHUP));
  must(pillion_start(NULL, NULL, 0) == 0);
  pillion_function f;
  pillion_value value;
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_wait(&value, f, "x", 1, LONG_ENOUGH) == 0);
  must(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
  for (int i = 1; i < 32; i++)
    must(sigismember(&mask, i) == (i == SIGUSR2 || i == SIGHUP));
  return 0;
}

TEST(loading_leaves_the_mask_as_it_was) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGHUP);
  assert_ok(pthread_sigmask(SIG_SETMASK, &set, &before));
  int rc = run_self("mask");
  assert_ok(pthread_sigmask(SIG_SETMASK, &before, NULL));
  assert_ok(rc);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "mask") == 0) return mask_after_load();
  return test_main();
}
