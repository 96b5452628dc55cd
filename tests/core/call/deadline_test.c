/* SPDX-License-Identifier: Apache-2.0 */

/* Deadlines of calls, as C sees them. */
#include "support.h"

static pillion_function echo, loop;

static pillion_task start(pillion_executor ex, pillion_function f) {
  pillion_task task;
  assert_ok(pillion_call_submit(&task, ex, f, "x", 1, 3, PILLION_EVENT));
  return task;
}

static void assert_timed_out(int outcome) {
  assert_int_equal(events[0].status, PILLION_ETIMEDOUT);
  assert_int_equal(events[0].outcome, outcome);
  assert_int_equal(events[0].token, 3);
}

static int turn_until_event(pillion_executor ex) {
  for (int i = 0; i < 4; i++)
    if (turn(ex) == 1) return 1;
  return 0;
}

TEST(call_that_nobody_took_up_ends_at_once) {
  ex = executor_at(100);
  pillion_timer timer = {0};
  pillion_task task = start(ex, echo);
  assert_ok(pillion_task_deadline(&timer, task, 500));
  turn(ex);
  assert_int_equal(progress.deadline, 500);
  virtual_now = 500;
  assert_int_equal(turn_until_event(ex), 1);
  assert_timed_out(PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_false(job_take_up(&jobs[0]));
}

TEST(running_call_is_asked_to_stop) {
  ex = executor_at(100);
  pillion_timer timer = {0};
  pillion_task task = start(ex, echo);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  assert_ok(pillion_task_deadline(&timer, task, 500));
  virtual_now = 500;
  assert_int_equal(turn(ex), 0);
  assert_int_equal(pillion__ring_take(&jobs[1], 1), 1);
  assert_true(jobs[1].news);
  assert_ptr_equal(jobs[1].call, jobs[0].call);
  assert_true(atomic_load(&jobs[0].call->state) & PILLION__CALL_EXPIRED);
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_true(atomic_load(&jobs[0].call->state) & PILLION__CALL_EXPIRED);
  job_return(&jobs[0], "yet", 3); /* Go's function may still return a result */
  assert_int_equal(turn_until_event(ex), 1);
  assert_int_equal(events[0].status, 0);
}

TEST(cancel_of_a_call_came_first) {
  ex = executor_at(100);
  pillion_timer timer = {0};
  pillion_task task = start(ex, echo);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  assert_ok(pillion_task_cancel(task));
  assert_ok(pillion_task_deadline(&timer, task, 50));
  uint64_t bits = atomic_load(&jobs[0].call->state);
  assert_true(bits & PILLION__CALL_CANCEL);
  assert_false(bits & PILLION__CALL_EXPIRED);
  job_return(&jobs[0], NULL, 0);
  assert_int_equal(turn_until_event(ex), 1);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 0);
}

TEST(call_that_has_ended_has_no_deadline) {
  ex = executor_at(100);
  pillion_timer timer = {0};
  pillion_task task = start(ex, echo), other;
  assert_ok(pillion_task_deadline(&timer, task, 500));
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  job_echo(&jobs[0]);
  assert_int_equal(pillion_task_deadline(&timer, task, 600), 2);
  assert_int_equal(turn_until_event(ex), 1);
  assert_int_equal(pillion_task_deadline(&timer, task, 600),
                   PILLION_EBADHANDLE);
  other = start(ex, echo); /* in the same node */
  assert_int_equal(pillion__slot_of(other), pillion__slot_of(task));
  virtual_now = 1000;
  assert_int_equal(turn(ex), 0);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  job_echo(&jobs[0]);
  assert_int_equal(turn_until_event(ex), 1);
  assert_int_equal(events[0].status, 0);
}

TEST(loop_call_gets_a_cancel_that_says_why) {
  ex = executor_at(100);
  pillion_timer timer = {0};
  pillion_task task = start(ex, loop);
  guest_reset();
  turn(ex);
  assert_int_equal(guest.loop_count, 1);
  assert_ok(pillion_task_deadline(&timer, task, 500));
  virtual_now = 500;
  turn(ex);
  turn(ex);
  assert_int_equal(guest.post_count, 2);
  assert_int_equal(guest.posts[1].bits, PILLION__PEND_CANCEL);
  assert_true(atomic_load(&guest.loop_calls[0]->state) &
              PILLION__CALL_EXPIRED);
  executor_free(ex);
  guest_reset();
}

TEST(call_of_a_waiting_thread_has_no_clock) {
  pillion_timer timer = {0};
  pillion_task task;
  assert_ok(pillion_call_submit(&task, 0, echo, NULL, 0, 0, PILLION_JOIN));
  assert_int_equal(pillion_task_deadline(&timer, task, 5), PILLION_EINVAL);
  pillion_task_cancel(task);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
}

/* ---- From the start ------------------------------------------------------ */

TEST(options_reach_the_call) {
  ex = executor_at(100);
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = echo;
  options.request = "a request that is longer than inline";
  options.length = strlen(options.request);
  options.token = 3;
  options.deadline = 12345;
  assert_ok(pillion_call_submit_with(NULL, ex, &options));
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_int_equal(jobs[0].call->deadline, 12345);
  assert_true(job_take_up(&jobs[0]));
  job_echo(&jobs[0]);
  assert_int_equal(turn_until_event(ex), 1);
  assert_int_equal(events[0].token, 3);
  assert_int_equal(events[0].length, options.length);
  assert_memory_equal(pillion_event_data(&events[0]), options.request,
                      options.length);
  start(ex, echo);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_int_equal(jobs[0].call->deadline, PILLION_TIME_NEVER);
}

TEST(impossible_options_are_refused) {
  ex = executor_at(100);
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  assert_int_equal(pillion_call_submit_with(NULL, ex, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_call_submit_with(NULL, ex, &options),
                   PILLION_EBADHANDLE);
  options.function = echo;
  options.length = 1;
  assert_int_equal(pillion_call_submit_with(NULL, ex, &options),
                   PILLION_EINVAL);
  options.length = 0;
  options.flags = PILLION_DETACH + 1;
  assert_int_equal(pillion_call_submit_with(NULL, ex, &options),
                   PILLION_EINVAL);
  options.flags = 0;
  options.size = PILLION__FIRST_CALL_OPTIONS - 1;
  assert_int_equal(pillion_call_submit_with(NULL, ex, &options), PILLION_EINVAL);
}

int main(void) {
  guest_install();
  echo = function("test.echo");
  loop = function("test.loop");
  return test_main();
}
