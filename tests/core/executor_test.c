/* SPDX-License-Identifier: Apache-2.0 */

/* Executors: making, owning, turning, closing, freeing. */
#include "support.h"

/* ---- Making -------------------------------------------------------------- */

static void new_refuses_what_can_never_be_right(void **state) {
  (void)state;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex = 0;
  char why[256] = "";
  assert_int_equal(pillion_executor_new(NULL, NULL, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_not_equal(why, "");
  options.flags = 0x80;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EINVAL);
  options.flags = 0;
  options.version = PILLION_VERSION_NUMBER + 0x100;
  why[0] = 0;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EVERSION);
  assert_string_not_equal(why, "");
  options.version = PILLION_VERSION_NUMBER;
  options.size = 4;
  assert_int_equal(pillion_executor_new(&ex, &options, why, 3), PILLION_EINVAL);
  assert_int_equal(strlen(why), 2);
  assert_int_equal(ex, 0);
}

static void handle_is_stale_after_free_also_when_reused(void **state) {
  (void)state;
  pillion_executor old = executor_new();
  executor_free(old);
  pillion_executor new = executor_new();
  assert_int_equal(pillion__slot_of(new), pillion__slot_of(old));
  assert_int_not_equal(new, old);
  int fd;
  int64_t deadline;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  struct probe probe = {0};
  const uint64_t bad[] = {old, 0, 1, UINT64_MAX, new + 1, new ^ (1ull << 32)};
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(pillion_executor_fd(&fd, bad[i]), PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_deadline(&deadline, bad[i]),
                     PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_turn(NULL, 0, NULL, bad[i], NULL),
                     PILLION_EBADHANDLE);
    assert_int_equal(pillion_host_set(bad[i], NULL), PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_bind(bad[i]), PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_release(bad[i]), PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_close(bad[i], PILLION_CLOSE_DRAIN),
                     PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_stat(&stats, bad[i]),
                     PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_free(bad[i]), PILLION_EBADHANDLE);
    assert_int_equal(
        pillion_task_spawn(NULL, bad[i], &probing, &probe, 0, PILLION_DETACH),
        PILLION_EBADHANDLE);
  }
  executor_free(new);
}

/* The close found its executor, and then the executor was freed and made anew. */
static void late_close_does_not_close_the_next_executor(void **state) {
  (void)state;
  pillion_executor old = executor_new();
  struct pillion__executor *inside =
      pillion__executor_at(pillion__slot_of(old));
  executor_free(old);
  pillion_executor new = executor_new();
  uint64_t gen = atomic_load(&inside->gen);
  atomic_store(&inside->gen, pillion__gen_of(old)); /* what it saw */
  assert_int_equal(pillion_executor_close(old, PILLION_CLOSE_CANCEL),
                   PILLION_EBADHANDLE);
  atomic_store(&inside->gen, gen);
  struct probe probe = {0};
  spawn(new, &probe, 0, PILLION_DETACH); /* it is open */
  executor_free(new);
}

static void many_executors_at_once(void **state) {
  (void)state;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.flags = PILLION_NO_FD;
  static pillion_executor all[4096];
  int n = 0, rc;
  while ((rc = pillion_executor_new(&all[n], &options, NULL, 0)) == 0) n++;
  assert_int_equal(rc, PILLION_EAGAIN);
  assert_int_equal(n, 4095);
  assert_int_equal(library_counts().executors, 4095);
  while (n > 0) executor_free(all[--n]);
}

static void executor_without_a_descriptor(void **state) {
  (void)state;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.flags = PILLION_NO_FD;
  pillion_executor ex;
  int fd;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  assert_int_equal(pillion_executor_fd(&fd, ex), PILLION_EINVAL);
  struct probe probe = {.ready_at = 2};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  pillion_wake(probe.waker);
  assert_int_equal(turn(ex), 1);
  executor_free(ex);
}

/* ---- Owning -------------------------------------------------------------- */

struct attempt {
  pillion_executor ex;
  int turn, spawn, deadline, host, release, bind, free, live;
  struct probe probe;
};

static void *attempts(void *data) {
  struct attempt *a = data;
  int64_t deadline;
  a->turn = pillion_executor_turn(NULL, 0, NULL, a->ex, NULL);
  a->spawn = pillion_task_spawn(NULL, a->ex, &probing, &a->probe, 0,
                                PILLION_DETACH);
  a->deadline = pillion_executor_deadline(&deadline, a->ex);
  a->host = pillion_host_set(a->ex, NULL);
  a->release = pillion_executor_release(a->ex);
  a->bind = pillion_executor_bind(a->ex);
  a->free = pillion_executor_free(a->ex);
  return NULL;
}

