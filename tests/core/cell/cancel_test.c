/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cancels, asked and acknowledged: what they answer, from the owner's thread
 * and from others, at each point of a task's life; and shields.
 */
#include "support.h"

/* ---- Who asks ------------------------------------------------------------ */

struct asking {
  pillion_task task;
  int rc;
};

static void *asks(void *data) {
  struct asking *asking = data;
  asking->rc = pillion_task_cancel(asking->task);
  return NULL;
}

static int by_other(pillion_task task) {
  struct asking asking = {task, 99};
  pthread_t thread;
  pthread_create(&thread, NULL, asks, &asking);
  pthread_join(thread, NULL);
  return asking.rc;
}

static int (*const askers[])(pillion_task task) = {pillion_task_cancel,
                                                   by_other};
#define EACH_ASKER(ask) \
  for (int (*const *ask)(pillion_task) = askers; ask < askers + 2; ask++)

static void assert_ended(const struct probe *probe, int polls, int32_t status,
                         int outcome) {
  assert_int_equal(probe->polls, polls);
  assert_int_equal(probe->drops, 1);
  assert_int_equal(events[0].task, probe->task);
  assert_int_equal(events[0].status, status);
  assert_int_equal(events[0].outcome, outcome);
}

/* ---- The life of a task, point by point ---------------------------------- */

TEST(asked_before_its_first_poll) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe probe = {0};
    spawn(ex, &probe, 0, PILLION_EVENT);
    assert_int_equal((*ask)(probe.task), 0);
    EACH_ASKER(again) assert_int_equal((*again)(probe.task), 1);
    assert_int_equal(turn(ex), 1);
    assert_ended(&probe, 0, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_UNSTARTED);
    EACH_ASKER(again)
      assert_int_equal((*again)(probe.task), PILLION_EBADHANDLE);
    executor_free(ex);
  }
}

TEST(asked_while_it_waits) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe probe = {0};
    spawn(ex, &probe, 0, PILLION_EVENT);
    turn(ex);
    assert_int_equal((*ask)(probe.task), 0);
    assert_true(readable(ex));
    EACH_ASKER(again) assert_int_equal((*again)(probe.task), 1);
    assert_int_equal(turn(ex), 1);
    assert_ended(&probe, 1, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_RUNNING);
    executor_free(ex);
  }
}

/* The answer stays when the owner has taken the request out of its inbox. */
TEST(asked_stays_asked_when_the_inbox_was_emptied) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe first = {0}, probe = {0};
    pillion_budget one = PILLION_BUDGET_INIT;
    one.max_polls = 1;
    spawn(ex, &first, 0, PILLION_DETACH);
    spawn(ex, &probe, 0, PILLION_EVENT);
    assert_int_equal((*ask)(probe.task), 0);
    assert_ok(pillion_executor_turn(events, 1, NULL, ex, &one));
    assert_int_equal(probe.drops, 0); /* the budget ended before it */
    EACH_ASKER(again) assert_int_equal((*again)(probe.task), 1);
    assert_int_equal(pillion_wake(waker_of(probe.task)), PILLION_WOKEN);
    assert_int_equal(turn(ex), 1);
    assert_ended(&probe, 0, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_UNSTARTED);
    executor_free(ex);
  }
}

static int asks_for_itself(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  int (*ask)(pillion_task) = *(int (*const *)(pillion_task))probe->data;
  probe->rc = ask(probe->task);
  probe->awaited = pillion_task_cancel(probe->task);
  if (!probe->ready_at) return PILLION_PENDING;
  pillion_value_set(out, "kept", 4);
  return PILLION_READY;
}

TEST(asked_during_its_poll) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe probe = {.step = asks_for_itself, .data = (void *)ask};
    spawn(ex, &probe, 0, PILLION_EVENT);
    assert_int_equal(turn(ex), 0);
    assert_int_equal(probe.rc, 0);
    assert_int_equal(probe.awaited, 1);
    assert_int_equal(turn(ex), 1);
    assert_ended(&probe, 1, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_RUNNING);
    executor_free(ex);
  }
}

TEST(asked_during_the_poll_that_is_ready_is_too_late) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe probe = {
        .step = asks_for_itself, .data = (void *)ask, .ready_at = 1};
    spawn(ex, &probe, 0, PILLION_EVENT);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(probe.rc, 0);
    assert_ended(&probe, 1, 0, PILLION_OUTCOME_RETURNED);
    assert_int_equal(turn(ex), 0);
    executor_free(ex);
  }
}

GIVEN(an_executor, asked_after_its_end_until_it_is_taken) {
  struct probe probe = {.ready_at = 1};
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_int_equal(probe.drops, 1);
  EACH_ASKER(ask) assert_int_equal((*ask)(probe.task), 2);
  EACH_ASKER(ask) assert_int_equal((*ask)(probe.task), 2);
  assert_int_equal(turn(ex), 1);
  assert_ended(&probe, 1, 0, PILLION_OUTCOME_RETURNED);
  EACH_ASKER(ask) assert_int_equal((*ask)(probe.task), PILLION_EBADHANDLE);
}

