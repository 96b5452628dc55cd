/* SPDX-License-Identifier: Apache-2.0 */

/* Items of inbound calls, both ways. */
#include <pthread.h>
#include <sched.h>

#include "inbound_support.h"

#define BUFFER PILLION__FLOW_WINDOW
#define LONG "a text of more than twenty-four bytes, so in memory of its own"
#define OWN_TOKEN 77

static pillion_provider provider;
static struct pillion__inbound *in;
static pillion_task task;

static void ends_provider(void) {
  if (provider != 0) pillion_provider_free(provider);
  provider = 0;
}

static void a_provider(void) {
  an_executor();
  provider = provide(ex, 0);
  afterwards(ends_provider);
}

/* Offers a call, and tells the host of it, and whether it has flows. */
static void call(uint32_t flows) {
  struct pillion__inbound_request request = provider_request(provider);
  request.flows = flows;
  in = offer(request, "request");
  uint32_t flag = flows == 0 ? 0 : PILLION_EVENT_FLOWS;
  task = told(ex, PILLION_EVENT_CALLED | flag).task;
}

static struct pillion__flow *to_go(void) {
  return pillion__inbound_flow(in, PILLION__FLOW_IN_SIDE);
}

static struct pillion__flow *to_host(void) {
  return pillion__inbound_flow(in, PILLION__FLOW_OUT_SIDE);
}

static int host_sends(uint64_t number) {
  pillion_value value;
  pillion_value_set(&value, &number, sizeof number);
  return pillion_call_send(task, &value);
}

static int go_sends(uint64_t number) {
  return pillion__flow_send(to_host(), -1, &number, sizeof number);
}

static void go_reads(uint64_t first, uint64_t end) {
  for (uint64_t i = first; i < end; i++) {
    struct pillion__item item;
    assert_int_equal(pillion__flow_receive(to_go(), &item), PILLION_READY);
    assert_int_equal(item.length, sizeof i);
    assert_memory_equal(item.payload.bytes, &i, sizeof i);
  }
}

static int go_finds(void) {
  struct pillion__item item;
  return pillion__flow_receive(to_go(), &item);
}

/* The events from `at` on are the items with these numbers. */
static void assert_items(int at, uint64_t first, uint64_t end, uint64_t token) {
  for (uint64_t i = first; i < end; i++, at++) {
    assert_int_equal(events[at].flags, PILLION_EVENT_ITEM);
    assert_int_equal(events[at].token, token);
    assert_true(events[at].task == task);
    assert_memory_equal(events[at].payload.bytes, &i, sizeof i);
  }
}

static void assert_over(const char *text) {
  assert_answered(in, 0, PILLION_OUTCOME_RETURNED, text);
  assert_quiet(ex);
  assert_int_equal(library_counts().inbound, 0);
  assert_int_equal(library_counts().payloads, 0);
  assert_int_equal(progress.live, 0);
  pillion__ring_take(jobs, COUNT(jobs)); /* late news, which are none */
}

/* ---- From the handler ---------------------------------------------------- */

GIVEN(a_provider, handler_sends_items_until_it_finishes) {
  call(PILLION_FLOW_IN);
  assert_int_equal(go_finds(), PILLION_PENDING);
  assert_true(pillion__flow_await_item(to_go(), PILLION__WAITS_GO));
  for (uint64_t i = 0; i < 3; i++) assert_ok(host_sends(i));
  assert_news(in);
  assert_no_news(); /* once a burst */
  go_reads(0, 3);
  assert_int_equal(go_finds(), PILLION_PENDING);
  assert_true(pillion__flow_await_item(to_go(), PILLION__WAITS_GO));
  assert_ok(pillion_call_finish(task));
  assert_ok(pillion_call_finish(task));
  assert_news(in);
  assert_int_equal(go_finds(), PILLION_ECLOSED);
  assert_int_equal(host_sends(9), PILLION_ECLOSED);
  assert_int_equal(pillion__inbound_wait(in, PILLION__WAITS_GO), 1);
  answer(task, "done");
  assert_news(in);
  assert_over("done");
}

GIVEN(a_provider, answer_finishes_and_what_was_sent_is_read) {
  call(PILLION_FLOW_IN);
  assert_ok(host_sends(0));
  assert_ok(host_sends(1));
  go_reads(0, 1);
  answer(task, "done");
  assert_int_equal(host_sends(2), PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_finish(task), PILLION_EBADHANDLE);
  go_reads(1, 2);
  assert_int_equal(go_finds(), PILLION_ECLOSED);
  assert_over("done");
}

