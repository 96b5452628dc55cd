/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything that one thread can do, in a random order, inside polls and drops
 * and outside. A model beside it knows which tasks owe a poll: none is polled
 * without a reason, and none that has one is forgotten.
 */
#include "support.h"

enum { EXECUTORS = 3, TASKS = 150, ROUNDS = 400, STEPS = 400 };

struct actor {
  struct probe probe;
  bool alive;     /* spawned, and its drop not yet run */
  bool owed;      /* a spawn or a wake has promised a poll */
  bool excused;   /* a join may poll it, too */
  bool timed;     /* it armed its timer */
  pillion_timer due;
  uint32_t flags; /* how it was started */
  int releases;   /* still to come */
  int which;      /* executor */
  struct actor *joined;
};

static struct actor actors[TASKS];
static pillion_executor executors[EXECUTORS];
static int depth, unreasonable, doubled;
static uint32_t seed;

static uint32_t dice(uint32_t sides) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % sides;
}

static struct actor *someone(void) { return &actors[dice(TASKS)]; }

static void release_actor(void *owner) {
  struct actor *a = owner;
  if (--a->releases < 0) doubled++;
}

static void act(void);
static int chaos_poll(struct probe *probe, pillion_value *out,
                      pillion_context *cx);

static void chaos_drop(struct probe *probe) {
  struct actor *a = probe->data;
  if (!a->alive) doubled++;
  a->alive = false;
  a->owed = a->excused = false;
  pillion_timer_clear(&probe->timer);
  if (depth < 3 && dice(3) == 0) act();
}

static void start_actor(struct actor *a, pillion_context *cx) {
  int which = a->which;
  if (cx == NULL) which = a->which = (int)dice(EXECUTORS);
  memset(&a->probe, 0, sizeof a->probe);
  a->probe.step = chaos_poll;
  a->probe.dropped = chaos_drop;
  a->probe.data = a;
  a->flags = dice(3);
  a->joined = NULL;
  a->timed = false;
  int rc = cx == NULL
               ? pillion_task_spawn(&a->probe.task, executors[which], &probing,
                                    &a->probe, (uint64_t)(a - actors), a->flags)
               : pillion_spawn(&a->probe.task, cx, &probing, &a->probe,
                               (uint64_t)(a - actors), a->flags);
  if (rc == 0) a->alive = a->owed = true;
}

static void act(void) {
  depth++;
  struct actor *a = someone();
  pillion_task task = a->probe.task;
  switch (dice(9)) {
    case 0:
    case 1:
      if (!a->alive && a->releases == 0) start_actor(a, NULL);
      break;
    case 2:
    case 3: {
      pillion_waker waker = waker_of(task);
      int rc = (dice(2) ? pillion_wake : pillion_wake_local)(waker);
      if (rc >= 0 && rc != PILLION_STALE && a->alive) a->owed = true;
      break;
    }
    case 4:
      if (pillion_task_cancel(task) >= 0 && a->alive) a->owed = true;
      break;
    case 5:
      if (dice(4) == 0) pillion_task_evict(task);
      break;
    case 6:
      if (pillion_task_detach(task) == 0) a->flags = PILLION_DETACH;
      break;
    case 7: { /* the timer may outlive the task */
      bool late = dice(2);
      int64_t at = late ? 0 : pillion__now() + dice(2000);
      if (pillion_task_deadline(&a->due, task, at) == 0 && late && a->alive)
        a->owed = true;
      break;
    }
    default:
      if (pillion__turning &&
          pillion_executor_turn(NULL, 0, NULL, executors[0], NULL) >= 0)
        unreasonable++;
  }
  depth--;
}

