/* SPDX-License-Identifier: Apache-2.0 */

/* C tasks through the library: polls, wakes, ends, and threads. */
#include "support.h"

static void end(pillion_executor ex) {
  pillion_executor_stats stats = stats_of(ex);
  assert_int_equal(stats.go_entries, 0);
  executor_free(ex);
}

/* ---- Wakes -------------------------------------------------------------- */

TEST(a_task_is_polled_in_the_next_turn_and_its_event_taken) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 1};
  struct seen seen = {0};
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_task task = spawn(ex, &probe, 42, PILLION_EVENT);
  assert_int_equal(probe.polls, 0);
  assert_int_equal(readable(ex, 0), 1);
  assert_int_equal(turn(ex, &seen, &progress), 1);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(progress.polled, 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(progress.more, 0);
  assert_true(progress.deadline == PILLION_TIME_NEVER);
  assert_int_equal(seen.event[0].token, 42);
  assert_true(seen.event[0].task == task);
  assert_int_equal(seen.event[0].status, 0);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_string_equal(seen.event[0].bytes, "probed");
  assert_int_equal(readable(ex, 0), 0);
  end(ex);
}

TEST(wakes_before_a_poll_are_one_poll) {
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  for (int i = 0; i < 10; i++)
    assert_int_equal(pillion_wake(probe.waker), PILLION_COALESCED);
  turn(ex, &seen, NULL);
  assert_int_equal(probe.polls, 2);
  turn(ex, &seen, NULL);
  assert_int_equal(probe.polls, 2);
  end(ex);
}

TEST(a_wake_during_a_poll_is_one_more) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 3, .wake_self = 1};
  struct seen seen = {0};
  pillion_progress progress = PILLION_PROGRESS_INIT;
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, &progress);
  assert_int_equal(probe.polls, 1); /* a turn polls a snapshot */
  assert_int_equal(progress.more, 1);
  assert_int_equal(readable(ex, 0), 1);
  turn(ex, &seen, &progress);
  assert_int_equal(probe.polls, 2);
  turn(ex, &seen, &progress);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(seen.count, 1);
  assert_int_equal(progress.more, 0);
  end(ex);
}

TEST(a_burst_of_wakes_pokes_the_host_once) {
  pillion_executor ex = executor_new();
  struct probe probes[100];
  struct seen seen = {0};
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++)
    spawn(ex, &probes[i], i, PILLION_EVENT);
  while (turn(ex, &seen, NULL) > 0 || readable(ex, 0)) {
  }
  uint64_t pokes = stats_of(ex).pokes;
  for (size_t i = 0; i < COUNT(probes); i++)
    assert_int_equal(pillion_wake(probes[i].waker), PILLION_WOKEN);
  assert_int_equal(stats_of(ex).pokes, pokes + 1);
  assert_int_equal(stats_of(ex).poke_errors, 0);
  turn(ex, &seen, NULL);
  for (size_t i = 0; i < COUNT(probes); i++)
    assert_int_equal(probes[i].polls, 2);
  end(ex);
  for (size_t i = 0; i < COUNT(probes); i++)
    assert_int_equal(probes[i].drops, 1);
}

