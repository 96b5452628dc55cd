/* SPDX-License-Identifier: Apache-2.0 */
#include "scope_support.h"

static int owner_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct owner *owner = self;
  owner->polls++;
  owner->waker = cx->waker;
  if (owner->state == 0) {
    owner->state = 1;
    if (owner->shield) pillion_shield(cx, 1);
    pillion_scope_init(&owner->scope, (uint32_t)owner->limit);
    for (int i = 0; i < owner->count; i++)
      owner->spawn_rc[i] = pillion_scope_spawn(&owner->child[i], &owner->scope,
                                               cx, &probing, &owner->inner[i]);
  }
  if (owner->then != NULL) owner->then(owner, cx);
  if (owner->keep) return PILLION_PENDING;
  while (owner->take_next && owner->given_count <= owner->count) {
    pillion_child **at = &owner->given[owner->given_count];
    int rc = pillion_scope_next(at, &owner->scope, cx);
    if (rc != PILLION_READY) return rc;
    owner->given_count++;
    if (*at == NULL) break;
  }
  owner->joined = pillion_scope_join(&owner->scope, cx);
  if (owner->joined == PILLION_READY) pillion_value_set(out, "all", 3);
  return owner->joined;
}

static void owner_drop(void *self) {
  struct owner *owner = self;
  owner->drops++;
  owner->dropped = pillion_scope_drop(&owner->scope);
}

const pillion_future owning = {sizeof owning, owner_poll, owner_drop};

void owner_start(struct owner *owner, pillion_executor ex, int count,
                 int ready_at) {
  owner->ex = ex;
  owner->count = count;
  for (int i = 0; i < count; i++) {
    if (owner->inner[i].ready_at == 0) owner->inner[i].ready_at = ready_at;
    if (owner->inner[i].ready_at < 0) owner->inner[i].ready_at = 0;
  }
  assert_ok(
      pillion_task_spawn(&owner->task, ex, &owning, owner, 7, PILLION_EVENT));
}

int wake_child(struct owner *owner, int i) {
  return pillion_wake_local(owner->inner[i].waker);
}

void assert_end(struct owner *owner, int32_t status, int outcome) {
  assert_int_equal(events[0].task, owner->task);
  assert_int_equal(events[0].status, status);
  assert_int_equal(events[0].outcome, outcome);
  assert_int_equal(owner->drops, 1);
  for (int i = 0; i < owner->count; i++)
    assert_int_equal(owner->inner[i].drops, 1);
}

void assert_child(struct owner *owner, int i, int polls, int32_t status,
                  uint32_t outcome) {
  assert_int_equal(owner->inner[i].polls, polls);
  assert_int_equal(owner->child[i].value.status, status);
  assert_int_equal(owner->child[i].outcome, outcome);
}

int turns_until_event(pillion_executor ex) {
  for (int i = 1; i < NO_TURNS; i++)
    if (turn(ex) > 0) return i;
  return NO_TURNS;
}
