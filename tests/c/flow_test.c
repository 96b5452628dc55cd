/* SPDX-License-Identifier: Apache-2.0 */

/* Streams of Go functions, in both directions. */
#include <poll.h>

#include "support.h"

/* A host that reads a call's items and sends some. */
static struct {
  pillion_task task;
  uint32_t grant;  /* after each item */
  int cancel_at;   /* at the item of this number; -1: never */
  int send, sent;  /* so many items in all, and then finish; -1: no flow */
  size_t size;     /* of each item that it sends */
  int items, ends; /* that came */
  int after;       /* items after the end */
  int32_t status;
  uint16_t outcome;
  uint64_t bytes;
  int in_order; /* the items were the numbers from 0 on */
  char text[4096], result[4096];
} host;

static void some_items(void) {
  static char item[1 << 16];
  while (host.sent < host.send) {
    char number[16];
    size_t n = host.size != 0 ? host.size
                              : (size_t)sprintf(number, "%d", host.sent);
    pillion_value value = {.length = n};
    const char *from = host.size != 0 ? item : number;
    if (n <= PILLION_INLINE) memcpy(value.payload.bytes, from, n);
    else value.payload.ref.data = from;
    int rc = pillion_call_send(host.task, &value);
    if (rc == PILLION_EAGAIN) return;
    if (rc == PILLION_ECLOSED) break;
    if (rc == PILLION_EBADHANDLE) return; /* its end is taken */
    assert_ok(rc);
    host.sent++;
  }
  int rc = pillion_call_finish(host.task);
  assert_true(rc == 0 || rc == PILLION_EBADHANDLE);
}

static void on_item(const pillion_event *event) {
  const char *data = (const char *)pillion_event_data(event);
  char number[16];
  int n = sprintf(number, "%d", host.items);
  host.in_order &= event->length == (uint64_t)n && memcmp(data, number, n) == 0;
  host.after += host.ends > 0;
  host.bytes += event->length;
  if (event->length < 64)
    sprintf(host.text + strlen(host.text), "%.*s ", (int)event->length, data);
  if (host.items++ == host.cancel_at)
    assert_int_equal(pillion_task_cancel(host.task), 0);
  if (host.grant > 0) {
    int rc = pillion_call_credit(host.task, host.grant);
    assert_true(rc >= 0 || rc == PILLION_EBADHANDLE); /* its end is taken */
  }
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  assert_int_equal(event->token, 7);
  if (event->flags == PILLION_EVENT_ITEM) {
    assert_int_equal(event->task, host.task);
    on_item(event);
  } else if (event->flags == PILLION_EVENT_WRITABLE) {
    some_items();
  } else {
    assert_int_equal(event->flags, 0);
    host.ends++;
    host.status = event->status;
    host.outcome = event->outcome;
    if (event->length < sizeof host.result)
      memcpy(host.result, pillion_event_data(event), event->length);
  }
}

static void begin(const char *name, const char *request, uint32_t credit,
                  int send) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  memset(&host, 0, sizeof host);
  host.cancel_at = -1;
  host.in_order = 1;
  host.send = send;
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.token = 7;
  options.flags = PILLION_EVENT | (send < 0 ? 0 : PILLION_SENDING);
  options.credit = credit;
  assert_ok(pillion_call_submit_with(&host.task, ex, &options));
}

static void to_its_end(void) {
  if (host.send >= 0) some_items();
  assert_ok(pillion_poll_run(ex, on_event, NULL));
  assert_int_equal(host.ends, 1);
  assert_int_equal(host.after, 0);
}

static const char *const counting[] = {"flow.count", "flow.loop_count",
                                       "flow.cpu"};

GIVEN(an_executor, every_item_comes_in_order_within_every_window) {
  static const uint32_t windows[] = {1, 2, 32, 1000};
  for (size_t f = 0; f < COUNT(counting); f++)
    for (size_t w = 0; w < COUNT(windows); w++) {
      begin(counting[f], "300", windows[w], -1);
      host.grant = 1;
      to_its_end();
      assert_int_equal(host.status, 0);
      assert_int_equal(host.items, 300);
      assert_true(host.in_order);
    }
}

GIVEN(an_executor, no_item_comes_beyond_the_credit) {
  for (size_t f = 0; f < COUNT(counting); f++) {
    begin(counting[f], "10", 4, -1);
    struct pollfd pfd = {-1, POLLIN, 0};
    assert_ok(pillion_executor_fd(&pfd.fd, ex));
    while (host.items < 4) {
      pillion_event events[16];
      int n = pillion_executor_turn(events, 16, NULL, ex, NULL);
      for (int i = 0; i < n; i++) on_event(&events[i], NULL);
      if (n == 0) poll(&pfd, 1, -1);
    }
    assert_int_equal(pillion_task_cancel(host.task), 0);
    to_its_end();
    assert_int_equal(host.items, 4);
    assert_int_equal(host.status, PILLION_ECANCELLED);
  }
}

