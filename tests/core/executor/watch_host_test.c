/* SPDX-License-Identifier: Apache-2.0 */

/* Watches and their hosts, which refuse, come and go; and Go's watches. */
#include "watch_support.h"

static struct host first, second;

static void two_hosts(void) {
  guest_reset();
  first = (struct host){.name = "1:"};
  second = (struct host){.name = "2:"};
  an_executor();
  open_a_watch();
}

/* `a` awaits R at the first host. */
static void two_hosts_and_a_waiter(void) {
  two_hosts();
  host_set(ex, &first);
  await(ex, &a, watch, R);
  turn(ex);
}

GIVEN(two_hosts, a_host_that_cannot_watch_is_an_error) {
  pillion_host hooks = PILLION_HOST_INIT;
  await(ex, &a, watch, R);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ENOTSUP);
  assert_ok(pillion_host_set(ex, &hooks));
  await(ex, &a, watch, R);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ENOTSUP);
  assert_ok(pillion_watch_close(watch));
  hooks.watch = host_watches; /* watch without unwatch */
  assert_int_equal(pillion_host_set(ex, &hooks), PILLION_EINVAL);
}

GIVEN(two_hosts, a_host_that_refuses_is_asked_again_by_the_next) {
  host_set(ex, &first);
  first.refuses = PILLION_ENOTSUP;
  await(ex, &a, watch, R);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ENOTSUP);
  first.refuses = PILLION_ESYSTEM;
  await(ex, &a, watch, R);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ESYSTEM);
  first.refuses = 0;
  await(ex, &a, watch, R);
  await(ex, &b, watch, W);
  turn(ex);
  first.refuses = PILLION_ENOMEM; /* refuses W; R stays watched */
  assert_traced("1:watchr 1:watchr 1:watchr 1:watchrw");
  assert_ok(pillion_watch_close(watch));
  assert_traced("1:unwatch");
}

GIVEN(two_hosts_and_a_waiter, who_was_refused_leaves_the_others_alone) {
  first.refuses = PILLION_ENOMEM;
  await(ex, &b, watch, W);
  turn(ex);
  assert_int_equal(b.probe.rc, PILLION_ENOMEM);
  assert_ok(pillion_executor_ready(ex, first.key, R));
  turn(ex);
  assert_int_equal(a.got, R);
}

GIVEN(two_hosts_and_a_waiter, watches_move_to_another_host) {
  host_set(ex, &second);
  assert_traced("1:watchr 1:unwatch 2:watchr");
  assert_int_equal(first.dropped, 1);
  assert_int_equal(a.probe.polls, 1);
  assert_ok(pillion_executor_ready(ex, second.key, R));
  turn(ex);
  assert_int_equal(a.got, R);
}

GIVEN(two_hosts_and_a_waiter, tasks_wait_for_the_next_host) {
  assert_ok(pillion_host_set(ex, NULL));
  turn(ex);
  assert_traced("1:watchr 1:unwatch");
  await(ex, &b, watch, W); /* without a host a new wait is refused */
  turn(ex);
  assert_int_equal(b.probe.rc, PILLION_ENOTSUP);
  assert_int_equal(a.probe.polls, 1);
  host_set(ex, &second);
  assert_traced("2:watchr");
  assert_ok(pillion_executor_ready(ex, second.key, R));
  turn(ex);
  assert_int_equal(a.got, R);
}

GIVEN(two_hosts_and_a_waiter, tasks_hear_that_the_next_host_cannot) {
  second.refuses = PILLION_ENOTSUP;
  host_set(ex, &second); /* and a turn */
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ENOTSUP);
  assert_traced("1:watchr 1:unwatch 2:watchr 2:watchr");
}

GIVEN(two_hosts_and_a_waiter, what_was_reported_before_the_host_went_still_counts) {
  assert_ok(pillion_executor_ready(ex, first.key, R));
  host_set(ex, &second);
  assert_int_equal(a.got, R);
  assert_traced("1:watchr 1:unwatch");
}

