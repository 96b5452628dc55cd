/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Blocking calls, start and shutdown. The library is started with the
 * smallest limits; each test starts it anew if it was shut down.
 */
#include <signal.h>

#include "support.h"

static pillion_function echo;
static char blank[100];

static pillion_task submit(const void *request, size_t length) {
  pillion_task task = 0;
  assert_ok(pillion_call_submit(&task, 0, echo, request, length, 0,
                                PILLION_JOIN));
  return task;
}

/* Each test starts the library anew if it was shut down. */
static void a_small_start(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.ring = 1;
  options.max_calls = 2;
  options.max_request = 100;
  assert_ok(pillion_start(&options, NULL, 0));
  echo = function("test.echo");
}

/* ---- Waiting ------------------------------------------------------------- */

GIVEN(a_small_start, wait_for_what_has_ended) {
  pillion_task task = submit(blank, sizeof blank);
  struct pillion__job job = take_one();
  job_echo(&job);
  pillion_value value;
  assert_ok(pillion_task_wait(&value, task, 0));
  assert_int_equal(value.status, 0);
  assert_int_equal(value.length, sizeof blank);
  assert_memory_equal(pillion_value_data(&value), blank, sizeof blank);
  assert_int_equal(library_counts().calls, 0);
  assert_int_equal(library_counts().payloads, 1); /* the caller's */
  pillion_value_drop(&value);
  pillion_value_drop(&value); /* it is empty by now */
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_EBADHANDLE);
}

GIVEN(a_small_start, wait_times_out_and_may_be_repeated) {
  pillion_task task = submit("x", 1);
  pillion_value value;
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_task_wait(&value, task, -5), PILLION_ETIMEDOUT);
  struct pillion__job job = take_one(); /* in spite of the waiter's mark */
  assert_int_equal(pillion_task_wait(&value, task, MS), PILLION_ETIMEDOUT);
  job_echo(&job);
  assert_ok(pillion_task_wait(&value, task, PILLION_TIME_NEVER));
  assert_memory_equal(pillion_value_data(&value), "x", 1);
}

struct waiter {
  pillion_task task;
  int64_t timeout;
  pillion_value value;
  _Atomic int rc, done;
};

static void *waits(void *data) {
  struct waiter *waiter = data;
  atomic_store(&waiter->rc, pillion_task_wait(&waiter->value, waiter->task,
                                              waiter->timeout));
  atomic_store(&waiter->done, 1);
  return NULL;
}

static void until_waited_for(pillion_task task) {
  struct pillion__call *call = pillion__call_at(pillion__slot_of(task));
  while (!(atomic_load(&call->state) & PILLION__CALL_WAITED)) sched_yield();
}

GIVEN(a_small_start, waiter_is_woken_by_the_end) {
  for (int i = 0; i < 100; i++) {
    struct waiter waiter = {.task = submit("x", 1),
                            .timeout = i % 2 ? PILLION_TIME_NEVER
                                             : 3600 * SECOND};
    pthread_t thread = thread_start(waits, &waiter);
    if (i % 3) until_waited_for(waiter.task);
    struct pillion__job job = take_one();
    job_echo(&job);
    pthread_join(thread, NULL);
    assert_ok(waiter.rc);
    assert_int_equal(waiter.value.length, 1);
  }
}

GIVEN(a_small_start, second_waiter_is_told_that_it_is_busy) {
  struct waiter waiter = {.task = submit("x", 1),
                          .timeout = PILLION_TIME_NEVER};
  pillion_value value;
  pthread_t thread = thread_start(waits, &waiter);
  until_waited_for(waiter.task);
  assert_int_equal(pillion_task_wait(&value, waiter.task, 0), PILLION_EBUSY);
  assert_int_equal(pillion_task_detach(waiter.task), PILLION_EBUSY);
  struct pillion__job job = take_one(); /* while a thread waits for it */
  job_echo(&job);
  pthread_join(thread, NULL);
  assert_ok(waiter.rc);
}

static void on_signal(int number) { (void)number; }

