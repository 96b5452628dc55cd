/* SPDX-License-Identifier: Apache-2.0 */

/* Threads that end while their executors live. */
#include "pillion/watch.h"
#include "support.h"

struct owner {
  pillion_executor ex;
  struct probe probes[4];
  pthread_t thread;
  _Atomic int step;
  int rc;
};

static pthread_t dropped_on[8];
static int dropped_count, codes[4];

static void notes_the_thread(struct probe *probe) {
  dropped_on[dropped_count++] = pthread_self();
}

static void *spawns_and_ends(void *data) {
  struct owner *owner = data;
  owner->thread = pthread_self();
  for (int i = 0; i < 4; i++) {
    owner->probes[i].dropped = notes_the_thread;
    owner->probes[i].ready_at = i == 3;
    owner->probes[i].executor = owner->ex;
    owner->rc |= pillion_task_spawn(
        &owner->probes[i].task, owner->ex, &probing, &owner->probes[i],
        (uint64_t)i, i == 2 ? PILLION_DETACH : PILLION_EVENT);
    if (i == 0) {
      pillion_executor_turn(NULL, 0, NULL, owner->ex, NULL);
      pillion_executor_turn(NULL, 0, NULL, owner->ex, NULL);
    }
  }
  return NULL;
}

TEST(drops_run_in_the_exit_hook_of_the_owner) {
  struct owner owner = {.ex = executor_new()};
  dropped_count = 0;
  on_thread(spawns_and_ends, &owner);
  assert_ok(owner.rc);
  assert_int_equal(dropped_count, 4);
  for (int i = 0; i < 4; i++) {
    assert_true(pthread_equal(dropped_on[i], owner.thread));
    assert_int_equal(owner.probes[i].drops, 1);
  }
  assert_int_equal(pillion_wake(waker_of(owner.probes[1].task)) >= 0, 1);

  /* The next owner will find the tasks' ends and the close. */
  assert_true(readable(owner.ex));
  struct probe late = {0};
  assert_int_equal(pillion_task_spawn(NULL, owner.ex, &probing, &late, 0, 0),
                   PILLION_ECLOSED);
  assert_int_equal(turn(owner.ex), 3);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(events[1].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(progress.live, 0);
  executor_free(owner.ex);
}

static void *waits_and_ends(void *data) {
  struct owner *owner = data;
  pillion_task_spawn(NULL, owner->ex, &probing, &owner->probes[0], 7,
                     PILLION_EVENT);
  pillion_executor_turn(NULL, 0, NULL, owner->ex, NULL);
  owner->rc = readable(owner->ex);
  return NULL;
}

TEST(end_of_a_thread_makes_the_descriptor_readable) {
  struct owner owner = {.ex = executor_new()};
  on_thread(waits_and_ends, &owner);
  assert_int_equal(owner.rc, 0);
  assert_true(readable(owner.ex)); /* for the end of its task */
  assert_int_equal(turn(owner.ex), 1);
  assert_int_equal(events[0].token, 7);
  assert_false(readable(owner.ex));
  executor_free(owner.ex);
}

TEST(executor_of_an_ended_thread_is_freed_elsewhere) {
  struct owner owner = {.ex = executor_new()};
  dropped_count = 0;
  on_thread(spawns_and_ends, &owner);
  executor_free(owner.ex);
  assert_int_equal(dropped_count, 4);
}

static void calls_everything(struct probe *probe) {
  codes[0] = pillion_executor_turn(NULL, 0, NULL, probe->executor, NULL);
  codes[1] = pillion_executor_free(probe->executor);
  codes[2] = pillion_task_spawn(NULL, probe->executor, &probing, probe, 0, 0);
  codes[3] = pillion_wake_local(probe->waker);
}

static void *spawns_one(void *data) {
  struct owner *owner = data;
  owner->probes[0].dropped = calls_everything;
  owner->probes[0].executor = owner->ex;
  pillion_task_spawn(NULL, owner->ex, &probing, &owner->probes[0], 0,
                     PILLION_DETACH);
  pillion_executor_turn(NULL, 0, NULL, owner->ex, NULL);
  return NULL;
}

TEST(drops_in_the_exit_hook_are_inside_a_turn) {
  struct owner owner = {.ex = executor_new()};
  on_thread(spawns_one, &owner);
  assert_int_equal(owner.probes[0].drops, 1);
  assert_int_equal(codes[0], PILLION_EREENTRANT);
  assert_int_equal(codes[1], PILLION_EREENTRANT);
  assert_int_equal(codes[2], PILLION_ECLOSED);
  assert_true(codes[3] >= 0);
  executor_free(owner.ex);
}

static void stands_still(struct probe *probe) {
  struct owner *owner = probe->data;
  atomic_store(&owner->step, 1);
  while (atomic_load(&owner->step) < 2) sched_yield();
}

static void *spawns_a_slow_one(void *data) {
  struct owner *owner = data;
  owner->probes[0].dropped = stands_still;
  owner->probes[0].data = owner;
  pillion_task_spawn(NULL, owner->ex, &probing, &owner->probes[0], 0,
                     PILLION_DETACH);
  return NULL;
}

static void *lets_go(void *data) {
  struct owner *owner = data;
  for (int i = 0; i < 1000; i++) sched_yield();
  atomic_store(&owner->step, 2);
  return NULL;
}

/* The counts don't have the task any more, but its drop still runs. */
TEST(free_waits_for_an_exit_hook) {
  struct owner owner = {.ex = executor_new()};
  pthread_t leaving = thread_start(spawns_a_slow_one, &owner);
  while (atomic_load(&owner.step) < 1) sched_yield();
  assert_int_equal(pillion_executor_free(owner.ex), PILLION_EWRONGTHREAD);
  pthread_t helper = thread_start(lets_go, &owner);
  int rc;
  while ((rc = pillion_executor_free(owner.ex)) == PILLION_EWRONGTHREAD)
    sched_yield();
  assert_ok(rc);
  assert_int_equal(owner.probes[0].drops, 1);
  pthread_join(leaving, NULL);
  pthread_join(helper, NULL);
}

static void *owns_many(void *data) {
  struct owner *owners = data;
  for (int i = 0; i < 8; i++) spawns_one(&owners[i]);
  return NULL;
}

TEST(all_executors_of_a_thread_are_given_up) {
  struct owner owners[8];
  memset(owners, 0, sizeof owners);
  for (int i = 0; i < 8; i++) owners[i].ex = executor_new();
  on_thread(owns_many, owners);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(owners[i].probes[0].drops, 1);
    assert_ok(pillion_executor_bind(owners[i].ex));
    executor_free(owners[i].ex);
  }
}

