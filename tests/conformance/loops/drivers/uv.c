/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/uv.h on a real loop of libuv. */
#include "loop.h"

#include "pillion/uv.h"

const int loop_takes_files = 0;
const struct exempt loop_exempts[] = {
    {"an_attach_without_memory_*", "libuv ends the process without memory"},
    {NESTED_CASES, "libuv forbids a loop in a handler"},
    {NULL, NULL}};

static _Thread_local int running; /* in a round, where none may begin */

struct loop {
  uv_loop_t loop;
  uv_timer_t guard; /* keeps it for a round: a post does not */
};

static void look_again(uv_timer_t *guard) {}

void *loop_new(void) {
  struct loop *loop = malloc(sizeof *loop);
  if (uv_loop_init(&loop->loop) < 0) return NULL;
  uv_timer_init(&loop->loop, &loop->guard);
  return loop;
}

static void run(void *loop, uv_run_mode mode) {
  running++;
  uv_run(loop, mode);
  running--;
}

/* In a round libuv runs timers, and waits afterwards, perhaps for nothing. */
void loop_round(void *data, int wait) {
  struct loop *loop = data;
  uv_update_time(&loop->loop);
  if (uv_backend_timeout(&loop->loop) == 0) wait = 0;
  uv_timer_start(&loop->guard, look_again, 100, 0);
  run(&loop->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  uv_timer_stop(&loop->guard);
}

void loop_run_out(void *loop) { run(loop, UV_RUN_DEFAULT); }

static void close_handle(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_destroy(void *loop) {
  uv_walk(loop, close_handle, NULL);
  loop_run_out(loop);
  if (uv_loop_close(loop) < 0) abort();
  free(loop);
}

static void on_timer(uv_timer_t *timer) {
  own_call(timer->data);
  free(timer->data);
  uv_close((uv_handle_t *)timer, pillion__uv_free);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  uv_timer_t *timer = malloc(sizeof *timer);
  uv_timer_init(loop, timer);
  timer->data = own_new(fn, data);
  uv_timer_start(timer, on_timer, (uint64_t)ms, 0);
}

static void on_io(uv_poll_t *poll, int status, int events) {
  own_call(poll->data);
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  uv_poll_t *poll = malloc(sizeof *poll);
  poll->data = own_new(fn, data);
  if (uv_poll_init(loop, poll, fd) < 0) return -1;
  return uv_poll_start(poll, UV_READABLE, on_io);
}

/* libuv closes handles in a round of its loop: until then the host is its. */
static void drain(const pillion_uv *uv) {
  while (uv->adapter.detached == 2 && uv->closing > 0 && !running)
    loop_round(uv->poll.loop, 0);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  drain((pillion_uv *)host);
  return pillion_uv_attach((pillion_uv *)host, loop, ex, on_event, data);
}

int host_detach(struct host *host) {
  int rc = pillion_uv_detach((pillion_uv *)host, NULL);
  drain((pillion_uv *)host);
  return rc;
}
