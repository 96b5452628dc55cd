/* SPDX-License-Identifier: Apache-2.0 */

/* Objects of Go's: handles, methods, and their ends. */
#include "support.h"

#define ROWS "{\"name\":\"rows\",\"rows\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}"

/* What a host has seen of one call. */
struct told {
  pillion_task task;
  int ends, items, drop_items;
  int32_t status, code;
  uint64_t object;       /* of the end */
  uint64_t objects[64];  /* of the items */
  char text[512], result[256];
};

static void on_event(const pillion_event *event, void *data) {
  struct told *told = (struct told *)data;
  int has = event->flags & PILLION_EVENT_OBJECT;
  assert_true(!has || (event->length == 0 && event->link != 0));
  assert_true(has || event->link == 0);
  if (event->flags & PILLION_EVENT_ITEM) {
    if (has) told->objects[told->items] = event->link;
    else
      sprintf(told->text + strlen(told->text), "%.*s ", (int)event->length,
              (const char *)pillion_event_data(event));
    told->items++;
    pillion_call_credit(told->task, 1);
    return;
  }
  told->ends++;
  told->status = event->status;
  told->object = has ? event->link : 0;
  if (event->status == 0) {
    memcpy(told->result, pillion_event_data(event), event->length);
  } else if (event->length > 0) {
    pillion_failure failure = PILLION_FAILURE_INIT;
    assert_ok(pillion_failure_parse(&failure, pillion_event_data(event),
                                    event->length));
    told->code = failure.code;
    memcpy(told->result, failure.message, failure.message_length);
  }
}

static pillion_call_options options_of(const char *name, uint64_t object,
                                       const char *request) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.flags = PILLION_EVENT;
  options.object = object;
  return options;
}

static int submit_it(struct told *told, pillion_call_options options) {
  memset(told, 0, sizeof *told);
  return pillion_call_submit_with(&told->task, ex, &options);
}

static void to_its_end(struct told *told) {
  assert_ok(pillion_poll_run(ex, on_event, told));
  assert_int_equal(told->ends, 1);
}

static struct told call_it(const char *name, uint64_t object,
                           const char *request) {
  struct told told;
  assert_ok(submit_it(&told, options_of(name, object, request)));
  to_its_end(&told);
  return told;
}

static uint64_t open_store(const char *request) {
  struct told told = call_it("store.Store.open", 0, request);
  assert_int_equal(told.status, 0);
  assert_int_not_equal(told.object, 0);
  return told.object;
}

static long closed(void) { return ask_number("store.closed", ""); }

/* Go's part of a drop is over. */
static void await_objects(uint64_t n) {
  while (library_counts().objects != n) sched_yield();
}

GIVEN(an_executor, an_object_has_methods_until_it_is_dropped) {
  long before = closed();
  uint64_t store = open_store(ROWS);
  assert_int_equal(library_counts().objects, 1);
  for (int i = 0; i < 3; i++) {
    struct told told = call_it("store.Store.get", store, "b");
    assert_int_equal(told.status, 0);
    assert_string_equal(told.result, "2");
  }
  assert_ok(pillion_object_drop(store));
  struct told told;
  assert_int_equal(submit_it(&told, options_of("store.Store.get", store, "b")),
                   PILLION_EBADHANDLE);
  assert_int_equal(pillion_object_drop(store), PILLION_EBADHANDLE);
  await_objects(0);
  assert_int_equal(closed(), before + 1);
}

GIVEN(an_executor, errors_of_a_class_have_codes) {
  uint64_t store = open_store(ROWS);
  struct told told = call_it("store.Store.get", store, "z");
  assert_int_equal(told.status, PILLION_EFAILED);
  assert_int_equal(told.code, 1);
  assert_string_equal(told.result, "\"z\": there is no such row");
  assert_int_equal(call_it("store.Store.close", store, "").status, 0);
  told = call_it("store.Store.get", store, "a");
  assert_int_equal(told.code, 2);
  assert_ok(pillion_object_drop(store));
  await_objects(0);
  told = call_it("store.Store.open", 0, "{}");
  assert_int_equal(told.status, PILLION_EFAILED);
  assert_int_equal(told.code, 0);
  assert_int_equal(told.object, 0);
}

