/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_ADAPTER_H
#define PILLION_INCLUDE_ADAPTER_H

/*
 * What adapters share, and where the author of another one begins. An adapter
 * puts an executor on a loop that calls back. The guide is foreign/README.md;
 * pillion/epoll.h and pillion/uv.h are the examples to read.
 *
 *     struct my_loop { pillion_adapter adapter; ... handles ... };
 *
 *     int my_attach(struct my_loop *my, ..., pillion_executor executor) {
 *       int fd, rc = pillion_adapter_init(&my->adapter, &fd, executor,
 *                                         &my_functions, on_event, data);
 *       if (rc < 0) return rc;
 *       ... watch fd for reading, make a timer ...
 *       return pillion_adapter_hook(&my->adapter, executor);
 *     }
 *
 * 1. Attach as above: the loop's handles come before the hooks, so an error
 *    leaves an executor that another loop has as it was.
 * 2. The callback of the executor's descriptor calls pillion_adapter_turn,
 *    that of the timer pillion_adapter_fired, and that of a watched descriptor
 *    pillion_adapter_report.
 * 3. A timer may be late, but never early: pillion_adapter_wait rounds up.
 * 4. The other direction is pillion_adapter_loop: functions that the executor
 *    calls. Some may be called in a callback of the same loop.
 * 5. A program may free the executor, detach the adapter and destroy the loop
 *    in any order, also in an event handler. So these functions do nothing to
 *    a handle that the program has closed.
 * 6. A handler may run the loop, as a dialog does, if the loop allows that. The
 *    turns in there first hand out what is left of the batch, so a loop asks
 *    pillion_adapter_pending before it waits.
 * 7. In a forked child pillion_adapter_detach answers PILLION_EFORKED and calls
 *    no function: the loop's descriptors are the parent's, too.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../pillion.h"

#define PILLION_ADAPTER_BATCH 64 /* events that one turn takes at most */

typedef struct pillion_adapter pillion_adapter;

/* What an adapter knows of a descriptor; all zero if it does not watch it. */
typedef struct pillion_adapter_watch {
  uint64_t key; /* for pillion_executor_ready */
  union {
    void *handle; /* the loop's */
    size_t place; /* for a loop that has an array */
  } as;
} pillion_adapter_watch;

/*
 * pillion_adapter_loop is what a loop does for an adapter, on the owner's
 * thread. All but `close` may be NULL; without `watch`, tasks that await
 * descriptors get PILLION_ENOTSUP.
 *
 * arm: the timer is due at `deadline`; PILLION_TIME_NEVER stops it.
 * live: whether the adapter keeps the loop running. It is called when that
 *   changes, and with 0 before stop and close; before the first call the
 *   adapter keeps it running.
 * stop: the executor is gone, or a turn has failed. Watch its descriptor no
 *   more, since the number may soon be another's, and stop the timer. It may be
 *   called several times.
 * close: the adapter lets go of the loop, so close all handles. It is called
 *   once, and may come after stop.
 * watch: watch `fd` for these events, or for none if they are 0, but keep it.
 *   In the first call for a descriptor watch->as is 0, and the function sets
 *   it. It answers 0, or the error that the host's hook answers (host.h).
 * unwatch: let go of `fd` and of watch->as.
 */
typedef struct pillion_adapter_loop {
  void (*arm)(pillion_adapter *adapter, int64_t deadline);
  void (*live)(pillion_adapter *adapter, int live);
  void (*stop)(pillion_adapter *adapter);
  void (*close)(pillion_adapter *adapter);
  int (*watch)(pillion_adapter *adapter, pillion_adapter_watch *watch, int fd,
               uint32_t events);
  void (*unwatch)(pillion_adapter *adapter, pillion_adapter_watch *watch,
                  int fd);
} pillion_adapter_loop;

/*
 * pillion_adapter is an executor on a loop, in the storage of an adapter.
 * `on_event` and `data` may be set, `status` and `live` read; the rest is
 * private.
 */