TEST(a_wake_after_everything_is_gone_does_nothing) {
  pillion_executor ex = executor_new();
  struct probe done = {.ready_at = 1}, dropped = {0};
  struct seen seen = {0};
  spawn(ex, &done, 0, PILLION_EVENT);
  spawn(ex, &dropped, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  errno = 77;
  assert_int_equal(pillion_wake(done.waker), PILLION_STALE);
  assert_int_equal(pillion_wake_local(done.waker), PILLION_STALE);
  end(ex);
  assert_int_equal(pillion_wake(done.waker), PILLION_STALE);
  assert_int_equal(pillion_wake(dropped.waker), PILLION_STALE);
  assert_int_equal(errno, 77);
  /* The old wakers don't wake a new task in the same place either. */
  ex = executor_new();
  struct probe next = {0};
  spawn(ex, &next, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(pillion_wake(done.waker), PILLION_STALE);
  assert_int_equal(pillion_wake(dropped.waker), PILLION_STALE);
  turn(ex, &seen, NULL);
  assert_int_equal(next.polls, 1);
  end(ex);
}

static int wake_local(void *waker) {
  return pillion_wake_local(*(pillion_waker *)waker);
}

TEST(wake_local_is_for_the_owner) {
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(on_thread(wake_local, &probe.waker), PILLION_EWRONGTHREAD);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_WOKEN);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_COALESCED);
  assert_int_equal(readable(ex, 0), 1);
  turn(ex, &seen, NULL);
  assert_int_equal(probe.polls, 2);
  end(ex);
}

static pillion_waker from_handler;
static int handler_rc;
static void wake_in_handler(int signal) {
  handler_rc = pillion_wake(from_handler);
}

TEST(a_signal_handler_may_wake) {
  pillion_executor ex = executor_new();
  struct sigaction action, old;
  struct probe probe = {0};
  struct seen seen = {0};
  memset(&action, 0, sizeof action);
  action.sa_handler = wake_in_handler;
  action.sa_flags = SA_ONSTACK;
  assert_ok(sigaction(SIGUSR1, &action, &old));
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  from_handler = probe.waker;
  handler_rc = -1;
  assert_ok(raise(SIGUSR1));
  assert_int_equal(handler_rc, PILLION_WOKEN);
  assert_int_equal(readable(ex, 0), 1);
  turn(ex, &seen, NULL);
  assert_int_equal(probe.polls, 2);
  assert_ok(sigaction(SIGUSR1, &old, NULL));
  end(ex);
}

struct hammer {
  pillion_waker waker;
  _Atomic int *stop;
  uint64_t woken;
};

static int hammer(void *arg) {
  struct hammer *h = arg;
  while (!*h->stop) h->woken += pillion_wake(h->waker) == PILLION_WOKEN;
  return 0;
}

TEST(no_wake_is_lost_between_threads) {
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  struct seen seen = {0};
  _Atomic int stop = 0;
  struct hammer hammers[2];
  struct on_thread jobs[2];
  pthread_t threads[2];
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  for (int i = 0; i < 2; i++) {
    hammers[i] = (struct hammer){probe.waker, &stop, 0};
    jobs[i] = (struct on_thread){hammer, &hammers[i], -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  while (probe.polls < 5000) {
    assert_true(readable(ex, 10000) > 0);
    turn(ex, &seen, NULL);
  }
  stop = 1;
  for (int i = 0; i < 2; i++) assert_ok(pthread_join(threads[i], NULL));
  while (readable(ex, 0)) turn(ex, &seen, NULL);
  /* Each wake that was not coalesced is one poll, besides the first. */
  assert_int_equal(hammers[0].woken + hammers[1].woken,
                   (uint64_t)probe.polls - 1);
  end(ex);
}

/* ---- Ends --------------------------------------------------------------- */

TEST(an_error_ends_a_task) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 1, .error = PILLION_ETIMEDOUT};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].status, PILLION_ETIMEDOUT);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(seen.event[0].length, 0);
  assert_int_equal(probe.drops, 1);
  end(ex);
}

