/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of Go functions: results, failures, cancels, batches, waits. */
#include "support.h"

static uint64_t go_entries(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats.go_entries;
}

/* Frees an executor that has run offloaded calls only. */
static void end(pillion_executor ex) {
  assert_int_equal(go_entries(ex), 0);
  executor_free(ex);
}

/* ---- Results ------------------------------------------------------------ */

TEST(results_of_every_length_come_back) {
  static const size_t lengths[] = {0,    1,    23,   24,     25,
                                   4095, 4096, 4097, 100000, 3000000};
  pillion_executor ex = executor_new();
  pillion_function f = function("test.echo");
  char *request = malloc(3000000);
  for (size_t i = 0; i < 3000000; i++) request[i] = (char)(i * 7);
  for (size_t i = 0; i < COUNT(lengths); i++) {
    pillion_event event;
    pillion_value value;
    assert_ok(pillion_call_submit(NULL, ex, f, request, lengths[i], i,
                                  PILLION_EVENT));
    int n;
    while ((n = pillion_executor_turn(&event, 1, NULL, ex, NULL)) == 0)
      assert_true(readable(ex, 10000) > 0);
    assert_int_equal(n, 1);
    assert_int_equal(event.token, i);
    assert_int_equal(event.status, 0);
    assert_int_equal(event.length, lengths[i]);
    assert_memory_equal(pillion_event_data(&event), request, lengths[i]);
    assert_ok(pillion_call_wait(&value, f, request, lengths[i], LONG_ENOUGH));
    assert_int_equal(value.status, 0);
    assert_int_equal(value.length, lengths[i]);
    assert_memory_equal(pillion_value_data(&value), request, lengths[i]);
    pillion_value_drop(&value);
    assert_int_equal(value.length, 0);
  }
  free(request);
  end(ex);
}

TEST(requests_are_copied_before_submit_returns) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  char request[64] = "first";
  pillion_function f = function("test.echo");
  for (uint64_t i = 0; i < 100; i++) {
    snprintf(request, sizeof request, "%s %03d",
             i % 2 ? "short" : "a request that is longer than inline",
             (int)i);
    assert_ok(pillion_call_submit(NULL, ex, f, request, strlen(request), i,
                                  PILLION_EVENT));
    memset(request, '!', sizeof request);
  }
  run(ex, &seen);
  assert_int_equal(seen.count, 100);
  for (size_t i = 0; i < 100; i++) {
    snprintf(request, sizeof request, "%s %03d",
             seen.event[i].token % 2 ? "short"
                                     : "a request that is longer than inline",
             (int)seen.event[i].token);
    assert_string_equal(seen.event[i].bytes, request);
  }
  end(ex);
}

TEST(payloads_stay_until_the_next_turn) {
  pillion_executor ex = executor_new();
  pillion_event events[64];
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  int got = 0;
  for (int i = 0; i < 10; i++)
    submit(ex, "test.big", "1000", i, PILLION_EVENT);
  while (got < 10) {
    assert_true(readable(ex, 10000) > 0);
    int n = pillion_executor_turn(events, 64, NULL, ex, NULL);
    for (int i = 0; i < n; i++) {
      const unsigned char *bytes = pillion_event_data(&events[i]);
      unsigned sum = 0;
      assert_int_equal(events[i].length, 1000);
      for (int j = 0; j < 1000; j++) sum += bytes[j]; /* ASan looks on */
      assert_true(sum < 1000000);
    }
    got += n;
  }
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_ok(pillion_library_count(&counts));
  assert_int_equal(counts.payloads, 0);
  assert_int_equal(counts.calls, 0);
  end(ex);
}

TEST(strings_and_json_reach_their_functions) {
  pillion_value value = ask("test.upper", "größe");
  assert_true(bytes_are(pillion_value_data(&value), value.length, "GRÖSSE") ||
              bytes_are(pillion_value_data(&value), value.length, "GRÖßE"));
  pillion_value_drop(&value);
  value = ask("test.add", "{\"a\":40,\"b\":2}");
  assert_int_equal(value.status, 0);
  assert_true(bytes_are(pillion_value_data(&value), value.length,
                        "{\"sum\":42}"));
  pillion_value_drop(&value);
}

