/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_WATCH_SUPPORT_H
#define PILLION_TESTS_WATCH_SUPPORT_H

/* Streams on descriptors, and the loop that the tests of watches run on. */
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The including file defines them. Ends go to `seen`. */
static void loop_begin(pillion_executor ex); /* puts an executor on the loop */
static void loop_step(void);                 /* waits, and makes a turn */
static void loop_run(void);                  /* until no task lives */
static void loop_end(void);                  /* takes it off and frees it */
static struct seen seen;

#define R PILLION_READABLE
#define W PILLION_WRITABLE
#define H PILLION_HANGUP

/* ---- A stream that is read to its end, or written to a length ------------ */

struct stream {
  int state, fd, events, polls, waits, rc;
  pillion_watch watch;
  size_t bytes, length; /* 0: read to the end */
  pillion_task task;
  int drops;
};

static int stream_ready(struct stream *s, pillion_context *cx,
                        uint32_t interest) {
  uint32_t events = 0;
  s->rc = pillion_ready(&events, cx, s->watch, interest);
  s->events |= (int)events;
  s->waits += s->rc == PILLION_READY;
  return s->rc;
}

static int stream_read(pillion_value *out, pillion_context *cx, void *self) {
  struct stream *s = self;
  char buffer[4096];
  (void)out;
  s->polls++;
  PILLION_ASYNC(s->state);
  for (;;) {
    ssize_t n = read(s->fd, buffer, sizeof buffer);
    if (n == 0) break;
    if (n > 0) {
      s->bytes += (size_t)n;
      if (s->length != 0 && s->bytes >= s->length) break;
      continue;
    }
    if (errno != EAGAIN) return PILLION_ESYSTEM;
    PILLION_AWAIT(s->state, stream_ready(s, cx, R));
  }
  PILLION_RETURN(s->state);
  PILLION_ASYNC_END;
}

static int stream_write(pillion_value *out, pillion_context *cx, void *self) {
  static const char buffer[4096];
  struct stream *s = self;
  (void)out;
  s->polls++;
  PILLION_ASYNC(s->state);
  while (s->bytes < s->length) {
    size_t left = s->length - s->bytes;
    ssize_t n = write(s->fd, buffer, left < sizeof buffer ? left : 4096);
    if (n > 0) {
      s->bytes += (size_t)n;
      continue;
    }
    if (errno != EAGAIN) return PILLION_ESYSTEM;
    PILLION_AWAIT(s->state, stream_ready(s, cx, W));
  }
  PILLION_RETURN(s->state);
  PILLION_ASYNC_END;
}

/* Awaits `length` as events, once. */
static int stream_wait(pillion_value *out, pillion_context *cx, void *self) {
  struct stream *s = self;
  (void)out;
  s->polls++;
  return stream_ready(s, cx, (uint32_t)s->length);
}

static void stream_drop(void *self) { ((struct stream *)self)->drops++; }

static const pillion_future reading = {sizeof reading, stream_read,
                                       stream_drop},
                            writing = {sizeof writing, stream_write,
                                       stream_drop},
                            waiting = {sizeof waiting, stream_wait,
                                       stream_drop};

static void start(pillion_executor ex, struct stream *s,
                  const pillion_future *future) {
  s->state = 0;
  assert_ok(pillion_task_spawn(&s->task, ex, future, s, 0, PILLION_DETACH));
}

static void open_watch(pillion_executor ex, struct stream *s, int fd) {
  memset(s, 0, sizeof *s);
  s->fd = fd;
  assert_ok(pillion_watch_open(&s->watch, ex, fd, PILLION_WATCH_OWN));
}

static void pair_new(int ends[2]) {
  assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                       ends));
}

static uint64_t turns_of(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats.turns;
}

#endif
