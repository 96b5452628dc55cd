/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd_support.h"

static int member_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct member *member = self;
  bool waits = member->until != NULL && !atomic_load(member->until);
  if (waits || ++member->polls != member->ready_at) {
    if (waits || member->ready_at > 0) cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
  if (member->error < 0) return member->error;
  pillion_value_set(out, &member->polls, sizeof member->polls);
  return PILLION_READY;
}

static void member_drop(void *self) {
  atomic_fetch_add(&((struct member *)self)->drops, 1);
}

static const pillion_future membering = {sizeof membering, member_poll,
                                         member_drop};

static void crowd_takes(struct crowd *crowd) {
  const pillion_child *child = crowd->given;
  if (child->outcome == PILLION_OUTCOME_RETURNED && child->value.status == 0 &&
      child->value.length != sizeof(int))
    crowd->wrong++;
  crowd->taken++;
}

static int crowd_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct crowd *crowd = self;
  PILLION_ASYNC(crowd->state);
  if (crowd->shield) pillion_shield(cx, 1);
  pillion_scope_init(&crowd->scope, (uint32_t)crowd->limit);
  for (int i = 0; i < crowd->count; i++) {
    if (pillion_scope_spawn(&crowd->child[i], &crowd->scope, cx, &membering,
                            &crowd->member[i]) < 0)
      crowd->refused++;
    else
      crowd->child[i].release = crowd->release;
  }
  atomic_store(&crowd->all_spawned, 1);
  if (crowd->leave) PILLION_RETURN(crowd->state);
  for (;;) {
    PILLION_AWAIT(crowd->state,
                  pillion_scope_next(&crowd->given, &crowd->scope, cx));
    if (crowd->given == NULL) break;
    crowd_takes(crowd);
  }
  PILLION_AWAIT(crowd->state,
                crowd->rc = pillion_scope_join(&crowd->scope, cx));
  PILLION_RETURN(crowd->state);
  PILLION_ASYNC_END;
}

static void crowd_drop(void *self) {
  struct crowd *crowd = self;
  crowd->drops++;
  pillion_scope_drop(&crowd->scope);
}

const pillion_future crowding = {sizeof crowding, crowd_poll, crowd_drop};

void assert_crowd_ended(struct crowd *crowd) {
  assert_int_equal(crowd->refused, 0);
  assert_int_equal(crowd->wrong, 0);
  assert_int_equal(crowd->drops, 1);
  for (int i = 0; i < crowd->count; i++)
    assert_int_equal(atomic_load(&crowd->member[i].drops), 1);
}
