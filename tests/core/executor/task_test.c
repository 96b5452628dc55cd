/* SPDX-License-Identifier: Apache-2.0 */

/* The life of C tasks: spawn, poll, cancel, evict, join, detach, events. */
#include "support.h"

/* ---- Spawn and poll ------------------------------------------------------ */

GIVEN(an_executor, task_is_polled_until_it_is_ready) {
  struct probe probe = {.ready_at = 2};
  pillion_task task = spawn(ex, &probe, 77, PILLION_EVENT);
  assert_int_equal(probe.polls, 0); /* a spawn only schedules */
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.polled, 1);
  assert_int_equal(progress.live, 1);
  assert_int_equal(probe.drops, 0);

  pillion_wake_local(probe.waker);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(events[0].token, 77);
  assert_int_equal(events[0].task, task);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(events[0].flags, 0);
  assert_int_equal(events[0].link, 0);
  assert_int_equal(events[0].length, 4);
  assert_memory_equal(pillion_event_data(&events[0]), "done", 4);
  assert_int_equal(turn(ex), 0); /* it comes once */
}

static int fails(struct probe *probe, pillion_value *out, pillion_context *cx) {
  pillion_value_set(out, "ignored", 7);
  return PILLION_EFAILED;
}

GIVEN(an_executor, error_of_a_poll_is_the_status) {
  struct probe probe = {.step = fails};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_EFAILED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(events[0].length, 0);
}

static int spawn_another(struct probe *probe, pillion_value *out,
                         pillion_context *cx) {
  if (probe->polls == 1)
    probe->rc = pillion_spawn(NULL, cx, &probing, probe->data, 0,
                              PILLION_DETACH);
  return PILLION_PENDING;
}

GIVEN(an_executor, task_spawned_in_a_poll_waits_for_the_next_turn) {
  struct probe inner = {.name = "inner"};
  struct probe outer = {.step = spawn_another, .data = &inner, .name = "outer"};
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex);
  assert_ok(outer.rc);
  assert_int_equal(progress.more, 1);
  trace("|");
  turn(ex);
  assert_traced("outer | inner");
  executor_free(ex);
}

