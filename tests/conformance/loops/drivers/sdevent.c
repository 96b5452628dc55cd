/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/sdevent.h on a real loop of libsystemd. */
#include "loop.h"

#include "pillion/sdevent.h"

const int loop_takes_files = 0, loop_is_held = 1;
const struct exempt loop_exempts[] = {
    {ENDING_CASES, "a program looks at adapter.live"},
    {NESTED_CASES, "sd-event forbids a loop in a handler"},
    {NULL, NULL}};

void *loop_new(void) {
  sd_event *loop = NULL;
  return sd_event_new(&loop) < 0 ? NULL : loop;
}

void loop_destroy(void *loop) { sd_event_unref(loop); }

/* A round dispatches one source. */
void loop_round(void *loop, int wait) {
  sd_event_run(loop, wait ? UINT64_MAX : 0);
  for (int i = 0; i < 8 && !wait; i++) sd_event_run(loop, 0);
}

static int on_own(sd_event_source *source, uint64_t us, void *data) {
  own_call(data);
  free(data);
  return 0;
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, ms * 1000u, 1, on_own,
                             own_new(fn, data));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data) {
  own_call(data);
  return 0;
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  return sd_event_add_io(loop, NULL, fd, 1 /* EPOLLIN */, on_io,
                         own_new(fn, data)) < 0
             ? -1
             : 0;
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_sdevent_attach((pillion_sdevent *)host, loop,
                                SD_EVENT_PRIORITY_NORMAL, ex, on_event, data);
}

int host_detach(struct host *host) {
  return pillion_sdevent_detach((pillion_sdevent *)host);
}
