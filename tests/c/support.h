/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_SUPPORT_H
#define PILLION_TESTS_SUPPORT_H

/*
 * What the tests through the built library share. They speak to the module
 * of tests/module: "test.waiting" tells how many calls block inside Go, so
 * that nothing here ever sleeps. Callbacks record; only tests assert, since
 * cmocka's longjmp must not cross a turn.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pillion.h"
#include "pillion/poll.h"

#define SECOND INT64_C(1000000000)
#define MS INT64_C(1000000)
#define LONG_ENOUGH (20 * SECOND) /* by then a test has failed */

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define assert_ok(expression) assert_int_equal(expression, 0)

/* ---- Calls -------------------------------------------------------------- */

static inline pillion_function function(const char *name) {
  pillion_function f = 0;
  int rc = pillion_function_find(&f, name);
  if (rc < 0) print_error("%s: %s\n", name, pillion_strerror(rc));
  assert_ok(rc);
  return f;
}

/* Calls and waits; the value is the caller's. */
static inline pillion_value ask(const char *name, const char *request) {
  pillion_value value;
  memset(&value, 0, sizeof value);
  assert_ok(pillion_call_wait(&value, function(name), request, strlen(request),
                              LONG_ENOUGH));
  return value;
}

static inline long ask_number(const char *name, const char *request) {
  pillion_value value = ask(name, request);
  char text[32] = "";
  assert_int_equal(value.status, 0);
  assert_true(value.length < sizeof text);
  memcpy(text, pillion_value_data(&value), value.length);
  pillion_value_drop(&value);
  return strtol(text, NULL, 10);
}

/* Waits until exactly `n` calls of test.block and the like are inside Go. */
static inline void await_waiting(long n) {
  while (ask_number("test.waiting", "") != n) sched_yield();
}

static inline pillion_task submit(pillion_executor ex, const char *name,
                                  const char *request, uint64_t token,
                                  uint32_t flags) {
  pillion_task task = 0;
  assert_ok(pillion_call_submit(&task, ex, function(name), request,
                                strlen(request), token, flags));
  assert_true(task != 0);
  return task;
}

static inline int bytes_are(const void *data, uint64_t length,
                            const char *text) {
  return length == strlen(text) && memcmp(data, text, length) == 0;
}

/* ---- Events ------------------------------------------------------------- */

struct seen {
  size_t count;
  struct {
    uint64_t token;
    pillion_task task;
    int32_t status;
    uint16_t outcome;
    uint64_t length;
    char bytes[96];
    int32_t code; /* of a failure */
    char message[96];
    uint32_t message_length;
    uint64_t stack_length;
  } event[1024];
};

static inline void see(const pillion_event *event, void *data) {
  struct seen *seen = (struct seen *)data;
  pillion_failure failure = PILLION_FAILURE_INIT;
  size_t i = seen->count++ % COUNT(seen->event);
  const char *bytes = (const char *)pillion_event_data(event);
  memset(&seen->event[i], 0, sizeof seen->event[i]);
  seen->event[i].token = event->token;
  seen->event[i].task = event->task;
  seen->event[i].status = event->status;
  seen->event[i].outcome = event->outcome;
  seen->event[i].length = event->length;
  memcpy(seen->event[i].bytes, bytes,
         event->length < 95 ? event->length : 95);
  if (event->status < 0 &&
      pillion_failure_parse(&failure, bytes, event->length) == 0) {
    seen->event[i].code = failure.code;
    seen->event[i].message_length = failure.message_length;
    seen->event[i].stack_length = failure.stack_length;
    memcpy(seen->event[i].message, failure.message,
           failure.message_length < 95 ? failure.message_length : 95);
  }
}

static inline pillion_executor new_executor(void) {
  pillion_executor ex = 0;
  assert_ok(pillion_executor_new(&ex, NULL, NULL, 0));
  assert_true(ex != 0);
  return ex;
}

/* Turns until nothing lives. */
static inline void run(pillion_executor ex, struct seen *seen) {
  assert_ok(pillion_poll_run(ex, see, seen));
}

