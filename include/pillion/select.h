/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_SELECT_H
#define PILLION_INCLUDE_SELECT_H

/*
 * Awaiting a fixed number of futures at once, inside one task: all of them, or
 * the first to end. This is freestanding, as future.h, and needs no slot of an
 * executor.
 *
 *     struct ask { pillion_branch branch[2]; uint32_t which; int state; };
 *
 *     static int ask_poll(pillion_value *out, pillion_context *cx,
 *                         void *self) {
 *       struct ask *ask = self;
 *       PILLION_ASYNC(ask->state);
 *       PILLION_AWAIT(ask->state,
 *                     pillion_select(&ask->which, ask->branch, 2, cx));
 *       *out = ask->branch[ask->which].value;
 *       PILLION_RETURN(ask->state);
 *       PILLION_ASYNC_END;
 *     }
 *
 *     static void ask_drop(void *self) {
 *       pillion_branches_drop(((struct ask *)self)->branch, 2);
 *     }
 *
 * Each wake of the task polls every branch that has not ended. For many
 * futures, scopes (scope.h) cost less.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_branch is one of the futures. The caller sets `future` and `self`,
 * and zeroes the rest. `value` is its result when the wait is over, and
 * value.status is negative if it failed. `state` is private.
 */
typedef struct pillion_branch {
  const pillion_future *future;
  void *self;
  pillion_value value;
  uint32_t state; /* PILLION__BRANCH_… */
  uint32_t reserved;
} pillion_branch;

#define PILLION__BRANCH_RUNS 0
#define PILLION__BRANCH_ENDED 1 /* and its value was not given out */
#define PILLION__BRANCH_OVER 2

/*
 * pillion_branches_drop drops the branches that have not ended, in their order,
 * and releases results that were not given out. The drop of the future that
 * awaits them calls it. When the wait is over, or was never begun, it does
 * nothing but drop those that were never polled.
 *
 * Threads: the owner's.
 * Reentrancy: in polls and drops, but not in those of the branches.
 * Ownership: each `self` is the caller's again.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_branches_drop(pillion_branch *branches,
                                         uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    pillion_branch *branch = &branches[i];
    uint32_t state = branch->state;
    branch->state = PILLION__BRANCH_OVER;
    if (state == PILLION__BRANCH_ENDED) pillion_value_drop(&branch->value);
    if (state == PILLION__BRANCH_RUNS && branch->future->drop != NULL)
      branch->future->drop(branch->self);
  }
}

/* Whether it has ended. */
static inline int pillion__branch_poll(pillion_branch *branch,
                                       pillion_context *cx) {
  if (branch->state != PILLION__BRANCH_RUNS) return 1;
  branch->value.status = 0;
  branch->value.reserved = 0;
  branch->value.length = 0;
  int rc = branch->future->poll(&branch->value, cx, branch->self);
  if (rc == PILLION_PENDING) return 0;
  if (rc < 0) {
    branch->value.status = rc;
    branch->value.length = 0;
  }
  branch->state = PILLION__BRANCH_ENDED;
  if (branch->future->drop != NULL) branch->future->drop(branch->self);
  return 1;
}

/*
 * pillion_join_all awaits `count` futures. The first error drops the others,
 * and is the answer.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the storage stays the caller's. Each `self` is its future's until
 *   its drop was called. After PILLION_READY the values are the caller's, to be
 *   released with pillion_value_drop.
 * Returns: PILLION_READY, PILLION_PENDING, or the first error of a branch.
 * Since: 0.1
 */
static inline int pillion_join_all(pillion_branch *branches, uint32_t count,
                                   pillion_context *cx) {
  int rc = PILLION_READY;
  for (uint32_t i = 0; i < count; i++) {
    if (!pillion__branch_poll(&branches[i], cx)) {
      rc = PILLION_PENDING;
    } else if (branches[i].value.status < 0) {
      rc = branches[i].value.status;
      break;
    }
  }
  if (rc == PILLION_PENDING) return rc;
  if (rc < 0) pillion_branches_drop(branches, count);
  for (uint32_t i = 0; i < count; i++) branches[i].state = PILLION__BRANCH_OVER;
  return rc;
}

/*
 * pillion_select awaits the first of `count` futures to end, and drops the
 * others. Of those that end in one poll, the first branch wins. *which is its
 * index.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: as for pillion_join_all; one value is the caller's.
 * Returns: PILLION_READY, PILLION_PENDING, or the error with which that branch
 *   ended, also with *which.
 * Since: 0.1
 */
static inline int pillion_select(uint32_t *which, pillion_branch *branches,
                                 uint32_t count, pillion_context *cx) {
  for (uint32_t i = 0; i < count; i++) {
    if (!pillion__branch_poll(&branches[i], cx)) continue;
    branches[i].state = PILLION__BRANCH_OVER;
    *which = i;
    pillion_branches_drop(branches, count);
    return branches[i].value.status < 0 ? branches[i].value.status
                                        : PILLION_READY;
  }
  return PILLION_PENDING;
}

#ifdef __cplusplus
}
#endif
#endif
