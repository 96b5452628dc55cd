/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_FUZZ_STEPS_H
#define PILLION_TESTS_FUZZ_STEPS_H

/* What polls, drops and the world outside can do: one public call each. */
#include "actors.h"

/* ---- Starting ------------------------------------------------------------ */

static struct actor *actor_free(void) {
  struct actor *a = &actors[dice(ACTORS)];
  if (is_there(a->life) || a->lent || a->polling) return NULL;
  if (a->due.prev != NULL) pillion_timer_clear(&a->due); /* another's, perhaps */
  return a;
}

/* Also a refused one, which must leave no trace. */
static void actor_starts(struct actor *a, int place, int home, uint32_t mode, int rc, int right,
                         pillion_task task) {
  if (!expect(home == place ? "spawn" : "pool spawn", NAME(a), rc, right)) return;
  *a = (struct actor){.task = task, .life = LIVE, .place = place, .home = home, .mode = mode,
                      .due = a->due, .due_where = a->due_where, .due_task = a->due_task,
                      .spawns = a->spawns + 1, .drops = a->drops, .events = a->events};
  owe(a);
}

static int spawn_right(int place, int home, uint32_t mode) {
  if (place < EXECUTORS) {
    const struct executor *ex = &executors[place];
    if (!ex->alive) return PILLION_EBADHANDLE;
    if (ex->closing) return PILLION_ECLOSED;
    return ex->max_tasks > 0 && tasks_at(place) >= ex->max_tasks ? PILLION_EAGAIN : 0;
  }
  const struct pool *p = &pools[place - EXECUTORS];
  if (!p->alive) return PILLION_EBADHANDLE;
  if (p->closing) return PILLION_ECLOSED;
  if (p->max_tasks > 0 && tasks_at(place) >= p->max_tasks) return PILLION_EAGAIN;
  if (mode != PILLION_EVENT) return 0;
  if (home == NOWHERE || !executors[home].alive) return PILLION_EBADHANDLE;
  return executors[home].closing ? PILLION_ECLOSED : 0;
}

static void step_spawn(void) {
  struct actor *a = actor_free();
  int place = (int)dice(PLACES), home = (int)dice(EXECUTORS);
  uint32_t mode = dice(3);
  pillion_task task = 0;
  if (a == NULL) return;
  if (place < EXECUTORS) home = place;
  int right = spawn_right(place, home, mode);
  if (place < EXECUTORS && executors[place].handle == 0) return;
  int rc = place < EXECUTORS
               ? pillion_task_spawn(&task, executors[place].handle, &acting, a, (uint64_t)NAME(a), mode)
               : pillion_pool_spawn(&task, pools[place - EXECUTORS].handle, executors[home].handle,
                                    &acting, a, (uint64_t)NAME(a), mode);
  if (!executors[home].alive && place >= EXECUTORS) home = NOWHERE;
  actor_starts(a, place, home, mode, rc, right, task);
  if (rc == 0 && home == place && turning == NOWHERE && executors[place].live_told != 1)
    wrong("executor %d lives, and its host wasn't told", place);
}

static void step_spawn_here(pillion_context *cx) {
  struct actor *a = actor_free(), *me = NULL;
  uint32_t mode = dice(3);
  pillion_task task = 0;
  for (int i = 0; cx != NULL && i < ACTORS; i++)
    if (actors[i].polling && waker_of(actors[i].task) == cx->waker) me = &actors[i];
  if (a == NULL || me == NULL) return;
  int right = spawn_right(me->place, me->home, mode);
  int rc = pillion_spawn(&task, cx, &acting, a, (uint64_t)NAME(a), mode);
  actor_starts(a, me->place, me->home, mode, rc, right, task);
}

/* ---- By handle ----------------------------------------------------------- */

static void step_wake(struct actor *a) {
  bool local = dice(2);
  if (a->task == 0) return;
  int rc = (local ? pillion_wake_local : pillion_wake)(waker_of(a->task));
  say("%s %d = %d\n", local ? "wake_local" : "wake", NAME(a), rc);
  if (a->life == LIVE) {
    if (rc != PILLION_WOKEN && rc != PILLION_COALESCED) wrong("a wake: %d", rc);
    if (rc == PILLION_COALESCED && turning == NOWHERE && !a->owed && !a->maybe &&
        !a->loose)
      wrong("a wake is coalesced with nothing");
    if (!local && !on_pool(a) && turning == a->place) a->posted_turn = turns;
    owe(a);
  } else if (rc != PILLION_STALE) {
    wrong("a late wake: %d", rc);
  }
}

