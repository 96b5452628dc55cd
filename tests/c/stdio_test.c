/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs that close 0, 1 and 2 before the load or before the first use, and
 * open /dev/null there afterwards, as daemon(3) does. No descriptor that stays
 * open, of the library's or of Go's, may have one of these numbers.
 *
 * The program runs itself again for each case, and answers by its exit code.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "support.h"

static void close_stdio(void) {
  for (int fd = 0; fd <= 2; fd++) close(fd);
}

/* The lowest of 0, 1 and 2 that is open, or 3. */
static int lowest_open(void) {
  int fd = 0;
  while (fd < 3 && fcntl(fd, F_GETFD) < 0) fd++;
  return fd;
}

static int answers(const char *name, const char *request) {
  pillion_function f;
  pillion_value value;
  if (pillion_function_find(&f, name) < 0) return 0;
  if (pillion_call_wait(&value, f, request, strlen(request), LONG_ENOUGH) < 0)
    return 0;
  int ok = value.status == 0;
  pillion_value_drop(&value);
  return ok;
}

/* Makes calls, Go's timers, executors, and threads of a pool. */
static int uses_everything(void) {
  pillion_executor ex;
  pillion_pool pool;
  pillion_event event;
  int fd, n = 0;
  if (!answers("test.echo", "x")) return 10;
  if (!answers("test.sleep", "1000000")) return 11;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 12;
  if (pillion_executor_fd(&fd, ex) < 0 || fd < 3) return 13;
  if (lowest_open() < 3) return 14;
  submit(ex, "test.loop_sleep", "1000000", 1, PILLION_EVENT);
  while (n == 0) {
    readable(ex, 10);
    n = pillion_executor_turn(&event, 1, NULL, ex, NULL);
  }
  if (pillion_pool_new(&pool, NULL, NULL, 0) < 0) return 15;
  if (pillion_pool_start(pool, 2) < 0) return 16;
  if (lowest_open() < 3) return 17;
  if (pillion_pool_stop(pool, LONG_ENOUGH) < 0) return 18;
  if (pillion_pool_free(pool) < 0) return 19;
  if (pillion_executor_free(ex) < 0) return 20;
  return 0;
}

static int life_without_stdio(void) {
  alarm(60); /* also for a descriptor that the load leaves open */
  while (lowest_open() < 3) sched_yield(); /* Go reads a few files at first */
  int rc = uses_everything();
  if (rc != 0) return rc;
  if (lowest_open() < 3) return 2;
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  for (int i = 0; i < 3; i++)
    if (!answers("test.echo", "x")) return 3;
  if (pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH) < 0) return 4;
  close_stdio();
  if (pillion_start(NULL, NULL, 0) < 0) return 5;
  if (!answers("test.echo", "x")) return 6;
  return lowest_open() < 3 ? 7 : 0;
}

/* Runs this program again, for the case `how`. */
static int runs(const char *how) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    if (strcmp(how, "before the load") == 0) close_stdio();
    execl("/proc/self/exe", "stdio_test", how, (char *)NULL);
    _exit(100);
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(closed_before_the_load) {
  assert_int_equal(runs("before the load"), 0);
}

TEST(closed_before_the_first_use) {
  assert_int_equal(runs("before the first use"), 0);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    if (strcmp(argv[1], "before the first use") == 0) close_stdio();
    return life_without_stdio();
  }
  return test_main();
}