TEST(a_cancel_has_three_outcomes) {
  pillion_executor ex = executor_new();
  struct probe unstarted = {0}, running = {0}, done = {.ready_at = 1};
  struct seen seen = {0};
  pillion_task task = spawn(ex, &done, 1, PILLION_EVENT);
  pillion_progress progress = PILLION_PROGRESS_INIT;
  assert_int_equal(pillion_executor_turn(NULL, 0, &progress, ex, NULL), 0);
  assert_int_equal(progress.live, 1);
  assert_int_equal(pillion_task_cancel(task), 2); /* the task has ended */
  turn(ex, &seen, NULL);
  assert_int_equal(seen.event[0].status, 0);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);

  task = spawn(ex, &running, 2, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_int_equal(running.drops, 0);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.event[1].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[1].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(running.polls, 1);
  assert_int_equal(running.drops, 1);

  task = spawn(ex, &unstarted, 3, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.event[2].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[2].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(unstarted.polls, 0);
  assert_int_equal(unstarted.drops, 1);
  end(ex);
}

TEST(evict_drops_before_it_returns) {
  pillion_executor ex = executor_new();
  struct probe fresh = {0}, running = {0}, done = {.ready_at = 1};
  struct seen seen = {0};
  pillion_task task = spawn(ex, &running, 1, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(pillion_task_evict(task), 0);
  assert_int_equal(running.drops, 1);
  assert_int_equal(pillion_task_evict(task), 2);
  assert_true(pillion_wake(running.waker) >= 0); /* but polls nothing */
  task = spawn(ex, &fresh, 2, PILLION_EVENT);
  assert_int_equal(pillion_task_evict(task), 0);
  assert_int_equal(fresh.drops, 1);
  turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 2);
  assert_int_equal(seen.event[0].status, PILLION_ECANCELLED);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(seen.event[1].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  assert_int_equal(fresh.polls, 0);
  assert_int_equal(running.polls, 1);
  assert_int_equal(pillion_wake(running.waker), PILLION_STALE);
  task = spawn(ex, &done, 3, PILLION_EVENT);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_int_equal(pillion_task_evict(task), 2);
  turn(ex, &seen, NULL);
  assert_int_equal(done.drops, 1);
  end(ex);
}

static int evict_itself(struct probe *probe, pillion_context *cx) {
  return pillion_task_evict(probe->task);
}

static int evict_data(struct probe *probe, pillion_context *cx) {
  return pillion_task_evict(((struct probe *)probe->data)->task);
}

static int evict_elsewhere(void *task) {
  return pillion_task_evict(*(pillion_task *)task);
}

TEST(evict_inside_polls_and_on_other_threads) {
  pillion_executor ex = executor_new();
  struct probe victim = {0}, self = {.ready_at = 1, .then = evict_itself},
               killer = {.ready_at = 1, .then = evict_data, .data = &victim};
  struct seen seen = {0};
  spawn(ex, &killer, 1, PILLION_DETACH);
  spawn(ex, &victim, 2, PILLION_EVENT);
  spawn(ex, &self, 3, PILLION_EVENT);
  assert_int_equal(on_thread(evict_elsewhere, &victim.task),
                   PILLION_EWRONGTHREAD);
  run(ex, &seen);
  assert_ok(killer.answer);
  assert_int_equal(victim.drops, 1);
  assert_int_equal(victim.polls, 0);
  assert_int_equal(self.answer, PILLION_EREENTRANT);
  assert_int_equal(self.drops, 1);
  assert_int_equal(seen.count, 2);
  end(ex);
}

/* ---- Joins -------------------------------------------------------------- */

struct parent {
  int state;
  pillion_task child;
  int rc; /* of the join */
  pillion_value got;
  int drops;
};

static int parent_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct parent *parent = self;
  parent->rc = pillion_join(&parent->got, cx, parent->child);
  if (parent->rc == PILLION_PENDING) return PILLION_PENDING;
  pillion_value_set(out, "joined", 6);
  return PILLION_READY;
}

static void parent_drop(void *self) { ((struct parent *)self)->drops++; }

static const pillion_future parent_future = {sizeof(pillion_future),
                                             parent_poll, parent_drop};

TEST(a_join_gets_the_result_and_no_event_does) {
  pillion_executor ex = executor_new();
  struct probe child = {.ready_at = 3, .wake_self = 1};
  struct parent parent = {0}, late = {0};
  struct seen seen = {0};
  parent.child = spawn(ex, &child, 7, PILLION_JOIN);
  assert_ok(pillion_task_spawn(NULL, ex, &parent_future, &parent, 8,
                               PILLION_EVENT));
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].token, 8);
  assert_int_equal(parent.rc, PILLION_READY);
  assert_int_equal(parent.got.status, 0);
  assert_true(bytes_are(pillion_value_data(&parent.got), parent.got.length,
                        "probed"));
  assert_int_equal(child.drops, 1);
  /* One poll has taken the result, and the task is gone. */
  late.child = parent.child;
  assert_ok(pillion_task_spawn(NULL, ex, &parent_future, &late, 9,
                               PILLION_EVENT));
  run(ex, &seen);
  assert_int_equal(late.rc, PILLION_EBADHANDLE);
  end(ex);
}