static void step_cancel(struct actor *a) {
  int rc = pillion_task_cancel(a->task), right = a->asked != UNASKED;
  if (a->life == GONE) {
    expect("cancel", NAME(a), rc, PILLION_EBADHANDLE);
  } else if (a->life == LIVE) {
    bool perhaps = a->loose || a->asked_perhaps;
    expect_either("cancel", NAME(a), rc, perhaps ? 0 : right, perhaps ? 1 : right);
    ask(a, CANCELLED);
  } else {
    expect("cancel", NAME(a), rc, 2);
  }
}

static void step_evict(struct actor *a) {
  int right = 0;
  if (on_pool(a)) {
    right = a->life == GONE ? PILLION_EBADHANDLE : PILLION_EINVAL;
    expect("evict", NAME(a), pillion_task_evict(a->task), right);
    return;
  }
  if (a->life == GONE) right = PILLION_EBADHANDLE;
  if (a->life == ENDED) right = 2;
  if (a->life == DROPPING || a->polling) right = PILLION_EREENTRANT;
  a->evicted = true;
  int rc = pillion_task_evict(a->task);
  a->evicted = false;
  expect("evict", NAME(a), rc, right);
  if (right == 0 && a->life == LIVE) wrong("actor %d was evicted, and lives", NAME(a));
}

static void step_detach(struct actor *a) {
  int rc = pillion_task_detach(a->task);
  int right = a->life == GONE ? PILLION_EBADHANDLE
              : a->mode != PILLION_JOIN ? PILLION_EINVAL : 0;
  bool again = on_pool(a) && a->mode == PILLION_DETACH;
  expect_either("detach", NAME(a), rc, right, again ? PILLION_EBADHANDLE : right);
  if (rc != 0) return;
  a->mode = PILLION_DETACH;
  if (a->life == ENDED) a->life = GONE;
  else owe_task(a->joiner);
}

/* The storage belongs to one actor, the task to another. */
static void step_deadline(struct actor *a) {
  struct actor *b = &actors[dice(ACTORS)];
  int64_t at = dice(8) == 7 ? PILLION_TIME_NEVER : now + (int)dice(60) - 15;
  int rc = pillion_task_deadline(&a->due, b->task, at), right = 0;
  bool armed = a->due.prev != NULL;
  if (b->life == GONE) right = PILLION_EBADHANDLE;
  else if (on_pool(b) && !worker_here(b->place)) right = PILLION_EWRONGTHREAD;
  else if (b->life != LIVE) right = 2;
  else if (a->due_where != b->place && armed) right = PILLION_EINVAL;
  say("deadline of %d at %lld (%d's) = %d\n", NAME(b), (long long)at, NAME(a), rc);
  if (rc != right && !(armed && rc == 0)) /* it may have fired since */
    wrong("a deadline: %d, not %d", rc, right);
  if (rc != 0) return;
  if (armed && right == PILLION_EINVAL && a->due.runtime == NULL) wrong("a deadline moved");
  a->due_where = b->place;
  a->due_task = b->task;
  if (on_pool(b) && at != PILLION_TIME_NEVER) b->loose = true;
  if (on_pool(b) || at > now) return;
  if (a->due.prev != NULL) { /* its executor hasn't looked at the clock */
    b->asked_perhaps = true;
    return;
  }
  ask(b, EXPIRED);
}

/* ---- Posts, watches, calls ----------------------------------------------- */

static void step_post(void) {
  struct executor *ex = &executors[dice(EXECUTORS)];
  uint8_t bytes[40];
  size_t length = dice(2) ? 0 : 40;
  static uint64_t token = 1000;
  if (ex->handle == 0) return;
  result_bytes(bytes, ++token, length);
  int right = !ex->alive ? PILLION_EBADHANDLE : ex->closing ? PILLION_ECLOSED
              : ex->posted_count >= ex->posts ? PILLION_EAGAIN : 0;
  int rc = pillion_executor_post(ex->handle, token, length ? bytes : NULL, length);
  if (expect("post", (int)(ex - executors), rc, right)) ex->posted[ex->posted_count++] = token;
}

