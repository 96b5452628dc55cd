/* SPDX-License-Identifier: Apache-2.0 */

/* C's half of Go's side of a pool. A guest plays Go. */
#include "support.h"

static uint32_t index_of_pool, base;
static struct { /* what the guest saw */
  uint32_t turns, pool, taken, leaves, frees;
  pillion_waker wakes; /* woken in its turn, after its look at the inbox */
} go;

static void take_wakes(void) {
  _Atomic uint32_t *inbox = pillion__guest_pool_inbox(index_of_pool);
  uint32_t found = atomic_exchange(inbox, 0);
  while (found != 0) {
    struct pillion__head *head = &pillion__cell_at(found - 1)->head;
    found = atomic_load(&head->link);
    atomic_store(&head->pend, 0);
    go.taken++;
  }
}

static void go_turn(struct pillion__guest_turn *t) {
  go.turns++;
  go.pool = t->pool;
  take_wakes();
  if (go.wakes != 0) assert_int_equal(pillion_wake(go.wakes), PILLION_WOKEN);
  go.wakes = 0;
  t->deadline = PILLION_TIME_NEVER;
}

static void go_leave(uint32_t index) {
  go.leaves++;
}

static void go_free(uint32_t index) {
  assert_int_equal(index, index_of_pool);
  go.frees++;
}

static pillion_waker waker(void) {
  return pillion__handle(PILLION__WAKER, base, pillion__first_gen());
}

static void free_all(void) {
  if (!test_passed) return;
  executor_free(one);
  executor_free(two);
  pool_free(pool);
  assert_int_equal(go.frees, 1);
  pillion__chunk_return(base);
}

static void two_workers_with_go(void) {
  void *cells;
  guest_install();
  pillion__guest.turn = go_turn;
  pillion__guest.leave = go_leave;
  pillion__guest.pool_free = go_free;
  memset(&go, 0, sizeof go);
  two_workers();
  index_of_pool = pillion__slot_of(pool);
  assert_int_equal(go.turns, 0);
  assert_int_equal(pillion__guest_pool_open(index_of_pool), 1);
  assert_true(readable(one) && readable(two));
  turn(one);
  turn(two);
  assert_int_equal(go.turns, 2);
  assert_int_equal(go.pool, index_of_pool + 1);
  assert_false(readable(one) || readable(two));
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__CHUNK_GUEST_POOL,
                                 index_of_pool));
  afterwards(free_all);
}

GIVEN(two_workers_with_go, late_joiner_enters_go_too) {
  pillion_executor three = executor_new();
  turn(three);
  assert_int_equal(go.turns, 2);
  assert_ok(pillion_pool_join(pool, three, 0));
  turn(three);
  assert_int_equal(go.turns, 3);
  assert_int_equal(go.pool, index_of_pool + 1);
  turn(three);
  assert_int_equal(go.turns, 3); /* no more work, no entry */
  assert_ok(pillion_pool_leave(three));
  assert_int_equal(go.leaves, 1);
  executor_free(three);
  assert_int_equal(go.leaves, 1);
}

GIVEN(two_workers_with_go, wake_pokes_one_idle_worker) {
  assert_int_equal(pillion_wake(waker()), PILLION_WOKEN);
  assert_int_equal(pillion_wake(waker()), PILLION_COALESCED);
  assert_int_equal(readable(one) + readable(two), 1);
  pillion_executor poked = readable(one) ? one : two;
  turn(poked);
  assert_int_equal(go.turns, 3);
  assert_int_equal(go.taken, 1);
  assert_false(readable(one) || readable(two));
}

GIVEN(two_workers_with_go, wake_in_the_turn_of_the_only_worker) {
  assert_ok(pillion_pool_leave(two));
  go.wakes = waker();
  pillion__guest_wake(pillion__slot_of(one));
  turn(one);
  assert_int_equal(go.taken, 0);
  assert_true(readable(one)); /* the wake came after the look */
  turn(one);
  assert_int_equal(go.taken, 1);
  assert_false(readable(one));
}

GIVEN(two_workers_with_go, leaving_worker_hands_its_poke_on) {
  assert_int_equal(pillion_wake(waker()), PILLION_WOKEN);
  pillion_executor poked = readable(one) ? one : two;
  pillion_executor other = readable(one) ? two : one;
  assert_ok(pillion_pool_leave(poked));
  assert_true(readable(other));
  turn(other);
  assert_int_equal(go.taken, 1);
}

/* The pool is gone. The next pool in its place forgets the wake. */
GIVEN(two_workers_with_go, late_wake_of_a_freed_pool_is_forgotten) {
  executor_free(one);
  executor_free(two);
  pool_free(pool);
  assert_int_equal(pillion_wake(waker()), PILLION_WOKEN);
  pool = pool_new();
  assert_int_equal(pillion__slot_of(pool), index_of_pool);
  assert_int_equal(atomic_load(&pillion__cell_at(base)->head.pend), 0);
  assert_int_equal(atomic_load(pillion__guest_pool_inbox(index_of_pool)), 0);
  one = executor_new();
  two = executor_new();
}

GIVEN(two_workers_with_go, calls_count_in_the_pool) {
  pillion_task task;
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function("test.loop");
  options.pool = pool;
  assert_ok(pillion_call_submit_with(&task, one, &options));
  assert_int_equal(pool_stats(pool).live, 1);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pool_stats(pool).live, 0);
  assert_ok(pillion_call_submit_with(&task, one, &options));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  assert_int_equal(pool_stats(pool).live, 0);
  assert_int_equal(pillion_call_submit_with(&task, one, &options),
                   PILLION_ECLOSED);
  options.function = function("test.echo");
  assert_int_equal(pillion_call_submit_with(&task, one, &options),
                   PILLION_EINVAL);
}

/* A call that was admitted while its pool closed asks this. */
GIVEN(two_workers_with_go, late_calls_are_cancelled_unless_the_pool_drains) {
  assert_false(pillion__pool_is_cancelling(index_of_pool + 1));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_false(pillion__pool_is_cancelling(index_of_pool + 1));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_CANCEL));
  assert_true(pillion__pool_is_cancelling(index_of_pool + 1));
  /* A drain doesn't take the cancel back. */
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_true(pillion__pool_is_cancelling(index_of_pool + 1));
}

