/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tests/stress/bring_your_own_runtime: from a wake, made as by another thread
 * while the loop sleeps, to the poll. The loop is one of
 *
 *   descriptor   poll(2) on the executor's descriptor, then a turn
 *   hooks        a loop with a wake of its own, which costs nothing here
 *   embedded     pillion_poll_once
 *   uv           libuv's own: uv_async_send and the callback
 */

#include <poll.h>
#include <uv.h>

#include "bench.h"
#include "pillion/poll.h"

#define WAKES 1000

static pillion_executor executor;
static pillion_waker waker;
static uint64_t polls;
static int woken;
static uv_async_t async;

static int count(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  waker = cx->waker;
  polls++;
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, count, NULL};

static uint64_t on_descriptor(void *data) {
  struct pollfd watched = {-1, POLLIN, 0};
  (void)data;
  BENCH_TRY(pillion_executor_fd(&watched.fd, executor));
  for (int i = 0; i < WAKES; i++) {
    BENCH_TRY(pillion_wake(waker));
    if (poll(&watched, 1, -1) != 1) exit(1);
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  }
  return WAKES;
}

static int hook(void *data) {
  *(int *)data = 1;
  return 0;
}

static uint64_t on_hooks(void *data) {
  (void)data;
  for (int i = 0; i < WAKES; i++) {
    BENCH_TRY(pillion_wake(waker));
    if (!woken) exit(1);
    woken = 0;
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  }
  return WAKES;
}

static uint64_t embedded(void *data) {
  for (int i = 0; i < WAKES; i++) {
    BENCH_TRY(pillion_wake(waker));
    BENCH_TRY(pillion_poll_once(data, PILLION_TIME_NEVER));
  }
  return WAKES;
}

static void on_async(uv_async_t *handle) {
  (void)handle;
  polls++;
}

static uint64_t on_uv(void *data) {
  (void)data;
  for (int i = 0; i < WAKES; i++) {
    BENCH_TRY(uv_async_send(&async));
    uv_run(uv_default_loop(), UV_RUN_ONCE);
  }
  return WAKES;
}

int main(int argc, char **argv) {
  uint64_t (*round)(void *data) = on_descriptor;
  pillion_poll loop;
  pillion_host host = PILLION_HOST_INIT;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  if (bench_is(argc, argv, "uv")) {
    BENCH_TRY(uv_async_init(uv_default_loop(), &async, on_async));
    round = on_uv;
  } else if (bench_is(argc, argv, "hooks")) {
    host.data = &woken;
    host.wake = hook;
    BENCH_TRY(pillion_host_set(executor, &host));
    round = on_hooks;
  } else if (bench_is(argc, argv, "embedded")) {
    round = embedded;
  }
  pillion_poll_init(&loop, executor, NULL, NULL);
  BENCH_TRY(pillion_task_spawn(NULL, executor, &future, NULL, 0,
                               PILLION_DETACH));
  for (int i = 0; i < 2; i++) /* the second one parks */
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  bench_print("round trip", bench_loop(round, &loop));
  return polls > WAKES ? 0 : 1;
}
