/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The system refuses something once while the library starts; strace does that,
 * in a process of its own. The start answers an error, and the next one works.
 * No call hangs.
 */
#include <fcntl.h>

#include "support.h"

static const struct refusal {
  const char *call, *inject;
} refusals[] = {
    {"eventfd2", "eventfd2:error=EMFILE:when=1"},
    {"fcntl", "fcntl:error=EMFILE:when=1"},
    {"epoll_create1", "epoll_create1:error=ENFILE:when=1"},
    {"eventfd2", "eventfd2:error=EMFILE:when=2"},
    {"epoll_ctl", "epoll_ctl:error=ENOMEM:when=1"},
    {"epoll_ctl", "epoll_ctl:error=ENOSPC:when=2"},
    /* The third call is for Go's own poller, this one for what Go sleeps on. */
    {"epoll_ctl", "epoll_ctl:error=ENOSPC:when=4"},
};

static int starts_at_the_second_time(void) {
  char why[128] = "";
  pillion_function f;
  pillion_value value;
  must(pillion_start(NULL, why, sizeof why) == PILLION_ESYSTEM);
  must(strlen(why) > 0);
  must(pillion_start(NULL, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_wait(&value, f, "x", 1, LONG_ENOUGH) == 0);
  must(value.status == 0);
  return 0;
}

static int run_traced(const char *call, const char *inject) {
  char trace[64], self[4096], option[128];
  int status = 0;
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  snprintf(trace, sizeof trace, "trace=%s", call);
  snprintf(option, sizeof option, "inject=%s", inject);
  /* Go makes its poller at the load if one of them does not block. */
  for (int fd = 0; fd < 3; fd++)
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  pid_t pid = vfork();
  if (pid == 0) {
    execlp("strace", "strace", "-f", "-qq", "-o", "/dev/null", "-e", trace,
           "-e", option, self, "again", (char *)NULL);
    _exit(127);
  }
  assert_true(pid > 0);
  while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void what_the_start_is_refused(void **state) {
  const struct refusal *refusal = *state;
  int rc = run_traced(refusal->call, refusal->inject);
  if (rc == 127) skip(); /* there is no strace */
  assert_int_equal(rc, 0);
}

int main(int argc, char **argv) {
  struct CMUnitTest tests[COUNT(refusals)];
  if (argc > 1) {
    alarm(60);
    return starts_at_the_second_time();
  }
  for (size_t i = 0; i < COUNT(refusals); i++) {
    memset(&tests[i], 0, sizeof tests[i]);
    tests[i].name = refusals[i].inject;
    tests[i].test_func = what_the_start_is_refused;
    tests[i].initial_state = (void *)(uintptr_t)&refusals[i];
  }
  return _cmocka_run_group_tests("tests", tests, COUNT(refusals), start_clock,
                                 nothing_lives);
}
