/* SPDX-License-Identifier: Apache-2.0 */

/* When a turn enters Go, and what C does with Go's cells and tasks. */
#include "support.h"

GIVEN(an_executor, half_of_the_budget_is_for_the_guest) {
  guest_reset();
  struct probe probes[20];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++)
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  pillion__guest_wake(pillion__slot_of(ex));
  guest.polled = 3;
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 9;
  pillion_executor_turn(NULL, 0, &progress, ex, &budget);
  assert_int_equal(guest.turns, 1);
  assert_int_equal(guest.max_polls, 4);
  assert_int_equal(progress.polled, 5 + 3);
  assert_int_equal(stats_of(ex).polls, 5);
  executor_free(ex);
  assert_int_equal(guest.frees, 1);
}

GIVEN(an_executor, guest_is_entered_only_when_it_has_work) {
  guest_reset();
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(guest.turns, 0);

  pillion__guest_wake(pillion__slot_of(ex));
  assert_true(readable(ex));
  guest.more = 1;
  turn(ex);
  assert_int_equal(guest.turns, 1);
  assert_int_equal(progress.more, 1);
  guest.more = 0;
  guest.deadline = pillion__now() + 3600 * SECOND;
  turn(ex);
  assert_int_equal(guest.turns, 2);
  assert_int_equal(progress.more, 0);
  assert_int_equal(progress.deadline, guest.deadline);

  for (int i = 0; i < 3; i++) { /* C's work alone enters no Go */
    pillion_wake(probe.waker);
    turn(ex);
  }
  assert_int_equal(guest.turns, 2);

  guest.deadline = 1; /* overdue */
  pillion__guest_wake(pillion__slot_of(ex));
  turn(ex);
  guest.deadline = PILLION_TIME_NEVER;
  turn(ex); /* for the deadline alone */
  assert_int_equal(guest.turns, 4);
  turn(ex);
  assert_int_equal(guest.turns, 4);
  assert_int_equal(stats_of(ex).go_entries, 4);
}

static void *frees(void *data) {
  *(int *)data = pillion_executor_free(ex);
  return NULL;
}

GIVEN(an_executor, coroutines_keep_an_executor_on_its_thread) {
  int rc;
  guest_reset();
  guest.coroutines = guest.suspended = 2;
  pillion__guest_wake(pillion__slot_of(ex));
  turn(ex);
  assert_int_equal(pillion_executor_release(ex), PILLION_EBUSY);
  on_thread(frees, &rc);
  assert_int_equal(rc, PILLION_EWRONGTHREAD);
  guest.suspended = 0; /* the coroutines left are idle */
  assert_ok(pillion_executor_release(ex));
  assert_int_equal(guest.settles, 2);
  on_thread(frees, &rc);
  assert_ok(rc);
  ex = 0;
}

GIVEN(an_executor, guest_cells_are_leased_and_woken_like_others) {
  guest_reset();
  uint32_t index = pillion__slot_of(ex), base;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__CHUNK_GUEST, index));
  struct pillion__cell *cell = cells;
  uint32_t gen = atomic_load(&cell->head.gen);
  pillion_waker waker = pillion__handle(PILLION__WAKER, base, gen);
  assert_int_equal(pillion_wake(waker), PILLION_WOKEN);
  assert_int_equal(pillion_wake_local(waker), PILLION_COALESCED);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(guest.post_count, 1);
  assert_null(guest.posts[0].call);
  assert_int_equal(guest.posts[0].slot, base);
  /* Go must take QUEUED off. */
  assert_int_equal(pillion_wake(waker), PILLION_COALESCED);
  atomic_store(&cell->head.pend, 0);
  assert_int_equal(pillion_wake(waker), PILLION_WOKEN);
  executor_free(ex); /* its inbox still has the post */
  assert_int_equal(atomic_load(&cell->head.pend), 0);
  pillion__chunk_return(base);
}

static int joins_a_handle(struct probe *probe, pillion_value *out,
                          pillion_context *cx) {
  probe->rc = pillion_join(out, cx, *(pillion_task *)probe->data);
  return PILLION_READY;
}

GIVEN(an_executor, task_of_gos_is_not_joined) {
  uint32_t base;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__CHUNK_GUEST,
                                 pillion__slot_of(ex)));
  struct pillion__cell *cell = cells;
  pillion_task task =
      pillion__handle(PILLION__TASK, base, atomic_load(&cell->head.gen));
  cell->head.flags = PILLION__TASK_LIVE | PILLION_JOIN << PILLION__MODE_SHIFT;
  struct probe joiner = {.step = joins_a_handle, .data = &task};
  spawn(ex, &joiner, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_EBADHANDLE);
  cell->head.flags = 0;
  executor_free(ex);
  pillion__chunk_return(base);
}

TEST(cells_of_pure_go_executors_cannot_be_woken) {
  uint32_t base, again;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__CHUNK_ALIEN, 0));
  struct pillion__cell *cell = cells;
  pillion_waker waker = pillion__handle(PILLION__WAKER, base,
                                        atomic_load(&cell->head.gen));
  assert_int_equal(pillion_wake(waker), PILLION_EBADHANDLE);
  assert_int_equal(pillion_wake_local(waker), PILLION_EBADHANDLE);
  assert_int_equal(atomic_load(&cell->head.pend), 0);
  pillion__chunk_return(base);
  assert_ok(pillion__guest_lease(&again, &cells, PILLION__CHUNK_ALIEN, 0));
  assert_int_equal(again, base);
  pillion__chunk_return(base);
}