GIVEN(an_executor, spawn_refuses_what_can_never_be_right) {
  struct probe probe = {0};
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  pillion_future old = {8, probe_poll, NULL};
  pillion_task task;
  assert_int_equal(pillion_task_spawn(&task, ex, NULL, &probe, 0, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_task_spawn(&task, ex, &no_poll, &probe, 0, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_task_spawn(&task, ex, &old, &probe, 0, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_task_spawn(&task, ex, &probing, &probe, 0, 3),
                   PILLION_EINVAL);
  assert_int_equal(pillion_task_spawn(&task, 0, &probing, &probe, 0, 0),
                   PILLION_EBADHANDLE);
  assert_false(readable(ex));
}

TEST(max_tasks_is_kept) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.max_tasks = 2;
  pillion_executor ex;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  struct probe a = {.ready_at = 1}, b = {0}, c = {0};
  pillion_task task;
  spawn(ex, &a, 0, PILLION_EVENT);
  spawn(ex, &b, 0, PILLION_EVENT);
  assert_int_equal(pillion_task_spawn(&task, ex, &probing, &c, 0, 0),
                   PILLION_EAGAIN);
  assert_int_equal(turn(ex), 1);
  spawn(ex, &c, 0, PILLION_EVENT); /* the event was taken */
  executor_free(ex);
  assert_int_equal(c.drops, 1);
}

/* ---- Fairness ------------------------------------------------------------ */

GIVEN(an_executor, budget_bounds_the_polls_of_a_turn) {
  static struct probe probes[10];
  spawn_each(ex, probes, COUNT(probes), NULL);
  pillion_budget three = PILLION_BUDGET_INIT;
  three.max_polls = 3;
  const uint32_t polled[] = {3, 3, 3, 1};
  for (size_t i = 0; i < COUNT(polled); i++) {
    pillion_executor_turn(NULL, 0, &progress, ex, &three);
    assert_int_equal(progress.polled, polled[i]);
    assert_int_equal(progress.more, i < 3);
    assert_int_equal(readable(ex), i < 3);
  }
}

GIVEN(an_executor, budget_is_256_polls_by_default) {
  static struct probe probes[300];
  spawn_each(ex, probes, COUNT(probes), NULL);
  turn(ex);
  assert_int_equal(progress.polled, 256);
  turn(ex);
  assert_int_equal(progress.polled, 44);
}

GIVEN(an_executor, clock_is_looked_at_every_64_polls) {
  static struct probe probes[150];
  spawn_each(ex, probes, COUNT(probes), NULL);
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_ns = 1; /* over at the first look */
  const uint32_t polled[] = {64, 64, 22};
  for (size_t i = 0; i < COUNT(polled); i++) {
    pillion_executor_turn(NULL, 0, &progress, ex, &budget);
    assert_int_equal(progress.polled, polled[i]);
  }
}

/* ---- Cancel -------------------------------------------------------------- */

GIVEN(an_executor, cancel_before_first_poll) {
  struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 5, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_int_equal(probe.drops, 0); /* the next turn drops it */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 0);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(progress.polled, 0);
  assert_int_equal(events[0].token, 5);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

GIVEN(an_executor, cancel_while_it_waits) {
  struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 5, PILLION_EVENT);
  turn(ex);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

static int cancels_itself(struct probe *probe, pillion_value *out,
                          pillion_context *cx) {
  probe->rc = pillion_task_cancel(probe->task);
  probe->awaited = pillion_task_cancel(probe->task);
  if (probe->state == 0) return PILLION_PENDING;
  pillion_value_set(out, "anyway", 6);
  return PILLION_READY;
}

GIVEN(an_executor, cancel_by_itself_drops_it_in_the_next_turn) {
  struct probe probe = {.step = cancels_itself};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(probe.awaited, 1);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
}

GIVEN(an_executor, cancel_comes_too_late_for_a_poll_that_is_ready) {
  struct probe probe = {.step = cancels_itself, .state = 1};
  pillion_task task = spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_int_equal(pillion_task_cancel(task), 2); /* ended, not yet taken */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  assert_int_equal(probe.drops, 1);
}

static void *cancels(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_task_cancel(probe->task);
  probe->awaited = pillion_task_cancel(probe->task);
  return NULL;
}

GIVEN(an_executor, cancel_from_another_thread) {
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  on_thread(cancels, &probe);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(probe.awaited, 1);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
  on_thread(cancels, &probe);
  assert_int_equal(probe.rc, PILLION_EBADHANDLE);
}

GIVEN(an_executor, cancel_does_not_bind_a_released_executor) {
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_executor_release(ex));
  on_thread(cancels, &probe);
  assert_int_equal(probe.rc, 0);
  assert_ok(pillion_executor_bind(ex)); /* still no owner */
  assert_int_equal(turn(ex), 1);
}

/* ---- Evict --------------------------------------------------------------- */

GIVEN(an_executor, evict_drops_at_once) {
  struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 9, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_task_evict(task));
  assert_int_equal(probe.drops, 1);
  assert_int_equal(pillion_task_evict(task), 2);
  assert_true(readable(ex)); /* for its event */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 9);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(pillion_task_evict(task), PILLION_EBADHANDLE);
}

GIVEN(an_executor, evict_before_first_poll) {
  struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 0, PILLION_EVENT);
  assert_ok(pillion_task_evict(task));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(probe.polls, 0);
  assert_int_equal(probe.drops, 1);
}

static int evicts(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  struct probe *victim = probe->data;
  if (probe->polls == 1) probe->rc = pillion_task_evict(victim->task);
  return PILLION_PENDING;
}

