/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tests/stress/zero_allocation: the whole life of one task on storage of the
 * caller's, which allocates nothing. It is spawned, waits, is woken, and ends.
 */

#include "bench.h"
#include "pillion.h"

#define LIVES 10000

struct life {
  pillion_waker waker;
  int polls;
};

static int live(pillion_value *out, pillion_context *cx, void *self) {
  struct life *life = self;
  life->waker = cx->waker;
  if (life->polls++ == 0) return PILLION_PENDING;
  pillion_value_set(out, &life->polls, sizeof life->polls);
  return PILLION_READY;
}

static const pillion_future future = {sizeof future, live, NULL};

static uint64_t round_of_lives(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  pillion_event event;
  int ended = 0;
  for (int i = 0; i < LIVES; i++) {
    struct life life = {0, 0};
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &life, 0,
                                 PILLION_EVENT));
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
    pillion_wake_local(life.waker);
    ended += pillion_executor_turn(&event, 1, NULL, executor, NULL);
  }
  if (ended != LIVES) exit(1);
  return LIVES;
}

static uint64_t allocations;

static void *counted(size_t bytes, void *data) {
  (void)data;
  allocations++;
  return malloc(bytes);
}

static void released(void *memory, void *data) {
  (void)data;
  free(memory);
}

/* The host only looks in: it needs no poke, and pays for none. */
static int looks_in(void *data) {
  (void)data;
  return 0;
}

int main(void) {
  static const pillion_allocator allocator = {counted, released, NULL};
  pillion_start_options start = PILLION_START_OPTIONS_INIT;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_host host = PILLION_HOST_INIT;
  pillion_executor executor;
  start.allocator = &allocator;
  options.flags = PILLION_NO_FD;
  options.ready = 1;
  host.wake = looks_in;
  BENCH_TRY(pillion_start(&start, NULL, 0));
  BENCH_TRY(pillion_executor_new(&executor, &options, NULL, 0));
  BENCH_TRY(pillion_host_set(executor, &host));
  uint64_t before = allocations;
  double ns = bench_loop(round_of_lives, &executor);
  if (allocations != before) return 1;
  bench_print("life", ns);
  return 0;
}
