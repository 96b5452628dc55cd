/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes of a pool's tasks: the owner and its children run on any worker. */
#include "crowd_support.h"

#define WORKERS 3

/* ---- Workers ------------------------------------------------------------- */

static pillion_event end;
static pthread_t workers[WORKERS];
static pillion_executor home;

static pillion_task begin(struct crowd *owner) {
  pillion_task task;
  owner->count = CROWD;
  pool = pool_new();
  home = executor_new();
  for (int i = 0; i < WORKERS; i++) workers[i] = thread_start(works, &pool);
  assert_ok(pillion_pool_spawn(&task, pool, home, &crowding, owner, 7,
                               PILLION_EVENT));
  return task;
}

static void await_end(struct crowd *owner) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, home));
  while (turn(home) == 0)
    if (!progress.more) poll(&watched, 1, -1);
  end = events[0];
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
  executor_free(home);
  pool_free(pool);
  assert_int_equal(end.token, 7);
  assert_crowd_ended(owner);
}

/* ---- Tests --------------------------------------------------------------- */

TEST(children_end_on_any_worker) {
  for (int limit = 0; limit < 8; limit += 3) {
    static struct crowd owner;
    memset(&owner, 0, sizeof owner);
    owner.limit = limit;
    for (int i = 0; i < CROWD; i++) owner.member[i].ready_at = 1 + i % 5;
    begin(&owner);
    await_end(&owner);
    assert_int_equal(end.status, 0);
    assert_int_equal(owner.taken, CROWD);
    for (int i = 0; i < CROWD; i++)
      assert_int_equal(owner.member[i].polls, 1 + i % 5);
  }
}

TEST(error_cancels_the_others_on_their_workers) {
  static struct crowd owner;
  memset(&owner, 0, sizeof owner);
  owner.member[CROWD / 2].ready_at = 4;
  owner.member[CROWD / 2].error = -13;
  owner.member[CROWD / 2].until = &owner.all_spawned;
  begin(&owner);
  await_end(&owner);
  assert_int_equal(end.status, -13);
  assert_int_equal(owner.taken, CROWD);
  assert_ptr_equal(owner.scope.first, &owner.child[CROWD / 2]);
  assert_null(owner.scope.first->next_failed);
}

TEST(shielded_owner_passes_its_cancel_on) {
  static struct crowd owner;
  memset(&owner, 0, sizeof owner);
  owner.shield = 1;
  owner.limit = 10;
  pillion_task task = begin(&owner);
  while (!atomic_load(&owner.all_spawned)) sched_yield();
  assert_int_equal(pillion_task_cancel(task), 0);
  await_end(&owner);
  assert_int_equal(end.outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(end.status, 0); /* it has cancelled them itself */
  assert_int_equal(owner.taken, CROWD);
}
