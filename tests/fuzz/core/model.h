/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_FUZZ_MODEL_H
#define PILLION_TESTS_FUZZ_MODEL_H

/*
 * What the oracle knows: executors, pools, actors (C tasks), calls and watches.
 * For each actor it knows whether a poll is owed, whether a stop was asked for,
 * and how its end will be told. Everything happens on one thread, with one
 * clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/guest.h"

enum { EXECUTORS = 3, POOLS = 2, PLACES = EXECUTORS + POOLS, ACTORS = 24, CALLS = 12 };
enum { NOWHERE = -1 };
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

enum life { GONE, LIVE, DROPPING, ENDED }; /* ENDED: its result waits */
enum asked { UNASKED, CANCELLED, EXPIRED };

struct result {
  int32_t status;
  uint32_t outcome;
  size_t length;
};

struct actor {
  pillion_task task, joiner, awaited;
  enum life life;
  int place, home; /* an executor, or EXECUTORS + a pool; whose event its end is,
                      NOWHERE if that is freed */
  uint32_t mode;
  bool owed, maybe, polled, polling, shielded, returns, evicted;
  bool loose;           /* its deadline on a pool is any worker's to see */
  enum asked asked;
  bool asked_here;      /* in the poll that is on the stack */
  bool asked_perhaps;   /* a deadline has passed, perhaps unseen */
  uint64_t owed_turn, posted_turn;
  bool awaits_watch, lent;
  uint32_t lent_depth; /* of the turn that lent it */
  pillion_timer timer, due;
  int due_where;
  pillion_task due_task;
  struct result result;
  int spawns, drops, events;
};

struct call {
  pillion_task task, joiner;
  enum life life; /* DROPPING: it runs */
  int home;       /* NOWHERE: without an executor */
  uint32_t mode;
  bool loop, asked, arrived, orphan;
  bool inside; /* it ended in its executor's turn, and may have arrived in the same */
  struct pillion__call *node;
  struct result result;
};

struct executor {
  pillion_executor handle;
  bool alive;
  int fd, pool, closing; /* 0, or 1 + the mode */
  int told_closing;      /* as of its last turn */
  int live_told, hosts;
  uint32_t max_tasks, posts;
  uint64_t posted[8];
  uint32_t posted_count;
  int ends[2]; /* a pipe */
  pillion_watch watch;
  uint64_t key;
  pillion_task waiter;
  bool watching, woken, gathers;
};

struct pool {
  pillion_pool handle;
  bool alive;
  int closing;
  uint32_t max_tasks;
};

static struct actor actors[ACTORS];
static struct call calls[CALLS];
static struct executor executors[EXECUTORS];
static struct pool pools[POOLS];
static int64_t now;
static uint64_t turns;      /* of all; each has its number */
static int turning = NOWHERE; /* the one whose turn is on the stack */
static bool freeing;
static int payloads; /* of results that lie elsewhere */
static int fail_in = -1; /* which allocation fails; -1: none */
static bool failed;      /* an allocation has, since this was set to false */

/* ---- The story, and its end ---------------------------------------------- */

static char story[1 << 16];
static size_t told_length;
static bool loud;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list rest;
  if (told_length > sizeof story - 200) told_length = 0; /* the last part is shown */
  va_start(rest, format);
  int n = vsnprintf(story + told_length, sizeof story - told_length, format, rest);
  va_end(rest);
  if (loud) fputs(story + told_length, stderr);
  if (n > 0) told_length += (size_t)n;
}

static void tell_story(void) {
  if (!loud) fwrite(story, 1, told_length, stderr);
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...) {
  va_list rest;
  tell_story();
  va_start(rest, format);
  fputs("\nWRONG: ", stderr);
  vfprintf(stderr, format, rest);
  fputs("\n", stderr);
  va_end(rest);
  told_length = 0;
  abort();
}

#define NAME(a) ((int)((a) - actors))

/* The library's answer, beside the right ones. */
static void expect_either(const char *what, int who, int rc, int a, int b) {
  say("%s %d = %d\n", what, who, rc);
  if (rc == PILLION_ENOMEM && failed) return;
  if (rc != a && rc != b) wrong("%s %d: %d, not %d or %d", what, who, rc, a, b);
}
static bool expect(const char *what, int who, int rc, int right) {
  expect_either(what, who, rc, right, right);
  return rc == right && rc >= 0;
}

/* ---- Chance -------------------------------------------------------------- */

static const uint8_t *input;
static size_t left;

/* When the input is used up it is always 0, which is the quietest choice. */
static uint32_t dice(uint32_t sides) {
  if (left == 0) return 0;
  left--;
  return *input++ % sides;
}

/* ---- Looking things up --------------------------------------------------- */

static bool on_pool(const struct actor *a) { return a->place >= EXECUTORS; }
static bool is_there(enum life life) { return life != GONE; }
/* Its end will be dropped, and may have arrived: then its handle is stale. */
static bool perhaps_gone(const struct call *c) {
  return c->life == ENDED && c->inside && c->mode == PILLION_DETACH;
}