/* By the method or by the drop, whichever comes first. */
GIVEN(an_executor, close_is_called_once) {
  long before = closed();
  uint64_t store = open_store("{\"name\":\"fails\"}");
  for (int i = 0; i < 2; i++) {
    struct told told = call_it("store.Store.close", store, "");
    assert_int_equal(told.status, PILLION_EFAILED);
    assert_string_equal(told.result, "the disk is full");
  }
  assert_ok(pillion_object_drop(store));
  await_objects(0);
  assert_int_equal(closed(), before + 1);
}

static _Atomic int warnings;
static void on_log(int level, const char *text, void *data) {
  if (strstr(text, "Close") != NULL) warnings++;
}

GIVEN(an_executor, a_close_that_fails_unasked_is_a_warning) {
  assert_ok(pillion_log_set(on_log, NULL, NULL));
  warnings = 0;
  assert_ok(pillion_object_drop(open_store("{\"name\":\"fails\"}")));
  assert_ok(pillion_object_drop(open_store("{\"name\":\"panics\"}")));
  await_objects(0);
  assert_int_equal(warnings, 2);
  assert_ok(pillion_log_set(NULL, NULL, NULL));
}

static pillion_call_options flowing(const char *name, uint64_t object,
                                    const char *request, uint32_t credit) {
  pillion_call_options options = options_of(name, object, request);
  options.credit = credit;
  return options;
}

static void send(pillion_task task, const char *text) {
  pillion_value value = {.length = strlen(text)};
  value.payload.ref.data = text;
  if (value.length <= PILLION_INLINE)
    memcpy(value.payload.bytes, text, value.length);
  assert_ok(pillion_call_send(task, &value));
}

GIVEN(an_executor, methods_stream_collect_and_do_both) {
  struct told told;
  uint64_t store = open_store("{\"name\":\"a\"}");
  pillion_call_options load = options_of("store.Store.load", store, "");
  load.flags |= PILLION_SENDING;
  assert_ok(submit_it(&told, load));
  send(told.task, "{\"key\":\"x\",\"value\":\"1\"}");
  send(told.task, "{\"key\":\"y\",\"value\":\"2\"}");
  assert_ok(pillion_call_finish(told.task));
  to_its_end(&told);
  assert_string_equal(told.result, "2");

  assert_ok(submit_it(&told, flowing("store.Store.rows", store, "", 1)));
  to_its_end(&told);
  assert_string_equal(told.text, "{\"key\":\"x\",\"value\":\"1\"} "
                                 "{\"key\":\"y\",\"value\":\"2\"} ");

  pillion_call_options each = flowing("store.Store.each", store, "", 4);
  each.flags |= PILLION_SENDING;
  assert_ok(submit_it(&told, each));
  send(told.task, "y");
  send(told.task, "z");
  assert_ok(pillion_call_finish(told.task));
  to_its_end(&told);
  assert_string_equal(told.text, "{\"key\":\"y\",\"value\":\"2\"} ");
  assert_int_equal(told.code, 1);
  assert_ok(pillion_object_drop(store));
  await_objects(0);
}

GIVEN(an_executor, methods_run_on_the_loop) {
  struct told told = call_it("store.Counter.newCounter", 0, "");
  uint64_t counter = told.object;
  told = call_it("store.Counter.next", counter, "5");
  assert_string_equal(told.result, "5");
  assert_ok(submit_it(&told, flowing("store.Counter.ticks", counter, "3", 1)));
  to_its_end(&told);
  assert_string_equal(told.text, "6 7 8 ");
  uint64_t other = call_it("store.counter", 0, "").object;
  assert_string_equal(call_it("store.Counter.next", other, "1").result, "1");
  assert_ok(pillion_object_drop(other));
  assert_ok(pillion_object_drop(counter));
  await_objects(0);
}

