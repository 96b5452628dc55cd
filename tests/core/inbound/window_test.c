/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The windows of providers and of what calls lend: which calls wait, which
 * pass, and on whose behalf a call is made.
 */
#include "inbound_support.h"

static pillion_provider provider;

static void a_window_of_one(void) {
  an_executor();
  provider = provide(ex, 1);
}

static pillion_task first_told(void) {
  return told(ex, PILLION_EVENT_CALLED).task;
}

static char letter_told(pillion_task *task) {
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  *task = event.task;
  return (char)event.payload.bytes[0];
}

/* ---- The queue ----------------------------------------------------------- */

GIVEN(a_window_of_one, a_call_waits_for_the_one_before_it) {
  struct pillion__inbound *a = offer(provider_request(provider), "a"),
                          *b = offer(provider_request(provider), "b"),
                          *c = offer(provider_request(provider), "c");
  pillion_task task;
  assert_int_equal(letter_told(&task), 'a');
  assert_int_equal(progress.live, 3);
  assert_quiet(ex);
  answer(task, "A");
  assert_int_equal(letter_told(&task), 'b');
  assert_quiet(ex);
  answer(task, "B");
  assert_int_equal(letter_told(&task), 'c');
  answer(task, "C");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "A");
  assert_answered(b, 0, PILLION_OUTCOME_RETURNED, "B");
  assert_answered(c, 0, PILLION_OUTCOME_RETURNED, "C");
}

