/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls without an executor that are joined by tasks, of pools and of
 * executors: who gets the result, who is told otherwise, and who is woken.
 */
#include "support.h"

static pillion_task submit(uint32_t flags) {
  pillion_task task = 0;
  assert_ok(pillion_call_submit(&task, 0, function("test.echo"), "ping", 4, 7,
                                flags));
  return task;
}

static void run_one(void) {
  struct pillion__job job = take_one();
  job_echo(&job);
}

static void abandons(struct probe *probe) {
  probe->state = pillion_abandon(&pillion__pool_ops, probe->task);
}


static void free_calls(void) {
  if (!test_passed) return;
  executor_free(ex);
  pillion__ring_take(jobs, COUNT(jobs)); /* the cancels */
}

static void a_worker_with_calls(void) {
  a_worker();
  afterwards(free_calls);
}

/* A task of the pool's, or one of the executor's own. */
static void start(struct probe *probe, bool local) {
  if (local)
    assert_ok(pillion_task_spawn(NULL, ex, &probing, probe, 0,
                                 PILLION_DETACH));
  else
    pool_spawn_as(pool, probe);
}

GIVEN(a_worker_with_calls, joined_before_and_after_the_end) {
  for (int local = 0; local < 2; local++) {
    struct probe early = {.step = joins_task, .task = submit(PILLION_JOIN)};
    start(&early, local);
    turn(ex);
    assert_int_equal(early.rc, PILLION_PENDING);
    assert_false(readable(ex));
    run_one();
    assert_true(readable(ex));
    turn(ex);
    assert_int_equal(early.polls, 2);
    assert_int_equal(early.rc, PILLION_READY);
    assert_memory_equal(early.value.payload.bytes, "ping", 4);
    assert_int_equal(library_counts().calls, 0);
    struct probe late = {.step = joins_task, .task = submit(PILLION_JOIN)};
    run_one();
    start(&late, local);
    turn(ex);
    assert_int_equal(late.polls, 1);
    assert_int_equal(late.rc, PILLION_READY);
    start(&late, local); /* the result was given away */
    turn(ex);
    assert_int_equal(late.rc, PILLION_EBADHANDLE);
  }
}

GIVEN(a_worker_with_calls, there_is_one_taker) {
  pillion_value value;
  struct probe first = {.step = joins_task, .task = submit(PILLION_JOIN)};
  struct probe second = {.step = joins_task, .task = first.task};
  struct probe third = second;
  start(&first, false);
  turn(ex);
  start(&second, false);
  start(&third, true);
  turn(ex);
  assert_int_equal(first.rc, PILLION_PENDING);
  assert_int_equal(second.rc, PILLION_EBUSY);
  assert_int_equal(third.rc, PILLION_EBUSY);
  assert_int_equal(pillion_task_wait(&value, first.task, 0), PILLION_EBUSY);
  run_one();
  turn(ex);
  assert_int_equal(first.rc, PILLION_READY);
}

/* Without PILLION_JOIN a call can't be joined, before its end or after. */
GIVEN(a_worker_with_calls, call_that_was_not_started_to_be_joined) {
  pillion_value value;
  for (int local = 0; local < 2; local++) {
    struct probe early = {.step = joins_task, .task = submit(PILLION_EVENT)};
    struct probe late = {.step = joins_task, .task = early.task};
    start(&early, local);
    turn(ex);
    assert_int_equal(early.rc, PILLION_EINVAL);
    run_one();
    start(&late, local);
    turn(ex);
    assert_int_equal(late.rc, PILLION_EINVAL);
    assert_ok(pillion_task_wait(&value, late.task, 0));
    assert_memory_equal(value.payload.bytes, "ping", 4);
  }
}

static void *waits(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_task_wait(&probe->value, probe->task,
                                PILLION_TIME_NEVER);
  return NULL;
}

GIVEN(a_worker_with_calls, thread_that_waits_keeps_tasks_out) {
  struct probe waiter = {.task = submit(PILLION_JOIN)};
  struct probe joiner = {.step = joins_task, .task = waiter.task};
  struct pillion__call *call = pillion__call_at(pillion__slot_of(waiter.task));
  pthread_t thread = thread_start(waits, &waiter);
  while (!(atomic_load(&call->state) & PILLION__CALL_WAITED)) sched_yield();
  start(&joiner, false);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_EBUSY);
  run_one();
  pthread_join(thread, NULL);
  assert_ok(waiter.rc);
}

GIVEN(a_worker_with_calls, dead_joiner_leaves_the_call_to_another) {
  for (int local = 0; local < 2; local++) {
    struct probe dead = {.step = joins_task, .task = submit(PILLION_JOIN)};
    struct probe next = {.step = joins_task, .task = dead.task};
    pillion_task task;
    assert_ok(pillion_pool_spawn(&task, pool, 0, &probing, &dead, 0,
                                 PILLION_DETACH));
    turn(ex);
    assert_int_equal(dead.rc, PILLION_PENDING);
    pillion_task_cancel(task);
    turn(ex);
    assert_int_equal(dead.drops, 1);
    start(&next, local);
    turn(ex);
    assert_int_equal(next.rc, PILLION_PENDING);
    run_one();
    turn(ex);
    assert_int_equal(next.rc, PILLION_READY);
  }
}

