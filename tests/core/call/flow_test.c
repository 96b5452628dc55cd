/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Flows of calls, with this file as Go: it takes the jobs, sends items and reads
 * those of the host, and ends the calls when the test is ready for it.
 */
#include "support.h"

#include "queue/queue.h"

static pillion_function out, in, both;

/* The call of a test: what the host knows of it, and what Go does. */
static struct pillion__job job;
static pillion_task task;

static pillion_task submit(pillion_function f, uint32_t credit,
                           uint32_t flags) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = f;
  o.token = 7;
  o.credit = credit;
  o.flags = flags;
  assert_ok(pillion_call_submit_with(&task, ex, &o));
  job = take_one();
  return task;
}

static struct pillion__flow *to_host(void) {
  return pillion__call_flow(job.call, PILLION__FLOW_OUT_SIDE);
}
static struct pillion__flow *from_host(void) {
  return pillion__call_flow(job.call, PILLION__FLOW_IN_SIDE);
}

static int send_number(uint64_t n) {
  return pillion__flow_send(to_host(), -1, &n, sizeof n);
}
static void send_numbers(uint64_t from, uint64_t to) {
  for (; from < to; from++) assert_ok(send_number(from));
}
static void ends(void) { job_return(&job, "end", 3); }

static int host_sends(uint64_t n) {
  pillion_value value;
  pillion_value_set(&value, &n, sizeof n);
  return pillion_call_send(task, &value);
}

static uint64_t number_of(const pillion_event *event) {
  uint64_t n;
  assert_int_equal(event->length, sizeof n);
  memcpy(&n, pillion_event_data(event), sizeof n);
  return n;
}

/* events[at …] are the items from `from` to `to`. */
static void assert_items(size_t at, uint64_t from, uint64_t to) {
  for (; from < to; from++, at++) {
    assert_int_equal(events[at].flags, PILLION_EVENT_ITEM);
    assert_int_equal(events[at].token, 7);
    assert_int_equal(events[at].task, task);
    assert_int_equal(events[at].status, 0);
    assert_int_equal(events[at].link, 0);
    assert_int_equal(number_of(&events[at]), from);
  }
}

static void assert_end(const pillion_event *event, int status) {
  assert_int_equal(event->flags, 0);
  assert_int_equal(event->token, 7);
  assert_int_equal(event->task, task);
  assert_int_equal(event->status, status);
}

/* What Go hears: one job of news, or none. */
static uint32_t news(void) {
  int n = pillion__ring_take(jobs, COUNT(jobs));
  assert_true(n == 0 || n == 1);
  if (n == 0) return 0;
  assert_ptr_equal(jobs[0].call, job.call);
  assert_int_equal(jobs[0].gen, job.gen);
  return jobs[0].news;
}

/* ---- To the host --------------------------------------------------------- */

GIVEN(an_executor, items_come_in_order_and_the_end_is_last) {
  submit(out, 8, PILLION_EVENT);
  send_numbers(0, 3);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 3);
  assert_items(0, 0, 3);
  assert_int_equal(progress.live, 1);
  assert_false(readable(ex));
  send_numbers(3, 5);
  ends();
  assert_int_equal(turn(ex), 3);
  assert_items(0, 3, 5);
  assert_end(&events[2], 0);
  assert_memory_equal(events[2].payload.bytes, "end", 3);
  assert_int_equal(progress.live, 0);
}

GIVEN(an_executor, end_comes_after_items_that_no_turn_has_taken) {
  submit(out, 8, PILLION_EVENT);
  send_numbers(0, 8);
  ends();
  for (uint64_t i = 0; i < 8; i++) {
    assert_int_equal(pillion_executor_turn(events, 1, &progress, ex, NULL), 1);
    assert_items(0, i, i + 1);
    assert_int_equal(progress.more, 1);
  }
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], 0);
}

GIVEN(an_executor, failure_comes_after_the_items_before_it) {
  submit(out, 2, PILLION_EVENT);
  send_numbers(0, 2);
  pillion__call_complete(job.call, PILLION_EFAILED, PILLION_OUTCOME_RETURNED,
                         "why", 3);
  assert_int_equal(turn(ex), 3);
  assert_items(0, 0, 2);
  assert_end(&events[2], PILLION_EFAILED);
}

GIVEN(an_executor, burst_rings_once) {
  submit(out, 64, PILLION_EVENT);
  uint64_t wakes = stats_of(ex).wakes;
  send_numbers(0, 64);
  int n = turn(ex);
  assert_items(0, 0, 64);
  assert_int_equal(n, 64);
  assert_int_equal(stats_of(ex).wakes, wakes + 1);
  ends();
  turn(ex);
}

