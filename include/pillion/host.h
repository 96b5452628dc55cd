/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_HOST_H
#define PILLION_INCLUDE_HOST_H

/*
 * Hosts: what a loop does for an executor.
 */

#include "watch.h"

#ifdef __cplusplus
extern "C" {
#endif

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
  {sizeof(pillion_host), NULL, NULL, NULL, NULL, NULL, NULL, NULL}

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

/* For pillion_executor_ready: the host makes a turn right afterwards, so it
 * need not be woken for one. */
#define PILLION_TURN_FOLLOWS 0x80000000u

/*
 * pillion_executor_ready is how a host reports that a watched descriptor is
 * ready: `key` is what its hook was given, `events` what it saw. Report what
 * still stands again and again, as poll(2) does. A late report does no harm.
 * With PILLION_FAULT the host stops to watch the descriptor by itself, and
 * begins again when its hook is called. With PILLION_TURN_FOLLOWS nobody is
 * poked, and the host owes the executor a turn.
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