TEST(a_join_learns_of_a_cancel) {
  pillion_executor ex = executor_new();
  struct probe child = {0};
  struct parent parent = {0};
  struct seen seen = {0};
  parent.child = spawn(ex, &child, 7, PILLION_JOIN);
  assert_ok(pillion_task_spawn(NULL, ex, &parent_future, &parent, 8,
                               PILLION_EVENT));
  turn(ex, &seen, NULL);
  assert_ok(pillion_task_cancel(parent.child));
  run(ex, &seen);
  assert_int_equal(parent.rc, PILLION_READY);
  assert_int_equal(parent.got.status, PILLION_ECANCELLED);
  end(ex);
}

static int join_itself(struct probe *probe, pillion_context *cx) {
  pillion_value value;
  return pillion_join(&value, cx, probe->task);
}

TEST(joins_that_cannot_be_are_refused) {
  pillion_executor ex = executor_new();
  struct probe child = {0}, event = {0},
               self = {.ready_at = 1, .then = join_itself};
  struct parent first = {0}, second = {0}, wrong = {0}, zero = {0};
  struct seen seen = {0};
  first.child = second.child = spawn(ex, &child, 0, PILLION_JOIN);
  wrong.child = spawn(ex, &event, 1, PILLION_EVENT);
  struct parent *all[] = {&first, &second, &wrong, &zero};
  for (size_t i = 0; i < COUNT(all); i++)
    assert_ok(pillion_task_spawn(NULL, ex, &parent_future, all[i], 10 + i,
                                 PILLION_EVENT));
  spawn(ex, &self, 2, PILLION_JOIN);
  for (int i = 0; i < 4; i++) turn(ex, &seen, NULL);
  assert_int_equal(first.rc, PILLION_PENDING);
  assert_int_equal(second.rc, PILLION_EBUSY);
  assert_int_equal(wrong.rc, PILLION_EINVAL);
  assert_int_equal(zero.rc, PILLION_EBADHANDLE);
  assert_int_equal(self.answer, PILLION_EINVAL);
  assert_ok(pillion_task_detach(self.task));
  end(ex);
  assert_int_equal(child.drops, 1);
  assert_int_equal(first.drops, 1);
}