static void step_report(void) {
  struct executor *ex = &executors[dice(EXECUTORS)];
  struct actor *a = actor_of(ex->waiter);
  if (ex->key == 0 || !ex->alive) return;
  int rc = pillion_executor_ready(ex->handle, ex->key, PILLION_READABLE);
  expect("report", (int)(ex - executors), rc, ex->watching ? 0 : PILLION_EBADHANDLE);
  if (rc != 0 || a == NULL || a->life != LIVE) return;
  if (!ex->woken) owe(a);
  ex->woken = true;
}

static void step_watch(void) {
  struct executor *ex = &executors[dice(EXECUTORS)];
  if (!ex->alive) return;
  if (!ex->watching) {
    int right = ex->closing == 1 + PILLION_CLOSE_CANCEL ? PILLION_ECLOSED : 0;
    int rc = pillion_watch_open(&ex->watch, ex->handle, ex->ends[0], 0);
    ex->watching = expect("watch", (int)(ex - executors), rc, right);
    ex->waiter = ex->key = 0;
    ex->woken = false;
    return;
  }
  ex->watching = false;
  if (!ex->woken) owe_task(ex->waiter);
  expect("unwatch", (int)(ex - executors), pillion_watch_close(ex->watch), 0);
}

static void step_call(void) {
  struct call *c = &calls[dice(CALLS)];
  pillion_function function;
  int home = (int)dice(EXECUTORS + 1) - 1;
  bool loop = dice(2);
  uint32_t mode = dice(3);
  if (c->life != GONE) return;
  pillion_function_find(&function, loop ? "fuzz.loop" : "fuzz.echo");
  if (home != NOWHERE && executors[home].handle == 0) return;
  pillion_task task = 0;
  int right = loop && home == NOWHERE ? PILLION_EINVAL : 0;
  if (home != NOWHERE && executors[home].closing) right = PILLION_ECLOSED;
  if (home != NOWHERE && !executors[home].alive) right = PILLION_EBADHANDLE;
  int rc = pillion_call_submit(&task, home == NOWHERE ? 0 : executors[home].handle, function,
                               "a request of 30 bytes, or not.", dice(2) ? 30 : 3,
                               (uint64_t)(c - calls), mode);
  if (!expect("call", (int)(c - calls), rc, right)) return;
  *c = (struct call){.task = task, .life = LIVE, .home = home, .mode = mode, .loop = loop,
                     .orphan = home == NOWHERE && mode == PILLION_DETACH};
  if (home != NOWHERE && turning == NOWHERE && executors[home].live_told != 1)
    wrong("executor %d has a call, and its host wasn't told", home);
}

static void call_ended(struct call *c) {
  c->life = c->orphan ? GONE : ENDED;
  c->inside = turning != NOWHERE && turning == c->home;
  if (c->home == NOWHERE && !c->orphan) owe_task(c->joiner);
  struct actor *joiner = actor_of(c->joiner);
  if (c->orphan && joiner != NULL) joiner->maybe = true; /* perhaps told twice */
}

static void step_call_cancel(void) {
  struct call *c = &calls[dice(CALLS)];
  int right = c->life == GONE ? PILLION_EBADHANDLE : c->life == ENDED ? 2 : c->asked;
  int rc = pillion_task_cancel(c->task);
  if (c->orphan && c->home != NOWHERE) right = PILLION_EBADHANDLE; /* its executor is freed */
  expect_either("cancel of call", (int)(c - calls), rc, right,
                perhaps_gone(c) ? PILLION_EBADHANDLE : right);
  if (rc != 0) return;
  c->asked = true;
  if (c->life != LIVE) return;
  c->result = (struct result){PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED, 0};
  call_ended(c);
}

