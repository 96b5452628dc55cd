/* SPDX-License-Identifier: Apache-2.0 */

/* What an executor's options change. */
#include "support.h"

TEST(clock_tells_futures_the_time) {
  ex = executor_at(12345);
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  struct pillion__executor *inside = pillion__executor_at(pillion__slot_of(ex));
  assert_int_equal(inside->context.now, 12345);
  virtual_now = 67890;
  pillion_wake_local(probe.waker);
  turn(ex);
  assert_int_equal(inside->context.now, 67890);
}

/* A slow task: two ticks of the clock a poll. */
static int ticks(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  virtual_now += 2;
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

TEST(clock_drives_the_budget) {
  static struct probe probes[200];
  ex = executor_at(1000);
  spawn_each(ex, probes, COUNT(probes), ticks);
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_ns = 2 * 100;
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  pillion_executor_turn(NULL, 0, &progress, ex, &budget);
  assert_int_equal(progress.polled, 128); /* at the second look */
}

/* Go gets the time that C's tasks have left, and at least one poll. */
TEST(time_budget_is_spent_once) {
  struct probe probe = {.step = ticks};
  ex = executor_at(1000);
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_ns = 10;
  spawn(ex, &probe, 0, PILLION_DETACH);
  pillion__guest_wake(pillion__slot_of(ex));
  pillion_executor_turn(NULL, 0, NULL, ex, &budget);
  assert_int_equal(guest.turns, 1);
  assert_int_equal(guest.max_ns, 8);
  budget.max_ns = 2;
  pillion__guest_wake(pillion__slot_of(ex));
  pillion_executor_turn(NULL, 0, NULL, ex, &budget);
  assert_int_equal(guest.max_ns, 1);
  budget.max_ns = 0; /* no limit */
  pillion__guest_wake(pillion__slot_of(ex));
  pillion_executor_turn(NULL, 0, NULL, ex, &budget);
  assert_int_equal(guest.max_ns, 0);
  assert_int_equal(guest.turns, 3);
  executor_free(ex);
  guest_reset();
}

static int tells_time(struct probe *probe, pillion_value *out,
                      pillion_context *cx) {
  *(int64_t *)probe->data = cx->now;
  return PILLION_READY;
}

TEST(time_before_zero_counts_as_zero) {
  int64_t seen_now = 1;
  ex = executor_at(-5);
  struct probe probe = {.step = tells_time, .data = &seen_now};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(seen_now, 0);
  assert_int_equal(pillion__guest_now(pillion__slot_of(ex)), 0);
}

TEST(budget_without_end_polls_all) {
  static struct probe probes[300];
  const int64_t times[] = {INT64_MIN, -1, 1000, INT64_MAX - 5000};
  for (size_t t = 0; t < COUNT(times); t++) {
    pillion_executor ex = executor_at(times[t]);
    spawn_each(ex, probes, COUNT(probes), ticks);
    pillion_budget budget = PILLION_BUDGET_INIT;
    budget.max_polls = UINT32_MAX;
    budget.max_ns = INT64_MAX;
    guest_reset();
    pillion__guest_wake(pillion__slot_of(ex)); /* Go gets half of the budget */
    progress = (pillion_progress)PILLION_PROGRESS_INIT;
    assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, &budget));
    assert_int_equal(progress.polled, 300);
    assert_int_equal(guest.max_polls, UINT32_MAX - 300);
    executor_free(ex);
  }
}

TEST(options_are_the_default_budget) {
  static struct probe probes[200];
  pillion_executor_options options = virtual_options(1000);
  options.max_polls = 150;
  ex = executor_with(&options);
  spawn_each(ex, probes, COUNT(probes), ticks);
  turn(ex);
  assert_int_equal(progress.polled, 150);
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_executor_turn(NULL, 0, &progress, ex, &budget); /* no limits */
  assert_int_equal(progress.polled, 150);
  budget.max_polls = 20;
  pillion_executor_turn(NULL, 0, &progress, ex, &budget);
  assert_int_equal(progress.polled, 20);
  executor_free(ex);

  options.max_ns = 2 * 60;
  ex = executor_with(&options);
  for (size_t i = 0; i < COUNT(probes); i++)
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(progress.polled, 64);
}

/* ---- The order of a seed ------------------------------------------------- */

enum { N = 20, TURNS = 5 };

static char order[N * TURNS];
static int polled;

static int notes(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  order[polled++] = (char)probe->state;
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

static void run_seeded(uint64_t seed, char *into) {
  struct probe probes[N];
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.seed = seed;
  pillion_executor ex = executor_with(&options);
  memset(probes, 0, sizeof probes);
  polled = 0;
  for (int i = 0; i < N; i++) {
    probes[i].step = notes;
    probes[i].state = i;
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
  for (int i = 0; i < TURNS; i++) turn(ex);
  assert_int_equal(polled, N * TURNS);
  memcpy(into, order, sizeof order);
  executor_free(ex);
}

TEST(same_seed_gives_the_same_order) {
  char first[N * TURNS], again[N * TURNS], other[N * TURNS];
  run_seeded(42, first);
  run_seeded(42, again);
  run_seeded(43, other);
  assert_memory_equal(first, again, sizeof first);
  assert_memory_not_equal(first, other, sizeof first);
  assert_memory_not_equal(first, first + N, N); /* turns differ */
}

TEST(seeded_turn_still_polls_each_task_once) {
  char got[N * TURNS];
  for (uint64_t seed = 1; seed < 50; seed++) {
    run_seeded(seed, got);
    for (int i = 0; i < TURNS; i++) {
      uint32_t seen = 0;
      for (int j = 0; j < N; j++) seen |= 1u << got[i * N + j];
      assert_int_equal(seen, (1u << N) - 1);
    }
  }
}

/* Some seeds keep two tasks in order, and some swap them. */
TEST(seed_swaps_two_tasks) {
  int in_order = 0, swapped = 0;
  for (uint64_t seed = 1; seed <= 32; seed++) {
    pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
    struct probe a = {.name = "a", .ready_at = 1}, b = a;
    b.name = "b";
    options.seed = seed;
    pillion_executor ex = executor_with(&options);
    spawn(ex, &a, 0, PILLION_DETACH);
    spawn(ex, &b, 0, PILLION_DETACH);
    traced[0] = 0;
    turn(ex);
    in_order += strcmp(traced, "a b") == 0;
    swapped += strcmp(traced, "b a") == 0;
    executor_free(ex);
  }
  assert_int_equal(in_order + swapped, 32);
  assert_in_range(swapped, 4, 28);
}

TEST(without_a_seed_it_is_first_in_first_out) {
  char got[N * TURNS];
  run_seeded(0, got);
  for (int i = 0; i < N * TURNS; i++) assert_int_equal(got[i], i % N);
}

/* ---- What is refused ----------------------------------------------------- */

TEST(impossible_options_are_refused) {
  pillion_executor ex;
  char why[100];
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.ready = (1u << 24) + 1;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_equal(why, "options.ready is 16777217, not 16777216 at most");
  options.ready = 0;
  options.max_ns = -1;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_equal(why, "options.max_ns is negative");
  options.max_ns = 0;
  assert_ok(pillion_executor_new(&ex, &options, why, sizeof why));
  executor_free(ex);
}