GIVEN(an_executor, no_more_than_was_granted) {
  submit(out, 3, PILLION_EVENT);
  send_numbers(0, 3);
  assert_int_equal(send_number(3), PILLION_EAGAIN);
  assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  assert_int_equal(turn(ex), 3); /* taken is not granted */
  assert_int_equal(send_number(3), PILLION_EAGAIN);
  assert_int_equal(news(), 0);
  assert_int_equal(pillion_call_credit(task, 1), 1);
  assert_int_equal(news(), PILLION__NEWS_FLOW);
  assert_int_equal(news(), 0);
  send_numbers(3, 4);
  assert_int_equal(send_number(4), PILLION_EAGAIN);
  assert_int_equal(pillion_call_credit(task, 1), 1);
  assert_int_equal(news(), 0); /* no writer waits */
  assert_false(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  ends();
  assert_int_equal(turn(ex), 2);
  assert_items(0, 3, 4);
}

GIVEN(an_executor, grants_are_capped_by_the_buffer) {
  submit(out, 3, PILLION_EVENT); /* a buffer of 4 */
  assert_int_equal(pillion_call_credit(task, 1000), 1);
  assert_int_equal(pillion_call_credit(task, UINT32_MAX), 0);
  send_numbers(0, 4);
  assert_int_equal(send_number(4), PILLION_EAGAIN);
  assert_int_equal(pillion_call_credit(task, 1), 0);
  assert_int_equal(pillion_executor_turn(events, 2, &progress, ex, NULL), 2);
  assert_int_equal(pillion_call_credit(task, UINT32_MAX), 2);
  send_numbers(4, 6);
  assert_int_equal(turn(ex), 4);
  assert_items(0, 2, 6);
  ends();
  turn(ex);
}

GIVEN(an_executor, positions_pass_their_greatest_number) {
  submit(out, 2, PILLION_EVENT);
  struct pillion__flow *flow = to_host();
  atomic_store(&flow->read, UINT32_MAX - 1);
  atomic_store(&flow->written, UINT32_MAX - 1);
  atomic_store(&flow->granted, UINT32_MAX - 1);
  assert_int_equal(pillion_call_credit(task, 9), 2);
  for (uint64_t i = 0; i < 6; i += 2) {
    send_numbers(i, i + 2);
    assert_int_equal(send_number(9), PILLION_EAGAIN);
    assert_int_equal(turn(ex), 2);
    assert_items(0, i, i + 2);
    assert_int_equal(pillion_call_credit(task, 9), 2);
  }
  ends();
  turn(ex);
}

GIVEN(an_executor, floods_share_a_turn_with_ends) {
  enum { FLOODS = 4, ENDS = 60 };
  struct pillion__job floods[FLOODS];
  for (int i = 0; i < FLOODS; i++) {
    submit(out, 256, PILLION_EVENT);
    floods[i] = job;
    send_numbers(0, 100);
  }
  for (int i = 0; i < ENDS; i++) {
    assert_ok(pillion_call_submit(NULL, ex, function("test.echo"), NULL, 0, 9,
                                  PILLION_EVENT));
    struct pillion__job echoed = take_one();
    job_echo(&echoed);
  }
  int items = 0, ended = 0;
  for (int t = 0; t < 2; t++) {
    int n = pillion_executor_turn(events, 64, &progress, ex, NULL);
    assert_int_equal(n, 64);
    for (int i = 0; i < n; i++)
      if (events[i].flags == PILLION_EVENT_ITEM) items++;
      else ended++;
  }
  assert_int_equal(ended, ENDS);
  assert_int_equal(items, 128 - ENDS);
  for (int i = 0; i < FLOODS; i++) job_return(&floods[i], NULL, 0);
  while (progress.live > 0) turn(ex);
}

GIVEN(an_executor, long_items_are_lent_until_the_next_turn) {
  char text[100] = "a long one";
  submit(out, 4, PILLION_EVENT);
  assert_ok(pillion__flow_send(to_host(), -1, text, sizeof text));
  assert_ok(pillion__flow_send(to_host(), -1, NULL, 0));
  assert_int_equal(turn(ex), 2);
  assert_int_equal(events[0].length, sizeof text);
  assert_memory_equal(pillion_event_data(&events[0]), text, sizeof text);
  assert_int_equal(events[1].length, 0); /* an empty item is an item */
  assert_int_equal(events[1].flags, PILLION_EVENT_ITEM);
  assert_int_equal(library_counts().payloads, 1);
  turn(ex);
  assert_int_equal(library_counts().payloads, 0);
  assert_ok(pillion__flow_send(to_host(), -1, text, sizeof text));
  ends();
  assert_int_equal(turn(ex), 2);
}

GIVEN(an_executor, bytes_are_bounded_but_one_item_always_passes) {
  size_t large = PILLION__FLOW_BYTES + 1, half = PILLION__FLOW_BYTES / 2;
  char *bytes = calloc(1, large);
  submit(out, 8, PILLION_EVENT);
  assert_ok(pillion__flow_send(to_host(), -1, bytes, large));
  assert_int_equal(pillion__flow_send(to_host(), -1, bytes, 25),
                   PILLION_EAGAIN);
  assert_ok(send_number(1)); /* small ones are bounded by their number */
  assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 25));
  assert_int_equal(turn(ex), 2);
  assert_int_equal(news(), PILLION__NEWS_FLOW);
  assert_ok(pillion__flow_send(to_host(), -1, bytes, half));
  assert_ok(pillion__flow_send(to_host(), -1, bytes, half));
  assert_int_equal(pillion__flow_send(to_host(), -1, bytes, 25),
                   PILLION_EAGAIN);
  assert_int_equal(pillion__flow_send(to_host(), -1, bytes,
                                      (uint64_t)PILLION_MAX_PAYLOAD + 1),
                   PILLION_EMSGSIZE);
  ends();
  assert_int_equal(turn(ex), 3);
  free(bytes);
}