static void another_thread_gets_nothing(void **state) {
  (void)state;
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {0};
  spawn(a.ex, &probe, 0, PILLION_DETACH); /* it is ours from here on */
  on_thread(attempts, &a);
  assert_int_equal(a.turn, PILLION_EWRONGTHREAD);
  assert_int_equal(a.spawn, PILLION_EWRONGTHREAD);
  assert_int_equal(a.deadline, PILLION_EWRONGTHREAD);
  assert_int_equal(a.host, PILLION_EWRONGTHREAD);
  assert_int_equal(a.release, PILLION_EWRONGTHREAD);
  assert_int_equal(a.bind, PILLION_EWRONGTHREAD);
  assert_int_equal(a.free, PILLION_EWRONGTHREAD);
  assert_int_equal(probe.polls, 0);
  executor_free(a.ex);
}

static void *touches_tasks(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_task_evict(probe->task);
  probe->awaited = pillion_task_detach(probe->task);
  return NULL;
}

static void another_thread_neither_evicts_nor_detaches(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_JOIN);
  on_thread(touches_tasks, &probe);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  assert_int_equal(probe.awaited, PILLION_EWRONGTHREAD);
  executor_free(ex);
}

static void *takes_over(void *data) {
  struct attempt *a = data;
  a->bind = pillion_executor_bind(a->ex);
  pillion_progress p = PILLION_PROGRESS_INIT;
  pillion_event event;
  a->turn = pillion_executor_turn(&event, 1, &p, a->ex, NULL);
  a->live = (int)p.live;
  a->release = pillion_executor_release(a->ex);
  return NULL;
}

static void released_executor_goes_on_elsewhere(void **state) {
  (void)state;
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {.ready_at = 2};
  spawn(a.ex, &probe, 1, PILLION_EVENT);
  turn(a.ex);
  assert_ok(pillion_executor_release(a.ex));
  pillion_wake(probe.waker); /* nobody's, and still none is lost */
  on_thread(takes_over, &a);
  assert_ok(a.bind);
  assert_int_equal(a.turn, 1);
  assert_int_equal(a.live, 0);
  assert_ok(a.release);
  assert_int_equal(probe.polls, 2);
  assert_ok(pillion_executor_bind(a.ex));
  assert_ok(pillion_executor_bind(a.ex)); /* it is ours */
  executor_free(a.ex);
}

/* ---- Turns --------------------------------------------------------------- */

static pillion_executor other;

static int reenters(struct probe *probe, pillion_value *out,
                    pillion_context *cx) {
  (void)out, (void)cx;
  pillion_executor ex = probe->executor;
  const int codes[] = {
      pillion_executor_turn(NULL, 0, NULL, ex, NULL),
      pillion_executor_turn(NULL, 0, NULL, other, NULL),
      pillion_executor_free(ex),
      pillion_executor_free(other),
      pillion_host_set(ex, NULL),
      pillion_executor_release(ex),
      pillion_shutdown(PILLION_CLOSE_DRAIN, 0),
      pillion_task_wait(&probe->value, 0, 0),
      pillion_call_wait(&probe->value, 0, NULL, 0, 0),
  };
  for (size_t i = 0; i < COUNT(codes); i++)
    if (codes[i] != PILLION_EREENTRANT) probe->rc = 1 + (int)i;
  return PILLION_READY;
}

static void drops_reenter(struct probe *probe) {
  pillion_value value;
  reenters(probe, &value, NULL);
}

static void what_must_not_be_called_inside_a_turn(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  other = executor_new();
  assert_int_equal(turn(other), 0);
  struct probe probe = {.step = reenters, .dropped = drops_reenter};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(probe.rc, 0);
  executor_free(ex);
  executor_free(other);
}

static void turn_refuses_what_can_never_be_right(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  pillion_progress p = PILLION_PROGRESS_INIT;
  pillion_budget b = PILLION_BUDGET_INIT;
  assert_int_equal(pillion_executor_turn(NULL, 1, NULL, ex, NULL),
                   PILLION_EINVAL);
  p.size = 8;
  assert_int_equal(pillion_executor_turn(NULL, 0, &p, ex, NULL),
                   PILLION_EINVAL);
  b.size = 0;
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, &b),
                   PILLION_EINVAL);
  executor_free(ex);
}

static void turn_with_nothing_to_do_is_no_turn(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  for (int i = 0; i < 5; i++) assert_int_equal(turn(ex), 0);
  assert_int_equal(stats_of(ex).turns, 0);
  assert_int_equal(progress.polled, 0);
  assert_int_equal(progress.more, 0);
  assert_int_equal(progress.live, 0);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  executor_free(ex);
}

/* ---- Close --------------------------------------------------------------- */