TEST(a_request_that_is_no_json_fails) {
  pillion_value value = ask("test.add", "{\"a\":");
  pillion_failure failure = PILLION_FAILURE_INIT;
  assert_int_equal(value.status, PILLION_EREQUEST);
  assert_ok(pillion_failure_parse(&failure, pillion_value_data(&value),
                                  value.length));
  assert_true(failure.message_length > 0);
  assert_int_equal(failure.code, 0);
  assert_int_equal(failure.stack_length, 0);
  pillion_value_drop(&value);
}

/* ---- Failures ----------------------------------------------------------- */

TEST(an_error_comes_with_code_and_message) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  submit(ex, "test.fail", "it did not work out, for a long reason", 1,
         PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, PILLION_EFAILED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(seen.event[0].code, 42);
  assert_string_equal(seen.event[0].message,
                      "it did not work out, for a long reason");
  assert_int_equal(seen.event[0].stack_length, 0);
  end(ex);
}

TEST(a_message_may_contain_nul_bytes) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  submit(ex, "test.nul", "", 1, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, PILLION_EFAILED);
  assert_int_equal(seen.event[0].message_length, 3);
  assert_memory_equal(seen.event[0].message, "a\0b", 3);
  end(ex);
}

TEST(a_panic_comes_with_message_and_stack) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  for (int i = 0; i < 5; i++)
    submit(ex, "test.panic", "out of fuel", i, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 5);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(seen.event[i].status, PILLION_EPANIC);
    assert_non_null(strstr(seen.event[i].message, "out of fuel"));
    assert_true(seen.event[i].stack_length > 0);
  }
  end(ex);
}

TEST(a_goexit_ends_its_call_and_no_other) {
  pillion_executor ex = executor_new();
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  struct seen seen = {0};
  int echoed = 0;
  for (int i = 0; i < 8; i++)
    submit(ex, "test.goexit", "", 1, PILLION_EVENT);
  for (int i = 0; i < 50; i++)
    submit(ex, "test.echo", "still here", 2, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 58);
  for (size_t i = 0; i < seen.count; i++) {
    if (seen.event[i].token == 1)
      assert_int_equal(seen.event[i].status, PILLION_EGOEXIT);
    else
      echoed += strcmp(seen.event[i].bytes, "still here") == 0;
  }
  assert_int_equal(echoed, 50);
  assert_ok(pillion_library_count(&counts));
  assert_true(counts.workers > 0);
  end(ex);
}

/* ---- Cancels ------------------------------------------------------------ */

TEST(a_cancelled_call_answers_with_its_contexts_error) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.block", "", 1, PILLION_EVENT);
  await_waiting(1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_in_range(pillion_task_cancel(task), 1, 2); /* it may have ended */
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  await_waiting(0);
  end(ex);
}

TEST(a_call_that_ignores_the_cancel_returns) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.stubborn", "", 1, PILLION_EVENT);
  await_waiting(1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 0); /* its end is not told yet */
  pillion_value value = ask("test.release", "");
  pillion_value_drop(&value);
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, 0);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  end(ex);
}

TEST(a_call_cancelled_at_once_is_cancelled) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  int unstarted = 0;
  for (int i = 0; i < 500; i++) {
    pillion_task task = submit(ex, "test.block", "", i, PILLION_EVENT);
    assert_int_equal(pillion_task_cancel(task), 0);
  }
  run(ex, &seen);
  assert_int_equal(seen.count, 500);
  for (size_t i = 0; i < 500; i++) {
    assert_int_equal(seen.event[i].status, PILLION_ECANCELLED);
    assert_in_range(seen.event[i].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                    PILLION_OUTCOME_CANCELLED_RUNNING);
    unstarted +=
        seen.event[i].outcome == PILLION_OUTCOME_CANCELLED_UNSTARTED;
  }
  assert_true(unstarted > 0);
  await_waiting(0);
  end(ex);
}