GIVEN(a_provider, answer_wakes_a_reader_that_waits_for_an_item) {
  call(PILLION_FLOW_IN);
  assert_true(pillion__flow_await_item(to_go(), PILLION__WAITS_GO));
  answer(task, "");
  assert_news(in);
  assert_int_equal(go_finds(), PILLION_ECLOSED);
  assert_over("");
}

GIVEN(a_provider, full_handler_is_told_once_that_there_is_room) {
  call(PILLION_FLOW_IN);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 5));
  for (uint64_t i = 0; i < BUFFER; i++) assert_ok(host_sends(i));
  assert_int_equal(host_sends(BUFFER), PILLION_EAGAIN);
  assert_int_equal(host_sends(BUFFER), PILLION_EAGAIN);
  assert_quiet(ex);
  go_reads(0, BUFFER / 2);
  pillion_event event = told(ex, PILLION_EVENT_WRITABLE);
  assert_int_equal(event.token, OWN_TOKEN);
  assert_true(event.task == task);
  assert_int_equal(event.status, 0);
  assert_quiet(ex);
  assert_ok(host_sends(BUFFER));
  go_reads(BUFFER / 2, BUFFER + 1);
  assert_quiet(ex); /* it did not wait */
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, handler_that_waits_learns_that_go_reads_no_more) {
  call(PILLION_FLOW_IN);
  for (uint64_t i = 0; i < BUFFER; i++) assert_ok(host_sends(i));
  assert_int_equal(host_sends(BUFFER), PILLION_EAGAIN);
  pillion__flow_refuse(to_go());
  pillion__inbound_cancel(in);
  assert_int_equal(turn(ex), 2);
  assert_int_equal(events[0].flags, PILLION_EVENT_CANCEL);
  assert_int_equal(events[1].flags, PILLION_EVENT_WRITABLE);
  assert_int_equal(events[1].status, PILLION_ECLOSED);
  assert_int_equal(host_sends(9), PILLION_ECLOSED);
  answer(task, "");
  assert_over("");
}

static int released;
static void counts_release(void *owner) { released += owner == &released; }

GIVEN(a_provider, lent_items_that_go_does_not_read_are_released_once) {
  pillion_value value = {.length = sizeof LONG};
  value.payload.ref.data = LONG;
  value.payload.ref.release = counts_release;
  value.payload.ref.owner = &released;
  released = 0;
  call(PILLION_FLOW_IN);
  assert_ok(pillion_call_send(task, &value));
  assert_ok(pillion_call_send(task, &value));
  struct pillion__item item;
  assert_int_equal(pillion__flow_receive(to_go(), &item), PILLION_READY);
  pillion__item_drop(&item);
  assert_int_equal(released, 1);
  answer(task, "");
  assert_int_equal(pillion_call_send(task, &value), PILLION_EBADHANDLE);
  assert_int_equal(released, 1);
  assert_over("");
  assert_int_equal(released, 2);
}

/* ---- From the caller ----------------------------------------------------- */

GIVEN(a_provider, caller_sends_within_the_handlers_credit) {
  call(PILLION_FLOW_OUT);
  assert_int_equal(go_sends(0), PILLION_EAGAIN);
  assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  assert_no_news();
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 2));
  assert_news(in);
  assert_ok(go_sends(0));
  assert_ok(go_sends(1));
  assert_int_equal(go_sends(2), PILLION_EAGAIN);
  assert_int_equal(turn(ex), 2);
  assert_items(0, 0, 2, OWN_TOKEN);
  assert_quiet(ex); /* taken is not granted */
  assert_int_equal(go_sends(2), PILLION_EAGAIN);
  assert_int_equal(pillion_call_credit(task, 1000), BUFFER);
  assert_ok(go_sends(2));
  pillion__inbound_finish(in);
  assert_int_equal(turn(ex), 2);
  assert_items(0, 2, 3, OWN_TOKEN);
  assert_int_equal(events[1].flags, PILLION_EVENT_FINISHED);
  assert_int_equal(events[1].token, OWN_TOKEN);
  assert_true(events[1].task == task);
  assert_quiet(ex);
  answer(task, "sum");
  assert_over("sum");
}

