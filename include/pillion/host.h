/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_HOST_H
#define PILLION_INCLUDE_HOST_H

/*
 * Hosts. A host is the loop that an executor is on, or its adapter: it makes
 * the executor's turns, and hears of it through hooks.
 */

#include "watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_host are a host's hooks, each of which may be NULL.
 *
 * wake: called when an idle executor has got work, once a burst, on any thread
 *   and in any signal handler. It must not block, lock or run foreign code, and
 *   answers 0 or PILLION_ECLOSED. It takes the place of the descriptor. A
 *   thread that was preempted may call it late; the turn then finds nothing to
 *   do.
 * timer: called on the owner's thread at the end of a turn in which the
 *   deadline changed.
 * live: called on the owner's thread when the first task or call begins to
 *   live (1) and when the last was taken (0).
 * drop: called once, after the last call of the other hooks: when other hooks
 *   are set, or when the executor is freed.
 * watch: called on the owner's thread to say which `events` of `fd` (see
 *   pillion/watch.h) to report to pillion_executor_ready, together with `key`.
 *   The first call for a key registers the descriptor, and later calls change
 *   the events. With no events the host keeps the descriptor and reports
 *   nothing, not even hang-ups. The hook answers 0, PILLION_ENOTSUP (the host
 *   cannot watch such a descriptor) or another error, which the task gets;
 *   unwatch is not called then. It may be called in a turn.
 * unwatch: called on the owner's thread, before the descriptor is closed: let
 *   go of it. A host has both watch and unwatch, or neither.
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
  {sizeof(pillion_host), NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/*
 * pillion_host_set sets the hooks and calls the drop of the earlier ones; NULL
 * only removes those. Descriptors that are watched move to the new host; while
 * there is none, the tasks that await them wait.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: *host is copied; its data is the library's until drop.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL, PILLION_ENOTSUP (see SIZES
 *   in pillion.h), PILLION_EWRONGTHREAD, PILLION_EREENTRANT or PILLION_ENOMEM
 *   (the earlier hooks stay; never for NULL).
 * Since: 0.1
 */
int pillion_host_set(pillion_executor executor, const pillion_host *host);

/*
 * pillion_host_get tells the hooks in force; all are NULL if none were set. An
 * adapter sees in them whether it is still the executor's host.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: out->data stays the library's.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL or PILLION_EWRONGTHREAD.
 * Since: 0.1
 */
int pillion_host_get(pillion_host *out, pillion_executor executor);

/*
 * pillion_host_epoll makes the library itself watch the descriptors that tasks
 * await, in an epoll(7) set: for loops that are reached without a compiler, and
 * for loops that find it easier to watch one descriptor than many. (A C program
 * with a set of its own has pillion/epoll.h.) *out is the set. Watch it for
 * reading, level-triggered, beside pillion_executor_fd, and make a turn when it
 * is readable. The executor's other hooks are removed, as by pillion_host_set.
 * If the set is there already, nothing changes.
 *
 * Threads: the owner's.
 * Reentrancy: not inside a turn.
 * Ownership: *out is the library's: it is closed when other hooks are set, and
 *   by pillion_executor_free. Unwatch it before.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL, PILLION_EWRONGTHREAD,
 *   PILLION_EREENTRANT, PILLION_ESYSTEM (no descriptor is left) or
 *   PILLION_ENOMEM (the earlier hooks stay).
 * Since: 0.1
 */
int pillion_host_epoll(int *out, pillion_executor executor);

/*
 * pillion_event_fn hears of each task and call that has ended, and of what was
 * posted. An adapter calls it on the loop's thread, outside turns, so it may
 * call everything but pillion_executor_turn. It may run the loop: then tasks,
 * calls and their events go on in there. `event` and what it points to are
 * valid during the call, unless the handler frees the executor or moves it to
 * another host.
 */
typedef void (*pillion_event_fn)(const pillion_event *event, void *data);

/*
 * pillion_attach_options say more of an attach.
 *
 * priority: of the sources on GLib and sd-event. 0 is what they call default.
 * on_event, data, drop: the handler of events, and what it is given. `drop`, if
 *   it is not NULL, is called once, when on_event has been called for the last
 *   time: after a detach, and also when the executor was freed or has another
 *   host.
 * library: NULL, or the file in which the loop's functions are, loaded by this
 *   process already: for a loop that lies in a library of another name, as
 *   uvloop's libuv does.
 */
typedef struct pillion_attach_options {
  size_t size;
  int version; /* PILLION_VERSION_NUMBER of the program's header */
  int32_t priority;
  pillion_event_fn on_event;
  void *data;
  pillion_drop_fn drop;
  const char *library;
} pillion_attach_options;

#define PILLION_ATTACH_OPTIONS_INIT \
  {sizeof(pillion_attach_options),  \
   PILLION_VERSION_NUMBER,          \
   0,                               \
   NULL,                            \
   NULL,                            \
   NULL,                            \
   NULL}

/*
 * pillion_executor_attach puts an executor on a loop that this process has, as
 * the header of the loop's adapter does in a program that is compiled with it:
 *
 *     pillion_executor_attach(ex, "glib", context, &options, errbuf, cap);
 *
 * name      loop is a         functions from      adapter
 * uv        uv_loop_t *       libuv 1.x           pillion/uv.h
 * glib      GMainContext *    GLib 2.36           pillion/glib.h
 * event     event_base *      libevent 2.1        pillion/event.h
 * ev        struct ev_loop *  libev 4             pillion/ev.h
 * sd-event  sd_event *        libsystemd 243      pillion/sdevent.h
 *
 * Only with "glib" may `loop` be NULL: it is the thread's default context then.
 * What the adapter's header says of the loop holds here, too. The library is
 * looked for in options->library if that is given, else among the process's
 * global symbols, else under its usual name. Nothing is loaded, and what was
 * found stays loaded. All executors of a process ride on the same copy.
 *
 * The executor leaves the loop by pillion_executor_detach, when it is freed, or
 * when another host takes its place. A turn that fails goes to the log as a
 * warning, and the loop makes no more.
 *
 * Threads: the loop's, which becomes the executor's owner. It is also the
 *   thread for freeing the executor: another cannot take it off the loop, and
 *   loses some memory.
 * Reentrancy: not inside a turn.
 * Ownership: *options and its texts are copied or read before the call returns.
 *   `data` is the library's until drop; if the call fails, it is the caller's.
 *   A program that closes libuv's handles itself, by uv_walk, loses some
 *   memory. uvloop's close takes all handles of its loop for its own, and
 *   crashes or hangs: detach before it.
 * Returns: 0, PILLION_ENOTFOUND (the process has no such loop: *errbuf names
 *   what was looked for), PILLION_EINVAL (no such name, or no loop),
 *   PILLION_ENOTSUP (a function of the loop's is missing, or its structs are
 *   not as expected; or see SIZES in pillion.h), PILLION_EVERSION,
 *   PILLION_EBUSY (the executor is on this loop already, or another copy of the
 *   library is in use), PILLION_ENOMEM, PILLION_EREENTRANT, or as the adapter's
 *   attach. *errbuf says why.
 * Since: 0.1
 */
int pillion_executor_attach(pillion_executor executor, const char *name,
                            void *loop, const pillion_attach_options *options,
                            char *errbuf, size_t errcap);

/*
 * pillion_executor_detach takes an executor off the loop on which
 * pillion_executor_attach has put it. In a turn or an event handler that is
 * done when the outermost turn's events have been handed out, so none is lost.
 * What lives on the executor waits for its next host.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: `data` is the caller's again once drop was called.
 * Returns: 0, PILLION_ECLOSED (it is on no such loop, or was detached before),
 *   PILLION_EBADHANDLE, PILLION_EWRONGTHREAD, PILLION_EREENTRANT or
 *   PILLION_EFORKED.
 * Since: 0.1
 */
int pillion_executor_detach(pillion_executor executor);

/* For pillion_executor_ready: the host makes a turn right afterwards, so the
 * executor need not wake it for one. */
#define PILLION_TURN_FOLLOWS 0x80000000u

/*
 * pillion_executor_ready tells the executor that a watched descriptor is ready:
 * `key` is what the hook watch was given, `events` what the host saw. The host
 * reports as poll(2) does: what has not changed is reported again. A late
 * report does no harm. After it has reported PILLION_FAULT the host watches the
 * descriptor no more, until its hook watch is called. With PILLION_TURN_FOLLOWS
 * the executor does not wake the host, and the host must make a turn.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: none.
 * Returns: 0, PILLION_EBADHANDLE (also for the key of a watch that is closed),
 *   PILLION_EWRONGTHREAD or PILLION_EINVAL (unknown events).
 * Since: 0.1
 */
int pillion_executor_ready(pillion_executor executor, uint64_t key,
                           uint32_t events);

#ifdef __cplusplus
}
#endif

#endif
