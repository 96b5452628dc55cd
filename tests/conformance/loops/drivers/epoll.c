/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/epoll.h on a loop as its users write one. */
#include "loop.h"

#include <sys/timerfd.h>

#include "pillion/epoll.h"

const int loop_takes_files = 0;

/* A program's own timer, edge-triggered as its others may be. */
struct own {
  int fd;
  void (*fn)(void *data);
  void *data;
};

struct loop {
  int epoll, count;
  pillion_epoll *on[2];
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

void loop_after(void *data, int ms, void (*fn)(void *data), void *its) {
  struct loop *loop = data;
  struct itimerspec at = {.it_value.tv_nsec = ms * 1000000};
  struct own *own = malloc(sizeof *own);
  struct epoll_event event = {EPOLLIN | EPOLLET, {.ptr = own}};
  *own = (struct own){timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), fn, its};
  timerfd_settime(own->fd, 0, &at, NULL);
  epoll_ctl(loop->epoll, EPOLL_CTL_ADD, own->fd, &event);
}

void loop_round(void *data, int wait) {
  struct loop *loop = data;
  struct epoll_event events[8];
  int ms = wait ? -1 : 0, count = loop->count;
  pillion_epoll *on[2] = {loop->on[0], loop->on[1]};
  for (int i = 0; i < count; i++) ms = pillion_epoll_timeout(on[i], ms);
  int n = epoll_wait(loop->epoll, events, 8, ms);
  for (int i = 0; i < n; i++) {
    int taken = 0;
    for (int k = 0; k < count; k++)
      taken |= pillion_epoll_take(on[k], &events[i]);
    if (taken) continue;
    struct own *own = events[i].data.ptr;
    close(own->fd);
    own->fn(own->data);
    free(own);
  }
  for (int i = 0; i < count; i++) pillion_epoll_turn(on[i]);
}

int host_attach(struct host *host, void *data, pillion_executor ex,
                pillion_event_fn on_event, void *its) {
  struct loop *loop = data;
  pillion_epoll *on = (pillion_epoll *)host;
  int rc = pillion_epoll_attach(on, loop->epoll, ex, on_event, its);
  if (rc == 0 && loop->on[0] != on) loop->on[loop->count++] = on;
  return rc;
}

int host_detach(struct host *host) {
  return pillion_epoll_detach((pillion_epoll *)host);
}