GIVEN(an_executor, cancelled_at_every_item) {
  for (size_t f = 0; f < COUNT(counting); f++)
    for (int at = 0; at < 12; at++) {
      begin(counting[f], "1000000", 2, -1);
      host.grant = 1;
      host.cancel_at = at;
      to_its_end();
      assert_int_equal(host.status, PILLION_ECANCELLED);
      assert_true(host.items <= at + 2); /* those that the turn had taken */
    }
  await_waiting(0);
}

GIVEN(an_executor, items_before_a_failure_come_first) {
  static const struct {
    const char *how;
    int32_t status;
  } failing[] = {{"broken", PILLION_EFAILED}, {"panic", PILLION_EPANIC}};
  for (size_t i = 0; i < COUNT(failing); i++) {
    begin("flow.fail", failing[i].how, 8, -1);
    to_its_end();
    assert_int_equal(host.status, failing[i].status);
    assert_string_equal(host.text, "first ");
  }
  begin("flow.count", "x", 8, -1);
  to_its_end();
  assert_int_equal(host.status, PILLION_EREQUEST);
}

GIVEN(an_executor, long_items_are_bounded_by_their_bytes) {
  begin("flow.blocks", "300000", 26, -1);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_int_equal(host.items, 26);
  assert_true(host.bytes == 26 * 300000);
}

GIVEN(an_executor, go_reads_what_the_host_sends) {
  static const int counts[] = {0, 1, 31, 32, 33, 500};
  char text[32];
  for (size_t i = 0; i < COUNT(counts); i++) {
    begin("flow.size", "", 0, counts[i]);
    host.size = 40000;
    to_its_end();
    assert_int_equal(host.status, 0);
    sprintf(text, "%d %d", counts[i], counts[i] * 40000);
    assert_string_equal(host.result, text);
  }
  begin("flow.join", "0", 0, 5);
  to_its_end();
  assert_string_equal(host.result, "0 1 2 3 4");
}

GIVEN(an_executor, a_function_that_stops_reading_refuses_the_rest) {
  begin("flow.join", "3", 0, 100000);
  to_its_end();
  assert_string_equal(host.result, "0 1 2");
  assert_true(host.sent < 100000);
}

GIVEN(an_executor, a_reader_is_cancelled) {
  begin("flow.join", "0", 0, 3);
  host.send = 4; /* it waits for the last, and for the finish */
  for (; host.sent < 3; host.sent++) {
    pillion_value value = {.length = 1, .payload.bytes = "x"};
    assert_ok(pillion_call_send(host.task, &value));
  }
  assert_int_equal(pillion_task_cancel(host.task), 0);
  host.send = -1;
  to_its_end();
  assert_int_equal(host.status, PILLION_ECANCELLED);
}

GIVEN(an_executor, both_ways_at_once) {
  begin("flow.upper", "", 3, 400);
  host.grant = 1;
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_int_equal(host.items, 400);
  assert_true(host.in_order);
  begin("flow.upper", "", 1, 1000000);
  host.cancel_at = 20;
  host.grant = 1;
  to_its_end();
  assert_int_equal(host.status, PILLION_ECANCELLED);
}

GIVEN(an_executor, a_stream_without_credit_is_refused) {
  pillion_task task;
  assert_int_equal(pillion_call_submit(&task, ex, function("flow.count"), "1",
                                       1, 0, PILLION_EVENT),
                   PILLION_ENOTSUP);
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  assert_ok(pillion_function_describe(&info, function("flow.upper")));
  assert_int_equal(info.flows, PILLION_FLOW_OUT | PILLION_FLOW_IN);
  assert_ok(pillion_function_describe(&info, function("lent.mixed")));
  assert_int_equal(info.flows, PILLION_FLOW_OUT | PILLION_FLOW_CALLBACKS);
}

TEST(an_executor_is_freed_with_streams_in_the_air) {
  for (size_t f = 0; f < COUNT(counting); f++) {
    an_executor();
    begin(counting[f], "1000000", 2, -1);
    pillion_event events[16];
    for (int i = 0; i < 3; i++) pillion_executor_turn(events, 16, NULL, ex, NULL);
    executor_free(ex);
  }
  an_executor();
  begin("flow.join", "0", 0, 3);
  executor_free(ex);
  await_waiting(0);
}
