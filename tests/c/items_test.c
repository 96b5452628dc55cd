/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Numbered items by each case of tests/conformance/items/cases: by events, and
 * with C futures that read them by pillion_next.
 */
#include <time.h>

#include "support.h"

struct kind {
  char shape[16], where[16], cancel[16];
  int items, window, pause;
};

/* A call, and what has become of it. */
static struct {
  const struct kind *kind;
  pillion_task task;
  int cancel_item, cancel_wait; /* when it cancels; -1: never */
  int got, granted, sent, waits;
  int ended_before; /* functions of Go's, in all */
  int agains, writables;
  int cancelled; /* 1: in time, 2: too late */
  int finished;
  int32_t status;
  char result[32];
} host;

static int gives(void) { return host.kind->shape[0] != 'c'; }
static int takes(void) { return host.kind->shape[0] != 's'; }

/* What Go has done. */
static struct {
  int gave, took, faults, ended;
} go;

static void ask_go(void) {
  pillion_value value;
  char text[128];
  assert_ok(pillion_call_wait(&value, function("items.count"), NULL, 0,
                              30 * (int64_t)1000000000));
  assert_int_equal(value.status, 0);
  memcpy(text, pillion_value_data(&value), value.length);
  text[value.length] = 0;
  assert_int_equal(sscanf(text, "%d %d %d %d", &go.gave, &go.took, &go.faults,
                          &go.ended),
                   4);
  pillion_value_drop(&value);
}

/* No more than the window is ahead of the reader. */
static void nothing_is_ahead(void) {
  ask_go();
  assert_int_equal(go.faults, 0);
  assert_true(go.gave <= host.granted);
  assert_true(go.took <= host.sent);
  assert_true(host.sent <= go.took + 32 + 1);
}

static void begin(const struct kind *kind, uint32_t flags, int cancel_item,
                  int cancel_wait) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  char name[64], request[64];
  memset(&host, 0, sizeof host);
  ask_go();
  host.ended_before = go.ended;
  host.kind = kind;
  host.cancel_item = cancel_item;
  host.cancel_wait = cancel_wait;
  snprintf(name, sizeof name, "items.%s_%s", kind->shape, kind->where);
  snprintf(request, sizeof request, "{\"items\":%d,\"pause\":%d}", kind->items,
           kind->pause);
  o.function = function(name);
  o.request = request;
  o.length = strlen(request);
  o.token = 7;
  o.flags = flags | (takes() ? PILLION_SENDING : 0);
  if (gives()) host.granted = o.credit = (uint32_t)kind->window;
  assert_ok(pillion_call_submit_with(&host.task, ex, &o));
  if (cancel_item == 0) host.cancelled = 1 + pillion_task_cancel(host.task) / 2;
}

/* An end may be in the turn's events, and is the last of them. */
static void cancel(void) {
  int rc = pillion_task_cancel(host.task);
  assert_true(rc == 0 || rc == 2 || rc == PILLION_EBADHANDLE);
  host.cancelled = rc == 0 ? 1 : 2;
}

static void an_item_has_come(const void *bytes, uint64_t length) {
  char number[16];
  int n = snprintf(number, sizeof number, "%d", host.got++);
  assert_int_equal(length, n);
  assert_memory_equal(bytes, number, n);
  assert_true(host.got <= host.granted);
  if (host.got == host.cancel_item) cancel();
}

static void send_some(void) {
  if (!takes() || host.finished) return;
  while (host.sent < host.kind->items && host.agains == host.writables) {
    pillion_value value = {0};
    value.length = (uint64_t)sprintf((char *)value.payload.bytes, "%d",
                                     host.sent);
    int rc = pillion_call_send(host.task, &value);
    if (rc == PILLION_EAGAIN) {
      host.agains++;
    } else if (rc < 0) { /* it reads no more, by the cancel */
      if (host.cancelled != 1) print_error("send: %d\n", rc);
      assert_int_equal(host.cancelled, 1);
      host.finished = 1;
      return;
    } else {
      host.sent++;
      if (!gives() && host.sent == host.cancel_item) cancel();
    }
  }
  if (host.sent < host.kind->items) return;
  int rc = pillion_call_finish(host.task);
  assert_true(rc == 0 || (rc == PILLION_EBADHANDLE && host.cancelled == 1));
  host.finished = 1;
}

static void has_ended(int32_t status, const void *bytes, uint64_t length) {
  host.status = status;
  ask_go();
  assert_int_equal(go.faults, 0);
  int functions = go.ended - host.ended_before;
  assert_true(functions == 1 || (functions == 0 && host.cancelled == 1));
  if (host.cancelled == 1 && status == 0) { /* it was about to return */
    assert_int_equal(takes() ? go.took : go.gave, host.kind->items);
    return;
  }
  if (host.cancelled == 1) {
    assert_int_equal(status, PILLION_ECANCELLED);
    return;
  }
  assert_int_equal(status, 0);
  if (gives()) assert_int_equal(host.got, host.kind->items);
  if (gives()) assert_int_equal(go.gave, host.kind->items);
  if (!takes()) return;
  assert_int_equal(host.sent, host.kind->items);
  assert_int_equal(go.took, host.kind->items);
  if (gives()) return;
  char number[16];
  assert_int_equal(length, sprintf(number, "%d", host.kind->items));
  assert_memory_equal(bytes, number, length);
}

/* ---- By events ----------------------------------------------------------- */

