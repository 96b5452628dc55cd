/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/event.h on a real base of libevent. */
#include "loop.h"

#include "pillion/event.h"

const int loop_takes_files = 0;
const uint32_t loop_lacks = PILLION_PRIORITY | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {NESTED_CASES, "libevent forbids a loop in a handler"},
    {"urgent_data_has_priority", "libevent tells of no priority events"},
    {NULL, NULL}};

void *loop_new(void) { return event_base_new(); }

void loop_destroy(void *loop) { event_base_free(loop); }

void loop_round(void *loop, int wait) {
  event_base_loop(loop, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

struct own {
  void (*fn)(void *data);
  void *data;
};

static void on_own(evutil_socket_t fd, short events, void *data) {
  struct own *own = data;
  own->fn(own->data);
  free(own);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct timeval wait = {0, ms * 1000};
  struct own *own = malloc(sizeof *own);
  *own = (struct own){fn, data};
  event_base_once(loop, -1, EV_TIMEOUT, on_own, own, &wait);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_libevent_attach((pillion_libevent *)host, loop, ex, on_event,
                                 data);
}

int host_detach(struct host *host) {
  return pillion_libevent_detach((pillion_libevent *)host);
}
