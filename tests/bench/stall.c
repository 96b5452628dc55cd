/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long a loop's thread stands still to take a completion while Go computes
 * in two goroutines and allocates in one. Every 100 us it times one turn that
 * takes one event and, in changing order, the same in plain C twice: "queue"
 * reads an eventfd and takes from a list under a mutex, as one writes it by
 * hand, "copy" is a function that copies the event and nothing else. Only
 * ticks that found an event to take count. Prints every sample.
 */

#define _GNU_SOURCE
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench.h"
#include "pillion.h"

#define TICKS 25000
#define TICK 100000 /* ns */
#define IN_FLIGHT 512
#define LOAD_MS "50"

static pillion_executor executor;
static pillion_function echo, spin, garbage;
static pillion_event taken, next, copied;

static int turn(void) {
  return pillion_executor_turn(&taken, 1, NULL, executor, NULL);
}

/* By hand. */
static struct node {
  struct node *next;
  pillion_event event;
} node, *list;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int event_fd;

static void push(void) {
  uint64_t one = 1;
  node.event = next;
  node.next = NULL;
  list = &node;
  BENCH_TRY((int)write(event_fd, &one, sizeof one));
}

static int queue(void) {
  uint64_t count;
  struct node *first;
  if (read(event_fd, &count, sizeof count) < 0) return -1;
  pthread_mutex_lock(&lock);
  first = list;
  if (first != NULL) list = first->next;
  pthread_mutex_unlock(&lock);
  if (first != NULL) copied = first->event;
  return first != NULL;
}

__attribute__((noinline)) static int copy(void) {
  copied = next;
  return 1;
}

static int (*const sides[3])(void) = {turn, queue, copy};
static const char *const names[3] = {"turn", "queue", "copy"};
static int32_t samples[3][TICKS];

static void submit(pillion_function function, const char *request) {
  BENCH_TRY(pillion_call_submit(NULL, executor, function, request,
                                strlen(request),
                                function == echo ? 0 : function,
                                PILLION_EVENT));
}

static void wait_until(int64_t when) {
  struct timespec t = {when / 1000000000, when % 1000000000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(void) {
  int count = 0;
  BENCH_TRY(pillion_function_find(&echo, "test.echo"));
  BENCH_TRY(pillion_function_find(&spin, "test.spin"));
  BENCH_TRY(pillion_function_find(&garbage, "test.garbage"));
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(event_fd = eventfd(0, EFD_CLOEXEC));
  prctl(PR_SET_TIMERSLACK, 1);
  for (int i = 0; i < IN_FLIGHT; i++) submit(echo, "x");
  submit(spin, LOAD_MS);
  submit(spin, LOAD_MS);
  submit(garbage, LOAD_MS);
  int64_t when = bench_now();
  for (int tick = 0; tick < TICKS; tick++) {
    int got = 0;
    push();
    when += TICK;
    if (bench_now() > when) when = bench_now() + TICK / 10;
    wait_until(when);
    for (int i = 0; i < 3; i++) {
      int side = (tick + i) % 3, n;
      int64_t start = bench_now();
      BENCH_TRY(n = sides[side]());
      samples[side][count] = (int32_t)(bench_now() - start);
      if (side == 0) got = n;
    }
    if (got == 0) continue;
    next = taken;
    count++;
    submit(taken.token == 0 ? echo : taken.token, taken.token == 0 ? "x" : LOAD_MS);
  }
  for (int side = 0; side < 3; side++) {
    printf("%s\"%s\": [", side == 0 ? "{" : "], ", names[side]);
    for (int i = 0; i < count; i++)
      printf("%s%d", i > 0 ? "," : "", (int)samples[side][i]);
  }
  return printf("]}\n") < 0;
}
