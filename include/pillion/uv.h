/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_UV_H
#define PILLION_INCLUDE_UV_H

/*
 * Pillion on libuv 1.x, on Linux:
 *
 *     pillion_uv_attach(&uv, loop, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * The deadline is met up to 1 ms late, never early. The loop is kept alive
 * while a task or call lives, and no longer. Detaching the executor, freeing
 * it and closing the loop may come in any order.
 *
 * A program that closes all handles by uv_walk, before it detaches or frees the
 * executor, loses the memory of the watches: their close callbacks free it.
 */

#include <uv.h>

#include "adapter.h"

typedef struct pillion_uv pillion_uv;
typedef void (*pillion_uv_close_fn)(pillion_uv *uv, void *data);

/* In the caller's storage. adapter.data, .live and .status are not private. */
struct pillion_uv {
  pillion_adapter adapter;
  uv_poll_t poll;
  uv_timer_t timer;
  pillion_uv_close_fn on_close;
  int closing; /* handles whose close callback has yet to come */
};

/* False if the program has closed the handle itself, or its loop. */
#define PILLION__UV_OPEN(handle) (!uv_is_closing((uv_handle_t *)(handle)))

/* The bits are the same for libuv and Pillion, or this does not compile. */
typedef char pillion__uv_bits[1 / (UV_READABLE == PILLION_READABLE &&
                                   UV_WRITABLE == PILLION_WRITABLE &&
                                   UV_DISCONNECT == PILLION_HANGUP &&
                                   UV_PRIORITIZED == PILLION_PRIORITY)];

static inline void pillion__uv_on_poll(uv_poll_t *poll, int status, int mask) {
  pillion_adapter *adapter = (pillion_adapter *)poll->data;
  (void)mask;
  if (status < 0) pillion_adapter_stop(adapter, PILLION_ESYSTEM);
  else pillion_adapter_turn(adapter);
}

static inline void pillion__uv_on_timer(uv_timer_t *timer) {
  pillion_adapter_fired((pillion_adapter *)timer->data);
}

/* uv_now is CLOCK_MONOTONIC in ms, rounded down. A timer of 0 ms that starts
 * in a timer's callback would run before the loop goes on: at least 1. */
