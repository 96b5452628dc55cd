/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pillion/adapter.h as the author of an adapter uses it, here on epoll(7).
 * Unlike libuv this loop reports several descriptors at a time, and lets go of
 * all of them at once.
 */
#include "watch_support.h"

#include <sys/epoll.h>

#include "pillion/adapter.h"

const int loop_takes_files = 0;

struct on_epoll {
  pillion_adapter adapter;
  int epoll, own; /* descriptors */
  int64_t due;
  int keeps, keeps_told, stopped, closed;
};

static void arm(pillion_adapter *adapter, int64_t deadline) {
  ((struct on_epoll *)adapter)->due = deadline;
}

static void live(pillion_adapter *adapter, int keeps) {
  ((struct on_epoll *)adapter)->keeps = keeps;
  ((struct on_epoll *)adapter)->keeps_told++;
}

static void stop(pillion_adapter *adapter) {
  struct on_epoll *on = (struct on_epoll *)adapter;
  assert_int_equal(on->keeps, 0);
  on->due = PILLION_TIME_NEVER;
  if (!on->stopped++) epoll_ctl(on->epoll, EPOLL_CTL_DEL, on->own, NULL);
}

static void let_go(pillion_adapter *adapter) {
  stop(adapter);
  ((struct on_epoll *)adapter)->closed++;
}

enum { KNOWN = 1, WATCHED = 2 }; /* as.place */

static int watch(pillion_adapter *adapter, pillion_adapter_watch *it, int fd,
                 uint32_t events) {
  struct on_epoll *on = (struct on_epoll *)adapter;
  struct epoll_event event = {(uint32_t)pillion_adapter_mask(events),
                              {.fd = fd}};
  int how = it->as.place == WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (events == 0) { /* epoll(7) always reports hang-ups */
    if (it->as.place == WATCHED) epoll_ctl(on->epoll, EPOLL_CTL_DEL, fd, NULL);
    it->as.place = KNOWN;
    return 0;
  }
  if (epoll_ctl(on->epoll, how, fd, &event) < 0)
    return errno == EPERM ? PILLION_ENOTSUP : PILLION_ESYSTEM;
  it->as.place = WATCHED;
  return 0;
}

static void unwatch(pillion_adapter *adapter, pillion_adapter_watch *it,
                    int fd) {
  if (it->as.place == WATCHED)
    epoll_ctl(((struct on_epoll *)adapter)->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static const pillion_adapter_loop functions = {arm,    live,  stop,
                                               let_go, watch, unwatch};

static int attach(struct on_epoll *on, int epoll, pillion_executor ex,
                  pillion_event_fn on_event, void *data) {
  struct epoll_event event = {EPOLLIN, {.fd = -1}};
  int rc = pillion_adapter_init(&on->adapter, &on->own, ex, &functions,
                                on_event, data);
  if (rc < 0) return rc;
  on->epoll = epoll;
  on->due = INT64_MIN;
  on->keeps = 1;
  on->keeps_told = on->stopped = on->closed = 0;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, on->own, &event) < 0)
    return errno == EEXIST ? PILLION_EBUSY : PILLION_ESYSTEM;
  return pillion_adapter_hook(&on->adapter, ex);
}

static void step(struct on_epoll *on, int wait) {
  struct epoll_event events[8];
  int64_t ms = pillion_adapter_wait(on->due, pillion_adapter_now(), 1000000);
  if (pillion_adapter_pending(&on->adapter)) {
    pillion_adapter_turn(&on->adapter);
    return;
  }
  int n = epoll_wait(on->epoll, events, COUNT(events), wait ? (int)ms : 0);
  for (int i = 0; i < n; i++) {
    int fd = events[i].data.fd;
    if (fd < 0) pillion_adapter_turn(&on->adapter);
    else
      pillion_adapter_report(&on->adapter, fd,
                             pillion_adapter_events((int)events[i].events));
  }
  if (pillion_adapter_wait(on->due, pillion_adapter_now(), 1) == 0) {
    on->due = PILLION_TIME_NEVER; /* the timer fires once */
    pillion_adapter_fired(&on->adapter);
  }
}

static pillion_executor executor;
static struct on_epoll on;

void loop_begin(pillion_executor ex) {
  executor = ex;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  assert_true(epoll >= 0);
  assert_ok(attach(&on, epoll, ex, see, &seen));
}

void loop_step(void) { step(&on, 1); }

void loop_run(void) {
  step(&on, 0);
  while (on.keeps) step(&on, 1);
}

void loop_end(void) {
  executor_free(executor);
  assert_ok(pillion_adapter_detach(&on.adapter));
  assert_int_equal(on.closed, 1);
  assert_int_equal(pillion_adapter_detach(&on.adapter), PILLION_ECLOSED);
  assert_ok(close(on.epoll));
}

