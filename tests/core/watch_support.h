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

/* In traces: "watch rw", "unwatch". The name stands before, if there is one. */
static int host_watches(int fd, uint32_t events, uint64_t key, void *data) {
  struct host *host = data;
  char text[32];
  (void)fd;
  snprintf(text, sizeof text, "%s%s%s%s%s%s", host->name ? host->name : "",
           "watch", events == 0 ? "-" : "", events & R ? "r" : "",
           events & W ? "w" : "", events & H ? "h" : events & P ? "p" : "");
  trace(text);
  host->key = key;
  return host->refuses;
}

static void host_unwatches(int fd, uint64_t key, void *data) {
  struct host *host = data;
  char text[32];
  snprintf(text, sizeof text, "%sunwatch", host->name ? host->name : "");
  trace(text);
  if (key == host->key) host->unwatched++;
  host->open_at_unwatch = fcntl(fd, F_GETFD);
}

static UNUSED void host_drops(void *data) { ((struct host *)data)->dropped++; }

static UNUSED void host_set(pillion_executor ex, struct host *host) {
  pillion_host hooks = PILLION_HOST_INIT;
  hooks.data = host;
  hooks.watch = host_watches;
  hooks.unwatch = host_unwatches;
  hooks.drop = host_drops;
  host->ex = ex;
  assert_ok(pillion_host_set(ex, &hooks));
  turn(ex);
}

/* A descriptor that is really open; the test closes both ends. */
static UNUSED int some_fd(int *other) {
  int ends[2];
  assert_ok(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  *other = ends[1];
  return ends[0];
}

/* What a task awaits is in `state`; what it got in `awaited`, else `rc`. */
struct waiter {
  struct probe probe;
  pillion_watch watch;
  uint32_t got;
  int rounds; /* how many times it is to be ready; 0: once */
};

static UNUSED int awaits(struct probe *probe, pillion_value *out,
                         pillion_context *cx) {
  struct waiter *waiter = probe->data;
  (void)out;
  uint32_t events = 0;
  do {
    probe->rc = pillion_ready(&events, cx, waiter->watch,
                              (uint32_t)probe->state);
    if (probe->rc != PILLION_READY) return probe->rc;
    waiter->got = events;
    probe->awaited++;
  } while (probe->awaited < waiter->rounds);
  return PILLION_READY;
}

static UNUSED void await(pillion_executor ex, struct waiter *waiter,
                         pillion_watch watch, uint32_t interest) {
  memset(&waiter->probe, 0, sizeof waiter->probe);
  waiter->probe.step = awaits;
  waiter->probe.data = waiter;
  waiter->probe.state = (int)interest;
  waiter->watch = watch;
  spawn(ex, &waiter->probe, 0, PILLION_DETACH);
}

#endif