GIVEN(an_executor, one_way_calls_are_in_order_with_the_items) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = out;
  o.token = 7;
  o.credit = 4;
  o.callbacks = 3;
  assert_ok(pillion_call_submit_with(&task, ex, &o));
  job = take_one();
  assert_int_equal(
      atomic_load(&to_host()->state) >> PILLION__FLOW_LENDS_SHIFT, 3);
  send_numbers(0, 1);
  assert_ok(pillion__flow_send(to_host(), 2, "half", 4));
  send_numbers(1, 2);
  ends();
  assert_int_equal(turn(ex), 4);
  assert_items(0, 0, 1);
  assert_int_equal(events[1].flags, PILLION_EVENT_CALLED);
  assert_int_equal(events[1].token, 7);
  assert_int_equal(events[1].task, 0);
  assert_int_equal(events[1].outcome, 2);
  assert_memory_equal(events[1].payload.bytes, "half", 4);
  assert_items(2, 1, 2);
}

/* ---- Cancels ------------------------------------------------------------- */

GIVEN(an_executor, no_item_after_a_cancel) {
  char text[100] = "a long one";
  submit(out, 4, PILLION_EVENT);
  send_numbers(0, 1);
  assert_int_equal(turn(ex), 1);
  assert_ok(pillion__flow_send(to_host(), -1, text, sizeof text));
  send_numbers(1, 3);
  assert_int_equal(send_number(9), PILLION_EAGAIN);
  assert_ok(pillion_task_cancel(task));
  assert_int_equal(news(), PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
  assert_int_equal(send_number(9), PILLION_ECLOSED);
  assert_false(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  assert_int_equal(turn(ex), 0);
  assert_int_equal(library_counts().payloads, 0); /* thrown away at once */
  pillion__call_complete(job.call, PILLION_ECANCELLED,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], PILLION_ECANCELLED);
}

GIVEN(an_executor, cancel_between_the_end_and_its_event_keeps_the_items) {
  submit(out, 4, PILLION_EVENT);
  send_numbers(0, 2);
  ends();
  assert_int_equal(pillion_task_cancel(task), 2); /* too late */
  assert_int_equal(turn(ex), 3);
  assert_items(0, 0, 2);
  assert_end(&events[2], 0);
}

GIVEN(an_executor, what_came_before_a_deadline_is_delivered) {
  pillion_timer deadline = {0};
  submit(out, 4, PILLION_EVENT);
  assert_ok(pillion_task_deadline(&deadline, task, 1));
  send_numbers(0, 2);
  assert_int_equal(turn(ex), 2);
  assert_items(0, 0, 2);
  assert_int_equal(news(), PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
  send_numbers(2, 4);
  pillion__call_complete(job.call, PILLION_ETIMEDOUT,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_int_equal(turn(ex), 3);
  assert_items(0, 2, 4);
  assert_end(&events[2], PILLION_ETIMEDOUT);
}

GIVEN(an_executor, cancel_after_a_deadline_ends_the_wait_for_room) {
  pillion_timer deadline = {0};
  submit(out, 1, PILLION_EVENT);
  send_numbers(0, 1);
  assert_ok(pillion_task_deadline(&deadline, task, 1));
  assert_int_equal(turn(ex), 1);
  assert_int_equal(news(), PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
  assert_int_equal(send_number(1), PILLION_EAGAIN);
  assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
  assert_int_equal(pillion_task_cancel(task), 1);
  assert_int_equal(news(), PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
  assert_int_equal(send_number(1), PILLION_ECLOSED);
  pillion__call_complete(job.call, PILLION_ETIMEDOUT,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], PILLION_ETIMEDOUT);
}

GIVEN(an_executor, cancelled_before_it_began) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = both;
  o.token = 7;
  o.credit = 4;
  o.flags = PILLION_SENDING;
  assert_ok(pillion_call_submit_with(&task, ex, &o));
  assert_ok(host_sends(1));
  assert_ok(pillion_task_cancel(task));
  assert_int_equal(host_sends(2), PILLION_ECLOSED);
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], PILLION_ECANCELLED);
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_false(job_take_up(&jobs[0]));
}

/* ---- From the host ------------------------------------------------------- */

static uint64_t receives(void) {
  struct pillion__item item;
  uint64_t n;
  assert_int_equal(pillion__flow_receive(from_host(), &item), PILLION_READY);
  assert_int_equal(item.length, sizeof n);
  memcpy(&n, item.payload.bytes, sizeof n);
  return n;
}
static int receives_none(void) {
  struct pillion__item item;
  return pillion__flow_receive(from_host(), &item);
}

GIVEN(an_executor, go_reads_what_the_host_sends_to_its_end) {
  submit(in, 0, PILLION_SENDING);
  assert_int_equal(receives_none(), PILLION_PENDING);
  assert_true(pillion__flow_await_item(from_host(), PILLION__WAITS_GO));
  assert_ok(host_sends(1));
  assert_int_equal(news(), PILLION__NEWS_FLOW);
  assert_ok(host_sends(2));
  assert_int_equal(news(), 0); /* it does not wait any more */
  assert_int_equal(receives(), 1);
  assert_ok(pillion_call_finish(task));
  assert_ok(pillion_call_finish(task));
  assert_int_equal(host_sends(3), PILLION_ECLOSED);
  assert_int_equal(receives(), 2);
  assert_int_equal(receives_none(), PILLION_ECLOSED);
  assert_false(pillion__flow_await_item(from_host(), PILLION__WAITS_GO));
  ends();
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], 0);
  assert_int_equal(pillion_call_finish(task), PILLION_EBADHANDLE);
  assert_int_equal(host_sends(3), PILLION_EBADHANDLE);
}

