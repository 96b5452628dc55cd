/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handles that are kept too long: of calls that Go still runs when their
 * executor is freed, of tasks and calls whose event was taken although its
 * payload is still lent, and of tasks that end just now.
 */
#include "support.h"

static int joins(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  probe->rc = pillion_join(out, cx, probe->task);
  return PILLION_READY;
}

/* Neither a task of another executor nor one of a pool can join it. */
static void assert_not_joined(pillion_task stale) {
  pillion_executor ex = executor_new();
  pillion_pool pool = pool_new();
  struct probe local = {.step = joins}, pooled = {.step = joins};
  spawn(ex, &local, 0, PILLION_DETACH);
  local.task = pooled.task = stale;
  assert_ok(pillion_pool_join(pool, ex, 0));
  pool_spawn_as(pool, &pooled);
  turn(ex);
  assert_int_equal(local.rc, PILLION_EBADHANDLE);
  assert_int_equal(pooled.rc, PILLION_EBADHANDLE);
  executor_free(ex);
  pool_free(pool);
}

static int answers[5];

static void *asks_everything(void *data) {
  pillion_task task = *(pillion_task *)data;
  pillion_timer *timer = calloc(1, sizeof *timer);
  pillion_value value;
  answers[0] = pillion_task_cancel(task);
  answers[1] = pillion_task_deadline(timer, task, pillion__now() + SECOND);
  free(timer); /* a refused deadline keeps no timer */
  answers[2] = pillion_task_detach(task);
  answers[3] = pillion_task_evict(task);
  answers[4] = pillion_task_wait(&value, task, 0);
  return NULL;
}

static void assert_all_refuse(void) {
  for (size_t i = 0; i < COUNT(answers); i++)
    assert_int_equal(answers[i], PILLION_EBADHANDLE);
}

/* Asks on this thread and on another one. */
static void assert_gone(pillion_task task) {
  asks_everything(&task);
  assert_all_refuse();
  on_thread(asks_everything, &task);
  assert_all_refuse();
}

static pillion_task call_that_runs(pillion_executor ex, uint32_t flags) {
  pillion_task call;
  assert_ok(pillion_call_submit(&call, ex, function("test.echo"), "x", 1, 0, flags));
  assert_int_equal(pillion__ring_take(jobs, 1), 1);
  assert_true(job_take_up(&jobs[0]));
  return call;
}

TEST(call_runs_on_when_its_executor_is_freed) {
  for (uint32_t flags = PILLION_EVENT; flags <= PILLION_DETACH; flags++) {
    pillion_executor ex = executor_new();
    turn(ex);
    pillion_task call = call_that_runs(ex, flags);
    executor_free(ex);
    assert_gone(call);
    assert_not_joined(call);
    ex = executor_new(); /* in the same place */
    turn(ex);
    assert_gone(call);
    assert_ok(pillion_executor_release(ex));
    assert_gone(call);
    executor_free(ex);
    assert_int_equal(library_counts().calls, 1);
    job_return(&jobs[0], "y", 1);
    assert_int_equal(library_counts().calls, 0);
    assert_gone(call);
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 0);
  }
}

/* A caller may cancel a call that it has detached. */
TEST(call_without_an_executor_is_cancelled_when_detached) {
  pillion_task call = call_that_runs(0, PILLION_DETACH);
  assert_int_equal(pillion_task_cancel(call), 0);
  assert_int_equal(pillion_task_cancel(call), 1);
  job_return(&jobs[0], "y", 1);
  assert_int_equal(pillion_task_cancel(call), PILLION_EBADHANDLE);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 0);
}

static int wakes[2];

static void *wakes_it(void *data) {
  wakes[0] = pillion_wake(waker_of(*(pillion_task *)data));
  wakes[1] = pillion_wake_local(waker_of(*(pillion_task *)data));
  return NULL;
}

static int host_was_told;

static int tells(void *data) {
  host_was_told++;
  return 0;
}

