/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/uv.h on a real loop of libuv. */
#include "loop.h"

#include <assert.h>

#include "pillion/uv.h"

const int loop_takes_files = 0;
const struct exempt loop_exempts[] = {
    {NESTED_CASES, "libuv forbids a loop in a handler"}, {NULL, NULL}};

/* libuv closes handles in a round of its loop: until then the host is its. */
struct its_host {
  pillion_uv uv;
  int closing;
};

static _Thread_local int running; /* in a round, where none may begin */

struct loop {
  uv_loop_t loop;
  uv_idle_t keeper; /* of a round that does not wait; a post keeps no loop */
};

static void do_nothing(uv_idle_t *idle) {}

void *loop_new(void) {
  struct loop *loop = malloc(sizeof *loop);
  if (uv_loop_init(&loop->loop) < 0) return NULL;
  uv_idle_init(&loop->loop, &loop->keeper);
  return loop;
}

void loop_round(void *data, int wait) {
  struct loop *loop = data;
  if (!wait) uv_idle_start(&loop->keeper, do_nothing);
  running++;
  uv_run(&loop->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  running--;
  uv_idle_stop(&loop->keeper);
}

static void close_handle(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_destroy(void *loop) {
  uv_walk(loop, close_handle, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  assert(uv_loop_close(loop) == 0);
  free(loop);
}

struct own {
  uv_timer_t timer;
  void (*fn)(void *data);
  void *data;
};

static void free_own(uv_handle_t *handle) { free(handle); }

static void on_own(uv_timer_t *timer) {
  struct own *own = (struct own *)timer;
  own->fn(own->data);
  uv_close((uv_handle_t *)timer, free_own);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  struct own *own = malloc(sizeof *own);
  own->fn = fn;
  own->data = data;
  uv_timer_init(loop, &own->timer);
  uv_timer_start(&own->timer, on_own, (uint64_t)ms, 0);
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
