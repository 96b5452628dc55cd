/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_FUZZ_ACTORS_H
#define PILLION_TESTS_FUZZ_ACTORS_H

/* What actors do in their polls and drops, and the results that they leave. */
#include "model.h"

static void act(pillion_context *cx);
static int depth;

/* ---- Results ------------------------------------------------------------- */

static const size_t lengths[] = {0, 4, 24, 25, 64};

static void result_bytes(uint8_t *out, pillion_task task, size_t length) {
  for (size_t i = 0; i < length; i++) out[i] = (uint8_t)(task >> 32) + (uint8_t)(task + i);
}
static void result_release(void *owner) {
  payloads--;
  free(owner);
}
static void result_make(pillion_value *out, pillion_task task, size_t length) {
  out->length = length;
  if (length <= PILLION_INLINE) {
    result_bytes(out->payload.bytes, task, length);
    return;
  }
  uint8_t *bytes = malloc(length);
  payloads++;
  result_bytes(bytes, task, length);
  out->payload.ref.data = bytes;
  out->payload.ref.owner = bytes;
  out->payload.ref.release = result_release;
}
static void result_check(const struct result *right, pillion_task task, int32_t status,
                         const void *bytes, uint64_t length) {
  uint8_t wanted[64];
  result_bytes(wanted, task, right->length);
  if (status != right->status || length != right->length ||
      (length > 0 && memcmp(bytes, wanted, length) != 0))
    wrong("a result of status %d and %d bytes, not %d and %d", status, (int)length, right->status,
          (int)right->length);
}

/* Where a deadline and a cancel meet, either may have been the first. */
static int32_t blurred(const struct actor *a, int32_t status) {
  bool either = a->loose || a->asked_perhaps;
  return either && status == PILLION_ETIMEDOUT ? PILLION_ECANCELLED : status;
}

static void actor_result_check(const struct actor *a, int32_t status, const void *bytes,
                               uint64_t length) {
  struct result right = a->result;
  right.status = blurred(a, right.status);
  result_check(&right, a->task, blurred(a, status), bytes, length);
}

/* ---- Ends ---------------------------------------------------------------- */

static void actor_ended(struct actor *a) {
  a->owed = a->maybe = a->polling = a->shielded = false;
  bool forgone = a->mode == PILLION_EVENT && a->home == NOWHERE;
  a->life = a->mode == PILLION_DETACH || forgone ? GONE : ENDED;
  if (a->mode == PILLION_JOIN) owe_task(a->joiner);
}

static void actor_drop(void *self) {
  struct actor *a = self;
  say("  drop %d\n", NAME(a));
  if (a->life != LIVE) wrong("actor %d is dropped twice", NAME(a));
  bool forced = a->evicted || freeing;
  if (!a->returns && !forced && !a->loose && (a->asked == UNASKED || a->shielded))
    wrong("actor %d is dropped for no reason", NAME(a));
  a->life = DROPPING;
  a->drops++;
  pillion_timer_clear(&a->timer);
  if (!a->returns)
    a->result = (struct result){
        a->asked == EXPIRED ? PILLION_ETIMEDOUT : PILLION_ECANCELLED,
        a->polled ? PILLION_OUTCOME_CANCELLED_RUNNING : PILLION_OUTCOME_CANCELLED_UNSTARTED, 0};
  if (!freeing && depth < 3 && dice(4) == 1) act(NULL);
  actor_ended(a);
}

/* ---- Awaiting ------------------------------------------------------------ */

/* Whether a joiner stands in another's way. */
static bool is_joined(pillion_task joiner, const struct actor *me) {
  struct actor *other = actor_of(joiner);
  return other != NULL && other != me && (is_there(other->life) || other->lent);
}