GIVEN(a_provider, caller_that_has_finished_without_an_item) {
  call(PILLION_FLOW_OUT);
  pillion__inbound_finish(in);
  assert_int_equal(told(ex, PILLION_EVENT_FINISHED).token, PROVIDER_TOKEN);
  pillion__inbound_finish(in);
  assert_quiet(ex);
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, cancel_after_the_last_item_is_told_alone) {
  call(PILLION_FLOW_OUT);
  pillion__inbound_finish(in);
  told(ex, PILLION_EVENT_FINISHED);
  pillion__inbound_cancel(in);
  told(ex, PILLION_EVENT_CANCEL);
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, caller_that_finishes_before_the_host_is_told) {
  struct pillion__inbound_request request = provider_request(provider);
  request.flows = PILLION_FLOW_OUT;
  in = offer(request, "");
  pillion__inbound_finish(in);
  assert_int_equal(turn(ex), 2);
  assert_int_equal(events[0].flags, PILLION_EVENT_CALLED | PILLION_EVENT_FLOWS);
  assert_int_equal(events[1].flags, PILLION_EVENT_FINISHED);
  task = events[0].task;
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, burst_of_the_caller_rings_once) {
  call(PILLION_FLOW_OUT);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, BUFFER));
  uint64_t wakes = stats_of(ex).wakes;
  for (uint64_t i = 0; i < BUFFER; i++) assert_ok(go_sends(i));
  assert_int_equal(turn(ex), BUFFER);
  assert_items(0, 0, BUFFER, OWN_TOKEN);
  assert_int_equal(stats_of(ex).wakes, wakes + 1);
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, answer_refuses_what_the_caller_sends) {
  call(PILLION_FLOW_OUT);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 1));
  assert_ok(pillion__flow_send(to_host(), -1, LONG, sizeof LONG));
  assert_int_equal(go_sends(1), PILLION_EAGAIN);
  assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  answer(task, "enough");
  assert_news(in);
  assert_int_equal(go_sends(1), PILLION_ECLOSED);
  assert_quiet(ex); /* no item of an answered call */
  assert_over("enough");
}

GIVEN(a_provider, long_items_are_lent_until_the_next_turn) {
  call(PILLION_FLOW_OUT);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 1));
  assert_ok(pillion__flow_send(to_host(), -1, LONG, sizeof LONG));
  pillion_event event = told(ex, PILLION_EVENT_ITEM);
  assert_string_equal(pillion_event_data(&event), LONG);
  answer(task, "");
  assert_string_equal(pillion_event_data(&event), LONG);
  assert_over("");
}

/* ---- Both ---------------------------------------------------------------- */

/* However few events a turn takes, everything is told, once and in order. */
GIVEN(a_provider, all_that_there_is_to_say_in_turns_of_any_size) {
  for (size_t cap = 1; cap < 8; cap++) {
    call(PILLION_FLOW_OUT | PILLION_FLOW_IN);
    assert_ok(pillion_call_accept(task, OWN_TOKEN, 3));
    for (uint64_t i = 0; i < BUFFER; i++) assert_ok(host_sends(i));
    assert_int_equal(host_sends(BUFFER), PILLION_EAGAIN);
    go_reads(0, BUFFER / 2);
    for (uint64_t i = 0; i < 3; i++) assert_ok(go_sends(i));
    pillion__inbound_finish(in);
    pillion__inbound_cancel(in);
    uint32_t flags[6];
    int n = 0;
    do {
      int rc = pillion_executor_turn(events, cap, &progress, ex, NULL);
      assert_in_range(rc, 1, cap);
      for (int i = 0; i < rc; i++) flags[n++] = events[i].flags;
      assert_int_equal(progress.more, n < 6);
    } while (n < 6);
    assert_int_equal(flags[0], PILLION_EVENT_CANCEL);
    assert_int_equal(flags[1], PILLION_EVENT_WRITABLE);
    for (int i = 2; i < 5; i++) assert_int_equal(flags[i], PILLION_EVENT_ITEM);
    assert_int_equal(flags[5], PILLION_EVENT_FINISHED);
    answer(task, "");
    assert_over("");
  }
}

