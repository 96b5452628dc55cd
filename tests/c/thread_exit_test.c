/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads that end and leave their executors behind, with C tasks alive and
 * coroutines suspended. Their ends run on the dying thread; afterwards the
 * executor may be freed anywhere.
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
    left->bad |= pillion_task_spawn(&left->probes[i].task, ex, &probe_future,
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
  left->ex = new_executor();
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
  assert_ok(pillion_executor_free(left.ex));
  for (int i = 0; i < 3; i++) {
    assert_int_equal(left.probes[i].drops, 1);
    assert_int_equal(left.probes[i].polls, turns > 0);
    if (turns > 0)
      assert_int_equal(pillion_wake(left.probes[i].waker), PILLION_STALE);
  }
}

static void suspended_coroutines_end_with_their_thread(void **state) {
  (void)state;
  leave_behind(3);
}

static void what_was_never_polled_ends_with_its_thread(void **state) {
  (void)state;
  leave_behind(0);
}

static void many_threads_come_and_go(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) leave_behind(i % 4);
}

static void an_empty_executor_outlives_its_thread(void **state) {
  (void)state;
  struct left left;
  find(&left);
  left.bind_only = 1;
  assert_ok(on_thread(leave, &left));
  assert_ok(pillion_executor_free(left.ex));
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

static void only_when_the_thread_has_ended_may_another_free(void **state) {
  (void)state;
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
  assert_ok(pillion_executor_free(owner.left.ex));
  pthread_barrier_destroy(&owner.ready);
  pthread_barrier_destroy(&owner.done);
}

static int submit_elsewhere(void *arg) {
  struct left *left = arg;
  return pillion_call_submit(NULL, left->ex, left->echo, "x", 1, 0,
                             PILLION_EVENT);
}

static void an_executor_left_behind_refuses_work(void **state) {
  (void)state;
  struct left left;
  find(&left);
  left.turns = 2;
  assert_ok(on_thread(leave, &left));
  assert_int_equal(submit_elsewhere(&left), PILLION_ECLOSED);
  assert_ok(pillion_executor_free(left.ex));
}

/* pthread keys of the program, whose destructors come before or after. */
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

static void destructors_of_the_program_may_still_call(void **state) {
  (void)state;
  struct left left;
  assert_ok(pthread_key_create(&key, use_the_library));
  find(&left);
  left.turns = 3;
  assert_ok(on_thread(leave_with_key, &left));
  assert_int_equal(destroyed, 1);
  assert_int_equal(left.probes[0].drops, 1);
  assert_ok(pillion_executor_free(left.ex));
  assert_ok(pthread_key_delete(key));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(suspended_coroutines_end_with_their_thread),
      cmocka_unit_test(what_was_never_polled_ends_with_its_thread),
      cmocka_unit_test(many_threads_come_and_go),
      cmocka_unit_test(an_empty_executor_outlives_its_thread),
      cmocka_unit_test(only_when_the_thread_has_ended_may_another_free),
      cmocka_unit_test(an_executor_left_behind_refuses_work),
      cmocka_unit_test(destructors_of_the_program_may_still_call),
  };
  return run_group(tests);
}
