/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of Go functions, with this file as Go: it takes jobs from the ring and
 * ends them when the test is ready for it.
 */
#include "support.h"

static pillion_function echo, loop;

static pillion_task submit(pillion_executor ex, const void *request,
                           size_t length, uint64_t token, uint32_t flags) {
  pillion_task task = 0;
  assert_ok(
      pillion_call_submit(&task, ex, echo, request, length, token, flags));
  return task;
}

static int take(void) { return pillion__ring_take(jobs, COUNT(jobs)); }

/* ---- Results ------------------------------------------------------------- */

GIVEN(an_executor, result_comes_as_an_event) {
  pillion_task task = submit(ex, "ping", 4, 42, PILLION_EVENT);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 1);
  struct pillion__job job = take_one();
  assert_memory_equal(job_request(&job), "ping", 4);
  assert_false(readable(ex));
  job_echo(&job);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(events[0].token, 42);
  assert_int_equal(events[0].task, task);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(events[0].length, 4);
  assert_memory_equal(pillion_event_data(&events[0]), "ping", 4);
  assert_false(readable(ex));
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
}

GIVEN(an_executor, long_requests_and_results_have_memory_of_their_own) {
  char request[1000];
  memset(request, 'x', sizeof request);
  submit(ex, request, sizeof request, 0, PILLION_EVENT);
  assert_int_equal(library_counts().payloads, 1);
  struct pillion__job job = take_one();
  memset(request, 'y', sizeof request); /* it was copied */
  job_echo(&job);
  assert_int_equal(library_counts().payloads, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].length, sizeof request);
  memset(request, 'x', sizeof request);
  assert_memory_equal(pillion_event_data(&events[0]), request, sizeof request);
  assert_int_equal(progress.live, 0);
  assert_int_equal(library_counts().payloads, 1); /* until the next turn */
  turn(ex);
  assert_int_equal(library_counts().payloads, 0);
}

GIVEN(an_executor, every_length_around_the_inline_one) {
  char request[64];
  for (size_t i = 0; i < sizeof request; i++) request[i] = (char)i;
  for (size_t length = 0; length <= sizeof request; length++) {
    submit(ex, length == 0 ? NULL : request, length, length, PILLION_EVENT);
    struct pillion__job job = take_one();
    job_echo(&job);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].length, length);
    assert_memory_equal(pillion_event_data(&events[0]), request, length);
  }
}

GIVEN(an_executor, result_goes_to_who_joins_the_call) {
  char request[100] = "a long one";
  pillion_task before = submit(ex, request, sizeof request, 0, PILLION_JOIN);
  struct pillion__job job = take_one();
  job_echo(&job);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 1);
  pillion_task later = submit(ex, "b", 1, 0, PILLION_JOIN);
  struct probe a = {.step = joins_task, .data = &before};
  struct probe b = {.step = joins_task, .data = &later};
  spawn(ex, &a, 0, PILLION_DETACH);
  spawn(ex, &b, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(a.rc, PILLION_READY);
  assert_memory_equal(pillion_value_data(&a.value), request, sizeof request);
  pillion_value_drop(&a.value);
  assert_int_equal(b.rc, PILLION_PENDING);
  job = take_one();
  job_echo(&job);
  turn(ex);
  assert_int_equal(b.rc, PILLION_READY);
  assert_memory_equal(pillion_value_data(&b.value), "b", 1);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, detached_results_are_thrown_away) {
  char request[100] = "a long one";
  submit(ex, request, sizeof request, 0, PILLION_DETACH);
  pillion_task before = submit(ex, request, sizeof request, 0, PILLION_JOIN);
  pillion_task after = submit(ex, request, sizeof request, 0, PILLION_JOIN);
  pillion_task event = submit(ex, request, sizeof request, 0, PILLION_EVENT);
  assert_int_equal(pillion_task_detach(event), PILLION_EINVAL);
  assert_ok(pillion_task_detach(before));
  assert_int_equal(take(), 4);
  for (int i = 0; i < 4; i++) {
    assert_true(job_take_up(&jobs[i]));
    job_echo(&jobs[i]);
  }
  assert_int_equal(turn(ex), 1);
  assert_int_equal(progress.live, 1);
  assert_ok(pillion_task_detach(after));
  turn(ex);
  assert_int_equal(progress.live, 0);
  assert_int_equal(library_counts().payloads, 0);
}

