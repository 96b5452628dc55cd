/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A second wake from another thread, which finds the first still pending, while
 * the owner is elsewhere: "pillion" wakes a task, "uv" sends a uv_async_t.
 * ("version" names that libuv.)
 */

#include <pthread.h>
#include <uv.h>

#include "bench.h"
#include "pillion.h"

#define WAKES 100000

static pillion_waker waker;
static uv_async_t async;

static int keep_waker(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  waker = cx->waker;
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, keep_waker, NULL};

static uint64_t round_of_wakes(void *data) {
  pillion_waker known = waker; /* as the address of `async` is */
  (void)data;
  for (int i = 0; i < WAKES; i++) BENCH_TRY(pillion_wake(known));
  return WAKES;
}

static uint64_t round_of_sends(void *data) {
  (void)data;
  for (int i = 0; i < WAKES; i++) BENCH_TRY(uv_async_send(&async));
  return WAKES;
}

static void nothing(uv_async_t *handle) { (void)handle; }

static void *other_thread(void *round) {
  bench_print("wake", bench_loop((uint64_t(*)(void *))round, NULL));
  return NULL;
}

int main(int argc, char **argv) {
  int uv = bench_is(argc, argv, "uv");
  pillion_executor executor;
  pthread_t thread;
  if (bench_is(argc, argv, "version")) return puts(uv_version_string()) < 0;
  if (uv) {
    BENCH_TRY(uv_async_init(uv_default_loop(), &async, nothing));
  } else {
    BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &executor, 0,
                                 PILLION_DETACH));
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  }
  pthread_create(&thread, NULL, other_thread,
                 uv ? (void *)round_of_sends : (void *)round_of_wakes);
  return pthread_join(thread, NULL);
}