static inline void pillion__uv_arm(pillion_adapter *adapter, int64_t deadline) {
  uv_timer_t *timer = &((pillion_uv *)adapter)->timer;
  int64_t ms;
  if (!PILLION__UV_OPEN(timer)) return;
  ms = pillion_adapter_wait(deadline, (int64_t)uv_now(timer->loop) * 1000000,
                            1000000);
  if (ms < 0) uv_timer_stop(timer);
  else
    uv_timer_start(timer, pillion__uv_on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
}

static inline void pillion__uv_live(pillion_adapter *adapter, int live) {
  (live ? uv_ref : uv_unref)((uv_handle_t *)&((pillion_uv *)adapter)->poll);
}

static inline void pillion__uv_closed(uv_handle_t *handle) {
  pillion_uv *uv = (pillion_uv *)handle->data;
  if (--uv->closing == 0 && uv->on_close != NULL)
    uv->on_close(uv, uv->adapter.data);
}

static inline void pillion__uv_let_go(pillion_uv *uv, uv_handle_t *handle) {
  if (!PILLION__UV_OPEN(handle)) return;
  uv->closing++;
  uv_close(handle, pillion__uv_closed);
}

/* Closed later, the poll would take the next file of its number out. */
static inline void pillion__uv_stop(pillion_adapter *adapter) {
  pillion_uv *uv = (pillion_uv *)adapter;
  pillion__uv_let_go(uv, (uv_handle_t *)&uv->poll);
  uv_timer_stop(&uv->timer);
}

static inline void pillion__uv_close(pillion_adapter *adapter) {
  pillion_uv *uv = (pillion_uv *)adapter;
  uv->closing++; /* for this function */
  pillion__uv_stop(adapter);
  pillion__uv_let_go(uv, (uv_handle_t *)&uv->timer);
  pillion__uv_closed((uv_handle_t *)&uv->poll);
}

static inline void pillion__uv_on_ready(uv_poll_t *poll, int status,
                                        int events) {
  uint32_t came = status < 0 ? PILLION_FAULT : (uint32_t)events;
  uv_os_fd_t fd;
  uv_fileno((uv_handle_t *)poll, &fd);
  pillion_adapter_report((pillion_adapter *)poll->data, fd, came);
}

static inline int pillion__uv_watch(pillion_adapter *adapter,
                                    pillion_adapter_watch *watch, int fd,
                                    uint32_t events) {
  uv_poll_t *own = &((pillion_uv *)adapter)->poll;
  uv_poll_t *poll = (uv_poll_t *)watch->as.handle;
  int rc;
  if (!PILLION__UV_OPEN(own)) return PILLION_ECLOSED;
  if (poll == NULL) {
    poll = (uv_poll_t *)malloc(sizeof *poll);
    if (poll == NULL) return PILLION_ENOMEM;
    rc = uv_poll_init(own->loop, poll, fd);
    if (rc < 0) {
      free(poll);
      return pillion__adapter_error(-rc);
    }
    uv_unref((uv_handle_t *)poll); /* Tasks keep the loop alive. */
    poll->data = adapter;
    watch->as.handle = poll;
  }
  rc = events == 0 ? uv_poll_stop(poll)
                   : uv_poll_start(poll, (int)events, pillion__uv_on_ready);
  return rc < 0 ? PILLION_ESYSTEM : 0;
}

static inline void pillion__uv_free(uv_handle_t *handle) { free(handle); }

static inline void pillion__uv_unwatch(pillion_adapter *adapter,
                                       pillion_adapter_watch *watch, int fd) {
  uv_handle_t *handle = (uv_handle_t *)watch->as.handle;
  (void)adapter, (void)fd;
  if (PILLION__UV_OPEN(handle)) uv_close(handle, pillion__uv_free);
}

/*
 * pillion_uv_attach puts `executor` on `loop` in place of other hooks: the loop
 * makes its turns, and `on_event` (may be NULL) hears what has ended.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out is the loop's until detach has called on_close; `data` is
 *   the caller's.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL (it has no descriptor),
 *   PILLION_EWRONGTHREAD, PILLION_EREENTRANT, PILLION_EBUSY (it is on this
 *   loop already), PILLION_ENOMEM or PILLION_ESYSTEM (the loop refused).
 * Since: 0.1
 */
static inline int pillion_uv_attach(pillion_uv *out, uv_loop_t *loop,
                                    pillion_executor executor,
                                    pillion_event_fn on_event, void *data) {
  static const pillion_adapter_loop functions = {
      pillion__uv_arm,   pillion__uv_live,  pillion__uv_stop,
      pillion__uv_close, pillion__uv_watch, pillion__uv_unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    on_event, data);

  if (rc < 0) return rc;
  rc = uv_poll_init(loop, &out->poll, fd);
  if (rc < 0) return pillion__adapter_error(-rc);
  uv_timer_init(loop, &out->timer);
  out->poll.data = out->timer.data = out;
  out->on_close = NULL;
  out->closing = 0;
  uv_poll_start(&out->poll, UV_READABLE, pillion__uv_on_poll);
  uv_unref((uv_handle_t *)&out->timer);
  return pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_uv_detach takes an executor off its loop, as pillion_adapter_detach
 * does. When the loop has let go it calls on_close (may be NULL). If the
 * program has closed the handles itself, by uv_walk, on_close is called at
 * once, and *uv must stay until uv_loop_close.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *uv is the loop's until on_close is called.
 * Returns: as pillion_adapter_detach; unless it is 0, on_close is not called.
 * Since: 0.1
 */
static inline int pillion_uv_detach(pillion_uv *uv,
                                    pillion_uv_close_fn on_close) {
  if (!uv->adapter.detached) uv->on_close = on_close;
  return pillion_adapter_detach(&uv->adapter);
}

#endif
