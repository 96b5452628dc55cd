/* SPDX-License-Identifier: Apache-2.0 */

/* Watches: what the host is told, and which tasks a report wakes. */
#include "watch_support.h"

static struct host host;
static struct waiter c;

static void a_watch(void) {
  memset(&host, 0, sizeof host);
  memset(&c, 0, sizeof c);
  an_executor();
  host_set(ex, &host);
  open_a_watch();
}

static void report(uint32_t events) {
  assert_ok(pillion_executor_ready(ex, host.key, events));
}

GIVEN(a_watch, an_open_watch_tells_the_host_nothing) {
  turn(ex);
  assert_int_equal(library_counts().watches, 1);
  assert_ok(pillion_watch_close(watch));
  assert_int_equal(library_counts().watches, 0);
  assert_traced("");
  assert_true(fcntl(fd, F_GETFD) >= 0); /* the caller's to close */
}

GIVEN(a_watch, a_task_is_woken_by_the_report) {
  await(ex, &a, watch, R);
  turn(ex);
  turn(ex);
  assert_int_equal(a.probe.polls, 1);
  assert_traced("watchr");
  report(R);
  assert_true(readable(ex)); /* it was idle, and asks for a turn */
  turn(ex);
  assert_int_equal(a.probe.polls, 2);
  assert_int_equal(a.probe.drops, 1);
  assert_int_equal(a.got, R);
  assert_traced("");
}

GIVEN(a_watch, awaiting_again_costs_no_call_of_the_host) {
  a.rounds = 100;
  await(ex, &a, watch, R);
  for (int i = 0; i < 100; i++) {
    turn(ex);
    report(R);
  }
  turn(ex);
  assert_int_equal(a.probe.awaited, 100);
  assert_int_equal(a.probe.polls, 101);
  assert_traced("watchr");
}

GIVEN(a_watch, what_nobody_awaits_is_taken_back_at_its_report) {
  await(ex, &a, watch, R);
  turn(ex);
  report(R);
  turn(ex);
  assert_traced("watchr");
  report(R);
  assert_traced("watch-");
  report(R); /* late */
  assert_traced("");
  await(ex, &b, watch, R);
  turn(ex);
  assert_traced("watchr");
}

GIVEN(a_watch, a_cancelled_waiter_does_not_make_the_loop_spin) {
  await(ex, &a, watch, R);
  turn(ex);
  pillion_task_cancel(a.probe.task);
  turn(ex);
  assert_traced("watchr");
  report(R);
  assert_traced("watch-");
  assert_false(readable(ex));
  await(ex, &a, watch, R);
  turn(ex);
  pillion_task_evict(a.probe.task);
  await(ex, &b, watch, R); /* takes a's place */
  turn(ex);
  report(R);
  turn(ex);
  assert_int_equal(b.got, R);
  assert_traced("watchr");
}

GIVEN(a_watch, a_task_that_does_not_ask_does_not_make_the_loop_spin) {
  await(ex, &a, watch, R);
  turn(ex);
  report(R);
  assert_traced("watchr");
  report(R); /* woken, but not polled yet */
  assert_traced("watch-");
  report(R);
  assert_traced("");
  turn(ex);
  assert_int_equal(a.probe.polls, 2);
  assert_int_equal(a.got, R);
}

GIVEN(a_watch, two_tasks_await_two_directions) {
  await(ex, &a, watch, R);
  await(ex, &b, watch, W);
  await(ex, &c, watch, R);
  turn(ex);
  assert_int_equal(c.probe.rc, PILLION_EBUSY);
  assert_int_equal(c.probe.drops, 1);
  assert_traced("watchr watchrw");
  report(W);
  turn(ex);
  assert_int_equal(b.got, W);
  assert_int_equal(a.probe.polls, 1);
  report(R | W); /* no task awaits W any more */
  turn(ex);
  assert_int_equal(a.got, R);
  assert_traced("watchr");
}

GIVEN(a_watch, one_task_awaits_several_events) {
  a.rounds = 2;
  await(ex, &a, watch, R | W | P | H);
  turn(ex);
  assert_traced("watchrwh");
  report(P);
  turn(ex);
  assert_int_equal(a.got, P);
  report(R | W);
  turn(ex);
  assert_int_equal(a.got, R | W);
  assert_int_equal(a.probe.drops, 1);
}

