/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_SUPPORT_H
#define PILLION_TESTS_CORE_SUPPORT_H

/*
 * What the core's tests share. They compile capi/core without Go: the guest
 * below stands in for it. Its functions are "test.echo" and "test.cpu", whose
 * jobs a test takes from the ring when it likes, and "test.loop", whose posts
 * it finds recorded.
 *
 * Futures and callbacks only record; tests assert, since cmocka's longjmp must
 * not cross a turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define assert_ok(expression) assert_int_equal(expression, 0)
#define TEST(name) cmocka_unit_test_teardown(name, nothing_lives)

/* ---- Traces -------------------------------------------------------------- */

#define UNUSED __attribute__((unused))

static char traced[4096];

static inline void trace(const char *what) {
  size_t n = strlen(traced);
  if (n < sizeof traced - 1)
    snprintf(traced + n, sizeof traced - n, "%s%s", n == 0 ? "" : " ", what);
}

static inline void assert_traced(const char *expected) {
  char copy[sizeof traced];
  memcpy(copy, traced, sizeof copy);
  traced[0] = 0;
  assert_string_equal(copy, expected);
}

/* ---- Futures ------------------------------------------------------------- */

/* Counts, and does what `step` says; without one it is ready at `ready_at`. */
struct probe {
  int polls, drops;
  int ready_at;
  int (*step)(struct probe *probe, pillion_value *out, pillion_context *cx);
  void (*dropped)(struct probe *probe);
  const char *name; /* traced at each poll if there is one */
  void *data;
  pillion_waker waker;
  pillion_task task;
  pillion_executor executor;
  pillion_timer timer;
  pillion_value value;
  int state, rc, awaited;
};

static UNUSED int probe_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct probe *probe = self;
  probe->polls++;
  probe->waker = cx->waker;
  if (probe->name != NULL) trace(probe->name);
  if (probe->step != NULL) return probe->step(probe, out, cx);
  if (probe->polls != probe->ready_at) return PILLION_PENDING;
  pillion_value_set(out, "done", 4);
  return PILLION_READY;
}

static UNUSED void probe_drop(void *self) {
  struct probe *probe = self;
  probe->drops++;
  if (probe->dropped != NULL) probe->dropped(probe);
}

static UNUSED const pillion_future probing = {sizeof probing, probe_poll, probe_drop};

/* ---- Executors ----------------------------------------------------------- */

static inline pillion_executor executor_new(void) {
  pillion_executor ex;
  char why[256] = "";
  int rc = pillion_executor_new(&ex, NULL, why, sizeof why);
  if (rc < 0) print_error("%s\n", why);
  assert_ok(rc);
  return ex;
}

/* The clock of those tests that let time pass themselves. */
static UNUSED int64_t virtual_now;

static UNUSED int64_t virtual_clock(void *data) {
  return *(const int64_t *)data;
}

static inline pillion_executor_options virtual_options(int64_t now) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  virtual_now = now;
  options.clock = virtual_clock;
  options.clock_data = &virtual_now;
  return options;
}

static inline pillion_executor executor_with(
    const pillion_executor_options *options) {
  pillion_executor ex;
  assert_ok(pillion_executor_new(&ex, options, NULL, 0));
  return ex;
}

/* One whose time is virtual_now. */
static inline pillion_executor executor_at(int64_t now) {
  pillion_executor_options options = virtual_options(now);
  return executor_with(&options);
}

static inline void executor_free(pillion_executor ex) {
  assert_ok(pillion_executor_free(ex));
}

static UNUSED pillion_event events[256];
static UNUSED pillion_progress progress;

static inline int turn(pillion_executor ex) {
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  return pillion_executor_turn(events, COUNT(events), &progress, ex, NULL);
}

static inline pillion_executor_stats stats_of(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats;
}

static inline bool readable(pillion_executor ex) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  return poll(&watched, 1, 0) == 1;
}

static inline pillion_task spawn(pillion_executor ex, struct probe *probe,
                                 uint64_t token, uint32_t flags) {
  assert_ok(pillion_task_spawn(&probe->task, ex, &probing, probe, token,
                               flags));
  probe->executor = ex;
  return probe->task;
}

static inline pillion_waker waker_of(pillion_task task) {
  return (task & ~(UINT64_C(0xff) << 56)) | (uint64_t)PILLION__WAKER << 56;
}

static inline pillion_library_counts library_counts(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  return counts;
}

/* Every test ends with this. */
static UNUSED int nothing_lives(void **state) {
  (void)state;
  pillion_library_counts counts = library_counts();
  traced[0] = 0;
  if (counts.executors == 0 && counts.tasks == 0 && counts.calls == 0 &&
      counts.payloads == 0 && counts.watches == 0 && counts.pools == 0)
    return 0;
  print_error("alive: %d executors, %d tasks, %d calls, %d payloads, "
              "%d watches, %d pools\n",
              (int)counts.executors, (int)counts.tasks, (int)counts.calls,
              (int)counts.payloads, (int)counts.watches, (int)counts.pools);
  return 1;
}

/* ---- Threads ------------------------------------------------------------- */

static inline pthread_t thread_start(void *(*body)(void *data), void *data) {
  pthread_t thread;
  assert_ok(pthread_create(&thread, NULL, body, data));
  return thread;
}

