/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Entering Go from C. "tight": in a loop. "stall": about every millisecond,
 * while Go computes and collects; prints every sample.
 */

#include "bench.h"
#include "libbridge.h"

#define CALLS 10000
#define SAMPLES 2000

static uint64_t round_of_calls(void *data) {
  (void)data;
  for (int i = 0; i < CALLS; i++) bridge_nothing();
  return CALLS;
}

int main(int argc, char **argv) {
  if (!bench_is(argc, argv, "stall")) {
    bench_print("call", bench_loop(round_of_calls, NULL));
    return 0;
  }
  bridge_load(60000);
  printf("{\"samples\": [");
  for (int i = 0; i < SAMPLES; i++) {
    int64_t start;
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    start = bench_now();
    bridge_nothing();
    printf("%s%ld", i > 0 ? "," : "", (long)(bench_now() - start));
  }
  printf("]}\n");
  return 0;
}