TEST(released_executor_survives_its_thread) {
  struct owner owner = {.ex = executor_new()};
  struct probe probe = {0};
  spawn(owner.ex, &probe, 0, PILLION_DETACH);
  assert_ok(pillion_executor_release(owner.ex));
  on_thread(spawns_one, &owner); /* that thread owns it, and ends */
  assert_int_equal(probe.drops, 1);
  executor_free(owner.ex);
}

static pthread_key_t late_key;

static void comes_late(void *data) {
  struct owner *owner = data;
  if (atomic_fetch_add(&owner->step, 1) == 0) {
    pthread_setspecific(late_key, owner); /* it runs again, after all others */
    return;
  }
  owner->rc = pillion_executor_new(&owner->ex, NULL, NULL, 0);
  if (owner->rc == 0) spawns_one(owner);
}

static void *ends_late(void *data) {
  struct owner *owner = data; /* the first hook drops its tasks */
  if (pillion_executor_bind(owner->ex) < 0) return NULL;
  pthread_setspecific(late_key, data);
  return NULL;
}

/* A destructor that runs after the library's may make an executor: that is
   abandoned in turn. */
TEST(executor_made_by_a_later_destructor) {
  struct owner owner = {.ex = executor_new()};
  pillion_executor first = owner.ex;
  assert_ok(pthread_key_create(&late_key, comes_late));
  on_thread(ends_late, &owner);
  assert_int_not_equal(owner.ex, first);
  executor_free(first);
  assert_ok(owner.rc);
  assert_int_equal(owner.probes[0].drops, 1);
  executor_free(owner.ex);
  pthread_key_delete(late_key);
}

/* ---- Threads that are cancelled ------------------------------------------ */

struct cancelled {
  struct owner *owner;
  pillion_function function;
  pillion_pool pool;
  int woken, submitted, returned;
};

static void *cancelled_and_wakes(void *data) {
  struct cancelled *c = data;
  pthread_cancel(pthread_self()); /* it stays pending until a cancellation point */
  c->woken = pillion_wake(waker_of(c->owner->probes[0].task));
  c->returned++;
  pthread_testcancel();
  return NULL;
}

/* write(2) is a cancellation point. The poke must not be lost in it, since free
   would wait for the poker. */
TEST(wake_of_a_cancelled_thread) {
  struct owner owner = {.ex = executor_new()};
  struct cancelled c = {.owner = &owner, .woken = -1};
  assert_ok(pillion_task_spawn(&owner.probes[0].task, owner.ex, &probing,
                               &owner.probes[0], 0, PILLION_DETACH));
  turn(owner.ex);
  assert_false(readable(owner.ex));
  on_thread(cancelled_and_wakes, &c);
  assert_int_equal(c.returned, 1);
  assert_int_equal(c.woken, PILLION_WOKEN);
  assert_true(readable(owner.ex));
  turn(owner.ex);
  assert_int_equal(owner.probes[0].polls, 2);
  executor_free(owner.ex);
}