GIVEN(a_worker_with_calls, abandoned_by_the_drop_of_its_joiner) {
  for (int running = 0; running < 2; running++) {
    struct probe probe = {.step = joins_task, .dropped = abandons,
                          .task = submit(PILLION_JOIN)};
    pillion_task task;
    assert_ok(pillion_pool_spawn(&task, pool, 0, &probing, &probe, 0,
                                 PILLION_DETACH));
    turn(ex);
    struct pillion__job job = {0};
    if (running) job = take_one();
    pillion_task_cancel(task);
    turn(ex);
    assert_int_equal(probe.drops, 1);
    assert_ok(probe.state);
    assert_int_equal(library_counts().calls, running);
    if (running) job_echo(&job);
    pillion__ring_take(jobs, COUNT(jobs));
    assert_int_equal(library_counts().calls, 0);
    assert_int_equal(progress.live, 0);
  }
}

static void *detaches(void *data) {
  struct probe *probe = data;
  probe->state = pillion_task_detach(probe->task);
  return NULL;
}

GIVEN(a_worker_with_calls, detach_elsewhere_tells_the_joiner) {
  for (int local = 0; local < 2; local++) {
    struct probe probe = {.step = joins_task, .task = submit(PILLION_JOIN)};
    start(&probe, local);
    turn(ex);
    on_thread(detaches, &probe);
    assert_ok(probe.state);
    turn(ex);
    assert_int_equal(probe.polls, 2);
    assert_int_equal(probe.rc, PILLION_EBADHANDLE);
    run_one();
  }
}

GIVEN(a_worker_with_calls, cancel_before_it_began_wakes_the_joiner) {
  struct probe probe = {.step = joins_task, .task = submit(PILLION_JOIN)};
  start(&probe, false);
  turn(ex);
  assert_ok(pillion_task_cancel(probe.task));
  turn(ex);
  assert_int_equal(probe.rc, PILLION_READY);
  assert_int_equal(probe.value.status, PILLION_ECANCELLED);
}

GIVEN(a_worker_with_calls, what_may_not_be_joined) {
  pillion_value value;
  pillion_executor other = executor_new();
  pillion_task owned;
  struct probe probe = {.step = joins_task, .task = submit(PILLION_EVENT)};
  start(&probe, false);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EINVAL); /* a thread may wait for it */
  run_one();
  assert_ok(pillion_task_wait(&value, probe.task, 0));
  probe.task = submit(PILLION_DETACH);
  start(&probe, false);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EBADHANDLE);
  run_one();
  assert_ok(pillion_call_submit(&owned, other, function("test.echo"), "", 0, 0,
                                PILLION_JOIN));
  probe.task = owned;
  start(&probe, false);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  start(&probe, true);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  executor_free(other);
}

/* ---- On several workers -------------------------------------------------- */

enum { ASKERS = 100, ROUNDS = 100, WORKERS = 2 };

struct asker {
  pillion_task call;
  pillion_value value;
  int number, round, rc, state;
};

static struct asker askers[ASKERS];
static _Atomic pillion_task calls[ASKERS];
static _Atomic int answered, cancelled, given_up, wrong, left, over;

static int await_call(struct asker *a, pillion_context *cx) {
  a->rc = pillion_join(&a->value, cx, a->call);
  return a->rc == PILLION_PENDING ? PILLION_PENDING : PILLION_READY;
}

/* Abandons some of its calls at once. It has joined some of those. */
static int asker_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct asker *a = self;
  PILLION_ASYNC(a->state);
  for (a->round = 0; a->round < ROUNDS; a->round++) {
    do a->rc = pillion_call_submit(&a->call, 0, function("test.echo"), "ping",
                                   4, 0, PILLION_JOIN);
    while (a->rc == PILLION_EAGAIN);
    if (a->rc < 0) wrong = 1;
    atomic_store(&calls[a->number], a->call);
    if (a->round % 8 == 7) {
      if (a->round % 16 == 7) await_call(a, cx);
      if (a->rc != PILLION_READY) pillion_abandon(cx->ops, a->call);
      given_up++;
      continue;
    }
    PILLION_AWAIT(a->state, await_call(a, cx));
    if (a->rc != PILLION_READY)
      wrong = 1;
    else if (a->value.status == PILLION_ECANCELLED)
      cancelled++;
    else if (a->value.status == 0 && a->value.length == 4)
      answered++;
    else
      wrong = 1;
  }
  pillion_value_set(out, "", 0);
  PILLION_RETURN(a->state);
  PILLION_ASYNC_END;
}

static void asker_drop(void *self) {
  left--;
}

static const pillion_future asking = {sizeof asking, asker_poll, asker_drop};

static void *cancels(void *data) {
  uint32_t at = 7;
  while (!over) {
    at = at * 1664525u + 1013904223u;
    pillion_task_cancel(atomic_load(&calls[(at >> 8) % ASKERS]));
    sched_yield();
  }
  return NULL;
}

TEST(each_call_is_had_once) {
  pthread_t threads[WORKERS + 1];
  pool = pool_new();
  left = ASKERS;
  guest_dispatch();
  for (int i = 0; i < ASKERS; i++) {
    askers[i].number = i;
    assert_ok(pillion_pool_spawn(NULL, pool, 0, &asking, &askers[i], 0,
                                 PILLION_DETACH));
  }
  for (int i = 0; i < WORKERS; i++) threads[i] = thread_start(works, &pool);
  threads[WORKERS] = thread_start(cancels, NULL);
  while (left > 0) sched_yield();
  over = 1;
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i <= WORKERS; i++) pthread_join(threads[i], NULL);
  pool_free(pool);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER));
  assert_int_equal(wrong, 0);
  assert_int_equal(answered + cancelled + given_up, ASKERS * ROUNDS);
  assert_int_equal(given_up, ASKERS * (ROUNDS / 8));
}
