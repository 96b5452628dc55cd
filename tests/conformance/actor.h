/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_ACTOR_H
#define PILLION_TESTS_ACTOR_H

/* Tasks that follow a script, and the case that they play in. */
#include <pthread.h>

#include "pillion.h"
#include "pillion/scope.h"
#include "pillion/time.h"
#include "vector.h"

#define MAX_ACTORS 2048

/* A task with its script. */
struct actor {
  char name[32];
  uint32_t flags; /* PILLION_EVENT… */
  char **script;  /* up to NULL */
  char **at, **drop;
  pillion_task task;
  pillion_waker waker;
  pillion_timer timer, deadline;
  pillion_interval interval;
  pillion_scope scope; /* of its children */
  pillion_child child; /* in another's scope */
  int waiting, spawns, drops, ended, taken;
};

static struct {
  char name[128];
  const char *file;
  int line, failed, began, max_tasks, unknown;
  int64_t now;
  pillion_executor executor; /* 0: not made yet, or freed */
  struct actor actors[MAX_ACTORS];
  int actor_count;
  struct words scripts[64];
  int script_count;
  struct text trace;
} now_in;

static void broken(const char *what, const char *word) {
  fprintf(stderr, "%s:%d: %s: %s\n", now_in.file, now_in.line, what,
          word == NULL ? "nothing" : word);
  exit(2);
}

static void differs(const char *want, const char *got) {
  printf("%s:%d: %s\n  want %s\n  got  %s\n", now_in.file, now_in.line,
         now_in.name, want, got);
  now_in.failed = 1;
}

static int64_t virtual_clock(void *data) {
  (void)data;
  return now_in.now;
}

static struct actor *actor_of(const char *name) {
  for (int i = 0; i < now_in.actor_count; i++)
    if (strcmp(now_in.actors[i].name, name) == 0) return &now_in.actors[i];
  broken("no such task", name);
  return NULL;
}

static const char *status_text(int32_t status, uint32_t outcome, int64_t value) {
  static char text[32];
  int unstarted = outcome == PILLION_OUTCOME_CANCELLED_UNSTARTED;
  if (status == PILLION_ECANCELLED)
    return unstarted ? "unstarted" : "cancelled";
  if (status == PILLION_ETIMEDOUT)
    return unstarted ? "late-unstarted" : "late";
  snprintf(text, sizeof text, "%lld",
           (long long)(status < 0 ? status : value));
  return text;
}

static const char *error_text(int rc) {
  switch (rc) {
    case 0: return "ok";
    case PILLION_ECLOSED: return "closed";
    case PILLION_EAGAIN: return "again";
    case PILLION_EINVAL: return "invalid";
    case PILLION_EBUSY: return "busy";
    case PILLION_EREENTRANT: return "reentrant";
    case PILLION_EBADHANDLE: return "finished"; /* and its slot is free */
    default: return pillion_strerror(rc);
  }
}

/* ---- What scripts do, in polls, in drops and outside --------------------- */

static const pillion_future script;

static int spawn(struct actor *actor, pillion_context *cx) {
  actor->at = actor->script;
  actor->waiting = actor->ended = actor->taken = 0;
  memset(&actor->timer, 0, sizeof actor->timer);
  memset(&actor->deadline, 0, sizeof actor->deadline);
  uint64_t token = (uint64_t)(actor - now_in.actors);
  int rc = cx != NULL ? pillion_spawn(&actor->task, cx, &script, actor, token,
                                      actor->flags)
                      : pillion_task_spawn(&actor->task, now_in.executor,
                                           &script, actor, token,
                                           actor->flags);
  if (rc < 0) return rc;
  actor->spawns++;
  /* A waker is its task's handle with another kind, which is public. */
  actor->waker = actor->task ^ UINT64_C(1) << 56;
  return 0;
}

struct deed {
  const char *verb, *object, *result;
  pillion_context *cx;
  int here; /* on the owner's thread */
};