struct pillion_adapter {
  pillion_event_fn on_event; /* or NULL */
  void *data;                /* of on_event */
  int status;    /* 0, or the error for which the loop makes no more turns */
  uint64_t live; /* tasks and calls after the latest turn; 1 before the first */
  pillion_executor executor; /* 0: it was freed, or has left this loop */
  const pillion_adapter_loop *loop;
  int64_t deadline;               /* that the timer stands for */
  int hosts;                      /* it is the executor's host */
  int keeps;                      /* what loop->live was told */
  int refused;                    /* the thread was in a turn */
  uint32_t depth;                 /* turns and handlers on the stack */
  int detached;                   /* 1: asked for in one of them. 2: done */
  const pillion_event *events;    /* of the latest turn: */
  int next, count;                /* those not yet handed out */
  pillion_adapter_watch *watches; /* by descriptor */
  size_t watches_cap;
};

/* ---- For all loops ------------------------------------------------------- */

#ifndef CLOCK_MONOTONIC /* -std=c11 hides it; this is Linux's own. */
#define CLOCK_MONOTONIC 1
extern int clock_gettime(int clock, struct timespec *time);
#endif

/*
 * pillion_adapter_now tells the time that deadlines are given in, for loops
 * whose own clock is another. (An executor with a clock of its own needs a
 * loop that knows that clock.)
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: nanoseconds of CLOCK_MONOTONIC.
 * Since: 0.1
 */
static inline int64_t pillion_adapter_now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * pillion_adapter_wait says how long a loop may wait for a deadline, in units
 * of `unit` ns: so 1000000 for a loop that counts in milliseconds. It rounds
 * up, since a timer must not be early.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: the units from `now` until `deadline`: 0 if it has passed, -1 if it
 *   is PILLION_TIME_NEVER.
 * Since: 0.1
 */
static inline int64_t pillion_adapter_wait(int64_t deadline, int64_t now,
                                           int64_t unit) {
  if (deadline == PILLION_TIME_NEVER) return -1;
  if (deadline <= now) return 0;
  return (deadline - now - 1) / unit + 1;
}

/* poll(2)'s bits: those of epoll(7) and of GLib's GIOCondition are the same. */
#define PILLION__POLLIN 0x1
#define PILLION__POLLPRI 0x2
#define PILLION__POLLOUT 0x4
#define PILLION__POLLERR 0x8
#define PILLION__POLLHUP 0x10
#define PILLION__POLLNVAL 0x20
#define PILLION__POLLRDHUP 0x2000

/*
 * pillion_adapter_mask turns the events of pillion/watch.h into the bits of
 * poll(2), which epoll(7) and GLib have, too.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: the bits to ask for.
 * Since: 0.1
 */
static inline short pillion_adapter_mask(uint32_t events) {
  return (short)((events & PILLION_READABLE ? PILLION__POLLIN : 0) |
                 (events & PILLION_WRITABLE ? PILLION__POLLOUT : 0) |
                 (events & PILLION_PRIORITY ? PILLION__POLLPRI : 0) |
                 (events & PILLION_HANGUP ? PILLION__POLLRDHUP : 0));
}

/*
 * pillion_adapter_events turns bits of poll(2), as they came, into the events
 * of pillion/watch.h.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: the events to report.
 * Since: 0.1
 */
static inline uint32_t pillion_adapter_events(int mask) {
  return (mask & PILLION__POLLIN ? PILLION_READABLE : 0) |
         (mask & PILLION__POLLOUT ? PILLION_WRITABLE : 0) |
         (mask & PILLION__POLLPRI ? PILLION_PRIORITY : 0) |
         (mask & (PILLION__POLLHUP | PILLION__POLLRDHUP) ? PILLION_HANGUP : 0) |
         (mask & (PILLION__POLLERR | PILLION__POLLNVAL) ? PILLION_FAULT : 0);
}

/* The error of a loop that has answered this of errno(3), when it was to watch
 * a descriptor. */
static inline int pillion__adapter_error(int number) {
  return number == EPERM    ? PILLION_ENOTSUP /* a regular file, say */
         : number == EEXIST ? PILLION_EBUSY
         : number == ENOMEM ? PILLION_ENOMEM
                            : PILLION_ESYSTEM;
}

