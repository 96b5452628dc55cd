/* SPDX-License-Identifier: Apache-2.0 */

/* Items with credit, and Go's calls of the host, through every loop. */
#include "rig.h"

enum { MOST = 8, ITEMS = 300 };

/* A call that the host has begun; its place is its token. */
static struct reader {
  pillion_task task;
  int items, ends, after, wrong; /* after: items after the end */
  int sends, sent;               /* items to Go, where it reads some */
  int asked;                     /* calls of what it lends */
  int32_t status;
  uint16_t outcome;
} readers[MOST];

static struct {
  int cancel_at, free_at, detach_at, nest, hold; /* 0: never */
  int freed, detached, depth;
} acts;

static void begin(struct rig *rig, int i, const char *name, const char *request,
                  uint32_t credit, int sends) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  readers[i] = (struct reader){.sends = sends};
  options.function = function(name);
  options.request = request;
  options.length = strlen(request);
  options.token = (uint64_t)i;
  options.flags = PILLION_EVENT | (sends > 0 ? PILLION_SENDING : 0);
  options.credit = credit;
  options.callbacks = strncmp(name, "lent.", 5) == 0 ? 2 : 0;
  assert_ok(pillion_call_submit_with(&readers[i].task, rig->ex, &options));
}

static void send_some(struct reader *reader) {
  for (; reader->sent < reader->sends; reader->sent++) {
    char text[16];
    pillion_value value = {
        .length = (uint64_t)sprintf(text, "\"x%d\"", reader->sent)};
    memcpy(value.payload.bytes, text, value.length);
    int rc = pillion_call_send(reader->task, &value);
    if (rc < 0) {
      reader->wrong += rc != PILLION_EAGAIN && rc != PILLION_ECLOSED &&
                       rc != PILLION_EBADHANDLE; /* its end is on its way */
      return;
    }
  }
  pillion_call_finish(reader->task);
}

static void on_item(struct rig *rig, struct reader *reader,
                    const pillion_event *event) {
  char text[16];
  int n = sprintf(text, reader->sends > 0 ? "\"X%d\"" : "%d", reader->items);
  reader->after += reader->ends;
  reader->wrong += event->length != (uint64_t)n ||
                   memcmp(pillion_event_data(event), text, (size_t)n) != 0;
  reader->items++;
  if (reader->items == acts.cancel_at) pillion_task_cancel(reader->task);
  if (reader->items == acts.detach_at && !acts.detached++ &&
      host_detach(&rig->host) < 0)
    rig->failed = 1;
  if (reader->items == acts.free_at) {
    acts.freed = 1;
    if (pillion_executor_free(rig->ex) < 0) rig->failed = 1;
    return;
  }
  if (!acts.hold) pillion_call_credit(reader->task, 1);
  if (acts.nest && acts.depth < 4) {
    acts.depth++;
    loop_round(rig->loop, 0);
    acts.depth--;
  }
}

static void on_flow(const pillion_event *event, void *data) {
  struct rig *rig = data;
  struct reader *reader = &readers[event->token];
  if (acts.freed) {
    rig->failed = 1; /* its events went with it */
  } else if (event->flags & PILLION_EVENT_CALLED) {
    pillion_value value = {.length = 1, .payload.bytes = "1"};
    reader->asked++;
    if (pillion_call_answer(event->task, &value) < 0) reader->wrong++;
  } else if (event->flags & PILLION_EVENT_WRITABLE) {
    send_some(reader);
  } else if (event->flags & PILLION_EVENT_ITEM) {
    on_item(rig, reader, event);
  } else {
    reader->ends++;
    reader->status = event->status;
    reader->outcome = event->outcome;
  }
}

static struct rig *flow_rig(void) {
  memset(&acts, 0, sizeof acts);
  return rig_new(on_flow);
}

static int ended(int calls) {
  for (int i = 0; i < calls; i++)
    if (readers[i].ends == 0) return 0;
  return 1;
}

/* Each has come in order, before the one end. */
static void assert_whole(const struct reader *reader, int items) {
  assert_int_equal(reader->wrong, 0);
  assert_int_equal(reader->after, 0);
  assert_int_equal(reader->ends, 1);
  assert_ok(reader->status);
  assert_int_equal(reader->items, items);
}

static int begin_all(struct rig *rig) {
  int n = 0;
  begin(rig, n++, "flow.count", "300", 1, 0);
  begin(rig, n++, "flow.count", "300", 32, 0);
  begin(rig, n++, "flow.loop_count", "300", 2, 0);
  begin(rig, n++, "flow.cpu", "300", 16, 0);
  begin(rig, n, "flow.upper", "{}", 8, ITEMS);
  send_some(&readers[n++]);
  return n;
}

TEST(items_of_many_calls_come_in_order_within_their_credit) {
  struct rig *rig = flow_rig();
  int n = begin_all(rig);
  rig_run(rig);
  for (int i = 0; i < n; i++) assert_whole(&readers[i], ITEMS);
  assert_int_equal(readers[n - 1].sent, ITEMS);
  rig_free(rig);
}

