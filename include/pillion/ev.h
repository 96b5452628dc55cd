/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_EV_H
#define PILLION_INCLUDE_EV_H

/*
 * Pillion on libev 4:
 *
 *     pillion_ev_attach(&on, loop, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     ev_run(loop, 0);
 *
 * The deadline is met up to 1 ms late, never early. The loop is kept alive
 * while a task or call lives, and no longer. Detaching the executor, freeing
 * it and destroying the loop may come in any order.
 *
 * libev tells of no priority and no hang-up: to await them is PILLION_ENOTSUP.
 */

#include <ev.h>

#include "adapter.h"

/* In the caller's storage. adapter.data, .live and .status are not private. */
typedef struct pillion_ev {
  pillion_adapter adapter;
  struct ev_loop *loop; /* NULL: it was destroyed */
  ev_io io;
  ev_timer timer;
  ev_prepare prepare; /* for a loop that runs in a handler */
  ev_cleanup cleanup; /* the loop is being destroyed */
} pillion_ev;

/* No watcher keeps the loop alive: tasks do, with a reference of ours. */
static inline void pillion__ev_start(const pillion_ev *on, ev_io *io) {
  if (ev_is_active(io)) return;
  ev_io_start(on->loop, io);
  ev_unref(on->loop);
}

static inline void pillion__ev_stop_io(const pillion_ev *on, ev_io *io) {
  if (on->loop == NULL || !ev_is_active(io)) return;
  ev_ref(on->loop);
  ev_io_stop(on->loop, io);
}

static inline void pillion__ev_live(pillion_adapter *adapter, int live) {
  const pillion_ev *on = (pillion_ev *)adapter;
  if (on->loop != NULL) (live ? ev_ref : ev_unref)(on->loop);
}

static inline void pillion__ev_stop(pillion_adapter *adapter) {
  pillion_ev *on = (pillion_ev *)adapter;
  if (on->loop == NULL) return;
  pillion__ev_stop_io(on, &on->io);
  if (ev_is_active(&on->timer)) ev_ref(on->loop);
  ev_timer_stop(on->loop, &on->timer);
}

/* In a loop inside a poll it would stay readable; the timer tries again. */
static inline void pillion__ev_on_io(EV_P_ ev_io *io, int events) {
  pillion_ev *on = (pillion_ev *)io->data;
  if (events & EV_ERROR) { /* libev has stopped it */
    ev_ref(loop);
    pillion_adapter_stop(&on->adapter, PILLION_ESYSTEM);
  } else if (pillion_adapter_turn(&on->adapter) == PILLION_EREENTRANT) {
    pillion__ev_stop_io(on, io);
  }
}

static inline void pillion__ev_on_timer(EV_P_ ev_timer *timer, int events) {
  pillion_ev *on = (pillion_ev *)timer->data;
  (void)events;
  ev_ref(loop); /* libev has stopped it */
  pillion__ev_start(on, &on->io);
  pillion_adapter_fired(&on->adapter);
}

static inline void pillion__ev_on_prepare(EV_P_ ev_prepare *w, int events) {
  pillion_adapter *adapter = (pillion_adapter *)w->data;
  (void)loop, (void)events;
  if (pillion_adapter_pending(adapter)) pillion_adapter_turn(adapter);
}

static inline void pillion__ev_on_cleanup(EV_P_ ev_cleanup *w, int events) {
  (void)loop, (void)events;
  ((pillion_ev *)w->data)->loop = NULL;
}

static inline void pillion__ev_arm(pillion_adapter *adapter, int64_t deadline) {
  pillion_ev *on = (pillion_ev *)adapter;
  int64_t us = pillion_adapter_wait(deadline, pillion_adapter_now(), 1000);
  if (on->loop == NULL) return;
  if (!adapter->refused) pillion__ev_start(on, &on->io);
  if (ev_is_active(&on->timer)) ev_ref(on->loop);
  ev_timer_stop(on->loop, &on->timer);
  if (us < 0) return;
  ev_now_update(on->loop);
  ev_timer_set(&on->timer, (double)us * 1e-6, 0.);
  ev_timer_start(on->loop, &on->timer);
  ev_unref(on->loop);
}