GIVEN(an_executor, a_method_gives_an_object_and_a_stream_many) {
  struct told told;
  long before = closed();
  uint64_t store = open_store(ROWS);
  uint64_t copy = call_it("store.Store.copy", store, "copy").object;
  assert_int_not_equal(copy, 0);
  assert_ok(pillion_object_drop(store));
  assert_ok(submit_it(&told, flowing("store.Store.split", copy, "", 1)));
  assert_ok(pillion_object_drop(copy)); /* while the method runs */
  to_its_end(&told);
  assert_int_equal(told.status, 0);
  assert_int_equal(told.items, 3);
  assert_string_equal(call_it("store.Store.get", told.objects[2], "c").result,
                      "3");
  for (int i = 0; i < 3; i++) assert_ok(pillion_object_drop(told.objects[i]));
  await_objects(0);
  assert_int_equal(closed(), before + 5);
}

/* The receiver, too, may be an argument, and be dropped meanwhile. */
GIVEN(an_executor, a_request_names_objects_by_index) {
  struct told told;
  uint64_t a = open_store("{\"name\":\"a\",\"rows\":{\"x\":\"1\"}}");
  uint64_t b = open_store(ROWS);
  uint64_t counter = call_it("store.Counter.newCounter", 0, "").object;
  const uint64_t handles[] = {b, a, counter};
  pillion_call_options merge = options_of(
      "store.Store.merge", a, "{\"from\":[0,1,null],\"into\":2}");
  merge.handles = handles;
  merge.handle_count = 3;
  assert_ok(submit_it(&told, merge));
  assert_ok(pillion_object_drop(a));
  assert_ok(pillion_object_drop(b));
  to_its_end(&told);
  assert_string_equal(told.result, "7");
  assert_string_equal(call_it("store.Counter.next", counter, "1").result, "8");
  assert_ok(pillion_object_drop(counter));
  await_objects(0);
}

/* A drop ends neither the method nor the object while the method runs. */
GIVEN(an_executor, an_object_that_is_dropped_stays_until_its_methods_end) {
  long before = closed();
  uint64_t store = open_store(ROWS);
  struct told told;
  assert_ok(submit_it(&told, options_of("store.Store.await", store, "")));
  await_waiting(1);
  assert_ok(pillion_object_drop(store));
  assert_int_equal(closed(), before);
  assert_int_equal(library_counts().objects, 1);
  pillion_value opened = ask("test.release", "");
  pillion_value_drop(&opened);
  to_its_end(&told);
  assert_string_equal(told.result, "1");
  await_objects(0);
  assert_int_equal(closed(), before + 1);
}

/* ---- Ends that nothing takes --------------------------------------------- */

GIVEN(an_executor, an_object_that_nothing_takes_is_dropped) {
  struct told told;
  long before = closed();
  pillion_call_options open = options_of("store.Store.open", 0, ROWS);
  open.flags = PILLION_DETACH;
  assert_ok(submit_it(&told, open));
  assert_ok(pillion_call_submit_with(NULL, 0, &open));
  while (closed() < before + 2) turn(ex, NULL, NULL);
  await_objects(0);

  /* An executor that is freed with an end in its list, and items. */
  pillion_executor other = executor_new();
  uint64_t store = open_store(ROWS);
  open.flags = PILLION_EVENT;
  assert_ok(pillion_call_submit_with(NULL, other, &open));
  pillion_call_options split = flowing("store.Store.split", store, "", 2);
  assert_ok(pillion_call_submit_with(NULL, other, &split));
  await_objects(5); /* the third item waits for credit */
  executor_free(other);
  await_objects(1);

  /* A cancel throws items away. */
  assert_ok(submit_it(&told, flowing("store.Store.split", store, "", 2)));
  await_objects(4);
  assert_ok(pillion_task_cancel(told.task));
  to_its_end(&told);
  assert_int_equal(told.items, 0);
  await_objects(1);
  assert_ok(pillion_object_drop(store));
  await_objects(0);
}

static int drop_it(void *object) {
  return pillion_object_drop(*(uint64_t *)object);
}