TEST(a_call_that_has_ended_cannot_be_cancelled) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  assert_true(readable(ex, 10000) > 0);
  assert_int_equal(pillion_task_cancel(task), 2);
  run(ex, &seen);
  assert_int_equal(seen.event[0].status, 0);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  end(ex);
}

static int cancel_all(void *arg) {
  pillion_task *tasks = arg;
  int bad = 0;
  for (int i = 0; i < 200; i++) {
    int rc = pillion_task_cancel(tasks[i]);
    bad += rc < 0 && rc != PILLION_EBADHANDLE;
  }
  return bad;
}

TEST(cancels_race_with_results) {
  pillion_executor ex = executor_new();
  struct seen *seen = calloc(1, sizeof *seen);
  pillion_task tasks[200];
  for (int round = 0; round < 20; round++) {
    struct on_thread job = {cancel_all, tasks, -1};
    pthread_t thread;
    seen->count = 0;
    for (int i = 0; i < 200; i++)
      tasks[i] = submit(ex, i % 2 ? "test.echo" : "test.block", "", i,
                        PILLION_EVENT);
    assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
    run(ex, seen);
    assert_ok(pthread_join(thread, NULL));
    assert_ok(job.result);
    assert_int_equal(seen->count, 200); /* each ends once */
    for (size_t i = 0; i < 200; i++)
      if (seen->event[i].token % 2 == 0)
        assert_int_equal(seen->event[i].status, PILLION_ECANCELLED);
  }
  free(seen);
  end(ex);
}

/* ---- How results travel ------------------------------------------------- */

struct parent {
  pillion_task child;
  int rc, polls;
  pillion_value got;
};

static int parent_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct parent *parent = self;
  parent->polls++;
  parent->rc = pillion_join(&parent->got, cx, parent->child);
  if (parent->rc == PILLION_PENDING) return PILLION_PENDING;
  pillion_value_set(out, "joined", 6);
  return PILLION_READY;
}

static const pillion_future parent_future = {sizeof(pillion_future),
                                             parent_poll, NULL};

TEST(a_c_task_joins_a_call) {
  pillion_executor ex = executor_new();
  struct parent parent = {0}, failed = {0};
  struct seen seen = {0};
  parent.child = submit(ex, "test.big", "5000", 1, PILLION_JOIN);
  failed.child = submit(ex, "test.fail", "no", 1, PILLION_JOIN);
  assert_ok(pillion_task_spawn(NULL, ex, &parent_future, &parent, 2,
                               PILLION_EVENT));
  assert_ok(pillion_task_spawn(NULL, ex, &parent_future, &failed, 3,
                               PILLION_EVENT));
  run(ex, &seen);
  assert_int_equal(seen.count, 2);
  assert_in_range(parent.polls, 1, 2);
  assert_int_equal(parent.rc, PILLION_READY);
  assert_int_equal(parent.got.status, 0);
  assert_int_equal(parent.got.length, 5000);
  pillion_value_drop(&parent.got);
  assert_int_equal(failed.got.status, PILLION_EFAILED);
  pillion_value_drop(&failed.got);
  end(ex);
}

TEST(unjoined_and_detached_results_are_thrown_away) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_task joinable = submit(ex, "test.big", "5000", 1, PILLION_JOIN);
  pillion_task later = submit(ex, "test.block", "", 1, PILLION_JOIN);
  submit(ex, "test.big", "5000", 2, PILLION_DETACH);
  assert_ok(pillion_task_detach(joinable));
  assert_int_equal(pillion_task_detach(later), 0);
  pillion_task_cancel(later);
  run(ex, &seen);
  assert_int_equal(seen.count, 0);
  /* A result that is never joined goes with its executor. */
  submit(ex, "test.big", "5000", 1, PILLION_JOIN);
  assert_true(readable(ex, 10000) > 0);
  turn(ex, &seen, NULL);
  end(ex);
}

