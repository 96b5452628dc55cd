/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/glib.h beyond the cases of every loop. */
#include "glib_support.h"
#include "watch_support.h"

/* A context with an executor on it, and the events that it has told. */
struct rig {
  GMainContext *context;
  pillion_glib glib;
  pillion_executor ex;
  struct seen seen;
  int failed;
};

static void record(const pillion_event *event, void *data) {
  see(event, &((struct rig *)data)->seen);
}

static int attach(struct rig *rig, pillion_event_fn on_event) {
  return pillion_glib_attach(&rig->glib, rig->context, G_PRIORITY_DEFAULT,
                             rig->ex, on_event, rig);
}

static struct rig *rig_of(pillion_executor ex, pillion_event_fn on_event) {
  struct rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  rig->ex = ex;
  rig->context = g_main_context_new();
  assert_ok(attach(rig, on_event));
  return rig;
}

static struct rig *rig_new(pillion_event_fn on_event) {
  return rig_of(executor_new(), on_event);
}

static void rig_run(struct rig *rig) { glib_run(rig->context, &rig->glib); }

static int loops_made, loops_woken;

static gint counted_poll(GPollFD *fds, guint count, gint ms) {
  int n = g_poll(fds, count, ms);
  loops_made++;
  loops_woken += n > 0;
  return n;
}

static void count_loops(struct rig *rig) {
  loops_made = loops_woken = 0;
  g_main_context_set_poll_func(rig->context, counted_poll);
}

static void rig_step(struct rig *rig) {
  g_main_context_iteration(rig->context, FALSE);
}

/* The regular end: detach, free, and let the context go. */
static void rig_free(struct rig *rig) {
  assert_ok(pillion_glib_detach(&rig->glib));
  assert_int_equal(pillion_glib_detach(&rig->glib), PILLION_ECLOSED);
  executor_free(rig->ex);
  g_main_context_unref(rig->context);
  free(rig);
}

/* ---- The loop's life ---------------------------------------------------- */

static void submit_again(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count < 20)
    pillion_call_submit(NULL, rig->ex, event->token, "x", 1, event->token,
                        PILLION_EVENT);
}

/* GLib wakes itself for a source that must not recurse. */
TEST(a_turn_does_not_wake_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 3, PILLION_EVENT);
  for (int i = 0; i < 3; i++) rig_step(rig);
  count_loops(rig);
  for (int i = 1; i <= 10; i++) {
    assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
    for (int k = 0; k < 3; k++) rig_step(rig);
    assert_int_equal(loops_woken, i);
  }
  assert_int_equal(probe.polls, 11);
  probe.ready_at = 12;
  pillion_wake(probe.waker);
  rig_run(rig);
  rig_free(rig);
}

/* ---- Time and fairness -------------------------------------------------- */

static gboolean count_one(gpointer data) {
  ++*(int *)data;
  return G_SOURCE_CONTINUE;
}