GIVEN(an_executor, full_sender_is_told_once) {
  submit(in, 0, PILLION_SENDING);
  uint64_t sent = 0, read = 0;
  int rc;
  while ((rc = host_sends(sent)) == 0) sent++;
  assert_int_equal(rc, PILLION_EAGAIN);
  assert_int_equal(sent, 32);
  for (int round = 0; round < 3; round++) {
    assert_int_equal(host_sends(sent), PILLION_EAGAIN);
    assert_int_equal(turn(ex), 0);
    for (int i = 0; i < 16; i++) assert_int_equal(receives(), read++);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].flags, PILLION_EVENT_WRITABLE);
    assert_int_equal(events[0].token, 7);
    assert_int_equal(events[0].task, task);
    assert_int_equal(events[0].status, 0);
    for (int i = 0; i < 16; i++) assert_ok(host_sends(sent++));
    assert_int_equal(turn(ex), 0);
  }
  ends();
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], 0);
}

GIVEN(an_executor, refused_item_leaves_no_copy) {
  static const char text[100];
  pillion_value value = {.length = sizeof text};
  value.payload.ref.data = text;
  submit(in, 0, PILLION_SENDING);
  for (uint64_t i = 0; i < 32; i++) assert_ok(host_sends(i));
  assert_int_equal(pillion_call_send(task, &value), PILLION_EAGAIN);
  assert_int_equal(library_counts().payloads, 0);
  ends();
  turn(ex);
}

