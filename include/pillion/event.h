/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_EVENT_H
#define PILLION_INCLUDE_EVENT_H

/*
 * Pillion on libevent 2.1:
 *
 *     pillion_libevent_attach(&on, base, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     event_base_dispatch(base);
 *
 * The deadline is met late by libevent's resolution, never early. libevent
 * cannot end a loop when nothing lives any more: a handler that wants that
 * looks at adapter.live, and calls event_base_loopbreak. Detaching the
 * executor, freeing it and the base may come in any order.
 *
 * libevent knows no priority events: a task that awaits PILLION_PRIORITY gets
 * PILLION_ENOTSUP. Its header and that of libev cannot be in one source file.
 */

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/time.h>

#include "adapter.h"

/* An executor on a base, in the caller's storage. All but adapter.data,
 * adapter.live and adapter.status is private. */
typedef struct pillion_libevent {
  pillion_adapter adapter;
  struct event_base *base;
  struct event io, timer;
} pillion_libevent;

/* A base that is freed takes its events out, but leaves no other trace. */
static inline int pillion__libevent_in(const struct event *event) {
  return (event->ev_evcallback.evcb_flags &
          (EVLIST_INSERTED | EVLIST_TIMEOUT | EVLIST_ACTIVE |
           EVLIST_ACTIVE_LATER)) != 0;
}

static inline void pillion__libevent_del(struct event *event) {
  if (pillion__libevent_in(event)) event_del(event);
}

static inline void pillion__libevent_on_io(evutil_socket_t fd, short events,
                                           void *data) {
  (void)fd, (void)events;
  pillion_adapter_turn((pillion_adapter *)data);
}

static inline void pillion__libevent_on_timer(evutil_socket_t fd, short events,
                                              void *data) {
  (void)fd, (void)events;
  pillion_adapter_fired((pillion_adapter *)data);
}

static inline void pillion__libevent_on_ready(evutil_socket_t fd, short events,
                                              void *data) {
  pillion_adapter_report((pillion_adapter *)data, (int)fd,
                         (events & EV_READ ? PILLION_READABLE : 0) |
                             (events & EV_WRITE ? PILLION_WRITABLE : 0) |
                             (events & EV_CLOSED ? PILLION_HANGUP : 0));
}

static inline void pillion__libevent_arm(pillion_adapter *adapter,
                                         int64_t deadline) {
  pillion_libevent *on = (pillion_libevent *)adapter;
  int64_t us = pillion_adapter_wait(deadline, pillion_adapter_now(), 1000);
  struct timeval wait;
  if (!pillion__libevent_in(&on->io)) return;
  pillion__libevent_del(&on->timer);
  if (us < 0) return;
  wait.tv_sec = (time_t)(us / 1000000);
  wait.tv_usec = (suseconds_t)(us % 1000000);
  event_base_update_cache_time(on->base);
  event_add(&on->timer, &wait);
}

static inline void pillion__libevent_stop(pillion_adapter *adapter) {
  pillion__libevent_del(&((pillion_libevent *)adapter)->io);
  pillion__libevent_del(&((pillion_libevent *)adapter)->timer);
}

static inline int pillion__libevent_watch(pillion_adapter *adapter,
                                          pillion_adapter_watch *watch, int fd,
                                          uint32_t events) {
  const pillion_libevent *on = (pillion_libevent *)adapter;
  struct event *event = (struct event *)watch->as.handle;
  short mask = (short)((events & PILLION_READABLE ? EV_READ : 0) |
                       (events & PILLION_WRITABLE ? EV_WRITE : 0) |
                       (events & PILLION_HANGUP ? EV_CLOSED : 0));
  if (!pillion__libevent_in(&on->io)) return PILLION_ECLOSED;
  if (events & PILLION_PRIORITY ||
      (events & PILLION_HANGUP &&
       !(event_base_get_features(on->base) & EV_FEATURE_EARLY_CLOSE)))
    return PILLION_ENOTSUP;
  if (event == NULL) {
    /* libevent would say so to stderr. */
    if (pillion__adapter_is_file(fd)) return PILLION_ENOTSUP;
    event = (struct event *)calloc(1, sizeof *event);
    if (event == NULL) return PILLION_ENOMEM;
    watch->as.handle = event;
  }
  pillion__libevent_del(event);
  event_assign(event, on->base, fd, (short)(mask | EV_PERSIST),
               pillion__libevent_on_ready, adapter);
  return mask == 0 || event_add(event, NULL) == 0 ? 0 : PILLION_ESYSTEM;
}

static inline void pillion__libevent_unwatch(pillion_adapter *adapter,
                                             pillion_adapter_watch *watch,
                                             int fd) {
  (void)adapter, (void)fd;
  pillion__libevent_del((struct event *)watch->as.handle);
  free(watch->as.handle);
}

/*
 * pillion_libevent_attach puts `executor` on `base` in place of other hooks:
 * the loop makes its turns, and `on_event` (may be NULL) hears what has ended.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_ESYSTEM (libevent refused), or as pillion_adapter_init
 *   and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_libevent_attach(pillion_libevent *out,
                                          struct event_base *base,
                                          pillion_executor executor,
                                          pillion_event_fn on_event,
                                          void *data) {
  static const pillion_adapter_loop functions = {
      pillion__libevent_arm,   NULL,
      pillion__libevent_stop,  pillion__libevent_stop,
      pillion__libevent_watch, pillion__libevent_unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    on_event, data);

  if (rc < 0) return rc;
  out->base = base;
  event_assign(&out->io, base, fd, EV_READ | EV_PERSIST,
               pillion__libevent_on_io, out);
  event_assign(&out->timer, base, -1, 0, pillion__libevent_on_timer, out);
  if (event_add(&out->io, NULL) < 0) return PILLION_ESYSTEM;
  return pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_libevent_detach takes an executor off: see pillion_adapter_detach.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *on is the caller's again, in a turn or an event handler only when
 *   the outermost turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_libevent_detach(pillion_libevent *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
