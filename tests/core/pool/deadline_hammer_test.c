/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Children of a pool's tasks end, a thread cancels them, and their deadlines
 * come, all at the same time and on any worker: each child has exactly one end,
 * and its parent learns which.
 */
#include "support.h"

enum { PARENTS = 100, ROUNDS = 200, WORKERS = 3 };

struct parent;

struct child {
  struct parent *parent;
  int polls;
  _Atomic int drops;
};

struct parent {
  struct child child;
  pillion_task task; /* the child's */
  pillion_timer deadline;
  pillion_value value;
  int number, round, state;
};

static struct parent parents[PARENTS];
static _Atomic pillion_task tasks[PARENTS];
static _Atomic int ended[3], wrong, over, left;

static int child_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct child *c = self;
  int round = c->parent->round;
  if (c->polls++ == 0 && round % 5 == 0) pillion_shield(cx, 1);
  if (c->polls == 3 && round % 5 == 0) pillion_shield(cx, 0);
  if (round % 3 > 0) cx->ops->wake(cx->waker);
  if (round % 3 == 1 && c->polls == 4) {
    pillion_value_set(out, "", 0);
    return PILLION_READY;
  }
  return PILLION_PENDING;
}

static void child_drop(void *self) { ((struct child *)self)->drops++; }

static const pillion_future child_future = {sizeof child_future, child_poll,
                                            child_drop};

static void count(struct parent *p) {
  if (p->child.drops != 1) wrong = 1;
  switch (p->value.status) {
    case 0: ended[0]++; break;
    case PILLION_ECANCELLED: ended[1]++; break;
    case PILLION_ETIMEDOUT: ended[2]++; break;
    default: wrong = 1;
  }
}

static int parent_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct parent *p = self;
  PILLION_ASYNC(p->state);
  for (p->round = 0; p->round < ROUNDS; p->round++) {
    p->child = (struct child){.parent = p};
    if (pillion_spawn(&p->task, cx, &child_future, &p->child, 0,
                      PILLION_JOIN) < 0)
      wrong = 1;
    atomic_store(&tasks[p->number], p->task);
    int rc = pillion_task_deadline(&p->deadline, p->task,
                                   cx->now + p->round % 7 * 5000);
    if (rc != 0 && rc != 2) wrong = 1;
    PILLION_AWAIT(p->state, pillion_join(&p->value, cx, p->task));
    pillion_timer_clear(&p->deadline);
    count(p);
  }
  pillion_value_set(out, "", 0);
  PILLION_RETURN(p->state);
  PILLION_ASYNC_END;
}

static void parent_drop(void *self) {
  left--;
}

static const pillion_future parent_future = {sizeof parent_future,
                                             parent_poll, parent_drop};

static void *cancels(void *data) {
  uint32_t at = 7;
  while (!over) {
    at = at * 1664525u + 1013904223u;
    pillion_task task = atomic_load(&tasks[(at >> 8) % PARENTS]);
    pillion_wake(waker_of(task));
    if (at >> 30 == 0) pillion_task_cancel(task);
    if (at >> 28 == 0) sched_yield();
  }
  return NULL;
}

TEST(each_child_has_one_end) {
  pthread_t threads[WORKERS + 1];
  pool = pool_new();
  left = PARENTS;
  for (int i = 0; i < PARENTS; i++) {
    parents[i].number = i;
    assert_ok(pillion_pool_spawn(NULL, pool, 0, &parent_future, &parents[i],
                                 0, PILLION_DETACH));
  }
  for (int i = 0; i < WORKERS; i++) threads[i] = thread_start(works, &pool);
  threads[WORKERS] = thread_start(cancels, NULL);
  while (left > 0) sched_yield();
  over = 1;
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i <= WORKERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(wrong, 0);
  assert_int_equal(ended[0] + ended[1] + ended[2], PARENTS * ROUNDS);
  pool_free(pool);
}