TEST(an_event_call_cannot_be_detached) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  assert_int_equal(pillion_task_detach(task), PILLION_EINVAL);
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  end(ex);
}

/* ---- Batches ------------------------------------------------------------ */

TEST(a_batch_is_submitted_in_order) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_call calls[100];
  pillion_task tasks[100];
  char base[100 * 40];
  for (size_t i = 0; i < 100; i++) {
    calls[i].function = function(i % 3 ? "test.echo" : "test.upper");
    calls[i].token = i;
    calls[i].request = i * 40;
    calls[i].length = (uint64_t)snprintf(base + i * 40, 40, "request %zu%s", i,
                                         i % 2 ? " that is long enough" : "");
  }
  assert_int_equal(
      pillion_call_batch(tasks, ex, calls, 100, base, PILLION_EVENT), 100);
  run(ex, &seen);
  assert_int_equal(seen.count, 100);
  for (size_t i = 0; i < 100; i++) {
    size_t token = (size_t)seen.event[i].token;
    assert_int_equal(seen.event[i].status, 0);
    assert_int_equal(seen.event[i].length, calls[token].length);
    assert_true(seen.event[i].task == tasks[token]);
    if (token % 3)
      assert_memory_equal(seen.event[i].bytes, base + token * 40,
                          calls[token].length);
  }
  end(ex);
}

TEST(a_batch_stops_at_what_is_refused) {
  pillion_executor ex = executor_new();
  struct seen seen = {0};
  pillion_function f = function("test.echo");
  pillion_call calls[4] = {{f, 0, 0, 0}, {f, 1, 0, 0}, {77, 2, 0, 0},
                           {f, 3, 0, 0}};
  assert_int_equal(pillion_call_batch(NULL, ex, calls, 4, NULL, PILLION_EVENT),
                   2);
  assert_int_equal(
      pillion_call_batch(NULL, ex, calls + 2, 2, NULL, PILLION_EVENT),
      PILLION_EBADHANDLE);
  run(ex, &seen);
  assert_int_equal(seen.count, 2);
  end(ex);
}

TEST(over_max_calls_a_submit_is_asked_to_come_again) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  struct seen seen = {0};
  pillion_function f = function("test.block");
  pillion_call calls[5];
  for (int i = 0; i < 5; i++) calls[i] = (pillion_call){f, i, 0, 0};
  options.max_calls = 3;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  assert_int_equal(pillion_call_batch(NULL, ex, calls, 5, NULL, PILLION_EVENT),
                   3);
  assert_int_equal(
      pillion_call_submit(NULL, ex, f, "", 0, 0, PILLION_EVENT),
      PILLION_EAGAIN);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  run(ex, &seen);
  assert_int_equal(seen.count, 3);
  end(ex);
}

/* ---- Waits -------------------------------------------------------------- */

TEST(a_wait_ends_when_its_time_is_up) {
  pillion_value value;
  assert_int_equal(
      pillion_call_wait(&value, function("test.block"), "", 0, 2 * MS),
      PILLION_ETIMEDOUT);
  await_waiting(0); /* the timeout has cancelled the call */
  pillion_task task = submit(0, "test.block", "", 0, PILLION_JOIN);
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_task_wait(&value, task, -1), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_task_wait(&value, task, MS), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_ok(pillion_task_wait(&value, task, LONG_ENOUGH));
  assert_int_equal(value.status, PILLION_ECANCELLED);
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_EBADHANDLE);
}

