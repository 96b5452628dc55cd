/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_TEST_H
#define PILLION_TESTS_TEST_H

/*
 * What the C tests of all rooms share. Futures and callbacks only record; tests
 * assert, since cmocka's longjmp must not cross a turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define assert_ok(expression) assert_int_equal(expression, 0)

/* ---- Tests --------------------------------------------------------------- */

struct test {
  const char *name;
  void (*body)(void **state);
  void (*fixture)(void);
};

/*
 * TEST(name) { … } is a test, and needs no entry in a list. A program's tests
 * run in the order in which they stand. GIVEN(fixture, name) { … } is a test
 * for which the function `fixture` runs first. TEST=name in the environment
 * runs only that test.
 */
#define TEST(name) GIVEN(NULL, name)
#define GIVEN(fixture, name)                                  \
  static void name(void **state);                             \
  __attribute__((constructor)) static void add_##name(void) { \
    static const struct test test = {#name, name, fixture};   \
    test_add(&test);                                          \
  }                                                           \
  static void name(void **state)

void test_add(const struct test *test);

/* A fixture calls it: `undo` runs after the test, also if the test fails. */
void afterwards(void (*undo)(void));

/* A program may define it: why a test is skipped, or NULL. */
const char *test_exempt(const char *name) __attribute__((weak));

extern bool test_passed; /* for `undo`: the test before it has passed */

/* The hooks may be NULL; they answer as cmocka's do. */
int run_all_tests(int (*before_all)(void **), int (*after_each)(void **),
                  int (*after_all)(void **));

#endif
