/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_WATCH_SUPPORT_H
#define PILLION_TESTS_CORE_WATCH_SUPPORT_H

/* A host that only records what it is told, and tasks that await. */
#include "support.h"

#define R PILLION_READABLE
#define W PILLION_WRITABLE
#define H PILLION_HANGUP
#define P PILLION_PRIORITY
#define F PILLION_FAULT

struct host {
  const char *name;
  int refuses; /* what `watch` answers */
  uint64_t key;
  int open_at_unwatch; /* fcntl's answer for the descriptor */
  int unwatched, dropped;
  pillion_executor ex;
};

/* They trace "watchrw" and "unwatch", with the host's name in front. */
int host_watches(int fd, uint32_t events, uint64_t key, void *data);
void host_unwatches(int fd, uint64_t key, void *data);
void host_set(pillion_executor ex, struct host *host);

/* A descriptor that is really open; the test closes both ends. */
int some_fd(int *other);

/* The probe's `state` is what the task awaits, `awaited` how often that came,
   and `rc` the last answer. */
struct waiter {
  struct probe probe;
  pillion_watch watch;
  uint32_t got;
  int rounds; /* so often it awaits; 0: once */
};

int awaits(struct probe *probe, pillion_value *out, pillion_context *cx);
void await(pillion_executor ex, struct waiter *waiter, pillion_watch watch,
           uint32_t interest);

/* What the fixtures of watches share. */
extern struct waiter a, b; /* they outlive a test, as the executor does */
extern pillion_watch watch;
extern int fd, other;
void open_a_watch(void); /* of `fd`, which is closed after the test */

#endif
