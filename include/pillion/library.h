/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_LIBRARY_H
#define PILLION_INCLUDE_LIBRARY_H

/*
 * The library: how it starts and ends, its log, and counts of what is alive.
 */

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

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
 * pillion_start_options configure the library; zero, or NULL, is always a good
 * value.
 *
 * max_workers: as many calls of functions that may block run at once, and Go
 *   functions may offload as many again. Further calls wait in their order,
 *   and a cancel or a deadline ends them there. A call
 *   that blocks in the system takes a thread, and Go ends the process when it
 *   gets none. So the default is half of the threads that the limits of user,
 *   cgroup and system leave to the process when it starts, and 8,192 at most. A
 *   call that waits for another call keeps its worker: if all do that, none
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
  {sizeof(pillion_start_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL}

/*
 * pillion_start sets the library up: it compares versions, makes the submission
 * ring, waits for Go's own start (a few milliseconds after the load) and
 * registers the Go functions. A program need not call it: functions that need
 * the library started start it with the defaults. Once it has started, later
 * calls compare the version and change nothing. After a shutdown only
 * pillion_start starts it again. A call that fails has changed nothing, and may
 * be repeated. `options` may be NULL; a reason goes to `errbuf`, which may be
 * NULL.
 *
 * Threads: any; it may wait for Go, so call it before the loop runs.
 * Reentrancy: not inside a turn.
 * Ownership: *options is copied; the allocator's data must outlive the process.
 * Returns: 0, PILLION_EVERSION, PILLION_EINVAL (also: a Go function was
 *   registered by a bad name or twice; errbuf names it), PILLION_ENOTSUP (see
 *   SIZES in pillion.h), PILLION_EMSGSIZE (max_request), PILLION_ENOMEM,
 *   PILLION_ESYSTEM (the system gives no descriptor, epoll set or thread;
 *   errbuf says which) or PILLION_EREENTRANT.
 * Since: 0.1
 */
int pillion_start(const pillion_start_options *options, char *errbuf,
                  size_t errcap);

#define PILLION_CLOSE_DRAIN 0  /* let what runs come to its end */
#define PILLION_CLOSE_CANCEL 1 /* ask all that runs to stop */

/*
 * pillion_shutdown ends Go's calls and workers. From now on calls are refused
 * with PILLION_ECLOSED. Those in flight are drained or cancelled, as `mode`
 * says, and when none runs any more all objects are dropped, and Go's workers
 * end. Results can still be taken, and executors and their C tasks go on. It
 * waits for `timeout` ns at most (PILLION_TIME_NEVER: without a limit).
 * pillion_start starts the library again, also after PILLION_ETIMEDOUT. Nothing
 * is unloaded, since Go cannot be.
 *
 * Threads: any, except one that a call in flight waits for.
 * Reentrancy: not inside a turn.
 * Ownership: none.
 * Returns: 0, PILLION_ETIMEDOUT (some calls still run, or some objects
 *   are closed; call again),
 *   PILLION_EREENTRANT or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_shutdown(int mode, int64_t timeout);

#define PILLION_LOG_WARNING 1

typedef void (*pillion_drop_fn)(void *data);
typedef void (*pillion_log_fn)(int level, const char *text, void *data);

/*
 * pillion_log_set sets the function that gets the library's warnings, which
 * never go to stderr. pillion_log_take has them, too, without a function. When
 * another is set (NULL: none), `drop` (may be NULL) is called once, after the
 * last call of `fn`.
 *
 * Threads: any; `fn` is called on any thread, also on several at once.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: `data` is the library's until `drop` was called.
 * Returns: 0 or PILLION_ENOMEM.
 * Since: 0.1
 */
int pillion_log_set(pillion_log_fn fn, void *data, pillion_drop_fn drop);

/*
 * pillion_library_counts counts what is alive. When a program has freed all
 * that it made, all are zero except `workers`, `parked`, `threads` and
 * `max_workers`.
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
  uint64_t providers;
  uint64_t inbound; /* calls of the host's functions that Go has not finished */
  uint64_t objects; /* of Go's that are not dropped, or that Go still closes */
} pillion_library_counts;

#define PILLION_LIBRARY_COUNTS_INIT \
  {sizeof(pillion_library_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

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

#ifdef __cplusplus
}
#endif

#endif
