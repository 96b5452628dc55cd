/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The example, with a counter in front of the C library's malloc. It counts the
 * calls of every thread in the process.
 */
#define main example_main
#include "example.c"
#undef main

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_ulong mallocs;

void *malloc(size_t bytes) {
  mallocs++;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  mallocs++;
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
  mallocs++;
  return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  mallocs++;
  return __libc_memalign(alignment, bytes);
}

static int passed, failed;

static void expect(const char *what, int ok) {
  if (!ok) printf("%s: no\n", what);
  *(ok ? &passed : &failed) += 1;
}

int main(void) {
  unsigned long asked_for, all;
  expect("set_up", set_up() == 0);
  expect("the counters count", mallocs > 0 && allocations > 0);

  asked_for = allocations, all = mallocs;
  int one = run_one();
  expect("the first task allocates nothing",
         one == 0 && allocations == asked_for && mallocs == all);

  int thousand = run_thousand();
  expect("a thousand tasks allocate nothing",
         thousand == 0 && allocations == asked_for && mallocs == all);

  tear_down();
  printf("%d passed, %d failed\n", passed, failed);
  (void)example_main;
  return failed > 0;
}