TEST(detach_gives_a_result_up) {
  pillion_executor ex = executor_new();
  struct probe early = {.ready_at = 1}, late = {.ready_at = 2, .wake_self = 1};
  struct seen seen = {0};
  pillion_progress progress = PILLION_PROGRESS_INIT;
  spawn(ex, &early, 0, PILLION_JOIN);
  spawn(ex, &late, 0, PILLION_JOIN);
  turn(ex, &seen, NULL);
  assert_int_equal(early.drops, 1);
  assert_ok(pillion_task_detach(early.task)); /* has ended */
  assert_ok(pillion_task_detach(late.task));  /* goes on */
  assert_int_equal(pillion_task_detach(early.task), PILLION_EBADHANDLE);
  turn(ex, &seen, &progress);
  assert_int_equal(late.drops, 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(seen.count, 0);
  end(ex);
}

static int spawn_child(struct probe *probe, pillion_context *cx) {
  struct probe *child = probe->data;
  if (probe->polls > 1) return probe->answer;
  return pillion_spawn(&child->task, cx, &probing, child, 5,
                       PILLION_EVENT);
}

TEST(a_poll_may_spawn) {
  pillion_executor ex = executor_new();
  struct probe child = {.ready_at = 1};
  struct probe probe = {.ready_at = 1, .then = spawn_child, .data = &child};
  struct seen seen = {0};
  spawn(ex, &probe, 4, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_ok(probe.answer);
  assert_int_equal(child.polls, 0); /* a later turn polls it */
  run(ex, &seen);
  assert_int_equal(child.polls, 1);
  assert_int_equal(seen.count, 2);
  end(ex);
}

/* ---- Threads and reentrancy --------------------------------------------- */

static int reenter(struct probe *probe, pillion_context *cx) {
  pillion_executor ex = probe->ex;
  pillion_value value;
  int bad = 0;
  bad += pillion_executor_turn(NULL, 0, NULL, ex, NULL) != PILLION_EREENTRANT;
  bad += pillion_host_set(ex, NULL) != PILLION_EREENTRANT;
  bad += pillion_executor_release(ex) != PILLION_EREENTRANT;
  bad += pillion_executor_free(ex) != PILLION_EREENTRANT;
  bad += pillion_shutdown(PILLION_CLOSE_DRAIN, 0) != PILLION_EREENTRANT;
  bad += pillion_call_wait(&value, (uintptr_t)probe->data, "", 0, SECOND) !=
         PILLION_EREENTRANT;
  bad += pillion_task_wait(&value, probe->task, 0) != PILLION_EREENTRANT;
  return bad;
}

TEST(what_must_not_be_called_inside_a_turn_says_so) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 1,
                        .then = reenter,
                        .data = (void *)(uintptr_t)function("test.echo")};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_int_equal(probe.answer, 0);
  end(ex);
}

static int intrude(void *arg) {
  pillion_executor ex = *(pillion_executor *)arg;
  struct probe probe = {0};
  int64_t deadline;
  int bad = 0;
  bad += pillion_executor_turn(NULL, 0, NULL, ex, NULL) != PILLION_EWRONGTHREAD;
  bad += pillion_executor_deadline(&deadline, ex) != PILLION_EWRONGTHREAD;
  bad += pillion_host_set(ex, NULL) != PILLION_EWRONGTHREAD;
  bad += pillion_executor_bind(ex) != PILLION_EWRONGTHREAD;
  bad += pillion_executor_release(ex) != PILLION_EWRONGTHREAD;
  bad += pillion_executor_free(ex) != PILLION_EWRONGTHREAD;
  bad += pillion_task_spawn(NULL, ex, &probing, &probe, 0,
                            PILLION_EVENT) != PILLION_EWRONGTHREAD;
  return bad;
}

TEST(another_thread_is_told_that_it_is_wrong) {
  pillion_executor ex = executor_new();
  struct probe probe = {0};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(on_thread(intrude, &ex), 0);
  assert_int_equal(probe.polls, 1);
  end(ex);
}

static int turn_and_release(void *arg) {
  pillion_executor ex = *(pillion_executor *)arg;
  int rc = pillion_executor_bind(ex);
  if (rc == 0) rc = pillion_executor_turn(NULL, 0, NULL, ex, NULL);
  return rc < 0 ? rc : pillion_executor_release(ex);
}

TEST(an_executor_moves_by_release_and_bind) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 3, .wake_self = 1};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(on_thread(turn_and_release, &ex), PILLION_EWRONGTHREAD);
  assert_ok(pillion_executor_release(ex));
  assert_ok(on_thread(turn_and_release, &ex));
  assert_int_equal(probe.polls, 2);
  assert_ok(pillion_executor_bind(ex));
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  end(ex);
}

static int free_it(void *ex) {
  return pillion_executor_free(*(pillion_executor *)ex);
}

