/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_POLL_H
#define PILLION_INCLUDE_POLL_H

/*
 * A loop for programs that have none: poll(2) around an executor, and around
 * the descriptors that its tasks await (pillion/watch.h).
 *
 *     pillion_executor_new(&ex, NULL, NULL, 0);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     pillion_poll_run(ex, on_event, data);
 *     pillion_executor_free(ex);
 */

#include <limits.h>
#include <poll.h>

#include "adapter.h"

/* What poll(2) is given; the executor's host, and freed with it. */
struct pillion__poll_set {
  pillion_adapter adapter; /* as.place of a watch: in fds, or 0 */
  struct pollfd *fds;      /* the executor's own descriptor is the first */
  size_t count, cap;
};

/* A loop, in the caller's storage. There is nothing to free. */
typedef struct pillion_poll {
  pillion_adapter adapter;
  uint64_t turns; /* that the executor had made */
  int stop;       /* set to 1 in an event handler, it ends pillion_poll_loop */
} pillion_poll;

static inline void pillion__poll_unwatch(pillion_adapter *adapter,
                                         pillion_adapter_watch *watch, int fd) {
  struct pillion__poll_set *set = (struct pillion__poll_set *)adapter;
  size_t place = watch->as.place;
  (void)fd;
  if (place == 0) return;
  set->fds[place] = set->fds[--set->count]; /* the last one */
  adapter->watches[set->fds[place].fd].as.place = place;
  watch->as.place = 0;
}

/* poll(2) reports hang-ups unasked: so nothing is watched for nothing. */
static inline int pillion__poll_watch(pillion_adapter *adapter,
                                      pillion_adapter_watch *watch, int fd,
                                      uint32_t events) {
  struct pillion__poll_set *set = (struct pillion__poll_set *)adapter;
  struct pollfd *fds;
  if (events == 0) return pillion__poll_unwatch(adapter, watch, fd), 0;
  fds = (struct pollfd *)pillion__adapter_grow(set->fds, &set->cap, set->count,
                                               sizeof *fds);
  if (fds == NULL) return PILLION_ENOMEM;
  if (watch->as.place == 0) watch->as.place = set->count++;
  fds[watch->as.place].fd = fd;
  fds[watch->as.place].events = pillion_adapter_mask(events);
  set->fds = fds;
  return 0;
}

static inline void pillion__poll_close(pillion_adapter *adapter) {
  free(((struct pillion__poll_set *)adapter)->fds);
  free(adapter);
}

/* The executor's set, which the first turn makes. NULL: it has another host. */
static inline int pillion__poll_set_of(struct pillion__poll_set **out,
                                       pillion_executor executor, int first) {
  static const pillion_adapter_loop functions = {NULL,
                                                 NULL,
                                                 pillion__poll_close,
                                                 pillion__poll_close,
                                                 pillion__poll_watch,
                                                 pillion__poll_unwatch};
  pillion_adapter *host = pillion__adapter_of(executor);
  if (host != NULL && host->loop != &functions) host = NULL;
  *out = (struct pillion__poll_set *)host;
  if (host != NULL || !first) return 0;
  *out = (struct pillion__poll_set *)calloc(1, sizeof **out);
  if (*out == NULL) return PILLION_ENOMEM;
  pillion__adapter_reset(&(*out)->adapter, &functions, NULL, NULL);
  (*out)->count = 1;
  return pillion_adapter_hook(&(*out)->adapter, executor);
}

/* Waits for the descriptors, the deadline and for `timeout` ns at most. A
 * report may take its own descriptor out of the set: so from behind. */
