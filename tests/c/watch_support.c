/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_support.h"

struct seen seen;

int stream_ready(struct stream *s, pillion_context *cx, uint32_t interest) {
  uint32_t events = 0;
  s->rc = pillion_ready(&events, cx, s->watch, interest);
  s->events |= (int)events;
  s->waits += s->rc == PILLION_READY;
  return s->rc;
}

static int stream_read(pillion_value *out, pillion_context *cx, void *self) {
  struct stream *s = self;
  char buffer[4096];
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

/* Awaits the events in `length`, once. */
static int stream_wait(pillion_value *out, pillion_context *cx, void *self) {
  struct stream *s = self;
  s->polls++;
  return stream_ready(s, cx, (uint32_t)s->length);
}

void stream_drop(void *self) { ((struct stream *)self)->drops++; }

const pillion_future reading = {sizeof reading, stream_read, stream_drop},
                     writing = {sizeof writing, stream_write, stream_drop},
                     waiting = {sizeof waiting, stream_wait, stream_drop};

void start(pillion_executor ex, struct stream *s,
           const pillion_future *future) {
  s->state = 0;
  assert_ok(pillion_task_spawn(&s->task, ex, future, s, 0, PILLION_DETACH));
}

void open_watch(pillion_executor ex, struct stream *s, int fd) {
  memset(s, 0, sizeof *s);
  s->fd = fd;
  assert_ok(pillion_watch_open(&s->watch, ex, fd, PILLION_WATCH_OWN));
}

void pair_new(int ends[2]) {
  assert_ok(
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

uint64_t turns_of(pillion_executor ex) { return stats_of(ex).turns; }
