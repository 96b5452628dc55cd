/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_STORM_H
#define PILLION_TESTS_STORM_H

/*
 * A host in bad weather: it starts children by the thousand, and gets six kinds
 * of signals, each about a thousand times a second, while Go works in its
 * workers and on the host's thread. Three handlers were set before the load and
 * three after it, with and without SA_ONSTACK. The frame of each is larger than
 * a goroutine's stack and than Go's signal stacks.
 *
 *   STORM_CHILDREN   how many there are, 1000 by default
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/time.h>

#include "support.h"

static const struct kind {
  int signal, flags;
  bool early; /* set before the library is loaded */
} kinds[] = {
    {SIGUSR1, SA_RESTART, true},
    {SIGWINCH, SA_RESTART | SA_ONSTACK, true},
    {SIGALRM, SA_RESTART, true},
    {SIGUSR2, SA_RESTART, false},
    {SIGIO, SA_RESTART | SA_ONSTACK, false},
    {SIGPROF, SA_RESTART, false},
};

static atomic_ulong heard[COUNT(kinds)];
static atomic_bool storm_over;
static pthread_t storm_sender, storm_target;
static pillion_executor storm_executor;
static int children_left, children_alive, children_ended;
static size_t calls_alive, calls_ended;

static void storm_handler(int number) {
  volatile char frame[48 << 10];
  for (size_t i = 0; i < sizeof frame; i += 512) frame[i] = (char)number;
  for (size_t i = 0; i < COUNT(kinds); i++)
    if (kinds[i].signal == frame[512]) heard[i]++;
}

static void storm_handlers(bool early) {
  for (size_t i = 0; i < COUNT(kinds); i++) {
    struct sigaction action;
    if (kinds[i].early != early) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = storm_handler;
    action.sa_flags = kinds[i].flags;
    sigaction(kinds[i].signal, &action, NULL);
  }
}

/* Runs before any library's constructor. */
static void storm_before_load(int argc, char **argv, char **envp) {
  (void)argc, (void)argv, (void)envp;
  storm_handlers(true);
}
__attribute__((section(".preinit_array"), used)) static void (
    *storm_preinit)(int, char **, char **) = storm_before_load;

/* Timers send two of the kinds. This thread sends the others, to the loop's
   thread or to the process. */
static void *storm_send(void *data) {
  (void)data;
  struct timespec nap = {0, 200000};
  for (unsigned i = 0; !storm_over; i++) {
    int signal = kinds[i % COUNT(kinds)].signal;
    if (signal == SIGALRM || signal == SIGPROF) continue;
    if (i % 2 == 0)
      pthread_kill(storm_target, signal);
    else
      kill(getpid(), signal);
    nanosleep(&nap, NULL);
  }
  return NULL;
}

static void storm_timers(long microseconds) {
  struct itimerval every = {{0, microseconds}, {0, microseconds}};
  assert_ok(setitimer(ITIMER_REAL, &every, NULL));
  assert_ok(setitimer(ITIMER_PROF, &every, NULL));
}

/* The n-th call: some make garbage or echo in workers, some are coroutines. */
static void storm_call(size_t n) {
  static const char *const names[] = {"test.loop_yield", "test.echo",
                                      "test.loop_garbage"};
  static pillion_function functions[COUNT(names)];
  if (functions[0] == 0)
    for (size_t i = 0; i < COUNT(names); i++) functions[i] = function(names[i]);
  assert_ok(pillion_call_submit(NULL, storm_executor,
                                functions[n % COUNT(names)], "20", 2, n,
                                PILLION_EVENT));
  calls_alive++;
}

/* A call that ends starts the next one, as long as children live. */
static void storm_event(const pillion_event *event, void *data) {
  (void)data;
  assert_int_equal(event->status, 0);
  calls_alive--;
  calls_ended++;
  if (children_alive > 0 || children_left > 0) storm_call(event->token);
}

/* A storm that hangs has failed. SIGALRM is one of its signals. */
static void storm_clock(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  struct itimerspec limit = {.it_value = {120, 0}};
  timer_t timer;
  assert_ok(timer_create(CLOCK_MONOTONIC, &event, &timer));
  assert_ok(timer_settime(timer, 0, &limit, NULL));
}

static void storm_begin(void) {
  const char *n = getenv("STORM_CHILDREN");
  storm_clock();
  children_left = n != NULL ? atoi(n) : 1000;
  storm_target = pthread_self();
  storm_executor = executor_new();
  storm_handlers(false);
  assert_ok(pthread_create(&storm_sender, NULL, storm_send, NULL));
  storm_timers(1000);
  for (size_t i = 0; i < 12; i++) storm_call(i);
  submit(storm_executor, "test.garbage", "1000", 1, PILLION_EVENT);
  calls_alive++;
}

/* The host calls it once no child and no call is left. On a busy core the sender
   may hardly have begun. */
static void storm_end(int children) {
  for (size_t i = 0; i < COUNT(kinds); i++)
    while (heard[i] <= 10) sched_yield();
  storm_timers(0);
  storm_over = true;
  assert_ok(pthread_join(storm_sender, NULL));
  assert_int_equal(children_ended, children);
  assert_int_equal(calls_alive, 0);
  assert_true(calls_ended > 12); /* more than the first ones */
  assert_ok(pillion_executor_free(storm_executor));
}

#endif
