/* SPDX-License-Identifier: Apache-2.0 */

/* When the host is told, how often, and by what. */
#include "support.h"

static uint64_t pokes(pillion_executor ex) { return stats_of(ex).pokes; }

/* ---- The descriptor ------------------------------------------------------ */

GIVEN(an_executor, descriptor_is_readable_exactly_while_there_is_work) {
  assert_false(readable(ex));
  struct probe probe = {.ready_at = 4};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_true(readable(ex));
  turn(ex);
  assert_false(readable(ex));
  pillion_wake(probe.waker);
  assert_true(readable(ex));
  turn(ex);
  assert_false(readable(ex));
  pillion_wake_local(probe.waker);
  assert_true(readable(ex));
  turn(ex);
  assert_false(readable(ex));

  pillion_wake(probe.waker);
  pillion_executor_turn(NULL, 0, &progress, ex, NULL);
  assert_int_equal(progress.more, 1); /* an event waits to be taken */
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_false(readable(ex));
}

GIVEN(an_executor, host_is_poked_once_a_burst) {
  static struct probe probes[20];
  spawn_each(ex, probes, COUNT(probes), NULL);
  assert_int_equal(pokes(ex), 1);
  turn(ex);
  for (int round = 2; round < 6; round++) {
    for (size_t i = 0; i < COUNT(probes); i++) pillion_wake(probes[i].waker);
    assert_int_equal(pokes(ex), round);
    turn(ex);
  }
}

static void *wakes(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_wake(probe->waker);
  return NULL;
}

static int woken_from_outside(struct probe *probe, pillion_value *out,
                              pillion_context *cx) {
  if (probe->polls == 2) on_thread(wakes, probe);
  return PILLION_PENDING;
}

/* The turn finds the wake when it ends, and tells the host itself. */
GIVEN(an_executor, nobody_pokes_a_running_executor) {
  static struct probe probe = {.step = woken_from_outside};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  pillion_wake(probe.waker);
  assert_int_equal(pokes(ex), 2);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_WOKEN);
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  assert_int_equal(pokes(ex), 3); /* at the turn's end */
  turn(ex);
  assert_int_equal(probe.polls, 3);
  assert_false(readable(ex));
  assert_int_equal(pokes(ex), 3);
}

/* A descriptor that is readable already is written no second time. */
GIVEN(an_executor, more_work_costs_no_more_pokes) {
  static struct probe probes[10];
  spawn_each(ex, probes, COUNT(probes), NULL);
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  for (size_t i = 0; i < COUNT(probes); i++)
    pillion_executor_turn(NULL, 0, &progress, ex, &one);
  assert_int_equal(pokes(ex), 1);
  assert_false(readable(ex));
}

GIVEN(an_executor, turn_that_nobody_asked_for_reads_nothing_away) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  for (int i = 0; i < 3; i++) turn(ex);
  on_thread(wakes, &probe);
  assert_true(readable(ex));
  turn(ex);
  assert_false(readable(ex));
  for (int i = 0; i < 3; i++) turn(ex);
  on_thread(wakes, &probe);
  assert_true(readable(ex));
}

/* ---- A poker that stands still ------------------------------------------- */

static struct pillion__executor *inside(pillion_executor ex) {
  return pillion__executor_at(pillion__slot_of(ex));
}

static uint32_t park_of(pillion_executor ex) {
  return atomic_load(&inside(ex)->park);
}

/* Another thread's poke, in its three parts. */
static void poker_wins(pillion_executor ex) {
  uint32_t park = atomic_fetch_add(&inside(ex)->park,
                                   PILLION__PARK_POKED + PILLION__PARK_POKER);
  assert_int_equal(park % PILLION__PARK_POKER, PILLION__PARK_IDLE);
}

