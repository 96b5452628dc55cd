/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A byte goes to and fro over a socket, within one GLib loop: two tasks that
 * await their descriptors, or with "raw" two sources and their callbacks. A
 * step is one read, one write, and the wait.
 */
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "pillion/glib.h"

#define STEPS 1000

static int left;

struct end {
  pillion_watch watch;
  int fd, state;
};

static void answer(int fd) {
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
    answer(end->fd);
  }
  PILLION_ASYNC_END;
}

static const pillion_future future = {sizeof future, end_poll, NULL};

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data) {
  (void)condition, (void)data;
  answer(fd);
  return G_SOURCE_CONTINUE;
}

static uint64_t round_of_steps(void *data) {
  left = STEPS;
  while (left > 0) g_main_context_iteration(data, TRUE);
  return STEPS;
}

int main(int argc, char **argv) {
  pillion_executor ex;
  struct end ends[2];
  pillion_glib glib;
  int fds[2];
  memset(ends, 0, sizeof ends);
  BENCH_TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  BENCH_TRY(pillion_executor_new(&ex, NULL, NULL, 0));
  if (bench_is(argc, argv, "raw")) {
    for (int i = 0; i < 2; i++)
      g_unix_fd_add(fds[i], G_IO_IN, on_readable, NULL);
  } else {
    BENCH_TRY(pillion_glib_attach(&glib, NULL, 0, ex, NULL, NULL));
    for (int i = 0; i < 2; i++) {
      ends[i].fd = fds[i];
      BENCH_TRY(pillion_watch_open(&ends[i].watch, ex, fds[i], 0));
      BENCH_TRY(pillion_task_spawn(NULL, ex, &future, &ends[i], 0,
                                   PILLION_DETACH));
    }
  }
  BENCH_TRY((int)write(fds[0], "x", 1));
  bench_print("watch", bench_loop(round_of_steps, NULL));
  return 0;
}