static void close_with_drain_refuses_spawns_and_lets_tasks_end(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 2}, refused = {0};
  spawn(ex, &probe, 1, PILLION_EVENT);
  turn(ex);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(
      pillion_task_spawn(NULL, ex, &probing, &refused, 0, PILLION_DETACH),
      PILLION_ECLOSED);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 1);
  assert_int_equal(probe.polls, 1);
  pillion_wake(probe.waker);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(progress.live, 0);
  assert_int_equal(pillion_executor_close(ex, 7), PILLION_EINVAL);
  executor_free(ex);
}

static void close_with_cancel_ends_all_tasks(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe begun = {0}, fresh = {0};
  spawn(ex, &begun, 1, PILLION_EVENT);
  turn(ex);
  spawn(ex, &fresh, 2, PILLION_EVENT);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_true(readable(ex));
  int n = turn(ex);
  while (progress.live > 0) n += turn(ex);
  assert_int_equal(n, 2);
  assert_int_equal(fresh.polls, 0);
  assert_int_equal(begun.drops + fresh.drops, 2);
  executor_free(ex);
}

static void drain_can_be_turned_into_cancel_but_not_back(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  turn(ex);
  assert_int_equal(progress.live, 1);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  executor_free(ex);
}

static void *closes(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_executor_close(probe->executor, PILLION_CLOSE_CANCEL);
  return NULL;
}

static int closed_meanwhile(struct probe *probe, pillion_value *out,
                            pillion_context *cx) {
  (void)out, (void)cx;
  if (probe->polls == 1) on_thread(closes, probe);
  return PILLION_PENDING;
}

/* The turn has looked for a close by then, and nobody pokes a running one. */
static void close_during_a_turn_is_not_lost(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe probe = {.step = closed_meanwhile};
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  assert_ok(probe.rc);
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_false(readable(ex));
  executor_free(ex);
}

/* ---- Free ---------------------------------------------------------------- */

static void spawns_again(struct probe *probe) {
  probe->rc = pillion_task_spawn(NULL, probe->executor, &probing, probe, 0,
                                 PILLION_DETACH);
  probe->awaited = pillion_wake_local(probe->waker);
}

static void free_drops_every_task_once(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe waiting = {0}, fresh = {0}, ended = {.ready_at = 1},
               unjoined = {.ready_at = 1}, stubborn = {.dropped = spawns_again};
  spawn(ex, &waiting, 0, PILLION_EVENT);
  spawn(ex, &ended, 0, PILLION_EVENT);
  spawn(ex, &unjoined, 0, PILLION_JOIN);
  spawn(ex, &stubborn, 0, PILLION_JOIN);
  pillion_executor_turn(NULL, 0, NULL, ex, NULL);
  spawn(ex, &fresh, 0, PILLION_DETACH);
  pillion_wake(waiting.waker);
  executor_free(ex);
  assert_int_equal(waiting.drops, 1);
  assert_int_equal(fresh.drops, 1);
  assert_int_equal(ended.drops, 1);
  assert_int_equal(unjoined.drops, 1);
  assert_int_equal(stubborn.drops, 1);
  assert_true(stubborn.rc < 0); /* there was no way back */
}

static void *frees(void *data) {
  struct attempt *a = data;
  a->free = pillion_executor_free(a->ex);
  return NULL;
}

static void free_from_another_thread_once_no_task_lives(void **state) {
  (void)state;
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {.ready_at = 1};
  spawn(a.ex, &probe, 0, PILLION_EVENT);
  on_thread(frees, &a);
  assert_int_equal(a.free, PILLION_EWRONGTHREAD);
  assert_int_equal(turn(a.ex), 1);
  on_thread(frees, &a);
  assert_ok(a.free);
  assert_int_equal(pillion_executor_free(a.ex), PILLION_EBADHANDLE);
}

static void free_of_a_released_executor_from_another_thread(void **state) {
  (void)state;
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {0};
  spawn(a.ex, &probe, 0, PILLION_EVENT);
  assert_ok(pillion_executor_release(a.ex));
  on_thread(frees, &a);
  assert_ok(a.free);
  assert_int_equal(probe.drops, 1);
}

static void free_closes_the_descriptor(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  int fd;
  assert_ok(pillion_executor_fd(&fd, ex));
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  executor_free(ex);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
  assert_int_equal(errno, EBADF);
  pillion_wake(probe.waker);
}

/* ---- The guest ----------------------------------------------------------- */

