/* SPDX-License-Identifier: Apache-2.0 */

/* A forked child gets PILLION_EFORKED from everything, and touches nothing. */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "support.h"

static pillion_function echo;
static struct probe probe;
static pillion_task call;

/* Calls every function of pillion.h. Answers 0 if all of them refuse, and
   otherwise the number of the first that doesn't. */
static int everything_is_refused(void) {
  int fd, at = 0;
  int64_t deadline;
  uint64_t live;
  const char *name;
  pillion_executor new;
  pillion_function f;
  pillion_value value;
  pillion_failure failure = PILLION_FAILURE_INIT;
  pillion_event event;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  pillion_call batch = {echo, 0, 0, 0};
  const int codes[] = {
      pillion_start(NULL, NULL, 0),
      pillion_shutdown(PILLION_CLOSE_DRAIN, 0),
      pillion_log_set(NULL, NULL, NULL),
      pillion_log_take(NULL, 0, 0, 0, 0),
      pillion_library_count(&counts),
      pillion_executor_new(&new, NULL, NULL, 0),
      pillion_executor_fd(&fd, ex),
      pillion_executor_deadline(&deadline, ex),
      pillion_executor_live(&live, ex),
      pillion_executor_turn(&event, 1, NULL, ex, NULL),
      pillion_host_set(ex, NULL),
      pillion_host_epoll(&fd, ex),
      pillion_executor_bind(ex),
      pillion_executor_release(ex),
      pillion_executor_close(ex, PILLION_CLOSE_CANCEL),
      pillion_executor_free(ex),
      pillion_executor_stat(&stats, ex),
      pillion_function_find(&f, "test.echo"),
      pillion_function_list(&f, 1),
      pillion_function_describe(&info, echo),
      pillion_module_list(&name, 1),
      pillion_call_submit(NULL, ex, echo, "x", 1, 0, 0),
      pillion_call_batch(NULL, ex, &batch, 1, "", 0),
      pillion_call_wait(&value, echo, "x", 1, 0),
      pillion_failure_parse(&failure, "0123456789abcdef", 16),
      pillion_task_spawn(NULL, ex, &probing, &probe, 0, 0),
      pillion_task_cancel(probe.task),
      pillion_task_cancel(call),
      pillion_task_detach(probe.task),
      pillion_task_detach(call),
      pillion_task_evict(probe.task),
      pillion_task_wait(&value, call, 0),
      pillion_wake(probe.waker),
      pillion_wake_local(probe.waker),
  };
  for (; at < (int)COUNT(codes); at++)
    if (codes[at] != PILLION_EFORKED) return 1 + at;
  if (pillion_version() != PILLION_VERSION_NUMBER) return 100;
  if (pillion_strerror(PILLION_EFORKED) == NULL) return 101;
  return 0;
}

static void *ends(void *data) { return data; }

static int in_child(void) {
  int rc = everything_is_refused();
  pthread_t thread; /* its end must touch nothing, too */
  if (rc == 0 && pthread_create(&thread, NULL, ends, NULL) == 0)
    pthread_join(thread, NULL);
  return rc != 0 ? rc : everything_is_refused();
}

static int exit_code(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void end_call(void) {
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  job_echo(&jobs[0]);
  assert_ok(pillion_task_detach(call));
}

static void a_task_and_a_call(void) {
  an_executor();
  memset(&probe, 0, sizeof probe);
  spawn(ex, &probe, 0, PILLION_JOIN);
  turn(ex);
  echo = function("test.echo");
  assert_ok(pillion_call_submit(&call, 0, echo, "x", 1, 0, PILLION_JOIN));
  afterwards(end_call);
}

/* The child has changed neither the parent's descriptor nor its tasks. */
static void parent_goes_on(void) {
  assert_false(readable(ex));
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.drops, 0);
}

GIVEN(a_task_and_a_call, forked_child_is_refused) {
  pid_t child = fork();
  if (child == 0) _exit(in_child());
  assert_int_equal(exit_code(child), 0);
  parent_goes_on();
}

/* A clone(2) runs no handlers of pthread_atfork. */
GIVEN(a_task_and_a_call, cloned_child_is_refused) {
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(everything_is_refused());
  assert_true(child > 0);
  assert_int_equal(exit_code((pid_t)child), 0);
  parent_goes_on();
}

GIVEN(a_task_and_a_call, grandchild_is_refused) {
  pid_t child = fork();
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(everything_is_refused());
    _exit(exit_code(grandchild));
  }
  assert_int_equal(exit_code(child), 0);
  parent_goes_on();
}

static int forks(struct probe *p, pillion_value *out, pillion_context *cx) {
  pid_t child = fork();
  if (child == 0) {
    p->rc = everything_is_refused();
    _exit(p->rc);
  }
  p->awaited = exit_code(child);
  return PILLION_PENDING;
}

GIVEN(a_task_and_a_call, child_forked_inside_a_poll_is_refused) {
  static struct probe forking = {.step = forks, .awaited = -1};
  spawn(ex, &forking, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(forking.awaited, 0);
  parent_goes_on();
}