static void poker_writes(pillion_executor ex) {
  uint64_t one = 1;
  int fd;
  assert_ok(pillion_executor_fd(&fd, ex));
  assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

static void poker_goes(pillion_executor ex) {
  atomic_fetch_sub(&inside(ex)->park, PILLION__PARK_POKER);
}

/* Until the poker runs again, the host must not spin. */
GIVEN(an_executor, turn_that_meets_a_poker_behind_its_write) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  poker_wins(ex);
  poker_writes(ex);
  pillion_wake(probe.waker);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(progress.more, 0);
  assert_false(readable(ex));
  assert_int_equal(park_of(ex), PILLION__PARK_IDLE + PILLION__PARK_POKER);

  /* Another post doesn't wait for that poker. */
  uint64_t before = pokes(ex);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_int_equal(pokes(ex), before + 1);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(probe.polls, 3);
  assert_false(readable(ex));
  poker_goes(ex);
  assert_int_equal(park_of(ex), PILLION__PARK_IDLE);

  /* The poker might have written late, so one more turn reads; then none. */
  turn(ex);
  uint64_t turns = stats_of(ex).turns;
  turn(ex);
  assert_int_equal(stats_of(ex).turns, turns);
}

/* Its write comes after all other work, and one turn reads it. */
GIVEN(an_executor, turn_that_meets_a_poker_before_its_write) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  poker_wins(ex);
  pillion_wake(probe.waker);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_false(readable(ex));
  poker_writes(ex);
  poker_goes(ex);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(progress.more, 0);
  assert_false(readable(ex));
  uint64_t turns = stats_of(ex).turns;
  turn(ex);
  assert_int_equal(stats_of(ex).turns, turns);
}

/* The turn may have read the poker's write: the host still must hear of the
   work that is left. */
TEST(turn_that_met_a_poker_and_has_more_tells_the_host) {
  for (int written = 0; written < 2; written++) {
    pillion_executor ex = executor_new();
    struct probe a = {0}, b = {0};
    spawn(ex, &a, 0, PILLION_DETACH);
    spawn(ex, &b, 0, PILLION_DETACH);
    turn(ex);
    poker_wins(ex);
    if (written) poker_writes(ex);
    turn(ex); /* takes the write out, if it came */
    assert_false(readable(ex));
    pillion_wake_local(a.waker);
    pillion_wake_local(b.waker);
    pillion_budget one = PILLION_BUDGET_INIT;
    one.max_polls = 1;
    pillion_executor_turn(NULL, 0, &progress, ex, &one);
    assert_int_equal(progress.more, 1);
    assert_true(readable(ex));
    turn(ex);
    assert_int_equal(b.polls, 2);
    assert_false(readable(ex));
    poker_goes(ex);
    executor_free(ex);
  }
}

struct poker {
  struct pillion__executor *inside;
  int fd;
  _Atomic ssize_t written;
};

static void *goes_on(void *data) {
  struct poker *poker = data;
  uint64_t one = 1;
  for (int i = 0; i < 1000; i++) sched_yield();
  atomic_store(&poker->written, write(poker->fd, &one, sizeof one));
  atomic_fetch_sub(&poker->inside->park, PILLION__PARK_POKER);
  return NULL;
}

TEST(free_waits_for_a_poker) {
  for (int met = 0; met < 2; met++) {
    pillion_executor ex = executor_new();
    struct poker poker = {inside(ex), -1, 0};
    assert_ok(pillion_executor_fd(&poker.fd, ex));
    turn(ex);
    poker_wins(ex);
    if (met) turn(ex);
    pthread_t thread = thread_start(goes_on, &poker);
    executor_free(ex);
    assert_int_equal(atomic_load(&poker.written), 8); /* it was still open */
    assert_int_equal(atomic_load(&poker.inside->park), PILLION__PARK_RUNNING);
    pthread_join(thread, NULL);
  }
}

/* ---- One core -------------------------------------------------------------- */

struct loop {
  pillion_executor ex;
  struct probe probe;
  pillion_host host;
  _Atomic int polls;
  _Atomic bool over;
};

static int counts_polls(struct probe *probe, pillion_value *out,
                        pillion_context *cx) {
  struct loop *loop = probe->data;
  atomic_store(&loop->polls, probe->polls);
  return loop->over ? PILLION_READY : PILLION_PENDING;
}

