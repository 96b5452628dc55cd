/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/poll.h: the loop of programs that have none. */
#include <dlfcn.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "pillion.h"

static int polls_made;
static sem_t *before_poll; /* or NULL: posted before the loop waits */

static int counted_poll(struct pollfd *fds, nfds_t count, int ms) {
  polls_made++;
  if (before_poll != NULL) sem_post(before_poll);
  return poll(fds, count, ms);
}
#define poll(fds, count, ms) counted_poll(fds, count, ms) /* the loop's */

#include "support.h"

static int64_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * SECOND + ts.tv_nsec;
}

GIVEN(an_executor, run_without_work_returns_at_once) {
  struct seen seen = {0};
  run(ex, &seen);
  assert_int_equal(seen.count, 0);
}

GIVEN(an_executor, run_ends_when_the_last_call_was_taken) {
  struct seen seen = {0};
  for (uint64_t i = 0; i < 300; i++)
    submit(ex, "test.echo", "hello", i, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 300);
  for (size_t i = 0; i < 300; i++) {
    assert_int_equal(seen.event[i].status, 0);
    assert_string_equal(seen.event[i].bytes, "hello");
  }
  run(ex, &seen);
  assert_int_equal(seen.count, 300);
}

struct chain {
  pillion_executor ex;
  pillion_function f;
  int left, failed;
};

static void submit_next(const pillion_event *event, void *data) {
  struct chain *chain = data;
  if (chain->left-- > 0)
    chain->failed |= pillion_call_submit(NULL, chain->ex, chain->f, "x", 1, 0,
                                         PILLION_EVENT);
}

TEST(on_event_may_start_more_when_nothing_else_lives) {
  struct chain chain = {executor_new(), function("test.echo"), 20, 0};
  assert_ok(pillion_call_submit(NULL, chain.ex, chain.f, "x", 1, 0,
                                PILLION_EVENT));
  assert_ok(pillion_poll_run(chain.ex, submit_next, &chain));
  assert_int_equal(chain.left, -1);
  assert_ok(chain.failed);
  executor_free(chain.ex);
}

struct freeing {
  pillion_executor ex;
  int freed, events;
};

static void free_inside_on_event(const pillion_event *event, void *data) {
  struct freeing *freeing = data;
  freeing->events++;
  freeing->freed = pillion_executor_free(freeing->ex);
}

TEST(an_executor_may_be_freed_in_on_event) {
  struct freeing freeing = {executor_new(), 1, 0};
  struct probe probes[10];
  memset(probes, 0, sizeof probes);
  for (int i = 0; i < 10; i++) {
    probes[i].ready_at = 1;
    spawn(freeing.ex, &probes[i], i, PILLION_EVENT);
  }
  assert_int_equal(pillion_poll_run(freeing.ex, free_inside_on_event, &freeing),
                   PILLION_EBADHANDLE);
  assert_ok(freeing.freed);
  assert_int_equal(freeing.events, 1); /* the others went with it */
}

struct nap {
  pillion_timer timer;
  int state;
  int64_t ns, woke;
  int drops;
};

static int nap_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct nap *nap = self;
  PILLION_ASYNC(nap->state);
  PILLION_AWAIT(nap->state, pillion_sleep(&nap->timer, cx, nap->ns));
  nap->woke = cx->now;
  pillion_value_set(out, "rested", 6);
  PILLION_RETURN(nap->state);
  PILLION_ASYNC_END;
}

static void nap_drop(void *self) {
  struct nap *nap = self;
  pillion_timer_clear(&nap->timer);
  nap->drops++;
}

static const pillion_future nap_future = {sizeof(pillion_future), nap_poll,
                                          nap_drop};

GIVEN(an_executor, deadlines_are_met_late_but_never_early) {
  static const int64_t lengths[] = {7 * MS + 1, 3 * MS, 1, 500000, 0, 3 * MS};
  struct nap naps[COUNT(lengths)];
  struct seen seen = {0};
  memset(naps, 0, sizeof naps);
  int64_t start = now();
  for (size_t i = 0; i < COUNT(naps); i++) {
    naps[i].ns = lengths[i];
    assert_ok(pillion_task_spawn(NULL, ex, &nap_future, &naps[i], i,
                                 PILLION_EVENT));
  }
  run(ex, &seen);
  assert_int_equal(seen.count, COUNT(naps));
  for (size_t i = 0; i < COUNT(naps); i++) {
    assert_int_equal(naps[i].drops, 1);
    assert_true(naps[i].woke - start >= naps[i].ns);
  }
  assert_int_equal(seen.event[COUNT(naps) - 1].token, 0);
}

