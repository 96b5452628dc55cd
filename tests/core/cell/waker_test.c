/* SPDX-License-Identifier: Apache-2.0 */

/* The waker contract of future.h, sentence by sentence. */
#include "support.h"

GIVEN(an_executor, n_wakes_give_one_poll) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.polls, 1);

  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  for (int i = 0; i < 9; i++)
    assert_int_equal(pillion_wake(probe.waker), PILLION_COALESCED);
  turn(ex);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(stats_of(ex).wakes, 1);
}

static int wake_itself(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  if (probe->polls == 1) {
    probe->rc = pillion_wake(cx->waker);
    probe->awaited = pillion_wake(cx->waker);
  }
  return PILLION_PENDING;
}

GIVEN(an_executor, wake_during_poll_gives_one_more) {
  static struct probe probe = {.step = wake_itself};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_WOKEN);
  assert_int_equal(probe.awaited, PILLION_COALESCED);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(progress.more, 0);
  turn(ex);
  assert_int_equal(probe.polls, 2);
}

GIVEN(an_executor, wake_before_first_poll_is_kept) {
  static struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(pillion_wake(waker_of(task)), PILLION_WOKEN);
  assert_int_equal(pillion_wake_local(waker_of(task)), PILLION_COALESCED);
  turn(ex);
  assert_int_equal(probe.polls, 1); /* one poll answers both */
  turn(ex);
  assert_int_equal(probe.polls, 1);
}

GIVEN(an_executor, wake_after_completion_is_stale) {
  struct probe probe = {.ready_at = 1};
  spawn(ex, &probe, 7, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_STALE);
  assert_false(readable(ex));
}

/* The task has ended and its event waits: a wake finds nothing to poll. */
GIVEN(an_executor, wake_after_the_end_polls_nothing) {
  struct probe probe = {.ready_at = 1};
  spawn(ex, &probe, 7, PILLION_EVENT);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_STALE);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(probe.drops, 1);
}

static int wakes_itself_and_ends(struct probe *probe, pillion_value *out,
                                 pillion_context *cx) {
  probe->rc = pillion_wake(cx->waker);
  return PILLION_READY;
}

/* The task's own wake is pending when the task ends. */
GIVEN(an_executor, wake_that_is_pending_after_the_end_is_stale) {
  struct probe probe = {.step = wakes_itself_and_ends};
  spawn(ex, &probe, 7, PILLION_EVENT);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  assert_int_equal(probe.rc, PILLION_WOKEN);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  assert_int_equal(turn(ex), 1);

  spawn(ex, &probe, 7, PILLION_EVENT);
  assert_int_equal(turn(ex), 1); /* ended and taken: the cell is free */
  assert_int_equal(probe.rc, PILLION_WOKEN);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  turn(ex);
  assert_int_equal(probe.polls, 2);
}

GIVEN(an_executor, wake_after_slot_was_recycled_is_stale) {
  static struct probe old = {.ready_at = 1}, new = {0};
  spawn(ex, &old, 0, PILLION_DETACH);
  turn(ex);
  spawn(ex, &new, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(new.task), pillion__slot_of(old.task));
  turn(ex);
  assert_int_equal(pillion_wake(old.waker), PILLION_STALE);
  assert_int_equal(pillion_wake_local(old.waker), PILLION_STALE);
  turn(ex);
  assert_int_equal(new.polls, 1);
}

GIVEN(an_executor, wake_after_executor_was_freed_is_stale) {
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  executor_free(ex);
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_STALE);

  ex = executor_new(); /* the same memory, and the same slots */
  assert_int_equal(pillion_wake(probe.waker), PILLION_STALE);
  assert_false(readable(ex));
}

/* A late waker has looked at the generation. Its swap comes when the slot has a
   new task. The slot is then queued for the old one, and must carry the new
   one's wakes as well. */
GIVEN(an_executor, late_wake_of_an_old_generation_loses_nothing) {
  static struct probe old = {.ready_at = 1}, new = {0};
  spawn(ex, &old, 0, PILLION_DETACH);
  turn(ex);
  spawn(ex, &new, 0, PILLION_DETACH);
  turn(ex);
  uint32_t slot = pillion__slot_of(new.task);
  struct pillion__head *head = &pillion__cell_at(slot)->head;

  /* Its compare-and-swap came late, and its push is still to come. */
  atomic_store(&head->pend, (uint64_t)pillion__gen_of(old.task) << 32 |
                                PILLION__PEND_QUEUED | PILLION__PEND_WAKE);
  assert_int_equal(pillion_wake(new.waker), PILLION_COALESCED);
  turn(ex);
  assert_int_equal(new.polls, 1);
  atomic_store(&head->link, 0); /* now it pushes */
  struct pillion__executor *inside =
      pillion__executor_at(pillion__slot_of(ex));
  atomic_store(&inside->base.inbox, slot + 1);
  pillion__poke(inside);
  turn(ex);
  assert_int_equal(new.polls, 2);
}

