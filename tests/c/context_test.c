/* SPDX-License-Identifier: Apache-2.0 */

/* Context tokens in both lanes, through the library. */
#include "support.h"

static struct {
  int current, captured, entered, left, released, wrong, depth;
  int stack[8];
} context;

/* A token is a number: ten times the one that captured it, and one. */
static void *capture(void *data) {
  if (data != &context) context.wrong++;
  context.captured++;
  return context.current < 0 ? NULL
                             : (void *)(intptr_t)(context.current * 10 + 1);
}

static void enter(void *token, void *data) {
  if (data != &context) context.wrong++;
  context.entered++;
  context.stack[context.depth++] = context.current;
  context.current = (int)(intptr_t)token;
}

static void leave(void *token, void *data) {
  if (data != &context || context.current != (int)(intptr_t)token)
    context.wrong++;
  context.left++;
  context.current = context.stack[--context.depth];
}

static void release(void *token, void *data) {
  if (data != &context || token == NULL) context.wrong++;
  context.released++;
}

static pillion_executor hooked(void) {
  static const pillion_context_hooks hooks = {
      sizeof hooks, &context, capture, enter, leave, release};
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  options.context_hooks = &hooks;
  memset(&context, 0, sizeof context);
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  return ex;
}

/* Runs `name`. Answers how often its token was entered. */
static int pairs_of(const char *name, const char *request, int current) {
  static struct seen seen;
  seen.count = 0;
  pillion_executor ex = hooked();
  context.current = current;
  submit(ex, name, request, 0, PILLION_EVENT);
  context.current = 0;
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].status, 0);
  executor_free(ex);
  assert_int_equal(context.entered, context.left);
  assert_int_equal(context.wrong, 0);
  assert_int_equal(context.depth, 0);
  return context.entered;
}

TEST(each_poll_of_a_loop_call_and_its_end_are_inside) {
  int once = pairs_of("test.loop_echo", "x", 4);
  assert_int_equal(context.captured, 1);
  assert_int_equal(context.released, 1);
  assert_int_equal(pairs_of("test.loop_yield", "5", 4), once + 5);
  assert_int_equal(context.captured, 1);
  assert_int_equal(context.released, 1);
}

TEST(what_a_loop_call_spawns_is_captured_inside_it) {
  assert_true(pairs_of("test.loop_spawn", "", 4) > 4);
  assert_int_equal(context.captured, 2);
  assert_int_equal(context.released, 2);
}

TEST(loop_call_without_a_token_calls_nothing) {
  assert_int_equal(pairs_of("test.loop_yield", "5", -1), 0);
  assert_int_equal(context.captured, 1);
  assert_int_equal(context.released, 0);
}

TEST(offloaded_call_is_not_captured) {
  assert_int_equal(pairs_of("test.echo", "x", 4), 0);
  assert_int_equal(context.captured, 0);
}

TEST(cancelled_and_freed_loop_calls_release_theirs) {
  static struct seen seen;
  pillion_executor ex = hooked();
  pillion_task unstarted = submit(ex, "test.loop_block", "", 1, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(unstarted), 0);
  assert_int_equal(context.released, 1);
  pillion_task running = submit(ex, "test.loop_block", "", 2, PILLION_EVENT);
  submit(ex, "test.loop_block", "", 3, PILLION_EVENT);
  while (context.entered < 2) turn(ex, &seen, NULL);
  assert_int_equal(pillion_task_cancel(running), 0);
  while (seen.count < 2) turn(ex, &seen, NULL);
  assert_int_equal(seen.event[1].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(context.released, 2);
  executor_free(ex);
  assert_int_equal(context.released, 3);
  assert_int_equal(context.captured, 3);
  assert_int_equal(context.entered, context.left);
  assert_int_equal(context.wrong, 0);
}

/* Reads the present token, beside a Go function that has another. */
static int looks(struct probe *probe, pillion_context *cx) {
  *(int *)probe->data = context.current;
  return 0;
}

TEST(both_lanes_keep_theirs_apart) {
  static struct seen seen;
  pillion_executor ex = hooked();
  int first = 0, second = 0;
  struct probe a = {.ready_at = 1, .then = looks, .data = &first};
  struct probe b = {.ready_at = 1, .then = looks, .data = &second};
  context.current = 1;
  spawn(ex, &a, 0, PILLION_EVENT);
  context.current = 2;
  submit(ex, "test.loop_yield", "3", 0, PILLION_EVENT);
  context.current = 3;
  spawn(ex, &b, 0, PILLION_EVENT);
  context.current = 0;
  run(ex, &seen);
  assert_int_equal(first, 11);
  assert_int_equal(second, 31);
  assert_int_equal(context.captured, 3);
  assert_int_equal(context.released, 3);
  assert_int_equal(context.wrong, 0);
  executor_free(ex);
}
