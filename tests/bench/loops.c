/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An adapter on its loop, which a driver of tests/conformance/loops runs:
 *
 *   wake        another thread wakes a task of the sleeping loop, whose poll
 *               answers the thread; "wake own" calls a function by what the
 *               loop itself has for that, in tests/bench/loops, and "wake hand"
 *               by an eventfd
 *   await N     N calls in flight; peers/loop_bridge.c is the same by hand
 *   watch       a byte goes to and fro over a socket: two tasks that await
 *               their descriptors, or with "watch raw" two callbacks
 */
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "loop.h"
#include "pillion.h"
#include "post.h"

#define STEPS 1000

static void *loop;
static pillion_executor executor;
static struct host host;

/* ---- Wakes --------------------------------------------------------------- */

static sem_t answered;
static pillion_waker waker;
static int end, by_hand = -1;

static int answer_poll(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  waker = cx->waker;
  sem_post(&answered);
  return PILLION_PENDING;
}

static const pillion_future answering = {sizeof answering, answer_poll, NULL};

static void answer(void *data) {
  uint64_t count;
  (void)data;
  if (by_hand >= 0 && read(by_hand, &count, 8) != 8) abort();
  sem_post(&answered);
}

static void wake_task(void) { BENCH_TRY(pillion_wake(waker)); }

static void wake_by_hand(void) {
  uint64_t one = 1;
  if (write(by_hand, &one, 8) != 8) abort();
}

static uint64_t round_of_wakes(void *data) {
  void (*wake)(void) = *(void (**)(void))data;
  for (int i = 0; i < STEPS; i++) {
    wake();
    sem_wait(&answered);
  }
  return STEPS;
}

static void *other_thread(void *wake) {
  bench_print("wake", bench_loop(round_of_wakes, wake));
  fflush(stdout);
  end = 1;
  (*(void (**)(void))wake)();
  return NULL;
}

static void wake(const char *how) {
  void (*way)(void) = wake_task;
  pthread_t thread;
  sem_init(&answered, 0, 0);
  if (strcmp(how, "own") == 0) {
    way = loop_post;
    loop_post_init(loop, answer, NULL);
  } else if (strcmp(how, "hand") == 0) {
    way = wake_by_hand;
    by_hand = eventfd(0, EFD_CLOEXEC);
    BENCH_TRY(loop_on_readable(loop, by_hand, answer, NULL));
  } else {
    BENCH_TRY(pillion_task_spawn(NULL, executor, &answering, NULL, 0,
                                 PILLION_DETACH));
    while (sem_trywait(&answered) < 0) loop_round(loop, 0);
  }
  pthread_create(&thread, NULL, other_thread, &way);
  while (!end) loop_round(loop, 1);
  _exit(0);
}

/* ---- Calls --------------------------------------------------------------- */

static pillion_function echo;
static uint64_t submitted, taken, total;

static void submit(void) {
  char request = 'x';
  BENCH_TRY(pillion_call_submit(NULL, executor, echo, &request, 1, submitted++,
                                PILLION_EVENT));
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  taken++;
  if (event->length != 1 || event->payload.bytes[0] != 'x') abort();
  if (submitted < total) submit();
}

static void await(uint64_t in_flight) {
  int64_t start = 0;
  BENCH_TRY(pillion_function_find(&echo, "test.echo"));
  for (int round = 0; round < 2; round++) { /* the first warms up */
    taken = submitted = 0;
    total = in_flight == 1 ? 3000 : 10 * in_flight + 20000;
    start = bench_now();
    for (uint64_t i = 0; i < in_flight; i++) submit();
    while (taken < total) loop_round(loop, 1);
  }
  bench_print("await", (double)(bench_now() - start) / (double)total);
}

/* ---- Descriptors --------------------------------------------------------- */

static int left;

struct end {
  pillion_watch watch;
  int fd, state;
};

static void echo_byte(void *data) {
  int fd = ((struct end *)data)->fd;
  char byte;
  if (read(fd, &byte, 1) != 1 || write(fd, &byte, 1) != 1) exit(1);
  left--;
}

static int end_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct end *end = self;
  (void)out;
  PILLION_ASYNC(end->state);
  for (;;) {
    PILLION_AWAIT(end->state,
                  pillion_ready(NULL, cx, end->watch, PILLION_READABLE));
    echo_byte(end);
  }
  PILLION_ASYNC_END;
}

static const pillion_future ending = {sizeof ending, end_poll, NULL};

static uint64_t round_of_steps(void *data) {
  (void)data;
  left = STEPS;
  while (left > 0) loop_round(loop, 1);
  return STEPS;
}

static void watch(int raw) {
  static struct end ends[2];
  int fds[2];
  BENCH_TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  for (int i = 0; i < 2; i++) {
    ends[i].fd = fds[i];
    if (raw) {
      BENCH_TRY(loop_on_readable(loop, fds[i], echo_byte, &ends[i]));
      continue;
    }
    BENCH_TRY(pillion_watch_open(&ends[i].watch, executor, fds[i], 0));
    BENCH_TRY(pillion_task_spawn(NULL, executor, &ending, &ends[i], 0,
                                 PILLION_DETACH));
  }
  BENCH_TRY((int)write(fds[0], "x", 1));
  bench_print("watch", bench_loop(round_of_steps, NULL));
}

int main(int argc, char **argv) {
  const char *more = argc > 2 ? argv[2] : "";
  loop = loop_new();
  if (*more == 0 || *more <= '9') { /* the peers have the loop alone */
    BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
    BENCH_TRY(host_attach(&host, loop, executor, on_event, NULL));
  }
  if (bench_is(argc, argv, "wake")) wake(more);
  else if (bench_is(argc, argv, "await")) await(strtoull(more, NULL, 10));
  else watch(bench_is(argc - 1, argv + 1, "raw"));
  return 0;
}
