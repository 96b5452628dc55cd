/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_support.h"

int host_watches(int fd, uint32_t events, uint64_t key, void *data) {
  struct host *host = data;
  char text[32];
  snprintf(text, sizeof text, "%s%s%s%s%s%s", host->name ? host->name : "",
           "watch", events == 0 ? "-" : "", events & R ? "r" : "",
           events & W ? "w" : "",
           events & H   ? "h"
           : events & P ? "p"
                        : "");
  trace(text);
  host->key = key;
  return host->refuses;
}

void host_unwatches(int fd, uint64_t key, void *data) {
  struct host *host = data;
  char text[32];
  snprintf(text, sizeof text, "%sunwatch", host->name ? host->name : "");
  trace(text);
  if (key == host->key) host->unwatched++;
  host->open_at_unwatch = fcntl(fd, F_GETFD);
}

static void host_drops(void *data) { ((struct host *)data)->dropped++; }

void host_set(pillion_executor ex, struct host *host) {
  pillion_host hooks = PILLION_HOST_INIT;
  hooks.data = host;
  hooks.watch = host_watches;
  hooks.unwatch = host_unwatches;
  hooks.drop = host_drops;
  host->ex = ex;
  assert_ok(pillion_host_set(ex, &hooks));
  turn(ex);
}

int some_fd(int *other) {
  int ends[2];
  assert_ok(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  *other = ends[1];
  return ends[0];
}

struct waiter a, b;
pillion_watch watch;
int fd, other;

static void close_fds(void) {
  if (ex != 0) executor_free(ex);
  close(fd);
  close(other);
}

void open_a_watch(void) {
  memset(&a, 0, sizeof a);
  memset(&b, 0, sizeof b);
  fd = some_fd(&other);
  assert_ok(pillion_watch_open(&watch, ex, fd, 0));
  traced[0] = 0;
  afterwards(close_fds);
}

int awaits(struct probe *probe, pillion_value *out, pillion_context *cx) {
  struct waiter *waiter = probe->data;
  uint32_t events = 0;
  do {
    probe->rc =
        pillion_ready(&events, cx, waiter->watch, (uint32_t)probe->state);
    if (probe->rc != PILLION_READY) return probe->rc;
    waiter->got = events;
    probe->awaited++;
  } while (probe->awaited < waiter->rounds);
  return PILLION_READY;
}

void await(pillion_executor ex, struct waiter *waiter, pillion_watch watch,
           uint32_t interest) {
  memset(&waiter->probe, 0, sizeof waiter->probe);
  waiter->probe.step = awaits;
  waiter->probe.data = waiter;
  waiter->probe.state = (int)interest;
  waiter->watch = watch;
  spawn(ex, &waiter->probe, 0, PILLION_DETACH);
}
