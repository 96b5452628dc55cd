/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/adapters/libevent.h>
#include <nats/adapters/libevent.h>
#include <poll.h>

#include "net.h"
#include "pillion/event.h"

static struct event_base *loop;
static pillion_libevent on;
static struct event *watches[1024];

void net_begin(void) {
  struct event_config *config = event_config_new();
  natsLibevent_Init(); /* libevent locks only bases that come after this */
  /* Its usual clock moves every few milliseconds. */
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  loop = event_base_new_with_config(config);
  event_config_free(config);
}

void net_run(void) { event_base_dispatch(loop); }
void net_stop(void) { event_base_loopbreak(loop); }

static void on_timer(evutil_socket_t fd, short events, void *fn) {
  (void)fd, (void)events;
  ((void (*)(void))fn)();
}

void net_tick(void (*fn)(void)) {
  static const struct timeval ms = {.tv_usec = 1000};
  event_add(event_new(loop, -1, EV_PERSIST, on_timer, (void *)fn), &ms);
}

static void on_ready(evutil_socket_t fd, short events, void *fn) {
  ((void (*)(int, int))fn)(
      fd, (events & EV_READ ? POLLIN : 0) | (events & EV_WRITE ? POLLOUT : 0));
}

void net_watch(int fd, int events, void (*fn)(int fd, int events)) {
  if (watches[fd] != NULL) event_free(watches[fd]);
  watches[fd] = NULL;
  if (events == 0) return;
  watches[fd] =
      event_new(loop, fd,
                (short)((events & POLLIN ? EV_READ : 0) |
                        (events & POLLOUT ? EV_WRITE : 0) | EV_PERSIST),
                on_ready, (void *)fn);
  if (event_add(watches[fd], NULL) < 0) abort();
}

void net_redis(redisAsyncContext *redis) {
  if (redisLibeventAttach(redis, loop) != REDIS_OK) abort();
}

int net_nats(natsOptions *options) {
  return natsOptions_SetEventLoop(options, loop, natsLibevent_Attach,
                                  natsLibevent_Read, natsLibevent_Write,
                                  natsLibevent_Detach) == NATS_OK;
}

int net_attach(pillion_executor ex, pillion_event_fn on_event) {
  return pillion_libevent_attach(&on, loop, ex, on_event, NULL);
}

void net_detach(void) { pillion_libevent_detach(&on); }
