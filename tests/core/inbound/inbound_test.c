/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of the host's functions, on one thread: each way through their phases. */
#include "inbound_support.h"

#define LONG "a text of more than twenty-four bytes, so in memory of its own"

static pillion_provider provider;
static struct pillion__job lender;

static void ends_provider(void) {
  if (provider != 0) pillion_provider_free(provider);
  provider = 0;
}

static void a_provider(void) {
  an_executor();
  provider = provide(ex, 0);
  afterwards(ends_provider);
}

static void a_lender(void) {
  an_executor();
  lender = lend(ex);
}

/* ---- Told and answered --------------------------------------------------- */

GIVEN(a_provider, a_call_is_told_and_answered) {
  struct pillion__inbound *in = offer(provider_request(provider), "request");
  assert_int_equal(library_counts().inbound, 1);
  assert_true(readable(ex));
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  assert_int_equal(event.token, PROVIDER_TOKEN);
  assert_int_equal(event.outcome, 2);
  assert_int_equal(event.length, 7);
  assert_memory_equal(event.payload.bytes, "request", 7);
  assert_int_equal(event.link, 0);
  assert_int_equal(pillion__inbound_wait(in, PILLION__WAITS_GO), 1);
  answer(event.task, "result");
  assert_news(in);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "result");
  assert_quiet(ex);
  assert_int_equal(library_counts().inbound, 0);
}

GIVEN(a_provider, long_payloads_are_lent_both_ways) {
  struct pillion__inbound *in = offer(provider_request(provider), LONG);
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  assert_int_equal(event.length, strlen(LONG));
  assert_memory_equal(event.payload.data, LONG, strlen(LONG));
  answer(event.task, LONG); /* the request is the host's still */
  assert_memory_equal(event.payload.data, LONG, strlen(LONG));
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, LONG);
  assert_int_equal(library_counts().payloads, 1);
  assert_quiet(ex);
  assert_int_equal(library_counts().payloads, 0);
}

static int released;
static void counts_release(void *owner) { released += owner == &released; }

GIVEN(a_provider, a_lent_answer_is_released_once) {
  pillion_value value = {.length = sizeof LONG};
  value.payload.ref.data = LONG;
  value.payload.ref.release = counts_release;
  value.payload.ref.owner = &released;
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  released = 0;
  value.status = 1; /* refused: it stays the host's */
  assert_int_equal(pillion_call_answer(event.task, &value), PILLION_EINVAL);
  value.status = PILLION_EFAILED;
  assert_ok(pillion_call_answer(event.task, &value));
  assert_int_equal(pillion_call_answer(event.task, &value), PILLION_EBADHANDLE);
  assert_int_equal(released, 0);
  pillion_value taken;
  uint32_t outcome;
  assert_int_equal(pillion__inbound_take(in, &taken, &outcome), PILLION_READY);
  assert_ptr_equal(taken.payload.ref.data, value.payload.ref.data);
  assert_int_equal(taken.status, PILLION_EFAILED);
  pillion_value_drop(&taken);
  assert_int_equal(released, 1);
  pillion__inbound_release(in);
  assert_int_equal(released, 1);
}

GIVEN(a_provider, an_answer_that_go_does_not_take_is_released) {
  pillion_value value = {.length = sizeof LONG};
  value.payload.ref.data = LONG;
  value.payload.ref.release = counts_release;
  value.payload.ref.owner = &released;
  struct pillion__inbound *in = offer(provider_request(provider), LONG);
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  released = 0;
  assert_ok(pillion_call_answer(event.task, &value));
  pillion__inbound_release(in);
  assert_int_equal(released, 1);
}

GIVEN(a_provider, no_result_is_an_empty_success) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  assert_ok(pillion_call_answer(told(ex, PILLION_EVENT_CALLED).task, NULL));
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_provider, a_handler_says_that_it_was_cancelled) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_value value = {.status = PILLION_ECANCELLED};
  assert_ok(pillion_call_answer(told(ex, PILLION_EVENT_CALLED).task, &value));
  assert_answered(in, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_RUNNING,
                  "");
}