GIVEN(an_executor, any_thread_drops) {
  uint64_t store = open_store(ROWS);
  assert_ok(on_thread(drop_it, &store));
  assert_int_equal(on_thread(drop_it, &store), PILLION_EBADHANDLE);
  await_objects(0);
}

GIVEN(an_executor, a_forked_child_drops_nothing) {
  uint64_t store = open_store(ROWS);
  pid_t child = fork();
  int status;
  if (child == 0) _exit(pillion_object_drop(store) == PILLION_EFORKED ? 0 : 1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_string_equal(call_it("store.Store.get", store, "a").result, "1");
  assert_ok(pillion_object_drop(store));
  await_objects(0);
}

/* ---- Misuse -------------------------------------------------------------- */

GIVEN(an_executor, each_mismatch_has_a_named_error) {
  struct told told;
  uint64_t store = open_store(ROWS), gone = open_store(ROWS);
  uint64_t counter = call_it("store.Counter.newCounter", 0, "").object;
  assert_ok(pillion_object_drop(gone));
  pillion_pool pool;
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  const uint64_t no_objects[] = {gone,       store + ((uint64_t)1 << 32),
                                 store + 2,  store + 1,
                                 ex,         function("test.echo"),
                                 pool,       1,
                                 UINT64_MAX, (uint64_t)8 << 56};
  for (size_t i = 0; i < COUNT(no_objects); i++) {
    assert_int_equal(pillion_object_drop(no_objects[i]), PILLION_EBADHANDLE);
    assert_int_equal(
        submit_it(&told, options_of("store.Store.get", no_objects[i], "a")),
        PILLION_EBADHANDLE);
    const uint64_t handles[] = {store, no_objects[i]};
    pillion_call_options merge =
        options_of("store.Store.merge", store, "{\"from\":[1]}");
    merge.handles = handles;
    merge.handle_count = 2;
    assert_int_equal(submit_it(&told, merge), PILLION_EBADHANDLE);
  }
  assert_int_equal(pillion_object_drop(0), PILLION_EBADHANDLE);
  const struct {
    const char *name;
    uint64_t object;
    uint32_t flags;
    const uint64_t *handles;
    uint32_t handle_count;
    int rc;
  } mismatches[] = {
      {"store.Store.get", 0, PILLION_EVENT, NULL, 0, PILLION_EINVAL},
      {"store.Store.get", counter, PILLION_EVENT, NULL, 0, PILLION_EINVAL},
      {"store.Store.open", store, PILLION_EVENT, NULL, 0, PILLION_EINVAL},
      {"test.echo", store, PILLION_EVENT, NULL, 0, PILLION_EINVAL},
      {"test.echo", 0, PILLION_EVENT, &store, 1, PILLION_EINVAL},
      {"store.Store.get", store, PILLION_EVENT, &store, 1, PILLION_EINVAL},
      {"store.Store.merge", store, PILLION_EVENT, NULL, 1, PILLION_EINVAL},
      {"store.Store.merge", store, PILLION_EVENT, &store, 65537,
       PILLION_EINVAL},
      {"store.Store.open", 0, PILLION_JOIN, NULL, 0, PILLION_ENOTSUP},
      {"store.Store.copy", store, PILLION_JOIN, NULL, 0, PILLION_ENOTSUP},
  };
  for (size_t i = 0; i < COUNT(mismatches); i++) {
    pillion_call_options options =
        options_of(mismatches[i].name, mismatches[i].object, "x");
    options.flags = mismatches[i].flags;
    options.handles = mismatches[i].handles;
    options.handle_count = mismatches[i].handle_count;
    assert_int_equal(submit_it(&told, options), mismatches[i].rc);
  }
  pillion_value value;
  assert_int_equal(pillion_call_wait(&value, function("store.Store.open"), "", 0,
                                     LONG_ENOUGH),
                   PILLION_ENOTSUP);
  assert_int_equal(pillion_call_wait(&value, function("store.Store.get"), "", 0,
                                     LONG_ENOUGH),
                   PILLION_EINVAL);
  pillion_call_options odd = options_of("store.Store.get", store, "a");
  odd.reserved2 = 1;
  assert_int_equal(submit_it(&told, odd), PILLION_EINVAL);

  /* Go finds what is wrong with the indices of a request. */
  static const char *const requests[] = {"{\"from\":[1]}", "{\"into\":0}",
                                         "{\"from\":[-1]}", "{\"from\":[\"\"]}"};
  for (size_t i = 0; i < COUNT(requests); i++) {
    pillion_call_options merge =
        options_of("store.Store.merge", store, requests[i]);
    merge.handles = &store;
    merge.handle_count = 1;
    assert_ok(submit_it(&told, merge));
    to_its_end(&told);
    assert_int_equal(told.status, PILLION_EREQUEST);
  }
  assert_ok(pillion_pool_free(pool));
  assert_ok(pillion_object_drop(store));
  assert_ok(pillion_object_drop(counter));
  await_objects(0);
}

/* A refused call gives its objects back. */
GIVEN(an_executor, a_refused_call_pins_nothing) {
  pillion_executor_options few = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor small;
  struct told told;
  few.max_calls = 1;
  assert_ok(pillion_executor_new(&small, &few, NULL, 0));
  uint64_t store = open_store(ROWS);
  pillion_call_options hold = options_of("store.Store.hold", store, "");
  assert_ok(pillion_call_submit_with(NULL, small, &hold));
  await_waiting(1);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pillion_call_submit_with(NULL, small, &hold),
                     PILLION_EAGAIN);
  assert_ok(pillion_object_drop(store));
  executor_free(small); /* cancels the one that runs */
  assert_ok(submit_it(&told, options_of("test.echo", 0, "x")));
  to_its_end(&told);
  await_objects(0);
}

