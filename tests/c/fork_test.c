/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A forked child has no Go. Every function says so at once, and none touches
 * what the child shares with its parent: the descriptor above all.
 */
#include <sys/syscall.h>

#include "support.h"

struct parent {
  pillion_executor ex;
  pillion_task task, call;
  pillion_watch watch;
  pillion_function fn;
  struct probe probe;
};

/* Runs in the child. Answers the number of the first function that is not
   refused, or 0. */
static int child(struct parent *p) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  pillion_failure failure = PILLION_FAILURE_INIT;
  pillion_host host = PILLION_HOST_INIT;
  pillion_call call = {p->fn, 0, 0, 0};
  struct probe probe = {0};
  pillion_executor ex;
  pillion_value value;
  pillion_event event;
  const char *module;
  int64_t deadline;
  uint64_t live;
  int fd;
  alarm(20); /* a child that hangs is killed */
  const int got[] = {
      pillion_start(NULL, NULL, 0),
      pillion_shutdown(PILLION_CLOSE_CANCEL, PILLION_TIME_NEVER),
      pillion_log_set(NULL, NULL, NULL),
      pillion_log_take(NULL, 0, 0, 0, 0),
      pillion_library_count(&counts),
      pillion_executor_new(&ex, NULL, NULL, 0),
      pillion_executor_fd(&fd, p->ex),
      pillion_executor_deadline(&deadline, p->ex),
      pillion_executor_live(&live, p->ex),
      pillion_executor_turn(&event, 1, NULL, p->ex, NULL),
      pillion_host_set(p->ex, &host),
      pillion_host_get(&host, p->ex),
      pillion_executor_ready(p->ex, p->watch, PILLION_READABLE),
      pillion_watch_open(&p->watch, p->ex, 0, 0),
      pillion_watch_close(p->watch),
      pillion_executor_bind(p->ex),
      pillion_executor_release(p->ex),
      pillion_executor_close(p->ex, PILLION_CLOSE_CANCEL),
      pillion_executor_free(p->ex),
      pillion_executor_stat(&stats, p->ex),
      pillion_function_find(&call.function, "test.echo"),
      pillion_function_list(NULL, 0),
      pillion_function_describe(&info, p->fn),
      pillion_module_list(&module, 1),
      pillion_call_submit(NULL, p->ex, p->fn, "", 0, 0, PILLION_EVENT),
      pillion_call_batch(NULL, p->ex, &call, 1, NULL, PILLION_EVENT),
      pillion_call_wait(&value, p->fn, "", 0, PILLION_TIME_NEVER),
      pillion_failure_parse(&failure, "", 0),
      pillion_task_spawn(NULL, p->ex, &probing, &probe, 0, PILLION_EVENT),
      pillion_task_cancel(p->task),
      pillion_task_cancel(p->call),
      pillion_task_detach(p->call),
      pillion_task_evict(p->task),
      pillion_task_wait(&value, p->call, PILLION_TIME_NEVER),
      pillion_object_drop(0),
      pillion_event_keep(&value, &event),
      pillion_wake(p->probe.waker),
      pillion_wake_local(p->probe.waker),
  };
  for (size_t i = 0; i < COUNT(got); i++)
    if (got[i] != PILLION_EFORKED) {
      fprintf(stderr, "function %zu: %d\n", i, got[i]);
      return 1 + (int)i;
    }
  if (pillion_version() != PILLION_VERSION_NUMBER) return 100;
  if (strlen(pillion_strerror(PILLION_EFORKED)) == 0) return 101;
  if (p->probe.polls != 1 || p->probe.drops != 0) return 102;
  return 0;
}

