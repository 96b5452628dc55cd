/* SPDX-License-Identifier: Apache-2.0 */

/* Descriptors on pillion/glib.h: sources of a GMainContext. */
#include <glib-unix.h>

#include "glib_support.h"
#include "watch_support.h"

static pillion_executor executor;
static GMainContext *context;
static pillion_glib glib;

static void attach(GMainContext *to) {
  assert_ok(pillion_glib_attach(&glib, to, 0, executor, see, &seen));
}

void loop_begin(pillion_executor ex) {
  executor = ex;
  context = g_main_context_new();
  attach(context);
}

void loop_step(void) { g_main_context_iteration(context, TRUE); }

void loop_run(void) { glib_run(context, &glib); }

void loop_end(void) {
  executor_free(executor);
  assert_ok(pillion_glib_detach(&glib));
  g_main_context_unref(context);
}

/* poll(2) says that they are always ready. */
TEST(a_regular_file_is_always_ready) {
  struct stream in;
  loop_begin(executor_new());
  open_watch(executor, &in, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  in.length = R | W;
  start(executor, &in, &waiting);
  loop_run();
  assert_int_equal(in.events, R | W);
  loop_end();
}

TEST(a_descriptor_closed_behind_our_back_is_a_fault) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  memset(&in, 0, sizeof in);
  assert_ok(pillion_watch_open(&in.watch, executor, ends[0], 0));
  close(ends[0]);
  close(ends[1]);
  in.length = R;
  start(executor, &in, &waiting);
  loop_run();
  assert_int_equal(in.events, PILLION_FAULT);
  loop_end();
}

static gboolean count_one(gint fd, GIOCondition condition, gpointer data) {
  char byte;
  if (read(fd, &byte, 1) == 1) ++*(int *)data;
  return G_SOURCE_CONTINUE;
}

/* A watch hears of its own events only. */
TEST(the_program_may_watch_the_same_descriptor) {
  struct stream out;
  int ends[2], count = 0;
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &out, ends[0]);
  GSource *its_own = g_unix_fd_source_new(ends[0], G_IO_IN);
  g_source_set_callback(its_own, G_SOURCE_FUNC(count_one), &count, NULL);
  g_source_attach(its_own, context);
  out.length = H;
  start(executor, &out, &waiting);
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(write(ends[1], "x", 1), 1);
    while (count < i) loop_step();
  }
  assert_int_equal(out.polls, 1);
  assert_true(turns_of(executor) < 4);
  close(ends[1]);
  loop_run();
  assert_true(out.events & H);
  g_source_destroy(its_own);
  g_source_unref(its_own);
  loop_end();
}

/* The task waits while the executor goes from one loop to another. */
TEST(a_detached_executor_watches_on_another_context) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  while (in.polls == 0) loop_step();
  assert_ok(pillion_glib_detach(&glib));
  g_main_context_unref(context);
  context = g_main_context_new();
  attach(context);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 1);
  /* And to a loop of poll.h, which takes it over. */
  in.length = 2;
  start(executor, &in, &reading);
  assert_int_equal(write(ends[1], "y", 1), 1);
  assert_ok(pillion_poll_run(executor, NULL, NULL));
  assert_int_equal(in.bytes, 2);
  assert_int_equal(glib.adapter.status, PILLION_ECLOSED);
  loop_end();
  close(ends[1]);
}

/* A Go task waits likewise, and need not know that the loop has changed. */
TEST(a_go_task_goes_from_context_to_context) {
  int ends[2];
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  loop_begin(executor_new());
  start_cat(executor, ends[0]);
  while (library_counts().watches == 0) loop_step();
  assert_ok(pillion_glib_detach(&glib));
  assert_int_equal(library_counts().watches, 0);
  g_main_context_unref(context);
  context = g_main_context_new();
  attach(context);
  assert_int_equal(library_counts().watches, 1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_ok(shutdown(ends[1], SHUT_WR));
  loop_run();
  assert_int_equal(seen.count, 1);
  assert_string_equal(seen.event[0].bytes, "1");
  loop_end();
  close(ends[0]);
  close(ends[1]);
}

TEST(the_context_may_go_before_the_watches) {
  struct stream in, late;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  open_watch(executor, &late, ends[1]);
  in.length = late.length = R;
  start(executor, &in, &waiting);
  while (in.polls == 0) loop_step();
  g_main_context_unref(context);
  start(executor, &late, &waiting);
  pillion_executor_turn(NULL, 0, NULL, executor, NULL);
  assert_int_equal(late.rc, PILLION_ECLOSED);
  assert_ok(pillion_watch_close(in.watch));
  executor_free(executor);
  assert_ok(pillion_glib_detach(&glib));
  assert_int_equal(in.drops, 1);
}

static int runs_the_loop(pillion_value *out, pillion_context *cx, void *self) {
  for (int i = 0; i < 3; i++) g_main_context_iteration(context, FALSE);
  return PILLION_READY;
}

/* What is reported while no turn can be made is not forgotten. */
TEST(a_poll_runs_the_loop_once_more) {
  static const pillion_future nesting = {sizeof nesting, runs_the_loop, NULL};
  struct stream in;
  int ends[2];
  for (int by_hand = 0; by_hand < 2; by_hand++) {
    pair_new(ends);
    loop_begin(executor_new());
    open_watch(executor, &in, ends[0]);
    in.length = 1;
    start(executor, &in, &reading);
    while (in.polls == 0) loop_step();
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_ok(
        pillion_task_spawn(NULL, executor, &nesting, &in, 0, PILLION_DETACH));
    if (by_hand) pillion_executor_turn(NULL, 0, NULL, executor, NULL);
    loop_run();
    assert_int_equal(in.bytes, 1);
    loop_end();
    close(ends[1]);
  }
}

static gboolean nest(gpointer data) {
  struct stream *in = data;
  while (in->bytes == 0) loop_step();
  return G_SOURCE_REMOVE;
}

TEST(descriptors_are_watched_in_a_nested_loop) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  while (in.polls == 0) loop_step();
  g_main_context_invoke(context, nest, &in);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 1);
  loop_end();
  close(ends[1]);
}
