/* SPDX-License-Identifier: Apache-2.0 */

/* Ends that wait for company: what ends the wait, and how often the host is told. */
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "support.h"

#define FOR_EVER UINT32_MAX /* ns: four seconds, longer than any test waits */

static pillion_executor gathers(uint32_t ns) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.gather = ns;
  return executor_with(&options);
}

static void one_that_gathers(void) { ex = gathers(FOR_EVER); }

static uint64_t pokes(pillion_executor ex) { return stats_of(ex).pokes; }

static struct pillion__executor *inside(pillion_executor ex) {
  return pillion__executor_at(pillion__slot_of(ex));
}

/* How long the timer will still run; 0: it doesn't run. */
static int64_t armed(pillion_executor ex) {
  struct itimerspec left;
  assert_ok(timerfd_gettime(atomic_load(&inside(ex)->timer), &left));
  return left.it_value.tv_sec * SECOND + left.it_value.tv_nsec;
}

/* Starts `n` calls, which run as jobs[0] and so on. */
static void calls_run(pillion_executor ex, int n, uint32_t mode) {
  pillion_function echo = function("test.echo");
  for (int i = 0; i < n; i++)
    assert_ok(pillion_call_submit(NULL, ex, echo, "x", 1, (uint64_t)i, mode));
  turn(ex);
  assert_int_equal(pillion__ring_take(jobs, n), n);
  for (int i = 0; i < n; i++) assert_true(job_take_up(&jobs[i]));
}

static void ends(int from, int to) {
  for (int i = from; i < to; i++) job_echo(&jobs[i]);
}

static void waits_readable(pillion_executor ex) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  assert_int_equal(poll(&watched, 1, -1), 1);
}

GIVEN(one_that_gathers, host_is_told_once_half_have_ended) {
  calls_run(ex, 64, PILLION_EVENT);
  uint64_t before = pokes(ex);
  ends(0, 31);
  assert_false(readable(ex));
  assert_int_equal(pokes(ex), before);
  ends(31, 40);
  assert_true(readable(ex));
  assert_int_equal(pokes(ex), before + 1);
  assert_int_equal(turn(ex), 40);
  for (int i = 0; i < 40; i++) assert_int_equal(events[i].token, i);
  assert_false(readable(ex));
  ends(40, 51); /* 11 of 24: not half */
  assert_false(readable(ex));
  ends(51, 52);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 12);
  ends(52, 64);
  assert_int_equal(pokes(ex), before + 3);
  assert_int_equal(turn(ex), 12);
  assert_int_equal(progress.live, 0);
}

GIVEN(one_that_gathers, only_one_waits_for_nothing) {
  for (int i = 0; i < 3; i++) {
    calls_run(ex, 1, PILLION_EVENT);
    assert_false(readable(ex));
    ends(0, 1);
    assert_true(readable(ex));
    assert_false(armed(ex));
    assert_int_equal(turn(ex), 1);
  }
}

TEST(timer_tells_of_the_first) {
  ex = gathers(1000);
  calls_run(ex, 8, PILLION_EVENT);
  uint64_t before = pokes(ex);
  for (int i = 0; i < 3; i++) {
    ends(i, i + 1);
    waits_readable(ex);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(progress.more, 0);
    assert_false(readable(ex)); /* or the host would spin */
    uint64_t turns = stats_of(ex).turns;
    turn(ex);
    assert_int_equal(stats_of(ex).turns, turns); /* a turn without work */
  }
  assert_int_equal(pokes(ex), before); /* nothing was written */
  ends(3, 8);
}

TEST(timer_runs_for_as_long_as_the_option_says) {
  const uint32_t lengths[] = {999999999, 1000000001, 4000000000};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    ex = gathers(lengths[i]);
    calls_run(ex, 8, PILLION_EVENT);
    int64_t before = pillion__now();
    ends(0, 1);
    int64_t left = armed(ex), passed = pillion__now() - before;
    assert_in_range(left, 0, lengths[i]);
    if (passed < lengths[i]) assert_true(left >= lengths[i] - passed);
    ends(1, 8);
    executor_free(ex);
  }
}

