/* SPDX-License-Identifier: Apache-2.0 */

/* Executors: making, owning, turning, closing, freeing. */
#include <sys/resource.h>

#include "support.h"

/* ---- Making -------------------------------------------------------------- */

TEST(new_refuses_what_can_never_be_right) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  ex = 0;
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

TEST(handle_is_stale_after_free_also_when_reused) {
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

/* A close has found its executor. Then the executor is freed and made anew. */
TEST(late_close_does_not_close_the_next_executor) {
  pillion_executor old = executor_new();
  struct pillion__executor *inside =
      pillion__executor_at(pillion__slot_of(old));
  executor_free(old);
  pillion_executor new = executor_new();
  uint64_t gen = atomic_load(&inside->base.gen);
  atomic_store(&inside->base.gen, pillion__gen_of(old)); /* what it saw */
  assert_int_equal(pillion_executor_close(old, PILLION_CLOSE_CANCEL),
                   PILLION_EBADHANDLE);
  atomic_store(&inside->base.gen, gen);
  struct probe probe = {0};
  spawn(new, &probe, 0, PILLION_DETACH); /* it is open */
  executor_free(new);
}

TEST(executor_without_a_descriptor_leaves_its_place_to_the_next) {
  struct rlimit old, none;
  char why[60] = "";
  pillion_executor before = executor_new(), ex;
  executor_free(before);
  assert_ok(getrlimit(RLIMIT_NOFILE, &old));
  none = old;
  none.rlim_cur = 0;
  assert_ok(setrlimit(RLIMIT_NOFILE, &none));
  int rc = pillion_executor_new(&ex, NULL, why, sizeof why);
  assert_ok(setrlimit(RLIMIT_NOFILE, &old));
  assert_int_equal(rc, PILLION_ESYSTEM);
  assert_string_equal(why, "no eventfd: Too many open files");
  ex = executor_new();
  assert_int_equal(pillion__slot_of(ex), pillion__slot_of(before));
  executor_free(ex);
}

/* It has the generation that stands in the free place. */
TEST(forged_handle_of_a_freed_executor_or_pool) {
  pillion_executor_stats of_executor = PILLION_EXECUTOR_STATS_INIT;
  pillion_pool_stats of_pool = PILLION_POOL_STATS_INIT;
  pillion_executor executor = executor_new();
  pillion_pool pool = pool_new();
  executor_free(executor);
  pool_free(pool);
  assert_int_equal(pillion_executor_stat(&of_executor, executor + 1),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_pool_stat(&of_pool, pool + 1), PILLION_EBADHANDLE);
}

static void *use_forged(void *task) {
  assert_int_equal(pillion_task_detach(*(pillion_task *)task),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_evict(*(pillion_task *)task),
                   PILLION_EBADHANDLE);
  return NULL;
}

/* The end of an executor's owner closes it. */
TEST(forged_handle_of_a_free_cell_makes_no_owner) {
  pillion_executor executor = executor_new();
  struct probe probe = {.ready_at = 1}, next = {.ready_at = 1};
  pillion_task forged = spawn(executor, &probe, 0, PILLION_DETACH) + 1;
  turn(executor);
  assert_int_equal(probe.drops, 1);
  assert_ok(pillion_executor_release(executor));
  on_thread(use_forged, &forged);
  assert_int_equal(spawn(executor, &next, 0, PILLION_DETACH), forged);
  executor_free(executor);
}

TEST(many_executors_at_once) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.flags = PILLION_NO_FD;
  static pillion_executor all[4096];
  char why[40] = "";
  int n = 0, rc;
  while ((rc = pillion_executor_new(&all[n], &options, why, sizeof why)) == 0)
    n++;
  assert_int_equal(rc, PILLION_EAGAIN);
  assert_string_equal(why, "too many executors");
  assert_int_equal(n, 4095);
  assert_int_equal(library_counts().executors, 4095);
  while (n > 0) executor_free(all[--n]);
}

