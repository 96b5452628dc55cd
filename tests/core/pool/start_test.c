/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads of the pool's own: all of them work when pillion_pool_start answers
 * 0, and none is left when the system has too few.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.h"

static void stop(void) { assert_ok(pillion_pool_stop(pool, 20 * SECOND)); }

static void a_pool(void) {
  pool = pool_new();
  afterwards(stop);
}

/* ---- What they are ------------------------------------------------------- */

static uint64_t workers(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  return counts.workers;
}

GIVEN(a_pool, they_work_when_it_returns) {
  assert_int_equal(pillion_pool_start(pool, 0), PILLION_EINVAL);
  assert_int_equal(pillion_pool_start(pool, 257), PILLION_EINVAL);
  assert_ok(pillion_pool_start(pool, 3));
  assert_int_equal(pool_stats(pool).workers, 3);
  assert_int_equal(pool_stats(pool).threads, 3);
  assert_int_equal(workers(), 3);
  assert_ok(pillion_pool_start(pool, 1)); /* more of them */
  assert_int_equal(pool_stats(pool).workers, 4);
  assert_int_equal(pillion_pool_free(pool), PILLION_EBUSY);
  assert_ok(pillion_pool_stop(pool, 20 * SECOND));
  assert_int_equal(pool_stats(pool).workers, 0);
  assert_int_equal(workers(), 0);
}

static int look_around(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  char name[16];
  sigset_t blocked;
  prctl(PR_GET_NAME, name);
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  if (strcmp(name, "pillion-pool") != 0) probe->rc = 1;
  for (int sig = 1; sig < SIGRTMAX; sig++) {
    int member = sigismember(&blocked, sig);
    switch (sig) {
      case SIGKILL:
      case SIGSTOP:
      case 32: /* glibc's own */
      case 33:
        continue;
      case SIGSEGV:
      case SIGBUS:
      case SIGFPE:
      case SIGILL:
      case SIGTRAP:
      case SIGSYS:
        member = !member;
    }
    if (member != 1) probe->rc = sig;
  }
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

GIVEN(a_pool, signals_are_not_theirs) {
  struct probe probe = {.step = look_around};
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  assert_ok(pillion_pool_start(pool, 1));
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int sig = 1; sig < SIGRTMAX; sig++)
    assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
  pillion_executor home = executor_new();
  pool_spawn(pool, home, &probe, 0, PILLION_EVENT);
  while (turn(home) == 0) sched_yield();
  assert_int_equal(probe.rc, 0);
  executor_free(home);
}

/* ---- What can't be had --------------------------------------------------- */

static void none_is_left(void) {
  assert_int_equal(pool_stats(pool).workers, 0);
  assert_int_equal(pool_stats(pool).threads, 0);
  assert_int_equal(workers(), 0);
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  assert_int_equal(counts.executors, 0);
}

GIVEN(a_pool, without_descriptors_none_is_left) {
  struct rlimit old, limit;
  assert_ok(getrlimit(RLIMIT_NOFILE, &old));
  limit = old;
  int next = dup(0);
  assert_true(next > 0);
  close(next);
  limit.rlim_cur = (rlim_t)next + 2; /* so some of them get one */
  assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
  assert_int_equal(pillion_pool_start(pool, 16), PILLION_ESYSTEM);
  assert_ok(setrlimit(RLIMIT_NOFILE, &old));
  none_is_left();
  assert_ok(pillion_pool_start(pool, 16));
}

GIVEN(a_pool, a_full_pool_takes_none) {
  pillion_executor other = executor_new();
  assert_ok(pillion_pool_join(pool, other, 0));
  assert_int_equal(pillion_pool_start(pool, 256), PILLION_EAGAIN);
  assert_int_equal(pool_stats(pool).workers, 1);
  assert_int_equal(pool_stats(pool).threads, 0);
  executor_free(other);
  none_is_left();
}

/* Limits on processes don't bind root, so this is a process of another user. */
static int with_few_threads(void) {
  uid_t user = 20000 + (uid_t)getpid() % 40000;
  struct rlimit limit = {8, 8};
  if (setrlimit(RLIMIT_NPROC, &limit) < 0) return 1;
  if (setgid(user) < 0 || setuid(user) < 0) return 2;
  if (pillion_pool_new(&pool, NULL, NULL, 0) < 0) return 3;
  if (pillion_pool_start(pool, 32) != PILLION_EAGAIN) return 4;
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  if (pillion_pool_stat(&stats, pool) < 0 || stats.workers != 0 ||
      stats.threads != 0)
    return 5;
  if (pillion_pool_start(pool, 2) < 0) return 6;
  if (pillion_pool_stop(pool, 20 * SECOND) < 0) return 6;
  return pillion_pool_free(pool) < 0 ? 7 : 0;
}

GIVEN(a_pool, without_threads_none_is_left) {
  int status = 0;
  if (geteuid() != 0) skip();
  pid_t child = vfork();
  if (child == 0) {
    execl("/proc/self/exe", "few_threads", (char *)NULL);
    _exit(127);
  }
  assert_true(child > 0);
  while (waitpid(child, &status, 0) < 0) assert_int_equal(errno, EINTR);
  assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
  if (strcmp(argv[0], "few_threads") == 0) return with_few_threads();
  guest_install();
  return test_main();
}