static int join_actor(struct actor *a, struct actor *b, pillion_context *cx) {
  pillion_value value;
  int rc = pillion_join(&value, cx, b->task);
  bool other_loop = !on_pool(b) && b->place != a->place;
  say("  %d joins %d = %d\n", NAME(a), NAME(b), rc);
  if (b->life == GONE) {
    if (rc != PILLION_EBADHANDLE) wrong("a join of what is gone: %d", rc);
  } else if (other_loop) {
    if (rc != PILLION_EWRONGTHREAD) wrong("a join of another loop's: %d", rc);
  } else if (b == a) {
    if (rc != PILLION_EINVAL) wrong("a join of itself: %d", rc);
  } else if (b->mode != PILLION_JOIN) {
    if (rc != PILLION_EINVAL && !(on_pool(b) && rc == PILLION_EBADHANDLE))
      wrong("a join of what isn't to be joined: %d", rc);
  } else if (b->life == ENDED) {
    if (rc != PILLION_READY) wrong("a join of what has ended: %d", rc);
    b->life = GONE;
    actor_result_check(b, value.status, pillion_value_data(&value), value.length);
    pillion_value_drop(&value);
  } else if (is_joined(b->joiner, a)) {
    if (rc != PILLION_EBUSY && !(rc == PILLION_PENDING && actor_of(b->joiner)->life != LIVE))
      wrong("a join of what another joins: %d", rc);
    if (rc == PILLION_PENDING) b->joiner = a->task;
  } else {
    if (rc != PILLION_PENDING) wrong("a join of what lives: %d", rc);
    b->joiner = a->task;
  }
  return rc;
}

static int join_call(struct actor *a, struct call *c, pillion_context *cx) {
  pillion_value value;
  int rc = pillion_join(&value, cx, c->task);
  bool other_loop = c->home != NOWHERE && c->home != a->place;
  say("  %d joins call %d = %d\n", NAME(a), (int)(c - calls), rc);
  if (rc == PILLION_READY) {
    if (c->life != ENDED || other_loop) wrong("a call is joined that hasn't ended");
    c->life = GONE;
    result_check(&c->result, c->task, value.status, pillion_value_data(&value), value.length);
    pillion_value_drop(&value);
  } else if (rc == PILLION_PENDING) {
    if (c->life == GONE || other_loop || (c->life == ENDED && (c->home == NOWHERE || c->arrived)))
      wrong("a join of a call that has ended: %d", rc);
    c->joiner = a->task;
  } else if (perhaps_gone(c) && rc == PILLION_EBADHANDLE) {
    c->life = GONE;
  } else if (c->life == GONE || c->orphan ? rc != PILLION_EBADHANDLE
             : other_loop                 ? rc != PILLION_EWRONGTHREAD
             : c->mode != PILLION_JOIN    ? rc != PILLION_EINVAL
                                          : rc != PILLION_EBUSY || !is_joined(c->joiner, a)) {
    wrong("a join of call %d: %d", (int)(c - calls), rc);
  }
  return rc;
}

static int await_watch(struct actor *a, struct executor *ex, pillion_context *cx) {
  int rc = pillion_ready(NULL, cx, ex->watch, PILLION_READABLE);
  int place = (int)(ex - executors);
  say("  %d awaits watch %d = %d\n", NAME(a), place, rc);
  if (on_pool(a)) {
    if (rc != PILLION_ENOTSUP) wrong("a pool's task watches: %d", rc);
  } else if (!ex->watching) {
    if (rc != PILLION_ECLOSED && rc != PILLION_EBADHANDLE) wrong("a closed watch: %d", rc);
  } else if (place != a->place) {
    if (rc != PILLION_EWRONGTHREAD) wrong("another's watch: %d", rc);
  } else if (ex->waiter == a->task && ex->woken) {
    if (rc != PILLION_READY) wrong("a watch that is ready: %d", rc);
    ex->waiter = 0;
    ex->woken = false;
  } else {
    struct actor *other = actor_of(ex->waiter);
    bool taken = other != NULL && other != a && (other->life == LIVE || other->life == DROPPING);
    if (rc != (taken ? PILLION_EBUSY : PILLION_PENDING)) wrong("an await of a watch: %d", rc);
    if (!taken) {
      ex->waiter = a->task;
      ex->woken = false;
    }
  }
  return rc;
}