GIVEN(a_small_start, wait_is_interrupted_by_a_signal) {
  struct sigaction action = {.sa_handler = on_signal};
  assert_ok(sigaction(SIGUSR1, &action, NULL));
  struct waiter waiter = {.task = submit("x", 1), .timeout = 3600 * SECOND};
  pthread_t thread = thread_start(waits, &waiter);
  until_waited_for(waiter.task);
  while (!atomic_load(&waiter.done)) { /* it may not have slept yet */
    pthread_kill(thread, SIGUSR1);
    sched_yield();
  }
  pthread_join(thread, NULL);
  assert_int_equal(waiter.rc, PILLION_EINTR);
  struct pillion__job job = take_one();
  job_echo(&job);
  pillion_value value;
  assert_ok(pillion_task_wait(&value, waiter.task, 0));
}

static void *calls_and_waits(void *data) {
  struct waiter *waiter = data;
  atomic_store(&waiter->rc, pillion_call_wait(&waiter->value, echo, "x", 1,
                                              waiter->timeout));
  atomic_store(&waiter->done, 1);
  return NULL;
}

GIVEN(a_small_start, call_wait_goes_on_after_a_signal) {
  struct sigaction action = {.sa_handler = on_signal};
  assert_ok(sigaction(SIGUSR1, &action, NULL));
  struct waiter waiter = {.timeout = PILLION_TIME_NEVER};
  pthread_t thread = thread_start(calls_and_waits, &waiter);
  int n;
  while ((n = pillion__ring_take(jobs, COUNT(jobs))) == 0) sched_yield();
  for (int i = 0; i < 20; i++) {
    pthread_kill(thread, SIGUSR1);
    sched_yield();
  }
  assert_int_equal(waiter.done, 0);
  assert_true(job_take_up(&jobs[0]));
  job_echo(&jobs[0]);
  pthread_join(thread, NULL);
  assert_ok(waiter.rc);
}

GIVEN(a_small_start, call_wait_that_times_out_leaves_nothing) {
  pillion_value value;
  assert_int_equal(pillion_call_wait(&value, echo, blank, sizeof blank, 0),
                   PILLION_ETIMEDOUT);
  assert_int_equal(library_counts().calls, 0);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_false(job_take_up(&jobs[0]));

  struct waiter waiter = {.timeout = 20 * MS}; /* ends while the call runs */
  pthread_t thread = thread_start(calls_and_waits, &waiter);
  while (pillion__ring_take(jobs, COUNT(jobs)) == 0) sched_yield();
  bool runs = job_take_up(&jobs[0]);
  struct pillion__job job = jobs[0];
  pthread_join(thread, NULL);
  assert_int_equal(waiter.rc, PILLION_ETIMEDOUT);
  if (runs) job_echo(&job);
  while (pillion__ring_take(jobs, COUNT(jobs)) > 0) {
  }
}

GIVEN(a_small_start, wait_refuses_what_can_never_be_right) {
  pillion_executor ex = executor_new();
  pillion_task task;
  pillion_value value;
  assert_ok(pillion_call_submit(&task, ex, echo, "", 0, 0, PILLION_JOIN));
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_wait(NULL, task, 0), PILLION_EINVAL);
  assert_int_equal(pillion_task_wait(&value, 0, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_wait(&value, ex, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_wait(&value, UINT64_MAX, 0),
                   PILLION_EBADHANDLE);
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_JOIN);
  assert_int_equal(pillion_task_wait(&value, probe.task, 0),
                   PILLION_EBADHANDLE);
  executor_free(ex);
  pillion__ring_take(jobs, COUNT(jobs));
}

/* ---- Detaching ----------------------------------------------------------- */

GIVEN(a_small_start, call_detached_before_it_began_still_runs) {
  pillion_task task = submit(blank, sizeof blank);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(pillion_task_detach(task), PILLION_EBADHANDLE);
  pillion_value value;
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_EBADHANDLE);
  struct pillion__job job = take_one();
  job_echo(&job);
  assert_int_equal(library_counts().calls, 0);
}

GIVEN(a_small_start, call_detached_while_it_runs_or_after) {
  pillion_task task = submit(blank, sizeof blank);
  struct pillion__job job = take_one();
  assert_ok(pillion_task_detach(task));
  job_echo(&job);
  assert_int_equal(library_counts().calls, 0);

  task = submit(blank, sizeof blank);
  job = take_one();
  job_echo(&job);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(pillion_task_detach(task), PILLION_EBADHANDLE);
  assert_int_equal(library_counts().calls, 0);
}