TEST(an_empty_executor_may_be_freed_on_any_thread) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 2};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_int_equal(on_thread(free_it, &ex), PILLION_EWRONGTHREAD);
  pillion_wake(probe.waker);
  run(ex, &seen);
  assert_ok(on_thread(free_it, &ex));
  assert_int_equal(pillion_executor_free(ex), PILLION_EBADHANDLE);
}

/* ---- Quotas, closing, hooks --------------------------------------------- */

TEST(over_max_tasks_a_spawn_is_asked_to_come_again) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  struct probe probes[4];
  struct seen seen = {0};
  memset(probes, 0, sizeof probes);
  options.max_tasks = 3;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  for (int i = 0; i < 3; i++) spawn(ex, &probes[i], i, PILLION_EVENT);
  assert_int_equal(pillion_task_spawn(NULL, ex, &probing, &probes[3], 3,
                                      PILLION_EVENT),
                   PILLION_EAGAIN);
  assert_int_equal(probes[3].drops, 0);
  assert_ok(pillion_task_cancel(probes[0].task));
  turn(ex, &seen, NULL);
  assert_int_equal(seen.count, 1);
  spawn(ex, &probes[3], 3, PILLION_EVENT);
  end(ex);
}

TEST(a_closed_executor_refuses_and_drains) {
  pillion_executor ex = executor_new();
  struct probe ends = {.ready_at = 2, .wake_self = 1}, stays = {0}, late = {0};
  struct seen seen = {0};
  pillion_progress progress = PILLION_PROGRESS_INIT;
  spawn(ex, &ends, 1, PILLION_EVENT);
  spawn(ex, &stays, 2, PILLION_EVENT);
  turn(ex, &seen, NULL);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_task_spawn(NULL, ex, &probing, &late, 0,
                                      PILLION_EVENT),
                   PILLION_ECLOSED);
  assert_int_equal(pillion_call_submit(NULL, ex, function("test.echo"), "", 0,
                                       0, PILLION_EVENT),
                   PILLION_ECLOSED);
  turn(ex, &seen, &progress);
  assert_int_equal(seen.count, 1);
  assert_int_equal(progress.live, 1);
  /* A cancel may follow a drain. */
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  run(ex, &seen);
  assert_int_equal(seen.count, 2);
  assert_int_equal(seen.event[1].token, 2);
  assert_int_equal(seen.event[1].status, PILLION_ECANCELLED);
  assert_int_equal(stays.drops, 1);
  assert_int_equal(late.drops, 0);
  end(ex);
}

struct hooks {
  int wakes, timers, drops, lives[8], lived;
  int64_t deadline;
};

static int hook_wake(void *data) {
  ((struct hooks *)data)->wakes++;
  return 0;
}
static void hook_timer(int64_t deadline, void *data) {
  ((struct hooks *)data)->timers++;
  ((struct hooks *)data)->deadline = deadline;
}
static void hook_live(int live, void *data) {
  struct hooks *hooks = data;
  hooks->lives[hooks->lived++ % 8] = live;
}
static void hook_drop(void *data) { ((struct hooks *)data)->drops++; }

static int arm(struct probe *probe, pillion_context *cx) {
  if (probe->polls > 1) return 0;
  return pillion_timer_set(probe->data, cx, cx->now + 3600 * SECOND);
}

