/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_H
#define BENCH_H

/*
 * The small programs of this folder share a clock, one timing loop, one way to
 * fail and one way to print. Each prints one JSON object, whose values are
 * nanoseconds unless their names say otherwise, and exits.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t bench_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A call that must answer 0 or more. */
#define BENCH_TRY(call)                                              \
  do {                                                               \
    int bench__rc = (call);                                          \
    if (bench__rc < 0) {                                             \
      fprintf(stderr, "%s:%d: %s: %d\n", __FILE__, __LINE__, #call, \
              bench__rc);                                            \
      exit(1);                                                       \
    }                                                                \
  } while (0)

/* How long a measured loop runs: long enough to drown the clock's 30 ns. */
#define BENCH_NS 150000000

/*
 * The one timing loop. `round` does some of the work, thousands of steps at
 * best, and answers the number of steps. The first round doesn't count: it
 * faults the memory in and fills the caches.
 */
static inline double bench_loop(uint64_t (*round)(void *data), void *data) {
  uint64_t steps = 0;
  int64_t start, end;
  round(data);
  start = bench_now();
  do {
    steps += round(data);
    end = bench_now();
  } while (end - start < BENCH_NS);
  return (double)(end - start) / (double)steps;
}

static inline void bench_print(const char *key, double value) {
  printf("{\"%s\": %.3f}\n", key, value);
}

/* Resident memory of this process in bytes. */
static inline int64_t bench_resident(void) {
  long total, resident;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2) exit(1);
  fclose(f);
  return (int64_t)resident * 4096;
}

/* The mode that the command line asks for. */
static inline int bench_is(int argc, char **argv, const char *mode) {
  return argc > 1 && strcmp(argv[1], mode) == 0;
}

#endif