TEST(whoever_gives_up_cancels_and_detaches) {
  pillion_task task = submit(0, "test.block", "", 0, PILLION_JOIN);
  await_waiting(1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_ok(pillion_task_detach(task));
  await_waiting(0);
  task = submit(0, "test.stubborn", "", 0, PILLION_JOIN);
  await_waiting(1);
  assert_ok(pillion_task_detach(task));
  pillion_value value = ask("test.release", "");
  pillion_value_drop(&value);
  await_waiting(0);
}

TEST(waits_fail_as_their_functions_do) {
  static const struct {
    const char *name;
    int status;
  } cases[] = {{"test.fail", PILLION_EFAILED},
               {"test.panic", PILLION_EPANIC},
               {"test.goexit", PILLION_EGOEXIT},
               {"test.add", PILLION_EREQUEST},
               {"test.nul", PILLION_EFAILED}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    pillion_value value = ask(cases[i].name, "why");
    pillion_failure failure = PILLION_FAILURE_INIT;
    assert_int_equal(value.status, cases[i].status);
    assert_ok(pillion_failure_parse(&failure, pillion_value_data(&value),
                                    value.length));
    pillion_value_drop(&value);
  }
}

static int wait_a_lot(void *arg) {
  pillion_function f = *(pillion_function *)arg;
  int bad = 0;
  for (uint64_t i = 0; i < 300; i++) {
    pillion_value value;
    uint64_t request[8] = {i, (uintptr_t)&value};
    size_t length = i % 2 ? sizeof request : 16;
    bad += pillion_call_wait(&value, f, request, length, LONG_ENOUGH) != 0;
    bad += value.status != 0 || value.length != length ||
           memcmp(pillion_value_data(&value), request, length) != 0;
    pillion_value_drop(&value);
  }
  return bad;
}

TEST(many_threads_wait_at_once) {
  pillion_function f = function("test.echo");
  struct on_thread jobs[16];
  pthread_t threads[16];
  for (int i = 0; i < 16; i++) {
    jobs[i] = (struct on_thread){wait_a_lot, &f, -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  for (int i = 0; i < 16; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
  }
}

struct waiter {
  pillion_task task;
  _Atomic int waits;
};

static int wait_for_it(void *arg) {
  struct waiter *waiter = arg;
  pillion_value value;
  int rc;
  do rc = pillion_task_wait(&value, waiter->task, LONG_ENOUGH);
  while (rc == PILLION_EBUSY); /* the other waits */
  return rc < 0 ? rc : value.status;
}

TEST(one_waits_at_a_time) {
  struct waiter waiter = {submit(0, "test.block", "", 0, PILLION_JOIN), 0};
  struct on_thread job = {wait_for_it, &waiter, -1};
  pillion_value value;
  pthread_t thread;
  int rc;
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  do rc = pillion_task_wait(&value, waiter.task, 0);
  while (rc == PILLION_ETIMEDOUT && sched_yield() == 0);
  assert_int_equal(rc, PILLION_EBUSY);
  assert_int_equal(pillion_task_cancel(waiter.task), 0);
  assert_ok(pthread_join(thread, NULL));
  assert_int_equal(job.result, PILLION_ECANCELLED);
}

static void on_alarm(int signal) { (void)signal; }

static int interrupt_until(void *arg) {
  struct waiter *waiter = arg;
  while (!waiter->waits) sched_yield();
  while (waiter->waits == 1) {
    pthread_kill((pthread_t)waiter->task, SIGUSR2);
    sched_yield();
  }
  return 0;
}

TEST(a_signal_interrupts_task_wait_but_not_call_wait) {
  struct sigaction action, old;
  struct waiter interrupter = {(pillion_task)pthread_self(), 0};
  struct on_thread job = {interrupt_until, &interrupter, -1};
  pthread_t thread;
  pillion_value value;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  action.sa_flags = SA_ONSTACK;
  assert_ok(sigaction(SIGUSR2, &action, &old));
  pillion_task task = submit(0, "test.block", "", 0, PILLION_JOIN);
  pillion_function block = function("test.block");
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  interrupter.waits = 1;
  assert_int_equal(pillion_task_wait(&value, task, LONG_ENOUGH),
                   PILLION_EINTR);
  assert_int_equal(pillion_call_wait(&value, block, "", 0, 20 * MS),
                   PILLION_ETIMEDOUT);
  interrupter.waits = 2;
  assert_ok(pthread_join(thread, NULL));
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_ok(pillion_task_wait(&value, task, LONG_ENOUGH));
  assert_ok(sigaction(SIGUSR2, &old, NULL));
}

/* ---- On the loop -------------------------------------------------------- */

GIVEN(an_executor, loop_functions_run_in_the_turns) {
  struct seen seen = {0};
  static const struct {
    const char *name, *request;
    int status;
  } cases[] = {{"test.loop_echo", "a request of more than a few bytes", 0},
               {"test.loop_yield", "5", 0},
               {"test.loop_sleep", "1000000", 0},
               {"test.loop_fail", "no", PILLION_EFAILED},
               {"test.loop_panic", "ouch", PILLION_EPANIC},
               {"test.loop_goexit", "", PILLION_EGOEXIT},
               {"test.json_loop", "no", PILLION_EREQUEST},
               {"test.json_async", "no", PILLION_EREQUEST}};
  for (size_t i = 0; i < COUNT(cases); i++)
    submit(ex, cases[i].name, cases[i].request, i, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, COUNT(cases));
  for (size_t i = 0; i < seen.count; i++) {
    size_t c = seen.event[i].token;
    if (seen.event[i].status != cases[c].status)
      print_error("%s: %d\n", cases[c].name, seen.event[i].status);
    assert_int_equal(seen.event[i].status, cases[c].status);
    if (c == 0) assert_string_equal(seen.event[i].bytes, cases[c].request);
    if (c == 4) assert_non_null(strstr(seen.event[i].message, "ouch"));
    if (c == 4) assert_true(seen.event[i].stack_length > 0);
  }
  assert_true(go_entries(ex) > 0);
}

GIVEN(an_executor, loop_functions_are_cancelled) {
  struct seen seen = {0};
  pillion_task unstarted = submit(ex, "test.loop_block", "", 1, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(unstarted), 0);
  pillion_task running = submit(ex, "test.loop_block", "", 2, PILLION_EVENT);
  for (int i = 0; i < 3; i++) turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].token, 1);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(pillion_task_cancel(running), 0);
  run(ex, &seen);
  assert_int_equal(seen.event[1].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[1].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(an_executor, an_executor_with_coroutines_cannot_move) {
  struct seen seen = {0};
  pillion_task task = submit(ex, "test.loop_block", "", 2, PILLION_EVENT);
  for (int i = 0; i < 3; i++) turn(ex, &seen, NULL);
  assert_int_equal(pillion_executor_release(ex), PILLION_EBUSY);
  pillion_task_cancel(task);
  run(ex, &seen);
  assert_ok(pillion_executor_release(ex));
}

GIVEN(an_executor, go_is_entered_once_a_turn_at_most) {
  struct seen seen = {0};
  for (int i = 0; i < 30; i++)
    submit(ex, "test.loop_yield", "20", i, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 30);
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  assert_true(stats.go_entries >= 20);
  assert_true(stats.go_entries <= stats.turns);
}

/* ---- Submitting threads, and the end of everything ---------------------- */

struct submitter {
  pillion_executor ex;
  pillion_function f;
};

static int submit_many(void *arg) {
  struct submitter *s = arg;
  int bad = 0;
  for (uint64_t i = 0; i < 500; i++)
    bad += pillion_call_submit(NULL, s->ex, s->f, &i, sizeof i, i,
                               PILLION_EVENT) != 0;
  return bad;
}

TEST(any_thread_may_submit) {
  struct submitter s = {executor_new(), function("test.echo")};
  struct on_thread jobs[4];
  pthread_t threads[4];
  struct seen *seen = calloc(1, sizeof *seen);
  assert_ok(pillion_executor_bind(s.ex));
  for (int i = 0; i < 4; i++) {
    jobs[i] = (struct on_thread){submit_many, &s, -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  while (seen->count < 2000) {
    assert_true(readable(s.ex, 10000) > 0);
    turn(s.ex, seen, NULL);
  }
  for (int i = 0; i < 4; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
  }
  run(s.ex, seen);
  assert_int_equal(seen->count, 2000);
  free(seen);
  end(s.ex);
}

TEST(an_executor_is_freed_with_everything_in_flight) {
  pillion_executor ex = executor_new();
  struct probe probes[20];
  struct seen seen = {0};
  memset(probes, 0, sizeof probes);
  for (int i = 0; i < 20; i++) {
    spawn(ex, &probes[i], i, (uint32_t)i % 3);
    submit(ex, "test.block", "", i, (uint32_t)i % 3);
    submit(ex, "test.big", "2000", i, (uint32_t)i % 3);
    submit(ex, "test.loop_block", "", i, (uint32_t)i % 3);
    submit(ex, "test.loop_sleep", "3600000000000", i, (uint32_t)i % 3);
  }
  for (int i = 0; i < 4; i++) turn(ex, &seen, NULL);
  for (int i = 0; i < 20; i++) submit(ex, "test.big", "2000", i, PILLION_EVENT);
  for (int i = 0; i < 20; i++)
    submit(ex, "test.loop_block", "", i, PILLION_EVENT);
  executor_free(ex);
  for (int i = 0; i < 20; i++) assert_int_equal(probes[i].drops, 1);
  await_waiting(0); /* the free has cancelled all of them */
}

TEST(an_executor_is_freed_over_and_over) {
  for (int i = 0; i < 300; i++) {
    pillion_executor ex = executor_new();
    struct seen seen = {0};
    submit(ex, "test.echo", "x", 1, PILLION_EVENT);
    submit(ex, "test.loop_echo", "y", 2, PILLION_EVENT);
    if (i % 3 == 1) turn(ex, &seen, NULL);
    if (i % 3 == 2) run(ex, &seen);
    if (i % 3 == 2) assert_int_equal(seen.count, 2);
    executor_free(ex);
  }
}

/* Threads use handles while their owner frees what these stand for. */
struct race {
  _Atomic uint64_t ex, waker;
  _Atomic int stop;
  pillion_function functions[4];
};

static int use_what_is_freed(void *arg) {
  struct race *race = arg;
  int bad = 0;
  for (unsigned i = 0; !race->stop; i++) {
    pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
    pillion_task task = 0;
    pillion_executor ex = race->ex;
    int rc = ex == 0 ? PILLION_EBADHANDLE
                     : pillion_call_submit(&task, ex, race->functions[i % 4],
                                           "0123456789012345678901234567890",
                                           i % 32, i, i % 3);
    bad += rc != 0 && rc != PILLION_EBADHANDLE && rc != PILLION_ECLOSED;
    if (rc == 0 && i % 2 == 0) {
      rc = pillion_task_cancel(task);
      bad += rc < 0 && rc != PILLION_EBADHANDLE;
    }
    rc = pillion_wake(race->waker);
    bad += rc < 0 && rc != PILLION_EBADHANDLE;
    if (i % 64 == 0) pillion_executor_stat(&stats, ex);
    if (i % 512 == 0) pillion_executor_close(ex, PILLION_CLOSE_CANCEL);
  }
  return bad;
}

TEST(free_races_with_everything) {
  struct race race = {0, 0, 0,
                      {function("test.echo"), function("test.loop_yield"),
                       function("test.block"), function("test.loop_block")}};
  struct on_thread jobs[3];
  pthread_t threads[3];
  struct seen *seen = calloc(1, sizeof *seen);
  for (int i = 0; i < 3; i++) {
    jobs[i] = (struct on_thread){use_what_is_freed, &race, -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  for (int i = 0; i < 300; i++) {
    struct probe probe = {0};
    pillion_executor ex = executor_new();
    spawn(ex, &probe, 0, PILLION_EVENT);
    turn(ex, seen, NULL);
    race.waker = probe.waker;
    race.ex = ex;
    for (int j = 0; j < i % 8; j++) {
      readable(ex, 1);
      turn(ex, seen, NULL);
    }
    executor_free(ex);
    assert_int_equal(probe.drops, 1);
  }
  race.stop = 1;
  for (int i = 0; i < 3; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
  }
  free(seen);
  await_waiting(0);
}
