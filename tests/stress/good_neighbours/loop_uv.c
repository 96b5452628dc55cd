/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/adapters/libuv.h>
#include <nats/adapters/libuv.h>
#include <poll.h>

#include "net.h"
#include "pillion/uv.h"

static uv_loop_t *loop;
static uv_timer_t timer;
static pillion_uv on;

static struct watch {
  uv_poll_t poll;
  void (*fn)(int fd, int events);
  int open;
} *watches[1024];

void net_begin(void) { loop = uv_default_loop(); }
void net_run(void) { uv_run(loop, UV_RUN_DEFAULT); }
void net_stop(void) { uv_stop(loop); }

static void on_timer(uv_timer_t *its) { ((void (*)(void))its->data)(); }

void net_tick(void (*fn)(void)) {
  uv_timer_init(loop, &timer);
  timer.data = (void *)fn;
  uv_timer_start(&timer, on_timer, 1, 1);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  int fd;
  uv_fileno((uv_handle_t *)poll, &fd);
  ((struct watch *)poll)
      ->fn(fd, status < 0 ? POLLIN | POLLOUT
                          : (events & UV_READABLE ? POLLIN : 0) |
                                (events & UV_WRITABLE ? POLLOUT : 0));
}

static void on_closed(uv_handle_t *handle) { free(handle); }

void net_watch(int fd, int events, void (*fn)(int fd, int events)) {
  struct watch *watch = watches[fd];
  if (watch == NULL && events == 0) return;
  if (events == 0) {
    watches[fd] = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    return;
  }
  if (watch == NULL) {
    watches[fd] = watch = calloc(1, sizeof *watch);
    if (uv_poll_init(loop, &watch->poll, fd) < 0) abort();
  }
  watch->fn = fn;
  uv_poll_start(&watch->poll,
                (events & POLLIN ? UV_READABLE : 0) |
                    (events & POLLOUT ? UV_WRITABLE : 0),
                on_poll);
}

void net_redis(redisAsyncContext *redis) {
  if (redisLibuvAttach(redis, loop) != REDIS_OK) abort();
}

int net_nats(natsOptions *options) {
  natsLibuv_Init();
  natsLibuv_SetThreadLocalLoop(loop);
  return natsOptions_SetEventLoop(options, loop, natsLibuv_Attach,
                                  natsLibuv_Read, natsLibuv_Write,
                                  natsLibuv_Detach) == NATS_OK;
}

int net_attach(pillion_executor ex, pillion_event_fn on_event) {
  return pillion_uv_attach(&on, loop, ex, on_event, NULL);
}

void net_detach(void) { pillion_uv_detach(&on, NULL); }
