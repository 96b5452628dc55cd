/* SPDX-License-Identifier: Apache-2.0 */

/* Watches that other threads close, and threads that end with watches. */
#include "watch_support.h"

static struct host host;

struct closing {
  pillion_watch watch;
  int rc, again;
};

static void *close_it(void *data) {
  struct closing *closing = data;
  closing->rc = pillion_watch_close(closing->watch);
  closing->again = pillion_watch_close(closing->watch);
  return NULL;
}

GIVEN(an_executor, closing_from_another_thread_is_done_by_the_next_turn) {
  int other, mine = some_fd(&other);
  struct closing closing;
  memset(&host, 0, sizeof host);
  host_set(ex, &host);
  assert_ok(pillion_watch_open(&closing.watch, ex, mine, PILLION_WATCH_OWN));
  await(ex, &a, closing.watch, R);
  turn(ex);
  turn(ex);
  on_thread(close_it, &closing);
  assert_ok(closing.rc);
  assert_int_equal(closing.again, PILLION_EBADHANDLE);
  assert_traced("watchr");
  assert_true(readable(ex));
  turn(ex);
  assert_traced("unwatch");
  assert_true(host.open_at_unwatch >= 0);
  assert_int_equal(fcntl(mine, F_GETFD), -1);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(a.probe.drops, 1);
  on_thread(close_it, &closing);
  assert_int_equal(closing.rc, PILLION_EBADHANDLE);
  executor_free(ex);
  close(other);
}

/* The owner's search for a free cell finds the close, which has to wait. */
GIVEN(an_executor, the_owners_close_overtakes_another_threads) {
  int other, mine = some_fd(&other);
  struct closing closing;
  struct probe probe = {.ready_at = 1};
  pillion_watch fresh;
  host_set(ex, &host);
  assert_ok(pillion_watch_open(&closing.watch, ex, mine, 0));
  await(ex, &a, closing.watch, R);
  turn(ex);
  on_thread(close_it, &closing);
  assert_ok(closing.rc);
  assert_traced("watchr");
  assert_int_equal(pillion_watch_close(closing.watch), PILLION_EBADHANDLE);
  assert_traced("unwatch"); /* the owner's close acts at once */
  assert_ok(pillion_watch_open(&fresh, ex, mine, PILLION_WATCH_OWN));
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  turn(ex);
  assert_int_equal(a.probe.rc, PILLION_ECLOSED);
  assert_int_equal(probe.drops, 1);
  assert_traced("");
  assert_ok(pillion_watch_close(fresh)); /* the first close left it alone */
  executor_free(ex);
  close(other);
}

/* The owner has taken the close from the inbox, and not done it yet. */
GIVEN(an_executor, a_close_is_remembered_until_it_is_done) {
  int other, mine = some_fd(&other);
  struct closing closing;
  struct probe probe = {.ready_at = 1};
  host_set(ex, &host);
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_ok(pillion_watch_open(&closing.watch, ex, mine, 0));
  on_thread(close_it, &closing);
  assert_ok(closing.rc);
  pillion__drain(pillion__executor_at(pillion__slot_of(ex)));
  on_thread(close_it, &closing);
  assert_int_equal(closing.rc, PILLION_EBADHANDLE);
  assert_int_equal(closing.again, PILLION_EBADHANDLE);
  assert_int_equal(library_counts().watches, 1);
  turn(ex);
  assert_int_equal(library_counts().watches, 0);
  executor_free(ex);
  close(mine);
  close(other);
}

/* Another thread closes the watch, and a spawn takes that from the inbox. */
GIVEN(an_executor, a_spawn_finds_the_close) {
  int other, mine = some_fd(&other);
  struct closing closing;
  struct probe probes[3] = {{.ready_at = 1}, {.ready_at = 1}, {.ready_at = 1}};
  host_set(ex, &host);
  spawn(ex, &probes[0], 0, PILLION_DETACH);
  turn(ex); /* a free cell, which a late wake queues below */
  assert_ok(pillion_watch_open(&closing.watch, ex, mine, PILLION_WATCH_OWN));
  spawn(ex, &probes[1], 0, PILLION_DETACH);
  on_thread(close_it, &closing);
  assert_ok(pillion_task_cancel(probes[1].task));
  pillion_wake(waker_of(probes[1].task));
  assert_ok(pillion_task_evict(probes[1].task));
  spawn(ex, &probes[2], 0, PILLION_DETACH);
  assert_int_equal(library_counts().watches, 1);
  turn(ex);
  turn(ex);
  assert_int_equal(library_counts().watches, 0);
  assert_int_equal(probes[2].drops, 1);
  executor_free(ex);
  close(other);
}