static void open_parent(struct parent *p) {
  struct seen seen = {0};
  memset(p, 0, sizeof *p);
  p->fn = function("test.echo");
  p->ex = executor_new();
  p->task = spawn(p->ex, &p->probe, 1, PILLION_EVENT);
  turn(p->ex, &seen, NULL);
  assert_ok(pillion_watch_open(&p->watch, p->ex, dup(0), PILLION_WATCH_OWN));
  p->call = submit(0, "test.block", "", 0, PILLION_JOIN);
  assert_int_equal(readable(p->ex, 0), 0);
}

/* The parent's call can still be cancelled. */
static void close_busy_parent(struct parent *p) {
  struct seen seen = {0};
  pillion_value value;
  assert_int_equal(p->probe.polls, 1);
  assert_int_equal(pillion_wake(p->probe.waker), PILLION_WOKEN);
  assert_int_equal(readable(p->ex, 10000), 1);
  turn(p->ex, &seen, NULL);
  assert_int_equal(p->probe.polls, 2);
  submit(p->ex, "test.echo", "still", 2, PILLION_EVENT);
  p->probe.ready_at = 3;
  pillion_wake(p->probe.waker);
  run(p->ex, &seen);
  assert_int_equal(seen.count, 2);
  assert_int_equal(pillion_task_cancel(p->call), 0);
  assert_ok(pillion_task_wait(&value, p->call, LONG_ENOUGH));
  assert_int_equal(value.status, PILLION_ECANCELLED);
  executor_free(p->ex);
}

/* The child has not written to the parent's descriptor. */
static void close_parent(struct parent *p) {
  assert_int_equal(readable(p->ex, 0), 0);
  close_busy_parent(p);
}

static int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(a_forked_child_is_told_so) {
  struct parent parent;
  open_parent(&parent);
  pid_t pid = fork();
  if (pid == 0) _exit(child(&parent));
  assert_true(pid > 0);
  assert_int_equal(wait_for(pid), 0);
  close_parent(&parent);
}

TEST(a_child_of_raw_clone_is_told_so) {
  struct parent parent;
  open_parent(&parent);
  pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(child(&parent));
  assert_true(pid > 0);
  assert_int_equal(wait_for(pid), 0);
  close_parent(&parent);
}

TEST(a_grandchild_is_told_so) {
  struct parent parent;
  open_parent(&parent);
  pid_t pid = fork();
  if (pid == 0) {
    pid = fork();
    if (pid == 0) _exit(child(&parent));
    _exit(wait_for(pid));
  }
  assert_int_equal(wait_for(pid), 0);
  close_parent(&parent);
}

static int fork_here(void *arg) {
  pid_t pid = fork();
  if (pid == 0) _exit(child(arg));
  return wait_for(pid);
}

TEST(a_thread_may_fork) {
  struct parent parent;
  open_parent(&parent);
  assert_int_equal(on_thread(fork_here, &parent), 0);
  close_parent(&parent);
}

TEST(a_child_exits_in_the_regular_way) {
  struct parent parent;
  open_parent(&parent);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    exit(0); /* runs atexit functions and destructors */
  }
  assert_int_equal(wait_for(pid), 0);
  pid = fork();
  if (pid == 0) {
    alarm(20);
    pthread_exit(NULL); /* runs the last thread's destructors */
  }
  assert_int_equal(wait_for(pid), 0);
  close_parent(&parent);
}

TEST(a_child_may_fork_while_the_parent_works) {
  struct parent parent;
  struct seen *seen = calloc(1, sizeof *seen);
  open_parent(&parent);
  for (int i = 0; i < 20; i++) {
    for (int j = 0; j < 50; j++)
      submit(parent.ex, "test.echo", "x", j, PILLION_EVENT);
    pid_t pid = fork();
    if (pid == 0)
      _exit(pillion_wake(parent.probe.waker) != PILLION_EFORKED);
    assert_int_equal(wait_for(pid), 0);
    while (seen->count < 50u * (i + 1)) {
      assert_true(readable(parent.ex, 10000) > 0);
      turn(parent.ex, seen, NULL);
    }
  }
  free(seen);
  close_busy_parent(&parent);
}