GIVEN(an_executor, evict_in_its_own_poll_is_refused) {
  static struct probe probe = {.step = evicts};
  probe.data = &probe;
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EREENTRANT);
  assert_int_equal(probe.drops, 0);
}

GIVEN(an_executor, evict_in_the_poll_of_another_task) {
  struct probe victim = {.name = "victim"};
  struct probe killer = {.step = evicts, .data = &victim};
  spawn(ex, &killer, 0, PILLION_DETACH);
  spawn(ex, &victim, 3, PILLION_EVENT); /* it stands in the ready ring */
  assert_int_equal(turn(ex), 1);
  assert_ok(killer.rc);
  assert_int_equal(events[0].token, 3);
  assert_int_equal(victim.drops, 1);
  assert_traced("");
  executor_free(ex);
}

static void drop_evicts_itself(struct probe *probe) {
  probe->rc = pillion_task_evict(probe->task);
}

GIVEN(an_executor, evict_in_its_own_drop_is_refused) {
  struct probe probe = {.dropped = drop_evicts_itself};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_ok(pillion_task_evict(probe.task));
  assert_int_equal(probe.rc, PILLION_EREENTRANT);
  assert_int_equal(probe.drops, 1);
}

static void drop_frees_its_executor(struct probe *probe) {
  probe->rc = pillion_executor_free(probe->executor);
  probe->awaited = pillion_executor_turn(NULL, 0, NULL, probe->executor, NULL);
}

GIVEN(an_executor, drop_of_an_evicted_task_is_inside_a_turn) {
  struct probe probe = {.dropped = drop_frees_its_executor};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_ok(pillion_task_evict(probe.task));
  assert_int_equal(probe.rc, PILLION_EREENTRANT);
  assert_int_equal(probe.awaited, PILLION_EREENTRANT);
}

/* ---- Join ---------------------------------------------------------------- */

GIVEN(an_executor, join_of_a_task_that_ended_before) {
  struct probe inner = {.ready_at = 1};
  spawn(ex, &inner, 0, PILLION_JOIN);
  assert_int_equal(turn(ex), 0); /* its end is no event */
  assert_int_equal(progress.live, 1);
  struct probe outer = {.step = joins_task, .data = &inner.task};
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(outer.rc, PILLION_READY);
  assert_int_equal(outer.polls, 1);
  assert_int_equal(outer.value.length, 4);
  assert_memory_equal(pillion_value_data(&outer.value), "done", 4);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, join_of_a_task_that_ends_later) {
  struct probe inner = {.ready_at = 2, .name = "inner"};
  struct probe outer = {
      .step = joins_task, .data = &inner.task, .name = "outer"};
  spawn(ex, &inner, 0, PILLION_JOIN);
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(outer.rc, PILLION_PENDING);
  pillion_wake(inner.waker);
  turn(ex);
  turn(ex);
  assert_traced("inner outer inner outer");
  assert_int_equal(outer.rc, PILLION_READY);
}

GIVEN(an_executor, join_of_a_cancelled_task_tells_it) {
  struct probe inner = {0};
  struct probe outer = {.step = joins_task, .data = &inner.task};
  spawn(ex, &inner, 0, PILLION_JOIN);
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex);
  pillion_task_cancel(inner.task);
  turn(ex);
  turn(ex);
  assert_int_equal(outer.rc, PILLION_READY);
  assert_int_equal(outer.value.status, PILLION_ECANCELLED);
}