GIVEN(two_hosts, free_closes_what_is_open) {
  pillion_watch owned, untold;
  int mine = dup(fd), too = dup(fd);
  host_set(ex, &first);
  assert_ok(pillion_watch_open(&owned, ex, mine, PILLION_WATCH_OWN));
  assert_ok(pillion_watch_open(&untold, ex, too, PILLION_WATCH_OWN));
  await(ex, &a, watch, R);
  await(ex, &b, owned, R);
  turn(ex);
  assert_int_equal(library_counts().watches, 3);
  executor_free(ex);
  ex = 0;
  assert_traced("1:watchr 1:watchr 1:unwatch 1:unwatch");
  assert_int_equal(first.dropped, 1);
  assert_int_equal(a.probe.drops + b.probe.drops, 2);
  assert_int_equal(fcntl(mine, F_GETFD), -1);
  assert_int_equal(fcntl(too, F_GETFD), -1);
  assert_true(fcntl(fd, F_GETFD) >= 0);
  assert_int_equal(pillion_watch_close(watch), PILLION_EBADHANDLE);
}

GIVEN(two_hosts, quota_of_watches) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor small;
  pillion_watch w[3];
  int fds[3] = {dup(fd), dup(fd), dup(fd)};
  options.max_watches = 2;
  assert_ok(pillion_executor_new(&small, &options, NULL, 0));
  assert_ok(pillion_watch_open(&w[0], small, fds[0], PILLION_WATCH_OWN));
  assert_ok(pillion_watch_open(&w[1], small, fds[1], PILLION_WATCH_OWN));
  assert_int_equal(pillion_watch_open(&w[2], small, fds[2], 0),
                   PILLION_EAGAIN);
  assert_ok(pillion_watch_close(w[0]));
  assert_ok(pillion_watch_open(&w[2], small, fds[2], PILLION_WATCH_OWN));
  executor_free(small);
}

GIVEN(two_hosts, another_executor_may_not_await_it) {
  pillion_executor stranger = executor_new();
  host_set(stranger, &second);
  await(stranger, &a, watch, R);
  turn(stranger);
  assert_int_equal(a.probe.rc, PILLION_EWRONGTHREAD);
  assert_int_equal(pillion_executor_ready(stranger, watch, R),
                   PILLION_EBADHANDLE);
  assert_ok(pillion_watch_close(watch));
  await(stranger, &a, watch, R);
  turn(stranger);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  executor_free(stranger);
}

GIVEN(two_hosts, a_cancelling_close_opens_no_watch) {
  pillion_watch w;
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_ok(pillion_watch_open(&w, ex, other, 0));
  assert_ok(pillion_watch_close(w));
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_int_equal(pillion_watch_open(&w, ex, other, 0), PILLION_ECLOSED);
}

static int inside_watch(int f, uint32_t events, uint64_t key, void *data) {
  trace(events ? "watch" : "quiet");
  assert_ok(pillion_executor_ready(ex, key, R)); /* ready at once */
  return 0;
}

static int closing_watch(int f, uint32_t events, uint64_t key, void *data) {
  trace("closes");
  pillion_watch_close(watch);
  return PILLION_ESYSTEM;
}

GIVEN(two_hosts, hooks_may_report_and_close) {
  pillion_host hooks = PILLION_HOST_INIT;
  hooks.data = &first;
  hooks.watch = inside_watch;
  hooks.unwatch = host_unwatches;
  assert_ok(pillion_host_set(ex, &hooks));
  await(ex, &a, watch, R);
  turn(ex);
  turn(ex);
  assert_int_equal(a.got, R);
  assert_traced("watch");
  hooks.watch = closing_watch;
  assert_ok(pillion_host_set(ex, &hooks));
  await(ex, &a, watch, R);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_traced("1:unwatch closes");
}

static struct probe reused;

