/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_SCOPE_SUPPORT_H
#define PILLION_TESTS_CORE_SCOPE_SUPPORT_H

/* What the tests of scopes share. */
#include "pillion/scope.h"
#include "support.h"

/* ---- An owner that does what a test says --------------------------------- */

#define CHILDREN 8

struct owner {
  pillion_scope scope;
  pillion_child child[CHILDREN];
  struct probe inner[CHILDREN];
  pillion_child *given[CHILDREN + 1];
  int count, given_count, limit;
  int polls, drops, state, spawn_rc[CHILDREN], joined, dropped;
  int take_next, shield, keep; /* what it does after its spawns */
  void (*then)(struct owner *owner, pillion_context *cx);
  pillion_waker waker;
  pillion_task task;
  pillion_executor ex;
};

extern const pillion_future owning;

void owner_start(struct owner *owner, pillion_executor ex, int count,
                 int ready_at);
int wake_child(struct owner *owner, int i);
void assert_end(struct owner *owner, int32_t status, int outcome);
void assert_child(struct owner *owner, int i, int polls, int32_t status,
                  uint32_t outcome);

#define NO_TURNS 20
int turns_until_event(pillion_executor ex);

#endif
