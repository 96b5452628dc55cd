/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_SCOPE_H
#define PILLION_INCLUDE_SCOPE_H

/*
 * Scopes: child tasks that end before the future that owns them goes on. This
 * is freestanding, as future.h, and all storage is the caller's:
 *
 *     struct both {
 *       pillion_scope scope;
 *       pillion_child child[2];
 *       struct asking asking[2];
 *       int state;
 *     };
 *
 *     static int both_poll(pillion_value *out, pillion_context *cx,
 *                          void *self) {
 *       struct both *both = self;
 *       PILLION_ASYNC(both->state);
 *       pillion_scope_init(&both->scope, 0);
 *       for (int i = 0; i < 2; i++) {
 *         int rc = pillion_scope_spawn(&both->child[i], &both->scope, cx,
 *                                      &asking_future, &both->asking[i]);
 *         if (rc < 0) return rc;
 *       }
 *       PILLION_AWAIT(both->state, pillion_scope_join(&both->scope, cx));
 *       *out = both->child[0].value;
 *       pillion_value_drop(&both->child[1].value);
 *       PILLION_RETURN(both->state);
 *       PILLION_ASYNC_END;
 *     }
 *
 *     static void both_drop(void *self) {
 *       pillion_scope_drop(&((struct both *)self)->scope);
 *     }
 *
 * The owner of a scope is the task that spawns into it. A child's end wakes the
 * owner. All else happens when the owner looks at the scope: in
 * pillion_scope_spawn, pillion_scope_next and pillion_scope_join.
 *
 * ERRORS. The first child to fail cancels the others, and those that wait for
 * their start: on an executor at once, on a pool when the owner looks. When all
 * have ended, pillion_scope_join answers the code of the first that failed.
 * `first` is that child, and its `next_failed` leads to the others that failed,
 * in the order of their ends. A child that the scope has cancelled has not
 * failed.
 *
 * CANCEL. A task that is cancelled is dropped, and pillion_scope_drop in its
 * drop ends the children at once. An owner that wants to wait for them shields
 * itself (pillion_shield) while they live: then spawn, next and join pass its
 * cancel on to them.
 */

#include "child.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What the owner does when it looks ----------------------------------- */

static inline void pillion__scope_ended(pillion_scope *scope,
                                        pillion_child *child) {
  child->state = PILLION__CHILD_ENDED;
  child->next_failed = NULL;
  pillion__children_add(&scope->ended, child);
  if (!child->failed) return;
  if (scope->first == NULL) scope->first = child;
  else scope->last_failed->next_failed = child;
  scope->last_failed = child;
}

/* In the order in which they came. */
static inline pillion_child *pillion__scope_arrivals(pillion_scope *scope) {
  pillion_child *list, *next, *in_order = NULL;
  if (PILLION__CAN_SHARE && scope->ops->flags & PILLION_OPS_SHARED) {
    list = __atomic_exchange_n(&scope->arrived, (pillion_child *)NULL,
                               __ATOMIC_ACQUIRE);
  } else {
    list = scope->arrived;
    scope->arrived = NULL;
  }
  for (; list != NULL; list = next) {
    next = list->link;
    list->link = in_order;
    in_order = list;
  }
  return in_order;
}

/* Ends a child that waits, and now never starts. */
static inline void pillion__scope_refuse(pillion_scope *scope,
                                         pillion_child *child, int status) {
  pillion__children_remove(&scope->waiting, child);
  child->scope = NULL;
  pillion__child_end(child, status);
  child->failed = pillion__child_failed(child, scope);
  pillion__scope_ended(scope, child);
}

/*
 * pillion_scope_cancel asks all children to stop; those that wait for their
 * start end now. pillion_scope_join still waits until all have ended. Spawns
 * are refused from now on.
 *
 * Threads: the owner's.
 * Reentrancy: in the polls of the task that the scope belongs to.
 * Ownership: none.
 * Returns: 0, or 1 (asked before).
 * Since: 0.1
 */
static inline int pillion_scope_cancel(pillion_scope *scope) {
  if (scope->cancelled) return 1;
  scope->cancelled = 1;
  while (scope->waiting != NULL)
    pillion__scope_refuse(scope, scope->waiting, PILLION_ECANCELLED);
  pillion__scope_tell(scope);
  return 0;
}