GIVEN(a_small_start, call_submitted_as_detached_frees_itself) {
  assert_ok(pillion_call_submit(NULL, 0, echo, blank, sizeof blank, 0,
                                PILLION_DETACH));
  struct pillion__job job = take_one();
  job_echo(&job);
  assert_int_equal(library_counts().calls, 0);
  pillion_task task;
  assert_ok(pillion_call_submit(&task, 0, echo, blank, sizeof blank, 0,
                                PILLION_DETACH));
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(library_counts().calls, 0);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
}

static void *completes(void *data) {
  job_echo(data);
  return NULL;
}

/* The second to come frees it, once. */
GIVEN(a_small_start, detach_and_end_at_the_same_time) {
  for (int i = 0; i < 200; i++) {
    pillion_task task = submit(blank, sizeof blank);
    struct pillion__job job = take_one();
    pthread_t thread = thread_start(completes, &job);
    if (i % 2) sched_yield();
    assert_ok(pillion_task_detach(task));
    pthread_join(thread, NULL);
    assert_int_equal(library_counts().calls, 0);
    assert_int_equal(library_counts().payloads, 0);
  }
}

static void *publishes_late(void *data) {
  struct waiter *waiter = data;
  for (int i = 0; i < 1000; i++) sched_yield();
  atomic_store(&waiter->done, 1);
  atomic_store(&pillion__call_at(pillion__slot_of(waiter->task))->wakeup, 1);
  return NULL;
}

/* The call has ended, and its publisher stands still before it says so. */
GIVEN(a_small_start, detach_waits_for_the_publisher) {
  struct waiter waiter = {.task = submit("x", 1)};
  struct pillion__job job = take_one();
  job.call->length = 0; /* the result's; it overwrites the deadline */
  atomic_fetch_or(&job.call->state, PILLION__CALL_DONE);
  atomic_fetch_sub(&pillion__calls_running, 1);
  pthread_t thread = thread_start(publishes_late, &waiter);
  assert_ok(pillion_task_detach(waiter.task));
  assert_int_equal(atomic_load(&waiter.done), 1);
  pthread_join(thread, NULL);
}

/* ---- With a dispatcher --------------------------------------------------- */

static void *calls_many(void *data) {
  struct waiter *waiter = data;
  for (uint32_t i = 0; i < 300; i++) {
    pillion_value value;
    char request[60];
    size_t length = i % sizeof request;
    memset(request, (int)i, sizeof request);
    int rc = pillion_call_wait(&value, echo, request, length,
                               PILLION_TIME_NEVER);
    if (rc == PILLION_EAGAIN) { /* the ring has two places */
      sched_yield();
      i--;
      continue;
    }
    if (rc != 0 || value.status != 0 || value.length != length ||
        memcmp(pillion_value_data(&value), request, length) != 0)
      atomic_store(&waiter->rc, 1);
    pillion_value_drop(&value);
  }
  return NULL;
}

GIVEN(a_small_start, many_threads_call_and_wait) {
  struct waiter waiters[4];
  pthread_t threads[COUNT(waiters)];
  memset(waiters, 0, sizeof waiters);
  guest_dispatch();
  for (size_t i = 0; i < COUNT(waiters); i++)
    threads[i] = thread_start(calls_many, &waiters[i]);
  for (size_t i = 0; i < COUNT(waiters); i++) {
    pthread_join(threads[i], NULL);
    assert_ok(waiters[i].rc);
  }
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER));
}

/* ---- Start and shutdown -------------------------------------------------- */