GIVEN(an_executor, once_does_not_wait_past_its_timeout) {
  pillion_poll loop;
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.block", "", 5, PILLION_EVENT);
  pillion_poll_init(&loop, ex, see, &seen);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(loop.adapter.live, 1);
  int64_t start = now();
  assert_int_equal(pillion_poll_once(&loop, 2 * MS + 1), 0);
  assert_true(now() - start >= 2 * MS + 1);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  pillion_task_cancel(task);
  assert_ok(pillion_poll_loop(&loop));
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].token, 5);
  assert_int_equal(loop.adapter.live, 0);
}

GIVEN(an_executor, once_makes_no_system_call_for_what_has_come) {
  pillion_poll loop;
  static struct probe probe;
  spawn(ex, &probe, 0, PILLION_DETACH);
  pillion_poll_init(&loop, ex, NULL, NULL);
  polls_made = 0;
  assert_int_equal(pillion_poll_once(&loop, PILLION_TIME_NEVER), 0);
  for (int i = 0; i < 3; i++) assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_int_equal(pillion_poll_once(&loop, PILLION_TIME_NEVER), 0);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(polls_made, 0);
  assert_int_equal(readable(ex, 0), 0);

  polls_made = 0;
  assert_int_equal(pillion_poll_once(&loop, 1), 0); /* nothing to do */
  assert_int_equal(polls_made, 1);
  assert_int_equal(probe.polls, 2);
}

/* The program may wait for the close, although a close polls no task. */
GIVEN(an_executor, once_does_not_sleep_over_a_close) {
  pillion_poll loop;
  pillion_poll_init(&loop, ex, NULL, NULL);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_poll_once(&loop, PILLION_TIME_NEVER), 0);
}

static int interruptions;
static void interrupted(int signal) {
  interruptions++;
}

struct sleeper {
  pthread_t thread;
  pillion_task task;
};

static int interrupt_and_cancel(void *arg) {
  struct sleeper *sleeper = arg;
  await_waiting(1);
  for (int i = 0; i < 20; i++) {
    pthread_kill(sleeper->thread, SIGUSR2);
    sched_yield();
  }
  return pillion_task_cancel(sleeper->task);
}

GIVEN(an_executor, a_signal_does_not_end_the_wait) {
  struct sigaction action, old;
  struct sleeper sleeper;
  struct on_thread job = {interrupt_and_cancel, &sleeper, -1};
  struct seen seen = {0};
  pthread_t thread;
  pillion_poll loop;
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupted;
  action.sa_flags = SA_ONSTACK;
  assert_ok(sigaction(SIGUSR2, &action, &old));
  sleeper.thread = pthread_self();
  sleeper.task = submit(ex, "test.block", "", 1, PILLION_EVENT);
  pillion_poll_init(&loop, ex, see, &seen);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  while (seen.count == 0)
    assert_true(pillion_poll_once(&loop, PILLION_TIME_NEVER) >= 0);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_true(interruptions > 0);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_ok(sigaction(SIGUSR2, &old, NULL));
}

/* A thread that pokes the loop, and is held before its write. */
static struct {
  _Atomic int holds;
  sem_t held, go;
} poker;

