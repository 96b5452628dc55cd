/* SPDX-License-Identifier: Apache-2.0 */

/* A turn of an executor with one sleeping task and nothing to do. */

#include <sys/epoll.h>

#include "bench.h"
#include "pillion.h"

#define TURNS 100000

static int sleep_on(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)cx, (void)self;
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, sleep_on, NULL};

static uint64_t round_of_turns(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  for (int i = 0; i < TURNS; i++)
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  return TURNS;
}

/* The price at which any loop looks for work. */
static uint64_t round_of_epolls(void *data) {
  int fd = *(int *)data;
  struct epoll_event event;
  for (int i = 0; i < TURNS / 10; i++) BENCH_TRY(epoll_wait(fd, &event, 1, 0));
  return TURNS / 10;
}

int main(int argc, char **argv) {
  pillion_executor executor;
  int epoll, fd;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &executor, 0,
                               PILLION_DETACH));
  BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  if (!bench_is(argc, argv, "epoll")) {
    bench_print("empty", bench_loop(round_of_turns, &executor));
    return 0;
  }
  BENCH_TRY(epoll = epoll_create1(0));
  BENCH_TRY(pillion_executor_fd(&fd, executor));
  BENCH_TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                      &(struct epoll_event){.events = EPOLLIN}));
  bench_print("epoll", bench_loop(round_of_epolls, &epoll));
  return 0;
}
