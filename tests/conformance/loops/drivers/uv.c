/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/uv.h on a real loop of libuv. */
#include "loop.h"

#include <assert.h>

#include "pillion/uv.h"

const int loop_takes_files = 0;
const struct exempt loop_exempts[] = {
    {"an_attach_without_memory_changes_nothing",
     "libuv ends the process without memory"},
    {NESTED_CASES, "libuv forbids a loop in a handler"},
    {NULL, NULL}};

/* libuv closes handles in a round of its loop: until then the host is its. */
struct its_host {
  pillion_uv uv;
  int closing;
};

static _Thread_local int running; /* in a round, where none may begin */

struct loop {
  uv_loop_t loop;
  uv_idle_t keeper; /* of a round that does not wait; a post keeps no loop */
  uv_timer_t guard;
};

static void do_nothing(uv_idle_t *idle) {}
static void look_again(uv_timer_t *guard) {}

void *loop_new(void) {
  struct loop *loop = malloc(sizeof *loop);
  if (uv_loop_init(&loop->loop) < 0) return NULL;
  uv_idle_init(&loop->loop, &loop->keeper);
  uv_timer_init(&loop->loop, &loop->guard);
  uv_unref((uv_handle_t *)&loop->guard);
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
  if (!wait) uv_idle_start(&loop->keeper, do_nothing);
  else if (uv_backend_timeout(&loop->loop) == 0) wait = 0;
  else uv_timer_start(&loop->guard, look_again, 100, 0);
  run(&loop->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  uv_idle_stop(&loop->keeper);
  uv_timer_stop(&loop->guard);
}

void loop_run_out(void *loop) { run(loop, UV_RUN_DEFAULT); }

static void close_handle(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_destroy(void *loop) {
  uv_walk(loop, close_handle, NULL);
  loop_run_out(loop);
  assert(uv_loop_close(loop) == 0);
  free(loop);
}

static void free_own(uv_handle_t *handle) {
  free(handle->data);
  free(handle);
}

static void on_timer(uv_timer_t *timer) {
  own_call(timer->data);
  uv_close((uv_handle_t *)timer, free_own);
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

static void on_close(pillion_uv *uv, void *data) {
  ((struct its_host *)uv)->closing = 0;
}

static void drain(struct its_host *its) {
  while (its->closing && !running) loop_round(its->uv.poll.loop, 0);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  drain((struct its_host *)host);
  return pillion_uv_attach((pillion_uv *)host, loop, ex, on_event, data);
}

int host_detach(struct host *host) {
  struct its_host *its = (struct its_host *)host;
  int again = its->closing, rc;
  its->closing = 1;
  rc = pillion_uv_detach(&its->uv, on_close);
  if (rc < 0) its->closing = again;
  drain(its);
  return rc;
}