/* ---- Beyond descriptors -------------------------------------------------- */

TEST(the_loop_is_told_what_lives_when_that_changes) {
  loop_begin(executor_new());
  loop_run();
  assert_int_equal(on.keeps_told, 1);
  for (int i = 0; i < 2; i++)
    submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  assert_int_equal(on.keeps_told, 2);
  loop_run();
  assert_int_equal(on.keeps_told, 3);
  loop_end();
}

/* ---- Loops in loops ------------------------------------------------------ */

static int sleep_poll(pillion_value *out, pillion_context *cx, void *self) {
  return pillion_sleep(self, cx, 20 * MS);
}

static const pillion_future sleeping = {sizeof(pillion_future), sleep_poll,
                                        NULL};

static int run_in_poll(struct probe *probe, pillion_context *cx) {
  on.due = INT64_MIN;
  step(&on, 0);
  return on.adapter.refused;
}

/* The inner loop can't make a turn, so the timer is armed again after it. */
/* What comes afterwards waits for another loop, and keeps none here. */
TEST(an_adapter_that_has_stopped_keeps_no_loop) {
  loop_begin(executor_new());
  pillion_adapter_stop(&on.adapter, PILLION_ESYSTEM);
  assert_int_equal(on.keeps, 0);
  int told = on.keeps_told;
  submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  assert_int_equal(on.keeps_told, told);
  loop_end();
}

TEST(a_timer_that_fires_in_a_loop_inside_a_poll_is_not_lost) {
  struct probe probe = {.ready_at = 1, .then = run_in_poll};
  pillion_timer timer = {0};
  memset(&seen, 0, sizeof seen);
  loop_begin(executor_new());
  assert_ok(
      pillion_task_spawn(NULL, executor, &sleeping, &timer, 2, PILLION_EVENT));
  step(&on, 0);
  int64_t due = on.due;
  spawn(executor, &probe, 1, PILLION_EVENT);
  step(&on, 0);
  assert_int_equal(probe.answer, 1);
  assert_int_equal(on.due, due);
  loop_run();
  assert_int_equal(seen.event[1].token, 2);
  loop_end();
}

/* Another executor's loop, inside a turn of the first one. */
static struct on_epoll other;

static int run_other_in_poll(struct probe *probe, pillion_context *cx) {
  other.due = INT64_MIN;
  step(&other, 0);
  return other.adapter.refused && other.due != PILLION_TIME_NEVER;
}

TEST(a_turn_that_is_refused_inside_another_executors_turn_comes_later) {
  struct probe probe = {.ready_at = 1, .then = run_other_in_poll};
  struct probe its = {.ready_at = 1};
  pillion_executor second = executor_new();
  memset(&seen, 0, sizeof seen);
  loop_begin(executor_new());
  assert_ok(attach(&other, epoll_create1(EPOLL_CLOEXEC), second, see, &seen));
  spawn(second, &its, 2, PILLION_EVENT);
  spawn(executor, &probe, 1, PILLION_EVENT);
  step(&on, 0);
  assert_int_equal(probe.answer, 1);
  assert_int_equal(seen.count, 1);
  while (seen.count < 2) step(&other, 1);
  assert_int_equal(other.adapter.refused, 0);
  assert_ok(pillion_adapter_detach(&other.adapter));
  close(other.epoll);
  executor_free(second);
  loop_end();
}

/* Tasks with long results, each in memory of its own. */
struct giver {
  int released;
  char first;
};
static struct giver givers[8];

static void take_back(void *text) {
  for (size_t i = 0; i < COUNT(givers); i++)
    givers[i].released += givers[i].first == *(char *)text;
  free(text);
}

static int give_poll(pillion_value *out, pillion_context *cx, void *self) {
  char *text = strdup("x is a long result: it has its own memory");
  text[0] = ((struct giver *)self)->first;
  out->status = 0;
  out->length = strlen(text);
  out->payload.ref.data = out->payload.ref.owner = text;
  out->payload.ref.release = take_back;
  return PILLION_READY;
}

static const pillion_future giving = {sizeof(pillion_future), give_poll, NULL};

static void give(int i) {
  givers[i] = (struct giver){0, (char)('a' + i)};
  assert_ok(pillion_task_spawn(NULL, executor, &giving, &givers[i], i,
                               PILLION_EVENT));
}

static void begin_giving(pillion_event_fn on_event) {
  memset(&seen, 0, sizeof seen);
  loop_begin(executor_new());
  on.adapter.on_event = on_event;
  for (int i = 0; i < 3; i++) give(i);
}

static int is_whole(const pillion_event *event) {
  return *(const char *)event->payload.data == (char)('a' + event->token);
}

static int wrong;

/* A dialog that waits for what stands behind its own event in the batch, and
 * for what begins in there. */
