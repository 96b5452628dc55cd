/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_CHILD_H
#define PILLION_INCLUDE_CHILD_H

/*
 * Children: the storage of scopes and their children, and a child as the
 * executor sees it. scope.h has what a program calls.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pillion_scope pillion_scope;
typedef struct pillion_child pillion_child;

/*
 * pillion_child is a child's storage. When the child has ended
 * (pillion_scope_next has given it, or pillion_scope_join is not pending),
 * `value` is its result, which the caller releases with pillion_value_drop.
 * value.status is negative if the child failed or was cancelled, and `outcome`
 * tells which. `next_failed` is to be read, and `release` to be set after the
 * spawn: it is called when a detached child has ended, and its storage may go.
 * All other members are private.
 */
struct pillion_child {
  pillion_value value;
  uint32_t outcome; /* PILLION_OUTCOME_… */
  uint32_t state;
  pillion_child *next_failed;
  void (*release)(pillion_child *child);
  const pillion_future *future;
  void *self;
  pillion_scope *scope; /* NULL: detached, or ended */
  pillion_task task;
  pillion_child *next, *prev; /* the owner's */
  pillion_child *link;        /* in `arrived` */
  pillion_scope *scopes; /* a list of its own scopes in which children run */
  int shared;
  int failed;
  int busy; /* its poll or drop is on the stack */
};

/*
 * pillion_scope is a scope's storage. Zeroed, it is a scope without a limit.
 * All members except `first` are private.
 */
struct pillion_scope {
  pillion_child *first; /* the first that failed, or NULL */
  pillion_child *last_failed;
  pillion_child
      *arrived; /* they ended and were not looked at; the last is first */
  pillion_child *running, *waiting, *ended; /* each a ring, or NULL */
  const pillion_ops *ops;                   /* NULL: it has no owner */
  pillion_waker waker;
  uint32_t count; /* of `running` */
  uint32_t limit;
  uint32_t cancelled;
  uint32_t told; /* those in `running` were asked to stop */
  uint32_t dropped;
  pillion_child *owner;           /* while it is in the list of that child */
  pillion_scope *later, *earlier; /* in that list */
  pillion_scope *fells; /* the scope whose drop is emptying this one */
  uint32_t lost; /* another drop has taken a scope that this drop was in */
  uint32_t kept; /* a child could not be evicted */
};

/* A processor without atomic exchange has no pools, so no child is shared. */
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4) || \
    defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_8)
#define PILLION__CAN_SHARE 1
#else
#define PILLION__CAN_SHARE 0
#endif

enum pillion__child_state {
  PILLION__CHILD_WAITING = 1,
  PILLION__CHILD_STARTED = 2,
  PILLION__CHILD_ENDED = 3,
  PILLION__CHILD_DETACHED = 4
};

/* ---- Rings of children, by their first ----------------------------------- */

static inline void pillion__children_add(pillion_child **ring,
                                         pillion_child *child) {
  pillion_child *first = *ring;
  if (first == NULL) {
    *ring = child->next = child->prev = child;
    return;
  }
  child->next = first;
  child->prev = first->prev;
  first->prev->next = child;
  first->prev = child;
}

static inline void pillion__children_remove(pillion_child **ring,
                                            pillion_child *child) {
  if (child->next == child) {
    *ring = NULL;
    return;
  }
  child->prev->next = child->next;
  child->next->prev = child->prev;
  if (*ring == child) *ring = child->next;
}

/* ---- Scopes of children, for drops to find ------------------------------- */

/*
 * A child's drop ends the children of its own scopes, their drops end their
 * children, and so on, as deep as scopes are nested. So that this takes no
 * stack, the first drop goes down these lists, and ends the deepest children
 * first. A scope is in its owner's list while children run in it, and must not
 * be moved as long.
 */
