/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_SUPPORT_H
#define PILLION_TESTS_SUPPORT_H

/*
 * What the tests through the built library share. They call the functions of
 * tests/module: "test.waiting" says how many calls block inside Go, so no test
 * has to sleep.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/test.h"
#include "pillion.h"
#include "pillion/poll.h"

#define LONG_ENOUGH (20 * SECOND) /* a wait of this length fails the test */

/* ---- Fixtures and the end ------------------------------------------------ */

/*
 * A fixture or the test itself sets it. At the test's end it is freed. Tasks
 * that live until then must lie in memory that outlives the test's frame. A
 * test with tasks in its frame frees their executor itself.
 */
extern pillion_executor ex;
void an_executor(void);

/* A test program without a main of its own gets one that calls this. */
int test_main(void);

/* Hooks around a program's tests: a test that hangs fails, and so does a
   program that leaves something alive. */
int start_clock(void **state);
int nothing_lives(void **state);
int free_executor(void **state); /* after each test */

pillion_library_counts library_counts(void);

/* ---- Calls -------------------------------------------------------------- */

pillion_function function(const char *name);

/* Calls and waits. The caller owns the value. */
pillion_value ask(const char *name, const char *request);
long ask_number(const char *name, const char *request);

/* Waits until exactly `n` calls of test.block and the like are inside Go. */
void await_waiting(long n);

pillion_task submit(pillion_executor ex, const char *name, const char *request,
                    uint64_t token, uint32_t flags);
int bytes_are(const void *data, uint64_t length, const char *text);

/* ---- Executors and events ----------------------------------------------- */

struct seen {
  size_t count;
  struct {
    uint64_t token;
    pillion_task task;
    int32_t status;
    uint16_t outcome;
    uint64_t length;
    char bytes[96];
    int32_t code; /* a failure's */
    char message[96];
    uint32_t message_length;
    uint64_t stack_length;
  } event[1024];
};

void see(const pillion_event *event, void *data); /* a struct seen */

pillion_executor executor_new(void);
void executor_free(pillion_executor executor);
pillion_executor_stats stats_of(pillion_executor ex);

/* Turns until nothing lives. */
void run(pillion_executor ex, struct seen *seen);

/* One turn without waiting; the number of events. */
int turn(pillion_executor ex, struct seen *seen, pillion_progress *progress);
int readable(pillion_executor ex, int timeout_ms);

/* ---- Futures ------------------------------------------------------------ */

/* A future that counts, and is ready in poll number `ready_at` (0: never). */
struct probe {
  int polls, drops, ready_at;
  int wake_self; /* it wakes itself in every poll */
  int error;     /* its end instead of READY */
  int (*then)(struct probe *probe, pillion_context *cx); /* in every poll */
  void *data;
  int answer; /* what `then` has answered */
  pillion_waker waker;
  pthread_t dropped_by;
  pillion_executor ex;
  pillion_task task;
};

int probe_poll(pillion_value *out, pillion_context *cx, void *self);
void probe_drop(void *self);
extern const pillion_future probing;

pillion_task spawn(pillion_executor ex, struct probe *probe, uint64_t token,
                   uint32_t flags);

/* ---- A sleep, and when it was --------------------------------------------- */

struct doze {
  pillion_timer timer;
  int state;
  int64_t ns, began, woke;
};

extern const pillion_future dozing;

/* ---- Threads and processes ---------------------------------------------- */

struct on_thread {
  int (*fn)(void *arg);
  void *arg;
  int result;
};

void *on_thread_main(void *data); /* a struct on_thread */

/* Runs fn(arg) on a thread of its own, to its end. */
int on_thread(int (*fn)(void *arg), void *arg);

/* Runs this program again with one argument; its exit status. */
int run_self(const char *argument);

/* An assertion for a child process, without cmocka: prints and exits. */
#define must(condition)                                                       \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      _exit(1);                                                               \
    }                                                                         \
  } while (0)

#endif