static inline int pillion__scope_start(pillion_task *out, pillion_context *cx,
                                       pillion_child *child) {
  static const pillion_future future = {
      sizeof(pillion_future), pillion__child_poll, pillion__child_drop};
  return cx->ops->spawn(out, cx, &future, child, 0, PILLION_DETACH);
}

static inline int pillion__scope_run(pillion_scope *scope, pillion_context *cx,
                                     pillion_child *child) {
  child->state = PILLION__CHILD_STARTED;
  pillion__children_add(&scope->running, child);
  if (scope->count++ == 0 && !child->shared) pillion__scope_list(scope, cx);
  int rc = pillion__scope_start(&child->task, cx, child);
  if (rc == 0) return 0;
  pillion__children_remove(&scope->running, child);
  pillion__scope_less(scope);
  child->state = PILLION__CHILD_WAITING;
  return rc;
}

/* Starts waiting children, as the limit allows. */
static inline void pillion__scope_go_on(pillion_scope *scope,
                                        pillion_context *cx) {
  while (scope->waiting != NULL &&
         (scope->limit == 0 || scope->count < scope->limit)) {
    pillion_child *child = scope->waiting;
    pillion__children_remove(&scope->waiting, child);
    int rc = pillion__scope_run(scope, cx, child);
    if (rc == 0) continue;
    pillion__children_add(&scope->waiting, child);
    scope->waiting = child; /* the first again */
    if (rc == PILLION_EAGAIN && scope->count > 0) return;
    pillion__scope_refuse(scope, child, rc);
    pillion_scope_cancel(scope);
  }
}

static inline void pillion__scope_look(pillion_scope *scope,
                                       pillion_context *cx) {
  pillion_child *child = pillion__scope_arrivals(scope), *next;
  for (; child != NULL; child = next) {
    next = child->link;
    pillion__children_remove(&scope->running, child);
    pillion__scope_less(scope);
    if (child->shared) child->failed = pillion__child_failed(child, scope);
    pillion__scope_ended(scope, child);
  }
  if (scope->first != NULL || cx->ops->cancelled(cx))
    pillion_scope_cancel(scope);
  pillion__scope_go_on(scope, cx);
}

/* ---- Scopes -------------------------------------------------------------- */

/*
 * pillion_scope_init makes *scope an empty scope, in which up to `limit`
 * children run at once; 0 is no limit. Further children wait, and start in
 * their order.
 *
 * Threads: any.
 * Reentrancy: anywhere, but not while the scope has children.
 * Ownership: the scope's storage stays the caller's.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_scope_init(pillion_scope *scope, uint32_t limit) {
  scope->first = scope->last_failed = scope->arrived = NULL;
  scope->running = scope->waiting = scope->ended = NULL;
  scope->ops = NULL;
  scope->waker = 0;
  scope->count = scope->cancelled = scope->told = scope->dropped = 0;
  scope->owner = NULL;
  scope->fells = NULL;
  scope->lost = scope->kept = 0;
  scope->limit = limit;
}

/*
 * pillion_scope_spawn starts `future` as a child of *scope, or lets it wait if
 * the limit is reached. The first spawn makes the task that is being polled
 * the scope's owner.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: *child is the scope's until pillion_scope_next gives it,
 *   pillion_scope_join is not pending, or pillion_scope_drop returns. `self` is
 *   the scope's until its drop was called. After a refusal both are the
 *   caller's as before.
 * Returns: 0, PILLION_ECANCELLED (the scope was cancelled), the status of the
 *   first child that failed, PILLION_EINVAL (the scope is another task's, or
 *   the future has no poll), or as pillion_spawn.
 * Since: 0.1
 */
