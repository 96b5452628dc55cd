/* SPDX-License-Identifier: Apache-2.0 */

/* Time, and the loop's share of it. */
#include "rig.h"

/* A loop that woke early would go round until it is time: turns are counted. */
TEST(deadlines_are_met_late_but_never_early) {
  struct rig *rig = rig_new(record);
  static const int64_t lengths[] = {9 * MS + 1, 4 * MS, 1, 300000, 0, 4 * MS};
  struct doze naps[COUNT(lengths)];
  memset(naps, 0, sizeof naps);
  for (size_t i = 0; i < COUNT(naps); i++) {
    naps[i].ns = lengths[i];
    assert_ok(
        pillion_task_spawn(NULL, rig->ex, &dozing, &naps[i], i, PILLION_EVENT));
  }
  int rounds = 0;
  for (; rig->seen.count < COUNT(naps); rounds++) loop_round(rig->loop, 1);
  assert_int_equal(rig->seen.count, COUNT(naps));
  assert_true(rounds <= 20);
  for (size_t i = 0; i < COUNT(naps); i++)
    assert_true(naps[i].woke - naps[i].began >= naps[i].ns);
  assert_int_equal(rig->seen.event[COUNT(naps) - 1].token, 0);
  assert_true(stats_of(rig->ex).turns <= COUNT(naps));
  rig_free(rig);
}

struct ticker {
  void *loop;
  int ticks;
  struct probe *stop;
};

static void tick(void *data) {
  struct ticker *ticker = data;
  if (++ticker->ticks < 5) loop_after(ticker->loop, 1, tick, ticker);
  else ticker->stop->ready_at = ticker->stop->polls + 1;
}

TEST(a_task_that_wakes_itself_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe busy = {.wake_self = 1};
  struct ticker ticker = {.loop = rig->loop, .stop = &busy};
  spawn(rig->ex, &busy, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

static int overdue(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now - SECOND);
}

TEST(an_overdue_deadline_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  struct probe late = {.then = overdue, .data = &timer};
  struct ticker ticker = {.loop = rig->loop, .stop = &late};
  spawn(rig->ex, &late, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  pillion_timer_clear(&timer);
  rig_free(rig);
}

/* ---- The budget ---------------------------------------------------------- */

/* A round polls no more tasks than a turn may, and each in its turn. */
TEST(the_budget_bounds_a_round) {
  enum { TASKS = 100, MOST = 16 };
  static struct probe busy[TASKS];
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor executor;
  options.max_polls = MOST;
  assert_ok(pillion_executor_new(&executor, &options, NULL, 0));
  struct rig *rig = rig_of(executor, record);
  settle(rig);
  memset(busy, 0, sizeof busy);
  for (int i = 0; i < TASKS; i++) {
    busy[i].wake_self = 1;
    spawn(executor, &busy[i], i, PILLION_EVENT);
  }
  int stop = 0, rounds = 0, polls = 0;
  loop_after(rig->loop, 3, stop_rounds, &stop);
  for (; !stop || rounds < 20; rounds++) loop_round(rig->loop, 1);
  for (int i = 0; i < TASKS; i++) {
    polls += busy[i].polls;
    assert_true(busy[i].polls - busy[TASKS - 1].polls <= 1);
  }
  assert_true(polls > 0 && polls <= rounds * MOST);
  for (int i = 0; i < TASKS; i++) busy[i].ready_at = busy[i].polls + 1;
  rig_run(rig);
  assert_int_equal(rig->seen.count, TASKS);
  rig_free(rig);
}

static void count_one(void *data) { ++*(int *)data; }

/* Tasks that are always ready leave the program its descriptors. */
TEST(the_programs_descriptors_have_their_turn) {
  struct rig *rig = rig_new(record);
  struct probe busy = {.wake_self = 1};
  int ends[2], count = 0;
  pair_new(ends);
  assert_ok(loop_on_readable(rig->loop, ends[0], count_one, &count));
  assert_int_equal(write(ends[1], "x", 1), 1);
  spawn(rig->ex, &busy, 1, PILLION_EVENT);
  while (count < 10) loop_round(rig->loop, 1);
  assert_true(busy.polls > 0 && busy.polls < 100);
  busy.ready_at = busy.polls + 1;
  char byte;
  assert_int_equal(read(ends[0], &byte, 1), 1);
  while (rig->seen.count == 0) loop_round(rig->loop, 1);
  rig_free(rig);
  close(ends[0]);
  close(ends[1]);
}

/* ---- The clock ----------------------------------------------------------- */

/* It works for a while before each sleep: meanwhile a clock that the loop has
   read once is behind. */
struct worker {
  struct doze doze;
  int state, left;
};

static int work_and_sleep(pillion_value *out, pillion_context *cx, void *self) {
  struct worker *worker = self;
  PILLION_ASYNC(worker->state);
  for (; worker->left > 0; worker->left--) {
    int64_t until = pillion_adapter_now() + 9 * MS;
    while (pillion_adapter_now() < until) continue;
    worker->doze.began = cx->now;
    PILLION_AWAIT(worker->state,
                  pillion_sleep(&worker->doze.timer, cx, 18 * MS));
  }
  PILLION_RETURN(worker->state);
  PILLION_ASYNC_END;
}

static const pillion_future working = {sizeof working, work_and_sleep, NULL};

/* A timer that fired early would be armed again, in one more round. */
TEST(work_before_a_sleep_makes_no_timer_early) {
  struct rig *rig = rig_new(record);
  struct worker worker = {.left = 8};
  int rounds = 0;
  settle(rig);
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &working, &worker, 1, PILLION_EVENT));
  for (; rig->seen.count == 0; rounds++) loop_round(rig->loop, 1);
  assert_true(rounds < 13);
  rig_free(rig);
}

