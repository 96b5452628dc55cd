/* SPDX-License-Identifier: Apache-2.0 */

/* Go calls functions of the host's: those that a call lends, and a provider's. */
#include "support.h"

#define PROVIDED 9 /* the provider's token */

/* What the host does with the calls of its functions, and what it has seen. */
static struct {
  pillion_task task;
  int hold;      /* it answers nothing before a CANCEL */
  int cancel;    /* it cancels its call at the first CALLED */
  int32_t fails; /* the status of its answers */
  int calls, cancels, ends;
  int open; /* calls without an answer */
  int32_t status;
  char log[512]; /* of one-way calls and items */
  char result[256];
} host;

static void answer(pillion_task call, const char *text) {
  pillion_value value = {0};
  char failure[64];
  value.status = host.fails;
  const void *from = text;
  value.length = strlen(text);
  if (host.fails == PILLION_EFAILED) {
    value.length = pillion_failure_write(failure, sizeof failure, 5, text,
                                         strlen(text), "at home", 7);
    from = failure;
  } else if (host.fails < 0) {
    value.length = 0;
  }
  if (value.length <= PILLION_INLINE)
    memcpy(value.payload.bytes, from, value.length);
  else value.payload.ref.data = from;
  host.open--;
  assert_ok(pillion_call_answer(call, &value));
  assert_int_equal(pillion_call_answer(call, &value), PILLION_EBADHANDLE);
}

static void on_called(const pillion_event *event) {
  const char *request = (const char *)pillion_event_data(event);
  char text[128];
  if (event->task == 0) {
    sprintf(host.log + strlen(host.log), "%d:%.*s ", event->outcome,
            (int)event->length, request);
    return;
  }
  host.calls++;
  host.open++;
  if (host.cancel)
    assert_int_equal(pillion_task_cancel(host.task), 0);
  sprintf(text, "<%.*s>", (int)event->length, request);
  if (!host.hold) answer(event->task, text);
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  assert_true(event->token == 7 || event->token == PROVIDED);
  if (event->flags & PILLION_EVENT_CALLED) {
    on_called(event);
  } else if (event->flags & PILLION_EVENT_CANCEL) {
    host.cancels++;
    answer(event->task, "");
  } else if (event->flags & PILLION_EVENT_ITEM) {
    sprintf(host.log + strlen(host.log), "%.*s ", (int)event->length,
            (const char *)pillion_event_data(event));
    pillion_call_credit(host.task, 1);
  } else {
    assert_int_equal(host.open, 0);
    host.ends++;
    host.status = event->status;
    memcpy(host.result, pillion_event_data(event), event->length);
  }
}

static void begin(const char *name, const char *request, uint32_t credit,
                  uint32_t callbacks) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  memset(&host, 0, sizeof host);
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.token = 7;
  options.flags = PILLION_EVENT;
  options.credit = credit;
  options.callbacks = callbacks;
  assert_ok(pillion_call_submit_with(&host.task, ex, &options));
}

static void to_its_end(void) {
  assert_ok(pillion_poll_run(ex, on_event, NULL));
  assert_int_equal(host.ends, 1);
}

static const char *const asking[] = {"lent.ask", "lent.loop_ask",
                                     "lent.async_ask"};
#define ASK "{\"ask\":1,\"text\":\"q\"}"

GIVEN(an_executor, a_lent_function_answers) {
  for (size_t i = 0; i < COUNT(asking); i++) {
    begin(asking[i], ASK, 0, 2);
    to_its_end();
    assert_int_equal(host.status, 0);
    assert_string_equal(host.result, "<q>");
    assert_int_equal(host.calls, 1);
  }
}

GIVEN(an_executor, a_lent_function_fails) {
  for (size_t i = 0; i < COUNT(asking); i++) {
    begin(asking[i], ASK, 0, 2);
    host.fails = PILLION_EFAILED;
    to_its_end();
    assert_int_equal(host.status, PILLION_EFAILED);
    assert_memory_equal(host.result + 8, "<q>", 3);
    begin(asking[i], ASK, 0, 1); /* it lends no such index */
    to_its_end();
    assert_int_equal(host.status, PILLION_EFAILED);
    assert_int_equal(host.calls, 0);
    begin(asking[i], "{}", 0, 0);
    to_its_end();
    assert_int_equal(host.status, PILLION_EFAILED);
  }
}

GIVEN(an_executor, a_cancel_is_acknowledged_before_the_end) {
  for (size_t i = 0; i < COUNT(asking); i++) {
    begin(asking[i], ASK, 0, 2);
    host.hold = host.cancel = 1;
    host.fails = PILLION_ECANCELLED;
    to_its_end();
    assert_int_equal(host.status, PILLION_ECANCELLED);
    assert_int_equal(host.cancels, 1);
  }
}

GIVEN(an_executor, the_end_waits_for_a_leaked_call) {
  for (int i = 0; i < 20; i++) {
    begin("lent.leak", ASK, 0, 2);
    host.hold = 1;
    host.fails = PILLION_ECANCELLED;
    to_its_end();
    assert_int_equal(host.status, 0);
    assert_string_equal(host.result, "returned");
    assert_int_equal(host.calls, host.cancels);
  }
}