static void open_dialog(const pillion_event *event, void *data) {
  see(event, &seen);
  if (event->token > 0) return;
  give(3);
  while (seen.count < 4) step(&on, 1);
  pillion_adapter_turn(&on.adapter); /* it releases what it gave in there */
  wrong = !is_whole(event) + !givers[3].released + givers[0].released;
}

TEST(a_handler_may_run_the_loop) {
  begin_giving(open_dialog);
  step(&on, 0);
  assert_int_equal(seen.count, 4);
  for (size_t i = 0; i < 4; i++) assert_int_equal(seen.event[i].token, i);
  assert_int_equal(wrong, 0);
  pillion_adapter_turn(&on.adapter);
  for (size_t i = 0; i < 4; i++) assert_int_equal(givers[i].released, 1);
  uint64_t turns = turns_of(executor);
  pillion_adapter_turn(&on.adapter);
  assert_int_equal(turns_of(executor), turns); /* nothing is lent any more */
  loop_end();
}

static int turn_made;

static void turn_at_once(const pillion_event *event, void *data) {
  see(event, &seen);
  if (event->token == 0) turn_made = pillion_adapter_turn(&on.adapter);
}

TEST(a_turn_in_a_handler_counts_what_it_hands_out) {
  begin_giving(turn_at_once);
  step(&on, 0);
  assert_int_equal(turn_made, 2);
  loop_end();
}

/* The first handler reports a descriptor; the second waits for a thread. */
static int reported;

static int wake_later(void *waker) { return pillion_wake(*(uint64_t *)waker); }

static void report_and_wait(const pillion_event *event, void *data) {
  struct probe *sleeper = data;
  see(event, &seen);
  if (event->token == 0) pillion_adapter_report(&on.adapter, reported, R);
  if (event->token != 1) return;
  wrong = on_thread(wake_later, &sleeper->waker) != PILLION_WOKEN ||
          !readable(executor, 0);
}

TEST(a_wake_in_a_handler_after_a_report_is_not_lost) {
  struct probe sleeper = {.ready_at = 2};
  struct stream in;
  int ends[2];
  pair_new(ends);
  begin_giving(report_and_wait);
  on.adapter.data = &sleeper;
  reported = ends[0];
  open_watch(executor, &in, ends[0]);
  in.length = R;
  start(executor, &in, &waiting);
  spawn(executor, &sleeper, 9, PILLION_EVENT);
  step(&on, 0);
  loop_run();
  assert_int_equal(wrong, 0);
  assert_int_equal(sleeper.polls, 2);
  close(ends[1]);
  loop_end();
}

/* A handler runs another executor's loop, whose task runs this one. */
static int run_this_in_poll(struct probe *probe, pillion_context *cx) {
  step(&on, 0);
  return (int)seen.count;
}

static void run_other(const pillion_event *event, void *data) {
  see(event, &seen);
  if (seen.count == 1) step(&other, 0);
}

TEST(no_event_comes_inside_another_executors_turn) {
  struct probe probe = {.ready_at = 1, .then = run_this_in_poll};
  pillion_executor second = executor_new();
  begin_giving(run_other);
  assert_ok(attach(&other, epoll_create1(EPOLL_CLOEXEC), second, NULL, NULL));
  spawn(second, &probe, 1, PILLION_DETACH);
  step(&on, 0);
  assert_int_equal(probe.answer, 1);
  assert_int_equal(seen.count, 3);
  assert_ok(pillion_adapter_detach(&other.adapter));
  close(other.epoll);
  executor_free(second);
  loop_end();
}

/* Each handler opens another dialog, and looks at its event when it is back. */
static void open_more(const pillion_event *event, void *data) {
  see(event, &seen);
  if (seen.count < 8) {
    if (seen.count + 2 < 8) give(seen.count + 2);
    step(&on, 0);
    step(&on, 0);
  }
  wrong += !is_whole(event) + givers[event->token].released;
}

TEST(dialogs_open_dialogs) {
  wrong = 0;
  begin_giving(open_more);
  loop_run();
  assert_int_equal(seen.count, 8);
  for (size_t i = 0; i < 8; i++) assert_int_equal(seen.event[i].token, i);
  assert_int_equal(wrong, 0);
  loop_end();
}

/* The inner handler ends it, and the outer ones are still on the stack. */
static void end_in_dialog(const pillion_event *event, void *data) {
  int (*end)(void) = *(int (**)(void))data;
  see(event, &seen);
  if (seen.count == 1) {
    step(&on, 0);
    wrong = on.closed; /* not before the outermost is back */
    return;
  }
  if (seen.count == 2) wrong = end() != 0;
}

static int detach_it(void) { return pillion_adapter_detach(&on.adapter); }
static int free_its_executor(void) { return pillion_executor_free(executor); }