GIVEN(an_executor, detach_wakes_who_joins_a_call) {
  pillion_task task = submit(ex, "x", 1, 0, PILLION_JOIN);
  struct probe probe = {.step = joins_task, .data = &task};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_ok(pillion_task_detach(task));
  turn(ex);
  assert_int_equal(probe.rc, PILLION_EINVAL);
  struct pillion__job job = take_one();
  job_echo(&job);
  turn(ex);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, results_come_in_the_order_of_their_ends) {
  for (uint64_t i = 0; i < 5; i++) submit(ex, &i, 8, i, PILLION_EVENT);
  assert_int_equal(take(), 5);
  const int order[] = {3, 0, 4, 1, 2};
  for (int i = 0; i < 5; i++) {
    assert_true(job_take_up(&jobs[order[i]]));
    job_echo(&jobs[order[i]]);
  }
  assert_int_equal(turn(ex), 5);
  for (int i = 0; i < 5; i++)
    assert_int_equal(events[i].token, order[i]);
  assert_int_equal(stats_of(ex).pokes, 1);
}

GIVEN(an_executor, failure_carries_code_message_and_stack) {
  const int32_t code = -7;
  const uint32_t message = 5, stack = 3;
  unsigned char payload[64];
  memcpy(payload, &code, 4);
  memcpy(payload + 4, &message, 4);
  memcpy(payload + 8, "oo\0ps", 5);
  memcpy(payload + 13, &stack, 4);
  memcpy(payload + 17, "at:", 3);
  submit(ex, NULL, 0, 0, PILLION_EVENT);
  struct pillion__job job = take_one();
  pillion__call_complete(job.call, PILLION_EPANIC, PILLION_OUTCOME_RETURNED,
                         payload, 20);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_EPANIC);
  pillion_failure failure = PILLION_FAILURE_INIT;
  assert_ok(pillion_failure_parse(&failure, pillion_event_data(&events[0]),
                                  events[0].length));
  assert_int_equal(failure.code, -7);
  assert_int_equal(failure.message_length, 5);
  assert_memory_equal(failure.message, "oo\0ps", 5);
  assert_int_equal(failure.stack_length, 3);
  assert_memory_equal(failure.stack, "at:", 3);
  for (size_t n = 0; n < 20; n++)
    assert_int_equal(pillion_failure_parse(&failure, payload, n),
                     PILLION_EINVAL);
  memset(payload + 4, 0xff, 4); /* a length beyond the payload */
  assert_int_equal(pillion_failure_parse(&failure, payload, 20),
                   PILLION_EINVAL);
}

/* ---- Refusals ------------------------------------------------------------ */

