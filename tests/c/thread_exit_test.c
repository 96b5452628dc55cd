/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads that end and leave their executors behind, with live C tasks and
 * suspended coroutines. The dying thread drops the tasks and ends the
 * coroutines. Afterwards any thread may free the executor.
 */
#include "support.h"

struct left {
  pillion_executor ex;
  pillion_function block, sleep, echo;
  struct probe probes[3];
  int turns, bad;
  int bind_only;
};

static int leave(void *arg) {
  struct left *left = arg;
  pillion_executor ex = left->ex;
  if (left->bind_only) return pillion_executor_bind(ex);
  for (int i = 0; i < 3; i++)
    left->bad |= pillion_task_spawn(&left->probes[i].task, ex, &probing,
                                    &left->probes[i], i, (uint32_t)i % 3);
  for (int i = 0; i < 5; i++) {
    left->bad |= pillion_call_submit(NULL, ex, left->block, "", 0, i,
                                     (uint32_t)i % 3);
    left->bad |= pillion_call_submit(NULL, ex, left->sleep, "3600000000000",
                                     13, i, (uint32_t)i % 3);
    left->bad |= pillion_call_submit(NULL, ex, left->echo, "x", 1, i,
                                     (uint32_t)i % 3);
  }
  for (int i = 0; i < left->turns; i++)
    left->bad |= pillion_executor_turn(NULL, 0, NULL, ex, NULL);
  return 0;
}

static void find(struct left *left) {
  memset(left, 0, sizeof *left);
  left->ex = executor_new();
  left->block = function("test.loop_block");
  left->sleep = function("test.loop_sleep");
  left->echo = function("test.echo");
}

static void leave_behind(int turns) {
  struct left left;
  find(&left);
  left.turns = turns;
  assert_ok(on_thread(leave, &left));
  assert_ok(left.bad);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(left.probes[i].drops, 1);
    assert_false(pthread_equal(left.probes[i].dropped_by, pthread_self()));
    if (turns > 0) assert_true(pillion_wake(left.probes[i].waker) >= 0);
  }
  executor_free(left.ex);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(left.probes[i].drops, 1);
    assert_int_equal(left.probes[i].polls, turns > 0);
    if (turns > 0)
      assert_int_equal(pillion_wake(left.probes[i].waker), PILLION_STALE);
  }
}

TEST(suspended_coroutines_end_with_their_thread) {
  leave_behind(3);
}

TEST(what_was_never_polled_ends_with_its_thread) {
  leave_behind(0);
}

TEST(many_threads_come_and_go) {
  for (int i = 0; i < 100; i++) leave_behind(i % 4);
}

TEST(an_empty_executor_outlives_its_thread) {
  struct left left;
  find(&left);
  left.bind_only = 1;
  assert_ok(on_thread(leave, &left));
  executor_free(left.ex);
}

struct owner {
  struct left left;
  pthread_barrier_t ready, done;
};

static int leave_later(void *arg) {
  struct owner *owner = arg;
  int rc = leave(&owner->left);
  pthread_barrier_wait(&owner->ready);
  pthread_barrier_wait(&owner->done);
  return rc;
}

TEST(only_when_the_thread_has_ended_may_another_free) {
  struct owner owner;
  pthread_t thread;
  struct on_thread job = {leave_later, &owner, -1};
  find(&owner.left);
  owner.left.turns = 3;
  assert_ok(pthread_barrier_init(&owner.ready, NULL, 2));
  assert_ok(pthread_barrier_init(&owner.done, NULL, 2));
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  pthread_barrier_wait(&owner.ready);
  assert_int_equal(pillion_executor_free(owner.left.ex),
                   PILLION_EWRONGTHREAD);
  assert_int_equal(owner.left.probes[0].drops, 0);
  pthread_barrier_wait(&owner.done);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(owner.left.bad);
  assert_int_equal(owner.left.probes[0].drops, 1);
  executor_free(owner.left.ex);
  pthread_barrier_destroy(&owner.ready);
  pthread_barrier_destroy(&owner.done);
}

static int submit_elsewhere(void *arg) {
  struct left *left = arg;
  return pillion_call_submit(NULL, left->ex, left->echo, "x", 1, 0,
                             PILLION_EVENT);
}

TEST(an_executor_left_behind_refuses_work) {
  struct left left;
  find(&left);
  left.turns = 2;
  assert_ok(on_thread(leave, &left));
  assert_int_equal(submit_elsewhere(&left), PILLION_ECLOSED);
  executor_free(left.ex);
}

/* A key of the program's. Its destructor runs before or after the library's. */
static pthread_key_t key;
static _Atomic int destroyed;

static void use_the_library(void *left) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_executor_stat(&stats, ((struct left *)left)->ex);
  pillion_wake(((struct left *)left)->probes[0].waker);
  destroyed++;
}

static int leave_with_key(void *arg) {
  pthread_setspecific(key, arg);
  return leave(arg);
}

TEST(destructors_of_the_program_may_still_call) {
  struct left left;
  assert_ok(pthread_key_create(&key, use_the_library));
  find(&left);
  left.turns = 3;
  assert_ok(on_thread(leave_with_key, &left));
  assert_int_equal(destroyed, 1);
  assert_int_equal(left.probes[0].drops, 1);
  executor_free(left.ex);
  assert_ok(pthread_key_delete(key));
}
