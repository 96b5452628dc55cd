/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A forked child that cleans its copy of a GMainContext up: the adapter
 * refuses, since the context's descriptors are the parent's, too.
 */
#include <sys/wait.h>

#include "glib_support.h"

#include "pillion/gio.h"

#define CALLS 20

static GMainContext *context;
static pillion_glib glib, freed;
static int events, answers, loops_made, status_in_event;

static void on_event(const pillion_event *event, void *data) {
  events++;
}

static void on_answer(GObject *object, GAsyncResult *result, gpointer data) {
  GError *error = NULL;
  if (pillion_glib_call_finish(result, &error) != NULL) return;
  answers = error->code;
  g_error_free(error);
}

static int child(void) {
  alarm(20);
  if (pillion_glib_detach(&glib) != PILLION_EFORKED) return 1;
  if (pillion_glib_detach(&freed) != PILLION_EFORKED) return 2;
  if (pillion_glib_attach(&freed, context, 0, ex, on_event, NULL) !=
      PILLION_EFORKED)
    return 3;
  if (g_source_is_destroyed(glib.source)) return 4;
  if (pillion_executor_free(ex) != PILLION_EFORKED) return 5;
  /* A context of the child's own hears of it. */
  GMainContext *own = g_main_context_new();
  g_main_context_push_thread_default(own);
  pillion_glib_call_async(ex, 0, "", 0, NULL, on_answer, NULL);
  while (answers == 0) g_main_context_iteration(own, TRUE);
  return answers == PILLION_EFORKED ? 0 : 6;
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

static gint counted_poll(GPollFD *fds, guint count, gint ms) {
  loops_made += g_poll(fds, count, 0) > 0;
  return g_poll(fds, count, ms);
}

static void settle(void) {
  for (int i = 0; i < 5; i++) g_main_context_iteration(context, FALSE);
}

static void start(pillion_event_fn fn) {
  pillion_executor gone = executor_new();
  events = answers = 0;
  context = g_main_context_new();
  g_main_context_set_poll_func(context, counted_poll);
  assert_ok(pillion_glib_attach(&freed, context, 0, gone, on_event, NULL));
  settle();
  executor_free(gone);
  ex = executor_new();
  assert_ok(pillion_glib_attach(&glib, context, 0, ex, fn, NULL));
  for (int i = 0; i < CALLS; i++)
    submit(ex, "test.block", "", i, PILLION_EVENT);
  settle();
}

/* The parent's loop hears of every call's end. */
static void finish(void) {
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  glib_run(context, &glib);
  assert_int_equal(events, CALLS);
  assert_ok(pillion_glib_detach(&glib));
  assert_ok(pillion_glib_detach(&freed));
  executor_free(ex);
  g_main_context_unref(context);
}

TEST(child_that_cleans_up) {
  start(on_event);
  assert_int_equal(forks(), 0);
  loops_made = 0;
  settle();
  assert_int_equal(loops_made, 0); /* nothing has woken the parent */
  finish();
}

TEST(child_that_cleans_up_inside_an_event) {
  status_in_event = -1;
  start(on_event_that_forks);
  finish();
  assert_int_equal(status_in_event, 0);
}