/* A turn with room for the call only tells the rest in the next. */
GIVEN(a_provider, finish_comes_after_a_turn_that_was_full) {
  struct pillion__inbound_request request = provider_request(provider);
  request.flows = PILLION_FLOW_OUT;
  in = offer(request, "");
  pillion__inbound_finish(in);
  assert_int_equal(pillion_executor_turn(events, 1, &progress, ex, NULL), 1);
  assert_int_equal(progress.more, 1);
  task = events[0].task;
  told(ex, PILLION_EVENT_FINISHED);
  answer(task, "");
  assert_over("");
}

GIVEN(a_provider, flows_of_a_call_that_is_never_told) {
  struct pillion__inbound_request request = provider_request(provider);
  request.flows = PILLION_FLOW_OUT | PILLION_FLOW_IN;
  in = offer(request, LONG);
  task = pillion__inbound_handle(in); /* the host does not know it */
  assert_int_equal(host_sends(0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EBADHANDLE);
  assert_int_equal(go_sends(0), PILLION_EAGAIN);
  pillion__inbound_cancel(in);
  assert_int_equal(go_sends(0), PILLION_ECLOSED);
  assert_int_equal(go_finds(), PILLION_ECLOSED);
  assert_answered(in, PILLION_ECANCELLED, PILLION_OUTCOME_CANCELLED_UNSTARTED,
                  "");
  assert_quiet(ex);
  assert_int_equal(library_counts().payloads, 0);
}

GIVEN(a_provider, information_tells_the_flows) {
  for (uint32_t flows = 0; flows < 4; flows++) {
    pillion_call_information information = PILLION_CALL_INFORMATION_INIT;
    call(flows);
    assert_ok(pillion_call_info(&information, task));
    assert_int_equal(information.flows, flows);
    answer(task, "");
    assert_over("");
  }
}

GIVEN(a_provider, verbs_of_flows_that_are_not_there) {
  call(0);
  assert_int_equal(host_sends(0), PILLION_EINVAL);
  assert_int_equal(pillion_call_finish(task), PILLION_EINVAL);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EINVAL);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 1)); /* no flow: no credit */
  answer(task, "");
  assert_int_equal(host_sends(0), PILLION_EBADHANDLE);
  assert_over("");
  call(PILLION_FLOW_OUT);
  assert_int_equal(host_sends(0), PILLION_EINVAL);
  answer(task, "");
  assert_over("");
  call(PILLION_FLOW_IN);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EINVAL);
  answer(task, "");
  assert_over("");
}

/* ---- The end of the executor --------------------------------------------- */

TEST(free_with_open_flows) {
  for (int listed = 0; listed < 2; listed++) {
    an_executor();
    provider = provide(ex, 0);
    call(PILLION_FLOW_OUT | PILLION_FLOW_IN);
    assert_ok(pillion_call_accept(task, OWN_TOKEN, 4));
    assert_ok(host_sends(0));
    assert_ok(pillion__flow_send(to_host(), -1, LONG, sizeof LONG));
    if (listed)
      assert_int_equal(pillion_executor_turn(events, 0, &progress, ex, NULL),
                       0);
    assert_ok(pillion_executor_free(ex));
    assert_int_equal(host_sends(1), PILLION_EBADHANDLE);
    assert_int_equal(pillion_call_credit(task, 1), PILLION_EBADHANDLE);
    assert_int_equal(go_sends(1), PILLION_ECLOSED);
    go_reads(0, 1); /* what was sent before is read */
    assert_int_equal(go_finds(), PILLION_ECLOSED);
    an_executor();                                          /* in its place */
    pillion__flow_wake(to_go(), task, PILLION__WAITS_HOST); /* late */
    assert_answered(in, PILLION_ECLOSED, PILLION_OUTCOME_CANCELLED_RUNNING, "");
    assert_quiet(ex);
    assert_int_equal(library_counts().payloads, 0);
    assert_int_equal(library_counts().inbound, 0);
    assert_ok(pillion_executor_free(ex));
  }
  provider = 0;
  ex = 0;
}

/* ---- Threads ------------------------------------------------------------- */

#define MANY 2000

