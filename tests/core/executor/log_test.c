/* SPDX-License-Identifier: Apache-2.0 */

/* The log: who listens, what waits, and what there is no room for. */
#include <sys/wait.h>

#include "support.h"

static char taken[PILLION_LOG_ROOM + 1];

static int take_at(pillion_executor by, uint64_t token, int level) {
  int n = pillion_log_take(taken, PILLION_LOG_ROOM, by, token, level);
  taken[n < 0 ? 0 : n] = 0;
  return n;
}

/* The lines that wait. */
static const char *take(pillion_executor by) {
  assert_true(take_at(by, 7, 0) >= 0);
  return taken;
}

static bool say(const char *line) {
  return pillion__log_line(line, strlen(line));
}

static void assert_told(pillion_executor by, int times) {
  assert_int_equal(turn(by), times);
  for (int i = 0; i < times; i++) {
    assert_int_equal(events[i].token, 7);
    assert_int_equal(events[i].flags, PILLION_EVENT_POSTED);
    assert_int_equal(events[i].length, 0);
  }
}

/* What earlier tests have left. */
static void no_lines(void) { take(0); }

static void a_listener(void) {
  no_lines();
  an_executor();
  assert_string_equal(take(ex), "");
}

GIVEN(a_listener, first_line_after_a_take_is_told_once) {
  for (int i = 0; i < 3; i++) {
    assert_true(say("{1}\n"));
    assert_true(readable(ex));
    assert_true(say("{2}\n"));
    assert_told(ex, 1);
    assert_true(say("{3}\n"));
    assert_told(ex, 0);
    assert_string_equal(take(ex), "{1}\n{2}\n{3}\n");
    assert_string_equal(take(ex), "");
  }
}

GIVEN(a_listener, level_is_the_listeners) {
  assert_int_equal(pillion__log_level, 0);
  assert_int_equal(take_at(ex, 7, -4), 0);
  assert_int_equal(pillion__log_level, -4);
  assert_int_equal(take_at(0, 0, 0), 0);
  assert_int_equal(pillion__log_level, PILLION_LOG_NONE);
}

GIVEN(a_listener, lines_without_a_listener_are_refused) {
  assert_true(say("{1}\n"));
  assert_string_equal(take(0), "{1}\n");
  assert_false(say("{2}\n"));
  assert_told(ex, 1); /* for the first, which is taken by now */
  assert_string_equal(take(ex), "");
  assert_true(say("{3}\n"));
  executor_free(ex);
  assert_int_equal(pillion__log_level, 0); /* that is not known yet */
  assert_false(say("{4}\n"));
  assert_int_equal(pillion__log_level, PILLION_LOG_NONE);
  an_executor();
  assert_string_equal(take(ex), "{3}\n");
}

GIVEN(a_listener, closed_executor_does_not_listen) {
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_false(say("{}\n"));
  pillion_executor other = executor_new();
  assert_string_equal(take(other), "");
  executor_free(other);
}