TEST(hooks_hear_of_wakes_timers_and_life) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  pillion_timer timer = {0};
  struct hooks hooks, others;
  pillion_host host = {sizeof host, &hooks,     hook_wake,
                       hook_timer,  hook_live,  hook_drop, NULL, NULL};
  struct probe probe = {.ready_at = 2, .then = arm, .data = &timer};
  struct seen seen = {0};
  int fd;
  memset(&hooks, 0, sizeof hooks);
  memset(&others, 0, sizeof others);
  options.flags = PILLION_NO_FD;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  assert_int_equal(pillion_executor_fd(&fd, ex), PILLION_EINVAL);
  assert_ok(pillion_executor_bind(ex));
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(hooks.lived, 0);
  spawn(ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(hooks.lived, 1);
  assert_int_equal(hooks.lives[0], 1);
  assert_int_equal(hooks.wakes, 1);
  turn(ex, &seen, NULL);
  assert_int_equal(hooks.timers, 1);
  assert_true(hooks.deadline == timer.deadline);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_int_equal(pillion_wake(probe.waker), PILLION_COALESCED);
  assert_int_equal(hooks.wakes, 2);
  pillion_timer_clear(&timer);
  turn(ex, &seen, NULL);
  assert_int_equal(hooks.timers, 2);
  assert_true(hooks.deadline == PILLION_TIME_NEVER);
  assert_int_equal(hooks.lived, 2);
  assert_int_equal(hooks.lives[1], 0);
  host.data = &others;
  assert_ok(pillion_host_set(ex, &host));
  assert_int_equal(hooks.drops, 1);
  executor_free(ex);
  assert_int_equal(hooks.drops, 1);
  assert_int_equal(others.drops, 1);
}

static int wake_fails(void *data) {
  return PILLION_ECLOSED;
}

TEST(a_host_that_is_gone_is_counted) {
  pillion_executor ex = executor_new();
  pillion_host host = PILLION_HOST_INIT;
  struct probe probe = {0};
  struct seen seen = {0};
  host.wake = wake_fails;
  assert_ok(pillion_executor_bind(ex));
  assert_ok(pillion_host_set(ex, &host));
  spawn(ex, &probe, 1, PILLION_EVENT);
  turn(ex, &seen, NULL);
  uint64_t before = stats_of(ex).poke_errors;
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_int_equal(stats_of(ex).poke_errors, before + 1);
  end(ex);
}

TEST(the_budget_bounds_a_turn_and_all_get_their_turn) {
  pillion_executor ex = executor_new();
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  struct probe probes[50];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].wake_self = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
  }
  budget.max_polls = 20;
  for (int i = 0; i < 10; i++) {
    assert_int_equal(pillion_executor_turn(NULL, 0, &progress, ex, &budget), 0);
    assert_in_range(progress.polled, 1, 20);
    assert_int_equal(progress.more, 1);
    int least = probes[0].polls, most = least;
    for (size_t j = 0; j < COUNT(probes); j++) {
      if (probes[j].polls < least) least = probes[j].polls;
      if (probes[j].polls > most) most = probes[j].polls;
    }
    assert_true(most - least <= 1);
  }
  end(ex);
}

TEST(free_drops_what_lives_once) {
  pillion_executor ex = executor_new();
  struct probe probes[3000];
  struct seen seen = {0};
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = i % 3 == 0;
    spawn(ex, &probes[i], i, (uint32_t)(i % 2));
  }
  for (int i = 0; i < 3; i++) turn(ex, &seen, NULL);
  end(ex);
  for (size_t i = 0; i < COUNT(probes); i++) {
    assert_int_equal(probes[i].drops, 1);
    assert_true(pthread_equal(probes[i].dropped_by, pthread_self()));
  }
}

TEST(stats_count_what_happened) {
  pillion_executor ex = executor_new();
  struct probe probe = {.ready_at = 4};
  struct seen seen = {0};
  spawn(ex, &probe, 0, PILLION_EVENT);
  turn(ex, &seen, NULL);
  for (int i = 0; i < 3; i++) {
    pillion_wake(probe.waker);
    turn(ex, &seen, NULL);
  }
  pillion_executor_stats stats = stats_of(ex);
  assert_int_equal(stats.turns, 4);
  assert_int_equal(stats.polls, 4);
  assert_int_equal(stats.spawned, 1);
  assert_int_equal(stats.dropped, 1);
  assert_int_equal(stats.events, 1);
  assert_int_equal(stats.calls, 0);
  assert_int_equal(stats.poke_errors, 0);
  end(ex);
}