/* A goroutine, whose news this thread takes as the dispatcher. */
static void *go_echoes(void *data) {
  (void)data;
  struct pillion__item item;
  for (uint64_t i = 0; i < MANY; i++) {
    int rc;
    while ((rc = pillion__flow_receive(to_go(), &item)) != PILLION_READY) {
      assert_int_equal(rc, PILLION_PENDING);
      if (pillion__flow_await_item(to_go(), PILLION__WAITS_GO))
        while (pillion__ring_take(jobs, COUNT(jobs)) == 0) sched_yield();
    }
    assert_memory_equal(item.payload.bytes, &i, sizeof i);
    while ((rc = go_sends(i)) != 0) {
      assert_int_equal(rc, PILLION_EAGAIN);
      if (pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8))
        while (pillion__ring_take(jobs, COUNT(jobs)) == 0) sched_yield();
    }
  }
  pillion__inbound_finish(in);
  return NULL;
}

GIVEN(a_provider, items_go_round_between_the_loop_and_a_goroutine) {
  call(PILLION_FLOW_OUT | PILLION_FLOW_IN);
  assert_ok(pillion_call_accept(task, OWN_TOKEN, 4));
  pthread_t goroutine = thread_start(go_echoes, NULL);
  struct pollfd watched = {.events = POLLIN};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  uint64_t sent = 0, got = 0;
  bool finished = false;
  while (!finished) {
    while (sent < MANY && host_sends(sent) == 0) sent++;
    int n = pillion_executor_turn(events, 16, &progress, ex, NULL);
    for (int i = 0; i < n; i++) {
      if (events[i].flags == PILLION_EVENT_ITEM) {
        assert_memory_equal(events[i].payload.bytes, &got, sizeof got);
        got++;
        assert_int_equal(pillion_call_credit(task, 1), 1);
      } else if (events[i].flags == PILLION_EVENT_FINISHED) {
        finished = true;
      } else {
        assert_int_equal(events[i].flags, PILLION_EVENT_WRITABLE);
      }
    }
    if (n == 0 && !progress.more) /* each EAGAIN has its WRITABLE */
      assert_int_equal(poll(&watched, 1, 20000), 1);
  }
  pthread_join(goroutine, NULL);
  assert_int_equal(got, MANY);
  answer(task, "");
  assert_over("");
}

static _Atomic uint64_t spoken;
static _Atomic bool done;

/* Says everything about whatever call there is, at any time. */
static void *speaks(void *data) {
  (void)data;
  pillion_value value;
  pillion_value_set(&value, "x", 1);
  while (!atomic_load(&done)) {
    pillion_task of = atomic_load(&spoken);
    int rc = pillion_call_credit(of, 2);
    assert_true(rc >= 0 || rc == PILLION_EBADHANDLE);
    rc = pillion_call_send(of, &value);
    assert_true(rc == 0 || rc == PILLION_EAGAIN || rc == PILLION_EBUSY ||
                rc == PILLION_ECLOSED || rc == PILLION_EBADHANDLE);
    rc = pillion_call_accept(of, OWN_TOKEN, 1);
    assert_true(rc == 0 || rc == PILLION_EBADHANDLE);
    if (rc % 7 == 3) pillion_call_finish(of);
  }
  return NULL;
}

GIVEN(a_provider, verbs_of_threads_meet_the_answer) {
  pthread_t threads[2];
  atomic_store(&done, false);
  atomic_store(&spoken, 0);
  for (size_t i = 0; i < COUNT(threads); i++)
    threads[i] = thread_start(speaks, NULL);
  for (int round = 0; round < 300; round++) {
    struct pillion__inbound_request request = provider_request(provider);
    request.flows = PILLION_FLOW_OUT | PILLION_FLOW_IN;
    in = offer(request, "");
    while (turn(ex) == 0) {
    }
    assert_int_equal(events[0].flags,
                     PILLION_EVENT_CALLED | PILLION_EVENT_FLOWS);
    task = events[0].task;
    atomic_store(&spoken, task);
    for (uint64_t i = 0; i < 3; i++) go_sends(i);
    while (go_finds() == PILLION_READY) {
    }
    if (round % 2 == 0) turn(ex);
    answer(task, "");
    int rc;
    while ((rc = go_finds()) == PILLION_READY) {
    }
    assert_int_equal(rc, PILLION_ECLOSED);
    assert_answered(in, 0, PILLION_OUTCOME_RETURNED, "");
    turn(ex);
    pillion__ring_take(jobs, COUNT(jobs));
  }
  atomic_store(&done, true);
  for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
  turn(ex);
  assert_int_equal(library_counts().inbound, 0);
}

int main(void) {
  guest_install();
  return test_main();
}
