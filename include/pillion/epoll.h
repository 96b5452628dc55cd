/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_EPOLL_H
#define PILLION_INCLUDE_EPOLL_H

/*
 * Pillion on a loop of your own around epoll(7):
 *
 *     pillion_epoll_attach(&on, epoll, ex, on_event, data);
 *     do {
 *       n = epoll_wait(epoll, events, 64, pillion_epoll_timeout(&on, -1));
 *       for (i = 0; i < n; i++)
 *         if (!pillion_epoll_take(&on, &events[i])) my_handler(&events[i]);
 *       pillion_epoll_turn(&on);
 *     } while (on.adapter.live > 0);
 *
 * The deadline is met up to 1 ms late, never early. Detaching the executor,
 * freeing it and closing the set may come in any order. Its descriptors are
 * level-triggered; yours may be as you like. A task that awaits one that is in
 * the set already gets PILLION_EBUSY.
 *
 * The upper half of epoll_event.data tells the adapter's events: it is on.tag,
 * above all pointers and small numbers.
 */

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "adapter.h"

/* In the caller's storage. adapter.data, .live and .status are not private. */
typedef struct pillion_epoll {
  pillion_adapter adapter; /* as.place of a watch: 1 in the set, 2 not */
  uint32_t tag;
  int epoll; /* a duplicate: the program may close its own */
  int fd;    /* the executor's, or -1 */
  int due;   /* events have come */
  int muted; /* fd is in the set, but for nothing */
} pillion_epoll;

static inline int pillion__epoll_ctl(pillion_adapter *adapter, int how, int fd,
                                     uint32_t events) {
  const pillion_epoll *on = (pillion_epoll *)adapter;
  struct epoll_event event;
  event.events = events;
  event.data.u64 = (uint64_t)on->tag << 32 | (uint32_t)fd;
  return epoll_ctl(on->epoll, how, fd, &event) == 0
             ? 0
             : pillion__adapter_error(errno);
}

/* It reports hang-ups unasked: so nothing is watched for nothing. */
static inline int pillion__epoll_watch(pillion_adapter *adapter,
                                       pillion_adapter_watch *watch, int fd,
                                       uint32_t events) {
  int in = watch->as.place == 1, how = in ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  uint32_t mask = (uint32_t)pillion_adapter_mask(events);
  int rc = 0;
  if (events != 0) rc = pillion__epoll_ctl(adapter, how, fd, mask);
  else if (in) pillion__epoll_ctl(adapter, EPOLL_CTL_DEL, fd, 0);
  if (rc == 0) watch->as.place = events != 0 ? 1 : 2;
  return rc;
}

static inline void pillion__epoll_unwatch(pillion_adapter *adapter,
                                          pillion_adapter_watch *watch,
                                          int fd) {
  if (watch->as.place == 1) pillion__epoll_ctl(adapter, EPOLL_CTL_DEL, fd, 0);
}

/* A loop inside a poll would spin: no turn can be made in there. */
static inline void pillion__epoll_arm(pillion_adapter *adapter,
                                      int64_t deadline) {
  pillion_epoll *on = (pillion_epoll *)adapter;
  (void)deadline;
  if (on->muted == adapter->refused || on->fd < 0) return;
  on->muted = adapter->refused;
  pillion__epoll_ctl(adapter, EPOLL_CTL_MOD, on->fd,
                     on->muted ? 0u : (uint32_t)EPOLLIN);
}

static inline void pillion__epoll_stop(pillion_adapter *adapter) {
  pillion_epoll *on = (pillion_epoll *)adapter;
  if (on->fd >= 0) pillion__epoll_ctl(adapter, EPOLL_CTL_DEL, on->fd, 0);
  on->fd = -1;
}

static inline void pillion__epoll_close(pillion_adapter *adapter) {
  pillion__epoll_stop(adapter);
  close(((pillion_epoll *)adapter)->epoll);
}

/*
 * pillion_epoll_attach puts `executor` on the set `epoll` in place of other
 * hooks: pillion_epoll_turn makes its turns, and `on_event` (may be NULL) hears
 * what has ended.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_ESYSTEM (no descriptor is free, or `epoll` is no set),
 *   PILLION_EBUSY, or as pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_epoll_attach(pillion_epoll *out, int epoll,
                                       pillion_executor executor,
                                       pillion_event_fn on_event, void *data) {
  static const pillion_adapter_loop functions = {
      pillion__epoll_arm,   NULL,
      pillion__epoll_stop,  pillion__epoll_close,
      pillion__epoll_watch, pillion__epoll_unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    on_event, data);

  if (rc < 0) return rc;
  out->epoll = fcntl(epoll, 1030, 3); /* F_DUPFD_CLOEXEC, even if hidden */
  if (out->epoll < 0) return PILLION_ESYSTEM;
  out->tag = 0x80000000u | (uint32_t)((uintptr_t)out >> 3);
  out->fd = fd;
  out->due = out->muted = 0;
  rc = pillion__epoll_ctl(&out->adapter, EPOLL_CTL_ADD, fd, EPOLLIN);
  if (rc == 0) return pillion_adapter_hook(&out->adapter, executor);
  close(out->epoll);
  return rc;
}

/*
 * pillion_epoll_timeout says how long epoll_wait may wait, for at most `ms`
 * (-1: without limit).
 *
 * Threads: the loop's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: milliseconds, or -1.
 * Since: 0.1
 */
static inline int pillion_epoll_timeout(const pillion_epoll *on, int ms) {
  int64_t wait = pillion_adapter_wait(on->adapter.deadline,
                                      pillion_adapter_now(), 1000000);
  if (on->adapter.status < 0 || on->adapter.executor == 0) return ms;
  if ((on->due || pillion_adapter_pending(&on->adapter)) &&
      !on->adapter.refused)
    return 0;
  if (wait < 0 || (ms >= 0 && ms < wait)) return ms;
  return wait < INT_MAX ? (int)wait : INT_MAX;
}

/*
 * pillion_epoll_take takes an event that is the adapter's.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere outside polls, drops and hooks.
 * Ownership: none.
 * Returns: 1 (pillion_epoll_turn must follow) or 0 (it is the program's).
 * Since: 0.1
 */
static inline int pillion_epoll_take(pillion_epoll *on,
                                     const struct epoll_event *event) {
  int fd = (int)(uint32_t)event->data.u64;
  if (event->data.u64 >> 32 != on->tag) return 0;
  on->due = 1;
  if (fd != on->fd)
    pillion_adapter_ready(&on->adapter, fd,
                          pillion_adapter_events((int)event->events));
  return 1;
}

/*
 * pillion_epoll_turn makes a turn if one is due: once for all events of a wait.
 *
 * Threads: the loop's.
 * Reentrancy: not inside a turn; in on_event for a loop that runs there.
 * Ownership: none.
 * Returns: 0, or as pillion_adapter_turn.
 * Since: 0.1
 */
static inline int pillion_epoll_turn(pillion_epoll *on) {
  if (pillion_epoll_timeout(on, -1) != 0) return 0;
  on->due = 0;
  return pillion_adapter_turn(&on->adapter);
}

/*
 * pillion_epoll_detach takes an executor off, as pillion_adapter_detach does.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *on is the caller's again, at the latest when the turn has ended.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_epoll_detach(pillion_epoll *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
