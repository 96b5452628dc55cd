/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A forked child cleans up its copy of the loop. The adapter refuses that,
 * since the parent has the same epoll set and the same descriptors.
 */
#include <sys/wait.h>

#include "support.h"

#include "pillion/poll.h"
#include "pillion/uv.h"

#define CALLS 20

static uv_loop_t loop;
static pillion_uv uv, freed;
static int events, closes, status_in_event;

static void on_close(pillion_uv *which, void *data) {
  closes++;
}

static void on_event(const pillion_event *event, void *data) {
  events++;
}

/* The descriptors in the loop's epoll set. */
static void watched_by(char *out, size_t cap) {
  char name[64], line[256];
  size_t n = 0;
  snprintf(name, sizeof name, "/proc/self/fdinfo/%d", uv_backend_fd(&loop));
  FILE *file = fopen(name, "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "tfd:", 4) == 0 && n < cap)
      n += (size_t)snprintf(out + n, cap - n, "%.28s\n", line);
  fclose(file);
}

static int child(void) {
  pillion_poll poll;
  alarm(20);
  if (pillion_uv_detach(&uv, on_close) != PILLION_EFORKED) return 1;
  if (pillion_uv_detach(&freed, on_close) != PILLION_EFORKED) return 2;
  if (pillion_uv_attach(&freed, &loop, ex, on_event, NULL) != PILLION_EFORKED)
    return 3;
  if (pillion_host_set(ex, NULL) != PILLION_EFORKED) return 4;
  pillion_poll_init(&poll, ex, on_event, NULL);
  if (pillion_poll_once(&poll, 0) != PILLION_EFORKED) return 5;
  if (pillion_executor_free(ex) != PILLION_EFORKED) return 6;
  return closes == 0 ? 0 : 7;
}

static int forks(void) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(child());
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void on_event_that_forks(const pillion_event *event, void *data) {
  if (events == 0) status_in_event = forks();
  on_event(event, data);
}

static void start(pillion_event_fn fn) {
  pillion_executor gone;
  events = closes = 0;
  uv_loop_init(&loop);
  gone = executor_new();
  assert_ok(pillion_uv_attach(&freed, &loop, gone, on_event, NULL));
  uv_run(&loop, UV_RUN_NOWAIT);
  executor_free(gone);
  ex = executor_new();
  assert_ok(pillion_uv_attach(&uv, &loop, ex, fn, NULL));
  for (int i = 0; i < CALLS; i++)
    submit(ex, "test.block", "", i, PILLION_EVENT);
  uv_run(&loop, UV_RUN_NOWAIT);
}

/* Runs the parent's loop until each call's end has come. */
static void finish(void) {
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(events, CALLS);
  assert_ok(pillion_uv_detach(&uv, on_close));
  assert_ok(pillion_uv_detach(&freed, on_close));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(closes, 2);
  executor_free(ex);
  assert_ok(uv_loop_close(&loop));
}

TEST(child_that_cleans_up) {
  char before[1024] = "", after[1024] = "";
  start(on_event);
  watched_by(before, sizeof before);
  assert_string_not_equal(before, "");
  assert_int_equal(forks(), 0);
  watched_by(after, sizeof after);
  assert_string_equal(before, after);
  finish();
}

TEST(child_that_cleans_up_inside_an_event) {
  status_in_event = -1;
  start(on_event_that_forks);
  finish();
  assert_int_equal(status_in_event, 0);
}