GIVEN(an_executor, sender_that_waits_learns_that_go_reads_no_more) {
  submit(in, 0, PILLION_SENDING);
  for (uint64_t i = 0; i < 32; i++) assert_ok(host_sends(i));
  assert_int_equal(host_sends(32), PILLION_EAGAIN);
  pillion__flow_refuse(from_host());
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].flags, PILLION_EVENT_WRITABLE);
  assert_int_equal(events[0].status, PILLION_ECLOSED);
  assert_int_equal(host_sends(32), PILLION_ECLOSED);
  assert_ok(pillion_call_finish(task));
  ends();
  assert_int_equal(turn(ex), 1);
}

GIVEN(an_executor, sender_that_waits_is_told_before_the_end) {
  submit(in, 0, PILLION_SENDING);
  for (uint64_t i = 0; i < 32; i++) assert_ok(host_sends(i));
  assert_int_equal(host_sends(32), PILLION_EAGAIN);
  ends();
  assert_int_equal(turn(ex), 2);
  assert_int_equal(events[0].flags, PILLION_EVENT_WRITABLE);
  assert_int_equal(events[0].status, PILLION_ECLOSED);
  assert_end(&events[1], 0);
}

static int released;
static void release(void *owner) {
  assert_ptr_equal(owner, &released);
  released++;
}

GIVEN(an_executor, lent_items_are_released_once) {
  static char text[100] = "lent";
  pillion_value value = {.length = sizeof text};
  struct pillion__item item;
  value.payload.ref.data = text;
  value.payload.ref.release = release;
  value.payload.ref.owner = &released;
  released = 0;
  submit(in, 0, PILLION_SENDING);
  assert_ok(pillion_call_send(task, &value));
  assert_int_equal(pillion__flow_receive(from_host(), &item), PILLION_READY);
  assert_ptr_equal(item.payload.ref.data, text);
  assert_int_equal(released, 0);
  pillion__item_drop(&item);
  assert_int_equal(released, 1);
  for (int i = 0; i < 3; i++) assert_ok(pillion_call_send(task, &value));
  assert_ok(pillion_call_finish(task));
  assert_int_equal(pillion_call_send(task, &value), PILLION_ECLOSED);
  assert_int_equal(released, 1); /* still the caller's */
  ends();
  assert_int_equal(released, 1);
  turn(ex);
  assert_int_equal(released, 4); /* with the call */
  value.payload.ref.release = NULL;
  submit(in, 0, PILLION_SENDING);
  assert_ok(pillion_call_send(task, &value));
  assert_int_equal(pillion__flow_receive(from_host(), &item), PILLION_READY);
  assert_ptr_not_equal(item.payload.ref.data, text); /* a copy */
  assert_memory_equal(item.payload.ref.data, text, sizeof text);
  pillion__item_drop(&item);
  ends();
  turn(ex);
}

/* ---- pillion_next -------------------------------------------------------- */

static int reads_all(struct probe *probe, pillion_value *value,
                     pillion_context *cx) {
  (void)value;
  pillion_value item;
  while ((probe->rc = pillion_next(&item, cx, task)) == PILLION_READY) {
    uint64_t n;
    memcpy(&n, pillion_value_data(&item), sizeof n);
    assert_int_equal(n, probe->awaited++);
    pillion_value_drop(&item);
  }
  if (probe->rc != PILLION_ECLOSED) return probe->rc;
  return probe->rc = pillion_join(&probe->value, cx, task);
}

GIVEN(an_executor, task_reads_items_and_grants_again_as_it_reads) {
  struct probe reader = {.step = reads_all};
  uint64_t sent = 0;
  submit(out, 8, PILLION_JOIN);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EINVAL);
  spawn(ex, &reader, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(reader.rc, PILLION_PENDING);
  for (int round = 0; round < 3; round++) {
    while (send_number(sent) == 0) sent++;
    assert_int_equal(sent, 8 * (round + 1));
    assert_true(pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8));
    assert_int_equal(turn(ex), 0);
    assert_int_equal(reader.awaited, sent);
    assert_int_equal(news(), PILLION__NEWS_FLOW);
  }
  assert_int_equal(reader.polls, 4);
  send_numbers(sent, sent + 1);
  ends();
  turn(ex);
  turn(ex);
  assert_int_equal(reader.awaited, sent + 1);
  assert_int_equal(reader.rc, PILLION_READY);
  assert_memory_equal(reader.value.payload.bytes, "end", 3);
}