static int chaos_poll(struct probe *probe, pillion_value *out,
                      pillion_context *cx) {
  static const char far[64] = "far";
  struct actor *a = probe->data;
  bool fired = a->timed && probe->timer.prev == NULL;
  if (!a->owed && !a->excused && !fired) unreasonable++;
  if (fired) a->timed = false;
  /* A wake that is still in the inbox was for this poll and gives another. */
  struct pillion__cell *cell =
      pillion__cell_at(pillion__slot_of(probe->task));
  a->owed = (atomic_load(&cell->head.pend) & PILLION__PEND_QUEUED) != 0;
  a->excused = a->joined != NULL; /* the joined task may end below */
  for (uint32_t n = dice(3); n > 0; n--) act();
  if (a->joined != NULL) { /* it joins until it gets an answer */
    pillion_value value;
    int rc = pillion_join(&value, cx, a->joined->probe.task);
    if (rc == PILLION_PENDING) {
      a->excused = true;
      return PILLION_PENDING;
    }
    if (rc == PILLION_READY) pillion_value_drop(&value);
    a->joined = NULL;
  }
  switch (dice(10)) {
    case 0:
      pillion_value_set(out, "near", 4);
      return PILLION_READY;
    case 1:
      out->length = sizeof far;
      out->payload.ref.data = far;
      out->payload.ref.release = release_actor;
      out->payload.ref.owner = a;
      a->releases++;
      return PILLION_READY;
    case 2: return PILLION_EFAILED;
    case 3:
      pillion_timer_set(&probe->timer, cx, cx->now + (int)dice(2000) - 1000);
      a->timed = true;
      return PILLION_PENDING;
    case 4: {
      struct actor *b = someone();
      a->joined = b == a ? NULL : b;
      a->owed = true;
      pillion_wake_local(cx->waker);
      return PILLION_PENDING;
    }
    case 5: {
      struct actor *b = someone();
      if (!b->alive && b->releases == 0 && b != a) {
        b->which = a->which;
        start_actor(b, cx);
      }
      return PILLION_PENDING;
    }
    case 6:
      a->owed = true;
      pillion_wake_local(cx->waker);
      return PILLION_PENDING;
    default: return PILLION_PENDING;
  }
}

static void take_a_turn(pillion_executor ex) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 1 + dice(40);
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  int n = pillion_executor_turn(events, dice(20), &progress, ex, &budget);
  for (int i = 0; i < n; i++)
    if (events[i].length == 64 &&
        memcmp(pillion_event_data(&events[i]), "far", 4) != 0)
      unreasonable++;
}

TEST(any_order_of_anything) {
  for (uint32_t round = 0; round < ROUNDS; round++) {
    seed = 99991 * (round + 1);
    memset(actors, 0, sizeof actors);
    for (int i = 0; i < EXECUTORS; i++) executors[i] = executor_new();
    for (int step = 0; step < STEPS; step++) {
      for (uint32_t n = dice(4); n > 0; n--) act();
      take_a_turn(executors[dice(EXECUTORS)]);
    }
    /* Quiet means that no task is owed anything. It may take its time: tasks
       wake themselves and each other. */
    for (int i = 0; i < EXECUTORS; i++)
      if (dice(3) == 0) {
        for (int j = 0; j < TASKS; j++) {
          struct actor *a = &actors[j];
          bool there = a->alive && a->which == i;
          if (there && a->owed) assert_true(readable(executors[i]));
        }
      }
    for (int i = 0; i < EXECUTORS; i++) {
      if (dice(2)) { /* close first, or only free */
        assert_ok(pillion_executor_close(executors[i], PILLION_CLOSE_CANCEL));
        for (int n = 0; n < 1000; n++) {
          take_a_turn(executors[i]);
          if (progress.live == 0) break;
        }
        for (int j = 0; j < TASKS; j++)
          if (actors[j].which == i) assert_false(actors[j].alive);
      }
    }
    for (int i = 0; i < EXECUTORS; i++) executor_free(executors[i]);
    for (int j = 0; j < TASKS; j++) {
      assert_false(actors[j].alive);
      assert_int_equal(actors[j].releases, 0);
    }
    assert_int_equal(unreasonable, 0);
    assert_int_equal(doubled, 0);
  }
}
