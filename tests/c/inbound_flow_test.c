/* SPDX-License-Identifier: Apache-2.0 */

/* Go reads the items of a provider's function, and sends items to another. */
#include "support.h"

#define CALL 7
#define PROVIDED 9
#define OWN 11
#define MANY 1000

enum { FETCH, FEED, JOIN };

/* What feed and join do, and what was seen. */
static struct {
  pillion_task task, inbound; /* the call; Go's, until it is answered */
  int items;                  /* that feed gives before its answer */
  int32_t fails;              /* the status of feed's answer */
  int given, refused, writables, cancels, finishes;
  uint32_t credit; /* that join gives, and then one for each item */
  int enough;      /* join answers after so many items; 0: when told to */
  int joined;
  int cancel_at; /* the host cancels its call at this item of join's; 0: never */
  int items_back, ends, wrong;
  int32_t status;
  char log[64], result[256];
} host;

static pillion_value value_of(const char *text) {
  pillion_value value = {.length = strlen(text)};
  if (value.length <= PILLION_INLINE)
    memcpy(value.payload.bytes, text, value.length);
  else value.payload.ref.data = text;
  return value;
}

static void answer(int32_t status, const char *text) {
  char failure[64];
  pillion_value value = value_of(text);
  if (status == PILLION_EFAILED) {
    value.length = pillion_failure_write(failure, sizeof failure, 5, text,
                                         strlen(text), "in the kitchen", 14);
    value.payload.ref.data = failure;
    value.payload.ref.release = NULL;
  } else if (status < 0) {
    value.length = 0;
  }
  value.status = status;
  assert_ok(pillion_call_answer(host.inbound, &value));
  assert_int_equal(pillion_call_send(host.inbound, &value), PILLION_EBADHANDLE);
  host.inbound = 0;
}

static const char *item_text(int number) {
  static char text[64];
  const char *prefix = number % 3 == 2 ? "longer than twenty-four bytes: " : "";
  sprintf(text, "%s%d", prefix, number);
  return text;
}

/* Sends while there is room, then answers. */
static void feed(void) {
  while (host.given < host.items) {
    pillion_value value = value_of(item_text(host.given));
    int rc = pillion_call_send(host.inbound, &value);
    if (rc == PILLION_EAGAIN || rc == PILLION_ECLOSED) {
      host.refused += rc == PILLION_EAGAIN;
      return;
    }
    assert_ok(rc);
    host.given++;
  }
  if (host.fails == 0) assert_ok(pillion_call_finish(host.inbound));
  answer(host.fails, "done");
}

static void on_called(const pillion_event *event) {
  pillion_call_information information = PILLION_CALL_INFORMATION_INIT;
  host.inbound = event->task;
  assert_int_equal(event->token, PROVIDED);
  assert_ok(pillion_call_info(&information, host.inbound));
  if (event->outcome == FEED) {
    assert_int_equal(information.flows, PILLION_FLOW_IN);
    assert_ok(pillion_call_accept(host.inbound, OWN, 0));
    feed();
  } else {
    assert_int_equal(event->outcome, JOIN);
    assert_int_equal(information.flows, PILLION_FLOW_OUT);
    assert_ok(pillion_call_accept(host.inbound, OWN, host.credit));
  }
}

/* An item that Go sends to join. */
static void on_joined(const pillion_event *event) {
  assert_int_equal(event->token, OWN);
  if (strlen(host.log) < 40)
    sprintf(host.log + strlen(host.log), "%.*s ", (int)event->length,
            (const char *)pillion_event_data(event));
  host.joined++;
  if (host.joined == host.cancel_at)
    assert_int_equal(pillion_task_cancel(host.task), 0);
  if (host.joined == host.enough) answer(0, "enough");
  else pillion_call_credit(host.inbound, 1);
}

/* An item of the call's, which Go has from feed. */
static void on_item(const pillion_event *event) {
  const char *expected = item_text(host.items_back++);
  host.wrong += event->length != strlen(expected) ||
                memcmp(pillion_event_data(event), expected, event->length) != 0;
  pillion_call_credit(host.task, 1);
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  bool ours = event->token == CALL;
  if (!ours && event->task != host.inbound && host.inbound != 0)
    assert_int_equal(
        event->flags & ~(PILLION_EVENT_LINKED | PILLION_EVENT_FLOWS),
        PILLION_EVENT_CALLED);
  switch (event->flags & ~(PILLION_EVENT_LINKED | PILLION_EVENT_FLOWS)) {
    case PILLION_EVENT_CALLED:
      on_called(event);
      break;
    case PILLION_EVENT_ITEM:
      if (ours) on_item(event);
      else if (host.inbound != 0) on_joined(event);
      break;
    case PILLION_EVENT_WRITABLE:
      host.writables++;
      if (host.inbound != 0) feed();
      break;
    case PILLION_EVENT_CANCEL:
      host.cancels++;
      answer(PILLION_ECANCELLED, "");
      break;
    case PILLION_EVENT_FINISHED:
      host.finishes++;
      answer(0, host.log);
      break;
    default:
      assert_true(ours);
      host.ends++;
      host.status = event->status;
      memcpy(host.result, pillion_event_data(event), event->length);
  }
}