GIVEN(an_executor, submit_refuses_what_can_never_be_right) {
  pillion_task task;
  assert_int_equal(pillion_call_submit(&task, ex, echo, NULL, 1, 0, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_call_submit(&task, ex, echo, "", 0, 0, 3),
                   PILLION_EINVAL);
  assert_int_equal(pillion_call_submit(&task, 0, loop, "", 0, 0, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_call_submit(&task, ex, 0, "", 0, 0, 0),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_submit(&task, ex, echo + (1ull << 40), "", 0,
                                       0, 0),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_submit(&task, ex ^ 4, echo, "", 0, 0, 0),
                   PILLION_EBADHANDLE);
  assert_int_equal(
      pillion_call_submit(&task, ex, echo, "", (size_t)1 << 31, 0, 0),
      PILLION_EMSGSIZE);
  assert_int_equal(pillion_call_batch(NULL, ex, NULL, 1, NULL, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_call_batch(NULL, ex, NULL, 0, NULL, 0), 0);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_call_submit(&task, ex, echo, "", 0, 0, 0),
                   PILLION_ECLOSED);
  assert_int_equal(take(), 0);
}

TEST(batch_is_accepted_as_far_as_the_quota_goes) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.max_calls = 3;
  pillion_executor ex;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  const char base[] = "abcdefgh";
  pillion_call calls[5];
  pillion_task tasks[5] = {0};
  for (uint64_t i = 0; i < 5; i++)
    calls[i] = (pillion_call){echo, 10 + i, i, 2};
  assert_int_equal(pillion_call_batch(tasks, ex, calls, 5, base, 0), 3);
  assert_int_not_equal(tasks[2], 0);
  assert_int_equal(tasks[3], 0);
  assert_int_equal(pillion_call_batch(tasks, ex, calls + 3, 2, base, 0),
                   PILLION_EAGAIN);
  assert_int_equal(take(), 3);
  for (int i = 0; i < 3; i++) {
    assert_true(job_take_up(&jobs[i]));
    assert_memory_equal(job_request(&jobs[i]), base + i, 2);
    job_echo(&jobs[i]);
  }
  assert_int_equal(turn(ex), 3);
  calls[4].function = 0; /* now the second one is refused */
  assert_int_equal(pillion_call_batch(tasks, ex, calls + 3, 2, base, 0), 1);
  struct pillion__job job = take_one();
  job_echo(&job);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(stats_of(ex).calls, 4);
  executor_free(ex);
}

GIVEN(an_executor, full_ring_refuses_and_leaves_nothing_behind) {
  char request[50] = {0};
  int n = 0, rc;
  while ((rc = pillion_call_submit(NULL, ex, echo, request, sizeof request,
                                   (uint64_t)n, 0)) == 0)
    n++;
  assert_int_equal(rc, PILLION_EAGAIN);
  assert_int_equal(n, 64); /* the start's max_calls */
  assert_int_equal(library_counts().calls, 64);
  assert_int_equal(library_counts().payloads, 64);
  /* A turn may have counted the refused call as alive, so the host is asked to
     look again. */
  pillion_executor another = executor_new();
  assert_int_equal(pillion_call_submit(NULL, another, echo, "", 0, 0, 0),
                   PILLION_EAGAIN);
  assert_true(readable(another));
  turn(another);
  assert_int_equal(progress.live, 0);
  assert_false(readable(another));
  executor_free(another);
  assert_int_equal(pillion__ring_take(jobs, 10), 10);
  submit(ex, "", 0, 64, PILLION_EVENT); /* there is room again */
  assert_int_equal(pillion__ring_take(jobs + 10, 502), 55);
  for (int i = 0; i < 65; i++) {
    assert_true(job_take_up(&jobs[i]));
    job_return(&jobs[i], NULL, 0);
  }
  assert_int_equal(turn(ex), 65);
  for (uint64_t i = 0; i < 65; i++) assert_int_equal(events[i].token, i);
}

GIVEN(an_executor, ring_goes_round_many_times) {
  uint64_t next = 0;
  for (uint64_t i = 0; i < 1000; i++) {
    submit(ex, NULL, 0, i, PILLION_EVENT);
    if (i % 7 != 0) continue;
    int n = take();
    for (int j = 0; j < n; j++) {
      assert_true(job_take_up(&jobs[j]));
      job_return(&jobs[j], NULL, 0);
    }
    n = turn(ex);
    for (int j = 0; j < n; j++) assert_int_equal(events[j].token, next++);
  }
  executor_free(ex);
  assert_int_equal(take(), 5); /* the free's cancels */
  for (int i = 0; i < 5; i++) assert_false(job_take_up(&jobs[i]));
}

/* ---- Cancel -------------------------------------------------------------- */

GIVEN(an_executor, cancel_of_a_call_that_go_has_not_begun) {
  char request[50] = {0};
  pillion_task task = submit(ex, request, sizeof request, 1, PILLION_EVENT);
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 2);
  assert_int_equal(library_counts().payloads, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
  submit(ex, NULL, 0, 2, PILLION_EVENT); /* the same node */
  assert_int_equal(take(), 2);
  assert_ptr_equal(jobs[0].call, jobs[1].call);
  assert_false(job_take_up(&jobs[0])); /* it is for the node's last call */
  assert_true(job_take_up(&jobs[1]));
  job_return(&jobs[1], NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 2);
}

GIVEN(an_executor, cancel_of_a_running_call_reaches_go_once) {
  pillion_task task = submit(ex, NULL, 0, 1, PILLION_EVENT);
  struct pillion__job job = take_one();
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_int_equal(pillion__ring_sleep(), 0);
  assert_int_equal(take(), 1);
  assert_int_equal(jobs[0].news, PILLION__NEWS_CANCEL);
  assert_ptr_equal(jobs[0].call, job.call);
  assert_int_equal(jobs[0].gen, job.gen);
  assert_int_equal(take(), 0);
  pillion__call_complete(job.call, PILLION_ECANCELLED,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_int_equal(pillion_task_cancel(task), 2);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
}

GIVEN(an_executor, cancel_that_go_comes_too_late_for) {
  pillion_task task = submit(ex, NULL, 0, 1, PILLION_EVENT);
  struct pillion__job job = take_one();
  assert_int_equal(pillion_task_cancel(task), 0);
  job_return(&job, "anyway", 6);
  assert_int_equal(take(), 0); /* nothing left to cancel */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_RETURNED);
}

GIVEN(an_executor, more_cancels_than_go_takes_at_once) {
  enum { N = 20 };
  pillion_task tasks[N];
  struct pillion__job mine[N], cancels[4];
  for (int i = 0; i < N; i++) tasks[i] = submit(ex, NULL, 0, 0, PILLION_EVENT);
  assert_int_equal(take(), N);
  memcpy(mine, jobs, sizeof mine);
  for (int i = 0; i < N; i++) assert_true(job_take_up(&mine[i]));
  for (int i = 0; i < N; i++)
    assert_int_equal(pillion_task_cancel(tasks[i]), 0);
  int seen[N] = {0}, n, all = 0;
  while ((n = pillion__ring_take(cancels, COUNT(cancels))) > 0)
    for (int i = 0; i < n; i++, all++)
      for (int j = 0; j < N; j++) seen[j] += cancels[i].call == mine[j].call;
  assert_int_equal(all, N);
  for (int j = 0; j < N; j++) assert_int_equal(seen[j], 1);
  for (int j = 0; j < N; j++) job_return(&mine[j], NULL, 0);
  assert_int_equal(turn(ex), N);
}

TEST(close_with_cancel_cancels_calls) {
  pillion_executor ex = executor_new(), elsewhere = executor_new();
  submit(ex, NULL, 0, 1, PILLION_EVENT);
  submit(elsewhere, NULL, 0, 7, PILLION_EVENT);
  assert_int_equal(take(), 2);
  struct pillion__job running = jobs[0], other = jobs[1];
  assert_true(job_take_up(&running));
  assert_true(job_take_up(&other));
  submit(ex, NULL, 0, 2, PILLION_EVENT);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 2);
  assert_int_equal(progress.live, 1);
  assert_int_equal(take(), 2); /* a cancel, and the cancelled call's job */
  assert_int_equal(jobs[0].news, PILLION__NEWS_CANCEL);
  assert_ptr_equal(jobs[0].call, running.call);
  job_return(&running, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(progress.live, 0);
  job_return(&other, NULL, 0);
  assert_int_equal(turn(elsewhere), 1);
  executor_free(ex);
  executor_free(elsewhere);
}

/* ---- Free ---------------------------------------------------------------- */

GIVEN(an_executor, free_leaves_running_calls_as_orphans) {
  char request[60] = {0};
  submit(ex, request, sizeof request, 1, PILLION_EVENT);
  struct pillion__job running = take_one();
  submit(ex, request, sizeof request, 2, PILLION_JOIN);   /* new */
  submit(ex, request, sizeof request, 3, PILLION_DETACH); /* new */
  executor_free(ex);
  assert_int_equal(library_counts().calls, 1);
  assert_int_equal(take(), 3);
  assert_int_equal(jobs[0].news, PILLION__NEWS_CANCEL);
  assert_ptr_equal(jobs[0].call, running.call);
  assert_false(job_take_up(&jobs[1]));
  assert_false(job_take_up(&jobs[2]));
  ex = executor_new(); /* in the place of the old one */
  job_echo(&running);
  assert_false(readable(ex));
  assert_int_equal(turn(ex), 0);
  assert_int_equal(library_counts().calls, 0);
}

GIVEN(an_executor, free_takes_what_has_ended) {
  char request[60] = {0};
  for (uint64_t i = 0; i < 6; i++)
    submit(ex, request, sizeof request, i, (uint32_t)(i % 3));
  assert_int_equal(take(), 6);
  for (int i = 0; i < 3; i++) {
    assert_true(job_take_up(&jobs[i]));
    job_echo(&jobs[i]);
  }
  assert_int_equal(turn(ex), 1); /* its payload is lent to us */
  for (int i = 3; i < 6; i++) {
    assert_true(job_take_up(&jobs[i]));
    job_echo(&jobs[i]); /* still in the inbox */
  }
  executor_free(ex);
  assert_int_equal(library_counts().payloads, 0);
}

GIVEN(an_executor, late_cancel_does_not_disturb_the_next_call) {
  pillion_task old = submit(ex, NULL, 0, 1, PILLION_EVENT);
  struct pillion__job job = take_one();
  job_return(&job, NULL, 0);
  assert_int_equal(turn(ex), 1);
  submit(ex, NULL, 0, 2, PILLION_EVENT);
  struct pillion__job next = take_one();
  assert_ptr_equal(next.call, job.call);
  assert_int_equal(pillion_task_cancel(old), PILLION_EBADHANDLE);
  pillion__ring_news((struct pillion__node *)next.call); /* the cancel's thread stood still here */
  assert_int_equal(take(), 0);
  job_return(&next, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, 0);
}

/* ---- Functions on the loop ----------------------------------------------- */

static pillion_task submit_loop(pillion_executor ex, uint64_t token) {
  pillion_task task = 0;
  assert_ok(pillion_call_submit(&task, ex, loop, "req", 3, token, 0));
  return task;
}

GIVEN(an_executor, loop_call_starts_in_a_turn_and_ends_in_one) {
  guest_reset();
  submit_loop(ex, 11);
  assert_int_equal(take(), 0); /* it takes the inbox, not the ring */
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 0);
  assert_int_equal(guest.turns, 1);
  assert_int_equal(guest.loop_count, 1);
  assert_int_equal(guest.posts[0].bits, PILLION__PEND_START);
  assert_memory_equal(guest.loop_calls[0]->payload.bytes, "req", 3);
  pillion__call_complete(guest.loop_calls[0], 0, 0, "res", 3);
  guest.loop_count = 0;
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 11);
  assert_memory_equal(pillion_event_data(&events[0]), "res", 3);
}

