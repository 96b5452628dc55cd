/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_SCOPE_H
#define PILLION_INCLUDE_SCOPE_H

/*
 * Scopes: child tasks that end before the future that owns them goes on. Like
 * future.h, which is all that it needs, it is freestanding, and all storage is
 * the caller's:
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
 * A scope belongs to the task that spawns into it; its children's ends wake
 * that task, and whatever else has to be done is done when it looks at the
 * scope: in spawn, next and join.
 *
 * ERRORS. The first child to fail cancels the others, those that wait for
 * their start included; at once, but where tasks move between threads only
 * when the owner looks. When all have ended, pillion_scope_join answers the
 * first one's code; `first` is that child, and its `next_failed` leads to the
 * others that failed, in the order of their ends. Cancellations that the scope
 * asked for are no errors.
 *
 * CANCEL. A task that is cancelled is dropped, and pillion_scope_drop in its
 * drop ends the children at once. One that would rather wait for them shields
 * itself (pillion_shield) as long as they live: then spawn, next and join pass
 * its cancel on to them.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pillion_scope pillion_scope;
typedef struct pillion_child pillion_child;

/*
 * pillion_child is a child's storage. When it has ended (pillion_scope_next
 * gave it, or pillion_scope_join is through), `value` is its result, the
 * caller's to release with pillion_value_drop; value.status is negative if it
 * failed or was cancelled, and `outcome` tells which. What follows `outcome`
 * is private, but for next_failed, and `release`: if that is set (after the
 * spawn) it is called when a child that was detached has ended, for its
 * storage to go.
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
  pillion_scope *scopes;      /* of its own, in which children run: a list */
  int shared;
  int failed;
  int busy; /* its poll or drop is on the stack */
};

/*
 * pillion_scope is a scope's storage. Zeroed, it is one without a limit. All
 * but `first` is private.
 */
struct pillion_scope {
  pillion_child *first; /* that failed, or NULL */
  pillion_child *last_failed;
  pillion_child *arrived; /* ended, last one first, not yet looked at */
  pillion_child *running, *waiting, *ended; /* each a ring, or NULL */
  const pillion_ops *ops;                   /* NULL: nobody's */
  pillion_waker waker;
  uint32_t count; /* of `running` */
  uint32_t limit;
  uint32_t cancelled;
  uint32_t told; /* those that run were asked to stop */
  uint32_t dropped;
  pillion_child *owner;           /* while it is in the list of that child */
  pillion_scope *later, *earlier; /* in that list */
  pillion_scope *fells; /* the one whose drop is emptying it just now */
  uint32_t lost;        /* another drop got at what that was emptying */
  uint32_t kept;        /* a child could not be evicted */
};

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
 * A child's drop ends the children of its own scope, and theirs end theirs: as
 * deep as scopes are nested. So that this takes no stack, a drop goes down by
 * itself, and ends children from the deepest one upwards. A scope is in its
 * owner's list while children run in it: only so long must it be where it is.
 */
