/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/ev.h on a real loop of libev. */
#include "loop.h"

#include "pillion/ev.h"

const int loop_takes_files = 1;
const uint32_t loop_lacks = PILLION_PRIORITY | PILLION_HANGUP | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {"hang_up_comes_to_whoever_waits", "libev tells of no hang-up"},
    {"urgent_data_has_priority", "libev tells of no priority events"},
    {NULL, NULL}};

void *loop_new(void) { return ev_loop_new(EVFLAG_AUTO); }

void loop_destroy(void *loop) { ev_loop_destroy(loop); }

void loop_round(void *loop, int wait) {
  ev_run(loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

struct own {
  ev_timer timer;
  void (*fn)(void *data);
  void *data;
};

static void on_own(struct ev_loop *loop, ev_timer *timer, int events) {
  struct own *own = (struct own *)timer;
  own->fn(own->data);
  free(own);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct own *own = malloc(sizeof *own);
  ev_timer_init(&own->timer, on_own, ms * 1e-3, 0.);
  own->fn = fn;
  own->data = data;
  ev_now_update(loop);
  ev_timer_start(loop, &own->timer);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_ev_attach((pillion_ev *)host, loop, ex, on_event, data);
}

int host_detach(struct host *host) {
  return pillion_ev_detach((pillion_ev *)host);
}
