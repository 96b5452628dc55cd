/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random programs of timers beside a plain sorted model: what fires, in which
 * order, and which deadline the host is told.
 */
#include "support.h"

enum { N = 400 };

static uint64_t seed;

static uint64_t draw(uint64_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % below;
}

/* From nanoseconds to years, each order of magnitude as likely as the others. */
static int64_t draw_span(void) { return (int64_t)draw(2 + (UINT64_C(1) << draw(56))); }

/* ---- The model ----------------------------------------------------------- */

static struct {
  int64_t deadline;
  uint64_t armed; /* when: 0 is not */
} model[N];
static uint64_t arming;
static int expected[N], fired[N];
static int fired_count;

static int by_deadline(const void *a, const void *b) {
  int i = *(const int *)a, j = *(const int *)b;
  if (model[i].deadline != model[j].deadline)
    return model[i].deadline < model[j].deadline ? -1 : 1;
  return model[i].armed < model[j].armed ? -1 : 1;
}

static int model_fire(int64_t now) {
  int n = 0;
  for (int i = 0; i < N; i++)
    if (model[i].armed != 0 && model[i].deadline <= now) expected[n++] = i;
  qsort(expected, (size_t)n, sizeof *expected, by_deadline);
  for (int i = 0; i < n; i++) model[expected[i]].armed = 0;
  return n;
}

static int64_t model_deadline(void) {
  int64_t least = PILLION_TIME_NEVER;
  for (int i = 0; i < N; i++)
    if (model[i].armed != 0 && model[i].deadline < least)
      least = model[i].deadline;
  return least;
}

/* ---- The program --------------------------------------------------------- */

static struct probe probes[N], driver;
static int operations, with_clears;

static int records(struct probe *probe, pillion_value *out,
                   pillion_context *cx) {
  if (probe->polls > 1 && fired_count < N)
    fired[fired_count++] = (int)(probe - probes);
  return PILLION_PENDING;
}

static int64_t draw_deadline(int64_t now) {
  switch (draw(20)) {
    case 0: return PILLION_TIME_NEVER;
    case 1: return now;
    case 2: return now - draw_span();
    case 3: return -draw_span();
    case 4: case 5: case 6: /* equal to another timer's */
      return model[draw(N)].deadline;
    default: return now + draw_span();
  }
}

/* Arms and clears the timers of the other tasks. */
static int drives(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  for (; operations > 0; operations--) {
    uint64_t i = draw(N);
    if (with_clears && draw(3) == 0) {
      pillion_timer_clear(&probes[i].timer);
      model[i].armed = 0;
      continue;
    }
    if (!with_clears && model[i].armed != 0) continue;
    pillion_context as = *cx;
    as.waker = probes[i].waker;
    int64_t deadline = draw_deadline(cx->now);
    probes[i].rc = pillion_timer_set(&probes[i].timer, &as, deadline);
    model[i].deadline = deadline;
    model[i].armed = deadline == PILLION_TIME_NEVER ? 0 : ++arming;
  }
  return PILLION_PENDING;
}

/* The turn that fires what is due now. */
static void fire_and_compare(pillion_executor ex) {
  int n = model_fire(virtual_now);
  fired_count = 0;
  do turn(ex);
  while (progress.more);
  assert_int_equal(fired_count, n);
  assert_memory_equal(fired, expected, (size_t)n * sizeof *fired);
}

static void run_program(uint64_t with_seed, int steps, int clears) {
  seed = with_seed;
  with_clears = clears;
  memset(model, 0, sizeof model);
  memset(probes, 0, sizeof probes);
  driver = (struct probe){.step = drives};
  pillion_executor_options options = virtual_options((int64_t)draw(SECOND));
  options.max_polls = 2 * N;
  pillion_executor ex = executor_with(&options);
  for (int i = 0; i < N; i++) {
    probes[i].step = records;
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
  spawn(ex, &driver, 0, PILLION_DETACH);
  turn(ex);
  for (int step = 0; step < steps; step++) {
    operations = 1 + (int)draw(20);
    pillion_wake_local(driver.waker);
    fire_and_compare(ex);
    if (draw(4) == 0 && progress.deadline != PILLION_TIME_NEVER &&
        progress.deadline > virtual_now)
      virtual_now = progress.deadline;
    else
      virtual_now += draw_span() >> draw(56);
    if (virtual_now > PILLION_TIME_NEVER / 2) virtual_now = 1; /* it goes back */
    if (clears)
      assert_true(progress.deadline <= model_deadline());
    else
      assert_int_equal(progress.deadline, model_deadline());
  }

  /* As a host does it: from deadline to deadline, few of them in vain. */
  int turns = 0;
  for (; progress.deadline != PILLION_TIME_NEVER; turns++) {
    if (progress.deadline > virtual_now) virtual_now = progress.deadline;
    fire_and_compare(ex);
    assert_true(turns < 12 * N);
  }
  assert_int_equal(model_deadline(), PILLION_TIME_NEVER);
  executor_free(ex);
}

TEST(programs_that_arm_and_fire) {
  for (uint64_t i = 1; i <= 20; i++) run_program(i * 7919, 1000, 0);
}

TEST(programs_that_move_and_clear_too) {
  for (uint64_t i = 1; i <= 20; i++) run_program(i * 104729, 1000, 1);
}
