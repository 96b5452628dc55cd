/* SPDX-License-Identifier: Apache-2.0 */

/* Deadlines of Go functions, and waits for a time, through the library. */
#include <stdatomic.h>

#include "support.h"

static _Atomic int allocations;

static void *counting_alloc(size_t bytes, void *data) {
  allocations++;
  return malloc(bytes);
}

static void counting_free(void *memory, void *data) {
  free(memory);
}

static int64_t monotonic(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static void start(pillion_executor ex, const char *name, int64_t deadline) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function(name);
  options.deadline = deadline;
  assert_ok(pillion_call_submit_with(NULL, ex, &options));
}

/* Turns until the only event comes. */
static pillion_event await_event(pillion_executor ex) {
  pillion_event event;
  int n;
  while ((n = pillion_executor_turn(&event, 1, NULL, ex, NULL)) == 0)
    assert_true(readable(ex, 20000) > 0);
  assert_int_equal(n, 1);
  return event;
}

static void assert_late(const pillion_event *event, int outcome) {
  assert_int_equal(event->status, PILLION_ETIMEDOUT);
  assert_int_equal(event->outcome, outcome);
  assert_int_equal(event->length, 0);
}

static void assert_timed_out(pillion_executor ex, int outcome) {
  pillion_event event = await_event(ex);
  assert_late(&event, outcome);
}

/* Gives the function longer and longer, until it begins before its deadline. */
static pillion_event outlive_the_deadline(pillion_executor ex,
                                          const char *name) {
  for (int64_t ns = MS;; ns *= 2) {
    start(ex, name, monotonic() + ns);
    assert_true(readable(ex, 20000) > 0); /* no turn was made */
    pillion_event event = await_event(ex);
    if (event.outcome != PILLION_OUTCOME_CANCELLED_UNSTARTED) return event;
    assert_late(&event, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  }
}

/* ---- Deadlines that Go keeps --------------------------------------------- */

GIVEN(an_executor, go_sees_the_deadline) {
  char text[32] = "";
  start(ex, "test.deadline", monotonic() + 3600 * SECOND);
  pillion_event event = await_event(ex);
  assert_int_equal(event.status, 0);
  memcpy(text, pillion_event_data(&event), event.length);
  assert_in_range(strtoll(text, NULL, 10), 1, 3600 * SECOND);
  start(ex, "test.deadline", PILLION_TIME_NEVER);
  event = await_event(ex);
  assert_memory_equal(pillion_event_data(&event), "none", 4);
}

GIVEN(an_executor, context_ends_though_the_loop_stands_still) {
  pillion_event event = outlive_the_deadline(ex, "test.block");
  assert_late(&event, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(an_executor, function_may_return_all_the_same) {
  pillion_event event = outlive_the_deadline(ex, "test.overtime");
  assert_int_equal(event.status, 0);
  assert_int_equal(event.outcome, PILLION_OUTCOME_RETURNED);
  assert_memory_equal(pillion_event_data(&event), "anyway", 6);
}

TEST(call_that_is_late_from_the_start_never_starts) {
  static const char *const names[] = {"test.echo", "test.loop_echo"};
  static const int64_t past[] = {0, -1, INT64_MIN, 1};
  for (size_t i = 0; i < COUNT(names); i++)
    for (size_t j = 0; j < COUNT(past); j++) {
      pillion_executor ex = executor_new();
      start(ex, names[i], past[j]);
      assert_timed_out(ex, PILLION_OUTCOME_CANCELLED_UNSTARTED);
      executor_free(ex);
    }
}

TEST(thread_without_a_loop_learns_it_too) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  pillion_task task;
  pillion_value value;
  options.function = function("test.block");
  options.flags = PILLION_JOIN;
  options.deadline = monotonic() + MS;
  assert_ok(pillion_call_submit_with(&task, 0, &options));
  assert_ok(pillion_task_wait(&value, task, LONG_ENOUGH));
  assert_int_equal(value.status, PILLION_ETIMEDOUT);
  pillion_value_drop(&value);
}

/* ---- Deadlines that the loop keeps, on a clock of our own ---------------- */

static int64_t now;

static int64_t our_clock(void *data) {
  return now;
}

static pillion_executor executor_with_clock(void) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  now = SECOND;
  options.clock = our_clock;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  return ex;
}

TEST(running_function_is_cancelled_by_its_deadline) {
  pillion_executor ex = executor_with_clock();
  pillion_timer timer = {0};
  pillion_task task = submit(ex, "test.block", "", 0, PILLION_EVENT);
  await_waiting(1);
  assert_ok(pillion_task_deadline(&timer, task, now + 500));
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  now += 500;
  assert_timed_out(ex, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(ex);
}

TEST(coroutine_is_cancelled_by_its_deadline) {
  pillion_executor ex = executor_with_clock();
  pillion_timer timer = {0};
  pillion_task task = submit(ex, "test.loop_block", "", 0, PILLION_EVENT);
  assert_ok(pillion_task_deadline(&timer, task, now + 500));
  while (ask_number("test.waiting", "") != 1)
    assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  now += 500;
  assert_timed_out(ex, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(ex);
}

TEST(coroutine_has_its_deadline_from_the_start) {
  pillion_executor ex = executor_with_clock();
  pillion_progress progress = PILLION_PROGRESS_INIT;
  start(ex, "test.loop_block", now + 500);
  while (ask_number("test.waiting", "") != 1)
    assert_int_equal(pillion_executor_turn(NULL, 0, &progress, ex, NULL), 0);
  pillion_executor_turn(NULL, 0, &progress, ex, NULL);
  assert_int_equal(progress.deadline, now + 500);
  now += 500;
  assert_timed_out(ex, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(ex);
}

/* ---- Waiting ------------------------------------------------------------- */

struct beat {
  pillion_interval every;
  pillion_timer timer;
  uint64_t missed;
  int state, ticks;
};

/* Half of its awaits reach their timeout. */
static int beat_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct beat *beat = self;
  PILLION_ASYNC(beat->state);
  for (;;) {
    PILLION_AWAIT(beat->state,
                  pillion_timeout(&beat->timer, cx, SECOND,
                                  pillion_interval_tick(&beat->missed,
                                                        &beat->every, cx)));
    beat->ticks++;
  }
  PILLION_ASYNC_END;
}

static void beat_drop(void *self) {
  struct beat *beat = self;
  pillion_interval_clear(&beat->every);
  pillion_timer_clear(&beat->timer);
}

static const pillion_future beating = {sizeof beating, beat_poll, beat_drop};

TEST(intervals_and_timeouts_allocate_nothing) {
  pillion_executor ex = executor_with_clock();
  pillion_progress progress = PILLION_PROGRESS_INIT;
  struct beat beat;
  memset(&beat, 0, sizeof beat);
  assert_ok(pillion_interval_init(&beat.every, MS, PILLION_MISSED_SKIP));
  assert_ok(
      pillion_task_spawn(NULL, ex, &beating, &beat, 0, PILLION_DETACH));
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, NULL));
  int before = allocations;
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(progress.deadline, now + MS);
    now = progress.deadline;
    assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, NULL));
  }
  assert_int_equal(allocations, before);
  assert_int_equal(beat.ticks, 1000);
  now += 10 * MS + 1;
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, NULL));
  assert_int_equal(beat.missed, 9);
  assert_int_equal(progress.deadline, SECOND + 1011 * MS);
  executor_free(ex);
}

int main(void) {
  static const pillion_allocator counting = {counting_alloc, counting_free,
                                             NULL};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.allocator = &counting;
  if (pillion_start(&options, NULL, 0) < 0) return 1;
  return test_main();
}