GIVEN(a_provider, an_early_waiter_is_told_at_once) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_value value;
  uint32_t outcome;
  assert_int_equal(pillion__inbound_take(in, &value, &outcome),
                   PILLION_PENDING);
  answer(told(ex, PILLION_EVENT_CALLED).task, "x");
  assert_news(in);
  assert_int_equal(pillion__inbound_wait(in, PILLION__WAITS_GO), 0);
  assert_no_news();
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "x");
}

static int awaits(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  return probe->polls == 1 ? PILLION_PENDING : PILLION_READY;
}

GIVEN(a_provider, a_task_is_woken_by_its_waker) {
  struct probe probe = {.step = awaits};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_quiet(ex);
  struct pillion__inbound_request request = provider_request(provider);
  request.who = probe.waker;
  struct pillion__inbound *in = offer(request, "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  assert_int_equal(probe.polls, 1);
  answer(task, "");
  assert_no_news();
  assert_quiet(ex);
  assert_int_equal(probe.polls, 2);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_provider, news_of_a_released_call_are_none) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  answer(told(ex, PILLION_EVENT_CALLED).task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  assert_no_news();
}

GIVEN(a_provider, calls_come_in_order_and_as_many_as_the_host_has_room_for) {
  struct pillion__inbound *in[3];
  for (int i = 0; i < 3; i++)
    in[i] = offer(provider_request(provider), i == 0   ? "a"
                                              : i == 1 ? "b"
                                                       : "c");
  pillion_event two_events[2];
  pillion_progress p = PILLION_PROGRESS_INIT;
  assert_int_equal(pillion_executor_turn(two_events, 2, &p, ex, NULL), 2);
  assert_int_equal(p.more, 1);
  assert_int_equal(two_events[0].payload.bytes[0], 'a');
  assert_int_equal(two_events[1].payload.bytes[0], 'b');
  pillion_event third = told(ex, PILLION_EVENT_CALLED);
  assert_int_equal(third.payload.bytes[0], 'c');
  answer(third.task, "C"); /* in any order */
  answer(two_events[0].task, "A");
  answer(two_events[1].task, "B");
  assert_answered(in[0], 0, PILLION_OUTCOME_RETURNED, "A");
  assert_answered(in[1], 0, PILLION_OUTCOME_RETURNED, "B");
  assert_answered(in[2], 0, PILLION_OUTCOME_RETURNED, "C");
}

GIVEN(a_provider, an_unanswered_call_keeps_the_loop_alive_and_a_provider_not) {
  uint64_t live;
  assert_ok(pillion_executor_live(&live, ex));
  assert_int_equal(live, 0);
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  assert_int_equal(progress.live, 1);
  answer(task, "");
  assert_true(readable(ex)); /* the host must look again */
  assert_quiet(ex);
  assert_int_equal(progress.live, 0);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

/* ---- Lent functions ------------------------------------------------------ */

GIVEN(a_lender, a_lent_function_has_the_token_of_its_call) {
  struct pillion__inbound *in = offer(lent_request(&lender), "x");
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  assert_int_equal(event.token, LENDER_TOKEN);
  assert_int_equal(event.outcome, 1);
  pillion_call_information info = PILLION_CALL_INFORMATION_INIT;
  assert_ok(pillion_call_info(&info, event.task));
  assert_true(info.call ==
              pillion__handle(PILLION__TASK, lender.call->slot, lender.gen));
  assert_int_equal(info.token, LENDER_TOKEN);
  assert_int_equal(info.function, 1);
  assert_true(info.deadline == PILLION_TIME_NEVER);
  answer(event.task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&lender);
}

GIVEN(a_lender, what_is_not_lent_cannot_be_called) {
  struct pillion__inbound_request request = lent_request(&lender);
  struct pillion__inbound *in;
  request.function = 2;
  assert_int_equal(pillion__inbound_offer(&in, &request), PILLION_ENOTSUP);
  lent_back(&lender);
  pillion_task task;
  assert_ok(pillion_call_submit(&task, ex, function("test.echo"), NULL, 0, 0,
                                PILLION_EVENT));
  struct pillion__job plain = take_one();
  request = lent_request(&plain);
  assert_int_equal(pillion__inbound_offer(&in, &request), PILLION_ENOTSUP);
  lent_back(&plain);
}

GIVEN(a_provider, info_tells_of_a_providers_call) {
  struct pillion__inbound_request request = provider_request(provider);
  request.deadline = 123;
  struct pillion__inbound *in = offer(request, "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  pillion_call_information info = PILLION_CALL_INFORMATION_INIT;
  assert_ok(pillion_call_info(&info, task));
  assert_int_equal(info.call, 0);
  assert_int_equal(info.function, 2);
  assert_int_equal(info.deadline, 123);
  assert_int_equal(info.token, PROVIDER_TOKEN);
  answer(task, "");
  assert_int_equal(pillion_call_info(&info, task), PILLION_EBADHANDLE);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

/* ---- Cancel -------------------------------------------------------------- */

GIVEN(a_provider, a_call_that_the_host_has_not_heard_of_is_withdrawn) {
  struct pillion__inbound *in = offer(provider_request(provider), LONG);
  pillion__inbound_cancel(in);
  assert_news(in);
  pillion__inbound_cancel(in);
  assert_answered(in, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_quiet(ex);
}

GIVEN(a_provider, a_withdrawn_call_outlives_its_place_in_the_list) {
  struct pillion__inbound *in = offer(provider_request(provider), LONG);
  assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
  pillion__inbound_cancel(in); /* it is in the list by now */
  assert_answered(in, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_int_equal(library_counts().inbound, 1);
  assert_quiet(ex);
  assert_int_equal(library_counts().inbound, 0);
}

GIVEN(a_provider, a_told_call_hears_of_the_cancel_once_and_answers) {
  struct pillion__inbound *in = offer(provider_request(provider), "request");
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  pillion__inbound_cancel(in);
  pillion__inbound_cancel(in);
  assert_no_news();
  pillion_event stop = told(ex, PILLION_EVENT_CANCEL);
  assert_true(stop.task == event.task);
  assert_int_equal(stop.token, PROVIDER_TOKEN);
  assert_int_equal(stop.length, 0);
  pillion__inbound_cancel(in);
  assert_quiet(ex);
  answer(event.task, "all the same");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "all the same");
}

GIVEN(a_provider, a_cancel_of_an_answered_call_is_not_told) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  pillion__inbound_cancel(in);
  answer(event.task, "");
  assert_quiet(ex);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_provider, accept_gives_later_events_another_token) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  assert_ok(pillion_call_accept(event.task, 99, 0));
  pillion__inbound_cancel(in);
  assert_int_equal(told(ex, PILLION_EVENT_CANCEL).token, 99);
  answer(event.task, "");
  assert_int_equal(pillion_call_accept(event.task, 1, 0), PILLION_EBADHANDLE);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

/* ---- The host goes ------------------------------------------------------- */

GIVEN(a_provider, a_freed_executor_ends_its_calls_and_providers) {
  struct pillion__inbound *in[4];
  for (int i = 0; i < 4; i++) in[i] = offer(provider_request(provider), LONG);
  pillion_event first[1];
  assert_int_equal(pillion_executor_turn(first, 1, NULL, ex, NULL), 1);
  pillion__inbound_cancel(in[0]); /* in the inbox; the others in the list */
  executor_free(ex);
  ex = 0;
  assert_int_equal(library_counts().providers, 0);
  assert_int_equal(pillion_provider_free(provider), PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_answer(first[0].task, NULL),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 4);
  assert_answered(in[0], PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING,
                  "");
  for (int i = 1; i < 4; i++)
    assert_answered(in[i], PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                    "");
  struct pillion__inbound_request request = provider_request(provider);
  assert_int_equal(pillion__inbound_offer(&in[0], &request), PILLION_ENOTFOUND);
}

GIVEN(a_lender, a_freed_executor_lends_nothing) {
  struct pillion__inbound *in = offer(lent_request(&lender), "");
  told(ex, PILLION_EVENT_CALLED);
  executor_free(ex);
  struct pillion__inbound_request request = lent_request(&lender);
  struct pillion__inbound *other;
  assert_int_equal(pillion__inbound_offer(&other, &request), PILLION_ECLOSED);
  ex = executor_new(); /* another executor in its place */
  assert_int_equal(pillion__inbound_offer(&other, &request), PILLION_ECLOSED);
  assert_answered(in, PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING, "");
  assert_quiet(ex);
  job_return(&lender, NULL, 0);
}

GIVEN(a_provider, a_freed_provider_fails_what_was_not_told) {
  struct pillion__inbound *known = offer(provider_request(provider), "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  struct pillion__inbound *unknown = offer(provider_request(provider), LONG);
  assert_ok(pillion_provider_free(provider));
  assert_int_equal(pillion_provider_free(provider), PILLION_EBADHANDLE);
  assert_int_equal(library_counts().providers, 0);
  assert_answered(unknown, PILLION_ENOTFOUND,
                  PILLION_OUTCOME_CANCELLED_UNSTARTED, "");
  assert_quiet(ex);
  provider = provide(ex, 0); /* the name is free at once */
  answer(task, "late");
  assert_answered(known, 0, PILLION_OUTCOME_RETURNED, "late");
}

GIVEN(a_provider, a_drain_lets_told_calls_go_on_and_no_others_in) {
  struct pillion__inbound *in = offer(provider_request(provider), ""), *other;
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  struct pillion__inbound_request request = provider_request(provider);
  uint64_t found;
  assert_int_equal(pillion__inbound_offer(&other, &request), PILLION_ENOTFOUND);
  assert_int_equal(pillion__provider_find(&found, "app.Fetch", 0),
                   PILLION_ENOTFOUND);
  assert_quiet(ex);
  answer(task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_lender, a_drain_lets_lent_functions_be_called) {
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  struct pillion__inbound *in = offer(lent_request(&lender), "");
  answer(told(ex, PILLION_EVENT_CALLED).task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&lender);
}

GIVEN(a_provider, a_close_cancels_what_is_told_and_withdraws_the_rest) {
  struct pillion__inbound *known = offer(provider_request(provider), "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  struct pillion__inbound *unknown = offer(provider_request(provider), "");
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_true(told(ex, PILLION_EVENT_CANCEL).task == task);
  assert_answered(unknown, PILLION_ECANCELLED,
                  PILLION_OUTCOME_CANCELLED_UNSTARTED, "");
  answer(task, "");
  assert_answered(known, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_lender, a_closed_executor_lends_nothing) {
  struct pillion__inbound_request request = lent_request(&lender);
  struct pillion__inbound *in;
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_int_equal(pillion__inbound_offer(&in, &request), PILLION_ECLOSED);
  assert_quiet(ex);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1); /* a cancel */
  lent_back(&lender);
}

GIVEN(a_provider, a_shutdown_ends_calls_on_behalf_of_none) {
  struct pillion__inbound *in = offer(provider_request(provider), ""), *other;
  told(ex, PILLION_EVENT_CALLED);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, 0));
  struct pillion__inbound_request request = provider_request(provider);
  assert_ok(pillion__inbound_offer(&other, &request));
  assert_answered(in, PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING, "");
  assert_answered(other, PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_quiet(ex);
  pillion__ring_take(jobs, COUNT(jobs));
  assert_ok(pillion_start(NULL, NULL, 0));
}

/* ---- Misuse -------------------------------------------------------------- */

GIVEN(a_provider, forged_and_stale_handles_are_refused) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_task untold = pillion__inbound_handle(in);
  pillion_call_information info = PILLION_CALL_INFORMATION_INIT;
  assert_int_equal(pillion_call_answer(untold, NULL), PILLION_EBADHANDLE);
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  assert_true(task == untold);
  const pillion_task wrong[] = {0,
                                UINT64_MAX,
                                task + 1,
                                task - 1,
                                provider,
                                ex,
                                task ^ UINT64_C(1) << 56};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    assert_int_equal(pillion_call_answer(wrong[i], NULL), PILLION_EBADHANDLE);
    assert_int_equal(pillion_call_accept(wrong[i], 1, 0), PILLION_EBADHANDLE);
    assert_int_equal(pillion_call_info(&info, wrong[i]), PILLION_EBADHANDLE);
    if (wrong[i] != provider)
      assert_int_equal(pillion_provider_free(wrong[i]), PILLION_EBADHANDLE);
  }
  /* An inbound call is no task, and a task no inbound call. */
  assert_int_equal(pillion_task_cancel(task), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_detach(task), PILLION_EBADHANDLE);
  struct probe probe = {0};
  pillion_task other = spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(pillion_call_answer(other, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_call_accept(other, 1, 0), PILLION_EINVAL);
  assert_int_equal(pillion_call_info(&info, other), PILLION_EINVAL);
  pillion_value value = {.status = -256};
  assert_int_equal(pillion_call_answer(task, &value), PILLION_EINVAL);
  info.size = 4;
  assert_int_equal(pillion_call_info(&info, task), PILLION_EINVAL);
  assert_int_equal(pillion_call_info(NULL, task), PILLION_EINVAL);
  answer(task, "");
  assert_int_equal(pillion_call_answer(task, NULL), PILLION_EBADHANDLE);
  value = (pillion_value){.length = 100};
  value.payload.ref.data = (const char[100]){0};
  assert_int_equal(pillion_call_answer(task, &value), PILLION_EBADHANDLE);
  assert_int_equal(library_counts().payloads, 0); /* no copy is left */
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  executor_free(ex);
  ex = 0;
}

GIVEN(a_provider, what_is_too_long_is_refused) {
  static pillion_value value;
  struct pillion__inbound_request request = provider_request(provider);
  struct pillion__inbound *in;
  request.length = UINT64_C(1) << 31;
  assert_int_equal(pillion__inbound_offer(&in, &request), PILLION_EMSGSIZE);
  in = offer(provider_request(provider), "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  value.length = UINT64_C(1) << 31;
  assert_int_equal(pillion_call_answer(task, &value), PILLION_EMSGSIZE);
  answer(task, ""); /* less */
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
}

static int new_with(const char *name, uint32_t functions) {
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  pillion_provider made;
  char why[80] = "";
  o.name = name;
  o.functions = functions;
  int rc = pillion_provider_new(&made, ex, &o, why, sizeof why);
  if (rc == 0) assert_ok(pillion_provider_free(made));
  else assert_true(why[0] != 0);
  return rc;
}

GIVEN(a_provider, providers_are_checked) {
  assert_int_equal(new_with(NULL, 1), PILLION_EINVAL);
  assert_int_equal(new_with("", 1), PILLION_EINVAL);
  assert_int_equal(new_with("app", 1), PILLION_EINVAL);
  assert_int_equal(new_with(".Fetch", 1), PILLION_EINVAL);
  assert_int_equal(new_with("app.", 1), PILLION_EINVAL);
  assert_int_equal(new_with("app.Other", 0), PILLION_EINVAL);
  assert_int_equal(new_with("app.Other", 65537), PILLION_EINVAL);
  assert_int_equal(new_with("app.Fetch", 1), PILLION_EBUSY);
  assert_ok(new_with("app.Other", 65536));
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  o.name = "app.Other";
  o.functions = 1;
  pillion_provider made;
  assert_int_equal(pillion_provider_new(NULL, ex, &o, NULL, 0), PILLION_EINVAL);
  assert_int_equal(pillion_provider_new(&made, ex, NULL, NULL, 0),
                   PILLION_EINVAL);
  assert_int_equal(pillion_provider_new(&made, ex + 2, &o, NULL, 0),
                   PILLION_EBADHANDLE);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_provider_new(&made, ex, &o, NULL, 0),
                   PILLION_ECLOSED);
  struct pillion__inbound_request request = provider_request(provider);
  struct pillion__inbound *in;
  request.function = 3;
  assert_int_equal(pillion__inbound_offer(&in, &request), PILLION_ENOTFOUND);
}

GIVEN(an_executor, there_are_1024_providers) {
  pillion_provider made[1024], more;
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  char name[32];
  o.name = name;
  o.functions = 1;
  for (int i = 0; i < 1024; i++) {
    snprintf(name, sizeof name, "app.f%d", i);
    assert_ok(pillion_provider_new(&made[i], ex, &o, NULL, 0));
  }
  strcpy(name, "app.more");
  assert_int_equal(library_counts().providers, 1024);
  assert_int_equal(pillion_provider_new(&more, ex, &o, NULL, 0),
                   PILLION_EAGAIN);
  assert_ok(pillion_provider_free(made[500]));
  assert_ok(pillion_provider_new(&more, ex, &o, NULL, 0));
  assert_true(more != made[500]);
  assert_int_equal(pillion_provider_free(made[500]), PILLION_EBADHANDLE);
} /* the executor ends the rest */

GIVEN(a_provider, a_name_is_found_first_on_the_callers_executor) {
  one = executor_new();
  pillion_provider other = provide(one, 0);
  uint64_t found;
  assert_ok(pillion__provider_find(&found, "app.Fetch", 0));
  assert_true(found == provider);
  assert_ok(pillion__provider_find(&found, "app.Fetch", one));
  assert_true(found == other);
  assert_ok(pillion__provider_find(&found, "app.Fetch", ex));
  assert_true(found == provider);
  assert_ok(pillion_provider_free(provider)); /* its place is used again */
  provider = provide(ex, 0);
  assert_ok(pillion__provider_find(&found, "app.Fetch", 0));
  assert_true(found == other); /* the eldest */
  assert_int_equal(pillion__provider_find(&found, "app.None", 0),
                   PILLION_ENOTFOUND);
  char text[8] = "before";
  assert_int_equal(pillion__provider_descriptor(text, sizeof text, provider),
                   0);
  assert_string_equal(text, "");
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  o.name = "app.Told";
  o.descriptor = "{\"a\":1}";
  o.functions = 1;
  assert_ok(pillion_provider_new(&other, one, &o, NULL, 0));
  assert_int_equal(pillion__provider_descriptor(text, sizeof text, other), 7);
  assert_string_equal(text, "{\"a\":1}");
  assert_int_equal(pillion__provider_descriptor(text, 3, other), 7);
  assert_ok(pillion_provider_free(other));
  assert_int_equal(pillion__provider_descriptor(text, sizeof text, other),
                   PILLION_ENOTFOUND);
}

/* ---- Waiting for oneself ------------------------------------------------- */

static void *waits(void *rc) {
  pillion_value value;
  *(int *)rc = pillion_call_wait(&value, function("test.echo"), NULL, 0, 0);
  return NULL;
}

GIVEN(a_provider, a_thread_that_provides_does_not_wait_for_calls) {
  pillion_value value;
  pillion_task task;
  assert_ok(pillion_executor_bind(ex));
  assert_ok(pillion_call_submit(&task, 0, function("test.echo"), NULL, 0, 0,
                                PILLION_JOIN));
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_EDEADLOCK);
  assert_int_equal(pillion_call_wait(&value, function("test.echo"), NULL, 0, 0),
                   PILLION_EDEADLOCK);
  int rc = 0;
  on_thread(waits, &rc); /* another thread may */
  assert_int_equal(rc, PILLION_ETIMEDOUT);
  assert_ok(pillion_provider_free(provider));
  assert_int_equal(pillion_task_wait(&value, task, 0), PILLION_ETIMEDOUT);
  assert_ok(pillion_task_cancel(task));
  assert_ok(pillion_task_wait(&value, task, 0));
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(a_function_that_calls_back_is_not_waited_for) {
  pillion_value value;
  function("test.echo"); /* the library starts */
  assert_ok(pillion__function_add("test.wants", "test", "{}",
                                  PILLION_KIND_OFFLOAD,
                                  PILLION_FLOW_CALLBACKS, 0));
  assert_int_equal(
      pillion_call_wait(&value, function("test.wants"), NULL, 0, 0),
      PILLION_EDEADLOCK);
}

/* ---- Deeds --------------------------------------------------------------- */

GIVEN(a_provider, deeds_are_done_in_order_up_to_the_first_that_fails) {
  struct pillion__inbound *in[3];
  pillion_task task[3];
  for (int i = 0; i < 3; i++) in[i] = offer(provider_request(provider), "");
  assert_int_equal(turn(ex), 3);
  for (int i = 0; i < 3; i++) task[i] = events[i].task;
  const char bytes[] = "short" LONG;
  pillion_deed deeds[] = {
      {task[0], PILLION_DEED_ANSWER, 0, 0, 5},
      {task[1], PILLION_DEED_ANSWER, PILLION_EFAILED, 5, strlen(LONG)},
      {task[0], PILLION_DEED_ANSWER, 0, 0, 0}, /* answered */
      {task[2], PILLION_DEED_ANSWER, 0, 0, 0},
  };
  assert_int_equal(pillion_call_deeds(deeds, 4, bytes), 2);
  assert_int_equal(pillion_call_deeds(deeds + 2, 2, bytes), PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_deeds(deeds + 3, 1, bytes), 1);
  assert_answered(in[0], 0, PILLION_OUTCOME_RETURNED, "short");
  assert_answered(in[1], PILLION_EFAILED, PILLION_OUTCOME_RETURNED, LONG);
  assert_answered(in[2], 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_provider, deeds_are_checked) {
  struct pillion__inbound *in = offer(provider_request(provider), "");
  pillion_task task = told(ex, PILLION_EVENT_CALLED).task;
  pillion_deed deed = {task, 0, 0, 0, 0};
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_call_deeds(NULL, 1, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_call_deeds(NULL, 0, NULL), 0);
  deed.what = PILLION_DEED_ANSWER;
  deed.length = 1; /* at NULL */
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), PILLION_EINVAL);
  deed.payload = (uintptr_t)"x";
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), 1);
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "x");
  lender = lend(ex);
  task = pillion__handle(PILLION__TASK, lender.call->slot, lender.gen);
  deed = (pillion_deed){task, PILLION_DEED_CREDIT, -1, 0, 0};
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), PILLION_EINVAL);
  deed.what = PILLION_DEED_SEND; /* it has no flow from here */
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), PILLION_EINVAL);
  deed.what = PILLION_DEED_FINISH;
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), PILLION_EINVAL);
  deed.what = PILLION_DEED_CANCEL;
  assert_int_equal(pillion_call_deeds(&deed, 1, NULL), 1);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_int_equal(jobs[0].news, PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
  lent_back(&lender);
}

/* ---- Failures ------------------------------------------------------------ */

TEST(a_failure_that_is_written_can_be_parsed) {
  char out[64];
  size_t length =
      pillion_failure_write(out, sizeof out, -7, "what", 4, "where", 5);
  assert_int_equal(length, 12 + 4 + 5);
  pillion_failure failure = PILLION_FAILURE_INIT;
  assert_ok(pillion_failure_parse(&failure, out, length));
  assert_int_equal(failure.code, -7);
  assert_int_equal(failure.message_length, 4);
  assert_memory_equal(failure.message, "what", 4);
  assert_int_equal(failure.stack_length, 5);
  assert_memory_equal(failure.stack, "where", 5);
  memset(out, 'x', sizeof out);
  assert_int_equal(pillion_failure_write(out, 20, 0, "what", 4, "where", 5),
                   21);
  assert_int_equal(out[0], 'x');
  assert_int_equal(pillion_failure_write(NULL, 0, 0, "what", 4, NULL, 0), 16);
  assert_int_equal(pillion_failure_write(out, 12, 0, NULL, 0, NULL, 0), 12);
  assert_ok(pillion_failure_parse(&failure, out, 12));
}