GIVEN(a_watch, hang_up_and_faults_come_to_everybody) {
  await(ex, &a, watch, R);
  await(ex, &b, watch, W);
  turn(ex);
  report(H);
  turn(ex);
  assert_int_equal(a.got, H);
  assert_int_equal(b.got, H);
  assert_traced("watchr watchrw");
  report(H); /* again, while no task waits */
  assert_traced("watch-");
  await(ex, &a, watch, R);
  await(ex, &b, watch, W);
  turn(ex);
  assert_traced("watchr watchrw");
  report(F | W);
  turn(ex);
  assert_int_equal(a.got, F);
  assert_int_equal(b.got, F | W);
  report(F); /* the host has stopped by itself */
  assert_traced("");
  await(ex, &a, watch, R);
  turn(ex);
  assert_traced("watchr");
}

GIVEN(a_watch, the_second_of_two_still_gets_what_came_for_both) {
  a.rounds = 2;
  await(ex, &a, watch, R);
  await(ex, &b, watch, W);
  turn(ex);
  report(R | H);
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  pillion_executor_turn(NULL, 0, NULL, ex, &one);
  assert_int_equal(a.got, R | H);
  assert_int_equal(a.probe.polls, 2); /* it awaits again */
  turn(ex);
  assert_int_equal(b.got, H);
  assert_int_equal(a.probe.awaited, 1);
}

static int clears(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  struct waiter *waiter = probe->data;
  if (probe->polls == 1) return awaits(probe, out, cx);
  pillion_ready_clear(cx, waiter->watch, R | W);
  return PILLION_PENDING;
}

GIVEN(a_watch, a_task_that_turns_to_something_else_makes_room) {
  await(ex, &a, watch, R);
  a.probe.step = clears;
  turn(ex);
  pillion_wake_local(a.probe.waker);
  turn(ex);
  await(ex, &b, watch, R);
  turn(ex);
  assert_int_equal(b.probe.rc, PILLION_PENDING);
  report(R);
  turn(ex);
  assert_int_equal(b.got, R);
  assert_int_equal(a.probe.polls, 2);
  assert_traced("watchr");
}

GIVEN(a_watch, a_spurious_poll_finds_nothing) {
  await(ex, &a, watch, R);
  turn(ex);
  pillion_wake_local(a.probe.waker);
  turn(ex);
  assert_int_equal(a.probe.polls, 2);
  assert_int_equal(a.probe.awaited, 0);
  assert_traced("watchr");
}

GIVEN(a_watch, closing_wakes_who_waits_and_tells_the_host_first) {
  pillion_watch owned;
  int mine = dup(fd);
  assert_ok(pillion_watch_open(&owned, ex, mine, PILLION_WATCH_OWN));
  await(ex, &a, owned, R);
  await(ex, &b, owned, W);
  turn(ex);
  assert_ok(pillion_watch_close(owned));
  assert_traced("watchr watchrw unwatch");
  assert_int_equal(host.unwatched, 1);
  assert_true(host.open_at_unwatch >= 0);
  assert_int_equal(fcntl(mine, F_GETFD), -1);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(b.probe.rc, PILLION_ECLOSED);
  assert_int_equal(pillion_watch_close(owned), PILLION_EBADHANDLE);
  assert_int_equal(pillion_executor_ready(ex, host.key, R),
                   PILLION_EBADHANDLE);
}

static int closes(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  struct waiter *waiter = probe->data;
  int rc = awaits(probe, out, cx);
  if (probe->polls == 1) probe->awaited = pillion_watch_close(waiter->watch);
  return rc;
}

GIVEN(a_watch, a_task_closes_what_it_awaits) {
  await(ex, &a, watch, R);
  a.probe.step = closes;
  turn(ex);
  assert_int_equal(progress.more, 1);
  turn(ex);
  assert_ok(a.probe.awaited);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(a.probe.drops, 1);
  assert_traced("watchr unwatch");
}