static void *do_it(void *data) {
  static const char *const woken[] = {"woken", "coalesced", "stale"};
  static const char *const asked[] = {"asked", "already", "finished"};
  struct deed *deed = data;
  int rc;
  if (strcmp(deed->verb, "spawn") == 0) {
    rc = spawn(actor_of(deed->object), deed->cx);
    /* During a free the executor's handle is stale already. */
    deed->result = rc == PILLION_EBADHANDLE ? "closed" : error_text(rc);
  } else if (strcmp(deed->verb, "wake") == 0) {
    pillion_waker waker = actor_of(deed->object)->waker;
    rc = !deed->here         ? pillion_wake(waker)
         : deed->cx != NULL ? deed->cx->ops->wake(waker)
                            : pillion_wake_local(waker);
    deed->result = rc < 0 ? error_text(rc) : woken[rc];
  } else if (strcmp(deed->verb, "cancel") == 0) {
    rc = pillion_task_cancel(actor_of(deed->object)->task);
    deed->result = rc < 0 ? error_text(rc) : asked[rc];
  } else if (strcmp(deed->verb, "evict") == 0) {
    rc = pillion_task_evict(actor_of(deed->object)->task);
    deed->result = rc == 2 ? "finished" : error_text(rc);
  } else if (strncmp(deed->verb, "deadline:", 9) == 0) {
    struct actor *actor = actor_of(deed->object);
    rc = pillion_task_deadline(&actor->deadline, actor->task,
                               number_of(deed->verb + 9));
    deed->result = rc == 2 ? "finished" : error_text(rc);
  } else if (strcmp(deed->verb, "close") == 0) {
    int drain = strcmp(deed->object, "drain") == 0;
    if (!drain && strcmp(deed->object, "cancel") != 0)
      broken("close how", deed->object);
    deed->result = error_text(pillion_executor_close(
        now_in.executor, drain ? PILLION_CLOSE_DRAIN : PILLION_CLOSE_CANCEL));
  } else {
    broken("an unknown verb", deed->verb);
  }
  return NULL;
}

/* `elsewhere` does it on another thread, and waits for that. */
static const char *perform(char *const *words, pillion_context *cx, int *used) {
  struct deed deed = {words[0], words[1], NULL, cx, 1};
  *used = 2;
  if (strcmp(words[0], "elsewhere") == 0) {
    pthread_t thread;
    deed = (struct deed){words[1], words[1] == NULL ? NULL : words[2], NULL,
                         NULL, 0};
    *used = 3;
    if (deed.object == NULL) broken("elsewhere, but what", deed.verb);
    if (pthread_create(&thread, NULL, do_it, &deed) != 0) exit(2);
    pthread_join(thread, NULL);
    return deed.result;
  }
  if (strcmp(deed.verb, "advance") == 0) {
    now_in.now += number_of(deed.object);
    return "ok";
  }
  if (deed.object == NULL) broken("a verb without an object", deed.verb);
  do_it(&deed);
  return deed.result;
}

static int usual(const char *result) {
  return strcmp(result, "ok") == 0 || strcmp(result, "woken") == 0 ||
         strcmp(result, "asked") == 0;
}

static void perform_inside(struct actor *actor, pillion_context *cx) {
  int used;
  const char *result = perform(actor->at, cx, &used);
  if (!usual(result)) text_add(&now_in.trace, "!%s", result);
  actor->at += used;
}

/* ---- The future ---------------------------------------------------------- */

static int join(struct actor *actor, pillion_context *cx, const char *name) {
  struct actor *other = actor_of(name);
  pillion_value value;
  int64_t number = 0;
  int rc = pillion_join(&value, cx, other->task);
  if (rc == PILLION_PENDING) return rc;
  actor->at += 2;
  if (rc < 0) {
    text_add(&now_in.trace, "!%s", error_text(rc));
    return PILLION_READY;
  }
  other->taken = 1;
  if (value.length == sizeof number)
    memcpy(&number, pillion_value_data(&value), sizeof number);
  text_add(&now_in.trace, "<%s",
           status_text(value.status, PILLION_OUTCOME_CANCELLED_RUNNING,
                       number));
  pillion_value_drop(&value);
  return PILLION_READY;
}

static int until(struct actor *actor, pillion_context *cx, int64_t deadline) {
  if (deadline <= cx->now) {
    pillion_timer_clear(&actor->timer);
    actor->waiting = 0;
    actor->at += 2;
    return PILLION_READY;
  }
  if (!actor->waiting) pillion_timer_set(&actor->timer, cx, deadline);
  actor->waiting = 1;
  return PILLION_PENDING;
}

static int nap(struct actor *actor, pillion_context *cx, int64_t ns) {
  int rc = pillion_sleep(&actor->timer, cx, ns);
  if (rc == PILLION_READY) actor->at += 2;
  return rc;
}

static int tick(struct actor *actor, pillion_context *cx) {
  uint64_t missed;
  int rc = pillion_interval_tick(&missed, &actor->interval, cx);
  if (rc != PILLION_READY) return rc;
  text_add(&now_in.trace, "+%d", (int)missed);
  actor->at++;
  return rc;
}

