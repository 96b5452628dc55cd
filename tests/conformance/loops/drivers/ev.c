/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/ev.h on a real loop of libev. */
#include "loop.h"

#include "pillion/ev.h"

const int loop_takes_files = 1;
const uint32_t loop_lacks = PILLION_PRIORITY | PILLION_HANGUP | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {"an_attach_without_memory_changes_nothing",
     "libev ends the process without memory"},
    {"a_descriptor_closed_behind_our_back_is_a_fault",
     "an assertion of libev ends the process"},
    {"hang_up_comes_to_whoever_waits", "libev tells of no hang-up"},
    {"urgent_data_has_priority", "libev tells of no priority events"},
    {NULL, NULL}};

void *loop_new(void) { return ev_loop_new(EVFLAG_AUTO); }

void loop_destroy(void *loop) { ev_loop_destroy(loop); }

void loop_round(void *loop, int wait) {
  ev_run(loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void loop_run_out(void *loop) { ev_run(loop, 0); }

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
  own_call(timer->data);
  free(timer->data);
  free(timer);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  ev_timer *timer = malloc(sizeof *timer);
  ev_timer_init(timer, on_timer, ms * 1e-3, 0.);
  timer->data = own_new(fn, data);
  ev_now_update(loop);
  ev_timer_start(loop, timer);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
  own_call(io->data);
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  ev_io *io = malloc(sizeof *io);
  ev_io_init(io, on_io, fd, EV_READ);
  io->data = own_new(fn, data);
  ev_io_start(loop, io);
  return 0;
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_ev_attach((pillion_ev *)host, loop, ex, on_event, data);
}

int host_detach(struct host *host) {
  return pillion_ev_detach((pillion_ev *)host);
}