static void closing_unwatch(int f, uint64_t key, void *data) {
  trace("unwatch");
  pillion_watch_close(key);
  spawn(ex, &reused, 0, PILLION_DETACH); /* may get the watch's cell */
}

GIVEN(two_hosts, watch_closed_by_the_host_that_goes) {
  pillion_host hooks = PILLION_HOST_INIT;
  hooks.data = &first;
  hooks.watch = host_watches;
  hooks.unwatch = closing_unwatch;
  reused = (struct probe){.ready_at = 1};
  assert_ok(pillion_host_set(ex, &hooks));
  await(ex, &a, watch, R);
  turn(ex);
  assert_ok(pillion_host_set(ex, NULL));
  assert_traced("1:watchr unwatch");
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(reused.drops, 1);
  assert_int_equal(library_counts().watches, 0);
}

GIVEN(two_hosts, hooks_in_force_are_told) {
  pillion_host hooks = PILLION_HOST_INIT;
  hooks.data = &hooks;
  assert_ok(pillion_host_get(&hooks, ex));
  assert_null(hooks.data);
  assert_null(hooks.watch);
  host_set(ex, &first);
  assert_ok(pillion_host_get(&hooks, ex));
  assert_ptr_equal(hooks.data, &first);
  assert_true(hooks.watch == host_watches);
  hooks.size = 8;
  assert_int_equal(pillion_host_get(&hooks, ex), PILLION_EINVAL);
  assert_int_equal(pillion_host_get(NULL, ex), PILLION_EINVAL);
  assert_int_equal(pillion_host_get(&hooks, 0), PILLION_EBADHANDLE);
}

/* ---- Go's ---------------------------------------------------------------- */

GIVEN(two_hosts, reports_for_go_come_with_its_next_turn) {
  uint32_t base, index = pillion__slot_of(ex);
  void *cells;
  host_set(ex, &first);
  assert_ok(pillion__guest_lease(&base, &cells, PILLION__CHUNK_GUEST, index));
  struct pillion__head *head = cells;
  uint64_t key = pillion__handle(PILLION__WATCH, base, pillion__first_gen());
  assert_int_equal(pillion__guest_watch(index, -1, R, key), PILLION_EINVAL);
  assert_int_equal(pillion__guest_watch(index, fd, R, key), PILLION_EBUSY);
  assert_ok(pillion__guest_watch(index, other, W, key));
  assert_ok(pillion__guest_watch(index, other, R | W, key));
  assert_int_equal(library_counts().watches, 2);
  assert_ok(pillion_executor_ready(ex, key, W));
  assert_ok(pillion_executor_ready(ex, key, H | PILLION_TURN_FOLLOWS));
  turn(ex);
  assert_int_equal(guest.turns, 1);
  assert_int_equal(guest.post_count, 1);
  assert_int_equal(guest.posts[0].slot, base);
  assert_true(atomic_exchange(&head->pend, 0) ==
              ((uint64_t)head->gen << 32 | PILLION__PEND_QUEUED |
               (W | H) << PILLION__PEND_EVENTS_SHIFT));
  assert_int_equal(pillion_executor_ready(ex, key + 1, W),
                   PILLION_EBADHANDLE);
  assert_traced("1:watchw 1:watchrw");
  /* A new host knows none of Go's watches: Go must tell it. */
  host_set(ex, &second);
  assert_int_equal(guest.rewatches, 1);
  assert_traced("1:unwatch");
  assert_ok(pillion__guest_watch(index, other, W, key));
  pillion__guest_unwatch(index, other, key);
  pillion__guest_unwatch(index, other, key); /* it is gone */
  assert_traced("2:watchw 2:unwatch");
  second.refuses = PILLION_ENOTSUP;
  assert_int_equal(pillion__guest_watch(index, other, W, key),
                   PILLION_ENOTSUP);
  assert_int_equal(library_counts().watches, 1);
  pillion__chunk_return(base);
}