GIVEN(a_small_start, limits_of_the_start_are_kept) {
  pillion_task tasks[2];
  pillion_value value;
  tasks[0] = submit(blank, 100);
  struct pillion__job job = take_one();
  job_echo(&job);
  assert_ok(pillion_task_wait(&value, tasks[0], 0));
  pillion_value_drop(&value);
  char large[101] = {0};
  assert_int_equal(pillion_call_submit(NULL, 0, echo, large, 101, 0, 0),
                   PILLION_EMSGSIZE);

  /* A ring of one entry could not tell full from empty: it has two. */
  tasks[0] = submit("a", 1);
  tasks[1] = submit("b", 1);
  assert_int_equal(pillion_call_submit(NULL, 0, echo, "c", 1, 0, 0),
                   PILLION_EAGAIN);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 2);
  for (int i = 0; i < 2; i++) assert_true(job_take_up(&jobs[i]));
  /* The ring is empty now, but max_calls is two. */
  assert_int_equal(pillion_call_submit(NULL, 0, echo, "c", 1, 0, 0),
                   PILLION_EAGAIN);
  for (int i = 0; i < 2; i++) {
    job_echo(&jobs[i]);
    assert_ok(pillion_task_wait(&value, tasks[i], 0));
    assert_memory_equal(pillion_value_data(&value), i == 0 ? "a" : "b", 1);
  }
}

GIVEN(a_small_start, start_compares_versions_and_changes_nothing_later) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  char why[200] = "";
  options.ring = 1024;
  assert_ok(pillion_start(&options, why, sizeof why));
  assert_ok(pillion_start(NULL, NULL, 0));
  options.version++; /* another patch fits */
  assert_ok(pillion_start(&options, why, sizeof why));
  options.version = 7 << 16 | 5 << 8 | 3;
  assert_int_equal(pillion_start(&options, why, sizeof why), PILLION_EVERSION);
  assert_non_null(strstr(why, "the header of version 7.5.3"));
  options = (pillion_start_options)PILLION_START_OPTIONS_INIT;
  options.ring = 1000;
  assert_int_equal(pillion_start(&options, NULL, 0), PILLION_EINVAL);
  options.ring = 0;
  options.size = 4;
  assert_int_equal(pillion_start(&options, NULL, 0), PILLION_EINVAL);
}

GIVEN(a_small_start, shutdown_drains) {
  pillion_executor ex = executor_new();
  pillion_task task = submit("x", 1);
  struct pillion__job job = take_one();
  int stops = guest.stops;
  assert_int_equal(pillion_shutdown(7, 0), PILLION_EINVAL);
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_DRAIN, 0), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_call_submit(NULL, 0, echo, "x", 1, 0, 0),
                   PILLION_ECLOSED);
  assert_int_equal(guest.stops, stops);
  job_echo(&job);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, 0));
  assert_int_equal(guest.stops, stops + 1);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), -1);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, 0)); /* it is down already */
  assert_int_equal(guest.stops, stops + 1);

  pillion_value value; /* a shutdown keeps results */
  assert_ok(pillion_task_wait(&value, task, 0));
  struct probe probe = {.ready_at = 1}; /* and C's tasks go on */
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  executor_free(ex);
  ex = executor_new(); /* starts nothing */
  pillion_function again;
  assert_int_equal(pillion_call_submit(NULL, ex, echo, "x", 1, 0, 0),
                   PILLION_ECLOSED);
  assert_ok(pillion_function_find(&again, "test.echo"));
  assert_int_equal(again, echo);
  executor_free(ex);
}

GIVEN(a_small_start, shutdown_cancels_calls_of_executors_too) {
  pillion_executor ex = executor_new();
  pillion_task task;
  assert_ok(pillion_call_submit(&task, ex, echo, "x", 1, 7, PILLION_EVENT));
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, 0));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 7);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_false(job_take_up(&jobs[0]));
  executor_free(ex);
}

GIVEN(a_small_start, start_after_a_shutdown_timed_out) {
  pillion_task task = submit("x", 1);
  struct pillion__job job = take_one();
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_DRAIN, 0), PILLION_ETIMEDOUT);
  executor_free(executor_new()); /* doesn't undo it */
  assert_int_equal(pillion_call_submit(NULL, 0, echo, "x", 1, 0, 0),
                   PILLION_ECLOSED);
  assert_ok(pillion_start(NULL, NULL, 0)); /* does */
  pillion_task other = submit("y", 1);
  assert_ok(pillion_task_detach(other));
  job_echo(&job);
  job = take_one();
  job_echo(&job);
  assert_ok(pillion_task_detach(task));
}