static void *turns_until_its_task_ends(void *data) {
  struct loop *loop = data;
  int fd;
  pillion_executor_fd(&fd, loop->ex);
  pillion_progress p = PILLION_PROGRESS_INIT;
  do {
    struct pollfd watched = {fd, POLLIN, 0};
    poll(&watched, 1, -1);
    pillion_executor_turn(NULL, 0, &p, loop->ex, NULL);
  } while (p.live > 0);
  pillion_executor_release(loop->ex);
  return NULL;
}

/* On one core the loop's thread often runs before the poker's write returns. */
TEST(wake_costs_one_poke_on_one_core) {
  enum { WAKES = 2000 };
  cpu_set_t all, first;
  assert_ok(sched_getaffinity(0, sizeof all, &all));
  int core = 0;
  while (!CPU_ISSET(core, &all)) core++;
  CPU_ZERO(&first);
  CPU_SET(core, &first);
  assert_ok(sched_setaffinity(0, sizeof first, &first));
  struct loop loop = {.ex = executor_new()};
  loop.probe = (struct probe){.step = counts_polls, .data = &loop};
  spawn(loop.ex, &loop.probe, 0, PILLION_DETACH);
  assert_ok(pillion_executor_release(loop.ex));
  pthread_t thread = thread_start(turns_until_its_task_ends, &loop);
  while (atomic_load(&loop.polls) < 1) sched_yield();
  uint64_t before = atomic_load(&inside(loop.ex)->pokes);
  for (int i = 1; i <= WAKES; i++) {
    loop.over = i == WAKES;
    pillion_wake(loop.probe.waker);
    while (atomic_load(&loop.polls) <= i) sched_yield();
  }
  pthread_join(thread, NULL);
  assert_true(atomic_load(&inside(loop.ex)->pokes) - before <= WAKES);
  sched_setaffinity(0, sizeof all, &all);
  executor_free(loop.ex);
}

/*
 * A hook during which the loop makes whole turns, as a loop with SCHED_FIFO on
 * the poker's core does.
 */
static void *turns_once(void *data) {
  struct loop *loop = data;
  pillion_executor_bind(loop->ex);
  pillion_executor_turn(NULL, 0, NULL, loop->ex, NULL);
  pillion_executor_release(loop->ex);
  return NULL;
}

static int preempting_calls;

static int loop_preempts(void *data) {
  if (++preempting_calls <= 10) on_thread(turns_once, data); /* enough */
  return 0;
}

TEST(poker_whose_loop_preempts_it_calls_the_hook_once) {
  struct loop loop = {.ex = executor_new()};
  loop.host = (pillion_host)PILLION_HOST_INIT;
  loop.host.wake = loop_preempts;
  loop.host.data = &loop;
  preempting_calls = 10;
  assert_ok(pillion_host_set(loop.ex, &loop.host));
  loop.probe = (struct probe){.step = counts_polls, .data = &loop};
  spawn(loop.ex, &loop.probe, 0, PILLION_DETACH);
  turn(loop.ex);
  assert_ok(pillion_executor_release(loop.ex));
  preempting_calls = 0;
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(pillion_wake(loop.probe.waker), PILLION_WOKEN);
    assert_int_equal(preempting_calls, i);
    assert_int_equal(loop.probe.polls, i + 1);
  }
  executor_free(loop.ex);
}

/* ---- Hooks --------------------------------------------------------------- */

static struct {
  int wakes, timers, lives, drops, after_drop;
  int wake_rc, last_live;
  int64_t last_deadline;
} told;

static int host_wake(void *data) {
  told.wakes++;
  if (told.drops > 0) told.after_drop++;
  return told.wake_rc;
}

static void host_timer(int64_t deadline, void *data) {
  told.timers++;
  told.last_deadline = deadline;
  if (told.drops > 0) told.after_drop++;
}

static void host_live(int live, void *data) {
  told.lives++;
  told.last_live = live;
  if (told.drops > 0) told.after_drop++;
}

