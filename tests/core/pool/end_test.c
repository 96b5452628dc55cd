/* SPDX-License-Identifier: Apache-2.0 */

/* A pool's task tells its end by an event at home, or to a joiner. */
#include "support.h"

TEST(end_is_an_event_at_home) {
  struct probe probe = {.ready_at = 1};
  pillion_pool pool = pool_new();
  pillion_executor worker = executor_new(), home = executor_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  pillion_task task = pool_spawn(pool, home, &probe, 77, PILLION_EVENT);
  assert_int_equal(turn(home), 0);
  assert_int_equal(progress.live, 1);
  assert_int_equal(turn(worker), 0);
  assert_int_equal(pillion_task_cancel(task), 2);
  assert_true(readable(home));
  assert_int_equal(turn(home), 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(events[0].token, 77);
  assert_int_equal(events[0].task, task);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_memory_equal(pillion_event_data(&events[0]), "done", 4);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  executor_free(worker);
  executor_free(home);
  pool_free(pool);
}

GIVEN(a_worker, home_may_be_the_worker_itself) {
  struct probe probe = {.ready_at = 1};
  pool_spawn(pool, ex, &probe, 5, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 5);
  assert_int_equal(progress.live, 0);
}

TEST(home_that_was_freed_forgoes_the_event) {
  struct probe probes[3] = {{.ready_at = 2}, {.ready_at = 1}, {.ready_at = 1}};
  pillion_pool pool = pool_new();
  pillion_executor worker = executor_new(), home = executor_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  for (int i = 0; i < 3; i++)
    pool_spawn(pool, home, &probes[i], 1, PILLION_EVENT);
  turn(worker); /* two events stand in home's inbox */
  executor_free(home);
  assert_int_equal(
      pillion_pool_spawn(NULL, pool, home, &probing, &probes[0], 1,
                         PILLION_EVENT),
      PILLION_EBADHANDLE);
  home = executor_new(); /* in the same place */
  pillion_wake(probes[0].waker);
  turn(worker);
  assert_int_equal(progress.live, 0);
  assert_int_equal(turn(home), 0);
  assert_int_equal(probes[0].drops, 1);
  executor_free(worker);
  executor_free(home);
  pool_free(pool);
}

/* ---- Payloads elsewhere -------------------------------------------------- */

/* As with a local task, a taken event keeps no loop running. */
GIVEN(a_worker, lent_payload_keeps_no_loop) {
  struct probe probe = {.step = returns_far};
  far_releases = 0;
  pool_spawn(pool, ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_ptr_equal(pillion_event_data(&events[0]), far_bytes);
  assert_int_equal(progress.live, 0);
  assert_int_equal(pool_stats(pool).live, 0);
  assert_int_equal(library_counts().tasks, 0);
  assert_int_equal(pillion_task_cancel(events[0].task), PILLION_EBADHANDLE);
  assert_false(readable(ex));
  assert_int_equal(far_releases, 0);
  turn(ex);
  assert_int_equal(far_releases, 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(pool_stats(pool).live, 0);
}

/* A worker releases the payload, or another thread does. */
TEST(last_event_ends_the_loops_of_other_workers) {
  struct probe probe = {.step = returns_far};
  pillion_pool pool = pool_new();
  pillion_executor worker = executor_new(), home = executor_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  pool_spawn(pool, home, &probe, 0, PILLION_EVENT);
  turn(worker);
  assert_int_equal(progress.live, 1);
  assert_false(readable(worker));
  assert_int_equal(turn(home), 1);
  assert_true(readable(worker));
  turn(worker);
  assert_int_equal(progress.live, 0);
  turn(home);
  assert_int_equal(pool_stats(pool).live, 0);
  assert_false(readable(worker));
  executor_free(worker);
  executor_free(home);
  pool_free(pool);
}

/* The handler of an event starts the next task, within a bound of one. */
TEST(successor_fits_in_the_bound_on_an_executor_and_on_a_pool) {
  pillion_executor_options of_home = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_pool_options of_pool = PILLION_POOL_OPTIONS_INIT;
  struct probe first[2] = {{.step = returns_far}, {.step = returns_far}},
               next[2] = {{.step = returns_far}, {.step = returns_far}},
               over = {0};
  pillion_pool pool;
  of_home.max_tasks = of_pool.max_tasks = 1;
  pillion_executor home = executor_with(&of_home), worker = executor_new();
  assert_ok(pillion_pool_new(&pool, &of_pool, NULL, 0));
  assert_ok(pillion_pool_join(pool, worker, 0));
  far_releases = 0;
  spawn(home, &first[0], 0, PILLION_EVENT);
  pool_spawn(pool, home, &first[1], 0, PILLION_EVENT);
  turn(worker);
  assert_int_equal(turn(home), 2);
  assert_int_equal(far_releases, 0);
  spawn(home, &next[0], 0, PILLION_EVENT);
  pool_spawn(pool, home, &next[1], 0, PILLION_EVENT);
  assert_int_equal(pillion_task_spawn(NULL, home, &probing, &over, 0, 0),
                   PILLION_EAGAIN);
  assert_int_equal(pillion_pool_spawn(NULL, pool, home, &probing, &over, 0, 0),
                   PILLION_EAGAIN);
  turn(worker);
  assert_int_equal(turn(home), 2);
  assert_int_equal(far_releases, 2);
  turn(home);
  assert_int_equal(far_releases, 4);
  executor_free(worker);
  executor_free(home);
  pool_free(pool);
}

/* The cells that lend go back last, or another pool would use them. */
GIVEN(an_executor, lent_payload_outlives_its_pool) {
  struct probe probe = {.step = returns_far}, later = {.ready_at = 1};
  pillion_executor worker = executor_new();
  pillion_pool pool = pool_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  far_releases = 0;
  pool_spawn(pool, ex, &probe, 0, PILLION_EVENT);
  turn(worker);
  assert_int_equal(turn(ex), 1);
  assert_ok(pillion_pool_leave(worker));
  pool_free(pool);
  assert_int_equal(library_counts().pools, 1);
  assert_int_equal(library_counts().tasks, 0);
  pool = pool_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  pool_spawn(pool, ex, &later, 0, PILLION_EVENT);
  turn(worker);
  assert_int_equal(far_releases, 0);
  assert_int_equal(library_counts().pools, 2);
  assert_int_equal(turn(ex), 1); /* of the later task; releases the first */
  assert_int_equal(far_releases, 1);
  assert_int_equal(library_counts().pools, 1);
  executor_free(worker);
  pool_free(pool);
}

/* A closed home lives on for no event that can't come. */
TEST(closing_home_takes_no_more_ends) {
  struct probe probe = {0}, child = {.ready_at = 1};
  pillion_pool pool = pool_new();
  pillion_executor worker = executor_new(), home = executor_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  assert_ok(pillion_executor_close(home, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_pool_spawn(NULL, pool, home, &probing, &probe, 1,
                                      PILLION_EVENT),
                   PILLION_ECLOSED);
  turn(worker);
  assert_int_equal(probe.polls + probe.drops, 0);
  assert_int_equal(pool_stats(pool).live, 0);
  assert_int_equal(turn(home), 0);
  assert_int_equal(progress.live, 0);
  pool_spawn(pool, home, &child, 1, PILLION_DETACH); /* tells no end */
  turn(worker);
  assert_int_equal(child.drops, 1);
  executor_free(worker);
  executor_free(home);
  pool_free(pool);
}

TEST(joined_by_a_local_task) {
  struct probe child = {.ready_at = 2}, joiner = {.step = joins_task};
  pillion_pool pool = pool_new();
  pillion_executor worker = executor_new(), other = executor_new();
  assert_ok(pillion_pool_join(pool, worker, 0));
  joiner.task = pool_spawn(pool, 0, &child, 0, PILLION_JOIN);
  assert_ok(pillion_task_spawn(NULL, other, &probing, &joiner, 0,
                               PILLION_DETACH));
  turn(other);
  turn(worker);
  turn(other);
  assert_int_equal(joiner.polls, 1);
  pillion_wake(child.waker);
  turn(worker);
  turn(other);
  assert_int_equal(joiner.polls, 2);
  assert_int_equal(joiner.rc, PILLION_READY);
  assert_memory_equal(joiner.value.payload.bytes, "done", 4);
  assert_int_equal(progress.live, 0);
  assert_int_equal(turn(worker), 0);
  assert_int_equal(progress.live, 0);
  executor_free(worker);
  executor_free(other);
  pool_free(pool);
}

GIVEN(a_worker, joined_by_a_task_of_the_pool) {
  struct probe child = {.ready_at = 2}, joiner = {.step = joins_task};
  joiner.task = pool_spawn(pool, 0, &child, 0, PILLION_JOIN);
  struct probe second = {.step = joins_task, .task = joiner.task};
  pool_spawn_as(pool, &joiner);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_PENDING);
  pool_spawn_as(pool, &second);
  turn(ex);
  assert_int_equal(second.rc, PILLION_EBUSY);
  pillion_wake(child.waker);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_READY);
  assert_int_equal(progress.live, 0);
}

GIVEN(a_worker, detached_while_joined) {
  struct probe child = {.ready_at = 2}, joiner = {.step = joins_task};
  pillion_task task = joiner.task =
      pool_spawn(pool, 0, &child, 0, PILLION_JOIN);
  pool_spawn_as(pool, &joiner);
  turn(ex);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(pillion_task_detach(task), PILLION_EBADHANDLE);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_EBADHANDLE);
  pillion_wake(child.waker);
  turn(ex);
  assert_int_equal(child.drops, 1);
  assert_int_equal(progress.live, 0);
}