GIVEN(a_small_start, shutdown_cancels) {
  pillion_task running = submit("r", 1);
  struct pillion__job job = take_one();
  pillion_task new = submit("n", 1);
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_CANCEL, 0),
                   PILLION_ETIMEDOUT);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 2);
  assert_int_equal(jobs[0].news, PILLION__NEWS_CANCEL);
  assert_false(job_take_up(&jobs[1]));
  pillion__call_complete(job.call, PILLION_ECANCELLED,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, 0));
  pillion_value value;
  assert_ok(pillion_task_wait(&value, running, 0));
  assert_int_equal(value.status, PILLION_ECANCELLED);
  assert_ok(pillion_task_wait(&value, new, 0));
  assert_int_equal(value.status, PILLION_ECANCELLED);
}

/* The ring never closes its own descriptor. So a late poke can't reach a file
   that has got the same number. */
GIVEN(a_small_start, late_poke_meets_no_closed_descriptor) {
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, 0));
  int pipes[2]; /* they take the numbers that are free */
  assert_ok(pipe2(pipes, O_NONBLOCK));
  pillion__ring_poke();
  char byte;
  assert_int_equal(read(pipes[0], &byte, 1), -1);
  assert_ok(pillion_start(NULL, NULL, 0));
  struct pollfd watched = {pillion__ring_fd(), POLLIN, 0};
  assert_int_equal(poll(&watched, 1, 0), 1); /* Go's next copy has it */
  close(pipes[0]);
  close(pipes[1]);
}

GIVEN(a_small_start, functions_are_listed_and_described) {
  static const char *const names[] = {"flow.both", "flow.in",   "flow.out",
                                      "test.cpu",  "test.echo", "test.loop"};
  pillion_function all[8] = {0};
  const char *modules[3] = {0};
  assert_int_equal(pillion_function_list(NULL, 0), 6);
  assert_int_equal(pillion_function_list(all, 2), 6);
  assert_int_equal(all[2], 0);
  assert_int_equal(pillion_function_list(all, 8), 6);
  assert_int_equal(all[6], 0);
  for (int i = 0; i < 6; i++) {
    pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
    assert_ok(pillion_function_describe(&info, all[i]));
    assert_string_equal(info.name, names[i]);
    assert_string_equal(info.module, i < 3 ? "flow" : "test");
    pillion_function found;
    assert_ok(pillion_function_find(&found, names[i]));
    assert_int_equal(found, all[i]);
  }
  pillion_function none;
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  assert_int_equal(pillion_function_find(&none, "test.none"),
                   PILLION_ENOTFOUND);
  assert_int_equal(pillion_function_find(&none, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_function_describe(&info, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_module_list(modules, 3), 2);
  assert_string_equal(modules[0], "flow");
  assert_string_equal(modules[1], "test");
}

static int logged, sinks_dropped;

static void hears(int level, const char *text, void *data) {
  if (level == PILLION_LOG_WARNING && data == &logged) logged++;
}

static void sink_dropped(void *data) { sinks_dropped += data == &logged; }

GIVEN(a_small_start, log_sink_is_dropped_once) {
  assert_ok(pillion_log_set(hears, &logged, sink_dropped));
  pillion__log(PILLION_LOG_WARNING, "%s %d", "something", 1);
  assert_int_equal(logged, 1);
  assert_ok(pillion_log_set(hears, NULL, NULL));
  assert_int_equal(sinks_dropped, 1);
  pillion__log(PILLION_LOG_WARNING, "else");
  assert_int_equal(logged, 1);
  assert_ok(pillion_log_set(NULL, NULL, NULL));
  assert_int_equal(sinks_dropped, 1);
}

GIVEN(a_small_start, every_code_has_its_text) {
  for (int code = 0; code >= PILLION_EREQUEST; code--)
    assert_string_not_equal(pillion_strerror(code), "unknown error");
  assert_string_equal(pillion_strerror(1), "unknown error");
  assert_string_equal(pillion_strerror(-1000), "unknown error");
  assert_int_equal(pillion_version(), PILLION_VERSION_NUMBER);
}
