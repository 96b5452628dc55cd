/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bring your own runtime. One program, driven by four hosts:
 *
 *   descriptor   a loop around poll(2) that knows the executor's descriptor
 *                and its deadline, and nothing else
 *   hooks        a loop whose hooks hear when to come, when at the latest, and
 *                which descriptors to watch; the executor has none
 *   embedded     the loop that comes along, pillion/poll.h
 *   replaced     no loop and no time: a simulation, with a clock, a seed, a
 *                budget, queues and quotas of its own
 */
#include "program.h"

/* ---- A descriptor and a deadline ------------------------------------------ */

/* The timeout of a poll(2) until `deadline`. */
static int until(int64_t deadline) {
  int64_t left = deadline - now();
  if (deadline == PILLION_TIME_NEVER) return -1;
  return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

static int run_on_descriptor(struct program *p, pillion_executor ex) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_event events[8];
  struct pollfd watched = {-1, POLLIN, 0};
  if (pillion_executor_fd(&watched.fd, ex) < 0) return 1;
  for (;;) {
    int n = pillion_executor_turn(events, 8, &progress, ex, NULL);
    if (n < 0) return 1;
    for (int i = 0; i < n; i++) on_event(&events[i], p);
    if (progress.live == 0) return 0;
    poll(&watched, 1, until(progress.deadline));
  }
}

/* ---- Hooks ------------------------------------------------------------------ */

/* A loop with one descriptor for wakes, and one to watch. */
struct hooked {
  struct pollfd fds[2];
  uint64_t key; /* of the second; it is -1 while there is none */
  int64_t deadline;
};

static int hooked_wake(void *data) {
  struct hooked *loop = data;
  uint64_t one = 1;
  return write(loop->fds[0].fd, &one, sizeof one) < 0 ? PILLION_ECLOSED : 0;
}

static void hooked_timer(int64_t deadline, void *data) {
  ((struct hooked *)data)->deadline = deadline;
}

static int hooked_watch(int fd, uint32_t events, uint64_t key, void *data) {
  struct hooked *loop = data;
  loop->fds[1] = (struct pollfd){
      fd, events & PILLION_READABLE ? POLLIN : 0, 0};
  loop->key = key;
  return 0;
}

static void hooked_unwatch(int fd, uint64_t key, void *data) {
  (void)fd, (void)key;
  ((struct hooked *)data)->fds[1].fd = -1;
}

static void hooked_wait(struct hooked *loop, pillion_executor ex) {
  uint64_t count;
  poll(loop->fds, 2, until(loop->deadline));
  if (loop->fds[0].revents != 0)
    while (read(loop->fds[0].fd, &count, sizeof count) > 0) continue;
  if (loop->fds[1].revents & (POLLIN | POLLHUP))
    pillion_executor_ready(ex, loop->key,
                           PILLION_READABLE | PILLION_TURN_FOLLOWS);
}

static int run_on_hooks(struct program *p, pillion_executor ex) {
  struct hooked loop = {{{-1, POLLIN, 0}, {-1, 0, 0}}, 0, PILLION_TIME_NEVER};
  pillion_host host = PILLION_HOST_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_event events[8];
  loop.fds[0].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  host.data = &loop;
  host.wake = hooked_wake;
  host.timer = hooked_timer;
  host.watch = hooked_watch;
  host.unwatch = hooked_unwatch;
  if (pillion_host_set(ex, &host) < 0) return 1;
  for (;;) {
    int n = pillion_executor_turn(events, 8, &progress, ex, NULL);
    if (n < 0) return 1;
    for (int i = 0; i < n; i++) on_event(&events[i], p);
    if (progress.live == 0) break;
    hooked_wait(&loop, ex);
  }
  if (pillion_host_set(ex, NULL) < 0) return 1;
  return close(loop.fds[0].fd);
}

/* ---- The loop that comes along ------------------------------------------------ */

static int run_embedded(struct program *p, pillion_executor ex) {
  return pillion_poll_run(ex, on_event, p) < 0;
}

/* ---- Everything replaced -------------------------------------------------------- */

static int64_t simulated = 1; /* what time it is */

static int64_t simulated_clock(void *data) { return *(int64_t *)data; }

static const pillion_executor_options replaced = {
    .size = sizeof(pillion_executor_options),
    .version = PILLION_VERSION_NUMBER,
    .flags = PILLION_NO_FD,
    .max_tasks = 2, /* quotas */
    .max_timers = 1,
    .ready = 2,     /* room from the start */
    .max_polls = 1, /* the budget of each turn */
    .seed = 42,     /* the order of polls */
    .clock = simulated_clock,
    .clock_data = &simulated,
};

/* Time passes when there is nothing else to do. */
static int run_simulated(struct program *p, pillion_executor ex) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_event event;
  do {
    int n = pillion_executor_turn(&event, 1, &progress, ex, NULL);
    if (n < 0) return 1;
    if (n > 0) on_event(&event, p);
    if (!progress.more && progress.deadline != PILLION_TIME_NEVER)
      simulated = progress.deadline;
  } while (progress.live > 0);
  return 0;
}

/* ---- All of them ------------------------------------------------------------------ */

static const pillion_executor_options without_descriptor = {
    .size = sizeof(pillion_executor_options),
    .version = PILLION_VERSION_NUMBER,
    .flags = PILLION_NO_FD,
};

static const struct way {
  const char *name;
  int (*run)(struct program *p, pillion_executor ex);
  const pillion_executor_options *options;
  int has_reactor; /* then a third task reads a descriptor */
} ways[] = {
    {"descriptor", run_on_descriptor, NULL, 0},
    {"hooks", run_on_hooks, &without_descriptor, 1},
    {"embedded", run_embedded, NULL, 1},
    {"replaced", run_simulated, &replaced, 0},
};

#define WAYS (sizeof ways / sizeof *ways)

int main(void) {
  for (size_t i = 0; i < WAYS; i++) {
    pillion_executor ex;
    struct program program;
    if (pillion_executor_new(&ex, ways[i].options, NULL, 0) < 0) return 1;
    if (begin(&program, ex, ways[i].has_reactor) < 0) return 1;
    if (ways[i].run(&program, ex) != 0) return 1;
    if (pillion_executor_free(ex) < 0) return 1;
    printf("%s: %d\n", ways[i].name, program.sum);
  }
  return 0;
}