static inline void on_thread(void *(*body)(void *data), void *data) {
  pthread_join(thread_start(body, data), NULL);
}

/* ---- The guest: instead of Go -------------------------------------------- */

static struct {
  int turns, settles, frees, stops, rewatches;
  uint32_t polled, more, coroutines, suspended; /* what its turns answer */
  int64_t deadline;
  struct pillion__post posts[512];
  uint32_t post_count, max_polls;
  int64_t max_ns;
  struct pillion__call *loop_calls[512]; /* begun, and not yet ended */
  uint32_t loop_count;
  bool dispatching; /* `dispatcher` runs, below */
  pthread_t dispatcher;
} guest;

static int guest_functions(char *errbuf, size_t errcap) {
  static bool registered;
  (void)errbuf, (void)errcap;
  if (registered) return 0;
  registered = true;
  pillion__function_add("test.cpu", "test", "{}", PILLION_KIND_CPU);
  pillion__function_add("test.echo", "test", "{}", PILLION_KIND_OFFLOAD);
  return pillion__function_add("test.loop", "test", "{}", PILLION_KIND_LOOP);
}

static int guest_stop(void) {
  guest.stops++;
  if (guest.dispatching) pthread_join(guest.dispatcher, NULL);
  guest.dispatching = false;
  close(pillion__ring_fd());
  return 0;
}

static void guest_turn(struct pillion__guest_turn *t) {
  guest.turns++;
  guest.max_polls = t->max_polls;
  guest.max_ns = t->max_ns;
  for (uint32_t i = 0; i < t->count; i++) {
    if (guest.post_count < COUNT(guest.posts))
      guest.posts[guest.post_count++] = t->posts[i];
    if (t->posts[i].bits & PILLION__START)
      guest.loop_calls[guest.loop_count++] = t->posts[i].call;
  }
  t->polled = guest.polled;
  t->more = guest.more;
  t->deadline = guest.deadline;
  t->coroutines = guest.coroutines;
}

static uint32_t guest_settle(uint32_t index) {
  (void)index;
  guest.settles++;
  return guest.suspended;
}

static void guest_free(uint32_t index) {
  (void)index;
  guest.frees++;
  while (guest.loop_count > 0)
    pillion__call_complete(guest.loop_calls[--guest.loop_count],
                           PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING,
                           NULL, 0);
}

static void guest_rewatch(uint32_t index) {
  (void)index;
  guest.rewatches++;
}

static inline void guest_reset(void) {
  bool dispatching = guest.dispatching;
  pthread_t dispatcher = guest.dispatcher;
  memset(&guest, 0, sizeof guest);
  guest.deadline = PILLION_TIME_NEVER;
  guest.dispatching = dispatching;
  guest.dispatcher = dispatcher;
}

static inline void guest_install(void) {
  guest_reset();
  pillion__guest = (struct pillion__guest){
      .functions = guest_functions,
      .stop = guest_stop,
      .turn = guest_turn,
      .settle = guest_settle,
      .free = guest_free,
      .rewatch = guest_rewatch,
  };
}

static inline pillion_function function(const char *name) {
  pillion_function f = 0;
  assert_ok(pillion_function_find(&f, name));
  return f;
}

/* As a worker does it. */
static inline bool job_take_up(const struct pillion__job *job) {
  uint64_t old = atomic_load(&job->call->state);
  do {
    if ((uint32_t)(old >> 32) != job->gen ||
        (old & PILLION__CALL_PHASE) != PILLION__CALL_NEW)
      return false;
  } while (!atomic_compare_exchange_weak(
      &job->call->state, &old, old - PILLION__CALL_NEW + PILLION__CALL_RUNNING));
  return true;
}

static inline const void *job_request(const struct pillion__job *job) {
  return job->call->request_length > PILLION_INLINE ? job->call->payload.memory
                                                    : job->call->payload.bytes;
}

static inline void job_return(const struct pillion__job *job,
                              const void *bytes, size_t length) {
  pillion__call_complete(job->call, 0, PILLION_OUTCOME_RETURNED, bytes,
                         length);
}

static inline void job_echo(const struct pillion__job *job) {
  size_t length = (size_t)job->call->request_length;
  void *copy = malloc(length + 1);
  memcpy(copy, job_request(job), length);
  job_return(job, copy, length);
  free(copy);
}

static UNUSED struct pillion__job jobs[512];

/* The dispatcher on a thread: it echoes until the ring is closed. */
static UNUSED void *echoing(void *data) {
  struct pillion__job mine[16];
  int fd = pillion__ring_fd();
  (void)data;
  for (;;) {
    int n = pillion__ring_take(mine, COUNT(mine));
    if (n < 0) return NULL;
    for (int i = 0; i < n; i++)
      if (!mine[i].cancel && job_take_up(&mine[i])) job_echo(&mine[i]);
    if (n == 0 && pillion__ring_sleep()) {
      struct pollfd watched = {fd, POLLIN, 0};
      uint64_t count;
      while (poll(&watched, 1, -1) < 0) {
      }
      if (read(fd, &count, sizeof count) < 0) count = 0;
    }
  }
}

static inline void guest_dispatch(void) {
  guest.dispatching = true;
  guest.dispatcher = thread_start(echoing, NULL);
}

#endif