/* For loops on epoll(7), which does not take such a descriptor. */
static inline int pillion__adapter_is_file(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Gives `array` more than `least` places; what is new in it is zero. NULL if
 * there is no memory: then `array` is as it was. */
static inline void *pillion__adapter_grow(void *array, size_t *cap,
                                          size_t least, size_t each) {
  size_t more = *cap == 0 ? 16 : *cap;
  void *grown;

  while (more <= least) more *= 2;
  if (more == *cap) return array;
  grown = realloc(array, more * each);
  if (grown == NULL) return NULL;
  memset((char *)grown + *cap * each, 0, (more - *cap) * each);
  *cap = more;
  return grown;
}

/* ---- Turns --------------------------------------------------------------- */

static inline void pillion__adapter_live(int live, void *data) {
  pillion_adapter *adapter = (pillion_adapter *)data;
  if (adapter->keeps == live || (live && adapter->status < 0)) return;
  adapter->keeps = live;
  if (live && adapter->live == 0) adapter->live = 1;
  if (adapter->loop->live != NULL) adapter->loop->live(adapter, live);
}

static inline void pillion__adapter_arm(pillion_adapter *adapter,
                                        int64_t deadline) {
  if (adapter->deadline == deadline) return;
  adapter->deadline = deadline;
  if (adapter->loop->arm != NULL) adapter->loop->arm(adapter, deadline);
}

/*
 * pillion_adapter_stop ends the turns of an adapter, for a loop that cannot
 * watch the executor's descriptor any more. The adapter has yet to be detached.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: nothing; adapter->status is `status`.
 * Since: 0.1
 */
static inline void pillion_adapter_stop(pillion_adapter *adapter, int status) {
  adapter->status = status;
  pillion__adapter_live(0, adapter);
  if (adapter->loop->stop != NULL) adapter->loop->stop(adapter);
}

/* The last step of a detach. */
static inline int pillion__adapter_leave(pillion_adapter *adapter) {
  pillion_executor executor = adapter->executor;
  int rc = executor != 0 ? pillion_host_set(executor, NULL) : 0;

  if (rc == PILLION_EREENTRANT || rc == PILLION_EWRONGTHREAD) {
    adapter->detached = 0;
    return rc;
  }
  adapter->executor = 0;
  adapter->detached = 2;
  pillion__adapter_live(0, adapter);
  adapter->loop->close(adapter);
  return 0;
}

/*
 * pillion_adapter_pending reports whether a turn has something to hand out. It
 * does in a loop that runs inside an event handler, if the handler's batch has
 * more events: then such a loop must not wait before it makes a turn.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 1 or 0.
 * Since: 0.1
 */
static inline int pillion_adapter_pending(const pillion_adapter *adapter) {
  return adapter->next < adapter->count;
}

/* A handler may run the loop, whose turns then go on here. Those leave nothing
 * behind. */
static inline void pillion__adapter_hand_out(pillion_adapter *adapter,
                                             pillion_executor executor) {
  int fd;
  while (pillion_adapter_pending(adapter)) {
    const pillion_event *event = &adapter->events[adapter->next++];
    if (adapter->on_event != NULL) adapter->on_event(event, adapter->data);
    /* If the handler has freed the executor, the events went with it. */
    if (!adapter->hosts && pillion_executor_fd(&fd, executor) < 0)
      adapter->next = adapter->count;
  }
}

/* Payloads of the turns around this one stay. */
static inline int pillion__adapter_turn(pillion_adapter *adapter) {
  pillion_event events[PILLION_ADAPTER_BATCH];
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_executor executor = adapter->executor;
  int n;

  if (executor == 0) return PILLION_ECLOSED;
  budget.depth = adapter->depth - 1;
  n = pillion_executor_turn(events, PILLION_ADAPTER_BATCH, &progress, executor,
                            &budget);
  adapter->refused = n == PILLION_EREENTRANT;
  if (n >= 0) {
    adapter->live = progress.live;
    pillion__adapter_live(progress.live > 0, adapter);
    pillion__adapter_arm(adapter, progress.deadline);
    adapter->events = events;
    adapter->next = 0;
    adapter->count = n;
    pillion__adapter_hand_out(adapter, executor);
  } else if (adapter->refused) {
    pillion__adapter_arm(adapter, pillion_adapter_now() + 1000000);
  } else {
    pillion_adapter_stop(adapter, n);
  }
  return n;
}

/*
 * pillion_adapter_turn makes a turn, arms the timer if the deadline has
 * changed, and hands out the events; then it detaches the adapter, if a handler
 * has asked for that. If something is left to do, the descriptor stays
 * readable. If the turn fails, the adapter stops: otherwise the loop would spin
 * on a readable descriptor. In a loop that an event handler runs it first hands
 * out what is left of the handler's batch. In a loop that a poll runs it makes
 * no turn, and arms the timer to try again in a millisecond.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: the number of events, PILLION_ECLOSED (the executor was freed or
 *   has left the loop), PILLION_EREENTRANT (inside a turn of any executor), or
 *   as pillion_executor_turn.
 * Since: 0.1
 */
static inline int pillion_adapter_turn(pillion_adapter *adapter) {
  int n, left = 0;

  adapter->depth++;
  if (pillion_adapter_pending(adapter) &&
      pillion_executor_bind(adapter->executor) == 0) { /* in no turn */
    left = adapter->count - adapter->next;
    pillion__adapter_hand_out(adapter, adapter->executor);
  }
  n = pillion__adapter_turn(adapter);
  adapter->depth--;
  if (adapter->depth == 0 && adapter->detached == 1)
    pillion__adapter_leave(adapter);
  return n < 0 ? n : left + n;
}

/*
 * pillion_adapter_fired makes a turn because the timer has fired. It arms the
 * timer anew, even for the same deadline: so it is for timers that fire once.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: as pillion_adapter_turn.
 * Since: 0.1
 */
static inline int pillion_adapter_fired(pillion_adapter *adapter) {
  adapter->deadline = PILLION_TIME_NEVER;
  return pillion_adapter_turn(adapter);
}

/*
 * pillion_adapter_ready tells the executor which events came at a watched
 * descriptor. The loop must make a turn afterwards, once for all that it tells.
 * If the events contain PILLION_FAULT, or the executor refuses them, it calls
 * loop->watch with no events: otherwise the loop would spin.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere outside polls, drops and hooks.
 * Ownership: it may call loop->watch and loop->unwatch for `fd`.
 * Returns: 0, PILLION_ECLOSED (the executor was freed or has left the loop), or
 *   as pillion_executor_ready. A late report, for a descriptor that is watched
 *   no more, does no harm.
 * Since: 0.1
 */
static inline int pillion_adapter_ready(pillion_adapter *adapter, int fd,
                                        uint32_t events) {
  pillion_adapter_watch *watch;
  int rc;

  if ((size_t)fd >= adapter->watches_cap) return PILLION_ECLOSED;
  watch = &adapter->watches[fd];
  if (events & PILLION_FAULT && watch->as.handle != NULL)
    adapter->loop->watch(adapter, watch, fd, 0);
  /* If handlers come before the turn, they may wait for a wake. */
  rc = pillion_executor_ready(
      adapter->executor, watch->key,
      events | (pillion_adapter_pending(adapter) ? 0 : PILLION_TURN_FOLLOWS));
  watch = &adapter->watches[fd];
  if (rc < 0 && watch->as.handle != NULL)
    adapter->loop->watch(adapter, watch, fd, 0);
  return rc;
}

/*
 * pillion_adapter_report is pillion_adapter_ready with a turn right now. So the
 * executor need not wake the loop for that turn.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere outside polls, drops and hooks.
 * Ownership: the executor, and what the loop knows of `fd`, may be gone when
 *   this returns.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_adapter_report(pillion_adapter *adapter, int fd,
                                          uint32_t events) {
  if (pillion_adapter_ready(adapter, fd, events) == 0)
    pillion_adapter_turn(adapter);
}

/* ---- Attach and detach --------------------------------------------------- */

static inline void pillion__adapter_unwatch(int fd, uint64_t key, void *data) {
  pillion_adapter *adapter = (pillion_adapter *)data;
  pillion_adapter_watch *watch = &adapter->watches[fd];

  (void)key;
  adapter->loop->unwatch(adapter, watch, fd);
  memset(watch, 0, sizeof *watch);
}

static inline int pillion__adapter_watch(int fd, uint32_t events, uint64_t key,
                                         void *data) {
  pillion_adapter *adapter = (pillion_adapter *)data;
  pillion_adapter_watch *watch;
  void *watches = pillion__adapter_grow(adapter->watches, &adapter->watches_cap,
                                        (size_t)fd, sizeof *watch);
  int known, rc;

  if (watches == NULL) return PILLION_ENOMEM;
  adapter->watches = (pillion_adapter_watch *)watches;
  watch = &adapter->watches[fd];
  known = watch->as.handle != NULL;
  watch->key = key;
  rc = adapter->loop->watch(adapter, watch, fd, events);
  if (rc < 0 && !known && watch->as.handle != NULL)
    pillion__adapter_unwatch(fd, key, adapter);
  return rc;
}

static inline void pillion__adapter_reset(pillion_adapter *out,
                                          const pillion_adapter_loop *loop,
                                          pillion_event_fn on_event,
                                          void *data) {
  memset(out, 0, sizeof *out);
  out->loop = loop;
  out->on_event = on_event;
  out->data = data;
  out->deadline = INT64_MIN;
  out->keeps = 1;
  out->live = 1;
}

/* The executor was freed, or has got another host. */
static inline void pillion__adapter_drop(void *data) {
  pillion_adapter *adapter = (pillion_adapter *)data;
  adapter->executor = 0;
  adapter->hosts = 0;
  free(adapter->watches);
  adapter->watches = NULL;
  adapter->watches_cap = 0;
  pillion_adapter_stop(adapter, PILLION_ECLOSED);
}

/* The adapter that is the executor's host, or NULL. */
static inline pillion_adapter *pillion__adapter_of(pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  if (pillion_host_get(&host, executor) < 0) return NULL;
  return host.drop == pillion__adapter_drop ? (pillion_adapter *)host.data
                                            : NULL;
}

/*
 * pillion_adapter_init begins to attach: it makes the calling thread the
 * executor's owner, and tells the descriptor to watch. It changes nothing of
 * the executor's host, so an adapter that fails after it has nothing to undo.
 *
 * Threads: the loop's.
 * Reentrancy: not inside a turn.
 * Ownership: *out is the caller's; *loop is static.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL (it has no descriptor),
 *   PILLION_EWRONGTHREAD, PILLION_EREENTRANT or PILLION_EBUSY (*out is the
 *   executor's host already).
 * Since: 0.1
 */
static inline int pillion_adapter_init(pillion_adapter *out, int *fd,
                                       pillion_executor executor,
                                       const pillion_adapter_loop *loop,
                                       pillion_event_fn on_event, void *data) {
  int rc = pillion_executor_bind(executor);

  if (rc == 0) rc = pillion_executor_fd(fd, executor);
  if (rc < 0) return rc;
  if (pillion__adapter_of(executor) == out) return PILLION_EBUSY;
  pillion__adapter_reset(out, loop, on_event, data);
  return 0;
}

/*
 * pillion_adapter_hook makes the adapter the executor's host. By then the loop
 * watches the executor's descriptor, which is readable afterwards: the first
 * turn finds out what lives, and for how long the loop may sleep. If tasks
 * await descriptors already, it calls loop->watch. If it fails, it calls
 * loop->close.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: *adapter must stay until loop->close was called, and until the
 *   executor was freed or has another host.
 * Returns: 0, or as pillion_host_set.
 * Since: 0.1
 */
static inline int pillion_adapter_hook(pillion_adapter *adapter,
                                       pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  int rc;

  host.data = adapter;
  host.live = pillion__adapter_live;
  host.drop = pillion__adapter_drop;
  if (adapter->loop->watch != NULL) {
    host.watch = pillion__adapter_watch;
    host.unwatch = pillion__adapter_unwatch;
  }
  rc = pillion_host_set(executor, &host);
  adapter->hosts = rc == 0;
  if (rc == 0) adapter->executor = executor;
  else pillion__adapter_leave(adapter);
  return rc;
}

/*
 * pillion_adapter_detach takes the executor off its loop, and calls
 * loop->close. In a turn or an event handler that is done when the outermost
 * turn's events have been handed out, so none is lost; until then a loop that a
 * handler runs goes on making turns. In a forked child it touches nothing,
 * since the loop's descriptors are the parent's, too.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *adapter is the caller's again when loop->close has closed all.
 * Returns: 0; PILLION_EWRONGTHREAD, PILLION_EREENTRANT, PILLION_ECLOSED (it was
 *   detached before) or PILLION_EFORKED: then loop->close is not called.
 * Since: 0.1
 */
static inline int pillion_adapter_detach(pillion_adapter *adapter) {
  if (pillion_wake(0) == PILLION_EFORKED) return PILLION_EFORKED;
  if (adapter->detached) return PILLION_ECLOSED;
  adapter->detached = 1;
  return adapter->depth > 0 ? 0 : pillion__adapter_leave(adapter);
}

#endif