static void half_of_the_budget_is_for_the_guest(void **state) {
  (void)state;
  guest_reset();
  pillion_executor ex = executor_new();
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

static void guest_is_entered_only_when_it_has_work(void **state) {
  (void)state;
  guest_reset();
  pillion_executor ex = executor_new();
  struct probe probe = {0};
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

  for (int i = 0; i < 3; i++) { /* C's own work leaves it in peace */
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
  executor_free(ex);
}

static void coroutines_keep_an_executor_on_its_thread(void **state) {
  (void)state;
  guest_reset();
  struct attempt a = {.ex = executor_new()};
  guest.coroutines = guest.suspended = 2;
  pillion__guest_wake(pillion__slot_of(a.ex));
  turn(a.ex);
  assert_int_equal(pillion_executor_release(a.ex), PILLION_EBUSY);
  on_thread(frees, &a);
  assert_int_equal(a.free, PILLION_EWRONGTHREAD);
  guest.suspended = 0; /* the idle ones can be ended */
  assert_ok(pillion_executor_release(a.ex));
  assert_int_equal(guest.settles, 2);
  on_thread(frees, &a);
  assert_ok(a.free);
}

static void guest_cells_are_leased_and_woken_like_others(void **state) {
  (void)state;
  guest_reset();
  pillion_executor ex = executor_new();
  uint32_t index = pillion__slot_of(ex), base;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, index));
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
  /* QUEUED is for Go to take off. */
  assert_int_equal(pillion_wake(waker), PILLION_COALESCED);
  atomic_store(&cell->head.pend, 0);
  assert_int_equal(pillion_wake(waker), PILLION_WOKEN);
  executor_free(ex); /* with the post still in its inbox */
  assert_int_equal(atomic_load(&cell->head.pend), 0);
  pillion__guest_return(base);
}

static int joins_a_handle(struct probe *probe, pillion_value *out,
                          pillion_context *cx) {
  probe->rc = pillion_join(out, cx, *(pillion_task *)probe->data);
  return PILLION_READY;
}

static void task_of_gos_is_not_joined(void **state) {
  (void)state;
  pillion_executor ex = executor_new();
  uint32_t base;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, pillion__slot_of(ex)));
  struct pillion__cell *cell = cells;
  pillion_task task =
      pillion__handle(PILLION__TASK, base, atomic_load(&cell->head.gen));
  cell->head.flags = PILLION__LIVE | PILLION_JOIN << PILLION__MODE_SHIFT;
  struct probe joiner = {.step = joins_a_handle, .data = &task};
  spawn(ex, &joiner, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(joiner.rc, PILLION_EBADHANDLE);
  cell->head.flags = 0;
  executor_free(ex);
  pillion__guest_return(base);
}

static void cells_of_pure_go_executors_cannot_be_woken(void **state) {
  (void)state;
  uint32_t base, again;
  void *cells;
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__NOBODY));
  struct pillion__cell *cell = cells;
  pillion_waker waker = pillion__handle(PILLION__WAKER, base,
                                        atomic_load(&cell->head.gen));
  assert_int_equal(pillion_wake(waker), PILLION_EBADHANDLE);
  assert_int_equal(pillion_wake_local(waker), PILLION_EBADHANDLE);
  assert_int_equal(atomic_load(&cell->head.pend), 0);
  pillion__guest_return(base);
  assert_ok(pillion__guest_lease(&again, &cells, PILLION__NOBODY));
  assert_int_equal(again, base);
  pillion__guest_return(base);
}

int main(void) {
  guest_install();
  const struct CMUnitTest tests[] = {
      TEST(new_refuses_what_can_never_be_right),
      TEST(handle_is_stale_after_free_also_when_reused),
      TEST(late_close_does_not_close_the_next_executor),
      TEST(many_executors_at_once),
      TEST(executor_without_a_descriptor),
      TEST(another_thread_gets_nothing),
      TEST(another_thread_neither_evicts_nor_detaches),
      TEST(released_executor_goes_on_elsewhere),
      TEST(what_must_not_be_called_inside_a_turn),
      TEST(turn_refuses_what_can_never_be_right),
      TEST(turn_with_nothing_to_do_is_no_turn),
      TEST(close_with_drain_refuses_spawns_and_lets_tasks_end),
      TEST(close_with_cancel_ends_all_tasks),
      TEST(drain_can_be_turned_into_cancel_but_not_back),
      TEST(close_during_a_turn_is_not_lost),
      TEST(free_drops_every_task_once),
      TEST(free_from_another_thread_once_no_task_lives),
      TEST(free_of_a_released_executor_from_another_thread),
      TEST(free_closes_the_descriptor),
      TEST(half_of_the_budget_is_for_the_guest),
      TEST(guest_is_entered_only_when_it_has_work),
      TEST(coroutines_keep_an_executor_on_its_thread),
      TEST(guest_cells_are_leased_and_woken_like_others),
      TEST(task_of_gos_is_not_joined),
      TEST(cells_of_pure_go_executors_cannot_be_woken),
  };
  return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