/* A cancel of a slot's earlier task doesn't count for the next one. */
TEST(next_task_in_the_slot_was_not_asked) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct probe first = {0}, next = {0};
    spawn(ex, &first, 0, PILLION_EVENT);
    assert_int_equal((*ask)(first.task), 0);
    assert_int_equal(turn(ex), 1);
    spawn(ex, &next, 0, PILLION_EVENT);
    assert_int_equal(pillion__slot_of(next.task), pillion__slot_of(first.task));
    assert_int_equal(turn(ex), 0);
    assert_int_equal(next.polls, 1);
    assert_int_equal((*ask)(next.task), 0);
    assert_int_equal(turn(ex), 1);
    executor_free(ex);
  }
}

GIVEN(an_executor, close_counts_as_asking) {
  struct probe first = {0}, probe = {0};
  pillion_budget one = PILLION_BUDGET_INIT;
  one.max_polls = 1;
  spawn(ex, &first, 0, PILLION_DETACH);
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_ok(pillion_executor_turn(events, 1, NULL, ex, &one));
  EACH_ASKER(ask) assert_int_equal((*ask)(probe.task), 1);
  assert_int_equal(turn(ex), 1);
  assert_ended(&probe, 0, PILLION_ECANCELLED,
               PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

/* ---- With something in flight -------------------------------------------- */

/* Awaits `inner`, or sleeps if that is 0. Its drop cancels what it awaits. */
struct waits {
  struct probe probe; /* the first */
  const pillion_ops *ops;
  pillion_task inner;
};

static int waits_for_inner(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  struct waits *waits = (struct waits *)probe;
  waits->ops = cx->ops;
  if (waits->inner == 0) return pillion_sleep(&probe->timer, cx, SECOND);
  return pillion_join(out, cx, waits->inner);
}

static void passes_it_on(struct probe *probe) {
  struct waits *waits = (struct waits *)probe;
  pillion_timer_clear(&probe->timer);
  probe->rc = pillion_abandon(waits->ops, waits->inner);
}

#define WAITS {.step = waits_for_inner, .dropped = passes_it_on}

TEST(asked_while_a_timer_is_armed) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct waits waits = {.probe = WAITS};
    spawn(ex, &waits.probe, 0, PILLION_EVENT);
    turn(ex);
    assert_true(progress.deadline < PILLION_TIME_NEVER);
    assert_int_equal((*ask)(waits.probe.task), 0);
    assert_int_equal(turn(ex), 1);
    assert_ended(&waits.probe, 1, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_RUNNING);
    assert_ok(waits.probe.rc);
    assert_true(progress.deadline == PILLION_TIME_NEVER);
    executor_free(ex);
  }
}

TEST(asked_while_it_awaits_another_task) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct waits waits = {.probe = WAITS};
    struct probe inner = {0};
    waits.inner = spawn(ex, &inner, 0, PILLION_JOIN);
    spawn(ex, &waits.probe, 0, PILLION_EVENT);
    turn(ex);
    assert_int_equal((*ask)(waits.probe.task), 0);
    assert_int_equal(turn(ex), 1);
    assert_ended(&waits.probe, 1, PILLION_ECANCELLED,
                 PILLION_OUTCOME_CANCELLED_RUNNING);
    assert_ok(waits.probe.rc);
    assert_int_equal(inner.drops, 0); /* asked, and dropped in its own turn */
    assert_int_equal(progress.live, 1);
    turn(ex);
    assert_int_equal(inner.polls, 1);
    assert_int_equal(inner.drops, 1);
    assert_int_equal(progress.live, 0);
    EACH_ASKER(again) assert_int_equal((*again)(inner.task), PILLION_EBADHANDLE);
    executor_free(ex);
  }
}

TEST(asked_while_it_awaits_a_call_that_has_not_begun) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct waits waits = {.probe = WAITS};
    assert_ok(pillion_call_submit(&waits.inner, ex, function("test.echo"),
                                  "abc", 3, 0, PILLION_JOIN));
    spawn(ex, &waits.probe, 0, PILLION_EVENT);
    turn(ex);
    assert_int_equal((*ask)(waits.probe.task), 0);
    assert_int_equal(turn(ex), 1);
    assert_ok(waits.probe.rc);
    turn(ex);
    assert_int_equal(progress.live, 0); /* no turn had to run it */
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_false(job_take_up(&jobs[0]));
    executor_free(ex);
  }
}

TEST(asked_while_it_awaits_a_call_that_runs) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    struct waits waits = {.probe = WAITS};
    assert_ok(pillion_call_submit(&waits.inner, ex, function("test.echo"),
                                  "abc", 3, 0, PILLION_JOIN));
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_true(job_take_up(&jobs[0]));
    struct pillion__job running = jobs[0];
    spawn(ex, &waits.probe, 0, PILLION_EVENT);
    turn(ex);
    assert_int_equal((*ask)(waits.probe.task), 0);
    assert_int_equal(turn(ex), 1);
    assert_ok(waits.probe.rc);
    assert_int_equal(progress.live, 1); /* until Go has acknowledged it */
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_true(jobs[0].news);
    assert_ptr_equal(jobs[0].call, running.call);
    pillion__call_complete(running.call, PILLION_ECANCELLED,
                           PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
    turn(ex);
    assert_int_equal(progress.live, 0);
    executor_free(ex);
  }
}

