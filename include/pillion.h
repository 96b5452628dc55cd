/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_H
#define PILLION_H

/*
 * Pillion: an async executor that rides on somebody else's event loop.
 *
 * This header is the manual. Read it in this order: Start, Executors,
 * Functions and calls, Tasks, Wakers. pillion/future.h has futures, values
 * and the waker contract, pillion/time.h what waits for times, pillion/watch.h
 * descriptors, pillion/scope.h child tasks, pillion/pool.h tasks that move
 * between threads; pillion/uv.h and pillion/poll.h put an executor on a loop.
 *
 * THE SHORTEST PROGRAM. No loop at all:
 *
 *     pillion_function f;
 *     pillion_value v;
 *     pillion_function_find(&f, "hello.greet");
 *     pillion_call_wait(&v, f, "you", 3, PILLION_TIME_NEVER);
 *     fwrite(pillion_value_data(&v), 1, v.length, stdout);
 *     pillion_value_drop(&v);
 *
 * BUILDING. cc app.c $(pkg-config --cflags --libs pillion), with -luv for
 * pillion/uv.h; or cc -Iinclude app.c libfoo.so for a library of your own,
 * which Go 1.26 or later makes:
 *
 *     go run github.com/pillion-dev/pillion/capi/build -o libfoo.so ./pkg
 *
 * ANY LOOP. An executor is a descriptor and a deadline:
 *
 *     wait until pillion_executor_fd is readable or the deadline has come;
 *     n = pillion_executor_turn(events, cap, &progress, ex, NULL);
 *     handle the n events; the new deadline is progress.deadline; repeat.
 *
 * THREADS. "Any" means any thread at any time. "The owner's" means the one
 * thread that an executor belongs to: the first to spawn on it, turn it or
 * bind it. Another one gets PILLION_EWRONGTHREAD.
 *
 * REENTRANCY. "Anywhere" includes polls, drops, event handlers and hooks.
 * What must not be called inside a turn answers PILLION_EREENTRANT.
 *
 * FORK. In a forked child every function but pillion_version and
 * pillion_strerror answers PILLION_EFORKED and touches nothing of the
 * parent's. Fork before the library is loaded, or exec.
 *
 * SIGNALS. The library's threads take none of the program's signals, and a
 * thread of the program's that is inside Go, in a turn with Go tasks to poll,
 * holds them back until it has left it: handlers need no SA_ONSTACK, and hooks
 * that Go calls run with signals blocked. Such a thread is given a signal
 * stack of 512 KiB, unless it has one. Handlers for SIGSEGV, SIGBUS, SIGFPE,
 * SIGPIPE and SIGURG have to be there before the library.
 *
 * WHAT GO IMPOSES. Loading starts 5 to 6 threads, reserves up to 1.6 GB of
 * address space (0.75 GB at least) and never unloads. A thread that makes turns needs a stack of 64 KiB.
 * Without memory for its own needs Go ends the process. Linux with glibc; not
 * musl, not dlclose. A stock Go library that is loaded after this one keeps
 * goroutines here from being interrupted.
 *
 * SIZES AND UNITS. Time is int64_t nanoseconds of CLOCK_MONOTONIC, absolute,
 * where not called a timeout. Lengths are bytes. Structs that begin with
 * `size` are made with their PILLION_…_INIT and grow at the end only.
 * A payload has at most PILLION_MAX_PAYLOAD bytes. A longer request or post is
 * refused with PILLION_EMSGSIZE; a longer result, of a Go function or a C
 * future, is thrown away, and PILLION_EMSGSIZE is the status of what gave it.
 */

#include <stddef.h>
#include <stdint.h>

#include "pillion/future.h"
#include "pillion/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors ------------------------------------------------------------ */

