/* SPDX-License-Identifier: Apache-2.0 */

/* What a program sees of its executor while the loop runs. */
#include "rig.h"

TEST(a_call_submitted_before_attach_comes) {
  pillion_executor executor = executor_new();
  submit(executor, "test.upper", "abc", 1, PILLION_EVENT);
  struct rig *rig = rig_of(executor, record);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_string_equal(rig->seen.event[0].bytes, "ABC");
  rig_free(rig);
}

TEST(calls_submitted_in_on_event_come) {
  struct rig *rig = rig_new(submit_again);
  submit(rig->ex, "test.echo", "x", function("test.echo"), PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 20);
  rig_free(rig);
}

TEST(a_program_sees_at_any_time_that_something_lives) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1};
  assert_int_equal(host_live(&rig->host), 1); /* it does not know yet */
  rig_run(rig);
  assert_int_equal(host_live(&rig->host), 0);
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(host_live(&rig->host), 1);
  rig_run(rig);
  assert_int_equal(host_live(&rig->host), 0);
  rig_free(rig);
}

TEST(many_calls_come_in_batches) {
  struct rig *rig = rig_new(record);
  pillion_function f = function("test.echo");
  for (uint64_t i = 0; i < 5000; i++)
    assert_ok(
        pillion_call_submit(NULL, rig->ex, f, &i, sizeof i, i, PILLION_EVENT));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 5000);
  rig_free(rig);
}

TEST(functions_on_the_loop_run_in_its_turns) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.loop_echo", "on the loop", 1, PILLION_EVENT);
  submit(rig->ex, "test.loop_sleep", "3000000", 2, PILLION_EVENT);
  submit(rig->ex, "test.loop_yield", "10", 3, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 3);
  for (size_t i = 0; i < 3; i++) assert_ok(rig->seen.event[i].status);
  assert_string_equal(rig->seen.event[0].bytes, "on the loop");
  assert_true(stats_of(rig->ex).go_entries > 0);
  rig_free(rig);
}

/* A turn is one round of the loop. */
TEST(a_task_is_woken_once_a_round) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 50, .wake_self = 1};
  int rounds = 0;
  spawn(rig->ex, &probe, 3, PILLION_EVENT);
  for (; rig->seen.count == 0; rounds++) loop_round(rig->loop, 1);
  assert_int_equal(probe.polls, 50);
  assert_int_equal(probe.drops, 1);
  assert_true(rounds >= 48 && rounds <= 55);
  assert_string_equal(rig->seen.event[0].bytes, "probed");
  rig_free(rig);
}

TEST(a_loop_without_work_sleeps) {
  struct rig *rig = rig_new(record);
  int stop = 0, rounds = 0;
  rig_run(rig);
  settle(rig);
  loop_after(rig->loop, 3, stop_rounds, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  assert_true(rounds < 10);
  assert_true(stats_of(rig->ex).turns <= 1);
  rig_free(rig);
}

/* ---- A loop that ends ---------------------------------------------------- */

TEST(the_loop_ends_when_nothing_lives_and_not_before) {
  struct rig *rig = rig_new(record);
  struct stream in;
  int ends[2];
  loop_run_out(rig->loop);
  loop_run_out(rig->loop);
  assert_int_equal(rig->seen.count, 0);
  for (int i = 0; i < 3; i++) {
    submit(rig->ex, "test.echo", "x", i, PILLION_EVENT);
    loop_run_out(rig->loop);
    assert_int_equal(rig->seen.count, i + 1);
  }
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = 1;
  start(rig->ex, &in, &reading);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run_out(rig->loop);
  assert_int_equal(in.bytes, 1);
  loop_run_out(rig->loop); /* it still watches what the task has awaited */
  in.length = 2;
  start(rig->ex, &in, &reading);
  loop_round(rig->loop, 0);
  pillion_task_cancel(in.task);
  loop_run_out(rig->loop);
  assert_int_equal(in.drops, 2);
  close(ends[1]);
  assert_ok(host_detach(&rig->host));
  executor_free(rig->ex);
  loop_run_out(rig->loop);
  loop_destroy(rig->loop);
  free(rig);
}

static int sleep_poll(pillion_value *out, pillion_context *cx, void *self) {
  return pillion_sleep(self, cx, 3600 * SECOND);
}

static const pillion_future sleeping = {sizeof sleeping, sleep_poll, NULL};

static int leave_timer_poll(pillion_value *out, pillion_context *cx,
                            void *self) {
  pillion_timer_set(self, cx, cx->now + 3600 * SECOND);
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

static const pillion_future leaving = {sizeof leaving, leave_timer_poll, NULL};

/* Nothing lives that could wait for it, so the loop need not, either. */
TEST(a_timer_that_a_task_has_left_does_not_keep_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &leaving, &timer, 1, PILLION_EVENT));
  loop_run_out(rig->loop);
  assert_int_equal(rig->seen.count, 1);
  pillion_timer_clear(&timer);
  loop_run_out(rig->loop);
  rig_free(rig);
}

/* Its timer and its tasks are gone, and with them what kept the loop. */
TEST(nothing_of_a_freed_executor_keeps_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  pillion_timer timer = {0};
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &sleeping, &timer, 1, PILLION_DETACH));
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  executor_free(rig->ex);
  loop_run_out(rig->loop);
  assert_int_equal(rig->seen.count, 0);
  assert_ok(host_detach(&rig->host));
  loop_run_out(rig->loop);
  loop_destroy(rig->loop);
  free(rig);
}

/* Nothing wakes it but its count of what lives. */
TEST(a_loop_that_gathers_is_woken_once_for_many) {
  enum { CALLS = 512 };
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor executor;
  options.gather = UINT32_MAX; /* four seconds */
  assert_ok(pillion_executor_new(&executor, &options, NULL, 0));
  struct rig *rig = rig_of(executor, record);
  for (int i = 0; i < CALLS; i++)
    submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, CALLS);
  assert_true(stats_of(executor).pokes <= CALLS / 8);
  rig_free(rig);
}
