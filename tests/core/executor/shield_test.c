/* SPDX-License-Identifier: Apache-2.0 */

/* Shields: which cancels wait for their end, and which don't. */
#include "support.h"

/* Shields itself in its first poll; probe->state ends the shield. */
static int shielded(struct probe *probe, pillion_value *out,
                    pillion_context *cx) {
  if (probe->polls == 1) probe->rc = pillion_shield(cx, 1);
  probe->awaited = pillion_cancelled(cx);
  if (probe->state == 0) return PILLION_PENDING;
  probe->rc = pillion_shield(cx, 0);
  if (probe->state == 1) return PILLION_PENDING;
  pillion_value_set(out, "done", 4);
  return PILLION_READY;
}

GIVEN(an_executor, cancel_of_a_shielded_task_wakes_it) {
  struct probe probe = {.step = shielded};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(probe.awaited, 0);
  assert_int_equal(pillion_task_cancel(probe.task), 0);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.awaited, 1);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.polls, 2); /* the cancel wakes it once only */

  probe.state = 1;
  pillion_wake_local(probe.waker);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(probe.rc, 1);
  assert_int_equal(progress.more, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(an_executor, poll_that_takes_it_off_may_still_end_the_task) {
  struct probe probe = {.step = shielded};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  pillion_task_cancel(probe.task);
  probe.state = 2;
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(turn(ex), 0);
}

GIVEN(an_executor, shield_that_nobody_tests_costs_no_poll) {
  static struct probe probe = {.step = shielded, .state = 1};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  turn(ex);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(progress.more, 0);
}

/* A cancel before the first poll finds no shield: the task is never polled. */
GIVEN(an_executor, shield_before_the_first_poll_is_none) {
  struct probe probe = {.step = shielded};
  spawn(ex, &probe, 0, PILLION_EVENT);
  pillion_task_cancel(probe.task);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 0);
}

static int nests(struct probe *probe, pillion_value *out, pillion_context *cx) {
  int outer = pillion_shield(cx, 1);
  int inner = pillion_shield(cx, 1);
  pillion_task_cancel(probe->task);
  int still = pillion_shield(cx, inner);
  probe->awaited = pillion_cancelled(cx);
  int last = pillion_shield(cx, outer);
  probe->rc = outer * 1000 + inner * 100 + still * 10 + last;
  return PILLION_PENDING;
}

GIVEN(an_executor, shields_nest) {
  struct probe probe = {.step = nests};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.rc, 111);
  assert_int_equal(probe.awaited, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 1);
}

GIVEN(an_executor, close_waits_for_the_shield) {
  struct probe probe = {.step = shielded};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 1);
  assert_int_equal(probe.awaited, 1);
  probe.state = 2;
  pillion_wake_local(probe.waker);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, evict_and_free_take_no_notice) {
  struct probe evicted = {.step = shielded}, freed = {.step = shielded};
  spawn(ex, &evicted, 0, PILLION_EVENT);
  spawn(ex, &freed, 0, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_evict(evicted.task));
  assert_int_equal(evicted.drops, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  executor_free(ex);
  assert_int_equal(freed.drops, 1);
  assert_int_equal(freed.polls, 1);
}

static pillion_context *kept;

static int keeps(struct probe *probe, pillion_value *out, pillion_context *cx) {
  kept = cx;
  return PILLION_PENDING;
}

GIVEN(an_executor, outside_a_poll_there_is_nothing_to_shield) {
  struct probe probe = {.step = keeps};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_int_equal(pillion_shield(kept, 1), PILLION_EINVAL);
  assert_int_equal(pillion_cancelled(kept), 0);
  assert_int_equal(pillion_task_cancel(probe.task), 0);
  assert_int_equal(turn(ex), 1);
}

/* ---- The chain, acknowledged --------------------------------------------- */

struct chain {
  struct probe probe; /* the first */
  pillion_task call;
  int passed;
};

/* Shielded from its own cancel, it cancels its call and awaits the end. */
static int awaits_the_end(struct probe *probe, pillion_value *out,
                          pillion_context *cx) {
  struct chain *chain = (struct chain *)probe;
  pillion_shield(cx, 1);
  if (pillion_cancelled(cx)) chain->passed = pillion_cancel(cx->ops, chain->call);
  int rc = pillion_join(out, cx, chain->call);
  return rc;
}

GIVEN(an_executor, shielded_task_awaits_the_end_of_what_it_cancelled) {
  struct chain chain = {.probe = {.step = awaits_the_end}, .passed = 99};
  assert_ok(pillion_call_submit(&chain.call, ex, function("test.echo"), "abc",
                                3, 0, PILLION_JOIN));
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(job_take_up(&jobs[0]));
  struct pillion__job job = jobs[0];
  spawn(ex, &chain.probe, 0, PILLION_EVENT);
  turn(ex);
  assert_int_equal(chain.passed, 99);
  pillion_task_cancel(chain.probe.task);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(chain.passed, 0);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_true(jobs[0].news);
  pillion__call_complete(job.call, PILLION_ECANCELLED,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].task, chain.probe.task);
  assert_int_equal(events[0].status, PILLION_ECANCELLED); /* the call's */
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(progress.live, 0);
}