/* In reverse: the old task's late wake finds the slot queued for the new. */
GIVEN(an_executor, late_wake_finds_the_new_generation_queued) {
  static struct probe old = {.ready_at = 1}, new = {0};
  spawn(ex, &old, 0, PILLION_DETACH);
  turn(ex);
  spawn(ex, &new, 0, PILLION_DETACH);
  turn(ex);
  struct pillion__head *head =
      &pillion__cell_at(pillion__slot_of(new.task))->head;
  assert_int_equal(pillion_wake(new.waker), PILLION_WOKEN);
  uint32_t gen = pillion__gen_of(new.task);
  atomic_store(&head->gen, gen - 1); /* what the late one saw */
  assert_int_equal(pillion_wake(old.waker), PILLION_STALE);
  atomic_store(&head->gen, gen);
  turn(ex);
  assert_int_equal(new.polls, 2);
}

/* A freed slot that still stands in an inbox isn't used before its pop. */
GIVEN(an_executor, queued_cell_is_not_used_again_before_it_is_popped) {
  static struct probe a = {.ready_at = 1}, b = {.ready_at = 1}, c = {0}, d = {0};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  turn(ex);
  uint32_t slot = pillion__slot_of(b.task); /* the first to be used again */
  struct pillion__head *head = &pillion__cell_at(slot)->head;
  atomic_store(&head->pend,
               (uint64_t)pillion__gen_of(b.task) << 32 | PILLION__PEND_QUEUED);
  spawn(ex, &c, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(c.task), pillion__slot_of(a.task));
  atomic_store(&head->pend, 0); /* popped, and found to be late */
  spawn(ex, &d, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(d.task), slot);
}

/* Only a forged waker, with a slot's next generation, gets into that inbox. */
TEST(post_in_the_inbox_of_another_executor_is_dropped) {
  pillion_executor ex = executor_new(), gone = executor_new();
  struct pillion__executor *inside =
      pillion__executor_at(pillion__slot_of(gone));
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  executor_free(gone);
  uint32_t slot = pillion__slot_of(probe.task);
  struct pillion__head *head = &pillion__cell_at(slot)->head;
  atomic_store(&head->pend, (uint64_t)pillion__gen_of(probe.task) << 32 |
                                PILLION__PEND_QUEUED | PILLION__PEND_WAKE);
  atomic_store(&head->link, 0);
  atomic_store(&inside->base.inbox, slot + 1);
  gone = executor_new(); /* finds it there */
  assert_ptr_equal(pillion__executor_at(pillion__slot_of(gone)), inside);
  turn(gone);
  assert_int_equal(probe.polls, 1);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  executor_free(gone);
  executor_free(ex);
}

GIVEN(an_executor, forged_zero_and_wrong_kind_are_bad_handles) {
  static struct probe probe = {0};
  pillion_task task = spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  const uint64_t bad[] = {
      0,
      1,
      UINT64_MAX,
      task, /* a task is no waker */
      ex,
      (uint64_t)PILLION__WAKER << 56, /* generation 0 */
      pillion__handle(PILLION__WAKER, pillion__slot_of(task), 0),
      pillion__handle(PILLION__WAKER, 0xffffff, 1), /* no such chunk */
  };
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(pillion_wake(bad[i]), PILLION_EBADHANDLE);
    assert_true(pillion_wake_local(bad[i]) == PILLION_EBADHANDLE ||
                pillion_wake_local(bad[i]) == PILLION_STALE);
  }
  pillion_waker future = pillion__handle(
      PILLION__WAKER, pillion__slot_of(task), pillion__gen_of(task) + 5);
  assert_int_equal(pillion_wake(future), PILLION_STALE);
  assert_int_equal(pillion_wake_local(future), PILLION_STALE);

  /* A wake of an unused slot: accepted, without effect. */
  pillion_waker unused =
      pillion__handle(PILLION__WAKER, pillion__slot_of(task) + 1,
                      pillion__first_gen());
  assert_true(pillion_wake(unused) >= 0);
  turn(ex);
  assert_int_equal(probe.polls, 1);
}