/* Sources of a higher priority go first, and so do frames in GTK. */
TEST(an_executor_has_a_priority) {
  struct rig *rig = calloc(1, sizeof *rig);
  struct probe probe = {.ready_at = 1};
  struct stream in;
  GSource *source = g_idle_source_new();
  int ends[2], count = 0;
  rig->ex = executor_new();
  rig->context = g_main_context_new();
  assert_ok(pillion_glib_attach(&rig->glib, rig->context,
                                G_PRIORITY_DEFAULT_IDLE + 1, rig->ex, record,
                                rig));
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = 1;
  start(rig->ex, &in, &reading);
  for (int i = 0; i < 3; i++) rig_step(rig);
  assert_int_equal(in.polls, 1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  g_source_set_callback(source, count_one, &count, NULL);
  g_source_attach(source, rig->context);
  for (int i = 1; i <= 5; i++) {
    rig_step(rig);
    assert_int_equal(count, i);
    assert_int_equal(probe.polls, 0);
    assert_int_equal(in.polls, 1);
  }
  g_source_destroy(source);
  g_source_unref(source);
  rig_run(rig);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(in.bytes, 1);
  rig_free(rig);
  close(ends[1]);
}

static int descriptors_of(struct rig *rig) {
  GPollFD fds[8];
  gint most, ms;
  g_main_context_prepare(rig->context, &most);
  return g_main_context_query(rig->context, G_MAXINT, &ms, fds, COUNT(fds));
}

TEST(a_closed_watch_leaves_nothing_in_the_context) {
  struct rig *rig = rig_new(record);
  struct stream in;
  int ends[2], before = descriptors_of(rig);
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = R;
  start(rig->ex, &in, &waiting);
  rig_step(rig);
  assert_int_equal(descriptors_of(rig), before + 1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  rig_run(rig);
  assert_ok(pillion_watch_close(in.watch));
  assert_int_equal(descriptors_of(rig), before);
  rig_free(rig);
  close(ends[1]);
}

/* ---- Loops in loops ------------------------------------------------------ */

struct dialog {
  struct rig *rig;
  GMainLoop *loop;
  size_t seen_inside;
};

/* A handler of the program's own opens a dialog, and waits for a call there. */
static gboolean open_dialog(gpointer data) {
  struct dialog *dialog = data;
  submit(dialog->rig->ex, "test.upper", "inside", 1, PILLION_EVENT);
  g_main_loop_run(dialog->loop);
  dialog->seen_inside = dialog->rig->seen.count;
  return G_SOURCE_REMOVE;
}

static void close_dialog(const pillion_event *event, void *data) {
  struct dialog *dialog = data;
  see(event, &dialog->rig->seen);
  g_main_loop_quit(dialog->loop);
}

TEST(tasks_and_calls_go_on_in_a_nested_loop) {
  struct rig *rig = rig_new(NULL);
  struct dialog dialog = {rig, g_main_loop_new(rig->context, FALSE), 0};
  struct probe probe = {.ready_at = 50, .wake_self = 1};
  rig->glib.adapter.on_event = close_dialog;
  rig->glib.adapter.data = &dialog;
  spawn(rig->ex, &probe, 9, PILLION_DETACH);
  g_main_context_invoke(rig->context, open_dialog, &dialog);
  while (dialog.seen_inside == 0) g_main_context_iteration(rig->context, TRUE);
  assert_int_equal(dialog.seen_inside, 1);
  assert_string_equal(rig->seen.event[0].bytes, "INSIDE");
  rig_run(rig);
  assert_int_equal(probe.polls, 50);
  g_main_loop_unref(dialog.loop);
  rig_free(rig);
}

/* A dialog that a handler opens waits for the task whose event stands behind
 * its own, for one that is woken in there, and for a call. */
static int wake_later(void *data) {
  return pillion_wake(*(pillion_waker *)data);
}

static void nest_in_on_event(const pillion_event *event, void *data) {
  struct dialog *dialog = data;
  struct rig *rig = dialog->rig;
  see(event, &rig->seen);
  if (rig->seen.count == 4) g_main_loop_quit(dialog->loop);
  if (rig->seen.count > 1) return;
  pillion_waker waker = ((struct probe *)event->token)->waker;
  if (on_thread(wake_later, &waker) != PILLION_WOKEN) rig->failed = 1;
  submit(rig->ex, "test.big", "100000", 3, PILLION_EVENT);
  g_main_loop_run(dialog->loop);
  dialog->seen_inside = rig->seen.count;
}

TEST(tasks_calls_and_events_go_on_in_a_loop_that_on_event_runs) {
  struct rig *rig = rig_new(NULL);
  struct dialog dialog = {rig, g_main_loop_new(rig->context, FALSE), 0};
  struct probe first = {.ready_at = 1}, second = {.ready_at = 1};
  struct probe later = {.ready_at = 2};
  rig->glib.adapter.on_event = nest_in_on_event;
  rig->glib.adapter.data = &dialog;
  spawn(rig->ex, &later, 2, PILLION_EVENT);
  spawn(rig->ex, &first, (uintptr_t)&later, PILLION_EVENT);
  spawn(rig->ex, &second, 1, PILLION_EVENT);
  count_loops(rig);
  rig_step(rig);
  assert_int_equal(dialog.seen_inside, 4);
  assert_int_equal(rig->seen.event[1].token, 1);
  assert_true(loops_made < 20);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 4);
  assert_int_equal(rig->failed, 0);
  g_main_loop_unref(dialog.loop);
  rig_free(rig);
}

static gboolean quit(gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static void quit_after(GMainContext *context, guint ms, GMainLoop *loop) {
  GSource *source = g_timeout_source_new(ms);
  g_source_set_callback(source, quit, loop, NULL);
  g_source_attach(source, context);
  g_source_unref(source);
}

static int nest_in_poll(struct probe *probe, pillion_context *cx) {
  struct dialog *dialog = probe->data;
  quit_after(dialog->rig->context, 2, dialog->loop);
  g_main_loop_run(dialog->loop);
  return 0;
}

/* A handler runs a loop, and a task of another executor runs one in there. */
static void nest_once(const pillion_event *event, void *data) {
  struct dialog *dialog = data;
  see(event, &dialog->rig->seen);
  if (dialog->rig->seen.count == 1)
    g_main_context_iteration(dialog->rig->context, FALSE);
}

TEST(a_loop_inside_another_executors_poll_does_not_spin) {
  struct rig *rig = rig_new(NULL);
  struct dialog dialog = {rig, g_main_loop_new(rig->context, FALSE), 0};
  struct probe its[2] = {{.ready_at = 1}, {.ready_at = 1}};
  struct probe probe = {.ready_at = 1, .then = nest_in_poll, .data = &dialog};
  pillion_executor second = executor_new();
  pillion_glib glib;
  assert_ok(pillion_glib_attach(&glib, rig->context, G_PRIORITY_HIGH, second,
                                NULL, NULL));
  rig->glib.adapter.on_event = nest_once;
  rig->glib.adapter.data = &dialog;
  for (int i = 0; i < 2; i++) spawn(rig->ex, &its[i], i, PILLION_EVENT);
  g_main_context_iteration(rig->context, FALSE); /* the other one's first turn */
  spawn(second, &probe, 1, PILLION_DETACH);
  count_loops(rig);
  pillion_adapter_turn(&rig->glib.adapter);
  assert_int_equal(probe.polls, 1);
  assert_true(loops_made < 15);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  assert_ok(pillion_glib_detach(&glib));
  executor_free(second);
  g_main_loop_unref(dialog.loop);
  rig_free(rig);
}

/* ---- Ends, in every order ----------------------------------------------- */

static GMainLoop *its_loop;

static void unref_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count > 1) return;
  g_main_loop_quit(its_loop);
  g_main_loop_unref(its_loop);
  g_main_context_unref(rig->context);
}