GIVEN(one_that_gathers, turn_before_the_timer_disarms_it) {
  calls_run(ex, 8, PILLION_EVENT);
  ends(0, 2);
  assert_true(armed(ex));
  assert_false(readable(ex));
  assert_int_equal(turn(ex), 2); /* its host comes for another reason */
  assert_false(armed(ex));
  assert_int_equal(atomic_load(&inside(ex)->park), PILLION__PARK_IDLE);
  ends(2, 3); /* and the next one arms it again */
  assert_true(armed(ex));
  ends(3, 8);
  assert_int_equal(turn(ex), 6);
  assert_false(armed(ex));
}

static void *first_end(void *data) {
  ends(0, *(int *)data);
  return NULL;
}

static int sees_ends(struct probe *probe, pillion_value *out,
                     pillion_context *cx) {
  if (probe->polls == 2) on_thread(first_end, &probe->state);
  return PILLION_PENDING;
}

/* In its turn another thread ends `n` of 8 calls, and pokes no host. */
static void turn_that_ends_meet(int n) {
  static struct probe probe;
  probe = (struct probe){.step = sees_ends, .state = n};
  spawn(ex, &probe, 0, PILLION_DETACH);
  calls_run(ex, 8, PILLION_EVENT);
  pillion_wake(probe.waker);
  assert_int_equal(turn(ex), 0);
}

/* The turn arms the timer for them when it ends. */
GIVEN(one_that_gathers, ends_that_meet_a_turn_are_waited_for) {
  turn_that_ends_meet(2);
  assert_int_equal(progress.more, 0);
  assert_true(armed(ex));
  assert_false(readable(ex));
  ends(2, 4);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 4);
  ends(4, 8);
}

GIVEN(one_that_gathers, enough_that_meet_a_turn_ask_for_another) {
  turn_that_ends_meet(8);
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  assert_false(armed(ex));
  assert_int_equal(turn(ex), 8);
}

static int ends_one(struct probe *probe, pillion_value *out,
                    pillion_context *cx) {
  if (probe->polls == 2) ends(0, 1);
  return PILLION_PENDING;
}

/* A function on the loop ends so: its host is awake, and needs no poke. */
GIVEN(one_that_gathers, end_in_the_own_turn_waits_for_nothing) {
  static struct probe probe = {.step = ends_one};
  spawn(ex, &probe, 0, PILLION_DETACH);
  calls_run(ex, 8, PILLION_EVENT);
  pillion_wake(probe.waker);
  turn(ex);
  assert_int_equal(progress.more, 1);
  assert_false(armed(ex));
  assert_int_equal(turn(ex), 1);
  ends(1, 8);
}

/* The turn that the wake asks for also takes the ends that wait. */
GIVEN(one_that_gathers, wake_waits_for_nothing) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  calls_run(ex, 8, PILLION_EVENT);
  ends(0, 1);
  assert_false(readable(ex));
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 2);
  assert_false(readable(ex));
  assert_false(armed(ex));
  ends(1, 8);
}

GIVEN(one_that_gathers, close_and_post_wait_for_nothing) {
  calls_run(ex, 8, PILLION_EVENT);
  ends(0, 1);
  assert_ok(pillion_executor_post(ex, 7, "post", 4));
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 2);
  ends(1, 2);
  assert_false(readable(ex));
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  ends(2, 8);
}

/* The turn takes posts in their order: first the end, then the wake. */
GIVEN(one_that_gathers, end_before_a_wake_is_told_with_it) {
  static struct probe probe = {.name = "woken"};
  spawn(ex, &probe, 0, PILLION_DETACH);
  calls_run(ex, 8, PILLION_JOIN);
  traced[0] = 0;
  for (int i = 0; i < 3; i++) {
    ends(i, i + 1);
    pillion_wake(probe.waker);
    turn(ex);
    assert_traced("woken");
    assert_true(jobs[i].call->head.flags & PILLION__TASK_ENDED);
  }
  ends(3, 8);
}