GIVEN(an_executor, loop_call_is_cancelled_before_and_after_its_start) {
  guest_reset();
  pillion_task before = submit_loop(ex, 1);
  assert_int_equal(pillion_task_cancel(before), 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(guest.loop_count, 0);
  assert_int_equal(events[0].outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);

  pillion_task after = submit_loop(ex, 2);
  turn(ex);
  assert_int_equal(guest.loop_count, 1);
  assert_int_equal(pillion_task_cancel(after), 0);
  assert_int_equal(pillion_task_cancel(after), 1);
  guest.post_count = 0;
  turn(ex);
  assert_int_equal(guest.post_count, 1);
  assert_int_equal(guest.posts[0].bits, PILLION__PEND_CANCEL);
  guest_free(0); /* ends it as cancelled */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
}

/* The second half of a pillion_task_cancel on another thread: the call ends
   between that thread's look at the state and its post. */
static void post_cancel(struct pillion__call *call, uint32_t gen) {
  pillion__call_ask(call, gen, PILLION__PEND_CANCEL);
}

GIVEN(an_executor, late_cancel_leaves_the_events_in_their_list) {
  static char longer[100];
  guest_reset();
  struct pillion__call *calls[3];
  for (uint64_t i = 0; i < 3; i++) submit_loop(ex, i);
  turn(ex);
  assert_int_equal(guest.loop_count, 3);
  memcpy(calls, guest.loop_calls, sizeof calls);
  guest.loop_count = guest.post_count = 0;
  for (int i = 0; i < 3; i++)
    pillion__call_complete(calls[i], 0, 0, longer, sizeof longer);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  uint32_t gen = atomic_load(&calls[0]->head.gen);
  post_cancel(calls[0], gen); /* its end waits to be taken */
  assert_int_equal(pillion_executor_turn(events, 1, NULL, ex, NULL), 1);
  assert_int_equal(events[0].token, 0);
  post_cancel(calls[0], gen); /* the host has it, and reads the payload */
  assert_int_equal(turn(ex), 2);
  assert_int_equal(events[0].token, 1);
  assert_int_equal(events[1].token, 2);
  assert_int_equal(guest.post_count, 0);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, more_loop_calls_than_a_turn_takes) {
  guest_reset();
  for (uint64_t i = 0; i < 200; i++) submit_loop(ex, i);
  turn(ex);
  assert_int_equal(guest.loop_count, PILLION__ERRANDS);
  assert_int_equal(progress.more, 1);
  turn(ex);
  assert_int_equal(guest.loop_count, 200);
  assert_int_equal(progress.more, 0);
  executor_free(ex); /* with all of them running */
  assert_int_equal(guest.frees, 1);
}

/* When the executor goes, some calls are in the list for Go, some in the inbox
   and some cancelled. The sweep must not free calls that the list still has. */
GIVEN(an_executor, free_with_loop_calls_in_every_state) {
  guest_reset();
  pillion_task tasks[200];
  for (uint64_t i = 0; i < 200; i++) tasks[i] = submit_loop(ex, i);
  turn(ex);                                     /* 128 begun, 72 listed */
  pillion_task_cancel(tasks[0]);                /* running */
  pillion_task_cancel(tasks[150]);              /* listed, its end is posted */
  pillion__drain(pillion__executor_at(pillion__slot_of(ex)));
  pillion_task_cancel(tasks[151]);
  submit_loop(ex, 200);
  executor_free(ex);
  assert_int_equal(library_counts().calls, 0);

  ex = executor_new(); /* all nodes are whole */
  guest_reset();
  for (uint64_t i = 0; i < 300; i++) submit_loop(ex, i);
  for (int i = 0; i < 3; i++) turn(ex);
  assert_int_equal(guest.loop_count > 0, 1);
}

/* A late cancel leaves its node queued. No call may use the node before the
   owner pops it. */
GIVEN(an_executor, queued_node_is_not_used_again_before_it_is_popped) {
  guest_reset();
  pillion_task task = submit_loop(ex, 1);
  turn(ex);
  struct pillion__call *call = guest.loop_calls[0];
  guest.loop_count = 0;
  pillion__call_complete(call, 0, 0, NULL, 0);
  assert_int_equal(turn(ex), 1);
  /* A cancel that had passed all checks posts only now. */
  uint32_t gen = pillion__gen_of(task);
  atomic_store(&call->head.gen, gen);
  assert_int_equal(pillion__call_ask(call, gen, PILLION__PEND_CANCEL),
                   PILLION_WOKEN);
  atomic_store(&call->head.gen, gen + 1);
  submit(ex, NULL, 0, 5, PILLION_EVENT);
  struct pillion__job job = take_one();
  assert_ptr_not_equal(job.call, call);
  job_return(&job, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(atomic_load(&call->head.pend), 0);
  assert_int_equal(guest.loop_count, 0);
}

/* ---- Going to sleep ------------------------------------------------------ */

static bool ring_readable(void) {
  struct pollfd watched = {pillion__ring_fd(), POLLIN, 0};
  uint64_t count;
  if (poll(&watched, 1, 0) != 1) return false;
  assert_int_equal(read(watched.fd, &count, sizeof count), sizeof count);
  return true;
}

GIVEN(an_executor, go_is_poked_once_a_burst_and_only_asleep) {
  while (ring_readable()) {
  }
  submit(ex, NULL, 0, 0, PILLION_DETACH);
  assert_false(ring_readable()); /* it is awake */
  assert_int_equal(pillion__ring_sleep(), 0); /* and must not sleep */
  struct pillion__job first = take_one();
  assert_int_equal(pillion__ring_sleep(), 1);
  pillion_call calls[3] = {{echo, 1, 0, 0}, {echo, 2, 0, 0}, {echo, 3, 0, 0}};
  assert_int_equal(pillion_call_batch(NULL, ex, calls, 3, "", PILLION_DETACH),
                   3);
  assert_true(ring_readable());
  submit(ex, NULL, 0, 0, PILLION_DETACH);
  assert_false(ring_readable());
  job_return(&first, NULL, 0);
  assert_int_equal(take(), 4);
  for (int i = 0; i < 4; i++) assert_true(job_take_up(&jobs[i]));
  for (int i = 0; i < 4; i++) job_return(&jobs[i], NULL, 0);
  turn(ex);
}

/* As if Go slept: a poke makes it 0. */
static bool poked(void) { return atomic_exchange(pillion__ring_asleep(), 1) == 0; }

static void return_one(void) {
  struct pillion__job job = take_one();
  job_return(&job, NULL, 0);
}

/* A submission at every eighth place of the ring still pokes. */
TEST(calls_that_workers_attend_to_poke_nobody) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  pillion_call two[] = {{.function = function("test.cpu")},
                        {.function = function("test.echo")}};
  poked();
  atomic_store(pillion__ring_attended(), PILLION__RING_CPU);
  for (int i = 0; i < 130; i++) {
    bool eighth = atomic_load(pillion__ring_tail()) % 8 == 0;
    o.function = function("test.cpu");
    o.flags = PILLION_DETACH;
    o.deadline = PILLION_TIME_NEVER;
    assert_ok(pillion_call_submit_with(NULL, 0, &o));
    assert_int_equal(poked(), eighth);
    assert_int_not_equal(atomic_load(pillion__ring_head()),
                         atomic_load(pillion__ring_tail()));
    return_one();
    assert_int_equal(atomic_load(pillion__ring_head()),
                     atomic_load(pillion__ring_tail()));
    o.deadline = INT64_MAX - 1; /* Go must start its clock */
    assert_ok(pillion_call_submit_with(NULL, 0, &o));
    assert_true(poked());
    return_one();
    o.deadline = PILLION_TIME_NEVER;
    o.function = function("test.echo");
    assert_ok(pillion_call_submit_with(NULL, 0, &o));
    assert_true(poked());
    return_one();
    assert_int_equal(pillion_call_batch(NULL, 0, two, 2, NULL, PILLION_DETACH), 2);
    assert_true(poked());
    assert_int_equal(take(), 2);
    for (int j = 0; j < 2; j++) {
      assert_true(job_take_up(&jobs[j]));
      job_return(&jobs[j], NULL, 0);
    }
  }
  pillion_task task;
  o.function = function("test.cpu");
  o.flags = PILLION_JOIN;
  assert_ok(pillion_call_submit_with(&task, 0, &o));
  struct pillion__job job = take_one();
  poked();
  assert_int_equal(pillion_task_cancel(task), 0);
  assert_true(poked());
  assert_int_equal(take(), 1);
  job_return(&job, NULL, 0);
  assert_ok(pillion_task_detach(task));
  atomic_store(pillion__ring_attended(), 0);
  atomic_store(pillion__ring_asleep(), 0);
}

int main(void) {
  guest_install();
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.ring = 64;
  assert_ok(pillion_start(&options, NULL, 0));
  echo = function("test.echo");
  loop = function("test.loop");
  return test_main();
}