static void host_drop(void *data) {
  told.drops++;
}

static int host_data;

static pillion_host hooks(void) {
  pillion_host host = PILLION_HOST_INIT;
  host.data = &host_data;
  host.wake = host_wake;
  host.timer = host_timer;
  host.live = host_live;
  host.drop = host_drop;
  memset(&told, 0, sizeof told);
  return host;
}

GIVEN(an_executor, wake_hook_takes_the_place_of_the_descriptor) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(told.wakes, 1); /* a new host is told once */
  turn(ex);
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(told.wakes, 2);
  assert_false(readable(ex));
  turn(ex);
  for (int i = 0; i < 5; i++) pillion_wake(probe.waker);
  assert_int_equal(told.wakes, 3);
  assert_int_equal(pokes(ex), 3);
  turn(ex);
  executor_free(ex);
  assert_int_equal(told.drops, 1);
  assert_int_equal(told.after_drop, 0);
}

/* A descriptor would stay readable; a hook must be called again. */
TEST(wake_hook_is_called_again_for_more) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.flags = PILLION_NO_FD;
  pillion_executor ex;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  struct probe a = {0}, b = {0};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  assert_int_equal(told.wakes, 2);
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  pillion_executor_turn(NULL, 0, &progress, ex, &one);
  assert_int_equal(progress.more, 1);
  assert_int_equal(told.wakes, 3);
  pillion_executor_turn(NULL, 0, &progress, ex, &one);
  assert_int_equal(progress.more, 0);
  assert_int_equal(told.wakes, 3);
  executor_free(ex);
  assert_int_equal(told.drops, 1);
}

/* This turn may be the host's answer to the poker's call of the hook. */
GIVEN(an_executor, wake_hook_is_called_again_if_the_turn_met_a_poker) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  static struct probe a = {0}, b = {0};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  turn(ex);
  poker_wins(ex);
  pillion_wake_local(a.waker);
  pillion_wake_local(b.waker);
  int before = told.wakes;
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  pillion_executor_turn(NULL, 0, &progress, ex, &one);
  assert_int_equal(progress.more, 1);
  assert_int_equal(told.wakes, before + 1);
  poker_goes(ex);
}

GIVEN(an_executor, refused_wake_is_counted) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  told.wake_rc = PILLION_ECLOSED;
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(stats_of(ex).poke_errors, 1);
  turn(ex);
  assert_int_equal(probe.polls, 1);
}

/* The poke went to the first host only: the next host must hear of it, too. */
GIVEN(an_executor, poke_survives_the_change_of_hosts) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH); /* goes to the hook */
  assert_false(readable(ex));
  assert_ok(pillion_host_set(ex, NULL));
  assert_int_equal(told.drops, 1);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(probe.polls, 1);
  assert_false(readable(ex));

  pillion_wake(probe.waker); /* and back again */
  host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(told.wakes, 1);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_ok(pillion_host_set(ex, NULL));
  turn(ex);
  assert_false(readable(ex));
  on_thread(wakes, &probe);
  assert_true(readable(ex));
  executor_free(ex);
  assert_int_equal(told.drops, 1);
}

GIVEN(an_executor, live_hook_tells_the_first_and_the_last) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  struct probe a = {.ready_at = 1}, b = {.ready_at = 2}, c = {.ready_at = 1};
  spawn(ex, &a, 0, PILLION_EVENT);
  assert_int_equal(told.lives, 1);
  assert_int_equal(told.last_live, 1);
  spawn(ex, &b, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(told.lives, 1);
  pillion_wake(b.waker);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(told.lives, 2);
  assert_int_equal(told.last_live, 0);
  spawn(ex, &c, 0, PILLION_JOIN);
  turn(ex);
  assert_int_equal(told.last_live, 1);
  assert_ok(pillion_task_detach(c.task)); /* outside a turn, too */
  assert_int_equal(told.last_live, 0);
  assert_int_equal(told.lives, 4);
}