/* The library's own: its write to the loop's descriptor is a bare one. */
long syscall(long number, ...) {
  static long (*real)(long, ...);
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (real == NULL) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  if (number == SYS_write && atomic_exchange(&poker.holds, 0)) {
    sem_post(&poker.held);
    sem_wait(&poker.go);
  }
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int post_one(void *arg) {
  return pillion_executor_post(*(pillion_executor *)arg, 1, "x", 1);
}

/* A loop of a real-time thread that only looked would keep it from running. */
GIVEN(an_executor, the_loop_sleeps_while_a_poker_lies_before_its_write) {
  struct on_thread job = {post_one, &ex, -1};
  struct seen seen = {0};
  pthread_t thread;
  pillion_poll loop;
  assert_ok(sem_init(&poker.held, 0, 0));
  assert_ok(sem_init(&poker.go, 0, 0));
  pillion_poll_init(&loop, ex, see, &seen);
  assert_int_equal(pillion_poll_once(&loop, 0), 0);
  assert_int_equal(readable(ex, 0), 0);
  poker.holds = 1;
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  sem_wait(&poker.held);
  assert_int_equal(pillion_poll_once(&loop, 0), 1);
  polls_made = 0;
  before_poll = &poker.go;
  int n = pillion_poll_once(&loop, 60 * SECOND);
  before_poll = NULL;
  if (polls_made == 0) sem_post(&poker.go);
  assert_ok(pthread_join(thread, NULL));
  assert_int_equal(n, 0);
  assert_int_equal(polls_made, 1);
  assert_int_equal(seen.count, 1);
  assert_ok(job.result);
}

static struct seen in_all;
static const char *const sent[] = {"a request of thirty characters",
                                   "one more, of thirty characters"};

/* Until two calls have ended, the second of which begins in there. */
static void run_in_on_event(const pillion_event *event, void *data) {
  pillion_poll *loop = data;
  uint64_t token = event->token; /* either call may end first */
  see(event, &in_all);
  if (in_all.count == 3) loop->stop = 1;
  if (in_all.count > 1) return;
  submit(ex, "test.big", "1000", 9, PILLION_EVENT);
  submit(ex, "test.block", "", 10, PILLION_EVENT);
  if (pillion_poll_loop(loop) < 0 ||
      !bytes_are(pillion_event_data(event), 30, sent[token]))
    in_all.count = 100;
  loop->stop = 0;
  pillion_executor_close(ex, PILLION_CLOSE_CANCEL);
}

GIVEN(an_executor, a_loop_in_an_event_handler) {
  pillion_poll loop;
  memset(&in_all, 0, sizeof in_all);
  pillion_poll_init(&loop, ex, run_in_on_event, &loop);
  submit(ex, "test.echo", sent[0], 0, PILLION_EVENT);
  submit(ex, "test.echo", sent[1], 1, PILLION_EVENT);
  assert_ok(pillion_poll_loop(&loop));
  assert_int_equal(in_all.count, 4);
  assert_int_equal(in_all.event[3].token, 10);
  assert_true(stats_of(ex).turns < 40); /* it sleeps in there, too */
}

static void stop_on_event(const pillion_event *event, void *data) {
  ((pillion_poll *)data)->stop = 1;
}

GIVEN(an_executor, stop_ends_the_loop_and_leaves_the_rest_alive) {
  pillion_poll loop;
  struct seen seen = {0};
  pillion_task blocked = submit(ex, "test.block", "", 1, PILLION_EVENT);
  submit(ex, "test.echo", "x", 2, PILLION_EVENT);
  pillion_poll_init(&loop, ex, stop_on_event, &loop);
  assert_ok(pillion_poll_loop(&loop));
  assert_int_equal(loop.adapter.live, 1);
  loop.adapter.on_event = see;
  loop.adapter.data = &seen;
  pillion_task_cancel(blocked);
  assert_ok(pillion_poll_loop(&loop));
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].token, 1);
}

static int close_it(void *arg) {
  await_waiting(3);
  return pillion_executor_close(*(pillion_executor *)arg, PILLION_CLOSE_CANCEL);
}

GIVEN(an_executor, close_on_another_thread_ends_the_loop) {
  struct on_thread job = {close_it, &ex, -1};
  struct probe probe = {0};
  struct seen seen = {0};
  pthread_t thread;
  for (int i = 0; i < 3; i++) submit(ex, "test.block", "", i, PILLION_EVENT);
  spawn(ex, &probe, 9, PILLION_EVENT);
  assert_int_equal(turn(ex, &seen, NULL), 0);
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  run(ex, &seen);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(seen.count, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(seen.event[i].status, PILLION_ECANCELLED);
    assert_int_equal(seen.event[i].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  }
  assert_int_equal(probe.drops, 1);
}

GIVEN(an_executor, a_turn_takes_one_batch_and_the_rest_comes) {
  pillion_poll loop;
  struct probe probes[PILLION_ADAPTER_BATCH + 10];
  struct seen seen = {0};
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
  }
  pillion_poll_init(&loop, ex, see, &seen);
  assert_int_equal(pillion_poll_once(&loop, 0), PILLION_ADAPTER_BATCH);
  assert_int_equal(loop.adapter.live, 10);
  assert_int_equal(readable(ex, 0), 1);
  assert_int_equal(pillion_poll_once(&loop, PILLION_TIME_NEVER), 10);
  assert_int_equal(loop.adapter.live, 0);
  assert_int_equal(seen.count, COUNT(probes));
  for (size_t i = 0; i < seen.count; i++)
    assert_int_equal(seen.event[i].token, i);
  assert_int_equal(readable(ex, 0), 0);
}

TEST(bad_handles_are_reported) {
  pillion_executor ex = executor_new();
  executor_free(ex);
  assert_int_equal(pillion_poll_run(ex, NULL, NULL), PILLION_EBADHANDLE);
  assert_int_equal(pillion_poll_run(0, NULL, NULL), PILLION_EBADHANDLE);
}
