/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_POLL_H
#define PILLION_POLL_H

/*
 * A loop for programs that have none: poll(2) around an executor, and around
 * the descriptors that its tasks await (pillion/watch.h).
 *
 *     static void on_event(const pillion_event *event, void *data) { ... }
 *
 *     pillion_executor_new(&ex, NULL, NULL, 0);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     pillion_poll_run(ex, on_event, data);
 *     pillion_executor_free(ex);
 *
 * A program with a rhythm of its own, such as a game, keeps a pillion_poll
 * and calls pillion_poll_once(&loop, 0) in every frame. Authors of adapters
 * may take this one as the reference.
 */

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "pollset.h"

#ifndef CLOCK_MONOTONIC /* -std=c11 hides it; this is Linux's own. */
#define CLOCK_MONOTONIC 1
extern int clock_gettime(int clock, struct timespec *time);
#endif

/* Events that one turn takes at most. */
#define PILLION_POLL_BATCH 64

/*
 * pillion_poll_event_fn hears of every task and call that has ended. It is
 * called outside turns, so it may call everything but pillion_executor_turn.
 * `event` and what it points to are valid during the call.
 */
typedef void (*pillion_poll_event_fn)(const pillion_event *event, void *data);

/*
 * pillion_poll is a loop, in the caller's storage. It holds nothing that must
 * be freed. `data` and `live` are for everybody to read.
 */
typedef struct pillion_poll {
  pillion_executor executor;
  pillion_poll_event_fn on_event;
  void *data;
  uint64_t live;    /* what lived at the end of the latest turn */
  int64_t deadline; /* when the next turn is due */
  uint64_t turns;   /* that the executor had made by then, but for empty ones */
  struct pillion__pollset *set; /* the executor's */
  int stop;
} pillion_poll;

/*
 * pillion_poll_init makes a loop for `executor`. `on_event` may be NULL if
 * nothing is started with PILLION_EVENT. With its first turn the loop takes
 * the place of other hooks of the executor, and watches descriptors for it.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: *out is the caller's; it needs no clean-up.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_poll_init(pillion_poll *out,
                                     pillion_executor executor,
                                     pillion_poll_event_fn on_event,
                                     void *data) {
  out->executor = executor;
  out->on_event = on_event;
  out->data = data;
  out->live = 0;
  out->deadline = INT64_MIN; /* The first turn finds out. */
  out->turns = 0;
  out->set = NULL;
  out->stop = 0;
}

/* Waits for the descriptors, the deadline and for `timeout` ns at most. */
static inline int pillion__poll_wait(const pillion_poll *loop,
                                     struct pillion__pollset *set,
                                     int64_t timeout) {
  struct pollfd own = {-1, POLLIN, 0}, *fds = set != NULL ? set->fds : &own;
  struct timespec ts;
  int64_t now, until, ms;
  int n, rc = pillion_executor_fd(&own.fd, loop->executor);

  if (rc < 0) return rc;
  *fds = own;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  now = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
  until = pillion__time_after(now, timeout);
  if (loop->deadline < until) until = loop->deadline;
  for (;;) {
    ms = until <= now ? 0 : (until - now - 1) / 1000000 + 1;
    if (ms > INT_MAX) ms = INT_MAX; /* An early turn does no harm. */
    if (until == PILLION_TIME_NEVER) ms = -1;
    n = poll(fds, set != NULL ? set->count : 1, (int)ms);
    if (n > (fds->revents != 0)) pillion__pollset_report(set, loop->executor);
    if (n >= 0) return 0;
    if (errno != EINTR) return PILLION_ESYSTEM;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
  }
}

/* Makes a turn and tells its events. *idle: there was nothing to do. */
static inline int pillion__poll_turn(int *idle, pillion_poll *loop) {
  pillion_event events[PILLION_POLL_BATCH];
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  int i, n, fd, rc = 0;

  n = pillion_executor_turn(events, PILLION_POLL_BATCH, &progress,
                            loop->executor, NULL);
  if (n < 0) return n;
  loop->live = progress.live;
  loop->deadline = progress.more ? INT64_MIN : progress.deadline;
  rc = pillion_executor_stat(&stats, loop->executor);
  *idle = rc == 0 && stats.turns == loop->turns;
  loop->turns = stats.turns;
  for (i = 0; i < n && rc == 0; i++) {
    if (loop->on_event == NULL) break;
    loop->on_event(&events[i], loop->data);
    rc = pillion_executor_fd(&fd, loop->executor); /* It may be freed now. */
  }
  return rc < 0 ? rc : n;
}

/*
 * pillion_poll_once waits until there is something to do, for `timeout` ns at
 * most (0: not at all, PILLION_TIME_NEVER: for ever), then makes one turn and
 * calls on_event for what has ended. A signal does not end the wait. The
 * first call does not wait.
 *
 * As long as no descriptor is watched it looks for something to do by a turn:
 * that is no system call, and sees what came since the last one.
 *
 * Threads: the owner's; the first call binds the executor to its thread.
 * Reentrancy: not inside a turn, and not in on_event.
 * Ownership: none.
 * Returns: the number of events, PILLION_ESYSTEM (poll failed),
 *   PILLION_ENOMEM, or as pillion_executor_turn.
 * Since: 0.1
 */
static inline int pillion_poll_once(pillion_poll *loop, int64_t timeout) {
  struct pillion__pollset *set = NULL;
  int first = loop->deadline == INT64_MIN, idle, rc;

  rc = pillion__pollset_of(&set, &loop->set, loop->executor);
  if (rc < 0) return rc;
  if (set == NULL || set->count == 1) {
    rc = pillion__poll_turn(&idle, loop);
    if (rc != 0 || !idle || first || timeout <= 0) return rc;
  }
  rc = pillion__poll_wait(loop, set, timeout);
  return rc < 0 ? rc : pillion__poll_turn(&idle, loop);
}

/*
 * pillion_poll_stop makes pillion_poll_loop return when the present turn and
 * its events are over. What lives goes on living; the loop may run again.
 *
 * Threads: the owner's. Another one calls pillion_executor_close, which ends
 *   the loop once nothing lives.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_poll_stop(pillion_poll *loop) { loop->stop = 1; }

/*
 * pillion_poll_loop makes turns until no task or call lives any more, or
 * pillion_poll_stop is called.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn, and not in on_event.
 * Ownership: none.
 * Returns: 0, or as pillion_poll_once.
 * Since: 0.1
 */
static inline int pillion_poll_loop(pillion_poll *loop) {
  int n = 1; /* Look at once: something may have been started since. */

  loop->stop = 0;
  do {
    /* on_event may have started more, so after events, too, look again. */
    n = pillion_poll_once(loop, n > 0 ? 0 : PILLION_TIME_NEVER);
    if (n < 0) return n;
  } while (!loop->stop && (n > 0 || loop->live > 0));
  return 0;
}

/*
 * pillion_poll_run is a whole loop in one call: it makes turns until no task
 * or call of `executor` lives any more.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn, and not in on_event.
 * Ownership: none.
 * Returns: 0, or as pillion_poll_once.
 * Since: 0.1
 */
static inline int pillion_poll_run(pillion_executor executor,
                                   pillion_poll_event_fn on_event,
                                   void *data) {
  pillion_poll loop;

  pillion_poll_init(&loop, executor, on_event, data);
  return pillion_poll_loop(&loop);
}

#endif
