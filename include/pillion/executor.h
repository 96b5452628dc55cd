/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_EXECUTOR_H
#define PILLION_INCLUDE_EXECUTOR_H

/*
 * Executors. An executor belongs to one thread, and polls its tasks in turns
 * that the thread's loop makes.
 */

#include "future.h"
#include "library.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t pillion_executor;

/*
 * pillion_context_hooks carry something of the embedder's with each task: a
 * trace id, a Python or JavaScript context, a GMainContext.
 *
 * capture: called when a task is spawned or a loop function called, on the
 *   thread that does it. It answers the new task's token. NULL is no token:
 *   then no other hook is called for the task.
 * enter, leave: called in pairs around each poll and drop of a task with a
 *   token, C's or Go's. When that task spawns another, capture is called
 *   between them, so the new task can inherit.
 * release: called once for each token, when its task has been dropped. May be
 *   NULL.
 *
 * Except for capture, they are called on the owner's thread, with two
 * exceptions: for a pool's task on the thread of any worker, and on several
 * threads at once; and release for a call that was cancelled before it began,
 * on the thread that cancelled it. No hook may turn an executor, or free the
 * executor of the task or call that it is called for.
 */
typedef struct pillion_context_hooks {
  size_t size;
  void *data; /* must outlive the executor or pool */
  void *(*capture)(void *data);
  void (*enter)(void *token, void *data);
  void (*leave)(void *token, void *data);
  void (*release)(void *token, void *data);
} pillion_context_hooks;

#define PILLION_CONTEXT_HOOKS_INIT \
  {sizeof(pillion_context_hooks), NULL, NULL, NULL, NULL, NULL}

/*
 * pillion_executor_options configure an executor; zero, or NULL, is always a
 * good value. They do not change afterwards.
 *
 * max_tasks: a task counts until its event is taken, or until its end is joined
 *   or thrown away. So the handler of its event may spawn the next.
 * ready: room for so many tasks is made at once, so that to spawn them
 *   allocates nothing. When more are alive, a spawn now and then makes room for
 *   1,024 more, or makes the ready ring twice as long.
 * max_polls, max_ns: the budget of a turn that is not given one.
 * seed: if it is not 0, a turn polls its tasks in a pseudo-random order instead
 *   of first in, first out. The same seed and the same events give the same
 *   order, so a test can try many orders, and repeat the one that failed.
 * clock: tells the time in nanoseconds instead of CLOCK_MONOTONIC, for the
 *   context's `now`, timers, deadlines and budgets. It is called on the owner's
 *   thread, in turns, and must neither block nor call the library. A negative
 *   time counts as 0. A host that sleeps until the deadline must know that
 *   clock. pillion_call_wait and pillion_task_wait do not use it.
 * context_hooks: each task carries a token of theirs; see above.
 * posts: how many posted events may wait to be taken, a power of two up to 1 <<
 *   24. The memory for them is allocated at once. If it is 0 there may be
 *   1,024, and the first post allocates it.
 * gather: for how many nanoseconds the end of a call, or of a pool's task, may
 *   wait for other ends before the host is told of all of them. A host with
 *   many calls in flight is woken far less often. When half of those in flight
 *   have ended the host is told at once, so a single call never waits. (A
 *   result that is not yet joined counts as in flight.) Other reasons to wake
 *   the host do not wait. The executor then has three descriptors instead of
 *   one. With a wake hook nothing waits.
 */
typedef struct pillion_executor_options {
  size_t size;
  int version;          /* PILLION_VERSION_NUMBER of the program's header */
  uint32_t flags;       /* PILLION_NO_FD, or 0 */
  uint32_t max_tasks;   /* tasks alive at once; 0: as many as there are slots */
  uint32_t max_calls;   /* calls in flight at once; 0: as the process's */
  uint32_t max_timers;  /* timers armed at once; 0: no limit */
  uint32_t max_watches; /* descriptors watched at once; 0: no limit */
  uint32_t ready;       /* tasks, up to 1 << 24; 0: no room before they come */
  uint32_t max_polls;   /* 0: 256 */
  int64_t max_ns;       /* 0: no limit */
  uint64_t seed;        /* 0: first in, first out */
  int64_t (*clock)(void *data);
  void *clock_data;
  const pillion_context_hooks *context_hooks; /* copied; NULL: none */
  uint32_t posts;                             /* 0: 1024 */
  uint32_t gather; /* ns; 0: the host is told at once */
} pillion_executor_options;

