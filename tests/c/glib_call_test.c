/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/gio.h: calls as a GNOME programmer makes them. */
#include "pillion/gio.h"

#include "glib_support.h"

/* Results of calls, in the order in which the calls ended. */
struct answers {
  GMainContext *context;
  pillion_glib glib;
  pillion_executor ex;
  int count, nested, failed;
  struct {
    gchar *text; /* or the error's */
    gsize length;
    GQuark domain;
    int code;
  } answer[512];
};

static struct answers all;

static void on_answer(GObject *object, GAsyncResult *result, gpointer data) {
  GError *error = NULL;
  GBytes *bytes = pillion_glib_call_finish(result, &error);
  int i = all.count++ % (int)COUNT(all.answer);
  if ((bytes == NULL) != (error != NULL) || object != NULL || data != &all)
    all.failed = 1;
  if (bytes != NULL) {
    gsize length;
    const char *text = g_bytes_get_data(bytes, &length);
    all.answer[i].text = g_strndup(text, length);
    all.answer[i].length = length;
    g_bytes_unref(bytes);
  } else {
    all.answer[i].text = g_strdup(error->message);
    all.answer[i].domain = error->domain;
    all.answer[i].code = error->code;
    g_error_free(error);
  }
}

static void call_with(const char *name, const char *request,
                      GCancellable *cancellable, GAsyncReadyCallback callback) {
  pillion_glib_call_async(all.ex, function(name), request, strlen(request),
                          cancellable, callback, &all);
}

static void call(const char *name, const char *request,
                 GCancellable *cancellable) {
  call_with(name, request, cancellable, on_answer);
}

static void step_until(int count) {
  while (all.count < count) g_main_context_iteration(all.context, TRUE);
}

static void undo(void) {
  for (size_t i = 0; i < COUNT(all.answer); i++) g_free(all.answer[i].text);
  if (all.ex != 0) assert_ok(pillion_executor_free(all.ex));
  assert_ok(pillion_glib_detach(&all.glib));
  g_main_context_pop_thread_default(all.context);
  g_main_context_unref(all.context);
  assert_int_equal(all.failed, 0);
}

static void a_context(void) {
  memset(&all, 0, sizeof all);
  all.context = g_main_context_new();
  g_main_context_push_thread_default(all.context);
  all.ex = executor_new();
  assert_ok(pillion_glib_attach(&all.glib, NULL, 0, all.ex, NULL, NULL));
  afterwards(undo);
}

GIVEN(a_context, a_call_answers_with_bytes) {
  call("test.upper", "abc", NULL);
  step_until(1);
  assert_string_equal(all.answer[0].text, "ABC");
  call("test.echo", "", NULL);
  step_until(2);
  assert_int_equal(all.answer[1].length, 0);
  call("test.big", "100000", NULL);
  step_until(3);
  assert_int_equal(all.answer[2].length, 100000);
  assert_int_equal(all.answer[2].domain, 0);
}

GIVEN(a_context, many_calls_are_in_flight) {
  for (int i = 0; i < 500; i++)
    call(i % 2 ? "test.echo" : "test.loop_echo", "many", NULL);
  step_until(500);
  for (int i = 0; i < 500; i++)
    assert_string_equal(all.answer[i].text, "many");
}

GIVEN(a_context, a_callback_never_comes_inside_the_call) {
  GCancellable *cancellable = g_cancellable_new();
  g_cancellable_cancel(cancellable);
  call("test.echo", "x", cancellable);
  assert_int_equal(stats_of(all.ex).calls, 0);
  pillion_glib_call_async(all.ex, 0, "", 0, NULL, on_answer, &all);
  assert_int_equal(all.count, 0);
  step_until(2);
  for (int i = 0; i < 2; i++)
    assert_int_equal(all.answer[i].code, all.answer[i].domain == G_IO_ERROR
                                             ? (int)G_IO_ERROR_CANCELLED
                                             : PILLION_EBADHANDLE);
  assert_int_not_equal(all.answer[0].domain, all.answer[1].domain);
  g_object_unref(cancellable);
}

GIVEN(a_context, a_call_needs_no_callback) {
  call_with("test.echo", "x", NULL, NULL);
  glib_run(all.context, &all.glib);
  while (g_main_context_iteration(all.context, FALSE)) {
  }
}

GIVEN(a_context, an_error_has_gos_message) {
  call("test.fail", "what", NULL);
  call("test.panic", "why", NULL);
  step_until(2);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(all.answer[i].domain, PILLION_GLIB_ERROR);
    assert_true(g_utf8_validate(all.answer[i].text, -1, NULL));
  }
}