#define PILLION_OK 0
#define PILLION_EINVAL (-1)       /* an argument that can never be right */
#define PILLION_ENOMEM (-2)       /* no memory; nothing was changed */
#define PILLION_EBADHANDLE (-3)   /* zero, stale, forged or wrong kind */
#define PILLION_EWRONGTHREAD (-4) /* the executor belongs to another thread */
#define PILLION_EREENTRANT (-5)   /* not inside a turn */
#define PILLION_EFORKED (-6)      /* this is a forked child */
#define PILLION_EAGAIN (-7)       /* over a quota; retrying later helps */
#define PILLION_EMSGSIZE (-8)     /* larger than it can ever be */
#define PILLION_EBUSY (-9)        /* in use by another */
#define PILLION_ECLOSED (-10)     /* the executor or the library is closing */
#define PILLION_ECANCELLED (-11)  /* the task was cancelled */
#define PILLION_EPANIC (-12)      /* the Go function panicked */
#define PILLION_EFAILED (-13)     /* the Go function returned an error */
#define PILLION_ENOTFOUND (-14)   /* no such function */
#define PILLION_EVERSION (-15)    /* header and library do not fit */
#define PILLION_ETIMEDOUT (-16)   /* the time is up */
#define PILLION_EINTR (-17)       /* a signal handler ran */
#define PILLION_ESYSTEM (-18)     /* the system refused; see errbuf */
#define PILLION_EGOEXIT (-19)     /* the Go function called runtime.Goexit */
#define PILLION_ENOTSUP (-20)     /* the host cannot do it */

/*
 * pillion_strerror says in English what a code means.
 *
 * Threads: any.
 * Reentrancy: anywhere, also in a forked child.
 * Ownership: the text is static.
 * Returns: a NUL-terminated text, never NULL.
 * Since: 0.1
 */
const char *pillion_strerror(int code);

/* ---- Start and shutdown ------------------------------------------------- */

/*
 * pillion_version tells the library's own version, as
 * PILLION_VERSION_NUMBER tells the header's.
 *
 * Threads: any.
 * Reentrancy: anywhere, also in a forked child.
 * Ownership: none.
 * Returns: major << 16 | minor << 8 | patch.
 * Since: 0.1
 */
int pillion_version(void);

/*
 * pillion_allocator replaces malloc for all that the C side keeps: chunks,
 * rings, requests and results. `alloc` answers NULL when there is no memory.
 * Both are called on any thread, never under a lock of Pillion's.
 */
typedef struct pillion_allocator {
  void *(*alloc)(size_t bytes, void *data);
  void (*free)(void *memory, void *data);
  void *data;
} pillion_allocator;

#define PILLION_MAX_PAYLOAD UINT32_MAX /* just below 4 GiB */

/*
 * pillion_start_options are what the library is made of; zero, or NULL, is
 * always a good value.
 *
 * max_workers: so many calls of functions that may block run at once, and as
 *   many things that Go functions offload themselves. More wait, in their
 *   order, and a cancel or a deadline ends them there. Each that blocks in the
 *   system has a thread, and Go ends the process when it can't have one. So
 *   the default is half of the threads that the limits of user, cgroup and
 *   system leave to the process when it starts, 8,192 at the most. A call that
 *   waits for another keeps its worker meanwhile: when all of them do, none
 *   goes on before its deadline.
 */
typedef struct pillion_start_options {
  size_t size;
  int version;          /* PILLION_VERSION_NUMBER of the program's header */
  uint32_t ring;        /* submissions waiting for Go, a power of two;
                           0: 16384 */
  uint32_t max_calls;   /* calls in flight in the process; 0: 1 << 20 */
  uint32_t max_workers; /* blocking calls at once; 0: see above */
  uint64_t max_request; /* bytes of one request or post, up to
                           PILLION_MAX_PAYLOAD; 0: 1 GiB */
  const pillion_allocator *allocator; /* NULL: malloc and free */
} pillion_start_options;