GIVEN(an_executor, task_that_waits_is_woken_by_the_end_alone) {
  struct probe reader = {.step = reads_all};
  submit(out, 1, PILLION_JOIN);
  spawn(ex, &reader, 0, PILLION_DETACH);
  turn(ex);
  ends();
  turn(ex);
  turn(ex);
  assert_int_equal(reader.rc, PILLION_READY);
  assert_int_equal(reader.awaited, 0);
}

GIVEN(an_executor, task_gets_no_item_after_a_cancel) {
  struct probe reader = {.step = reads_all};
  submit(out, 4, PILLION_JOIN);
  send_numbers(0, 4);
  assert_ok(pillion_task_cancel(task));
  spawn(ex, &reader, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(reader.awaited, 0);
  assert_int_equal(reader.rc, PILLION_PENDING); /* it joins */
  pillion__call_complete(job.call, PILLION_ECANCELLED,
                         PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
  turn(ex);
  turn(ex);
  assert_int_equal(reader.value.status, PILLION_ECANCELLED);
  news();
}

static int reads_wrongly(struct probe *probe, pillion_value *value,
                         pillion_context *cx) {
  pillion_task other = *(pillion_task *)probe->data;
  (void)value;
  probe->rc = pillion_next(&probe->value, cx, other);
  return PILLION_READY;
}

static int next_says(pillion_task of) {
  struct probe reader = {.step = reads_wrongly, .data = &of};
  spawn(ex, &reader, 0, PILLION_DETACH);
  turn(ex);
  return reader.rc;
}

GIVEN(an_executor, next_names_each_misuse) {
  static struct probe sleeper;
  assert_int_equal(next_says(0), PILLION_EBADHANDLE);
  assert_int_equal(next_says(spawn(ex, &sleeper, 0, PILLION_JOIN)),
                   PILLION_EINVAL);
  submit(out, 4, PILLION_EVENT);
  assert_int_equal(next_says(task), PILLION_EINVAL);
  ends();
  turn(ex);
  assert_int_equal(next_says(task), PILLION_EBADHANDLE);
  submit(in, 0, PILLION_JOIN | PILLION_SENDING);
  assert_int_equal(next_says(task), PILLION_EINVAL);
  ends();
  turn(ex);
  assert_ok(pillion_task_detach(task));
}

GIVEN(an_executor, detached_call_wants_no_more_items) {
  submit(out, 4, PILLION_JOIN);
  send_numbers(0, 2);
  assert_ok(pillion_task_detach(task));
  assert_int_equal(send_number(2), PILLION_ECLOSED);
  ends();
  assert_int_equal(turn(ex), 0);
  assert_int_equal(progress.live, 0);
}

/* ---- Misuse -------------------------------------------------------------- */

static int submits(pillion_executor on, pillion_function f, uint32_t credit,
                   uint32_t callbacks, uint32_t flags) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = f;
  o.credit = credit;
  o.callbacks = callbacks;
  o.flags = flags;
  return pillion_call_submit_with(NULL, on, &o);
}

GIVEN(an_executor, flows_that_were_not_asked_for_are_refused_at_once) {
  pillion_value value;
  assert_int_equal(submits(ex, out, 0, 0, PILLION_EVENT), PILLION_ENOTSUP);
  assert_int_equal(submits(ex, in, 0, 0, PILLION_EVENT), PILLION_ENOTSUP);
  assert_int_equal(submits(ex, in, 4, 0, PILLION_EVENT), PILLION_ENOTSUP);
  assert_int_equal(submits(ex, both, 4, 0, PILLION_EVENT), PILLION_ENOTSUP);
  assert_int_equal(submits(ex, both, 0, 0, PILLION_SENDING), PILLION_ENOTSUP);
  assert_int_equal(pillion_call_submit(NULL, ex, out, NULL, 0, 0, 0),
                   PILLION_ENOTSUP);
  assert_int_equal(pillion_call_wait(&value, out, NULL, 0, 0), PILLION_ENOTSUP);
  pillion_call call = {.function = out};
  assert_int_equal(pillion_call_batch(NULL, ex, &call, 1, NULL, 0),
                   PILLION_ENOTSUP);
}

GIVEN(an_executor, flows_that_cannot_be_are_refused) {
  pillion_function echo = function("test.echo");
  assert_int_equal(submits(0, out, 4, 0, PILLION_EVENT), PILLION_EINVAL);
  assert_int_equal(submits(0, in, 0, 0, PILLION_SENDING), PILLION_EINVAL);
  assert_int_equal(submits(0, echo, 0, 1, PILLION_EVENT), PILLION_EINVAL);
  assert_int_equal(submits(ex, out, 4, 0, PILLION_DETACH), PILLION_EINVAL);
  assert_int_equal(submits(ex, echo, 1, 1, PILLION_JOIN), PILLION_EINVAL);
  assert_int_equal(submits(ex, echo, 0, 0, PILLION_SENDING), PILLION_EINVAL);
  assert_int_equal(submits(ex, out, 65537, 0, PILLION_EVENT), PILLION_EINVAL);
  assert_int_equal(submits(ex, out, 4, 0, 8), PILLION_EINVAL);
  assert_int_equal(submits(ex, out, 4, 0, 3), PILLION_EINVAL);
  assert_int_equal(library_counts().calls, 0);
}

GIVEN(an_executor, verbs_name_each_misuse) {
  static struct probe sleeper;
  pillion_task other = spawn(ex, &sleeper, 0, PILLION_DETACH);
  pillion_value value;
  pillion_value_set(&value, NULL, 0);
  submit(out, 4, PILLION_EVENT);
  pillion_task wrong[] = {0, other, UINT64_MAX, task + 1, task - 1};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    int expected = wrong[i] == other ? PILLION_EINVAL : PILLION_EBADHANDLE;
    assert_int_equal(pillion_call_credit(wrong[i], 1), expected);
    assert_int_equal(pillion_call_send(wrong[i], &value), expected);
    assert_int_equal(pillion_call_finish(wrong[i]), expected);
  }
  assert_int_equal(pillion_call_send(task, &value), PILLION_EINVAL);
  assert_int_equal(pillion_call_send(task, NULL), PILLION_EINVAL);
  assert_int_equal(pillion_call_finish(task), PILLION_EINVAL);
  ends();
  turn(ex);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EBADHANDLE);
  submit(in, 0, PILLION_SENDING);
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EINVAL);
  atomic_fetch_or(&from_host()->state, PILLION__FLOW_SENDING); /* a thread is */
  assert_int_equal(host_sends(1), PILLION_EBUSY);
  atomic_fetch_and(&from_host()->state, ~(uint64_t)PILLION__FLOW_SENDING);
  assert_ok(host_sends(1));
  ends();
  turn(ex);
  submit(function("test.echo"), 0, PILLION_EVENT); /* no flows at all */
  assert_int_equal(pillion_call_credit(task, 1), PILLION_EINVAL);
  assert_int_equal(pillion_call_send(task, &value), PILLION_EINVAL);
  assert_int_equal(pillion_call_finish(task), PILLION_EINVAL);
  ends();
  turn(ex);
}