GIVEN(an_executor, second_joiner_is_told_that_it_is_busy) {
  struct probe inner = {0};
  struct probe first = {.step = joins_task, .data = &inner.task};
  struct probe second = {.step = joins_task, .data = &inner.task};
  struct probe third = {.step = joins_task, .data = &inner.task};
  spawn(ex, &inner, 0, PILLION_JOIN);
  spawn(ex, &first, 0, PILLION_DETACH);
  spawn(ex, &second, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(first.rc, PILLION_PENDING);
  assert_int_equal(second.rc, PILLION_EBUSY);
  pillion_wake(first.waker); /* its second poll is no second joiner */
  turn(ex);
  assert_int_equal(first.rc, PILLION_PENDING);
  assert_ok(pillion_task_evict(first.task)); /* the place is free again */
  spawn(ex, &third, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(third.rc, PILLION_PENDING);
  executor_free(ex);
}

GIVEN(an_executor, join_of_itself_is_invalid) {
  struct probe probe = {.step = joins_task};
  probe.data = &probe.task;
  spawn(ex, &probe, 0, PILLION_JOIN);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EINVAL);
}

TEST(join_of_stale_foreign_and_unjoinable_tasks) {
  pillion_executor ex = executor_new(), elsewhere = executor_new();
  struct probe gone = {.ready_at = 1}, event = {0}, foreign = {0};
  spawn(ex, &gone, 0, PILLION_DETACH);
  spawn(ex, &event, 0, PILLION_EVENT);
  spawn(elsewhere, &foreign, 0, PILLION_JOIN);
  turn(ex);
  pillion_task zero = 0;
  struct probe a = {.step = joins_task, .data = &gone.task},
               b = {.step = joins_task, .data = &event.task},
               c = {.step = joins_task, .data = &foreign.task},
               d = {.step = joins_task, .data = &zero};
  spawn(ex, &d, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  spawn(ex, &c, 0, PILLION_DETACH);
  spawn(ex, &a, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(a.rc, PILLION_EBADHANDLE);
  assert_int_equal(b.rc, PILLION_EINVAL);
  assert_true(c.rc < 0);
  assert_int_equal(d.rc, PILLION_EBADHANDLE);
  executor_free(ex);
  executor_free(elsewhere);
}

/* ---- Detach -------------------------------------------------------------- */

static pillion_context *joining_cx;

static void drop_is_joined(struct probe *probe) {
  probe->rc = pillion_join(&probe->value, joining_cx, probe->task);
}

/* Evicts the task, and joins it while its drop is on the stack. */
static int joins_in_the_drop(struct probe *probe, pillion_value *out,
                             pillion_context *cx) {
  struct probe *victim = probe->data;
  joining_cx = cx;
  if (probe->polls == 1) {
    probe->rc = pillion_task_evict(victim->task);
    return victim->rc;
  }
  return pillion_join(out, cx, victim->task);
}

GIVEN(an_executor, join_in_the_drop_of_the_joined_task) {
  struct probe victim = {.dropped = drop_is_joined};
  struct probe joiner = {.step = joins_in_the_drop, .data = &victim};
  spawn(ex, &victim, 0, PILLION_JOIN);
  spawn(ex, &joiner, 1, PILLION_EVENT);
  victim.ready_at = -1;
  turn(ex);
  assert_ok(joiner.rc);
  assert_int_equal(victim.rc, PILLION_PENDING);
  assert_int_equal(progress.more, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(joiner.polls, 2);
  assert_int_equal(events[0].token, 1);
}

GIVEN(an_executor, detached_task_leaves_no_event) {
  struct probe probe = {.ready_at = 1};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 0);
  assert_int_equal(probe.drops, 1);
}

GIVEN(an_executor, detach_before_and_after_the_end) {
  static struct probe before = {.ready_at = 1}, after = {.ready_at = 1}, event = {0};
  spawn(ex, &before, 0, PILLION_JOIN);
  spawn(ex, &after, 0, PILLION_JOIN);
  spawn(ex, &event, 0, PILLION_EVENT);
  assert_ok(pillion_task_detach(before.task));
  assert_int_equal(pillion_task_detach(before.task), PILLION_EINVAL);
  assert_int_equal(pillion_task_detach(event.task), PILLION_EINVAL);
  turn(ex);
  assert_int_equal(progress.live, 2);
  assert_ok(pillion_task_detach(after.task));
  assert_int_equal(pillion_task_detach(after.task), PILLION_EBADHANDLE);
  assert_int_equal(before.drops, 1);
  assert_int_equal(after.drops, 1);
}

GIVEN(an_executor, detach_wakes_who_joins) {
  struct probe inner = {0};
  struct probe outer = {.step = joins_task, .data = &inner.task};
  spawn(ex, &inner, 0, PILLION_JOIN);
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(outer.rc, PILLION_PENDING);
  assert_ok(pillion_task_detach(inner.task));
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(outer.rc, PILLION_EINVAL);
  assert_int_equal(inner.polls, 1);
  executor_free(ex);
}

/* ---- Events -------------------------------------------------------------- */

GIVEN(an_executor, payload_elsewhere_is_released_at_the_next_turn) {
  struct probe probe = {.step = returns_far};
  far_releases = 0;
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].length, sizeof far_bytes);
  assert_ptr_equal(pillion_event_data(&events[0]), far_bytes);
  assert_int_equal(far_releases, 0);
  assert_int_equal(progress.live, 0); /* it was taken: nothing keeps the loop */
  assert_false(readable(ex));
  turn(ex);
  assert_int_equal(far_releases, 1);
  turn(ex);
  executor_free(ex);
  assert_int_equal(far_releases, 1);
}

GIVEN(an_executor, payload_is_released_by_free) {
  struct probe taken = {.step = returns_far}, untaken = {.step = returns_far},
               unjoined = {.step = returns_far};
  far_releases = 0;
  spawn(ex, &taken, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  spawn(ex, &unjoined, 0, PILLION_JOIN);
  executor_free(ex);
  assert_int_equal(far_releases, 1);

  ex = executor_new();
  spawn(ex, &untaken, 0, PILLION_EVENT);
  spawn(ex, &unjoined, 0, PILLION_JOIN);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  executor_free(ex);
  assert_int_equal(far_releases, 3);
}

GIVEN(an_executor, payload_of_a_detached_task_is_released) {
  struct probe probe = {.step = returns_far};
  far_releases = 0;
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(far_releases, 1);
}

GIVEN(an_executor, more_events_than_room_come_later_in_order) {
  struct probe probes[5];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
  }
  uint64_t next = 0;
  const int taken[] = {2, 2, 1};
  for (size_t i = 0; i < COUNT(taken); i++) {
    assert_int_equal(pillion_executor_turn(events, 2, &progress, ex, NULL),
                     taken[i]);
    for (int j = 0; j < taken[i]; j++)
      assert_int_equal(events[j].token, next++);
    assert_int_equal(progress.more, i < 2);
    assert_int_equal(readable(ex), i < 2);
    assert_int_equal(progress.live, 5 - next);
  }
}

/* ---- Slots --------------------------------------------------------------- */

static int ready_and_woken(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  pillion_wake_local(cx->waker);
  return PILLION_READY;
}

/* A task may end while it stands in the ready ring. Its slot's next task must
   not inherit that place. */
GIVEN(an_executor, ended_task_in_the_ready_ring_keeps_its_slot) {
  static struct probe first = {.step = ready_and_woken}, second = {0};
  spawn(ex, &first, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(first.drops, 1);
  spawn(ex, &second, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(second.polls, 1);
  assert_int_equal(progress.polled, 1);
  turn(ex);
  assert_int_equal(second.polls, 1);
  assert_int_equal(progress.more, 0);

  static struct probe third = {0}; /* by now the slot is free */
  spawn(ex, &third, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(third.task), pillion__slot_of(first.task));
}

GIVEN(an_executor, ready_ring_never_overflows) {
  static struct probe probes[64], later[128];
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  for (int round = 0; round < 20; round++) {
    memset(probes, 0, sizeof probes);
    memset(later, 0, sizeof later);
    for (size_t i = 0; i < COUNT(probes); i++)
      spawn(ex, &probes[i], 0, PILLION_DETACH);
    for (size_t i = 0; i < COUNT(probes); i++)
      assert_ok(pillion_task_evict(probes[i].task)); /* all in the ring */
    for (size_t i = 0; i < COUNT(later); i++) {
      later[i].ready_at = 1;
      spawn(ex, &later[i], 0, PILLION_DETACH);
      if (i % 3 == 0) pillion_executor_turn(NULL, 0, NULL, ex, &one);
    }
    do turn(ex);
    while (progress.more);
    for (size_t i = 0; i < COUNT(later); i++)
      assert_int_equal(later[i].polls, 1);
    assert_int_equal(progress.live, 0);
  }
}

static int far_and_woken(struct probe *probe, pillion_value *out,
                         pillion_context *cx) {
  pillion_wake_local(cx->waker);
  return returns_far(probe, out, cx);
}

/* Ended tasks with lent payloads don't live, but still stand in the ring. */
GIVEN(an_executor, lent_tasks_in_the_ready_ring_count) {
  enum { N = 60 };
  static struct probe lent[N], later[N];
  for (int round = 0; round < 5; round++) {
    memset(lent, 0, sizeof lent);
    memset(later, 0, sizeof later);
    for (int i = 0; i < N; i++) {
      lent[i].step = far_and_woken;
      spawn(ex, &lent[i], 0, PILLION_EVENT);
    }
    far_releases = 0;
    assert_int_equal(turn(ex), N);
    assert_int_equal(progress.live, 0);
    assert_int_equal(pillion_task_evict(lent[0].task), PILLION_EBADHANDLE);
    for (int i = 0; i < N; i++) spawn(ex, &later[i], 0, PILLION_DETACH);
    assert_int_equal(far_releases, 0);
    do turn(ex);
    while (progress.more);
    assert_int_equal(far_releases, N);
    for (int i = 0; i < N; i++) {
      assert_int_equal(later[i].polls, 1);
      assert_int_equal(lent[i].polls, 1);
      assert_ok(pillion_task_evict(later[i].task));
    }
    turn(ex);
  }
  assert_int_equal(stats_of(ex).dropped, 5 * 2 * N);
}

GIVEN(an_executor, many_tasks_over_many_chunks) {
  enum { N = 5000 };
  struct probe *probes = calloc(N, sizeof *probes);
  for (int i = 0; i < N; i++) {
    probes[i].ready_at = 2;
    spawn(ex, &probes[i], (uint64_t)i, PILLION_EVENT);
  }
  do turn(ex);
  while (progress.more);
  for (int i = 0; i < N; i++) pillion_wake_local(probes[i].waker);
  uint64_t next = 0;
  int n;
  do {
    n = turn(ex);
    for (int i = 0; i < n; i++) assert_int_equal(events[i].token, next++);
  } while (progress.more);
  assert_int_equal(next, N);
  for (int i = 0; i < N; i++) {
    assert_int_equal(probes[i].polls, 2);
    assert_int_equal(probes[i].drops, 1);
  }
  free(probes);
}

GIVEN(an_executor, slot_whose_generation_is_used_up_is_retired) {
  struct probe a = {.ready_at = 1}, b = {.ready_at = 1}, c = {0};
  spawn(ex, &a, 0, PILLION_DETACH);
  turn(ex);
  uint32_t slot = pillion__slot_of(a.task);
  atomic_store(&pillion__cell_at(slot)->head.gen, UINT32_MAX - 1);
  spawn(ex, &b, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(b.task), slot);
  turn(ex);
  spawn(ex, &c, 0, PILLION_DETACH);
  assert_int_not_equal(pillion__slot_of(c.task), slot);
  executor_free(ex);
  ex = executor_new(); /* nor is it used by the chunk's next owner */
  struct probe *probes = calloc(PILLION__CHUNK, sizeof *probes);
  for (uint32_t i = 0; i < PILLION__CHUNK; i++) {
    spawn(ex, &probes[i], 0, PILLION_DETACH);
    assert_int_not_equal(pillion__slot_of(probes[i].task), slot);
  }
  executor_free(ex);
  free(probes);
}