#define PILLION_START_OPTIONS_INIT \
  { sizeof(pillion_start_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL }

/*
 * pillion_start sets the library up: it compares versions, makes the
 * submission ring, waits for Go's own start (a few milliseconds after the
 * load) and registers the Go functions. Calling it is optional: what needs it
 * calls it with the defaults. Once started, later calls compare the version
 * and change nothing. After a shutdown it starts again, and nothing else
 * does. One that fails has changed nothing, and can be tried again. `options`
 * may be NULL; a reason goes to `errbuf`, which may be NULL.
 *
 * Threads: any; it may wait for Go, so call it before the loop runs.
 * Reentrancy: not inside a turn.
 * Ownership: *options is copied; the allocator's data must outlive the process.
 * Returns: 0, PILLION_EVERSION, PILLION_EINVAL (also: a Go function was
 *   registered by a bad name or twice; errbuf names it), PILLION_EMSGSIZE
 *   (max_request), PILLION_ENOMEM, PILLION_ESYSTEM (no descriptors, epoll or
 *   threads to be had; errbuf says which) or PILLION_EREENTRANT.
 * Since: 0.1
 */
int pillion_start(const pillion_start_options *options, char *errbuf,
                  size_t errcap);

#define PILLION_CLOSE_DRAIN 0  /* let what runs come to its end */
#define PILLION_CLOSE_CANCEL 1 /* ask all that runs to stop */

/*
 * pillion_shutdown ends the library's work in order: from now on calls are
 * refused with PILLION_ECLOSED; those in flight are drained or cancelled, as
 * `mode` says; when none runs, Go's workers and the dispatcher end. Results
 * stay to be taken, and executors and their C tasks go on. It waits for
 * `timeout` ns at most (PILLION_TIME_NEVER: for ever). pillion_start starts
 * again, also when the time was up. Nothing is unloaded: Go cannot be.
 *
 * Threads: any but one that a call in flight needs.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_ETIMEDOUT (some calls still run; call again),
 *   PILLION_EREENTRANT or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_shutdown(int mode, int64_t timeout);

#define PILLION_LOG_WARNING 1

typedef void (*pillion_drop_fn)(void *data);
typedef void (*pillion_log_fn)(int level, const char *text, void *data);

/*
 * pillion_log_set registers who hears the library's warnings; without one
 * they are lost. The library never writes to stderr. `drop` (may be NULL) is
 * called once, after the last call of `fn`, when another is set (NULL: none).
 *
 * Threads: any; `fn` is called on any thread, also on several at once.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: `data` is the library's until `drop` was called.
 * Returns: 0 or PILLION_ENOMEM.
 * Since: 0.1
 */
int pillion_log_set(pillion_log_fn fn, void *data, pillion_drop_fn drop);

/*
 * pillion_library_counts are the library's live things. When a program has
 * freed all that it made, every one is zero but `workers`, `parked`, `threads`
 * and `max_workers`.
 */
typedef struct pillion_library_counts {
  size_t size;
  uint64_t executors;
  uint64_t tasks;    /* C tasks that live or wait to be taken; calls on pools */
  uint64_t calls;    /* calls in flight or waiting to be taken */
  uint64_t payloads; /* requests and results in memory of their own */
  uint64_t workers;  /* of Go and of pools: they wait for work or do it */
  uint64_t parked;   /* goroutines lost to runtime.Goexit */
  uint64_t watches;  /* descriptors that are watched */
  uint64_t pools;    /* alive, or with events that wait to be taken */
  uint64_t threads;  /* of Go and of pools; Go keeps some that are idle */
  uint64_t max_workers; /* blocking calls that run at once; 0: not started */
} pillion_library_counts;

#define PILLION_LIBRARY_COUNTS_INIT \
  { sizeof(pillion_library_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * pillion_library_count fills *out, as far as out->size goes.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0 or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_library_count(pillion_library_counts *out);

/* ---- Executors ---------------------------------------------------------- */

typedef uint64_t pillion_executor;

/*
 * pillion_context_hooks carry something of the embedder's with each task: a
 * trace id, a Python or JavaScript context, a GMainContext.
 *
 * capture: called when a task is spawned or a loop function called, on the
 *   thread that does it. What it answers is the new task's token; NULL is
 *   none, and then nothing else is called for it.
 * enter, leave: called in pairs around each poll and drop of a task with a
 *   token, C's or Go's. What a task spawns is captured between them, so that
 *   it can inherit.
 * release: called once for each token, when its task was dropped. May be NULL.
 *
 * All but capture run on the owner's thread (release of a call that was
 * cancelled before it began: on the one that cancelled; for a pool's task on
 * that of any of its workers, and several at once), and none may turn an
 * executor, or free the one of the task or call that it is called for.
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
  { sizeof(pillion_context_hooks), NULL, NULL, NULL, NULL, NULL }

/*
 * pillion_executor_options are what an executor is made of; zero, or NULL, is
 * always a good value. They do not change afterwards.
 *
 * ready: so many tasks find their cells and a place in the ready ring from
 *   the start, so that to spawn them allocates nothing. With more of them
 *   alive, a spawn makes room for 1,024 more cells or for twice as many places
 *   once in a while.
 * max_polls, max_ns: the budget of turns whose own does not say.
 * seed: if it is not 0, a turn polls its tasks in a pseudo-random order that
 *   follows from it, in place of first in, first out. The same seed and the
 *   same events give the same order: so a test can try many orders, and repeat
 *   the one that failed.
 * clock: what time it is, in nanoseconds, in place of CLOCK_MONOTONIC: for the
 *   context's `now`, timers, deadlines and budgets. It is called on the owner's
 *   thread, in turns, and must neither block nor call the library; what is
 *   negative counts as 0. A host that sleeps until the deadline must know that
 *   clock. pillion_call_wait and pillion_task_wait do not use it.
 * context_hooks: what every task carries; see above.
 * posts: so many posted events may wait to be taken, a power of two up to
 *   1 << 24. The memory for them is taken at once, or, for 1024 if it is 0, by
 *   the first post.
 * gather: so many nanoseconds the end of a call, or of a pool's task, may wait
 *   for others before the host is told of them, all at once. A host that has
 *   many in flight is woken less often by far. None waits once half of those in
 *   flight have ended, so the only one never does (a result that is not yet
 *   joined counts as in flight); nor does anything else that wakes the host.
 *   The executor has three descriptors in place of one then.
 *   With a wake hook nothing waits.
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

#define PILLION_NO_FD 1u /* make no descriptor: a wake hook will be set */

#define PILLION_EXECUTOR_OPTIONS_INIT                                      \
  {                                                                        \
    sizeof(pillion_executor_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, NULL, NULL, NULL, 0, 0                                 \
  }

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
 * something to do. Watch it for reading, level-triggered: it is an eventfd,
 * or an epoll set of two descriptors for an executor that gathers. The library
 * alone reads it, writes it and closes it. Like all of the library's it
 * is above 0, 1 and 2, also where those are closed.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the library's, until pillion_executor_free. Unwatch it before.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL (made with PILLION_NO_FD).
 * Since: 0.1
 */
int pillion_executor_fd(int *out, pillion_executor executor);

/*
 * pillion_executor_deadline tells when a turn is due although the descriptor
 * is quiet: the earliest timer, in the past if it is overdue, or
 * PILLION_TIME_NEVER. It changes in turns, which report it too, and by
 * pillion_task_deadline, which then asks for one.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_executor_deadline(int64_t *out, pillion_executor executor);

#define PILLION_OUTCOME_RETURNED 0          /* with a value or an error */
#define PILLION_OUTCOME_CANCELLED_UNSTARTED 1 /* before its first step */
#define PILLION_OUTCOME_CANCELLED_RUNNING 2

#define PILLION_EVENT_POSTED 1u /* in event.flags; task and status are zero */

/*
 * pillion_event tells that a task or call has ended, or brings what was posted
 * (pillion_executor_post): 64 bytes, frozen. A length of up to PILLION_INLINE
 * bytes is in payload.bytes, a longer one where payload.data points. If status is PILLION_EFAILED, PILLION_EPANIC or
 * PILLION_EGOEXIT, the payload is a failure: see pillion_failure.
 */
typedef struct pillion_event {
  uint64_t token;    /* as given at the start */
  pillion_task task; /* stale by now, for comparison */
  int32_t status;    /* 0 or a negative PILLION_E… */
  uint16_t outcome;  /* PILLION_OUTCOME_… */
  uint16_t flags;    /* PILLION_EVENT_POSTED, or 0 */
  uint64_t length;
  union {
    uint8_t bytes[PILLION_INLINE];
    const void *data;
  } payload;
  uint64_t reserved;
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
  return event->length > PILLION_INLINE
             ? event->payload.data
             : (const void *)event->payload.bytes;
}

typedef struct pillion_budget {
  size_t size;
  uint32_t max_polls; /* 0: as the executor's options say */
  uint32_t reserved;  /* zero */
  int64_t max_ns;     /* 0: likewise; looked at every 64 polls */
} pillion_budget;

#define PILLION_BUDGET_INIT \
  { sizeof(pillion_budget), 0, 0, 0 }

typedef struct pillion_progress {
  size_t size;
  uint32_t polled;  /* tasks polled in this turn, C's and Go's */
  uint32_t more;    /* 1: call again soon; the descriptor says so too */
  int64_t deadline; /* as pillion_executor_deadline */
  uint64_t live;    /* tasks and calls that have not ended or not been taken */
} pillion_progress;

#define PILLION_PROGRESS_INIT \
  { sizeof(pillion_progress), 0, 0, 0, 0 }

/*
 * pillion_executor_turn does one round of work: it fires timers that are due,
 * polls a snapshot of the ready tasks within the budget, and takes up to
 * `cap` completion events in the order in which they came. Go is entered
 * once at most, and only if a Go task on this executor is ready. `events` may
 * be NULL if `cap` is 0; `progress` and `budget` may be NULL.
 *
 * Threads: the owner's; the first turn binds the executor to its thread.
 * Reentrancy: not inside a turn (PILLION_EREENTRANT).
 * Ownership: payloads stay valid until the next turn of this executor or
 *   until it is freed.
 * Returns: the number of events, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD,
 *   PILLION_EREENTRANT or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_executor_turn(pillion_event *events, size_t cap,
                          pillion_progress *progress,
                          pillion_executor executor,
                          const pillion_budget *budget);

/*
 * pillion_executor_post sends an event to whoever takes the executor's: with
 * `token` and a payload, of PILLION_INLINE bytes or in memory of its own. The
 * events of one thread come in their order. The host is told once a burst.
 * A post makes no executor live: a loop that has nothing else to do ends
 * without it.
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

/*
 * pillion_host are a host's hooks, each of which may be NULL.
 *
 * wake: called on any thread, in any signal handler, once a burst, when an
 *   idle executor got work (by a thread that was preempted also late, for a
 *   turn that finds nothing); it must not block, lock or run foreign code, and
 *   answers 0 or PILLION_ECLOSED. It takes the place of the descriptor.
 * timer: called on the owner's thread at the end of a turn in which the
 *   deadline changed.
 * live: called on the owner's thread when the first task or call begins to
 *   live (1) and when the last was taken (0).
 * drop: called once, after the last call of any other.
 * watch: called on the owner's thread to say which `events` of `fd` (see
 *   pillion/watch.h) to report to pillion_executor_ready, together with
 *   `key`. The first call for a key registers the descriptor, later ones
 *   change what is asked for; 0 is to keep it, and report nothing, not even
 *   hang-ups. It answers 0, PILLION_ENOTSUP (not such a descriptor) or
 *   another error, and is not told then. It may be called in a turn.
 * unwatch: called on the owner's thread, before the descriptor is closed, to
 *   let go of it. It comes with watch, or not at all.
 */
typedef struct pillion_host {
  size_t size;
  void *data;
  int (*wake)(void *data);
  void (*timer)(int64_t deadline, void *data);
  void (*live)(int live, void *data);
  void (*drop)(void *data);
  int (*watch)(int fd, uint32_t events, uint64_t key, void *data);
  void (*unwatch)(int fd, uint64_t key, void *data);
} pillion_host;

#define PILLION_HOST_INIT \
  { sizeof(pillion_host), NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/*
 * pillion_host_set sets the hooks, in place of earlier ones, whose drop
 * is called; NULL removes them. Descriptors that are watched move to the new
 * host; without one their tasks wait for the next.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: *host is copied; its data is the library's until drop.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL, PILLION_EWRONGTHREAD,
 *   PILLION_EREENTRANT or PILLION_ENOMEM (the earlier hooks stay; never for
 *   NULL).
 * Since: 0.1
 */
int pillion_host_set(pillion_executor executor, const pillion_host *host);

/*
 * pillion_host_get tells the hooks in force; all are NULL if none were
 * set. An adapter learns from it whether the executor is still its own.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: out->data stays the library's.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_host_get(pillion_host *out, pillion_executor executor);

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
 * pillion_executor_close stops the intake: spawns and calls are refused with
 * PILLION_ECLOSED. What lives is drained or cancelled, as `mode` says, by
 * further turns; progress.live tells when it is over. A second close may turn
 * a drain into a cancel.
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
 * The loop may be gone.
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
  uint64_t turns;
  uint64_t polls;      /* of C futures */
  uint64_t wakes;      /* posts that reached the inbox */
  uint64_t pokes;      /* times the host was told */
  uint64_t poke_errors; /* times that telling failed */
  uint64_t spawned;    /* C tasks */
  uint64_t dropped;    /* C tasks */
  uint64_t calls;      /* submitted */
  uint64_t events;     /* taken */
  uint64_t go_entries; /* times turn, take, submit or cancel entered Go */
} pillion_executor_stats;

#define PILLION_EXECUTOR_STATS_INIT \
  { sizeof(pillion_executor_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

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

/* ---- Functions and calls ------------------------------------------------ */

typedef uint64_t pillion_function;

#define PILLION_KIND_OFFLOAD 0 /* blocking Go in a goroutine of its own */
#define PILLION_KIND_CPU 1     /* as offload, bounded to the cores */
#define PILLION_KIND_LOOP 2    /* a coroutine, run in the turns */
#define PILLION_KIND_ASYNC 3   /* a future, polled in the turns */

/*
 * pillion_function_info describes a Go function. All texts are static and
 * NUL-terminated. `descriptor` is JSON: {"name", "module", "kind", "codec",
 * "request", "response", "doc"}.
 */
typedef struct pillion_function_info {
  size_t size;
  const char *name;   /* "module.function" */
  const char *module; /* "module" */
  const char *descriptor;
  uint32_t kind; /* PILLION_KIND_… */
  uint32_t reserved;
} pillion_function_info;

#define PILLION_FUNCTION_INFO_INIT \
  { sizeof(pillion_function_info), NULL, NULL, NULL, 0, 0 }

/*
 * pillion_function_find looks up a function by its full name.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: handles of functions live as long as the process.
 * Returns: 0, PILLION_ENOTFOUND, PILLION_EINVAL, or as pillion_start.
 * Since: 0.1
 */
int pillion_function_find(pillion_function *out, const char *name);

/*
 * pillion_function_list writes the handles of up to `cap` functions, in the
 * order of their names. `out` may be NULL if `cap` is 0.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: handles of functions live as long as the process.
 * Returns: how many functions there are, or as pillion_start.
 * Since: 0.1
 */
int pillion_function_list(pillion_function *out, size_t cap);

/*
 * pillion_function_describe fills *out, as far as out->size goes.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the texts are static.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_function_describe(pillion_function_info *out,
                              pillion_function function);

/*
 * pillion_module_list writes the names of up to `cap` modules, sorted.
 * `out` may be NULL if `cap` is 0.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: the texts are static.
 * Returns: how many modules there are, or as pillion_start.
 * Since: 0.1
 */
int pillion_module_list(const char **out, size_t cap);

#define PILLION_EVENT 0u  /* the result comes as an event, with the token */
#define PILLION_JOIN 1u   /* it goes to the poll that joins the task */
#define PILLION_DETACH 2u /* it is thrown away */

/*
 * pillion_call_submit asks Go to run `function` and returns at once. The loop
 * does not wait for Go. `executor` 0 makes a call for pillion_task_wait, and
 * with PILLION_JOIN also for pillion_join by a task of any executor or pool.
 * `out` may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the request is copied before the call returns.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EAGAIN (too many in flight),
 *   PILLION_EMSGSIZE (more than max_request), PILLION_ENOMEM, PILLION_ECLOSED
 *   or PILLION_EINVAL (a loop or async function without an executor, unknown flags).
 * Since: 0.1
 */
int pillion_call_submit(pillion_task *out, pillion_executor executor,
                        pillion_function function, const void *request,
                        size_t length, uint64_t token, uint32_t flags);

typedef uint64_t pillion_pool; /* see pillion/pool.h */

/*
 * pillion_call_options are what a call is made of.
 *
 * pool: where the function runs, instead of in the executor's turns: on the
 *   workers of a pool, which it moves between. It is for loop and async
 *   functions (a coroutine stays with the worker that began it). The call
 *   counts among the pool's tasks, too, until it has ended, and is cancelled with
 *   them; its result goes where it always goes: to the executor, or to
 *   pillion_task_wait if that is 0. It carries no context token, neither the
 *   executor's nor the pool's. PILLION_ECLOSED is returned if the pool was
 *   closed, PILLION_EAGAIN if it is full, PILLION_EBADHANDLE if it is gone,
 *   PILLION_EINVAL for functions of other kinds.
 * deadline: when the function's context shall end, absolute, whether or not
 *   the loop turns; Go sees it as the context's Deadline. The call then ends
 *   with PILLION_ETIMEDOUT, unless it returns something else than the context's
 *   error. If it is over before a goroutine is there to run it, it never starts
 *   (pillion_task_deadline ends it without waiting for one). It is a time of the
 *   executor's clock for loop and async functions, of its workers' on a pool,
 *   and always of CLOCK_MONOTONIC for others.
 */
typedef struct pillion_call_options {
  size_t size;
  pillion_function function;
  const void *request;
  size_t length;
  uint64_t token;
  uint32_t flags;    /* PILLION_EVENT, PILLION_JOIN or PILLION_DETACH */
  uint32_t reserved; /* zero */
  int64_t deadline;  /* PILLION_TIME_NEVER: none */
  pillion_pool pool; /* 0: none */
} pillion_call_options;

#define PILLION_CALL_OPTIONS_INIT \
  { sizeof(pillion_call_options), 0, NULL, 0, 0, 0, 0, PILLION_TIME_NEVER, 0 }

/*
 * pillion_call_submit_with is pillion_call_submit with all that there is to
 * say about a call.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: *options and the request are copied before the call returns.
 * Returns: as pillion_call_submit.
 * Since: 0.1
 */
int pillion_call_submit_with(pillion_task *out, pillion_executor executor,
                             const pillion_call_options *options);

/*
 * pillion_call is one call of a batch: 32 bytes, frozen. `request` is an
 * address, or an offset if the batch has a base.
 */
typedef struct pillion_call {
  pillion_function function;
  uint64_t token;
  uint64_t request;
  uint64_t length;
} pillion_call;

/*
 * pillion_call_batch submits `count` calls at once, in order, with one poke
 * of Go at most. Requests are at their own addresses if `base` is NULL, else
 * `calls[i].request` bytes behind it. Task handles go to out[0 … count - 1];
 * `out` may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: calls and requests are copied before the call returns.
 * Returns: how many were submitted; fewer than `count` means that the next
 *   one was refused: submit the rest again to learn why. If that was the
 *   first, the error is returned, as for pillion_call_submit.
 * Since: 0.1
 */
int pillion_call_batch(pillion_task *out, pillion_executor executor,
                       const pillion_call *calls, size_t count,
                       const void *base, uint32_t flags);

/*
 * pillion_call_wait runs `function` and waits for its result: a blocking
 * call, for threads that have no loop. When `timeout` ns have passed the call
 * is cancelled and its result thrown away.
 *
 * Threads: any; never a loop's, which it would stop.
 * Reentrancy: not inside a turn.
 * Ownership: *out is the caller's, to be released with pillion_value_drop.
 * Returns: 0 with the result in *out (out->status tells how the function
 *   ended; a failure's payload is described at pillion_failure),
 *   PILLION_ETIMEDOUT, PILLION_EREENTRANT, or as pillion_call_submit.
 * Since: 0.1
 */
int pillion_call_wait(pillion_value *out, pillion_function function,
                      const void *request, size_t length, int64_t timeout);

/*
 * pillion_failure is what a failed call's payload says. `code` is the
 * author's own, 0 if he gave none. Message and stack are not NUL-terminated
 * and may contain NUL bytes; the stack is empty unless it was a panic. The
 * payload is int32_t code, uint32_t message length, message, uint32_t stack
 * length, stack, all in the machine's byte order and unaligned.
 */
typedef struct pillion_failure {
  size_t size;
  int32_t code;
  uint32_t message_length;
  const char *message;
  const char *stack;
  uint64_t stack_length;
} pillion_failure;

#define PILLION_FAILURE_INIT \
  { sizeof(pillion_failure), 0, 0, NULL, NULL, 0 }

/*
 * pillion_failure_parse reads a failure's payload.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: message and stack point into the payload.
 * Returns: 0 or PILLION_EINVAL (it is no failure).
 * Since: 0.1
 */
int pillion_failure_parse(pillion_failure *out, const void *payload,
                          size_t length);

/* ---- Tasks ---------------------------------------------------------------*/

/*
 * pillion_task_spawn starts a C future. Its storage, `self`, is the caller's:
 * a spawn allocates nothing once the executor has seen as many tasks before.
 * With PILLION_EVENT its end comes as an event with `token`, with
 * PILLION_JOIN it is kept for pillion_join, with PILLION_DETACH it is thrown
 * away. `out` may be NULL. The task is first polled in the next turn.
 *
 * Threads: the owner's; the first spawn binds the executor to its thread.
 * Reentrancy: anywhere.
 * Ownership: `self` is the future's until its drop was called; *future is
 *   static.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EAGAIN (over
 *   max_tasks), PILLION_ENOMEM, PILLION_ECLOSED or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_task_spawn(pillion_task *out, pillion_executor executor,
                       const pillion_future *future, void *self,
                       uint64_t token, uint32_t flags);

/*
 * pillion_task_cancel asks a task or call to stop. The answer is its end: a
 * C future is dropped at its next turn, a Go function's context is cancelled
 * and what it then returns decides the outcome. Its event or join still
 * comes, with an outcome that tells whether the cancel came in time.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: none.
 * Returns: 0, 1 (asked before), 2 (it has ended, and wasn't taken) or
 *   PILLION_EBADHANDLE. Of all who ask, on any threads, one gets 0.
 * Since: 0.1
 */
int pillion_task_cancel(pillion_task task);

/*
 * pillion_task_deadline cancels a task or call when the executor's clock shows
 * `at`, unless it has ended by then. It ends as if pillion_task_cancel had
 * asked, but with the status PILLION_ETIMEDOUT; a Go function's context is
 * cancelled with context.DeadlineExceeded. If several ask, the first counts.
 * `storage` is a timer like any other: zeroed at first, it has one deadline at
 * a time, another call moves it, and PILLION_TIME_NEVER or pillion_timer_clear
 * takes it back. It may lie in the task's own future, whose drop clears it.
 * (That of a pool's task only if the task itself arms it: for others it may be
 * gone at any time.)
 *
 * Threads: the owner's; for a pool's task any worker's, inside its turn.
 * Reentrancy: anywhere.
 * Ownership: the storage stays the caller's and must outlive its arming.
 * Returns: 0, 2 (it has ended), PILLION_EBADHANDLE, PILLION_EWRONGTHREAD,
 *   PILLION_EAGAIN (over max_timers) or PILLION_EINVAL (the storage is armed on
 *   another executor, or it is a pool's task or a call without an executor).
 * Since: 0.1
 */
int pillion_task_deadline(pillion_timer *storage, pillion_task task,
                          int64_t at);

/*
 * pillion_task_detach gives a result up: of a task or call started with
 * PILLION_JOIN, or of a call without an executor. It goes on; what it
 * returns is thrown away.
 *
 * Threads: the owner's; any for a pool's task, or a call without an executor.
 * Reentrancy: anywhere.
 * Ownership: the handle is the library's again.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EINVAL (it was
 *   started with other flags) or PILLION_EBUSY (a thread waits for it).
 * Since: 0.1
 */
int pillion_task_detach(pillion_task task);

/*
 * pillion_task_evict ends a C task at once: its future is dropped before the
 * call returns, for storage that must go now. Its event or join still comes.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere but in the task's own poll or drop
 *   (PILLION_EREENTRANT).
 * Ownership: `self` is the caller's again.
 * Returns: 0, 2 (it had ended), PILLION_EBADHANDLE (also for calls),
 *   PILLION_EWRONGTHREAD, PILLION_EREENTRANT or PILLION_EINVAL (a pool's task).
 * Since: 0.1
 */
int pillion_task_evict(pillion_task task);

/*
 * pillion_task_wait waits for a call that was submitted without an executor.
 * After PILLION_ETIMEDOUT or PILLION_EINTR it may be called again; who gives
 * up cancels and detaches the task.
 *
 * Threads: any; one at a time; never a loop's.
 * Reentrancy: not inside a turn.
 * Ownership: once it answered 0 the value is the caller's, to be released
 *   with pillion_value_drop, and `task` is gone.
 * Returns: 0 with *out, PILLION_ETIMEDOUT, PILLION_EINTR, PILLION_EBADHANDLE,
 *   PILLION_EBUSY (another waits, or a task joins it) or PILLION_EREENTRANT.
 * Since: 0.1
 */
int pillion_task_wait(pillion_value *out, pillion_task task, int64_t timeout);

/* ---- Wakers ---------------------------------------------------------------*/

#define PILLION_WOKEN 0     /* the task will be polled */
#define PILLION_COALESCED 1 /* it was going to be already */
#define PILLION_STALE 2     /* it has ended */

/*
 * pillion_wake says "poll that task again"; future.h has the contract.
 *
 * Threads: any, and any signal handler; errno is preserved.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: PILLION_WOKEN, PILLION_COALESCED, PILLION_STALE or
 *   PILLION_EBADHANDLE.
 * Since: 0.1
 */
int pillion_wake(pillion_waker waker);

/*
 * pillion_wake_local is pillion_wake for the owner's own thread: it uses no
 * locked instruction.
 *
 * Threads: the owner's, outside signal handlers.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: as pillion_wake, or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_wake_local(pillion_waker waker);

#ifdef __cplusplus
}
#endif

#include "pillion/pool.h"
#include "pillion/time.h"
#include "pillion/watch.h"

#endif
