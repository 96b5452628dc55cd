/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/epoll.h on a loop as its users write one. */
#include "loop.h"

#include <sys/timerfd.h>

#include "pillion/epoll.h"

const int loop_takes_files = 0, loop_is_held = 1;
const struct exempt loop_exempts[] = {
    {ENDING_CASES, "a program looks at adapter.live"}, {NULL, NULL}};

/* A program's own descriptor, or timer: edge-triggered as it may be. */
struct file {
  int fd, once;
  struct own *own;
};

struct loop {
  int epoll, count;
  pillion_epoll *on[4];
};

void *loop_new(void) {
  struct loop *loop = calloc(1, sizeof *loop);
  if (loop != NULL) loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  return loop;
}

void loop_destroy(void *data) {
  close(((struct loop *)data)->epoll);
  free(data);
}

static int watch(struct loop *loop, int fd, uint32_t once, void (*fn)(void *),
                 void *its) {
  struct file *file = malloc(sizeof *file);
  struct epoll_event event = {EPOLLIN | once, {.ptr = file}};
  *file = (struct file){fd, once != 0, own_new(fn, its)};
  return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

void loop_after(void *data, int ms, void (*fn)(void *data), void *its) {
  struct itimerspec at = {.it_value.tv_nsec = ms * 1000000 + 1};
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  timerfd_settime(fd, 0, &at, NULL);
  watch(data, fd, EPOLLET, fn, its);
}

int loop_on_readable(void *data, int fd, void (*fn)(void *data), void *its) {
  return watch(data, fd, 0, fn, its);
}

void loop_round(void *data, int wait) {
  struct loop *loop = data;
  struct epoll_event events[8];
  int ms = wait ? -1 : 0, count = loop->count;
  pillion_epoll *on[4];
  memcpy(on, loop->on, sizeof on);
  for (int i = 0; i < count; i++) ms = pillion_epoll_timeout(on[i], ms);
  int n = epoll_wait(loop->epoll, events, 8, ms);
  for (int i = 0; i < n; i++) {
    int taken = 0;
    for (int k = 0; k < count; k++)
      taken |= pillion_epoll_take(on[k], &events[i]);
    if (taken) continue;
    struct file *file = events[i].data.ptr;
    if (file->once) close(file->fd);
    own_call(file->own);
  }
  for (int i = 0; i < count; i++) pillion_epoll_turn(on[i]);
}

int host_attach(struct host *host, void *data, pillion_executor ex,
                pillion_event_fn on_event, void *its) {
  struct loop *loop = data;
  pillion_epoll *on = (pillion_epoll *)host;
  int i = 0, rc = pillion_epoll_attach(on, loop->epoll, ex, on_event, its);
  while (i < loop->count && loop->on[i] != on) i++;
  if (rc == 0 && i == loop->count) loop->on[loop->count++] = on;
  return rc;
}

int host_detach(struct host *host) {
  return pillion_epoll_detach((pillion_epoll *)host);
}
