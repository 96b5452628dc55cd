/* SPDX-License-Identifier: Apache-2.0 */

/* The ends of scopes: cancels, drops, detaches. */
#include "scope_support.h"

/* ---- Cancels ------------------------------------------------------------- */

static int cancel_rc[2];

static void cancels(struct owner *owner, pillion_context *cx) {
  if (owner->polls != 2) return;
  cancel_rc[0] = pillion_scope_cancel(&owner->scope);
  cancel_rc[1] = pillion_scope_cancel(&owner->scope);
}

GIVEN(an_executor, cancelled_scope_has_no_error) {
  struct owner owner = {.then = cancels, .limit = 2};
  owner_start(&owner, ex, 3, -1);
  turn(ex), turn(ex);
  pillion_wake_local(owner.waker);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_int_equal(cancel_rc[0], 0);
  assert_int_equal(cancel_rc[1], 1);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  assert_child(&owner, 0, 1, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_child(&owner, 2, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

GIVEN(an_executor, shielded_owner_passes_its_cancel_on_and_waits) {
  struct owner owner = {.shield = 1, .limit = 2};
  owner_start(&owner, ex, 3, -1);
  turn(ex), turn(ex);
  assert_int_equal(pillion_task_cancel(owner.task), 0);
  turn(ex); /* it cancels its children */
  assert_int_equal(owner.drops, 0);
  assert_int_equal(owner.inner[2].drops, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  assert_int_equal(progress.live, 0);
}

/* ---- Drops --------------------------------------------------------------- */

GIVEN(an_executor, cancelled_owner_ends_them_in_its_drop) {
  struct owner owner = {.limit = 2};
  owner_start(&owner, ex, 3, -1);
  turn(ex), turn(ex);
  assert_int_equal(progress.live, 3);
  pillion_task_cancel(owner.task);
  assert_int_equal(turn(ex), 1);
  assert_ok(owner.dropped);
  assert_end(&owner, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(progress.live, 0);
  assert_int_equal(turn(ex), 0);
}

GIVEN(an_executor, evicted_owner_ends_them_at_once) {
  struct owner owner = {0};
  owner_start(&owner, ex, 3, -1);
  turn(ex);
  assert_ok(pillion_task_evict(owner.task)); /* before their first polls */
  assert_int_equal(turn(ex), 1);
  assert_end(&owner, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_child(&owner, 0, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

GIVEN(an_executor, owner_that_was_never_polled_has_none) {
  struct owner owner = {0};
  owner_start(&owner, ex, 3, -1);
  pillion_task_cancel(owner.task);
  assert_int_equal(turn(ex), 1);
  assert_ok(owner.dropped);
  assert_int_equal(owner.inner[0].drops, 0);
}

/* Free comes to the owner before its children, and then to a child first. */
TEST(free_ends_owner_and_children) {
  for (int before = 0; before < 2; before++) {
    pillion_executor ex = executor_new();
    struct owner owner = {0};
    struct probe holder = {.ready_at = 1}; /* keeps a slot before the owner's */
    if (before) spawn(ex, &holder, 0, PILLION_DETACH);
    owner_start(&owner, ex, 3, -1);
    turn(ex), turn(ex);
    executor_free(ex);
    assert_int_equal(owner.drops, 1);
    for (int i = 0; i < 3; i++) assert_int_equal(owner.inner[i].drops, 1);
  }
}

GIVEN(an_executor, drop_releases_what_nobody_took) {
  struct owner owner = {.keep = 1};
  far_releases = 0;
  for (int i = 0; i < 2; i++) owner.inner[i].step = returns_far;
  owner_start(&owner, ex, 3, -1);
  turn(ex), turn(ex);
  assert_int_equal(owner.inner[1].drops, 1);
  assert_int_equal(far_releases, 0);
  pillion_task_cancel(owner.task);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(far_releases, 2);
}

struct nest {
  struct owner owner;
  pillion_scope scope;
  pillion_child child;
  int drops;
};

static int nest_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct nest *nest = self;
  if (nest->scope.ops == NULL) {
    nest->owner.count = 3;
    int rc = pillion_scope_spawn(&nest->child, &nest->scope, cx, &owning,
                                 &nest->owner);
    if (rc < 0) return rc;
  }
  return pillion_scope_join(&nest->scope, cx);
}

static void nest_drop(void *self) {
  struct nest *nest = self;
  nest->drops++;
  pillion_scope_drop(&nest->scope);
}

static const pillion_future nesting = {sizeof nesting, nest_poll, nest_drop};

GIVEN(an_executor, scopes_nest) {
  struct nest nest;
  pillion_task task;
  memset(&nest, 0, sizeof nest);
  assert_ok(pillion_task_spawn(&task, ex, &nesting, &nest, 0, PILLION_EVENT));
  turn(ex), turn(ex), turn(ex);
  assert_int_equal(nest.owner.inner[2].polls, 1);
  pillion_task_cancel(task);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(nest.drops, 1);
  assert_int_equal(nest.owner.drops, 1);
  for (int i = 0; i < 3; i++) assert_int_equal(nest.owner.inner[i].drops, 1);
  assert_int_equal(progress.live, 0);
}

static int evicts_its_owner(struct probe *probe, pillion_value *out,
                            pillion_context *cx) {
  struct owner *owner = probe->data;
  if (probe->polls == 1) probe->rc = pillion_task_evict(owner->task);
  return PILLION_PENDING;
}

GIVEN(an_executor, child_that_evicts_its_owner_is_detached) {
  struct owner owner = {0};
  owner.inner[0] = (struct probe){.step = evicts_its_owner, .data = &owner};
  owner_start(&owner, ex, 2, -1);
  turn(ex), turn(ex);
  assert_ok(owner.inner[0].rc);
  assert_int_equal(owner.dropped, PILLION_EREENTRANT);
  assert_int_equal(owner.inner[1].drops, 1);
  turn(ex);
  assert_int_equal(owner.inner[0].drops, 1); /* it was cancelled */
  assert_int_equal(progress.live, 0);
}

/* ---- Detaches ------------------------------------------------------------ */

static int detach_rc[3], gone;

static void is_gone(pillion_child *child) {
  gone++;
}

/* Detaches in its second poll: the first child runs, the second waits. */
static void detaches(struct owner *owner, pillion_context *cx) {
  if (owner->polls != 2) return;
  for (int i = 0; i < 2; i++) {
    detach_rc[i] = pillion_scope_detach(&owner->child[i], &owner->scope, cx);
    owner->child[i].release = is_gone;
  }
  detach_rc[2] = pillion_scope_detach(&owner->child[0], &owner->scope, cx);
}

GIVEN(an_executor, detached_children_outlive_their_owner) {
  struct owner owner = {.then = detaches, .limit = 1};
  far_releases = gone = 0;
  owner.inner[1].step = returns_far;
  owner_start(&owner, ex, 2, 2);
  turn(ex), turn(ex);
  assert_int_equal(owner.inner[1].polls, 0);
  pillion_wake_local(owner.waker);
  assert_int_equal(turn(ex), 1); /* nothing is left to wait for */
  for (int i = 0; i < 2; i++) assert_ok(detach_rc[i]);
  assert_int_equal(detach_rc[2], PILLION_EINVAL);
  assert_int_equal(owner.drops, 1);
  assert_int_equal(owner.inner[0].drops, 0);
  turn(ex);
  assert_int_equal(owner.inner[1].drops, 1); /* the detach has started it */
  assert_int_equal(gone, 1);
  assert_int_equal(far_releases, 1); /* its result went with it */
  wake_child(&owner, 0);
  turn(ex);
  assert_int_equal(owner.inner[0].drops, 1);
  assert_int_equal(gone, 2);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, detach_of_an_ended_child_is_too_late) {
  struct owner owner = {.then = detaches};
  gone = 0;
  owner_start(&owner, ex, 2, 1);
  assert_true(turns_until_event(ex) < NO_TURNS);
  for (int i = 0; i < 3; i++) assert_int_equal(detach_rc[i], 2);
  assert_end(&owner, 0, PILLION_OUTCOME_RETURNED);
  assert_int_equal(gone, 0);
}

/* ---- Misuse -------------------------------------------------------------- */

static struct owner *other;
static int foreign_rc[5];

static int uses_a_foreign_scope(struct probe *probe, pillion_value *out,
                                pillion_context *cx) {
  pillion_child *child;
  if (probe->polls > 1) return PILLION_PENDING;
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  foreign_rc[0] = pillion_scope_spawn(&other->child[7], &other->scope, cx,
                                      &probing, &other->inner[7]);
  foreign_rc[1] = pillion_scope_next(&child, &other->scope, cx);
  foreign_rc[2] = pillion_scope_join(&other->scope, cx);
  foreign_rc[3] = pillion_scope_detach(&other->child[0], &other->scope, cx);
  foreign_rc[4] = pillion_scope_spawn(&other->child[7], &other->scope, cx,
                                      &no_poll, &other->inner[7]);
  return PILLION_PENDING;
}

GIVEN(an_executor, scope_belongs_to_the_task_that_spawned) {
  struct owner owner = {0};
  struct probe probe = {.step = uses_a_foreign_scope};
  other = &owner;
  owner_start(&owner, ex, 1, -1);
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  for (int i = 0; i < 5; i++) assert_int_equal(foreign_rc[i], PILLION_EINVAL);
  assert_int_equal(owner.inner[7].drops, 0);
  executor_free(ex);
  assert_int_equal(owner.inner[0].drops, 1);
}