static inline int pillion__poll_wait(const pillion_poll *loop,
                                     struct pillion__poll_set *set,
                                     int64_t timeout) {
  struct pollfd own = {-1, POLLIN, 0}, *fds = &own;
  size_t i, count = set != NULL ? set->count : 1;
  int64_t ms, until = pillion__time_after(pillion_adapter_now(), timeout);
  int n, rc = pillion_executor_fd(&own.fd, loop->adapter.executor);
  if (rc < 0) return rc;
  if (count > 1) *(fds = set->fds) = own;
  if (loop->adapter.deadline < until) until = loop->adapter.deadline;
  do {
    ms = pillion_adapter_wait(until, pillion_adapter_now(), 1000000);
    n = poll(fds, count, ms < INT_MAX ? (int)ms : INT_MAX);
  } while (n < 0 && errno == EINTR);
  for (i = count - 1; n > 0 && i > 0; i--)
    if (fds[i].revents != 0)
      pillion_adapter_ready(&set->adapter, fds[i].fd,
                            pillion_adapter_events(fds[i].revents));
  return n < 0 ? PILLION_ESYSTEM : 0;
}

/*
 * pillion_poll_init makes a loop for `executor`. Its first turn makes it the
 * executor's host, in place of another. `on_event` may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: *out is the caller's; it needs no clean-up.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_poll_init(pillion_poll *out,
                                     pillion_executor executor,
                                     pillion_event_fn on_event, void *data) {
  static const pillion_adapter_loop none = {NULL, NULL, NULL, NULL, NULL, NULL};
  memset(out, 0, sizeof *out);
  pillion__adapter_reset(&out->adapter, &none, on_event, data);
  out->adapter.executor = executor;
}

/*
 * pillion_poll_once waits until there is something to do, for `timeout` ns at
 * most (0: not at all, as in a game's frames), then makes one turn. A signal
 * does not end the wait, and the first call does not wait. While no descriptor
 * is watched it looks for work by a turn, which is no system call.
 *
 * Threads: the owner's; the first call binds the executor to its thread.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: the number of events, PILLION_ESYSTEM (poll failed),
 *   PILLION_ENOMEM, or as pillion_executor_turn.
 * Since: 0.1
 */
static inline int pillion_poll_once(pillion_poll *loop, int64_t timeout) {
  pillion_executor executor = loop->adapter.executor;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  struct pillion__poll_set *set;
  int idle, waits, first = loop->adapter.deadline == INT64_MIN;
  int n, rc = pillion__poll_set_of(&set, executor, first);
  waits = rc == 0 && set != NULL && set->count > 1 &&
          !pillion_adapter_pending(&loop->adapter);
  for (;; waits = 1) {
    if (rc == 0 && waits) rc = pillion__poll_wait(loop, set, timeout);
    if (rc < 0) return rc;
    n = pillion_adapter_turn(&loop->adapter);
    if (n >= 0) rc = pillion_executor_stat(&stats, executor);
    if (n < 0 || rc < 0) return n < 0 ? n : rc;
    idle = stats.turns == loop->turns; /* empty turns do not count */
    loop->turns = stats.turns;
    if (n > 0 || waits || !idle || first || timeout <= 0) return n;
  }
}

/*
 * pillion_poll_loop makes turns until no task or call lives, or a handler sets
 * loop->stop: then it may run again. A close by another thread ends it.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn. If it runs in on_event, `stop` ends both.
 * Ownership: none.
 * Returns: 0, or as pillion_poll_once.
 * Since: 0.1
 */
static inline int pillion_poll_loop(pillion_poll *loop) {
  int n = 1;
  loop->stop = 0;
  do { /* At first, and after events, more may have been started: look. */
    n = pillion_poll_once(loop, n > 0 ? 0 : PILLION_TIME_NEVER);
    if (n < 0) return n;
  } while (!loop->stop && (n > 0 || loop->adapter.live > 0));
  return 0;
}

/*
 * pillion_poll_run is pillion_poll_init and pillion_poll_loop in one.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn, and not in on_event.
 * Ownership: none.
 * Returns: 0, or as pillion_poll_once.
 * Since: 0.1
 */
static inline int pillion_poll_run(pillion_executor executor,
                                   pillion_event_fn on_event, void *data) {
  pillion_poll loop;
  pillion_poll_init(&loop, executor, on_event, data);
  return pillion_poll_loop(&loop);
}

#endif