/* Cancels the calls of `order` while they wait; the others keep their order. */
static void cancel_queued(const char *order, const char *left) {
  struct pillion__inbound *in[4], *a = offer(provider_request(provider), "a");
  pillion_task task = first_told();
  const char *names[] = {"0", "1", "2", "3"};
  for (int i = 0; i < 4; i++)
    in[i] = offer(provider_request(provider), names[i]);
  for (; *order != 0; order++) {
    struct pillion__inbound *one_of = in[*order - '0'];
    pillion__inbound_cancel(one_of);
    assert_answered(one_of, PILLION_ECANCELLED,
                    PILLION_OUTCOME_CANCELLED_UNSTARTED, "");
  }
  answer(task, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  for (; *left != 0; left++) {
    assert_int_equal(letter_told(&task), *left);
    answer(task, "");
    assert_answered(in[*left - '0'], 0, PILLION_OUTCOME_RETURNED, "");
  }
  assert_quiet(ex);
}

GIVEN(a_window_of_one, calls_that_are_cancelled_leave_the_queue) {
  cancel_queued("0", "123");
  cancel_queued("1", "023");
  cancel_queued("3", "012");
  cancel_queued("12", "03");
  cancel_queued("21", "03");
  cancel_queued("0123", "");
  cancel_queued("3210", "");
  cancel_queued("032", "1");
}

GIVEN(a_window_of_one, the_next_in_the_queue_is_cancelled) {
  struct pillion__inbound *a = offer(provider_request(provider), "a"),
                          *b = offer(provider_request(provider), "b"),
                          *c = offer(provider_request(provider), "c"),
                          *d = offer(provider_request(provider), "d");
  pillion_task task;
  answer(first_told(), "");
  pillion__inbound_cancel(c); /* b has left the queue */
  assert_int_equal(letter_told(&task), 'b');
  answer(task, "");
  assert_int_equal(letter_told(&task), 'd');
  answer(task, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(b, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(c, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_answered(d, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_window_of_one, a_withdrawn_call_makes_room) {
  struct pillion__inbound *a = offer(provider_request(provider), "a"),
                          *b = offer(provider_request(provider), "b");
  pillion_task task;
  pillion__inbound_cancel(a); /* before it is told */
  assert_int_equal(letter_told(&task), 'b');
  answer(task, "");
  assert_answered(a, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_answered(b, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_window_of_one, a_freed_provider_ends_its_queue) {
  struct pillion__inbound *a = offer(provider_request(provider), "a");
  pillion_task task = first_told();
  struct pillion__inbound *b = offer(provider_request(provider), "b");
  assert_ok(pillion_provider_free(provider));
  assert_answered(b, PILLION_ENOTFOUND, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  answer(task, "");
  assert_quiet(ex);
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  provider = provide(ex, 1); /* its window is empty */
  a = offer(provider_request(provider), "a");
  answer(first_told(), "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
}

GIVEN(a_window_of_one, a_freed_executor_ends_the_queues) {
  struct pillion__inbound *in[3];
  for (int i = 0; i < 3; i++) in[i] = offer(provider_request(provider), "");
  first_told();
  executor_free(ex);
  ex = 0;
  assert_answered(in[0], PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING,
                  "");
  for (int i = 1; i < 3; i++)
    assert_answered(in[i], PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                    "");
}

/* ---- Chains -------------------------------------------------------------- */

/* A call of "test.echo" by the handler of `parent`, running. */
static struct pillion__job child_of(pillion_task parent, uint32_t callbacks) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = function("test.echo");
  o.token = LENDER_TOKEN;
  o.callbacks = callbacks;
  o.parent = parent;
  assert_ok(pillion_call_submit_with(NULL, ex, &o));
  return take_one();
}

static uint64_t handle_of(const struct pillion__job *job) {
  return pillion__handle(PILLION__TASK, job->call->slot, job->gen);
}

static struct pillion__inbound *offer_for(const struct pillion__job *job) {
  struct pillion__inbound_request request = provider_request(provider);
  request.on_behalf = handle_of(job);
  return offer(request, "x");
}

GIVEN(a_window_of_one, a_handler_that_is_called_again_passes_the_window) {
  struct pillion__inbound *a = offer(provider_request(provider), "a");
  pillion_task outer = first_told();
  struct pillion__job job = child_of(outer, 0), other = child_of(0, 0);
  struct pillion__inbound *waits = offer_for(&other), *passes = offer_for(&job);
  pillion_event event = told(ex, PILLION_EVENT_CALLED | PILLION_EVENT_LINKED);
  assert_int_equal(event.link, LENDER_TOKEN);
  assert_true(event.task == pillion__inbound_handle(passes));
  answer(event.task, "");
  assert_quiet(ex); /* the window is still full */
  answer(outer, "");
  answer(told(ex, PILLION_EVENT_CALLED | PILLION_EVENT_LINKED).task, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(waits, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(passes, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&job);
  lent_back(&other);
}

GIVEN(a_window_of_one, a_chain_goes_over_lent_functions) {
  struct pillion__inbound *a = offer(provider_request(provider), "a");
  pillion_task outer = first_told();
  struct pillion__job job = child_of(outer, 1), inner;
  struct pillion__inbound_request request = lent_request(&job);
  request.function = 0;
  struct pillion__inbound *b = offer(request, "b");
  pillion_task lent = first_told();
  inner = child_of(lent, 0);
  struct pillion__inbound *passes = offer_for(&inner);
  answer(told(ex, PILLION_EVENT_CALLED | PILLION_EVENT_LINKED).task, "");
  assert_answered(passes, 0, PILLION_OUTCOME_RETURNED, "");
  answer(lent, ""); /* the chain is cut */
  assert_answered(b, 0, PILLION_OUTCOME_RETURNED, "");
  struct pillion__inbound *waits = offer_for(&inner);
  assert_quiet(ex);
  answer(outer, "");
  answer(told(ex, PILLION_EVENT_CALLED | PILLION_EVENT_LINKED).task, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(waits, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&inner);
  lent_back(&job);
}

GIVEN(a_window_of_one, another_providers_handler_does_not_pass) {
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  pillion_provider other;
  o.name = "app.Other";
  o.functions = 3;
  assert_ok(pillion_provider_new(&other, ex, &o, NULL, 0));
  struct pillion__inbound *a = offer(provider_request(provider), "a"),
                          *b = offer(provider_request(other), "b"), *waits;
  assert_int_equal(turn(ex), 2);
  pillion_task first = events[0].task, second = events[1].task;
  struct pillion__job job = child_of(second, 0);
  waits = offer_for(&job);
  assert_quiet(ex);
  answer(second, "");
  answer(first, "");
  answer(told(ex, PILLION_EVENT_CALLED | PILLION_EVENT_LINKED).task, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(b, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(waits, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&job);
}

GIVEN(a_window_of_one, a_call_of_another_executor_is_not_linked) {
  one = executor_new();
  struct pillion__job job = lend(one);
  struct pillion__inbound *in = offer_for(&job);
  pillion_event event = told(ex, PILLION_EVENT_CALLED);
  assert_int_equal(event.link, 0);
  answer(event.task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&job);
}

GIVEN(a_window_of_one, a_parent_is_an_inbound_call_or_was_one) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  struct probe probe = {0};
  o.function = function("test.echo");
  const pillion_task wrong[] = {1, ex, provider,
                                spawn(ex, &probe, 0, PILLION_DETACH)};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    o.parent = wrong[i];
    assert_int_equal(pillion_call_submit_with(NULL, ex, &o), PILLION_EINVAL);
  }
  struct pillion__inbound *in = offer(provider_request(provider), "");
  o.parent = first_told();
  answer(o.parent, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  assert_ok(pillion_call_submit_with(NULL, ex, &o)); /* it is stale */
  struct pillion__job job = take_one();
  lent_back(&job);
  executor_free(ex); /* with the probe, which lies here */
  ex = 0;
}

/* ---- What a call lends --------------------------------------------------- */

#define LENT_MOST 64

static struct pillion__job lender;
static struct pillion__inbound *lent[LENT_MOST];
static pillion_task handlers[LENT_MOST];

/* As many of its calls as may wait for an answer do. */
static void fill(void) {
  lender = lend(ex);
  for (size_t i = 0; i < LENT_MOST; i++)
    lent[i] = offer(lent_request(&lender), "");
  assert_int_equal(turn(ex), LENT_MOST);
  for (size_t i = 0; i < LENT_MOST; i++) {
    assert_int_equal(events[i].flags, PILLION_EVENT_CALLED);
    handlers[i] = events[i].task;
  }
}

static void a_full_lender(void) {
  an_executor();
  fill();
}

static void all_end(size_t from) {
  for (size_t i = from; i < LENT_MOST; i++) {
    answer(handlers[i], "");
    assert_answered(lent[i], 0, PILLION_OUTCOME_RETURNED, "");
  }
  assert_quiet(ex);
  lent_back(&lender);
}

GIVEN(a_full_lender, the_next_lent_call_waits_for_an_answer) {
  struct pillion__inbound *a = offer(lent_request(&lender), "a"),
                          *b = offer(lent_request(&lender), "b"),
                          *c = offer(lent_request(&lender), "c");
  pillion_task task;
  assert_quiet(ex);
  pillion__inbound_cancel(b);
  assert_answered(b, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  answer(handlers[0], ""); /* Go has not taken it */
  assert_int_equal(letter_told(&task), 'a');
  answer(task, "A");
  assert_int_equal(letter_told(&task), 'c');
  answer(task, "C");
  assert_answered(lent[0], 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(a, 0, PILLION_OUTCOME_RETURNED, "A");
  assert_answered(c, 0, PILLION_OUTCOME_RETURNED, "C");
  all_end(1);
}

GIVEN(a_full_lender, another_lender_has_a_window_of_its_own) {
  struct pillion__job other = lend(ex);
  struct pillion__inbound *in = offer(lent_request(&other), "x");
  pillion_task task;
  assert_int_equal(letter_told(&task), 'x');
  answer(task, "");
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&other);
  all_end(0);
}

GIVEN(a_full_lender, a_call_that_the_lender_waits_for_passes) {
  struct pillion__job job = child_of(handlers[5], 0), other = child_of(0, 0);
  struct pillion__inbound_request request = lent_request(&lender);
  request.on_behalf = handle_of(&lender);
  struct pillion__inbound *first = offer(request, "f");
  request.on_behalf = handle_of(&other);
  struct pillion__inbound *second = offer(request, "s");
  assert_quiet(ex);
  request.on_behalf = handle_of(&job);
  struct pillion__inbound *passes = offer(request, "p");
  pillion_task task;
  assert_int_equal(letter_told(&task), 'p');
  answer(task, "");
  assert_quiet(ex);
  answer(handlers[0], "");
  assert_int_equal(letter_told(&task), 'f');
  answer(task, "");
  assert_int_equal(letter_told(&task), 's');
  answer(task, "");
  assert_answered(lent[0], 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(first, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(second, 0, PILLION_OUTCOME_RETURNED, "");
  assert_answered(passes, 0, PILLION_OUTCOME_RETURNED, "");
  lent_back(&job);
  lent_back(&other);
  all_end(1);
}

GIVEN(a_full_lender, a_freed_executor_ends_what_waits_for_its_lender) {
  struct pillion__inbound *waits = offer(lent_request(&lender), "");
  executor_free(ex);
  ex = 0;
  for (size_t i = 0; i < LENT_MOST; i++)
    assert_answered(lent[i], PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING,
                    "");
  assert_answered(waits, PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  job_return(&lender, NULL, 0);
}

GIVEN(an_executor, the_window_of_the_next_lender_is_empty) {
  for (int round = 0; round < 3; round++) { /* its memory is used again */
    fill();
    all_end(0);
  }
}