TEST(executor_without_a_descriptor) {
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

TEST(another_thread_gets_nothing) {
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {0};
  spawn(a.ex, &probe, 0, PILLION_DETACH); /* so this thread owns it */
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

GIVEN(an_executor, another_thread_neither_evicts_nor_detaches) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_JOIN);
  on_thread(touches_tasks, &probe);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  assert_int_equal(probe.awaited, PILLION_EWRONGTHREAD);
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

TEST(released_executor_goes_on_elsewhere) {
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {.ready_at = 2};
  spawn(a.ex, &probe, 1, PILLION_EVENT);
  turn(a.ex);
  assert_ok(pillion_executor_release(a.ex));
  pillion_wake(probe.waker); /* without an owner */
  on_thread(takes_over, &a);
  assert_ok(a.bind);
  assert_int_equal(a.turn, 1);
  assert_int_equal(a.live, 0);
  assert_ok(a.release);
  assert_int_equal(probe.polls, 2);
  assert_ok(pillion_executor_bind(a.ex));
  assert_ok(pillion_executor_bind(a.ex)); /* this thread owns it */
  executor_free(a.ex);
}

/* ---- Turns --------------------------------------------------------------- */

static pillion_executor other;

static int reenters(struct probe *probe, pillion_value *out,
                    pillion_context *cx) {
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

GIVEN(an_executor, what_must_not_be_called_inside_a_turn) {
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

GIVEN(an_executor, turn_refuses_what_can_never_be_right) {
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
}

static uint64_t live_of(pillion_executor executor) {
  uint64_t live = UINT64_MAX;
  assert_ok(pillion_executor_live(&live, executor));
  return live;
}

GIVEN(an_executor, live_is_told_between_turns_too) {
  struct probe probes[2] = {{.ready_at = 1}, {.ready_at = 2}};
  assert_int_equal(live_of(ex), 0);
  for (int i = 0; i < 2; i++) spawn(ex, &probes[i], (uint64_t)i, PILLION_EVENT);
  assert_int_equal(live_of(ex), 2); /* before any turn */
  assert_ok(pillion_executor_post(ex, 0, NULL, 0));
  assert_int_equal(live_of(ex), 2);
  assert_int_equal(turn(ex), 2);
  assert_int_equal(live_of(ex), progress.live);
  assert_int_equal(live_of(ex), 1);
  pillion_wake(probes[1].waker);
  assert_int_equal(live_of(ex), 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(live_of(ex), 0);

  pillion_pool pool = pool_new();
  assert_ok(pillion_pool_join(pool, ex, PILLION_HOLD));
  assert_int_equal(live_of(ex), 1);
  assert_ok(pillion_pool_leave(ex));
  assert_int_equal(live_of(ex), 0);
  pool_free(pool);
}

GIVEN(an_executor, turn_with_nothing_to_do_is_no_turn) {
  for (int i = 0; i < 5; i++) assert_int_equal(turn(ex), 0);
  assert_int_equal(stats_of(ex).turns, 0);
  assert_int_equal(progress.polled, 0);
  assert_int_equal(progress.more, 0);
  assert_int_equal(progress.live, 0);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

/* ---- Close --------------------------------------------------------------- */

GIVEN(an_executor, close_with_drain_refuses_spawns_and_lets_tasks_end) {
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
}

GIVEN(an_executor, close_with_cancel_ends_all_tasks) {
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
}

GIVEN(an_executor, drain_can_be_turned_into_cancel_but_not_back) {
  struct probe probe = {0};
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  turn(ex);
  assert_int_equal(progress.live, 1);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
}

static void *closes(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_executor_close(probe->executor, PILLION_CLOSE_CANCEL);
  return NULL;
}

static int closed_meanwhile(struct probe *probe, pillion_value *out,
                            pillion_context *cx) {
  if (probe->polls == 1) on_thread(closes, probe);
  return PILLION_PENDING;
}

/* The turn has looked for a close already, and a running turn gets no poke. */
GIVEN(an_executor, close_during_a_turn_is_not_lost) {
  struct probe probe = {.step = closed_meanwhile};
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  assert_ok(probe.rc);
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_false(readable(ex));
}

/* ---- Free ---------------------------------------------------------------- */

static void spawns_again(struct probe *probe) {
  probe->rc = pillion_task_spawn(NULL, probe->executor, &probing, probe, 0,
                                 PILLION_DETACH);
  probe->awaited = pillion_wake_local(probe->waker);
}

GIVEN(an_executor, free_drops_every_task_once) {
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
  assert_true(stubborn.rc < 0); /* free has closed the executor */
}

static void *frees(void *data) {
  struct attempt *a = data;
  a->free = pillion_executor_free(a->ex);
  return NULL;
}

TEST(free_from_another_thread_once_no_task_lives) {
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

TEST(free_of_a_released_executor_from_another_thread) {
  struct attempt a = {.ex = executor_new()};
  struct probe probe = {0};
  spawn(a.ex, &probe, 0, PILLION_EVENT);
  assert_ok(pillion_executor_release(a.ex));
  on_thread(frees, &a);
  assert_ok(a.free);
  assert_int_equal(probe.drops, 1);
}

GIVEN(an_executor, free_closes_the_descriptor) {
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