static void *cancelled_and_submits(void *data) {
  struct cancelled *c = data;
  pthread_cancel(pthread_self());
  c->submitted = pillion_call_submit(NULL, 0, c->function, "x", 1, 0, PILLION_DETACH);
  c->returned++;
  pthread_testcancel();
  return NULL;
}

/* Go sleeps, and only this submission wakes it. */
TEST(submission_of_a_cancelled_thread) {
  struct cancelled c = {.submitted = -1, .function = function("test.echo")};
  assert_int_equal(pillion__ring_sleep(), 1);
  on_thread(cancelled_and_submits, &c);
  assert_int_equal(c.returned, 1);
  assert_ok(c.submitted);
  assert_int_equal(atomic_load(pillion__ring_asleep()), 0);
  struct pollfd ring = {pillion__ring_fd(), POLLIN, 0};
  assert_int_equal(poll(&ring, 1, 0), 1);
  assert_int_equal(pillion__ring_take(jobs, 1), 1);
  assert_true(job_take_up(&jobs[0]));
  job_return(&jobs[0], NULL, 0);
}

static void *cancelled_and_turns(void *data) {
  struct cancelled *c = data;
  pthread_cancel(pthread_self());
  c->woken = pillion_executor_turn(NULL, 0, NULL, c->owner->ex, NULL);
  c->returned++;
  pthread_testcancel();
  return NULL;
}

/* A turn's read(2) is a cancellation point: the thread ends after the turn. */
TEST(turn_of_a_cancelled_thread) {
  struct owner owner = {.ex = executor_new()};
  struct cancelled c = {.owner = &owner, .woken = -1};
  assert_ok(pillion_task_spawn(&owner.probes[0].task, owner.ex, &probing,
                               &owner.probes[0], 0, PILLION_DETACH));
  assert_ok(pillion_executor_release(owner.ex));
  on_thread(cancelled_and_turns, &c);
  assert_int_equal(c.returned, 1);
  assert_int_equal(c.woken, 0);
  assert_int_equal(owner.probes[0].polls, 1);
  assert_int_equal(owner.probes[0].drops, 1); /* by the exit hook */
  executor_free(owner.ex);
}

static void *cancelled_and_starts_and_stops(void *data) {
  struct cancelled *c = data;
  pillion_pool pool = 0;
  c->woken = pillion_pool_new(&pool, NULL, NULL, 0);
  pthread_cancel(pthread_self());
  c->woken |= pillion_pool_start(pool, 2);
  c->returned++;
  c->submitted = pillion_shutdown(PILLION_CLOSE_DRAIN, MS); /* a call runs */
  c->returned++;
  c->woken |= pillion_executor_free(c->owner->ex);
  c->returned++;
  c->pool = pool;
  pthread_testcancel();
  return NULL;
}

/* Each call ends as without a cancel: no lock, phase or executor stays. */
TEST(start_and_stop_of_a_cancelled_thread) {
  struct owner owner = {.ex = executor_new()};
  struct cancelled c = {.owner = &owner};
  assert_ok(pillion_call_submit(NULL, 0, function("test.echo"), "x", 1, 0,
                                PILLION_DETACH));
  assert_int_equal(pillion__ring_take(jobs, 1), 1);
  assert_true(job_take_up(&jobs[0]));
  on_thread(cancelled_and_starts_and_stops, &c);
  assert_int_equal(c.returned, 3);
  assert_ok(c.woken);
  assert_int_equal(c.submitted, PILLION_ETIMEDOUT);
  job_return(&jobs[0], NULL, 0);
  assert_ok(pillion_start(NULL, NULL, 0)); /* calls are taken again */
  assert_ok(pillion_pool_stop(c.pool, 60 * SECOND));
  assert_ok(pillion_pool_free(c.pool));
}

static void *cancelled_and_closes(void *data) {
  struct cancelled *c = data;
  pillion_watch watch = 0;
  c->woken = pillion_executor_bind(c->owner->ex);
  c->woken |= pillion_watch_open(&watch, c->owner->ex, c->submitted,
                                 PILLION_WATCH_OWN);
  pthread_cancel(pthread_self());
  c->woken |= pillion_watch_close(watch);
  c->returned++;
  pthread_testcancel();
  return NULL;
}

/* close(2) is a cancellation point. The descriptor must not stay open, and the
   host must hear of the close. */
TEST(close_of_a_cancelled_thread) {
  int ends[2];
  struct owner owner = {.ex = executor_new()};
  assert_ok(pipe(ends));
  struct cancelled c = {.owner = &owner, .submitted = ends[0]};
  assert_ok(pillion_executor_release(owner.ex));
  on_thread(cancelled_and_closes, &c);
  assert_int_equal(c.returned, 1);
  assert_ok(c.woken);
  assert_int_equal(close(ends[0]), -1);
  assert_int_equal(errno, EBADF);
  assert_ok(close(ends[1]));
  executor_free(owner.ex);
}
