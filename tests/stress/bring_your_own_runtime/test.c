/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The example's four ways, and what each brings into the process: this finds
 * threads, goroutines and descriptors that the program did not ask for.
 *
 * Go starts its own threads at any time. So the test counts threads where it is
 * built with the core alone, and goroutines where it is built with the library.
 */
#define main example_main
#include "example.c"
#undef main
#include <dirent.h>
#include <stdlib.h>

static int passed, failed;

static void expect(const char *way, const char *what, long got, long want) {
  if (got != want) printf("%s: %ld %s, not %ld\n", way, got, what, want);
  *(got == want ? &passed : &failed) += 1;
}

static long entries(const char *path) {
  DIR *dir = opendir(path);
  long n = 0;
  while (readdir(dir) != NULL) n++;
  closedir(dir);
  return n - 2; /* "." and ".." */
}

static void check_goroutines(const char *way) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_library_count(&counts);
  expect(way, "goroutines", (long)(counts.workers + counts.parked), 0);
  expect(way, "executors left", (long)counts.executors, 0);
  expect(way, "tasks left", (long)counts.tasks, 0);
}

/* While the executor lives, and after its free. */
static void check_way(const struct way *way) {
  long fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  pillion_executor ex;
  struct program program;
  if (pillion_executor_new(&ex, way->options, NULL, 0) < 0) exit(1);
  long own = way->options != NULL && way->options->flags & PILLION_NO_FD ? 0 : 1;
  expect(way->name, "descriptors", entries("/proc/self/fd") - fds, own);
  if (begin(&program, ex, way->has_reactor) < 0) exit(1);
  expect(way->name, "result of the run", way->run(&program, ex), 0);
  expect(way->name, "is the sum", program.sum, way->has_reactor ? 12 : 7);
  expect(way->name, "descriptors", entries("/proc/self/fd") - fds, own);
  pillion_executor_free(ex);
  expect(way->name, "descriptors left", entries("/proc/self/fd") - fds, 0);
#ifdef WITHOUT_GO
  expect(way->name, "threads left", entries("/proc/self/task"), threads);
  expect(way->name, "threads", threads, 1);
#else
  (void)threads;
#endif
  check_goroutines(way->name);
}

/* The allocator must be set before the first executor is made. */
static unsigned long allocated, freed;

static void *count_alloc(size_t bytes, void *data) {
  ++*(unsigned long *)data;
  return malloc(bytes);
}

static void count_free(void *memory, void *data) {
  (void)data;
  freed++;
  free(memory);
}

static void check_start(void) {
  static const pillion_allocator allocator = {count_alloc, count_free,
                                              &allocated};
  pillion_start_options start = PILLION_START_OPTIONS_INIT;
  start.allocator = &allocator;
  start.ring = 64;
  start.max_calls = 16;
  expect("start", "result", pillion_start(&start, NULL, 0), 0);
  /* Go keeps the descriptors of its first start: a second start opens none. */
  pillion_shutdown(PILLION_CLOSE_CANCEL, PILLION_TIME_NEVER);
  long fds = entries("/proc/self/fd");
  expect("start", "result", pillion_start(&start, NULL, 0), 0);
  expect("start", "descriptors", entries("/proc/self/fd") - fds, 0);
  check_goroutines("start");
}

/* What the `replaced` way has done, counted. */
static void check_replaced(void) {
  const struct way *way = &ways[WAYS - 1];
  pillion_executor ex;
  struct program program;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  int64_t before = simulated, began = now();
  if (pillion_executor_new(&ex, way->options, NULL, 0) < 0) exit(1);
  if (begin(&program, ex, 0) < 0) exit(1);
  expect("replaced", "for one task too many",
         pillion_task_spawn(NULL, ex, &sleeper, &program.sleeper, 3,
                            PILLION_EVENT),
         PILLION_EAGAIN);
  expect("replaced", "result of the run", way->run(&program, ex), 0);
  expect("replaced", "ns have passed", simulated - before, 6000000);
  expect("replaced", "is sooner than it would be really",
         now() - began < 6000000000, 1);
  pillion_executor_stat(&stats, ex);
  expect("replaced", "polls in one turn, at most",
         stats.polls <= stats.turns, 1);
  pillion_executor_free(ex);
  expect("replaced", "the allocator was used", allocated > 0 && freed > 0, 1);
}

int main(void) {
  check_start();
  for (size_t i = 0; i < WAYS; i++) check_way(&ways[i]);
  check_replaced();
  printf("%d passed, %d failed\n", passed, failed);
  (void)example_main;
  return failed > 0;
}