/* ---- Calls --------------------------------------------------------------- */

TEST(call_at_each_point_of_its_life) {
  EACH_ASKER(ask) {
    pillion_executor ex = executor_new();
    pillion_task unstarted, running;
    pillion_function echo = function("test.echo");
    assert_ok(pillion_call_submit(&running, ex, echo, "a", 1, 1, 0));
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_true(job_take_up(&jobs[0]));
    struct pillion__job job = jobs[0];
    assert_ok(pillion_call_submit(&unstarted, ex, echo, "b", 1, 2, 0));

    assert_int_equal((*ask)(unstarted), 0);
    EACH_ASKER(again) assert_int_equal((*again)(unstarted), 2);
    assert_int_equal((*ask)(running), 0);
    EACH_ASKER(again) assert_int_equal((*again)(running), 1);
    job_return(&job, "in time", 7); /* the function ignores the cancel */
    EACH_ASKER(again) assert_int_equal((*again)(running), 2);

    assert_int_equal(turn(ex), 2);
    assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
    assert_int_equal(events[0].status, PILLION_ECANCELLED);
    assert_int_equal(events[1].outcome, PILLION_OUTCOME_RETURNED);
    assert_int_equal(events[1].status, 0);
    EACH_ASKER(again) {
      assert_int_equal((*again)(unstarted), PILLION_EBADHANDLE);
      assert_int_equal((*again)(running), PILLION_EBADHANDLE);
    }
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_false(jobs[0].news);
    assert_false(job_take_up(&jobs[0]));
    executor_free(ex);
  }
}

TEST(loop_call_at_each_point_of_its_life) {
  EACH_ASKER(ask) {
    guest_reset();
    pillion_executor ex = executor_new();
    pillion_task unstarted, running;
    pillion_function loop = function("test.loop");
    assert_ok(pillion_call_submit(&running, ex, loop, "a", 1, 1, 0));
    assert_int_equal(turn(ex), 0);
    assert_int_equal(guest.post_count, 1);
    struct pillion__call *call = guest.posts[0].call;
    assert_ok(pillion_call_submit(&unstarted, ex, loop, "b", 1, 2, 0));

    assert_int_equal((*ask)(unstarted), 0);
    EACH_ASKER(again) assert_int_equal((*again)(unstarted), 2);
    assert_int_equal((*ask)(running), 0);
    EACH_ASKER(again) assert_int_equal((*again)(running), 1);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].token, 2);
    assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
    assert_int_equal(guest.post_count, 2); /* the other never came to Go */
    assert_int_equal(guest.posts[1].bits, PILLION__PEND_CANCEL);
    assert_ptr_equal(guest.posts[1].call, call);
    guest.loop_count = 0;
    pillion__call_complete(call, PILLION_ECANCELLED,
                           PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
    EACH_ASKER(again) assert_int_equal((*again)(running), 2);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
    EACH_ASKER(again) assert_int_equal((*again)(running), PILLION_EBADHANDLE);
    executor_free(ex);
  }
}

/* ---- Of many who ask at once, one is the first --------------------------- */

static struct {
  pillion_task tasks[256];
  _Atomic int first[256], gone, ready;
} race;

static void *asks_for_all(void *data) {
  atomic_fetch_add(&race.ready, 1);
  while (atomic_load(&race.ready) < 3) sched_yield();
  for (size_t i = 0; i < COUNT(race.tasks); i++) {
    int rc = pillion_task_cancel(race.tasks[i]);
    if (rc == 0) atomic_fetch_add(&race.first[i], 1);
    if (rc != 0 && rc != 1) atomic_fetch_add(&race.gone, 1);
  }
  return data;
}

GIVEN(an_executor, one_of_many_askers_is_the_first) {
  static struct probe probes[COUNT(race.tasks)];
  pthread_t threads[2];
  memset(&race, 0, sizeof race);
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++)
    race.tasks[i] = spawn(ex, &probes[i], 0, PILLION_JOIN); /* never joined */
  for (int i = 0; i < 2; i++) threads[i] = thread_start(asks_for_all, NULL);
  atomic_fetch_add(&race.ready, 1);
  while (atomic_load(&race.ready) < 3) sched_yield();
  int dropped = 0;
  while (dropped < (int)COUNT(probes)) { /* each turn empties the inbox */
    turn(ex);
    dropped = 0;
    for (size_t i = 0; i < COUNT(probes); i++) dropped += probes[i].drops;
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < COUNT(probes); i++)
    assert_int_equal(atomic_load(&race.first[i]), 1);
}
