/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CASES_H
#define PILLION_TESTS_CASES_H

/*
 * Tests that each need a process of their own: they look at the library's load
 * or start, or at what it does to the whole process.
 */
#include "support.h"

struct test_case {
  const char *name;
  int (*main)(void);
  int status; /* the exit status; 128 + a signal */
};

#define CASE(name) {#name, name, 0}
#define DIES(name, signal) {#name, name, 128 + (signal)}

static inline void in_a_process_of_its_own(void **state) {
  const struct test_case *c = (const struct test_case *)*state;
  assert_int_equal(run_self(c->name), c->status);
}

/* A main ends with it: it runs the named case, or else `test` for all cases. */
static inline int run_cases(int argc, char **argv,
                            const struct test_case *cases, size_t count,
                            void (*test)(void **state)) {
  struct CMUnitTest tests[32];
  if (count > COUNT(tests)) return 2;
  for (size_t i = 0; i < count; i++) {
    if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
      alarm(100); /* less than the parent's patience */
      int rc = cases[i].main();
      return rc == 0 ? nothing_lives(NULL) : rc;
    }
    memset(&tests[i], 0, sizeof tests[i]);
    tests[i].name = cases[i].name;
    tests[i].test_func = test;
    tests[i].initial_state = (void *)(uintptr_t)&cases[i];
  }
  if (argc > 1) return 2;
  return _cmocka_run_group_tests("tests", tests, count, start_clock,
                                 nothing_lives);
}

#endif