/* Goes on with what it awaits; false while that isn't ready. */
static bool goes_on(struct actor *a, pillion_context *cx) {
  struct actor *b = actor_of(a->awaited);
  struct call *c = call_of(a->awaited);
  if (a->awaits_watch && await_watch(a, &executors[a->place], cx) == PILLION_PENDING) return false;
  if (b != NULL && join_actor(a, b, cx) == PILLION_PENDING) return false;
  if (c != NULL && join_call(a, c, cx) == PILLION_PENDING) return false;
  a->awaits_watch = false;
  a->awaited = 0;
  return true;
}

/* ---- Polls --------------------------------------------------------------- */

static int actor_returns(struct actor *a, pillion_value *out) {
  size_t length = lengths[dice(COUNT_OF(lengths))];
  a->returns = true;
  if (dice(4) == 3) {
    a->result = (struct result){PILLION_EFAILED, PILLION_OUTCOME_RETURNED, 0};
    return PILLION_EFAILED;
  }
  a->result = (struct result){0, PILLION_OUTCOME_RETURNED, length};
  result_make(out, a->task, length);
  return PILLION_READY;
}

static void poll_is_due(struct actor *a, const pillion_context *cx) {
  say(" poll %d\n", NAME(a));
  if (a->life != LIVE || a->polling) wrong("actor %d is polled, and isn't there", NAME(a));
  if (turning == NOWHERE || (on_pool(a) ? !worker_here(a->place) : a->place != turning))
    wrong("actor %d is polled elsewhere", NAME(a));
  if (cx->waker != waker_of(a->task) || cx->now != now) wrong("a context of another's");
  if (a->asked != UNASKED && !a->shielded && !a->loose)
    wrong("actor %d is polled, and was asked to stop", NAME(a));
  if (!a->owed && !a->maybe && !a->loose) wrong("actor %d is polled for no reason", NAME(a));
  if (!on_pool(a) && a->owed && !a->maybe && a->owed_turn == turns)
    wrong("actor %d is polled in the turn that woke it", NAME(a));
}

static void actor_shields(struct actor *a, pillion_context *cx, int on) {
  int rc = pillion_shield(cx, on);
  if (rc != a->shielded) wrong("a shield was %d, not %d", rc, a->shielded);
  a->shielded = on;
  if (!on && a->asked != UNASKED) owe(a);
  rc = pillion_cancelled(cx);
  if (rc != (a->asked != UNASKED) && !a->loose && !a->asked_here)
    wrong("actor %d hears of its cancel: %d", NAME(a), rc);
}

static int actor_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct actor *a = self;
  poll_is_due(a, cx);
  a->maybe = a->posted_turn == turns && !on_pool(a);
  a->owed = a->asked_here = false;
  a->posted_turn = 0;
  a->polled = a->polling = true;
  int rc = PILLION_PENDING;
  if (!goes_on(a, cx)) goto pending;
  for (uint32_t n = dice(3); n > 0; n--) act(cx);
  switch (dice(8)) {
    case 1: rc = actor_returns(a, out); break;
    case 2:
      if (pillion_timer_set(&a->timer, cx, now + (int)dice(100) - 20) != 0)
        wrong("a timer can't be set");
      break;
    case 3:
      a->awaited = dice(3) ? actors[dice(ACTORS)].task : calls[dice(CALLS)].task;
      goes_on(a, cx);
      break;
    case 4:
      a->awaits_watch = !on_pool(a);
      goes_on(a, cx);
      break;
    case 5: actor_shields(a, cx, (int)dice(2)); break;
    case 6:
      cx->ops->wake(cx->waker);
      owe(a);
      break;
    default: break;
  }
pending:
  a->polling = false;
  return rc;
}

static const pillion_future acting = {sizeof acting, actor_poll, actor_drop};

#endif
