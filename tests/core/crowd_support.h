/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_CROWD_SUPPORT_H
#define PILLION_TESTS_CORE_CROWD_SUPPORT_H

/* An owner and its children, who may run on any thread. */
#include "pillion/scope.h"
#include "support.h"

#define CROWD 40

/* Ready in its poll number `ready_at`, with `error` if that is below 0. */
struct member {
  int ready_at, error, polls;
  _Atomic int *until; /* it waits until this is set */
  _Atomic int drops;
};

/* Spawns `count` members, and takes the end of each; with `leave` it ends. */
struct crowd {
  pillion_scope scope;
  pillion_child child[CROWD], *given;
  struct member member[CROWD];
  void (*release)(pillion_child *child);
  int count, limit, shield, leave;
  int state, refused, taken, wrong, rc, drops;
  _Atomic int all_spawned;
};

extern const pillion_future crowding;

/* Asserts that each member was spawned, has given what it should, and was
   dropped once. */
void assert_crowd_ended(struct crowd *crowd);

#endif
