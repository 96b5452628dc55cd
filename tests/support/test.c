/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>

static struct CMUnitTest tests[128];
static size_t test_count;
static void (*undoing)(void);
static int (*after_each_test)(void **state);

bool test_passed;

static const char *exempt(const char *name) {
  return test_exempt != NULL ? test_exempt(name) : NULL;
}

static int begin(void **state) {
  const struct test *test = *state;
  undoing = NULL;
  if (exempt(test->name) != NULL) return 0;
  if (test->fixture != NULL) test->fixture();
  return 0;
}

static void run(void **state) {
  const struct test *test = *state;
  test_passed = false;
  if (exempt(test->name) != NULL) {
    print_message("does not apply: %s\n", exempt(test->name));
    skip();
  }
  test->body(state);
  test_passed = true;
}

static int end(void **state) {
  if (undoing != NULL) undoing();
  return after_each_test != NULL ? after_each_test(state) : 0;
}

void test_add(const struct test *test) {
  if (test_count == COUNT(tests)) abort();
  tests[test_count++] =
      (struct CMUnitTest){test->name, run, begin, end, (void *)(uintptr_t)test};
}

void afterwards(void (*undo)(void)) { undoing = undo; }

int run_all_tests(int (*before_all)(void **), int (*after_each)(void **),
                  int (*after_all)(void **)) {
  after_each_test = after_each;
  cmocka_set_test_filter(getenv("TEST"));
  return _cmocka_run_group_tests(program_invocation_short_name, tests,
                                 test_count, before_all, after_all);
}