/* A new watch of the same number has another key. */
GIVEN(a_watch, a_descriptors_number_is_used_again) {
  await(ex, &a, watch, R);
  turn(ex);
  uint64_t old = host.key;
  assert_ok(pillion_watch_close(watch));
  assert_ok(pillion_watch_open(&watch, ex, fd, 0));
  await(ex, &b, watch, R);
  turn(ex);
  assert_traced("watchr unwatch watchr");
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(pillion_executor_ready(ex, old, R), PILLION_EBADHANDLE);
  turn(ex);
  assert_int_equal(b.probe.polls, 1);
  report(R);
  turn(ex);
  assert_int_equal(b.got, R);
}

GIVEN(a_watch, a_turn_that_follows_saves_the_poke) {
  await(ex, &a, watch, R);
  turn(ex);
  turn(ex);
  uint64_t pokes = stats_of(ex).pokes;
  report(R | PILLION_TURN_FOLLOWS);
  pillion_wake(a.probe.waker); /* another thread pokes no more, either */
  assert_int_equal(stats_of(ex).pokes, pokes);
  assert_false(readable(ex));
  turn(ex);
  assert_int_equal(a.got, R);
  report(R | PILLION_TURN_FOLLOWS); /* no task awaits it */
  turn(ex);
  assert_int_equal(progress.more, 0);
  assert_traced("watchr watch-");
}

static int reports_elsewhere(struct probe *probe, pillion_value *out,
                             pillion_context *cx) {
  probe->rc = pillion_executor_ready(ex, host.key, R | PILLION_TURN_FOLLOWS);
  return PILLION_READY;
}

/* Inside another executor's turn no turn can follow at once: the host hears. */
GIVEN(a_watch, a_turn_that_follows_another_executors_is_told) {
  struct probe reporter = {.step = reports_elsewhere};
  pillion_executor outer = executor_new();
  await(ex, &a, watch, R);
  turn(ex);
  turn(ex);
  assert_false(readable(ex));
  spawn(outer, &reporter, 0, PILLION_DETACH);
  turn(outer);
  assert_ok(reporter.rc);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(a.got, R);
  executor_free(outer);
}

GIVEN(a_watch, nonsense_is_refused) {
  pillion_watch w;
  assert_int_equal(pillion_watch_open(&w, ex, fd, 0), PILLION_EBUSY);
  assert_int_equal(pillion_watch_open(&w, ex, -1, 0), PILLION_EINVAL);
  assert_int_equal(pillion_watch_open(&w, ex, 1 << 20, 0), PILLION_EINVAL);
  assert_int_equal(pillion_watch_open(NULL, ex, other, 0), PILLION_EINVAL);
  assert_int_equal(pillion_watch_open(&w, ex, other, 2), PILLION_EINVAL);
  assert_int_equal(pillion_watch_open(&w, 0, other, 0), PILLION_EBADHANDLE);
  const uint64_t bad[] = {0, ex, watch + 1, watch ^ UINT64_C(1) << 50,
                          watch & UINT32_MAX, UINT64_MAX,
                          watch ^ UINT64_C(1) << 56};
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(pillion_watch_close(bad[i]), PILLION_EBADHANDLE);
    assert_int_equal(pillion_executor_ready(ex, bad[i], R),
                     PILLION_EBADHANDLE);
    memset(&c, 0, sizeof c);
    await(ex, &c, bad[i], R);
    turn(ex);
    assert_int_equal(c.probe.rc, PILLION_EBADHANDLE);
  }
  assert_int_equal(pillion_executor_ready(ex, watch, 32), PILLION_EINVAL);
  assert_int_equal(pillion_executor_ready(0, watch, R), PILLION_EBADHANDLE);
  await(ex, &a, watch, 0);
  await(ex, &b, watch, F);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_EINVAL);
  assert_int_equal(b.probe.rc, PILLION_EINVAL);
  assert_traced("");
  /* Forged handles of its cell change nothing: a watch is no task. */
  pillion_waker waker = waker_of(watch);
  pillion_task task = (watch & ~(UINT64_C(0xff) << 56)) |
                      (uint64_t)PILLION__TASK << 56;
  assert_int_equal(pillion_wake_local(waker), PILLION_STALE);
  pillion_wake(waker);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_evict(task), PILLION_EBADHANDLE);
  turn(ex);
  assert_int_equal(library_counts().watches, 1);
}
