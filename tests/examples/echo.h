/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ECHO_H
#define ECHO_H

/*
 * An echo server of futures, for any loop that watches descriptors: one task
 * accepts, and each connection has a task. echo_uv.c runs it on libuv's
 * reactor, echo_glib.c on GLib's, echo_poll.c on poll(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pillion.h"

/* ---- One connection: its drop frees its memory --------------------------- */

struct echo {
  pillion_watch watch;
  int fd, state;
  ssize_t length, written;
  char bytes[4096];
};

static int echo_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct echo *e = self;
  (void)out;
  PILLION_ASYNC(e->state);
  while ((e->length = read(e->fd, e->bytes, sizeof e->bytes)) != 0) {
    if (e->length < 0) {
      if (errno != EAGAIN) break;
      PILLION_AWAIT(e->state,
                    pillion_ready(NULL, cx, e->watch, PILLION_READABLE));
      continue;
    }
    for (e->written = 0; e->written < e->length;) {
      ssize_t n = write(e->fd, e->bytes + e->written,
                        (size_t)(e->length - e->written));
      if (n > 0)
        e->written += n;
      else if (errno == EAGAIN)
        PILLION_AWAIT(e->state,
                      pillion_ready(NULL, cx, e->watch, PILLION_WRITABLE));
      else
        return PILLION_ESYSTEM;
    }
  }
  PILLION_RETURN(e->state);
  PILLION_ASYNC_END;
}

static void echo_drop(void *self) {
  struct echo *e = self;
  pillion_watch_close(e->watch); /* and the descriptor */
  free(e);
}

static const pillion_future echo = {sizeof echo, echo_poll, echo_drop};

/* ---- The server ----------------------------------------------------------- */

struct server {
  pillion_executor executor;
  pillion_watch watch;
  int fd, state, left; /* connections to accept yet */
};

static int server_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct server *s = self;
  (void)out;
  PILLION_ASYNC(s->state);
  while (s->left > 0) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      PILLION_AWAIT(s->state,
                    pillion_ready(NULL, cx, s->watch, PILLION_READABLE));
      continue;
    }
    struct echo *e = calloc(1, sizeof *e);
    if (e == NULL) return PILLION_ENOMEM;
    e->fd = fd;
    pillion_watch_open(&e->watch, s->executor, fd, PILLION_WATCH_OWN);
    if (pillion_spawn(NULL, cx, &echo, e, 0, PILLION_DETACH) < 0) echo_drop(e);
    s->left--;
  }
  PILLION_RETURN(s->state);
  PILLION_ASYNC_END;
}

static void server_drop(void *self) {
  pillion_watch_close(((struct server *)self)->watch);
}

static const pillion_future serving = {sizeof serving, server_poll,
                                       server_drop};

/* Serves `connections` and prints the port; the loop runs the tasks. */
static int server_start(struct server *s, pillion_executor ex,
                        int connections) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *s = (struct server){.executor = ex, .left = connections};
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(s->fd, (struct sockaddr *)&at, length) < 0 ||
      listen(s->fd, 128) < 0 ||
      getsockname(s->fd, (struct sockaddr *)&at, &length) < 0)
    return -1;
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  pillion_watch_open(&s->watch, ex, s->fd, PILLION_WATCH_OWN);
  return pillion_task_spawn(NULL, ex, &serving, s, 0, PILLION_DETACH);
}

#endif