static void set_interval(struct actor *actor, int64_t period, const char *how) {
  static const char *const missed[] = {"burst", "delay", "skip"};
  int i = 0;
  while (i < 3 && strcmp(missed[i], how) != 0) i++;
  if (pillion_interval_init(&actor->interval, period, i) < 0)
    broken("no interval", how);
  actor->at += 3;
}

static void begin_child(struct actor *actor, pillion_context *cx,
                        const char *name) {
  struct actor *other = actor_of(name);
  other->at = other->script;
  other->spawns++;
  int rc = pillion_scope_spawn(&other->child, &actor->scope, cx, &script,
                               other);
  if (rc < 0) {
    other->spawns--;
    text_add(&now_in.trace, "!%s", error_text(rc));
  }
  other->task = other->child.task;
  other->waker = other->task ^ UINT64_C(1) << 56;
  actor->at += 2;
}

static int gather(struct actor *actor, pillion_context *cx) {
  int rc = pillion_scope_join(&actor->scope, cx);
  if (rc == PILLION_PENDING) return rc;
  actor->at++;
  if (rc == PILLION_READY)
    text_add(&now_in.trace, "<ok");
  else
    text_add(&now_in.trace, "<%s",
             status_text(rc, PILLION_OUTCOME_CANCELLED_RUNNING, 0));
  return PILLION_READY;
}

static int script_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct actor *actor = self;
  text_add(&now_in.trace, "%s", actor->name);
  actor->waker = cx->waker;
  while (actor->at != actor->drop) {
    const char *verb = actor->at[0], *object = actor->at[1];
    int rc = PILLION_READY;
    if (strcmp(verb, "again") == 0) {
      actor->at = actor->script;
    } else if (strcmp(verb, "pend") == 0) {
      actor->at++;
      return PILLION_PENDING;
    } else if (strcmp(verb, "yield") == 0) {
      actor->at++;
      cx->ops->wake(cx->waker);
      return PILLION_PENDING;
    } else if (strcmp(verb, "ready") == 0) {
      int64_t number = number_of(object);
      pillion_value_set(out, &number, sizeof number);
      return PILLION_READY;
    } else if (strcmp(verb, "fail") == 0) {
      return (int)number_of(object);
    } else if (strcmp(verb, "sleep") == 0) {
      rc = nap(actor, cx, number_of(object));
    } else if (strcmp(verb, "until") == 0) {
      rc = until(actor, cx, number_of(object));
    } else if (strcmp(verb, "join") == 0) {
      rc = join(actor, cx, object);
    } else if (strcmp(verb, "interval") == 0) {
      set_interval(actor, number_of(object), actor->at[2]);
    } else if (strcmp(verb, "tick") == 0) {
      rc = tick(actor, cx);
    } else if (strcmp(verb, "shield") == 0 || strcmp(verb, "unshield") == 0) {
      pillion_shield(cx, verb[0] == 's');
      actor->at++;
    } else if (strcmp(verb, "asked") == 0) {
      text_add(&now_in.trace, pillion_cancelled(cx) ? "!asked" : "!unasked");
      actor->at++;
    } else if (strcmp(verb, "scope") == 0) {
      pillion_scope_init(&actor->scope, (uint32_t)number_of(object));
      actor->at += 2;
    } else if (strcmp(verb, "child") == 0) {
      begin_child(actor, cx, object);
    } else if (strcmp(verb, "gather") == 0) {
      rc = gather(actor, cx);
    } else if (strcmp(verb, "arm") == 0) {
      pillion_timer_set(&actor->timer, cx, number_of(object));
      actor->at += 2;
    } else if (strcmp(verb, "disarm") == 0) {
      pillion_timer_clear(&actor->timer);
      actor->at++;
    } else {
      perform_inside(actor, cx);
    }
    if (rc == PILLION_PENDING) return rc;
  }
  return PILLION_PENDING;
}

static void script_drop(void *self) {
  struct actor *actor = self;
  text_add(&now_in.trace, "~%s", actor->name);
  actor->drops++;
  actor->ended = 1;
  pillion_timer_clear(&actor->timer);
  pillion_timer_clear(&actor->deadline);
  pillion_timer_clear(&actor->interval.timer);
  pillion_scope_drop(&actor->scope);
  if (*actor->drop == NULL) return;
  actor->at = actor->drop + 1;
  while (*actor->at != NULL) perform_inside(actor, NULL);
}

static const pillion_future script = {sizeof script, script_poll, script_drop};

#endif