TEST(ends_of_a_pool_gather_too) {
  pillion_executor ex = gathers(FOR_EVER), worker = executor_new();
  pillion_pool pool = pool_new();
  struct probe probes[8];
  assert_ok(pillion_pool_join(pool, worker, 0));
  for (int i = 0; i < 8; i++) {
    probes[i] = (struct probe){.ready_at = i < 3 ? 1 : 2};
    pool_spawn(pool, ex, &probes[i], (uint64_t)i, PILLION_EVENT);
  }
  turn(worker); /* the ends of three */
  assert_false(readable(ex));
  pillion_wake(probes[3].waker);
  turn(worker);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 4);
  assert_ok(pillion_pool_leave(worker));
  pool_free(pool);
  executor_free(worker);
  executor_free(ex);
}

/* ---- Hosts --------------------------------------------------------------- */

static int hooked;

static int host_wake(void *data) {
  hooked++;
  return 0;
}

TEST(nothing_waits_for_a_host_with_a_hook) {
  pillion_host host = PILLION_HOST_INIT;
  host.wake = host_wake;
  ex = gathers(FOR_EVER);
  calls_run(ex, 8, PILLION_EVENT);
  ends(0, 1); /* while the first host is there */
  assert_true(armed(ex));
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(turn(ex), 1);
  for (int i = 1; i < 4; i++) {
    hooked = 0;
    ends(i, i + 1);
    assert_int_equal(hooked, 1);
    assert_int_equal(turn(ex), 1);
  }
  assert_ok(pillion_host_set(ex, NULL));
  turn(ex);
  assert_false(armed(ex)); /* the first host's timer is off */
  assert_false(readable(ex));
  ends(4, 5);
  assert_true(armed(ex));
  ends(5, 8);
}

static int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

TEST(executor_that_is_freed_takes_its_descriptors_along) {
  int before = descriptors(), fd;
  for (int i = 0; i < 3; i++) {
    pillion_executor ex = gathers(FOR_EVER);
    assert_int_equal(descriptors(), before + 3);
    assert_ok(pillion_executor_fd(&fd, ex));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    calls_run(ex, 4, PILLION_EVENT);
    ends(0, 1);
    struct pillion__executor *gone = inside(ex);
    executor_free(ex);
    assert_int_equal(atomic_load(&gone->timer), -1);
    assert_int_equal(atomic_load(&gone->watched_fd), -1);
    ends(1, 4); /* late ones find nothing to arm */
    assert_int_equal(descriptors(), before);
  }
  pillion_executor ex = executor_new(); /* in the same memory */
  assert_int_equal(descriptors(), before + 1);
  assert_false(readable(ex));
  executor_free(ex);
}

TEST(too_few_descriptors_are_told) {
  struct rlimit old, less;
  char why[100] = "";
  pillion_executor ex;
  int before = descriptors(), next = dup(0), rc[3];
  close(next);
  assert_ok(getrlimit(RLIMIT_NOFILE, &old));
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.gather = 1;
  for (int room = 0; room < 3; room++) {
    less = (struct rlimit){(rlim_t)(next + room), old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &less);
    rc[room] = pillion_executor_new(&ex, &options, why, sizeof why);
    setrlimit(RLIMIT_NOFILE, &old);
  }
  for (int room = 0; room < 3; room++)
    assert_int_equal(rc[room], PILLION_ESYSTEM);
  assert_string_equal(why, "no descriptors to gather with: Too many open files");
  assert_int_equal(descriptors(), before);
  options.flags = PILLION_NO_FD;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_equal(why, "options.gather needs a descriptor");
  options.gather = 0;
  assert_ok(pillion_executor_new(&ex, &options, why, sizeof why));
  executor_free(ex);
}

int main(void) {
  guest_install();
  assert_ok(pillion_start(NULL, NULL, 0));
  return test_main();
}