#define PILLION_NO_FD 1u /* no descriptor: the host will have a wake hook */

/* clang-format off */
#define PILLION_EXECUTOR_OPTIONS_INIT                                        \
  {sizeof(pillion_executor_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, 0,  \
   0, 0, 0, 0, NULL, NULL, NULL, 0, 0}
/* clang-format on */

/*
 * pillion_executor_new makes an executor. It belongs to no thread yet.
 * `options` may be NULL; a reason goes to `errbuf`, which may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not inside a turn if the library has not started.
 * Ownership: *out is the caller's, to be closed and freed.
 * Returns: 0, PILLION_EAGAIN (4,095 executors are alive), or as
 *   pillion_start.
 * Since: 0.1
 */
int pillion_executor_new(pillion_executor *out,
                         const pillion_executor_options *options, char *errbuf,
                         size_t errcap);

/*
 * pillion_executor_fd tells the descriptor that is readable while there is
 * something to do. Watch it for reading, level-triggered. It is an eventfd, or
 * an epoll set of two descriptors if the executor gathers. Only the library
 * reads, writes and closes it. Like all descriptors of the library it is above
 * 0, 1 and 2, even where those are closed.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the library's, until pillion_executor_free. Unwatch it before.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL (made with PILLION_NO_FD).
 * Since: 0.1
 */
int pillion_executor_fd(int *out, pillion_executor executor);

/*
 * pillion_executor_deadline tells when a turn is due even if the descriptor is
 * not readable: the time of the earliest timer, which may have passed, or
 * PILLION_TIME_NEVER. It changes in turns, which report it, too.
 * pillion_task_deadline also changes it, and then makes the descriptor
 * readable.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_executor_deadline(int64_t *out, pillion_executor executor);

/*
 * pillion_executor_live counts the tasks, calls and events that keep the
 * executor's loop: what progress.live tells of the end of a turn, at any other
 * time. At 0 a loop that has nothing else to do may end. Posted events do not
 * count.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_executor_live(uint64_t *out, pillion_executor executor);

/*
 * In event.flags. A host gets those after POSTED only for calls with credit or
 * callbacks, for its providers, and for functions that give objects. It skips
 * an event with a flag that it does not know.
 */
#define PILLION_EVENT_POSTED 1u   /* task and status are zero */
#define PILLION_EVENT_ITEM 2u     /* an item of the call `task` */
#define PILLION_EVENT_CALLED 4u   /* a function of yours is called; inbound.h */
#define PILLION_EVENT_WRITABLE 8u /* send again */
#define PILLION_EVENT_FINISHED 16u /* the caller of yours sends no more items */
#define PILLION_EVENT_CANCEL 32u   /* the caller of yours asks it to stop */
#define PILLION_EVENT_LINKED 64u   /* with CALLED: `link` is a call's token */
#define PILLION_EVENT_OBJECT 128u  /* an end or ITEM: `link` is an object */
#define PILLION_EVENT_FLOWS 256u   /* with CALLED; see pillion_call_info */

/*
 * pillion_event tells that a task or call has ended, or brings a posted event
 * (pillion_executor_post), an item of a flow, or a call of one of the host's
 * functions: its flags tell which, and 0 is an end. It has 64 bytes, and its
 * layout is frozen. Up to PILLION_INLINE bytes are in payload.bytes;
 * payload.data points to longer ones. If status is PILLION_EFAILED,
 * PILLION_EREQUEST, PILLION_EPANIC or PILLION_EGOEXIT, the payload is a
 * failure: see pillion_failure.
 */
typedef struct pillion_event {
  uint64_t token;    /* as given at the start */
  pillion_task task; /* of an end: stale by now, for comparison */
  int32_t status;    /* 0 or a negative PILLION_E… */
  uint16_t outcome;  /* PILLION_OUTCOME_…; with CALLED the function's index */
  uint16_t flags;    /* PILLION_EVENT_…, or 0 */
  uint64_t length;
  union {
    uint8_t bytes[PILLION_INLINE];
    const void *data;
  } payload;
  uint64_t link; /* with LINKED and OBJECT; else 0 */
} pillion_event;

/*
 * pillion_event_data finds the bytes of an event, wherever they are.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: they belong to the executor; see pillion_executor_turn.
 * Returns: a pointer to event->length bytes.
 * Since: 0.1
 */
static inline const void *pillion_event_data(const pillion_event *event) {
  return event->length > PILLION_INLINE ? event->payload.data
                                        : (const void *)event->payload.bytes;
}

/*
 * pillion_event_keep moves the payload out of an event, which is empty
 * afterwards. A long one is not copied. It is valid until the value is dropped.
 *
 * Threads: any; until the payload ends, with the next turn.
 * Reentrancy: anywhere.
 * Ownership: *out is the caller's, to be released with pillion_value_drop, on
 *   any thread.
 * Returns: 0, PILLION_EINVAL, or PILLION_ENOTSUP (the long result of a future
 *   in C, whose own release function ends it).
 * Since: 0.1
 */
int pillion_event_keep(pillion_value *out, pillion_event *event);

/*
 * pillion_budget bounds a turn; see pillion_executor_options for max_polls and
 * max_ns.
 *
 * depth: 0, or in how many event handlers the loop runs that makes the turn: 1
 *   in a dialog that a handler opens. The payloads of turns that are less deep
 *   stay valid, so the handlers can go on reading theirs.
 */
typedef struct pillion_budget {
  size_t size;
  uint32_t max_polls; /* 0: as the executor's options say */
  uint32_t depth;
  int64_t max_ns; /* 0: likewise; looked at every 64 polls */
} pillion_budget;

#define PILLION_BUDGET_INIT {sizeof(pillion_budget), 0, 0, 0}

typedef struct pillion_progress {
  size_t size;
  uint32_t polled;  /* tasks polled in this turn, C's and Go's */
  uint32_t more;    /* 1: call again soon; the descriptor says so too */
  int64_t deadline; /* as pillion_executor_deadline */
  uint64_t live;    /* tasks and calls that have not ended or not been taken */
} pillion_progress;

#define PILLION_PROGRESS_INIT {sizeof(pillion_progress), 0, 0, 0, 0}

/*
 * pillion_executor_turn does one round of work: it fires timers that are due,
 * polls a snapshot of the ready tasks within the budget, and takes up to
 * `cap` completion events in the order in which they came. Go is entered
 * once at most, and only if a Go task on this executor is ready. `events` may
 * be NULL if `cap` is 0; `progress` and `budget` may be NULL.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn (PILLION_EREENTRANT).
 * Ownership: payloads stay valid until the next turn of this executor that is
 *   not deeper, or until it is freed.
 * Returns: the number of events, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD,
 *   PILLION_EREENTRANT, PILLION_EINVAL or PILLION_ENOTSUP (see SIZES in
 *   pillion.h).
 * Since: 0.1
 */
int pillion_executor_turn(pillion_event *events, size_t cap,
                          pillion_progress *progress, pillion_executor executor,
                          const pillion_budget *budget);

/*
 * pillion_executor_post sends an event with `token` and a payload: one of the
 * executor's next turns takes it. The events of one thread come in their order.
 * The host is told once a burst. A post keeps no loop running: a loop that has
 * nothing else to do may end before the event comes.
 *
 * Threads: any; in signal handlers if the payload is of PILLION_INLINE bytes
 *   at most and the executor was made with `posts`.
 * Reentrancy: anywhere.
 * Ownership: the payload is copied before the call returns.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EAGAIN (`posts` wait already),
 *   PILLION_EMSGSIZE (more than max_request), PILLION_ECLOSED, PILLION_ENOMEM
 *   or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_executor_post(pillion_executor executor, uint64_t token,
                          const void *payload, size_t length);

#define PILLION_LOG_ROOM (1u << 18)
#define PILLION_LOG_NONE INT32_MAX

/*
 * pillion_log_take takes the lines of the log that wait: what Go functions log
 * through executor/hostlog, and the library's warnings, also those of before.
 * It makes `executor` the listener, of which there is one: the next line sends
 * it a posted event with `token`, once, and then another take is due. With
 * `executor` 0 there is no listener any more.
 *
 * A line is an object of JSON: `time` in nanoseconds since 1970, `level`,
 * `msg`, and perhaps `source` (function, file, line) and `extra`, the
 * attributes. The levels are slog's: DEBUG -4, INFO 0, WARN 4, ERROR 8. Go
 * sends those from `level` on. No logger ever waits: lines for which there is
 * no room are lost, and a line in their place counts them.
 *
 * Without a listener, or once its executor is closed, Go functions log as they
 * do without a host. If `posts` events wait on the executor already, the event
 * comes with a later line.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the lines are copied to `out`, which has PILLION_LOG_ROOM bytes.
 * Returns: how many bytes there are, PILLION_EBUSY (another executor listens),
 *   PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_log_take(void *out, size_t cap, pillion_executor executor,
                     uint64_t token, int level);

/*
 * pillion_executor_bind makes the calling thread the owner of an executor
 * that has none. To its owner it answers 0, too.
 *
 * Threads: any.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD (another owns it) or
 *   PILLION_EREENTRANT.
 * Since: 0.1
 */
int pillion_executor_bind(pillion_executor executor);

/*
 * pillion_executor_release lets the executor go, so that another thread may
 * bind it.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EREENTRANT or
 *   PILLION_EBUSY (Go coroutines are alive on it; they cannot move).
 * Since: 0.1
 */
int pillion_executor_release(pillion_executor executor);

/*
 * pillion_executor_close lets nothing begin any more: spawns and calls are
 * refused with PILLION_ECLOSED. Further turns drain or cancel what lives, as
 * `mode` says; progress.live tells when that is over. A second close may turn a
 * drain into a cancel.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the executor stays the caller's.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_executor_close(pillion_executor executor, int mode);

/*
 * pillion_executor_free reclaims an executor at any time: C tasks are
 * dropped, calls in flight are cancelled and their results thrown away,
 * payloads are released, watches are closed. Unwatch the descriptor before.
 * The loop may be gone already.
 *
 * Threads: the owner's; any other while no task lives on it and no watch is
 *   open, or once the owner's thread has ended.
 * Reentrancy: not inside a turn.
 * Ownership: the handle is stale afterwards.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD or
 *   PILLION_EREENTRANT.
 * Since: 0.1
 */
int pillion_executor_free(pillion_executor executor);

/*
 * pillion_executor_stats are counts since the executor was made.
 */
typedef struct pillion_executor_stats {
  size_t size;
  uint64_t turns;       /* that found work */
  uint64_t polls;       /* of C futures */
  uint64_t wakes;       /* posts that reached the inbox */
  uint64_t pokes;       /* times the host was told of work */
  uint64_t poke_errors; /* times that telling failed */
  uint64_t spawned;     /* C tasks */
  uint64_t dropped;     /* C tasks */
  uint64_t calls;       /* submitted */
  uint64_t events;      /* taken */
  uint64_t go_entries;  /* times turn, take, submit or cancel entered Go */
} pillion_executor_stats;

#define PILLION_EXECUTOR_STATS_INIT \
  {sizeof(pillion_executor_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/*
 * pillion_executor_stat fills *out, as far as out->size goes.
 *
 * Threads: the owner's for exact figures; any for approximate ones.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_executor_stat(pillion_executor_stats *out,
                          pillion_executor executor);

#ifdef __cplusplus
}
#endif

#endif
