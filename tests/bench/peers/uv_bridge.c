/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go work awaited from libuv by hand: a goroutine for each call, a queue under
 * a mutex, one uv_async_t. The argument is how many are in flight.
 */

#include <pthread.h>
#include <uv.h>

#include "bench.h"
#include "libbridge.h"

struct answer {
  struct answer *next;
  uint64_t id;
  size_t length;
  char data[];
};

static struct answer *first, **last = &first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uv_async_t async;
static uint64_t submitted, taken, total;

/* On a thread of Go's. */
static void push(uint64_t id, const void *data, size_t length) {
  struct answer *a = malloc(sizeof *a + length);
  if (a == NULL) abort();
  a->next = NULL;
  a->id = id;
  a->length = length;
  memcpy(a->data, data, length);
  pthread_mutex_lock(&lock);
  *last = a;
  last = &a->next;
  pthread_mutex_unlock(&lock);
  uv_async_send(&async);
}

static void submit(void) {
  char request = 'x';
  bridge_call(submitted++, &request, 1, push);
}

static void on_async(uv_async_t *handle) {
  struct answer *a, *next;
  pthread_mutex_lock(&lock);
  a = first;
  first = NULL;
  last = &first;
  pthread_mutex_unlock(&lock);
  for (; a != NULL; a = next) {
    next = a->next;
    taken++;
    if (a->length != 1 || a->data[0] != 'x') abort();
    free(a);
    if (submitted < total) submit();
  }
  if (taken == total) uv_stop(handle->loop);
}

int main(int argc, char **argv) {
  uint64_t in_flight = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int64_t start;
  uv_loop_t *loop = uv_default_loop();
  BENCH_TRY(uv_async_init(loop, &async, on_async));
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