static void *frees_it(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_executor_free(probe->executor);
  return NULL;
}

/* The host's unwatch would run on that thread. */
TEST(another_thread_cannot_free_what_watches) {
  int other, mine = some_fd(&other);
  struct probe freeing = {.executor = executor_new()};
  pillion_watch watch;
  host_set(freeing.executor, &host);
  assert_ok(pillion_watch_open(&watch, freeing.executor, mine, 0));
  turn(freeing.executor);
  on_thread(frees_it, &freeing);
  assert_int_equal(freeing.rc, PILLION_EWRONGTHREAD);
  assert_int_equal(library_counts().watches, 1);
  assert_ok(pillion_watch_close(watch));
  on_thread(frees_it, &freeing);
  assert_ok(freeing.rc);
  close(mine);
  close(other);
}

static void *owns_and_ends(void *data) {
  struct closing *closing = data;
  pillion_executor ex = host.ex = executor_new();
  int other, mine = some_fd(&other);
  host_set(ex, &host);
  assert_ok(pillion_watch_open(&closing->watch, ex, mine, PILLION_WATCH_OWN));
  await(ex, &a, closing->watch, R);
  turn(ex);
  close(other);
  return NULL;
}

TEST(a_threads_watches_end_with_it) {
  struct closing closing;
  on_thread(owns_and_ends, &closing);
  assert_traced("watchr unwatch");
  assert_int_equal(a.probe.drops, 1);
  assert_int_equal(library_counts().watches, 0);
  assert_int_equal(pillion_watch_close(closing.watch), PILLION_EBADHANDLE);
  executor_free(host.ex);
}

static void *try_free(void *data) {
  *(int *)data = pillion_executor_free(host.ex);
  return NULL;
}

TEST(another_thread_may_not_free_open_watches) {
  int rc, other, mine = some_fd(&other);
  pillion_watch watch;
  host_set(executor_new(), &host);
  assert_ok(pillion_watch_open(&watch, host.ex, mine, PILLION_WATCH_OWN));
  on_thread(try_free, &rc);
  assert_int_equal(rc, PILLION_EWRONGTHREAD);
  assert_ok(pillion_watch_close(watch));
  on_thread(try_free, &rc);
  assert_ok(rc);
  close(other);
}

/* ---- Hammer -------------------------------------------------------------- */

enum { CLOSERS = 3, ROUNDS = 2000 };

static _Atomic uint64_t target;
static _Atomic bool over;

/* All threads close each watch at once. Those that come early yield. */
static void *closes_all(void *data) {
  uint64_t next, last = 0;
  while (!atomic_load(&over)) {
    if ((next = atomic_load(&target)) == last)
      sched_yield();
    else
      pillion_watch_close(last = next);
  }
  return NULL;
}

/* Any thread may close a watch first: it ends once, and its waiter is told. */
GIVEN(an_executor, closers_and_the_owner_race) {
  pthread_t closers[CLOSERS];
  int other, fd = some_fd(&other), closed = 0;
  struct closing closing;
  host = (struct host){0};
  host_set(ex, &host);
  atomic_store(&over, false);
  atomic_store(&target, 0);
  for (int i = 0; i < CLOSERS; i++)
    closers[i] = thread_start(closes_all, NULL);
  for (int i = 0; i < ROUNDS; i++) {
    assert_ok(pillion_watch_open(&closing.watch, ex, fd, 0));
    await(ex, &a, closing.watch, R);
    turn(ex);
    traced[0] = 0;
    atomic_store(&target, closing.watch);
    if (i % 2 == 0) {
      pillion_watch_close(closing.watch);
    } else {
      while (library_counts().watches > 0) turn(ex);
    }
    while (a.probe.drops == 0) turn(ex);
    closed += a.probe.rc == PILLION_ECLOSED;
  }
  atomic_store(&over, true);
  for (int i = 0; i < CLOSERS; i++) pthread_join(closers[i], NULL);
  turn(ex);
  assert_int_equal(closed, ROUNDS);
  executor_free(ex);
  close(fd);
  close(other);
}
