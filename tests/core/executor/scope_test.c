/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes on one executor: limits, orders, errors, cancels, drops. */
#include "scope_support.h"

/* ---- Results ------------------------------------------------------------- */

GIVEN(an_executor, join_has_all_results_in_their_places) {
  struct owner owner = {0};
  owner_start(&owner, ex, 3, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  assert_int_equal(owner.polls, 2); /* three ends, one wake */
  for (int i = 0; i < 3; i++) {
    assert_child(&owner, i, 1, 0, PILLION_OUTCOME_RETURNED);
    assert_int_equal(owner.child[i].value.length, 4);
    assert_memory_equal(owner.child[i].value.payload.bytes, "done", 4);
  }
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, empty_scope_is_joined_at_once) {
  struct owner owner = {0};
  owner_start(&owner, ex, 0, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(owner.joined, PILLION_READY);
}

GIVEN(an_executor, next_gives_them_as_they_end) {
  struct owner owner = {.take_next = 1};
  owner_start(&owner, ex, 3, 2);
  turn(ex), turn(ex);
  const int order[] = {2, 0, 1};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(owner.given_count, i);
    wake_child(&owner, order[i]);
    turn(ex), turn(ex);
    assert_ptr_equal(owner.given[i], &owner.child[order[i]]);
  }
  assert_int_equal(owner.given_count, 4);
  assert_null(owner.given[3]);
  assert_int_equal(owner.drops, 1);
}

GIVEN(an_executor, limit_bounds_how_many_run_and_keeps_their_order) {
  struct owner owner = {.limit = 2, .take_next = 1};
  owner_start(&owner, ex, 5, 2);
  for (int i = 0; i < 5; i++) {
    turn(ex), turn(ex), turn(ex); /* its end, the owner, the next one */
    int begun = 0;
    for (int j = 0; j < 5; j++) begun += owner.inner[j].polls > 0;
    assert_int_equal(begun, i + 2 < 5 ? i + 2 : 5);
    assert_int_equal(owner.inner[i].polls, 1);
    wake_child(&owner, i);
  }
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  for (int i = 0; i < 5; i++)
    assert_ptr_equal(owner.given[i], &owner.child[i]);
}

static int spawned_again;

static void spawns_again(struct owner *owner, pillion_context *cx) {
  if (owner->polls == 1 || spawned_again++ > 0) return;
  owner->count++;
  owner->inner[3].ready_at = 1;
  assert_ok(pillion_scope_spawn(&owner->child[3], &owner->scope, cx, &probing,
                                &owner->inner[3]));
}

GIVEN(an_executor, more_may_be_spawned_while_others_run) {
  struct owner owner = {.then = spawns_again};
  spawned_again = 0;
  owner_start(&owner, ex, 3, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
}

/* ---- Errors -------------------------------------------------------------- */

static int fails(struct probe *probe, pillion_value *out, pillion_context *cx) {
  return probe->polls == probe->awaited ? probe->state : PILLION_PENDING;
}

static int fails_when_cancelled(struct probe *probe, pillion_value *out,
                                pillion_context *cx) {
  pillion_shield(cx, 1);
  return pillion_cancelled(cx) ? probe->state : PILLION_PENDING;
}

GIVEN(an_executor, first_error_cancels_the_others_and_is_told) {
  struct owner owner = {.limit = 4};
  owner.inner[1] = (struct probe){.step = fails, .awaited = 2, .state = -13};
  owner.inner[2] = (struct probe){.step = fails_when_cancelled, .state = -12};
  owner.inner[3] =
      (struct probe){.step = fails_when_cancelled, .state = PILLION_ECANCELLED};
  owner_start(&owner, ex, 6, -1); /* two of them wait */
  turn(ex), turn(ex);
  wake_child(&owner, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, -13, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 0, 1, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_child(&owner, 1, 2, -13, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 2, 2, -12, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 3, 2, PILLION_ECANCELLED, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 4, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_child(&owner, 5, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_null(owner.child[2].next_failed); /* a cancelled one hasn't failed */
  assert_ptr_equal(owner.child[1].next_failed, &owner.child[2]);
}

GIVEN(an_executor, child_that_somebody_else_cancels_has_failed) {
  struct owner owner = {0};
  owner_start(&owner, ex, 2, -1);
  turn(ex), turn(ex);
  assert_int_equal(pillion_task_cancel(owner.child[1].task), 0);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, PILLION_ECANCELLED, PILLION_OUTCOME_RETURNED);
  assert_int_equal(owner.joined, PILLION_ECANCELLED);
}

static int rc_of_late_spawn;

static void spawns_late(struct owner *owner, pillion_context *cx) {
  if (owner->polls == 2)
    rc_of_late_spawn =
        pillion_scope_spawn(&owner->child[7], &owner->scope, cx, &probing,
                            &owner->inner[7]);
}

GIVEN(an_executor, spawn_into_a_failed_scope_is_refused) {
  struct owner owner = {.then = spawns_late};
  owner.inner[0] = (struct probe){.step = fails, .awaited = 1, .state = -13};
  owner_start(&owner, ex, 2, -1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_int_equal(rc_of_late_spawn, -13);
  assert_int_equal(owner.inner[7].drops, 0); /* the caller keeps it */
  assert_end(&owner, -13, PILLION_OUTCOME_RETURNED);
}

GIVEN(an_executor, child_that_cannot_start_any_more_has_failed) {
  struct owner owner = {.limit = 1};
  owner_start(&owner, ex, 3, 2);
  turn(ex), turn(ex);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  wake_child(&owner, 0);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, PILLION_ECLOSED, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 0, 2, 0, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 1, 0, PILLION_ECLOSED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_child(&owner, 2, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

TEST(quota_lets_those_wait_that_have_siblings) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  struct owner owner = {.limit = 1};
  struct probe other = {.ready_at = 2};
  options.max_tasks = 3; /* the owner, the other, and one child */
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  spawn(ex, &other, 0, PILLION_DETACH);
  owner_start(&owner, ex, 3, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  executor_free(ex);
}
