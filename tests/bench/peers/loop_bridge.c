/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go work awaited on a loop by hand: a goroutine for each call, a queue under a
 * mutex, and an eventfd that a driver of tests/conformance/loops watches. The
 * argument is how many are in flight.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "libbridge.h"

void *loop_new(void); /* of the driver */
void loop_round(void *loop, int wait);
int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data);

struct answer {
  struct answer *next;
  size_t length;
  char data[];
};

static struct answer *first, **last = &first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int event;
static uint64_t submitted, taken, total;

/* On a thread of Go's. Only the first one of a burst wakes the loop. */
static void push(uint64_t id, const void *data, size_t length) {
  struct answer *a = malloc(sizeof *a + length);
  uint64_t one = 1;
  int was_empty;
  (void)id;
  if (a == NULL) abort();
  a->next = NULL;
  a->length = length;
  memcpy(a->data, data, length);
  pthread_mutex_lock(&lock);
  was_empty = first == NULL;
  *last = a;
  last = &a->next;
  pthread_mutex_unlock(&lock);
  if (was_empty && write(event, &one, 8) != 8) abort();
}

static void submit(void) {
  char request = 'x';
  bridge_call(submitted++, &request, 1, push);
}

static void take(void *data) {
  struct answer *a, *next;
  uint64_t count;
  (void)data;
  if (read(event, &count, 8) != 8) abort();
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
}

int main(int argc, char **argv) {
  uint64_t in_flight = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int64_t start = 0;
  void *loop = loop_new();
  event = eventfd(0, EFD_CLOEXEC);
  BENCH_TRY(loop_on_readable(loop, event, take, NULL));
  for (int round = 0; round < 2; round++) { /* the first warms up */
    taken = submitted = 0;
    total = in_flight == 1 ? 3000 : 10 * in_flight + 20000;
    start = bench_now();
    for (uint64_t i = 0; i < in_flight; i++) submit();
    while (taken < total) loop_round(loop, 1);
  }
  bench_print("await", (double)(bench_now() - start) / (double)total);
  return 0;
}
