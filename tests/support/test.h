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
 * TEST(name) { … } is a test, and needs no entry in a list. A program's tests run
 * in the order in which they stand. GIVEN(fixture, name) { … } is one that the
 * function `fixture` prepares. TEST=name in the environment runs only that one.
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

/* For a fixture: what is done after the test, and also after one that fails. */
void afterwards(void (*undo)(void));

extern bool test_passed; /* the test that is being undone */

/* The hooks may be NULL; they answer as cmocka's do. */
int run_all_tests(int (*before_all)(void **), int (*after_each)(void **),
                  int (*after_all)(void **));

#endif
