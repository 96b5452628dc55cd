/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* ---- Fixtures and the end ------------------------------------------------ */

pillion_executor ex;

void an_executor(void) { ex = executor_new(); }

pillion_library_counts library_counts(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  return counts;
}

/* A failed test may have left tasks in its frame, which is gone: their executor
   can't be freed. */
int free_executor(void **state) {
  if (test_passed && ex != 0) executor_free(ex);
  ex = 0;
  return 0;
}

/* The library counts nothing that lives. */
int nothing_lives(void **state) {
  int rc = pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH);
  if (rc < 0) print_error("shutdown: %s\n", pillion_strerror(rc));
  pillion_library_counts counts = library_counts();
  if (rc == 0 && counts.executors == 0 && counts.tasks == 0 &&
      counts.calls == 0 && counts.payloads == 0 && counts.watches == 0 &&
      counts.pools == 0)
    return 0;
  print_error("left: %" PRIu64 " executors, %" PRIu64 " tasks, %" PRIu64
              " calls, %" PRIu64 " payloads, %" PRIu64 " watches, %" PRIu64
              " pools\n",
              counts.executors, counts.tasks, counts.calls, counts.payloads,
              counts.watches, counts.pools);
  return 1;
}

int start_clock(void **state) {
  alarm(120);
  return 0;
}

int test_main(void) {
  return run_all_tests(start_clock, free_executor, nothing_lives);
}

__attribute__((weak)) int main(void) { return test_main(); }

/* ---- Calls -------------------------------------------------------------- */

pillion_function function(const char *name) {
  pillion_function f = 0;
  int rc = pillion_function_find(&f, name);
  if (rc < 0) print_error("%s: %s\n", name, pillion_strerror(rc));
  assert_ok(rc);
  return f;
}

pillion_value ask(const char *name, const char *request) {
  pillion_value value;
  memset(&value, 0, sizeof value);
  assert_ok(pillion_call_wait(&value, function(name), request, strlen(request),
                              LONG_ENOUGH));
  return value;
}

long ask_number(const char *name, const char *request) {
  pillion_value value = ask(name, request);
  char text[32] = "";
  assert_int_equal(value.status, 0);
  assert_true(value.length < sizeof text);
  memcpy(text, pillion_value_data(&value), value.length);
  pillion_value_drop(&value);
  return strtol(text, NULL, 10);
}

void await_waiting(long n) {
  while (ask_number("test.waiting", "") != n) sched_yield();
}

pillion_task submit(pillion_executor ex, const char *name, const char *request,
                    uint64_t token, uint32_t flags) {
  pillion_task task = 0;
  assert_ok(pillion_call_submit(&task, ex, function(name), request,
                                strlen(request), token, flags));
  assert_true(task != 0);
  return task;
}

int bytes_are(const void *data, uint64_t length, const char *text) {
  return length == strlen(text) && memcmp(data, text, length) == 0;
}

/* ---- Executors and events ----------------------------------------------- */

void see(const pillion_event *event, void *data) {
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
  memcpy(seen->event[i].bytes, bytes, event->length < 95 ? event->length : 95);
  if (event->status < 0 &&
      pillion_failure_parse(&failure, bytes, event->length) == 0) {
    seen->event[i].code = failure.code;
    seen->event[i].message_length = failure.message_length;
    seen->event[i].stack_length = failure.stack_length;
    memcpy(seen->event[i].message, failure.message,
           failure.message_length < 95 ? failure.message_length : 95);
  }
}

pillion_executor executor_new(void) {
  pillion_executor ex = 0;
  assert_ok(pillion_executor_new(&ex, NULL, NULL, 0));
  assert_true(ex != 0);
  return ex;
}

void executor_free(pillion_executor executor) {
  if (executor == ex) ex = 0;
  assert_ok(pillion_executor_free(executor));
}

pillion_executor_stats stats_of(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats;
}

void run(pillion_executor ex, struct seen *seen) {
  assert_ok(pillion_poll_run(ex, see, seen));
}

int turn(pillion_executor ex, struct seen *seen, pillion_progress *progress) {
  pillion_event events[64];
  int n = pillion_executor_turn(events, COUNT(events), progress, ex, NULL);
  for (int i = 0; i < n; i++) see(&events[i], seen);
  return n;
}

int readable(pillion_executor ex, int timeout_ms) {
  struct pollfd pfd = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&pfd.fd, ex));
  return poll(&pfd, 1, timeout_ms);
}

/* ---- Futures ------------------------------------------------------------ */

int probe_poll(pillion_value *out, pillion_context *cx, void *self) {
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

void probe_drop(void *self) {
  ((struct probe *)self)->drops++;
  ((struct probe *)self)->dropped_by = pthread_self();
}

const pillion_future probing = {sizeof probing, probe_poll, probe_drop};

pillion_task spawn(pillion_executor ex, struct probe *probe, uint64_t token,
                   uint32_t flags) {
  probe->ex = ex;
  assert_ok(
      pillion_task_spawn(&probe->task, ex, &probing, probe, token, flags));
  return probe->task;
}

/* ---- A sleep, and when it was --------------------------------------------- */

static int doze_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct doze *doze = self;
  PILLION_ASYNC(doze->state);
  doze->began = cx->now;
  PILLION_AWAIT(doze->state, pillion_sleep(&doze->timer, cx, doze->ns));
  doze->woke = pillion_adapter_now();
  pillion_value_set(out, "", 0);
  PILLION_RETURN(doze->state);
  PILLION_ASYNC_END;
}

const pillion_future dozing = {sizeof dozing, doze_poll, NULL};

/* ---- Threads and processes ---------------------------------------------- */

void *on_thread_main(void *data) {
  struct on_thread *job = (struct on_thread *)data;
  job->result = job->fn(job->arg);
  return NULL;
}

int on_thread(int (*fn)(void *arg), void *arg) {
  struct on_thread job = {fn, arg, 0};
  pthread_t thread;
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  assert_ok(pthread_join(thread, NULL));
  return job.result;
}

int run_self(const char *argument) {
  int status = 0;
  start_clock(NULL); /* its limit is that of a whole program */
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