/* One of many is on time, also where others have the processors. */
TEST(the_soonest_sleep_ends_within_the_loops_resolution) {
  struct rig *rig = rig_new(record);
  int64_t soonest = SECOND;
  for (int i = 0; i < 30; i++) {
    struct doze nap = {.ns = MS / 3 + i * 10000};
    assert_ok(
        pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 1, PILLION_EVENT));
    rig_run(rig);
    int64_t late = nap.woke - nap.began - nap.ns;
    assert_true(late >= 0);
    if (late < soonest) soonest = late;
  }
  assert_true(soonest <= loop_resolution_us * INT64_C(1500));
  rig_free(rig);
}

static int rounds_of_a_wait(struct rig *rig) {
  int stop = 0, rounds = 0;
  loop_after(rig->loop, 6, stop_rounds, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  return rounds;
}

static int sleep_poll(pillion_value *out, pillion_context *cx, void *self) {
  return pillion_sleep(self, cx, 2 * MS);
}

static void sleep_drop(void *self) { pillion_timer_clear(self); }

static const pillion_future sleeping = {sizeof sleeping, sleep_poll,
                                        sleep_drop};

/* Its timer would end a wait. */
TEST(a_cancelled_sleep_wakes_no_loop) {
  enum { TIMES = 8 };
  struct rig *rig = rig_new(record);
  pillion_timer timers[TIMES] = {0};
  int without = 0, with = 0;
  settle(rig);
  for (int i = 0; i < TIMES; i++) {
    without += rounds_of_a_wait(rig);
    pillion_task task;
    assert_ok(pillion_task_spawn(&task, rig->ex, &sleeping, &timers[i], 1,
                                 PILLION_EVENT));
    settle(rig);
    assert_ok(pillion_task_cancel(task));
    settle(rig);
    with += rounds_of_a_wait(rig);
  }
  assert_true(with < without + TIMES / 2);
  assert_int_equal(rig->seen.count, TIMES);
  rig_free(rig);
}