static pillion_provider provider;

static void begin(const char *name, const char *request, uint32_t credit) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.token = CALL;
  options.credit = credit;
  assert_ok(pillion_call_submit_with(&host.task, ex, &options));
}

static void to_its_end(void) {
  assert_ok(pillion_poll_run(ex, on_event, NULL));
  assert_int_equal(host.ends, 1);
  assert_int_equal(host.wrong, 0);
  assert_int_equal(host.inbound, 0);
}

static void a_provider(void) {
  pillion_provider_options options = PILLION_PROVIDER_OPTIONS_INIT;
  an_executor();
  memset(&host, 0, sizeof host);
  options.name = "app.Http";
  options.descriptor =
      "{\"functions\":[{\"name\":\"fetch\"},{\"name\":\"feed\"},"
      "{\"name\":\"join\"}]}";
  options.token = PROVIDED;
  options.functions = 3;
  assert_ok(pillion_provider_new(&provider, ex, &options, NULL, 0));
}

/* ---- Items to Go --------------------------------------------------------- */

/* Through Go and back: a slow reader stops the handler. */
GIVEN(a_provider, go_ranges_over_items_with_backpressure) {
  host.items = MANY;
  begin("import.feed", "q", 1);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_int_equal(host.items_back, MANY);
  assert_in_range(host.refused, 1, MANY);
  assert_int_equal(host.writables, host.refused);
}

GIVEN(a_provider, failure_comes_after_the_items_before_it) {
  host.items = 5;
  host.fails = PILLION_EFAILED;
  begin("import.feed", "q", 8);
  to_its_end();
  assert_int_equal(host.status, PILLION_EFAILED);
  assert_int_equal(host.items_back, 5);
  assert_memory_equal(host.result + 8, "done", 4);
}

GIVEN(a_provider, handler_is_cancelled_when_go_breaks) {
  host.items = MANY;
  begin("import.some", "3 q", 0);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_string_equal(host.result, "0 1 longer than twenty-four bytes: 2");
  assert_int_equal(host.cancels, 1);
  assert_in_range(host.given, 3, MANY - 1);
}

GIVEN(a_provider, cancel_of_the_host_reaches_the_handler) {
  pillion_event event;
  host.items = MANY;
  begin("import.feed", "q", 1);
  while (host.refused == 0) {
    if (pillion_executor_turn(&event, 1, NULL, ex, NULL) == 0)
      readable(ex, -1);
    else on_event(&event, NULL);
  }
  assert_int_equal(pillion_task_cancel(host.task), 0);
  to_its_end();
  assert_int_equal(host.status, PILLION_ECANCELLED);
  assert_int_equal(host.cancels, 1);
}

/* ---- Items from Go ------------------------------------------------------- */

GIVEN(a_provider, go_sends_items_and_then_no_more) {
  host.credit = 1;
  begin("import.join", "a b c d", 0);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_string_equal(host.result, "a b c d ");
  assert_int_equal(host.finishes, 1);
}

GIVEN(a_provider, go_stops_sending_when_the_handler_answers) {
  host.credit = 2;
  host.enough = 2;
  begin("import.join", "a b c d e f g h", 0);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_string_equal(host.result, "enough");
  assert_int_equal(host.finishes, 0);
  assert_string_equal(host.log, "a b ");
}

GIVEN(a_provider, handler_is_cancelled_when_an_item_fails) {
  host.credit = 8;
  begin("import.join", "a b bad c", 0);
  to_its_end();
  assert_int_equal(host.status, PILLION_EFAILED);
  assert_memory_equal(host.result + 8, "bad", 3);
  assert_int_equal(host.cancels, 1);
  assert_int_equal(host.finishes, 0); /* or it would answer half a sum */
}

GIVEN(a_provider, cancel_of_a_call_that_waits_for_the_handlers_credit) {
  host.credit = 1;
  host.cancel_at = 2;
  begin("import.join", "a b c d e f g h", 0);
  to_its_end();
  assert_int_equal(host.status, PILLION_ECANCELLED);
  assert_int_equal(host.cancels, 1);
  assert_int_equal(host.finishes, 0);
}

TEST(executor_is_freed_with_open_flows_of_its_functions) {
  static const char *const names[] = {"import.feed", "import.join"};
  for (int i = 0; i < 20; i++) {
    pillion_event event;
    a_provider();
    host.items = MANY;
    host.credit = 1;
    begin(names[i % 2], "a b c d e f", 1);
    while (host.inbound == 0 || host.joined + host.given < i / 4)
      if (pillion_executor_turn(&event, 1, NULL, ex, NULL) == 0)
        readable(ex, -1);
      else on_event(&event, NULL);
    executor_free(ex);
  }
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, PILLION_TIME_NEVER));
  assert_ok(pillion_start(NULL, NULL, 0));
}

int main(void) { return test_main(); }