/* ---- The end of the executor --------------------------------------------- */

GIVEN(an_executor, turn_between_the_last_item_and_the_end) {
  submit(out, 4, 0);
  send_numbers(0, 2);
  pillion__call_flows_done(job.call); /* the first thing that an end does */
  assert_int_equal(turn(ex), 2);
  assert_items(0, 0, 2);
  ends();
  assert_int_equal(turn(ex), 1);
  assert_end(&events[0], 0);
}

TEST(free_with_unread_flows) {
  char text[100] = "a long one";
  pillion_value value = {.length = sizeof text};
  value.payload.ref.data = text;
  value.payload.ref.release = NULL;
  for (int taken = 0; taken < 2; taken++) {
    an_executor();
    submit(both, 4, PILLION_SENDING);
    assert_ok(pillion_call_send(task, &value));
    assert_ok(pillion__flow_send(to_host(), -1, text, sizeof text));
    send_numbers(0, 2);
    if (taken) turn(ex);
    struct pillion__flow *flow = to_host();
    assert_ok(pillion_executor_free(ex));
    assert_int_equal(pillion_call_credit(task, 1), PILLION_EBADHANDLE);
    assert_int_equal(host_sends(1), PILLION_EBADHANDLE);
    assert_int_equal(pillion__flow_send(flow, -1, text, 3), PILLION_ECLOSED);
    assert_int_equal(news(), PILLION__NEWS_CANCEL | PILLION__NEWS_FLOW);
    an_executor();                                 /* in the same place */
    pillion__flow_wake(flow, task, PILLION__WAITS_HOST); /* late */
    pillion__call_complete(job.call, PILLION_ECANCELLED,
                           PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
    assert_int_equal(turn(ex), 0);
    assert_int_equal(library_counts().payloads, 0);
    assert_int_equal(library_counts().calls, 0);
    assert_ok(pillion_executor_free(ex));
  }
  ex = 0;
}

TEST(free_with_an_end_that_waits_behind_its_items) {
  an_executor();
  submit(out, 4, PILLION_EVENT);
  send_numbers(0, 4);
  ends();
  assert_int_equal(pillion_executor_turn(events, 1, &progress, ex, NULL), 1);
  assert_ok(pillion_executor_free(ex));
  assert_int_equal(library_counts().calls, 0);
  ex = 0;
}

/* ---- Threads ------------------------------------------------------------- */

#define MANY 2000

/* As a goroutine: waits for the news of the dispatcher, which this is, too. */
static void *writes(void *data) {
  (void)data;
  for (uint64_t i = 0; i < MANY; i++)
    while (send_number(i) == PILLION_EAGAIN)
      if (pillion__flow_await_room(to_host(), PILLION__WAITS_GO, 8))
        while (pillion__ring_take(jobs, COUNT(jobs)) == 0) sched_yield();
  ends();
  return NULL;
}

GIVEN(an_executor, writer_reader_and_granter_on_two_threads) {
  uint32_t seed = 1;
  for (uint32_t window = 1; window <= 32; window *= 4) {
    uint64_t expected = 0;
    submit(out, window, PILLION_EVENT);
    pthread_t writer = thread_start(writes, NULL);
    for (bool ended = false; !ended;) {
      int n = pillion_executor_turn(events, 1 + random_below(&seed, 40),
                                    &progress, ex, NULL);
      for (int i = 0; i < n; i++) {
        ended = events[i].flags == 0;
        if (ended) assert_int_equal(i, n - 1);
        else assert_int_equal(number_of(&events[i]), expected++);
      }
      if (!ended && n > 0) pillion_call_credit(task, (uint32_t)n);
      if (n == 0) sched_yield();
    }
    pthread_join(writer, NULL);
    assert_int_equal(expected, MANY);
  }
}

/* A turn that sleeps on the descriptor is never forgotten. */
GIVEN(an_executor, sleeping_reader_hears_of_each_item) {
  uint64_t expected = 0;
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  submit(out, 1, PILLION_EVENT);
  pthread_t writer = thread_start(writes, NULL);
  for (bool ended = false; !ended;) {
    int n = turn(ex);
    for (int i = 0; i < n; i++) {
      ended = events[i].flags == 0;
      if (!ended) assert_int_equal(number_of(&events[i]), expected++);
    }
    if (!ended && n > 0) pillion_call_credit(task, 1);
    if (!ended && !progress.more) assert_int_equal(poll(&watched, 1, 20000), 1);
  }
  pthread_join(writer, NULL);
  assert_int_equal(expected, MANY);
}

static _Atomic uint64_t spoken;
static _Atomic int done;

/* Says everything about whatever call there is, at any time. */
static void *speaks(void *data) {
  (void)data;
  pillion_value value;
  pillion_value_set(&value, "x", 1);
  while (!atomic_load(&done)) {
    pillion_task of = atomic_load(&spoken);
    pillion_call_credit(of, 2);
    int rc = pillion_call_send(of, &value);
    assert_true(rc == 0 || rc == PILLION_EAGAIN || rc == PILLION_EBUSY ||
                rc == PILLION_ECLOSED || rc == PILLION_EBADHANDLE);
    if (rc == PILLION_EAGAIN) pillion_call_finish(of);
  }
  return NULL;
}

GIVEN(an_executor, verbs_of_threads_meet_the_end_of_the_call) {
  pthread_t threads[2];
  atomic_store(&done, 0);
  atomic_store(&spoken, 0);
  for (size_t i = 0; i < COUNT(threads); i++)
    threads[i] = thread_start(speaks, NULL);
  for (int round = 0; round < 300; round++) {
    submit(both, 2, PILLION_SENDING);
    atomic_store(&spoken, task);
    struct pillion__item item;
    for (int i = 0; i < 3; i++) send_number((uint64_t)i);
    while (pillion__flow_receive(from_host(), &item) == PILLION_READY) {
    }
    ends();
    bool ended = false;
    while (!ended) {
      int n = turn(ex);
      for (int i = 0; i < n; i++) {
        assert_false(ended); /* the end is last */
        ended = events[i].flags == 0;
      }
    }
    pillion__ring_take(jobs, COUNT(jobs));
  }
  atomic_store(&done, 1);
  for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
}

int main(void) {
  guest_install();
  both = function("flow.both");
  in = function("flow.in");
  out = function("flow.out");
  return test_main();
}