/* ---- Many ---------------------------------------------------------------- */

static uint64_t shared;
static _Atomic int dropped;

static int race(void *data) {
  (void)data;
  if (pillion_object_drop(shared) == 0) dropped++;
  return 0;
}

/* Exactly one drop counts, whatever the calls do meanwhile. */
GIVEN(an_executor, drops_race_with_calls) {
  for (int round = 0; round < 100; round++) {
    struct on_thread threads[2] = {{.fn = race}, {.fn = race}};
    pthread_t ids[2];
    long before = closed();
    shared = open_store(ROWS);
    dropped = 0;
    for (int i = 0; i < 2; i++)
      assert_ok(pthread_create(&ids[i], NULL, on_thread_main, &threads[i]));
    int calls = 0;
    pillion_call_options get = options_of("store.Store.get", shared, "a");
    while (pillion_call_submit_with(NULL, ex, &get) == 0) calls++;
    struct seen seen = {0};
    for (int i = 0; i < 2; i++) assert_ok(pthread_join(ids[i], NULL));
    while (calls > 0) {
      int n = turn(ex, &seen, NULL);
      for (size_t i = 0; i < seen.count; i++) {
        assert_int_equal(seen.event[i].status, 0);
        assert_memory_equal(seen.event[i].bytes, "1", 1);
      }
      seen.count = 0;
      calls -= n;
    }
    assert_int_equal(dropped, 1);
    await_objects(0);
    assert_int_equal(closed(), before + 1);
  }
}

/* More than a chunk of slots; the second time the slots are used again. */
GIVEN(an_executor, thousands_of_objects) {
  enum { MANY = 5000 };
  static uint64_t objects[2][MANY];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < MANY; i++) {
      objects[round][i] = call_it("store.Counter.newCounter", 0, "").object;
      for (int old = 0; round == 1 && old < 1; old++)
        assert_int_not_equal(objects[1][i], objects[0][i]);
    }
    assert_int_equal(library_counts().objects, MANY);
    for (int i = 0; i < MANY; i++) assert_ok(pillion_object_drop(objects[round][i]));
    await_objects(0);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(pillion_object_drop(objects[round][i]),
                       PILLION_EBADHANDLE);
  }
}

/* ---- Shutdown ------------------------------------------------------------ */