/* Outside a turn it hears of them at once: the loop may be about to end. */
GIVEN(an_executor, live_hook_hears_of_the_owners_submissions) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  assert_int_equal(told.lives, 0);
  pillion_function loop = function("test.loop");
  pillion_task task;
  assert_ok(pillion_call_submit(&task, ex, loop, NULL, 0, 1, PILLION_EVENT));
  assert_int_equal(told.lives, 1);
  assert_int_equal(told.last_live, 1);
  pillion_call batch[2] = {{.function = loop}, {.function = loop}};
  assert_int_equal(pillion_call_batch(NULL, ex, batch, 2, NULL, PILLION_DETACH), 2);
  assert_int_equal(told.lives, 1);
}

GIVEN(an_executor, live_is_told_to_a_host_that_comes_late) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(told.last_live, 1);
  assert_int_equal(told.lives, 1);
}

static int arms(struct probe *probe, pillion_value *out, pillion_context *cx) {
  if (probe->polls == 2)
    pillion_timer_clear(&probe->timer);
  else
    pillion_timer_set(&probe->timer, cx, INT64_MAX / 2 + probe->polls);
  return PILLION_PENDING;
}

GIVEN(an_executor, timer_hook_is_called_when_the_deadline_changes) {
  pillion_host host = hooks();
  assert_ok(pillion_host_set(ex, &host));
  static struct probe other = {0};
  static struct probe probe = {.step = arms, .dropped = clears_timer};
  spawn(ex, &probe, 0, PILLION_DETACH);
  spawn(ex, &other, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(told.timers, 1);
  assert_int_equal(told.last_deadline, INT64_MAX / 2 + 1);
  pillion_wake(other.waker);
  turn(ex);
  assert_int_equal(told.timers, 1);
  pillion_wake(probe.waker);
  turn(ex);
  assert_int_equal(told.timers, 2);
  assert_int_equal(told.last_deadline, PILLION_TIME_NEVER);
}

static pillion_executor hooked;
static int hook_rc[3];
static struct probe from_hook;

static void live_does_everything(int live, void *data) {
  if (live) return;
  hook_rc[0] = pillion_executor_free(hooked);
  hook_rc[1] = pillion_executor_turn(NULL, 0, NULL, hooked, NULL);
  hook_rc[2] = pillion_task_spawn(NULL, hooked, &probing, &from_hook, 0,
                                  PILLION_DETACH);
}

/* The turn calls the hooks before it ends, so it finds what they spawn. */
TEST(hooks_are_inside_the_turn) {
  hooked = executor_new();
  pillion_host host = PILLION_HOST_INIT;
  host.live = live_does_everything;
  assert_ok(pillion_host_set(hooked, &host));
  memset(&from_hook, 0, sizeof from_hook);
  struct probe probe = {.ready_at = 1};
  spawn(hooked, &probe, 0, PILLION_DETACH);
  turn(hooked);
  assert_int_equal(hook_rc[0], PILLION_EREENTRANT);
  assert_int_equal(hook_rc[1], PILLION_EREENTRANT);
  assert_ok(hook_rc[2]);
  assert_true(readable(hooked));
  turn(hooked);
  assert_int_equal(from_hook.polls, 1);
  executor_free(hooked);
}

static void drop_frees(void *data) {
  *(int *)data = pillion_executor_free(hooked);
}

TEST(drop_of_old_hooks_may_free_the_executor) {
  hooked = executor_new();
  int rc = 1;
  pillion_host host = PILLION_HOST_INIT;
  host.data = &rc;
  host.drop = drop_frees;
  assert_ok(pillion_host_set(hooked, &host));
  assert_ok(pillion_host_set(hooked, NULL));
  assert_int_equal(rc, 0);
}

GIVEN(an_executor, host_of_the_wrong_size_is_refused) {
  pillion_host host = hooks();
  host.size = 8;
  assert_int_equal(pillion_host_set(ex, &host), PILLION_EINVAL);
  executor_free(ex);
  assert_int_equal(told.drops, 0);
}