static struct actor *actor_of(pillion_task task) {
  for (int i = 0; task != 0 && i < ACTORS; i++)
    if (actors[i].task == task) return &actors[i];
  return NULL;
}
static struct call *call_of(pillion_task task) {
  for (int i = 0; task != 0 && i < CALLS; i++)
    if (calls[i].task == task) return &calls[i];
  return NULL;
}
static pillion_waker waker_of(pillion_task task) {
  return (task & ~(UINT64_C(0xff) << 56)) | (uint64_t)PILLION__WAKER << 56;
}
static uint32_t tasks_at(int place) {
  uint32_t n = 0;
  for (int i = 0; i < ACTORS; i++)
    n += actors[i].place == place && is_there(actors[i].life);
  return n;
}
/* Ends may be gathered, for a nanosecond: then its timer is on its way. */
static bool readable(const struct executor *e) {
  struct pollfd watched = {e->fd, POLLIN, 0};
  bool ended = false;
  for (int i = 0; i < CALLS; i++)
    ended |= calls[i].life == ENDED && calls[i].home == e - executors && !calls[i].arrived &&
             !calls[i].inside;
  for (int i = 0; i < ACTORS; i++)
    ended |= actors[i].life == ENDED && on_pool(&actors[i]) && actors[i].home == e - executors &&
             actors[i].mode == PILLION_EVENT;
  return poll(&watched, 1, ended && e->gathers ? 1000 : 0) == 1;
}

/* ---- What follows from what ---------------------------------------------- */

static void owe(struct actor *a) {
  if (a->life != LIVE || a->owed) return;
  a->owed = true;
  a->owed_turn = turns;
}
static void owe_task(pillion_task task) {
  struct actor *a = actor_of(task);
  if (a != NULL) owe(a);
}

static void ask(struct actor *a, enum asked how) {
  if (a->life != LIVE) return;
  if (a->asked != UNASKED) { /* a shielded actor may look again */
    a->maybe = true;
    return;
  }
  a->asked = how;
  a->asked_here = a->polling;
  owe(a);
}

/* The start of a turn: the close, the inbox, timers. */
static void turn_begins(int e, uint32_t depth) {
  struct executor *ex = &executors[e];
  bool cancels = ex->closing == 1 + PILLION_CLOSE_CANCEL &&
                 ex->told_closing != ex->closing;
  for (int i = 0; cancels && i < ACTORS; i++)
    if (actors[i].place == e) ask(&actors[i], CANCELLED);
  for (int i = 0; i < ACTORS; i++) {
    struct actor *a = &actors[i];
    if (a->home == e && a->lent_depth >= depth) a->lent = false; /* this turn releases it */
    if (a->due.prev != NULL && a->due_where == e && a->due.deadline <= now &&
        actor_of(a->due_task) != NULL)
      ask(actor_of(a->due_task), EXPIRED);
    bool mine = a->place == e || (on_pool(a) && a->place - EXECUTORS == ex->pool);
    if (!mine || a->life != LIVE) continue;
    if (a->timer.prev != NULL && a->timer.deadline <= now) owe(a);
  }
  if (cancels)
    for (int i = 0; i < CALLS; i++) {
      struct call *c = &calls[i];
      if (c->home != e || c->life == GONE || c->life == ENDED) continue;
      if (c->life == LIVE) {
        c->result = (struct result){PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED, 0};
        c->life = ENDED;
      }
      c->asked = true;
    }
  for (int i = 0; i < CALLS; i++) {
    struct call *c = &calls[i];
    if (c->life != ENDED || c->home != e || c->arrived) continue;
    c->arrived = true;
    if (c->mode == PILLION_JOIN) owe_task(c->joiner);
    if (c->mode == PILLION_DETACH) c->life = GONE;
  }
  ex->told_closing = ex->closing;
}

/* A worker of the pool whose turn is on the stack. */
static bool worker_here(int place) {
  return turning != NOWHERE && executors[turning].pool == place - EXECUTORS;
}

/* Outside of turns: a host whose executor owes a poll or an end was told. */
static void check_told(void) {
  bool due[PLACES] = {false}, told[PLACES] = {false};
  for (int i = 0; i < ACTORS; i++) {
    struct actor *a = &actors[i];
    if (a->life == LIVE && a->owed) due[a->place] = true;
    if (a->life == ENDED && a->mode == PILLION_EVENT) due[a->home] = true;
  }
  for (int i = 0; i < CALLS; i++)
    if (calls[i].life == ENDED && calls[i].home != NOWHERE &&
        (calls[i].mode == PILLION_EVENT || (!calls[i].arrived && !calls[i].inside)))
      due[calls[i].home] = true;
  for (int e = 0; e < EXECUTORS; e++) {
    if (!executors[e].alive) continue;
    if (executors[e].posted_count > 0) due[e] = true;
    told[e] = readable(&executors[e]);
    if (due[e] && !told[e]) wrong("executor %d has work, and its host was not told", e);
    if (executors[e].pool != NOWHERE) told[EXECUTORS + executors[e].pool] |= told[e];
  }
  for (int p = EXECUTORS; p < PLACES; p++) {
    bool worked = false;
    for (int e = 0; e < EXECUTORS; e++)
      worked |= executors[e].alive && executors[e].pool == p - EXECUTORS;
    if (worked && due[p] && !told[p]) wrong("pool %d has work, and no worker was told", p - EXECUTORS);
  }
}

#endif