GIVEN(an_executor, a_shutdown_drops_and_closes) {
  long before = closed();
  uint64_t store = open_store(ROWS), fails = open_store("{\"name\":\"fails\"}");
  struct told told;
  assert_ok(submit_it(&told, options_of("store.Store.open", 0, ROWS)));
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH));
  assert_int_equal(library_counts().objects, 0);
  to_its_end(&told);
  assert_int_equal(pillion_object_drop(told.object), PILLION_EBADHANDLE);
  assert_int_equal(pillion_object_drop(store), PILLION_EBADHANDLE);
  assert_int_equal(pillion_object_drop(fails), PILLION_EBADHANDLE);
  assert_ok(pillion_start(NULL, NULL, 0));
  assert_int_equal(closed(), before + 3);
  assert_ok(pillion_object_drop(open_store(ROWS)));
  await_objects(0);
}

/* ---- pillion_event_keep -------------------------------------------------- */

GIVEN(an_executor, a_kept_payload_outlives_its_turn) {
  static char large[100000], small[] = "small";
  static pillion_event events[8];
  pillion_value kept[4];
  int n = 0;
  memset(large, 'x', sizeof large);
  pillion_function echo = function("test.echo");
  const struct {
    const void *data;
    size_t length;
  } payloads[] = {{large, sizeof large}, {small, 5}, {large, 25}};
  for (size_t i = 0; i < COUNT(payloads); i++)
    assert_ok(pillion_call_submit(NULL, ex, echo, payloads[i].data,
                                  payloads[i].length, i, PILLION_EVENT));
  assert_ok(pillion_executor_post(ex, 3, large, sizeof large));
  while (n < 4) {
    int came = pillion_executor_turn(events, 8, NULL, ex, NULL);
    for (int i = 0; i < came; i++, n++) {
      const void *data = pillion_event_data(&events[i]);
      pillion_value *to = &kept[events[i].token];
      uint64_t length = events[i].length;
      assert_ok(pillion_event_keep(to, &events[i]));
      assert_int_equal(events[i].length, 0);
      assert_int_equal(to->length, length);
      if (length > PILLION_INLINE)
        assert_ptr_equal(pillion_value_data(to), data); /* not copied */
      if (events[i].token == 2) pillion_value_drop(to); /* in the turn */
    }
  }
  assert_int_equal(turn(ex, NULL, NULL), 0);
  assert_int_equal(library_counts().payloads, 2);
  assert_memory_equal(pillion_value_data(&kept[0]), large, sizeof large);
  assert_memory_equal(pillion_value_data(&kept[1]), small, 5);
  assert_memory_equal(pillion_value_data(&kept[3]), large, sizeof large);
  executor_free(ex);
  ex = 0;
  assert_memory_equal(pillion_value_data(&kept[3]), large, sizeof large);
  for (int i = 0; i < 4; i++) pillion_value_drop(&kept[i]);
  assert_int_equal(library_counts().payloads, 0);
  assert_int_equal(pillion_event_keep(NULL, &events[0]), PILLION_EINVAL);
  assert_int_equal(pillion_event_keep(&kept[0], NULL), PILLION_EINVAL);
}

GIVEN(an_executor, kept_items) {
  pillion_event events[4];
  pillion_value kept[26];
  pillion_call_options options = flowing("flow.blocks", 0, "100", 32);
  int n = 0;
  assert_ok(pillion_call_submit_with(NULL, ex, &options));
  for (int end = 0; !end;) {
    int came = pillion_executor_turn(events, 4, NULL, ex, NULL);
    for (int i = 0; i < came; i++) {
      if (events[i].flags & PILLION_EVENT_ITEM)
        assert_ok(pillion_event_keep(&kept[n++], &events[i]));
      else end = 1;
    }
  }
  assert_int_equal(n, 26);
  for (int i = 0; i < 26; i++) {
    const char *data = (const char *)pillion_value_data(&kept[i]);
    assert_int_equal(kept[i].length, 100);
    assert_int_equal(data[99], 'a' + i);
    pillion_value_drop(&kept[i]);
  }
}