static inline void pillion__scope_list(pillion_scope *scope,
                                       pillion_context *cx) {
  pillion_child *owner = (pillion_child *)cx->child;
  scope->owner = owner;
  if (owner == NULL) return;
  scope->earlier = NULL;
  scope->later = owner->scopes;
  if (scope->later != NULL) scope->later->earlier = scope;
  owner->scopes = scope;
}

static inline void pillion__scope_unlist(pillion_scope *scope) {
  if (scope->owner == NULL) return;
  if (scope->earlier != NULL) scope->earlier->later = scope->later;
  else scope->owner->scopes = scope->later;
  if (scope->later != NULL) scope->later->earlier = scope->earlier;
  scope->owner = NULL;
}

/* One less runs. */
static inline void pillion__scope_less(pillion_scope *scope) {
  if (--scope->count == 0) pillion__scope_unlist(scope);
}

/* ---- A child, as the executor sees it ------------------------------------ */

static inline int pillion__child_poll(pillion_value *out, pillion_context *cx,
                                      void *self) {
  pillion_child *child = (pillion_child *)self;
  (void)out;
  child->outcome = PILLION_OUTCOME_CANCELLED_RUNNING; /* if that happens next */
  child->value.status = 0;
  child->value.length = 0;
  child->busy = 1;
  if (!child->shared) cx->child = child;
  int rc = child->future->poll(&child->value, cx, child->self);
  if (!child->shared) cx->child = NULL;
  child->busy = 0;
  if (rc == PILLION_PENDING) return PILLION_PENDING;
  if (rc < 0) {
    child->value.status = rc;
    child->value.length = 0;
  }
  child->outcome = PILLION_OUTCOME_RETURNED;
  return PILLION_READY;
}

static inline void pillion__child_end(pillion_child *child, int32_t status) {
  if (child->future->drop != NULL) child->future->drop(child->self);
  if (child->outcome == PILLION_OUTCOME_RETURNED) return;
  child->value.status = status;
  child->value.length = 0;
}

/* The child's end and a detach call this: the one that gets the scope acts. */
static inline pillion_scope *pillion__child_leave(pillion_child *child) {
  if (PILLION__CAN_SHARE && child->shared)
    return __atomic_exchange_n(&child->scope, (pillion_scope *)NULL,
                               __ATOMIC_ACQ_REL);
  pillion_scope *scope = child->scope;
  child->scope = NULL;
  return scope;
}

/* A child that the scope has cancelled has not failed. */
static inline int pillion__child_failed(const pillion_child *child,
                                        const pillion_scope *scope) {
  int32_t status = child->value.status;
  return status < 0 &&
         !((scope->cancelled || scope->told) && status == PILLION_ECANCELLED);
}

/* Asks the running children to stop. */
static inline void pillion__scope_tell(pillion_scope *scope) {
  pillion_child *child = scope->running;
  if (scope->told || child == NULL) return;
  scope->told = 1;
  do {
    scope->ops->cancel(child->task);
    child = child->next;
  } while (child != scope->running);
}

static inline void pillion__child_drop(void *self) {
  pillion_child *child = (pillion_child *)self;
  child->busy = 1;
  while (child->scopes != NULL) pillion__scope_unlist(child->scopes);
  pillion__child_end(child, PILLION_ECANCELLED);
  pillion_scope *scope = pillion__child_leave(child);
  if (scope == NULL) {
    pillion_value_drop(&child->value);
    if (child->release != NULL) child->release(child);
    return;
  }
  /* After the push the owner, on another thread, may be done with the scope. */
  const pillion_ops *ops = !child->shared && scope->dropped ? NULL : scope->ops;
  pillion_waker waker = scope->waker;
  if (PILLION__CAN_SHARE && child->shared) {
    child->link = __atomic_load_n(&scope->arrived, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&scope->arrived, &child->link, child, 1,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
  } else {
    child->failed = pillion__child_failed(child, scope);
    child->link = scope->arrived;
    scope->arrived = child;
    if (child->failed) pillion__scope_tell(scope);
  }
  if (ops != NULL) ops->wake(waker);
}

#ifdef __cplusplus
}
#endif

#endif