TEST(detach_in_a_dialog_waits_for_the_outermost_handler) {
  int (*end)(void) = detach_it;
  begin_giving(end_in_dialog);
  on.adapter.data = &end;
  step(&on, 0);
  assert_int_equal(seen.count, 3);
  assert_int_equal(wrong, 0);
  assert_int_equal(on.closed, 1);
  executor_free(executor);
  for (size_t i = 0; i < 3; i++) assert_int_equal(givers[i].released, 1);
  close(on.epoll);
}

TEST(free_in_a_dialog_ends_all_batches) {
  int (*end)(void) = free_its_executor;
  begin_giving(end_in_dialog);
  on.adapter.data = &end;
  step(&on, 0);
  assert_int_equal(seen.count, 2);
  assert_int_equal(pillion_adapter_pending(&on.adapter), 0);
  for (size_t i = 0; i < 3; i++) assert_int_equal(givers[i].released, 1);
  assert_ok(pillion_adapter_detach(&on.adapter));
  close(on.epoll);
}

TEST(a_wait_is_rounded_up) {
  assert_int_equal(pillion_adapter_wait(PILLION_TIME_NEVER, 5, 1000), -1);
  assert_int_equal(pillion_adapter_wait(INT64_MIN, 5, 1000), 0);
  assert_int_equal(pillion_adapter_wait(5, 5, 1000), 0);
  assert_int_equal(pillion_adapter_wait(6, 5, 1000), 1);
  assert_int_equal(pillion_adapter_wait(1005, 5, 1000), 1);
  assert_int_equal(pillion_adapter_wait(1006, 5, 1000), 2);
  assert_int_equal(pillion_adapter_wait(INT64_MAX - 1, 0, 1), INT64_MAX - 1);
}

TEST(a_second_attach_is_refused_and_harmless) {
  struct on_epoll other;
  loop_begin(executor_new());
  assert_int_equal(attach(&on, on.epoll, executor, NULL, NULL), PILLION_EBUSY);
  assert_int_equal(attach(&other, on.epoll, executor, NULL, NULL),
                   PILLION_EBUSY);
  submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  loop_run();
  assert_int_equal(on.adapter.status, 0);
  loop_end();
}

static void free_it(const pillion_event *event, void *data) {
  executor_free(executor);
  *(int *)data += 1;
}

/* A loop may report descriptors of an executor that the batch's first report has
   freed. */
TEST(a_late_report_does_no_harm) {
  struct stream in;
  int ends[2], freed = 0;
  pair_new(ends);
  loop_begin(executor_new());
  on.adapter.on_event = free_it;
  on.adapter.data = &freed;
  open_watch(executor, &in, ends[0]);
  in.length = R;
  start(executor, &in, &waiting);
  step(&on, 0);
  assert_int_equal(pillion_adapter_ready(&on.adapter, 1000, R),
                   PILLION_ECLOSED);
  submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  while (freed == 0) loop_step();
  assert_int_equal(freed, 1);
  assert_int_equal(on.adapter.status, PILLION_ECLOSED);
  assert_int_equal(pillion_adapter_ready(&on.adapter, ends[0], R),
                   PILLION_ECLOSED);
  pillion_adapter_report(&on.adapter, ends[0], PILLION_FAULT);
  assert_int_equal(pillion_adapter_turn(&on.adapter), PILLION_ECLOSED);
  assert_ok(pillion_adapter_detach(&on.adapter));
  close(on.epoll);
  close(ends[1]);
}

/* ---- Two loops ----------------------------------------------------------- */

static struct on_epoll second;

static void move(const pillion_event *event, void *data) {
  see(event, &seen);
  if (seen.count == 1)
    assert_ok(attach(&second, *(int *)data, executor, see, &seen));
}

TEST(a_move_in_an_event_handler_loses_no_event) {
  struct probe probes[10];
  int elsewhere = epoll_create1(EPOLL_CLOEXEC);
  memset(probes, 0, sizeof probes);
  memset(&seen, 0, sizeof seen);
  loop_begin(executor_new());
  on.adapter.on_event = move;
  on.adapter.data = &elsewhere;
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(executor, &probes[i], i, PILLION_EVENT);
  }
  loop_step();
  assert_int_equal(seen.count, COUNT(probes));
  assert_int_equal(on.adapter.status, PILLION_ECLOSED);
  assert_ok(pillion_adapter_detach(&on.adapter));
  submit(executor, "test.echo", "x", 1, PILLION_EVENT);
  while (second.keeps) step(&second, 1);
  assert_int_equal(seen.count, COUNT(probes) + 1);
  assert_ok(pillion_adapter_detach(&second.adapter));
  executor_free(executor);
  close(on.epoll);
  close(elsewhere);
}
