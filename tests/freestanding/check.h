/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CHECK_H
#define PILLION_TESTS_CHECK_H

/* Checks without a libc. */
#include "text.h"

static int checks_passed, checks_failed;

#define CHECK(condition) check(condition, #condition, __FILE__, __LINE__)
#define CHECK_INT(a, b) check_int((int64_t)(a), (int64_t)(b), #a, __FILE__, __LINE__)

static inline void check(int holds, const char *what, const char *file,
                         int line) {
  if (holds) return;
  checks_failed++;
  say(file, ":", number(line), ": not so: ", what, "\n", NULL);
}

static inline void check_int(int64_t a, int64_t b, const char *what,
                             const char *file, int line) {
  if (a == b) return;
  checks_failed++;
  say(file, ":", number(line), ": ", what, " is ", number(a), ", not ",
      number(b), "\n", NULL);
}

/* Runs a test, a function without parameters. */
#define TEST(name) run_test(name, #name)

static inline void run_test(void (*test)(void), const char *name) {
  int before = checks_failed;
  test();
  if (checks_failed == before) checks_passed++;
  else say("not ok: ", name, "\n", NULL);
}

static inline void finish_tests(void) {
  say(number(checks_passed), " passed, ", number(checks_failed), " failed\n",
      NULL);
  board_exit(checks_failed > 0);
}

#endif