static void step_call_detach(void) {
  struct call *c = &calls[dice(CALLS)];
  int rc = pillion_task_detach(c->task);
  int right = c->life == GONE || c->orphan ? PILLION_EBADHANDLE
              : c->home != NOWHERE && c->mode != PILLION_JOIN ? PILLION_EINVAL : 0;
  expect_either("detach of call", (int)(c - calls), rc, right,
                perhaps_gone(c) ? PILLION_EBADHANDLE : right);
  if (rc != 0) return;
  if (c->life == ENDED && (c->home == NOWHERE || c->arrived)) c->life = GONE;
  if (c->home == NOWHERE) c->orphan = true;
  else c->mode = PILLION_DETACH;
  if (c->life != GONE) owe_task(c->joiner);
}

/* As one of Go's workers does it. */
static void call_completes(struct call *c) {
  uint8_t bytes[64];
  size_t length = lengths[dice(COUNT_OF(lengths))];
  result_bytes(bytes, c->task, length);
  failed = false;
  pillion__call_complete(c->node, 0, PILLION_OUTCOME_RETURNED, bytes, length);
  say("call %d completes\n", (int)(c - calls));
  c->result = (struct result){0, PILLION_OUTCOME_RETURNED, length};
  if (failed) c->result = (struct result){PILLION_ENOMEM, PILLION_OUTCOME_RETURNED, 0};
  call_ended(c);
}

static int step_serve(void) {
  struct pillion__job jobs[4];
  int n = pillion__ring_take(jobs, 4);
  for (int i = 0; i < n; i++) {
    struct call *c = call_of(pillion__handle(PILLION__TASK, jobs[i].call->slot, jobs[i].gen));
    uint64_t fresh = (uint64_t)jobs[i].gen << 32 | PILLION__CALL_NEW;
    if (jobs[i].news || c == NULL || c->life != LIVE) continue;
    if (c->orphan) fresh |= PILLION__CALL_ORPHAN;
    if (!atomic_compare_exchange_strong(&jobs[i].call->state, &fresh, fresh + 1))
      wrong("call %d can't be taken up", (int)(c - calls));
    c->life = DROPPING;
    c->node = jobs[i].call;
  }
  return n;
}

static void step_complete(void) {
  struct call *c = &calls[dice(CALLS)];
  if (c->life == DROPPING) call_completes(c);
}

/* Handles that were never given out. */
static void step_forged(void) {
  uint64_t handle = 0;
  for (int i = 0; i < 8; i++) handle = handle << 8 | dice(256);
  if (actor_of(handle) != NULL || call_of(handle) != NULL) return;
  pillion_timer timer = {0};
  if ((handle >> 32 & 0xffffff) < 8192 && (uint32_t)handle < 100000) handle ^= UINT64_C(1) << 31;
  say("forged %llx\n", (unsigned long long)handle);
  int rc = pillion_task_cancel(handle);
  if (rc != PILLION_EBADHANDLE) wrong("a forged cancel: %d", rc);
  rc = pillion_task_detach(handle);
  if (rc != PILLION_EBADHANDLE) wrong("a forged detach: %d", rc);
  rc = pillion_task_deadline(&timer, handle, now);
  if (rc != PILLION_EBADHANDLE) wrong("a forged deadline: %d", rc);
  rc = pillion_wake(handle);
  if (rc != PILLION_EBADHANDLE && rc != PILLION_STALE) wrong("a forged wake: %d", rc);
  rc = pillion_watch_close(handle);
  if (rc != PILLION_EBADHANDLE) wrong("a forged unwatch: %d", rc);
}

static void act(pillion_context *cx) {
  depth++;
  struct actor *a = &actors[dice(ACTORS)];
  switch (dice(18)) {
    case 1: case 2: step_spawn(); break;
    case 3: step_spawn_here(cx); break;
    case 4: case 5: step_wake(a); break;
    case 6: step_cancel(a); break;
    case 7: step_evict(a); break;
    case 8: step_detach(a); break;
    case 9: step_deadline(a); break;
    case 10: step_post(); break;
    case 11: step_report(); break;
    case 12: step_watch(); break;
    case 13: step_call(); break;
    case 14: step_call_cancel(); break;
    case 15: step_call_detach(); break;
    case 16: step_serve(); break;
    case 17: step_complete(); break;
    default: if (dice(8) == 7) step_forged(); break;
  }
  depth--;
}

#endif
