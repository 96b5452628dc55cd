/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A start to which the system refuses something answers an error, has changed
 * nothing, and works at the next try.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.h"

/* ---- Descriptors --------------------------------------------------------- */

static int balance; /* of the allocator */

static void *count_alloc(size_t bytes, void *data) {
  ++*(int *)data;
  return malloc(bytes);
}

static void count_free(void *memory, void *data) {
  --*(int *)data;
  free(memory);
}

static int next_descriptor(void) {
  int fd = dup(0);
  assert_true(fd > 0);
  close(fd);
  return fd;
}

static int go_refuses, go_starts;

static int guest_start(char *errbuf, size_t errcap) {
  go_starts++;
  close(pillion__ring_fd_take());
  if (go_refuses)
    return pillion__fail(PILLION_ESYSTEM, (struct pillion__why){errbuf, errcap},
                         "Go says no");
  return 0;
}

TEST(a_start_without_means_is_tried_again) {
  const pillion_allocator allocator = {count_alloc, count_free, &balance};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  struct rlimit old, limit;
  char why[128];
  int rc, refused = 0, first = next_descriptor();
  options.allocator = &allocator;
  options.ring = 64;
  assert_ok(getrlimit(RLIMIT_NOFILE, &old));
  limit = old;
  go_refuses = 1;
  for (limit.rlim_cur = (rlim_t)first;; limit.rlim_cur++) {
    why[0] = 0;
    assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
    rc = pillion_start(&options, why, sizeof why);
    assert_ok(setrlimit(RLIMIT_NOFILE, &old));
    assert_int_equal(rc, PILLION_ESYSTEM);
    assert_true(strlen(why) > 0);
    assert_int_equal(balance, 0);
    assert_int_equal(next_descriptor(), first);
    if (go_starts > 0) break;
    refused++;
  }
  assert_int_equal(refused, 4); /* the ring's, Go's copy, its poller and its own */
  assert_string_equal(why, "Go says no");
  go_refuses = 0;
  options.ring = 2; /* this start uses its options */
  assert_ok(pillion_start(&options, why, sizeof why));
  assert_int_equal(balance, 1);
  an_executor();
  int taken = 0;
  while (pillion_call_submit(NULL, ex, function("test.echo"), "", 0, 0,
                             PILLION_DETACH) == 0)
    taken++;
  assert_int_equal(taken, 2);
}

/* ---- Threads ------------------------------------------------------------- */

/* Limits on processes don't bind root, so another user's process runs this. */
static int with_few_threads(void) {
  uid_t user = 20000 + (uid_t)getpid() % 40000;
  struct rlimit limit = {4, 64};
  char why[128] = "";
  guest_install();
  if (setrlimit(RLIMIT_NPROC, &limit) < 0) return 1;
  if (setgid(user) < 0 || setuid(user) < 0) return 2;
  if (pillion_start(NULL, why, sizeof why) != PILLION_ESYSTEM) return 3;
  if (strstr(why, "threads") == NULL) return 4;
  limit.rlim_cur = 64;
  if (setrlimit(RLIMIT_NPROC, &limit) < 0) return 5;
  return pillion_start(NULL, NULL, 0) < 0 ? 6 : 0;
}

static void in_its_own_process(const char *name) {
  int status = 0;
  pid_t child = vfork();
  if (child == 0) {
    execl("/proc/self/exe", name, (char *)NULL);
    _exit(127);
  }
  assert_true(child > 0);
  while (waitpid(child, &status, 0) < 0) assert_int_equal(errno, EINTR);
  assert_int_equal(status, 0);
}

TEST(a_start_without_threads_is_tried_again) {
  if (geteuid() != 0) skip();
  in_its_own_process("few_threads");
}

/* ---- Functions ----------------------------------------------------------- */

static int no_functions(char *errbuf, size_t errcap) {
  return 0;
}

static int functions_and_an_error(char *errbuf, size_t errcap) {
  guest_functions(errbuf, errcap);
  return pillion__fail(PILLION_ESYSTEM, (struct pillion__why){errbuf, errcap},
                         "Go says no");
}

static int with_no_functions(void) {
  guest_install();
  pillion__guest.start = guest_start;
  pillion__guest.functions = no_functions;
  int first = next_descriptor();
  if (pillion_start(NULL, NULL, 0) != 0) return 1;
  return go_starts > 0 || next_descriptor() != first ? 2 : 0;
}

static int with_an_error(void) {
  guest_install();
  pillion__guest.start = guest_start;
  pillion__guest.functions = functions_and_an_error;
  if (pillion_start(NULL, NULL, 0) != PILLION_ESYSTEM) return 1;
  return go_starts > 0 ? 2 : 0;
}

TEST(a_start_without_functions_starts_no_calls) {
  in_its_own_process("no_functions");
}

TEST(a_start_whose_functions_fail_goes_no_further) {
  in_its_own_process("an_error");
}

int main(int argc, char **argv) {
  if (strcmp(argv[0], "few_threads") == 0) return with_few_threads();
  if (strcmp(argv[0], "no_functions") == 0) return with_no_functions();
  if (strcmp(argv[0], "an_error") == 0) return with_an_error();
  guest_install();
  pillion__guest.start = guest_start;
  return test_main();
}