GIVEN(a_listener, another_executor_is_refused) {
  pillion_executor other = executor_new();
  assert_true(say("{}\n"));
  assert_int_equal(take_at(other, 7, 0), PILLION_EBUSY);
  assert_int_equal(take_at(ex + 1, 7, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_log_take(NULL, sizeof taken, ex, 7, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_log_take(taken, PILLION_LOG_ROOM - 1, ex, 7, 0),
                   PILLION_EINVAL);
  assert_string_equal(take(ex), "{}\n");
  assert_string_equal(take(0), "");
  assert_string_equal(take(other), "");
  executor_free(other);
}

GIVEN(an_executor, warnings_wait_for_the_first_listener) {
  no_lines();
  pillion__log(PILLION_LOG_WARNING, "a \"%s\"\n", "b\\c");
  const char *line = take(ex);
  const char *after =
      "\"level\":4,\"msg\":\"pillion: a \\\"b\\\\c\\\"\\u000a\"}\n";
  assert_memory_equal(line, "{\"time\":", 8);
  assert_string_equal(line + 8 + strspn(line + 8, "0123456789") + 1, after);
  assert_false(readable(ex));
  pillion__log(PILLION_LOG_WARNING, "heard");
  assert_told(ex, 1);
  assert_non_null(strstr(take(ex), "heard"));
}

GIVEN(a_listener, warning_is_cut_to_a_line) {
  char text[600];
  memset(text, '\n', sizeof text);
  text[sizeof text - 1] = 0;
  for (int i = 0; i < 6; i++) { /* the cut falls between two escapes */
    pillion__log(PILLION_LOG_WARNING, "%.*s%s", i, "xxxxx", text);
    const char *line = take(ex);
    assert_in_range(strlen(line), 1015, 1024);
    assert_string_equal(line + strlen(line) - 9, "\\u000a\"}\n");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
  }
}

/* Lines without room are counted where they would stand. */
GIVEN(a_listener, full_log_counts_what_it_loses) {
  static char line[1000];
  memset(line, 'x', sizeof line);
  int fit = 0;
  for (int i = 0; i < 300; i++)
    assert_true(pillion__log_line(line, sizeof line));
  assert_true(say("short, but after those that are lost\n"));
  assert_told(ex, 1);
  int n = take_at(ex, 7, 0);
  while (fit < 300 && taken[fit * sizeof line] == 'x') fit++;
  assert_int_equal(fit, (PILLION_LOG_ROOM - 256) / sizeof line);
  char said[100];
  snprintf(said, sizeof said, "\"pillion: no room for %d lines of the log\"}\n",
           301 - fit);
  assert_string_equal(taken + n - strlen(said), said);
  assert_true(say("{1}\n"));
  assert_told(ex, 1);
  assert_string_equal(take(ex), "{1}\n");
}

static char huge[PILLION_LOG_ROOM];

GIVEN(a_listener, line_longer_than_the_log_is_lost) {
  assert_true(pillion__log_line(huge, sizeof huge));
  assert_told(ex, 1);
  assert_non_null(strstr(take(ex), "no room for 1 lines"));
}

/* A post that finds no room is made again with the next line. */
TEST(event_without_room_comes_later) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.posts = 1;
  no_lines();
  ex = executor_with(&options);
  take(ex);
  assert_ok(pillion_executor_post(ex, 1, NULL, 0));
  assert_true(say("{1}\n"));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 1);
  assert_told(ex, 0);
  assert_true(say("{2}\n"));
  assert_told(ex, 1);
  assert_string_equal(take(ex), "{1}\n{2}\n");
}

#define LOGGERS 4
#define EACH 5000

static void *logs(void *data) {
  char line[32];
  for (int i = 0; i < EACH; i++) {
    snprintf(line, sizeof line, "%d %d\n", (int)(intptr_t)data, i);
    assert_true(say(line));
  }
  return NULL;
}

/* The lines of each thread come in order, those that are lost are counted. */
GIVEN(a_listener, threads_log_and_one_takes) {
  pthread_t threads[LOGGERS];
  int next[LOGGERS] = {0}, came = 0, lost = 0;
  for (intptr_t i = 0; i < LOGGERS; i++)
    assert_ok(pthread_create(&threads[i], NULL, logs, (void *)i));
  while (came + lost < LOGGERS * EACH) {
    struct pollfd fd = {.fd = -1, .events = POLLIN};
    assert_ok(pillion_executor_fd(&fd.fd, ex));
    assert_int_equal(poll(&fd, 1, 30000), 1); /* else a line is not told */
    turn(ex);
    for (const char *line = take(ex); *line != 0;
         line = strchr(line, '\n') + 1) {
      int thread, i;
      const char *said = strstr(line, "no room for ");
      if (*line == '{') {
        lost += atoi(said + 12);
      } else {
        assert_int_equal(sscanf(line, "%d %d", &thread, &i), 2);
        assert_true(i >= next[thread]);
        next[thread] = i + 1;
        came++;
      }
    }
  }
  for (int i = 0; i < LOGGERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(came + lost, LOGGERS * EACH);
}

GIVEN(a_listener, child_of_a_fork_takes_nothing) {
  assert_true(say("{}\n"));
  pid_t child = fork();
  if (child == 0)
    _exit(take_at(ex, 7, 0) != PILLION_EFORKED ||
          take_at(0, 0, 0) != PILLION_EFORKED || say("{}\n"));
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_told(ex, 1);
  assert_string_equal(take(ex), "{}\n");
}