/* One turn without waiting; the number of events. */
static inline int turn(pillion_executor ex, struct seen *seen,
                       pillion_progress *progress) {
  pillion_event events[64];
  int n = pillion_executor_turn(events, COUNT(events), progress, ex, NULL);
  for (int i = 0; i < n; i++) see(&events[i], seen);
  return n;
}

static inline int readable(pillion_executor ex, int timeout_ms) {
  struct pollfd pfd = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&pfd.fd, ex));
  return poll(&pfd, 1, timeout_ms);
}

/* ---- Futures ------------------------------------------------------------ */

/* A future that counts, and is ready in poll number `ready_at` (0: never). */
struct probe {
  int polls, drops, ready_at;
  int wake_self;  /* wakes itself in every poll */
  int error;      /* what it ends with instead of READY */
  int (*then)(struct probe *probe, pillion_context *cx); /* in every poll */
  void *data;
  int answer; /* of `then` */
  pillion_waker waker;
  pthread_t dropped_by;
  pillion_executor ex;
  pillion_task task;
};

static inline int probe_poll(pillion_value *out, pillion_context *cx,
                             void *self) {
  struct probe *probe = (struct probe *)self;
  probe->polls++;
  probe->waker = cx->waker;
  if (probe->then != NULL) probe->answer = probe->then(probe, cx);
  if (probe->polls == probe->ready_at) {
    if (probe->error < 0) return probe->error;
    pillion_value_set(out, "probed", 6);
    return PILLION_READY;
  }
  if (probe->wake_self) pillion_wake(cx->waker);
  return PILLION_PENDING;
}

static inline void probe_drop(void *self) {
  ((struct probe *)self)->drops++;
  ((struct probe *)self)->dropped_by = pthread_self();
}

static const pillion_future probe_future = {sizeof(pillion_future), probe_poll,
                                            probe_drop};

static inline pillion_task spawn(pillion_executor ex, struct probe *probe,
                                 uint64_t token, uint32_t flags) {
  probe->ex = ex;
  assert_ok(pillion_task_spawn(&probe->task, ex, &probe_future, probe, token,
                               flags));
  return probe->task;
}

/* ---- Threads and processes ---------------------------------------------- */

struct on_thread {
  int (*fn)(void *arg);
  void *arg;
  int result;
};

static inline void *on_thread_main(void *data) {
  struct on_thread *job = (struct on_thread *)data;
  job->result = job->fn(job->arg);
  return NULL;
}

/* Runs fn(arg) on a thread of its own, to its end. */
static inline int on_thread(int (*fn)(void *arg), void *arg) {
  struct on_thread job = {fn, arg, 0};
  pthread_t thread;
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  assert_ok(pthread_join(thread, NULL));
  return job.result;
}

/* Runs this program again with one argument; its exit status. */
static inline int run_self(const char *argument) {
  int status = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/proc/self/exe", "self", argument, (char *)NULL);
    _exit(127);
  }
  assert_true(pid > 0);
  while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
  if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  return WEXITSTATUS(status);
}

/* For the main of a child: prints and exits, without cmocka. */
#define must(condition)                                               \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,      \
              #condition);                                            \
      _exit(1);                                                       \
    }                                                                 \
  } while (0)

/* ---- The end of every group --------------------------------------------- */

/* Everything that was made has been given back. */
static inline int nothing_is_left(void **state) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  (void)state;
  int rc = pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH);
  if (rc < 0) print_error("shutdown: %s\n", pillion_strerror(rc));
  pillion_library_count(&counts);
  if (rc == 0 && counts.executors == 0 && counts.tasks == 0 &&
      counts.calls == 0 && counts.payloads == 0 && counts.watches == 0 && counts.pools == 0)
    return 0;
  print_error("left: %" PRIu64 " executors, %" PRIu64 " tasks, %" PRIu64
              " calls, %" PRIu64 " payloads, %" PRIu64 " watches\n",
              counts.executors, counts.tasks, counts.calls, counts.payloads,
              counts.watches);
  return 1;
}

/* A test that hangs has failed. */
static inline int start_clock(void **state) {
  (void)state;
  alarm(120);
  return 0;
}

#define run_group(tests) \
  cmocka_run_group_tests(tests, start_clock, nothing_is_left)

#endif