static void assert_wakes_nobody(pillion_executor ex, pillion_task task) {
  pillion_host host = PILLION_HOST_INIT;
  host.wake = tells;
  assert_ok(pillion_host_set(ex, &host));
  turn(ex); /* the new host's first turn */
  uint64_t before = stats_of(ex).wakes;
  host_was_told = 0;
  wakes_it(&task);
  assert_int_equal(wakes[0], PILLION_STALE);
  assert_int_equal(wakes[1], PILLION_STALE);
  on_thread(wakes_it, &task);
  assert_int_equal(wakes[0], PILLION_STALE);
  assert_int_equal(host_was_told, 0);
  turn(ex);
  assert_int_equal(stats_of(ex).wakes, before);
}

GIVEN(an_executor, task_whose_event_was_taken) {
  struct probe probe = {.step = returns_far};
  far_releases = 0;
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  pillion_task task = events[0].task;
  assert_true(task == probe.task);
  assert_int_equal(far_releases, 0); /* it is lent until the next turn */
  assert_gone(task);
  wakes_it(&task);
  assert_int_equal(wakes[0], PILLION_STALE);
  assert_int_equal(wakes[1], PILLION_STALE);
  assert_not_joined(task);
  assert_int_equal(far_releases, 0);
  turn(ex);
  assert_int_equal(far_releases, 1);
  assert_wakes_nobody(ex, task);
}

GIVEN(a_worker, pool_task_whose_event_was_taken) {
  struct probe probe = {.step = returns_far};
  far_releases = 0;
  pillion_task task =
      pool_spawn(pool, ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(far_releases, 0);
  assert_gone(task);
  wakes_it(&task);
  assert_int_equal(wakes[0], PILLION_STALE);
  assert_int_equal(wakes[1], PILLION_STALE);
  turn(ex);
  assert_int_equal(far_releases, 1);
}

GIVEN(an_executor, call_whose_event_was_taken) {
  turn(ex);
  pillion_task call = call_that_runs(ex, PILLION_EVENT);
  job_return(&jobs[0], far_bytes, sizeof far_bytes);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(library_counts().payloads, 1);
  assert_gone(call);
  assert_not_joined(call);
  assert_memory_equal(pillion_event_data(&events[0]), far_bytes,
                      sizeof far_bytes);
  turn(ex);
  assert_int_equal(library_counts().payloads, 0);
}

/* pillion_wake answers the same as pillion_wake_local. */
GIVEN(an_executor, task_that_has_ended_and_was_not_taken) {
  struct probe probe = {.ready_at = 1};
  pillion_task task = spawn(ex, &probe, 0, PILLION_JOIN);
  turn(ex);
  assert_wakes_nobody(ex, task);
  assert_int_equal(pillion_task_cancel(task), 2);
  assert_ok(pillion_task_detach(task));
}

static void wakes_itself_in_its_drop(struct probe *probe) {
  pillion_task task = probe->task;
  wakes_it(&task);
  probe->state = wakes[0] << 8 | wakes[1];
  on_thread(wakes_it, &task);
  probe->awaited = wakes[0];
  probe->rc = pillion_task_cancel(task);
}

#define STALE_TWICE (PILLION_STALE << 8 | PILLION_STALE)

TEST(task_that_is_being_dropped) {
  for (uint32_t flags = PILLION_EVENT; flags <= PILLION_DETACH; flags++) {
    struct probe probe = {.ready_at = 1, .dropped = wakes_itself_in_its_drop};
    pillion_executor ex = executor_new();
    spawn(ex, &probe, 0, flags);
    turn(ex);
    assert_int_equal(probe.drops, 1);
    assert_int_equal(probe.state, STALE_TWICE);
    assert_int_equal(probe.awaited, PILLION_STALE);
    assert_int_equal(probe.rc, 2);
    turn(ex);
    assert_int_equal(stats_of(ex).wakes, 0);
    assert_int_equal(probe.polls, 1);
    executor_free(ex);
  }
}

GIVEN(a_worker, pool_task_that_is_being_dropped) {
  struct probe probe = {.ready_at = 1, .dropped = wakes_itself_in_its_drop};
  probe.task = pool_spawn(pool, ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(probe.state, STALE_TWICE);
  assert_int_equal(probe.awaited, PILLION_STALE);
  assert_int_equal(probe.rc, 2);
}