/* `late`: it was cancelled before the turn that brought it. */
static int on_event(const pillion_event *event, int late) {
  assert_int_equal(event->token, 7);
  assert_int_equal(event->task, host.task);
  if (event->flags == 0) {
    has_ended(event->status, pillion_event_data(event), event->length);
    return 1;
  }
  if (event->flags == PILLION_EVENT_WRITABLE) {
    host.writables++;
    assert_true(host.writables <= host.agains);
    return 0;
  }
  assert_int_equal(event->flags, PILLION_EVENT_ITEM);
  assert_false(late);
  an_item_has_come(pillion_event_data(event), event->length);
  if (host.got % host.kind->pause == 0) {
    int rc = pillion_call_credit(host.task, (uint32_t)host.kind->pause);
    if (rc >= 0) host.granted += rc;
    else assert_int_equal(rc, PILLION_EBADHANDLE); /* its end is taken */
  }
  if (host.got % 1999 == 0) nothing_is_ahead();
  return 0;
}

static void by_events(const struct kind *kind, int cancel_item,
                      int cancel_wait) {
  pillion_event events[5];
  begin(kind, PILLION_EVENT, cancel_item, cancel_wait);
  for (int ended = 0; !ended;) {
    if (host.waits == host.cancel_wait && host.cancelled == 0) cancel();
    send_some();
    pillion_progress progress = PILLION_PROGRESS_INIT;
    int late = host.cancelled == 1;
    int n = pillion_executor_turn(events, COUNT(events), &progress, ex, NULL);
    for (int i = 0; i < n; i++) {
      assert_false(ended); /* the end is last */
      ended = on_event(&events[i], late);
    }
    if (n > 0 || progress.more) continue;
    host.waits++;
    readable(ex, -1);
  }
  assert_int_equal(pillion_executor_turn(events, 5, NULL, ex, NULL), 0);
}

/* ---- By pillion_next ----------------------------------------------------- */

static int reader_poll(pillion_value *out, pillion_context *cx, void *self) {
  int *ended = self;
  for (;;) {
    pillion_value value;
    int rc = pillion_next(&value, cx, host.task);
    if (rc == PILLION_READY) {
      assert_int_not_equal(host.cancelled, 1);
      host.granted = host.got + 1 + 2 * host.kind->window;
      an_item_has_come(pillion_value_data(&value), value.length);
      pillion_value_drop(&value);
      if (host.got % host.kind->pause == 0) { /* it is slow */
        cx->ops->wake(cx->waker);
        return PILLION_PENDING;
      }
      continue;
    }
    if (rc == PILLION_PENDING) {
      if (host.waits++ == host.cancel_wait && host.cancelled == 0) {
        cancel();
        continue;
      }
      return rc;
    }
    assert_int_equal(rc, PILLION_ECLOSED);
    rc = pillion_join(out, cx, host.task);
    if (rc == PILLION_READY) *ended = 1;
    return rc;
  }
}

static void reader_drop(void *self) { (void)self; }

static const pillion_future reader = {sizeof reader, reader_poll, reader_drop};

static void by_next(const struct kind *kind, int cancel_item, int cancel_wait) {
  static int ended;
  pillion_event events[5];
  if (takes()) return;
  begin(kind, PILLION_JOIN, cancel_item, cancel_wait);
  ended = 0;
  assert_ok(pillion_task_spawn(NULL, ex, &reader, &ended, 9, PILLION_EVENT));
  for (;;) {
    pillion_progress progress = PILLION_PROGRESS_INIT;
    int n = pillion_executor_turn(events, COUNT(events), &progress, ex, NULL);
    assert_true(n == 0 || (n == 1 && events[0].token == 9));
    if (n == 1) break;
    if (!progress.more) readable(ex, -1);
  }
  assert_int_equal(ended, 1);
  has_ended(events[0].status, pillion_event_data(&events[0]),
            events[0].length);
}

/* ---- The cases ----------------------------------------------------------- */

static uint64_t seed;

static int random_below(int n) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return (int)(seed % (uint64_t)n);
}

typedef void (*driver)(const struct kind *kind, int cancel_item,
                       int cancel_wait);

static void play(driver run, const struct kind *kind) {
  if (strcmp(kind->cancel, "never") == 0) {
    run(kind, -1, -1);
  } else if (strcmp(kind->cancel, "everywhere") == 0) {
    for (int at = 0; at <= kind->items; at++) run(kind, at, -1);
    for (int at = 0; at < 12; at++) run(kind, -1, at);
  } else {
    assert_string_equal(kind->cancel, "somewhere");
    for (int i = 0; i < 5; i++) run(kind, random_below(kind->items), -1);
  }
}

static void every_case(driver run) {
  FILE *file = fopen("tests/conformance/items/cases", "r");
  const char *given = getenv("ITEMS_SEED");
  char line[128];
  int cases = 0;
  assert_non_null(file);
  seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1;
  printf("ITEMS_SEED=%llu\n", (unsigned long long)seed);
  while (fgets(line, sizeof line, file) != NULL) {
    struct kind kind;
    if (line[0] == '#' ||
        sscanf(line, "%15s %15s %d %d %d %15s", kind.shape, kind.where,
               &kind.items, &kind.window, &kind.pause, kind.cancel) != 6)
      continue;
    host.kind = &kind;
    if (run == by_next && takes()) continue;
    play(run, &kind);
    cases++;
  }
  fclose(file);
  assert_true(cases >= 15);
}

GIVEN(an_executor, numbered_items_by_events) { every_case(by_events); }

GIVEN(an_executor, numbered_items_by_next) { every_case(by_next); }
