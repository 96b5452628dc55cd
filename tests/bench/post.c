/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Posts of 24 bytes by another thread, and that thread's time alone. "burst": a
 * thousand posts while the owner is elsewhere; the owner takes them afterwards.
 * "stream": the owner waits for posts and takes them meanwhile.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bench.h"
#include "pillion.h"
#include "pillion/poll.h"

#define BURST 1000
#define BURSTS 1000

static pillion_executor executor;
static _Atomic uint64_t posted, taken;
static int streaming;

static void post(uint64_t token) {
  static const char payload[PILLION_INLINE] = "posted by another thread";
  for (;;) {
    int rc =
        pillion_executor_post(executor, token, payload, sizeof payload);
    if (rc == 0) return;
    if (rc != PILLION_EAGAIN) BENCH_TRY(rc);
    sched_yield();
  }
}

static void *poster(void *data) {
  double spent = 0;
  uint64_t token = 0;
  for (int i = 0; i <= BURSTS; i++) {
    int64_t start = bench_now();
    for (int j = 0; j < BURST; j++) post(token++);
    if (i > 0) spent += (double)(bench_now() - start);
    atomic_store(&posted, token);
    while (!streaming && atomic_load(&taken) < token) sched_yield();
  }
  bench_print("post", spent / BURST / BURSTS);
  exit(data != NULL);
}

static void take(void) {
  static pillion_event events[256];
  uint64_t token = atomic_load(&taken);
  int n = pillion_executor_turn(events, 256, NULL, executor, NULL);
  BENCH_TRY(n);
  for (int i = 0; i < n; i++)
    if (events[i].token != token++) exit(1);
  atomic_store(&taken, token);
}

int main(int argc, char **argv) {
  struct pollfd watched = {-1, POLLIN, 0};
  pthread_t thread;
  streaming = bench_is(argc, argv, "stream");
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_executor_fd(&watched.fd, executor));
  pthread_create(&thread, NULL, poster, NULL);
  for (;;) {
    if (streaming)
      poll(&watched, 1, -1);
    else
      while (atomic_load(&posted) == atomic_load(&taken)) sched_yield();
    take();
  }
}