static inline int pillion_scope_spawn(pillion_child *child,
                                      pillion_scope *scope, pillion_context *cx,
                                      const pillion_future *future,
                                      void *self) {
  int rc = pillion__future_check(future);
  if (rc < 0) return rc;
  if (scope->ops == NULL) {
    scope->ops = cx->ops;
    scope->waker = cx->waker;
  }
  if (scope->waker != cx->waker) return PILLION_EINVAL;
  pillion__scope_look(scope, cx);
  if (scope->first != NULL) return scope->first->value.status;
  if (scope->cancelled) return PILLION_ECANCELLED;
  child->value.status = 0;
  child->value.reserved = 0;
  child->value.length = 0;
  child->outcome = PILLION_OUTCOME_CANCELLED_UNSTARTED;
  child->state = PILLION__CHILD_WAITING;
  child->next_failed = NULL;
  child->release = NULL;
  child->scopes = NULL;
  child->busy = 0;
  child->future = future;
  child->self = self;
  child->scope = scope;
  child->task = 0;
  child->shared = (cx->ops->flags & PILLION_OPS_SHARED) != 0;
  if (scope->waiting != NULL ||
      (scope->limit != 0 && scope->count >= scope->limit)) {
    pillion__children_add(&scope->waiting, child);
    return 0;
  }
  return pillion__scope_run(scope, cx, child);
}

/*
 * pillion_scope_next awaits the next child that ends, and gives each once, in
 * the order of their ends. *out is that child, whether it failed or not, or
 * NULL when all have been given.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: the child is the caller's again.
 * Returns: PILLION_READY with *out, PILLION_PENDING, or PILLION_EINVAL (the
 *   scope is another task's).
 * Since: 0.1
 */
static inline int pillion_scope_next(pillion_child **out, pillion_scope *scope,
                                     pillion_context *cx) {
  *out = NULL;
  if (scope->ops != NULL) {
    if (scope->waker != cx->waker) return PILLION_EINVAL;
    pillion__scope_look(scope, cx);
  }
  if (scope->ended == NULL)
    return scope->count == 0 && scope->waiting == NULL ? PILLION_READY
                                                       : PILLION_PENDING;
  *out = scope->ended;
  pillion__children_remove(&scope->ended, *out);
  return PILLION_READY;
}

/*
 * pillion_scope_join awaits all children. Their results are then in their own
 * storage.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: when it is not pending all children are the caller's again, and
 *   the scope may be used for others if none of them failed.
 * Returns: PILLION_READY, PILLION_PENDING, the status of the first child that
 *   failed (scope->first) when all have ended, or PILLION_EINVAL (the scope is
 *   another task's).
 * Since: 0.1
 */
static inline int pillion_scope_join(pillion_scope *scope,
                                     pillion_context *cx) {
  if (scope->ops != NULL) {
    if (scope->waker != cx->waker) return PILLION_EINVAL;
    pillion__scope_look(scope, cx);
    if (scope->count > 0 || scope->waiting != NULL) return PILLION_PENDING;
    scope->ended = NULL;
    scope->ops = NULL;
  }
  return scope->first == NULL ? PILLION_READY : scope->first->value.status;
}

/*
 * pillion_scope_detach lets a child of *scope go: it runs on by itself, and its
 * result is thrown away. A child that waits for its start is started, even over
 * the limit.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: *child and its `self` are its task's until that has ended, which
 *   may be after the scope and the owner are gone; child->release tells.
 * Returns: 0, 2 (it has ended, and stays the scope's), PILLION_EINVAL (it was
 *   detached before, or the scope is another task's), or as pillion_spawn.
 * Since: 0.1
 */
static inline int pillion_scope_detach(pillion_child *child,
                                       pillion_scope *scope,
                                       pillion_context *cx) {
  uint32_t state = child->state;
  if (scope->ops != NULL && scope->waker != cx->waker) return PILLION_EINVAL;
  if (state == PILLION__CHILD_ENDED) return 2;
  if (state == PILLION__CHILD_WAITING) {
    pillion__children_remove(&scope->waiting, child);
    child->scope = NULL;
    child->state = PILLION__CHILD_DETACHED;
    int rc = pillion__scope_start(NULL, cx, child); /* then it may be gone */
    if (rc == 0) return 0;
    child->scope = scope;
    child->state = PILLION__CHILD_WAITING;
    pillion__children_add(&scope->waiting, child);
    return rc;
  }
  if (state != PILLION__CHILD_STARTED) return PILLION_EINVAL;
  /* Out of the ring first: once the scope is taken from it, it may be gone. */
  pillion__children_remove(&scope->running, child);
  child->state = PILLION__CHILD_DETACHED;
  if (pillion__child_leave(child) != NULL) {
    pillion__scope_less(scope);
    return 0;
  }
  child->state = PILLION__CHILD_STARTED; /* and its owner hasn't looked */
  pillion__children_add(&scope->running, child);
  return 2;
}