GIVEN(a_context, a_cancellable_cancels) {
  GCancellable *cancellable = g_cancellable_new();
  for (int i = 0; i < 3; i++) call("test.block", "", cancellable);
  await_waiting(3);
  g_cancellable_cancel(cancellable);
  step_until(3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(all.answer[i].domain, G_IO_ERROR);
    assert_int_equal(all.answer[i].code, G_IO_ERROR_CANCELLED);
  }
  /* Nothing of the calls is left on it. */
  assert_int_equal(g_signal_handler_find(cancellable, G_SIGNAL_MATCH_ID,
                                         g_signal_lookup("cancelled",
                                                         G_TYPE_CANCELLABLE),
                                         0, NULL, NULL, NULL),
                   0);
  g_object_unref(cancellable);
}

static int cancel_it(void *cancellable) {
  await_waiting(1);
  g_cancellable_cancel(cancellable);
  return 0;
}

GIVEN(a_context, another_thread_cancels) {
  GCancellable *cancellable = g_cancellable_new();
  struct on_thread job = {cancel_it, cancellable, -1};
  pthread_t thread;
  call("test.block", "", cancellable);
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  step_until(1);
  assert_ok(pthread_join(thread, NULL));
  assert_int_equal(all.answer[0].code, G_IO_ERROR_CANCELLED);
  g_object_unref(cancellable);
}

/* What has come before the cancel is not thrown away. */
GIVEN(a_context, a_result_before_the_cancel_counts) {
  GCancellable *cancellable = g_cancellable_new();
  call("test.echo", "early", cancellable);
  while (library_counts().calls > 0)
    g_main_context_iteration(all.context, FALSE);
  g_cancellable_cancel(cancellable);
  step_until(1);
  assert_string_equal(all.answer[0].text, "early");
  g_object_unref(cancellable);
}

static gboolean run_dialog(gpointer data) {
  int before = all.count;
  call("test.upper", "in the dialog", NULL);
  step_until(before + 1);
  all.nested++;
  return G_SOURCE_REMOVE;
}

static void nest_in_callback(GObject *object, GAsyncResult *result,
                             gpointer data) {
  on_answer(object, result, data);
  run_dialog(data);
}

/* A modal dialog in a callback, and one in a handler of the program's. */
GIVEN(a_context, calls_go_on_in_a_loop_that_a_callback_runs) {
  call_with("test.big", "100", NULL, nest_in_callback);
  while (all.nested < 1) g_main_context_iteration(all.context, TRUE);
  assert_int_equal(all.answer[0].length, 100);
  assert_string_equal(all.answer[1].text, "IN THE DIALOG");
  GSource *idle = g_idle_source_new();
  g_source_set_callback(idle, run_dialog, NULL, NULL);
  g_source_attach(idle, all.context);
  g_source_unref(idle);
  while (all.nested < 2) g_main_context_iteration(all.context, TRUE);
  assert_string_equal(all.answer[2].text, "IN THE DIALOG");
}

static void free_in_callback(GObject *object, GAsyncResult *result,
                             gpointer data) {
  on_answer(object, result, data);
  if (all.ex != 0 && pillion_executor_free(all.ex) < 0) all.failed = 1;
  all.ex = 0;
}

GIVEN(a_context, every_callback_comes_when_the_executor_is_freed) {
  for (int i = 0; i < 3; i++)
    call_with("test.block", "", NULL, free_in_callback);
  call_with("test.echo", "x", NULL, free_in_callback);
  step_until(4);
  assert_string_equal(all.answer[0].text, "x");
  for (int i = 1; i < 4; i++)
    assert_int_equal(all.answer[i].code, PILLION_ECLOSED);
}

GIVEN(a_context, nothing_lives_when_the_executor_is_closed) {
  for (int i = 0; i < 3; i++) call("test.block", "", NULL);
  await_waiting(3);
  assert_ok(pillion_executor_close(all.ex, PILLION_CLOSE_CANCEL));
  glib_run(all.context, &all.glib);
  step_until(3);
  assert_int_equal(all.count, 3);
}

/* Another host takes the executor; the callbacks still come where they were
 * asked for. */
GIVEN(a_context, a_call_outlives_its_loop) {
  call("test.echo", "elsewhere", NULL);
  assert_ok(pillion_poll_run(all.ex, NULL, NULL));
  assert_int_equal(all.count, 0);
  step_until(1);
  assert_string_equal(all.answer[0].text, "elsewhere");
}

static int call_elsewhere(void *data) {
  pillion_function f = *(pillion_function *)data;
  GMainContext *context = g_main_context_new();
  g_main_context_push_thread_default(context);
  pillion_glib_call_async(all.ex, f, "x", 1, NULL, on_answer, &all);
  while (all.count == 0) g_main_context_iteration(context, TRUE);
  g_main_context_pop_thread_default(context);
  g_main_context_unref(context);
  return all.answer[0].code;
}

GIVEN(a_context, a_call_on_the_wrong_thread_is_answered_there) {
  pillion_function f = function("test.echo");
  assert_int_equal(on_thread(call_elsewhere, &f), PILLION_EWRONGTHREAD);
}