/* A reader without credit holds its writer; the loop sleeps meanwhile. */
TEST(a_call_without_credit_wakes_no_loop) {
  struct rig *rig = flow_rig();
  int stop = 0, rounds = 0;
  acts.hold = 1;
  begin(rig, 0, "flow.count", "300", 4, 0);
  while (readers[0].items < 4) loop_round(rig->loop, 1);
  settle(rig);
  loop_after(rig->loop, 5, stop_rounds, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  assert_true(rounds < 10);
  assert_int_equal(readers[0].items, 4);
  assert_ok(pillion_task_cancel(readers[0].task));
  rig_run(rig);
  assert_int_equal(readers[0].ends, 1);
  rig_free(rig);
}

TEST(lent_functions_are_answered_in_handlers) {
  static const char *const names[] = {"lent.ask", "lent.loop_ask",
                                      "lent.async_ask", "lent.cpu_ask"};
  struct rig *rig = flow_rig();
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < (int)COUNT(names); i++)
      begin(rig, i, names[i], "{\"ask\":1,\"text\":\"q\"}", 0, 0);
    rig_run(rig);
    for (size_t i = 0; i < COUNT(names); i++) {
      assert_whole(&readers[i], 0);
      assert_int_equal(readers[i].asked, 1);
    }
  }
  rig_free(rig);
}

TEST(a_cancel_in_an_items_handler_ends_the_items) {
  struct rig *rig = flow_rig();
  acts.cancel_at = 10;
  int n = begin_all(rig);
  rig_run(rig);
  for (int i = 0; i < n; i++) {
    assert_int_equal(readers[i].wrong + readers[i].after, 0);
    assert_int_equal(readers[i].ends, 1);
    assert_true(readers[i].items >= 10);
  }
  rig_free(rig);
}

TEST(free_in_an_items_handler_ends_all) {
  struct rig *rig = flow_rig();
  acts.free_at = 10;
  begin_all(rig);
  while (!acts.freed) loop_round(rig->loop, 1);
  settle(rig);
  assert_int_equal(rig->failed, 0);
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  free(rig);
}

TEST(items_move_to_the_next_loop_with_their_executor) {
  struct rig *rig = flow_rig();
  acts.detach_at = 10;
  int n = begin_all(rig);
  while (!acts.detached) loop_round(rig->loop, 1);
  loop_destroy(rig->loop);
  rig->loop = loop_new();
  assert_ok(rig_attach(rig, on_flow));
  rig_run(rig);
  assert_int_equal(rig->failed, 0);
  for (int i = 0; i < n; i++) assert_whole(&readers[i], ITEMS);
  rig_free(rig);
}

TEST(items_come_in_a_loop_that_an_items_handler_runs) {
  struct rig *rig = flow_rig();
  acts.nest = 1;
  int n = 2;
  begin(rig, 0, "flow.count", "300", 4, 0);
  begin(rig, 1, "flow.cpu", "300", 1, 0);
  while (!ended(n)) loop_round(rig->loop, 1);
  for (int i = 0; i < n; i++) assert_whole(&readers[i], ITEMS);
  rig_free(rig);
}

/* ---- Among signals and children ------------------------------------------- */

static atomic_int heard;

static void hear(int number) {
  int before = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  heard++;
  errno = before;
}

static atomic_int over;

static int disturb(void *arg) {
  struct timespec pause = {0, MS / 4};
  for (int i = 0; !over; i++) {
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    if (i % 20 == 0) {
      pid_t pid = fork();
      if (pid < 0) return 1;
      if (pid == 0) _exit(0);
    }
    nanosleep(&pause, NULL);
  }
  return 0;
}

/* The handler has no SA_ONSTACK, and meets turns that bring items. */
TEST(items_come_among_signals_and_children) {
  struct rig *rig = flow_rig();
  struct sigaction action = {.sa_handler = hear}, before[2];
  pthread_t self = pthread_self(), thread;
  struct on_thread job = {disturb, &self, -1};
  heard = over = 0;
  assert_ok(sigaction(SIGUSR1, &action, &before[0]));
  assert_ok(sigaction(SIGCHLD, &action, &before[1]));
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  while (heard < 100) {
    int n = begin_all(rig);
    begin(rig, n, "lent.loop_ask", "{\"ask\":1,\"text\":\"q\"}", 0, 0);
    rig_run(rig);
    for (int i = 0; i < n; i++) assert_whole(&readers[i], ITEMS);
    assert_whole(&readers[n], 0);
  }
  over = 1;
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  assert_ok(sigaction(SIGUSR1, &before[0], NULL));
  assert_ok(sigaction(SIGCHLD, &before[1], NULL));
  rig_free(rig);
}

TEST(items_come_where_no_descriptor_is_left) {
  struct rig *rig = flow_rig();
  struct rlimit before, none;
  settle(rig);
  assert_ok(getrlimit(RLIMIT_NOFILE, &before));
  none = before;
  none.rlim_cur = 3;
  assert_ok(setrlimit(RLIMIT_NOFILE, &none));
  int n = begin_all(rig);
  rig_run(rig);
  assert_ok(setrlimit(RLIMIT_NOFILE, &before));
  for (int i = 0; i < n; i++) assert_whole(&readers[i], ITEMS);
  rig_free(rig);
}