static inline void pillion__ev_close(pillion_adapter *adapter) {
  pillion_ev *on = (pillion_ev *)adapter;
  pillion__ev_stop(adapter);
  if (on->loop == NULL) return;
  ev_ref(on->loop);
  ev_prepare_stop(on->loop, &on->prepare);
  ev_cleanup_stop(on->loop, &on->cleanup);
}

static inline void pillion__ev_on_ready(EV_P_ ev_io *io, int events) {
  if (events & EV_ERROR) ev_ref(loop); /* libev has stopped it */
  pillion_adapter_report((pillion_adapter *)io->data, io->fd,
                         events & EV_ERROR
                             ? PILLION_FAULT
                             : (events & EV_READ ? PILLION_READABLE : 0) |
                                   (events & EV_WRITE ? PILLION_WRITABLE : 0));
}

static inline int pillion__ev_watch(pillion_adapter *adapter,
                                    pillion_adapter_watch *watch, int fd,
                                    uint32_t events) {
  const pillion_ev *on = (pillion_ev *)adapter;
  ev_io *io = (ev_io *)watch->as.handle;
  if (on->loop == NULL) return PILLION_ECLOSED;
  if (events & (PILLION_PRIORITY | PILLION_HANGUP)) return PILLION_ENOTSUP;
  if (io == NULL) {
    watch->as.handle = io = (ev_io *)malloc(sizeof *io);
    if (io == NULL) return PILLION_ENOMEM;
    ev_init(io, pillion__ev_on_ready);
    io->data = adapter;
  }
  pillion__ev_stop_io(on, io);
  ev_io_set(io, fd,
            (events & PILLION_READABLE ? EV_READ : 0) |
                (events & PILLION_WRITABLE ? EV_WRITE : 0));
  if (events != 0) pillion__ev_start(on, io);
  return 0;
}

static inline void pillion__ev_unwatch(pillion_adapter *adapter,
                                       pillion_adapter_watch *watch, int fd) {
  (void)fd;
  pillion__ev_stop_io((pillion_ev *)adapter, (ev_io *)watch->as.handle);
  free(watch->as.handle);
}

/*
 * pillion_ev_attach puts `executor` on `loop` in place of other hooks: the loop
 * makes its turns, and `on_event` (may be NULL) hears what has ended.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, or as pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_ev_attach(pillion_ev *out, struct ev_loop *loop,
                                    pillion_executor executor,
                                    pillion_event_fn on_event, void *data) {
  static const pillion_adapter_loop functions = {
      pillion__ev_arm,   pillion__ev_live,  pillion__ev_stop,
      pillion__ev_close, pillion__ev_watch, pillion__ev_unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    on_event, data);
  if (rc < 0) return rc;
  out->loop = loop;
  ev_io_init(&out->io, pillion__ev_on_io, fd, EV_READ);
  ev_timer_init(&out->timer, pillion__ev_on_timer, 0., 0.);
  ev_prepare_init(&out->prepare, pillion__ev_on_prepare);
  ev_cleanup_init(&out->cleanup, pillion__ev_on_cleanup);
  out->io.data = out->timer.data = out->prepare.data = out->cleanup.data = out;
  pillion__ev_start(out, &out->io);
  ev_prepare_start(loop, &out->prepare);
  ev_unref(loop);
  ev_cleanup_start(loop, &out->cleanup);
  ev_ref(loop); /* for the tasks */
  return pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_ev_detach takes an executor off, as pillion_adapter_detach does.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *on is the caller's again, in a turn or an event handler only when
 *   the outermost turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_ev_detach(pillion_ev *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
