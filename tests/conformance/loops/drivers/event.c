/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/event.h on a real base of libevent. */
#include "loop.h"

#include "pillion/event.h"

const int loop_takes_files = 0;
const int loop_resolution_us = 5000; /* CLOCK_MONOTONIC_COARSE and epoll(7) */
const uint32_t loop_lacks = PILLION_PRIORITY | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {ENDING_CASES, "a program looks at adapter.live"},
    {NESTED_CASES, "libevent forbids a loop in a handler"},
    {"urgent_data_has_priority", "libevent tells of no priority events"},
    {NULL, NULL}};

void *loop_new(void) { return event_base_new(); }

void loop_destroy(void *loop) { event_base_free(loop); }

void loop_round(void *loop, int wait) {
  event_base_loop(loop, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
}

static void on_own(evutil_socket_t fd, short events, void *data) {
  own_call(data);
  free(data);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct timeval wait = {0, ms * 1000};
  event_base_once(loop, -1, EV_TIMEOUT, on_own, own_new(fn, data), &wait);
}

static void on_io(evutil_socket_t fd, short events, void *data) {
  own_call(data);
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  return event_add(
      event_new(loop, fd, EV_READ | EV_PERSIST, on_io, own_new(fn, data)),
      NULL);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_libevent_attach((pillion_libevent *)host, loop, ex, on_event,
                                 data);
}

int host_detach(struct host *host) {
  return pillion_libevent_detach((pillion_libevent *)host);
}