static int wake_local_itself(struct probe *probe, pillion_value *out,
                             pillion_context *cx) {
  if (probe->polls == 1) {
    probe->rc = pillion_wake_local(cx->waker);
    probe->awaited = cx->ops->wake(cx->waker);
  }
  return PILLION_PENDING;
}

GIVEN(an_executor, wake_local_answers_as_wake_does) {
  static struct probe probe = {.step = wake_local_itself};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.rc, PILLION_WOKEN);
  assert_int_equal(probe.awaited, PILLION_COALESCED);
  turn(ex);
  assert_int_equal(probe.polls, 2);
  assert_false(readable(ex));
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_WOKEN);
  assert_true(readable(ex)); /* outside a turn the host is told */
  assert_int_equal(pillion_wake_local(probe.waker), PILLION_COALESCED);
  turn(ex);
  assert_int_equal(probe.polls, 3);
  assert_int_equal(stats_of(ex).wakes, 0); /* none went through the inbox */
}

static void *wakes_locally(void *data) {
  struct probe *probe = data;
  probe->rc = pillion_wake_local(probe->waker);
  return NULL;
}

GIVEN(an_executor, wake_local_of_another_thread_is_refused) {
  struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  on_thread(wakes_locally, &probe);
  assert_int_equal(probe.rc, PILLION_EWRONGTHREAD);
  turn(ex);
  assert_int_equal(probe.polls, 1);
  executor_free(ex);
  on_thread(wakes_locally, &probe);
  assert_int_equal(probe.rc, PILLION_STALE); /* on any thread */
}

static int yield_once(struct probe *probe, pillion_value *out,
                      pillion_context *cx) {
  if (probe->polls == 1) pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

GIVEN(an_executor, task_that_wakes_itself_goes_to_the_back) {
  static struct probe a = {.step = yield_once, .name = "a"}, b = {.name = "b"},
               c = {.step = yield_once, .name = "c"};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  spawn(ex, &c, 0, PILLION_DETACH);
  pillion_budget two = PILLION_BUDGET_INIT;
  two.max_polls = 2;
  while (progress.more = 0, pillion_executor_turn(NULL, 0, &progress, ex, &two),
         progress.more)
    trace("|");
  assert_traced("a b | c a | c");
}

GIVEN(an_executor, wakes_are_served_in_the_order_in_which_they_came) {
  static struct probe a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  spawn(ex, &c, 0, PILLION_DETACH);
  turn(ex);
  pillion_wake(c.waker);
  pillion_wake(a.waker);
  pillion_wake(c.waker);
  pillion_wake(b.waker);
  turn(ex);
  assert_traced("a b c c a b");
}

GIVEN(an_executor, wake_preserves_errno) {
  static struct probe probe = {0};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  errno = EDOM;
  pillion_wake(probe.waker);
  pillion_wake(probe.waker);
  assert_int_equal(errno, EDOM);
  turn(ex);
  assert_int_equal(errno, EDOM);
}

static int hook_wakes;

static int hook_that_spoils_errno(void *data) {
  hook_wakes++;
  errno = ERANGE;
  return PILLION_ECLOSED;
}

/* First a poke's write fails, then a turn's read, then the host's hook. */
GIVEN(an_executor, wake_that_fails_preserves_errno) {
  pillion_host host = PILLION_HOST_INIT;
  static struct probe probe = {0};
  uint64_t full = UINT64_MAX - 1, count;
  int fd, after[3];
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_ok(pillion_executor_fd(&fd, ex));
  assert_int_equal(write(fd, &full, sizeof full), sizeof full);
  errno = EDOM;
  pillion_wake(probe.waker); /* its write finds no room */
  after[0] = errno;
  assert_int_equal(stats_of(ex).poke_errors, 1);
  assert_int_equal(read(fd, &count, sizeof count), sizeof count);
  errno = EDOM;
  turn(ex); /* its read finds nothing */
  after[1] = errno;
  host.wake = hook_that_spoils_errno;
  assert_ok(pillion_host_set(ex, &host));
  turn(ex);
  hook_wakes = 0;
  errno = EDOM;
  pillion_wake(probe.waker);
  after[2] = errno;
  assert_int_equal(hook_wakes, 1);
  for (size_t i = 0; i < COUNT(after); i++) assert_int_equal(after[i], EDOM);
}
