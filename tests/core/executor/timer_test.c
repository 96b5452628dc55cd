/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Timers. Deadlines lie in the past, where the next turn finds them due, or
 * beyond FAR, where only a test's own clock ever comes.
 */
#include "support.h"

#define FAR (INT64_MAX / 2)

/* The deadline of the probe with this `state`. */
static int64_t deadline_of[4096];

static int arms(struct probe *probe, pillion_value *out, pillion_context *cx) {
  if (probe->polls == 1)
    probe->rc = pillion_timer_set(&probe->timer, cx, deadline_of[probe->state]);
  return PILLION_PENDING;
}

static void fire(pillion_executor ex, int64_t now) {
  pillion__timers_fire(pillion__executor_at(pillion__slot_of(ex)), now);
}

GIVEN(an_executor, timers_fire_in_the_order_of_their_deadlines) {
  static const char *const names[] = {"a", "b", "c", "d"};
  static const int64_t after[] = {30, 10, 20, 40};
  static struct probe probes[4];
  for (int i = 0; i < 4; i++) {
    deadline_of[i] = FAR + after[i];
    probes[i] = (struct probe){.step = arms, .dropped = clears_timer,
                               .name = names[i], .state = i};
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
  turn(ex);
  assert_int_equal(progress.deadline, FAR + 10);
  fire(ex, FAR + 9);
  turn(ex);
  trace("|");
  fire(ex, FAR + 35);
  turn(ex);
  assert_int_equal(progress.deadline, FAR + 40);
  assert_traced("a b c d | b c a");
}

GIVEN(an_executor, timers_of_equal_deadlines_all_fire) {
  static struct probe probes[9];
  deadline_of[0] = FAR;
  spawn_each(ex, probes, COUNT(probes), arms);
  turn(ex);
  fire(ex, FAR);
  turn(ex);
  for (size_t i = 0; i < COUNT(probes); i++)
    assert_int_equal(probes[i].polls, 2);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

/* A poll that arms a timer for the past doesn't fire it; the next turn does. */
GIVEN(an_executor, timer_in_the_past_fires_in_the_next_turn) {
  static struct probe probe = {.step = arms};
  deadline_of[0] = 1;
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(progress.deadline, 1);
  int64_t deadline;
  assert_ok(pillion_executor_deadline(&deadline, ex));
  assert_int_equal(deadline, 1);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

static int moves(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  pillion_timer_set(&probe->timer, cx, FAR + deadline_of[probe->polls - 1]);
  return PILLION_PENDING;
}

GIVEN(an_executor, armed_timer_is_moved) {
  static struct probe probe = {.step = moves, .dropped = clears_timer};
  const int64_t to[] = {50, 20, 80};
  spawn(ex, &probe, 0, PILLION_DETACH);
  for (size_t i = 0; i < COUNT(to); i++) {
    deadline_of[i] = to[i];
    turn(ex);
    assert_int_equal(progress.deadline, FAR + to[i]);
    pillion_wake_local(probe.waker);
  }
  deadline_of[3] = 90;
  turn(ex);
  fire(ex, FAR + 89);
  turn(ex);
  assert_int_equal(probe.polls, 4);
}

GIVEN(an_executor, timer_is_cleared_in_the_drop) {
  static struct probe a = {.step = arms, .dropped = clears_timer, .state = 0},
               b = {.step = arms, .dropped = clears_timer, .state = 1};
  deadline_of[0] = FAR + 1;
  deadline_of[1] = FAR + 2;
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  turn(ex);
  pillion_task_evict(a.task);
  memset(&a.timer, 0xff, sizeof a.timer); /* its storage is free */
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.deadline, FAR + 2);
  pillion_timer_clear(&b.timer); /* outside of polls, too */
  pillion_timer_clear(&b.timer);
  turn(ex);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

GIVEN(an_executor, timer_of_a_task_that_is_gone_wakes_nobody) {
  static struct probe gone = {.step = arms}, next = {0};
  deadline_of[0] = FAR;
  spawn(ex, &gone, 0, PILLION_DETACH);
  turn(ex);
  pillion_task_evict(gone.task);
  turn(ex);
  spawn(ex, &next, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(next.task), pillion__slot_of(gone.task));
  turn(ex);
  fire(ex, FAR);
  turn(ex);
  assert_int_equal(next.polls, 1);
}

GIVEN(an_executor, timer_of_the_far_future_is_never) {
  static struct probe probe = {.step = arms, .dropped = clears_timer};
  deadline_of[0] = PILLION_TIME_NEVER;
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  turn(ex);
  assert_int_equal(probe.polls, 1);
}

static pillion_timer shared;

static int arms_shared(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  probe->rc = pillion_timer_set(&shared, cx, FAR);
  return PILLION_READY;
}

TEST(timer_of_another_executor_is_refused) {
  pillion_executor a = executor_new(), b = executor_new();
  struct probe first = {.step = arms_shared}, second = {.step = arms_shared};
  memset(&shared, 0, sizeof shared);
  spawn(a, &first, 0, PILLION_DETACH);
  spawn(b, &second, 0, PILLION_DETACH);
  turn(a);
  turn(b);
  assert_ok(first.rc);
  assert_int_equal(second.rc, PILLION_EINVAL);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  executor_free(a); /* disarms the timers */
  struct probe third = {.step = arms_shared};
  spawn(b, &third, 0, PILLION_DETACH);
  turn(b);
  assert_ok(third.rc);
  executor_free(b);
}

/* ---- Async functions ----------------------------------------------------- */

struct nap {
  pillion_timer timer;
  int state, steps;
};

static int nap_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct nap *nap = self;
  PILLION_ASYNC(nap->state);
  nap->steps++;
  PILLION_AWAIT(nap->state, pillion_sleep(&nap->timer, cx, MS));
  nap->steps++;
  PILLION_AWAIT(nap->state, pillion_sleep(&nap->timer, cx, 0));
  nap->steps++;
  pillion_value_set(out, "rested", 6);
  PILLION_RETURN(nap->state);
  PILLION_ASYNC_END;
}

static const pillion_future napping = {sizeof napping, nap_poll, NULL};

/* Waits like a loop, for the descriptor or the deadline. */
static int turn_until_event(pillion_executor ex) {
  int n, fd, turns = 0;
  assert_ok(pillion_executor_fd(&fd, ex));
  while ((n = turn(ex)) == 0) {
    assert_true(++turns < 100);
    struct pollfd watched = {fd, POLLIN, 0};
    int64_t left = progress.deadline - pillion__now();
    if (left > 0) poll(&watched, 1, (int)((left + MS - 1) / MS));
  }
  return n;
}

GIVEN(an_executor, async_function_sleeps_and_returns) {
  struct nap nap = {0};
  int64_t began = pillion__now();
  assert_ok(pillion_task_spawn(NULL, ex, &napping, &nap, 4, PILLION_EVENT));
  assert_int_equal(turn_until_event(ex), 1);
  assert_true(pillion__now() - began >= MS);
  assert_int_equal(nap.steps, 3);
  assert_memory_equal(pillion_event_data(&events[0]), "rested", 6);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

GIVEN(an_executor, sleep_survives_wakes_that_mean_nothing) {
  struct nap nap = {0};
  pillion_task task;
  assert_ok(pillion_task_spawn(&task, ex, &napping, &nap, 4, PILLION_EVENT));
  turn(ex);
  int64_t deadline = progress.deadline;
  pillion_wake(waker_of(task));
  turn(ex);
  if (nap.steps == 1) {
    assert_int_equal(progress.deadline, deadline);
    assert_int_equal(turn_until_event(ex), 1);
  }
  assert_int_equal(nap.steps, 3);
}

static int sleeps_for_ever(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  return pillion_sleep(&probe->timer, cx, INT64_MAX);
}

GIVEN(an_executor, endless_sleep_does_not_overflow) {
  static struct probe probe = {.step = sleeps_for_ever,
                               .dropped = clears_timer};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
}

static int fails_at_once(pillion_value *out, pillion_context *cx, void *self) {
  int *state = self;
  PILLION_ASYNC(*state);
  PILLION_AWAIT(*state, PILLION_EFAILED);
  PILLION_ASYNC_END;
}

GIVEN(an_executor, await_leaves_with_the_error) {
  static const pillion_future failing = {sizeof failing, fails_at_once, NULL};
  int self = 0;
  assert_ok(pillion_task_spawn(NULL, ex, &failing, &self, 0, PILLION_EVENT));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_EFAILED);
}