static inline void pillion__scope_list(pillion_scope *scope,
                                       pillion_context *cx) {
  pillion_child *owner =
      cx->size >= sizeof *cx ? (pillion_child *)cx->child : NULL;
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
  if (!child->shared && cx->size >= sizeof *cx) cx->child = child;
  int rc = child->future->poll(&child->value, cx, child->self);
  if (!child->shared && cx->size >= sizeof *cx) cx->child = NULL;
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

/* Whoever takes the scope away is the one to act: its end, or a detach. */
static inline pillion_scope *pillion__child_leave(pillion_child *child) {
  if (child->shared)
    return __atomic_exchange_n(&child->scope, (pillion_scope *)NULL,
                               __ATOMIC_ACQ_REL);
  pillion_scope *scope = child->scope;
  child->scope = NULL;
  return scope;
}

/* The scope's own cancel is no error of a child. */
static inline int pillion__child_failed(const pillion_child *child,
                                        const pillion_scope *scope) {
  int32_t status = child->value.status;
  return status < 0 &&
         !((scope->cancelled || scope->told) && status == PILLION_ECANCELLED);
}

/* Asks those that run to stop. */
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
  /* From the push on its owner may be through, on another thread. */
  const pillion_ops *ops = !child->shared && scope->dropped ? NULL : scope->ops;
  pillion_waker waker = scope->waker;
  if (child->shared) {
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

/* ---- What its owner does when it looks ----------------------------------- */

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
  if (scope->ops->flags & PILLION_OPS_SHARED) {
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

/* One that never started, and won't. */
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
 * start end without one. It is over when they have ended: pillion_scope_join
 * still waits for that. Spawns are refused from now on.
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

/* Starts those that wait, as the limit allows. */
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
 * pillion_scope_init makes *scope an empty one, in which up to `limit` children
 * run at once; 0 is no limit. The others wait, and start in their order.
 *
 * Threads: any.
 * Reentrancy: anywhere; not while it has children.
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
 * Ownership: *child and `self` are the scope's until the child has ended (was
 *   given by pillion_scope_next, or pillion_scope_join is through), or until
 *   pillion_scope_drop; `self` until its drop was called. After a refusal they
 *   are the caller's as before.
 * Returns: 0, PILLION_ECANCELLED (the scope was), the status of the first child
 *   that failed, PILLION_EINVAL (another task's, no poll), or as
 *   pillion_spawn.
 * Since: 0.1
 */
static inline int pillion_scope_spawn(pillion_child *child,
                                      pillion_scope *scope, pillion_context *cx,
                                      const pillion_future *future,
                                      void *self) {
  if (future == NULL || future->size < sizeof *future || future->poll == NULL)
    return PILLION_EINVAL;
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
 * pillion_scope_next awaits the next child that ends, one after the other as
 * they do: *out is that child, whether it failed or not, or NULL when all have
 * been given.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: the child is the caller's again.
 * Returns: PILLION_READY with *out, PILLION_PENDING, or PILLION_EINVAL
 *   (another task's).
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
 * pillion_scope_join awaits all children. Their results are in their own
 * storage then, in whatever order the caller has them.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: when it isn't pending all children are the caller's again, and
 *   the scope may be used for others if none of them failed.
 * Returns: PILLION_READY, PILLION_PENDING, the status of the first child that
 *   failed (scope->first) once all have ended, or PILLION_EINVAL (another
 *   task's).
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
 * result is thrown away. One that waits is started for it, over the limit.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll of the owner only.
 * Ownership: *child and its `self` belong to its task until that has ended,
 *   also when its scope and its owner are gone; set child->release to learn it.
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
 * Ends a child that runs, now: 1, and it is still in the ring, so that who
 * looks from its drop finds it there. Or lets it go, if it can't be ended: 0.
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
 * Ends all children below those of `top`, the deepest first. What their drops
 * call may drop a scope that is on the way down, and its storage with it:
 * pillion_scope_drop says so in `lost`, and the way begins again.
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
 * pillion_scope_drop ends a scope from its owner's drop: children that run are
 * evicted, which drops them at once, after those in scopes of their own; those
 * that wait are dropped too, and results that nobody took are released. An
 * empty or zeroed scope stays as it is. Where tasks move between threads
 * nothing can be evicted: there children that run are cancelled and detached,
 * and their storage must outlive them, as for pillion_scope_detach; or their
 * owner shields itself until it has joined them.
 *
 * Threads: the owner's.
 * Reentrancy: in the owner's drop, or in its polls.
 * Ownership: all children are the caller's again, but for those detached.
 * Returns: 0, or PILLION_EREENTRANT: a child that is being polled or dropped,
 *   and evicted its owner, was detached; or a drop of this scope is on the
 *   stack already, and goes on.
 * Since: 0.1
 */
static inline int pillion_scope_drop(pillion_scope *scope) {
  if (scope->ops == NULL) return 0;
  if (scope->fells == scope) return PILLION_EREENTRANT; /* already at it */
  int shared = (scope->ops->flags & PILLION_OPS_SHARED) != 0;
  scope->cancelled = 1;
  if (!shared) scope->dropped = 1; /* nobody is to be woken */
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
  /* Those on their way are between two instructions. */
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