static struct rig *with_ten_events(pillion_event_fn on_event) {
  static struct probe probes[10];
  struct rig *rig = rig_new(on_event);
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  }
  return rig;
}

/* A loop that runs holds its context until it returns. */
TEST(the_context_may_be_let_go_in_on_event) {
  struct rig *rig = with_ten_events(unref_in_on_event);
  its_loop = g_main_loop_new(rig->context, FALSE);
  g_main_loop_run(its_loop);
  assert_int_equal(rig->seen.count, 10);
  assert_ok(pillion_glib_detach(&rig->glib));
  executor_free(rig->ex);
  free(rig);
}

/* GLib's own source must not hold the loop that holds the context. */
TEST(nothing_of_ours_holds_the_context) {
  struct rig *rig = rig_new(record);
  GMainLoop *loop = g_main_loop_new(rig->context, FALSE);
  g_main_context_unref(rig->context);
  g_main_context_ref(rig->context = g_main_loop_get_context(loop));
  rig_step(rig);
  GSource *source = rig->glib.source;
  g_main_loop_unref(loop);
  assert_false(g_source_is_destroyed(source));
  g_main_context_unref(rig->context);
  assert_true(g_source_is_destroyed(source));
  assert_ok(pillion_glib_detach(&rig->glib));
  executor_free(rig->ex);
  free(rig);
}

/* ---- Refusals ----------------------------------------------------------- */

/* ---- Several ------------------------------------------------------------ */

static int own_loop(void *arg) {
  struct rig *rig = arg;
  pillion_function f;
  GMainContext *context = g_main_context_new();
  g_main_context_push_thread_default(context);
  int rc = pillion_executor_new(&rig->ex, NULL, NULL, 0);
  rc |= attach(rig, submit_again);
  rc |= pillion_function_find(&f, "test.echo");
  rc |= pillion_call_submit(NULL, rig->ex, f, "x", 1, f, PILLION_EVENT);
  glib_run(context, &rig->glib);
  rc |= pillion_glib_detach(&rig->glib);
  rc |= pillion_executor_free(rig->ex);
  g_main_context_pop_thread_default(context);
  g_main_context_unref(context);
  return rc;
}

TEST(null_is_the_context_of_the_thread) {
  struct rig *rigs[4];
  struct on_thread jobs[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    rigs[i] = calloc(1, sizeof **rigs);
    jobs[i] = (struct on_thread){own_loop, rigs[i], -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  for (int i = 0; i < 4; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
    assert_int_equal(rigs[i]->seen.count, 20);
    free(rigs[i]);
  }
}

TEST(the_default_context_is_taken_where_the_thread_has_no_other) {
  struct rig *rig = calloc(1, sizeof *rig);
  rig->ex = executor_new();
  assert_ok(attach(rig, record));
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig->context = g_main_context_ref(g_main_context_default());
  rig_free(rig);
}

