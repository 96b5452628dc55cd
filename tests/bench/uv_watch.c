/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A byte goes to and fro over a socket, within one libuv loop: two tasks that
 * await their descriptors, or with "raw" two uv_poll_t and their callbacks.
 * A step is one read, one write, and the wait.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "pillion/uv.h"

#define STEPS 1000

static int left;

struct end {
  pillion_watch watch;
  uv_poll_t poll;
  int fd, state;
};

static void answer(int fd) {
  char byte;
  if (read(fd, &byte, 1) != 1 || write(fd, &byte, 1) != 1) exit(1);
}

static int end_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct end *end = self;
  (void)out;
  PILLION_ASYNC(end->state);
  for (;;) {
    PILLION_AWAIT(end->state,
                  pillion_ready(NULL, cx, end->watch, PILLION_READABLE));
    answer(end->fd);
    left--;
  }
  PILLION_ASYNC_END;
}

static const pillion_future future = {sizeof future, end_poll, NULL};

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  answer(((struct end *)poll->data)->fd);
  left--;
}

static uint64_t round_of_steps(void *data) {
  left = STEPS;
  while (left > 0) uv_run(data, UV_RUN_ONCE);
  return STEPS;
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  pillion_executor ex;
  struct end ends[2];
  pillion_uv uv;
  int fds[2];
  memset(ends, 0, sizeof ends);
  BENCH_TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  BENCH_TRY(pillion_executor_new(&ex, NULL, NULL, 0));
  BENCH_TRY(pillion_uv_attach(&uv, loop, ex, NULL, NULL));
  for (int i = 0; i < 2; i++) {
    ends[i].fd = fds[i];
    if (bench_is(argc, argv, "raw")) {
      ends[i].poll.data = &ends[i];
      BENCH_TRY(uv_poll_init(loop, &ends[i].poll, fds[i]));
      BENCH_TRY(uv_poll_start(&ends[i].poll, UV_READABLE, on_poll));
      continue;
    }
    BENCH_TRY(pillion_watch_open(&ends[i].watch, ex, fds[i], 0));
    BENCH_TRY(pillion_task_spawn(NULL, ex, &future, &ends[i], 0,
                                 PILLION_DETACH));
  }
  BENCH_TRY((int)write(fds[0], "x", 1));
  bench_print(bench_is(argc, argv, "raw") ? "raw" : "watch",
              bench_loop(round_of_steps, loop));
  return 0;
}