/*
 * Ends a running child now, and answers 1; the child is still in the ring, so
 * that its drop finds it there. Or lets the child go, if it cannot be ended,
 * and answers 0.
 */
static inline int pillion__scope_evict(pillion_scope *scope,
                                       pillion_child *child, int shared) {
  const pillion_ops *ops = scope->ops;
  pillion_task task = child->task;
  if (!shared && child->scope != NULL && ops->evict(task) == 0) return 1;
  pillion__children_remove(&scope->running, child);
  child->state = PILLION__CHILD_DETACHED;
  if (pillion__child_leave(child) == NULL) return 0; /* it has ended */
  scope->count--; /* and the child may be gone at any time */
  ops->cancel(task);
  if (!shared) scope->kept = 1;
  return 0;
}

/*
 * Ends all children below those of `top`, the deepest first. Their drops may
 * call what drops a scope on the way down, and frees its storage:
 * pillion_scope_drop then sets `lost`, and the way down begins again.
 */
static inline void pillion__scope_fell(pillion_scope *top) {
  pillion_scope *scope = top;
  for (;;) {
    pillion_child *child = scope->running;
    if (child != NULL && child->scopes != NULL && !child->busy) {
      scope = child->scopes;
      scope->cancelled = scope->dropped = 1;
      if (scope->fells != NULL) scope->fells->lost = 1;
      scope->fells = top;
    } else if (scope == top) {
      return;
    } else if (child == NULL) {
      pillion_child *owner = scope->owner;
      pillion__scope_unlist(scope);
      scope->fells = NULL;
      scope = owner->scope;
    } else {
      top->lost = 0;
      int ended = pillion__scope_evict(scope, child, 0);
      if (top->lost) scope = top;
      else if (ended) pillion__children_remove(&scope->running, child);
    }
  }
}

/*
 * pillion_scope_drop ends a scope from its owner's drop. Running children are
 * evicted, which drops them at once, the children in their own scopes first.
 * Waiting children are dropped too, and results that were not taken are
 * released. An empty or zeroed scope stays as it is. A pool's tasks cannot be
 * evicted: there running children are cancelled and detached, and their storage
 * must outlive them, as after pillion_scope_detach. Or the owner shields itself
 * until it has joined them.
 *
 * Threads: the owner's.
 * Reentrancy: in the owner's drop, or in its polls.
 * Ownership: all children are the caller's again, except those detached.
 * Returns: 0, or PILLION_EREENTRANT: a child whose poll or drop has evicted the
 *   owner was detached; or a drop of this scope is on the stack already, and
 *   goes on.
 * Since: 0.1
 */
static inline int pillion_scope_drop(pillion_scope *scope) {
  if (scope->ops == NULL) return 0;
  if (scope->fells == scope) return PILLION_EREENTRANT; /* already at it */
  int shared = (scope->ops->flags & PILLION_OPS_SHARED) != 0;
  scope->cancelled = 1;
  if (!shared) scope->dropped = 1; /* the ends of children wake no task */
  if (scope->fells != NULL) scope->fells->lost = 1;
  scope->fells = scope;
  while (scope->waiting != NULL)
    pillion__scope_refuse(scope, scope->waiting, PILLION_ECANCELLED);
  while (scope->running != NULL) {
    if (!shared) pillion__scope_fell(scope);
    pillion_child *child = scope->running;
    if (child != NULL && pillion__scope_evict(scope, child, shared))
      pillion__children_remove(&scope->running, child);
  }
  /* Children that have taken the scope are about to arrive. */
  while (scope->count > 0) {
    pillion_child *child = pillion__scope_arrivals(scope), *next;
    for (; child != NULL; child = next) {
      next = child->link;
      scope->count--;
      pillion_value_drop(&child->value);
      child->state = PILLION__CHILD_ENDED;
    }
  }
  while (scope->ended != NULL) {
    pillion_child *child = scope->ended;
    pillion__children_remove(&scope->ended, child);
    pillion_value_drop(&child->value);
  }
  pillion__scope_unlist(scope);
  int result = scope->kept ? PILLION_EREENTRANT : 0;
  pillion_scope_init(scope, scope->limit);
  return result;
}

#ifdef __cplusplus
}
#endif
#endif
