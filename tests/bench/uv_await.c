/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go work awaited from libuv through pillion/uv.h; peers/uv_bridge.c is the
 * same by hand. The argument is how many are in flight.
 */

#include "bench.h"
#include "pillion/uv.h"

static pillion_executor executor;
static pillion_function echo;
static uint64_t submitted, taken, total;

static void submit(void) {
  char request = 'x';
  BENCH_TRY(pillion_call_submit(NULL, executor, echo, &request, 1, submitted++,
                                PILLION_EVENT));
}

static void on_event(const pillion_event *event, void *data) {
  taken++;
  if (event->length != 1 || event->payload.bytes[0] != 'x') abort();
  if (submitted < total) submit();
  if (taken == total) uv_stop(data);
}

int main(int argc, char **argv) {
  uint64_t in_flight = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int64_t start;
  uv_loop_t *loop = uv_default_loop();
  pillion_uv uv;
  BENCH_TRY(pillion_function_find(&echo, "test.echo"));
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_uv_attach(&uv, loop, executor, on_event, loop));
  for (int round = 0; round < 2; round++) { /* the first warms up */
    taken = submitted = 0;
    total = in_flight == 1 ? 3000 : 10 * in_flight + 20000;
    start = bench_now();
    for (uint64_t i = 0; i < in_flight; i++) submit();
    uv_run(loop, UV_RUN_DEFAULT);
  }
  bench_print("await", (double)(bench_now() - start) / (double)total);
  return 0;
}