GIVEN(an_executor, signals_are_in_order_with_items) {
  begin("lent.mixed", "{\"log\":0,\"ask\":1,\"text\":\"a b c\"}", 8, 2);
  to_its_end();
  assert_int_equal(host.status, 0);
  assert_string_equal(host.log, "0:a <a> 0:b <b> 0:c <c> ");
  begin("lent.upload", "{\"log\":0,\"done\":1,\"text\":\"a b c\"}", 8, 2);
  to_its_end();
  assert_string_equal(host.log, "0:a 1:1 0:b 1:2 0:c 1:3 ");
  assert_string_equal(host.result, "3");
  begin("lent.upload", "{\"log\":0,\"text\":\"a\"}", 0, 2); /* no credit */
  to_its_end();
  assert_int_equal(host.status, PILLION_EFAILED);
}

/* Begins a call whose last value waits for credit when its function has
 * returned, or soon. */
static void begin_upload(int i) {
  static const char *const uploads[] = {"lent.upload", "lent.loop_upload"};
  pillion_event event;
  begin(uploads[i % 2], "{\"log\":0,\"done\":1,\"text\":\"a\"}", 1, 2);
  while (pillion_executor_turn(&event, 1, NULL, ex, NULL) == 0)
    readable(ex, -1);
  on_event(&event, NULL);
}

GIVEN(an_executor, a_cancel_ends_a_call_whose_last_value_waits) {
  for (int i = 0; i < 40; i++) {
    begin_upload(i);
    assert_int_equal(pillion_task_cancel(host.task), 0);
    to_its_end();
    assert_string_equal(host.log, "0:a ");
  }
}

GIVEN(an_executor, a_cancel_ends_it_also_after_its_deadline) {
  for (int i = 0; i < 40; i++) {
    pillion_timer deadline = {0};
    begin_upload(i);
    assert_int_equal(pillion_task_deadline(&deadline, host.task, 1), 0);
    assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
    assert_int_equal(pillion_task_cancel(host.task), 1);
    to_its_end();
    assert_string_equal(host.log, "0:a ");
  }
}

TEST(an_executor_is_freed_when_last_values_wait) {
  for (int i = 0; i < 40; i++) {
    pillion_timer deadline = {0};
    an_executor();
    begin_upload(i);
    if (i % 4 < 2) {
      assert_int_equal(pillion_task_deadline(&deadline, host.task, 1), 0);
      assert_int_equal(pillion_executor_turn(NULL, 0, NULL, ex, NULL), 0);
    }
    executor_free(ex);
  }
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, PILLION_TIME_NEVER));
  assert_ok(pillion_start(NULL, NULL, 0));
}

/* ---- Providers ----------------------------------------------------------- */

static const char *const fetching[] = {"import.fetch", "import.loop_fetch",
                                       "import.async_fetch"};

static pillion_provider provide(void) {
  pillion_provider provider;
  char text[128] = "";
  pillion_provider_options options = PILLION_PROVIDER_OPTIONS_INIT;
  options.name = "app.Http";
  options.descriptor = "{\"functions\":[{\"name\":\"fetch\"}]}";
  options.token = PROVIDED;
  options.functions = 1;
  assert_ok(pillion_provider_new(&provider, ex, &options, text, sizeof text));
  return provider;
}

GIVEN(an_executor, a_provider_answers) {
  pillion_provider provider = provide();
  for (size_t i = 0; i < COUNT(fetching); i++) {
    begin(fetching[i], "url", 0, 0);
    to_its_end();
    assert_int_equal(host.status, 0);
    assert_string_equal(host.result, "<url>");
    begin(fetching[i], "url", 0, 0);
    host.hold = host.cancel = 1;
    host.fails = PILLION_ECANCELLED;
    to_its_end();
    assert_int_equal(host.status, PILLION_ECANCELLED);
  }
  begin("import.other", "url", 0, 0);
  to_its_end();
  assert_int_equal(host.status, PILLION_EFAILED);
  assert_ok(pillion_provider_free(provider));
  for (size_t i = 0; i < COUNT(fetching); i++) {
    begin(fetching[i], "url", 0, 0);
    to_its_end();
    assert_int_equal(host.status, PILLION_EFAILED);
    assert_int_equal(host.calls, 0);
  }
}

TEST(an_executor_is_freed_with_calls_of_its_functions) {
  for (size_t i = 0; i < COUNT(asking) + COUNT(fetching); i++) {
    an_executor();
    provide();
    if (i < COUNT(asking)) begin(asking[i], ASK, 0, 2);
    else begin(fetching[i - COUNT(asking)], "url", 0, 0);
    host.hold = 1;
    while (host.calls == 0) {
      pillion_event events[16];
      int n = pillion_executor_turn(events, 16, NULL, ex, NULL);
      for (int k = 0; k < n; k++) on_event(&events[k], NULL);
      if (n == 0) readable(ex, -1);
    }
    executor_free(ex);
  }
}
