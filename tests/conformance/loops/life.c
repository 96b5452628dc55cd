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
  rig_free(rig);
}
