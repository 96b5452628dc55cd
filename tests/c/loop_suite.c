/* SPDX-License-Identifier: Apache-2.0 */

/* One list of cases for the adapters of all loops; see loop_support.h. */
#include "loop_support.h"

/* A loop with an executor on it, and the events that it has told. */
struct rig {
  struct host host;
  void *loop;
  pillion_executor ex;
  struct seen seen;
  int failed;
};

static void record(const pillion_event *event, void *data) {
  see(event, &((struct rig *)data)->seen);
}

static int attach(struct rig *rig, pillion_event_fn on_event) {
  return host_attach(&rig->host, rig->loop, rig->ex, on_event, rig);
}

static struct rig *rig_of(pillion_executor ex, pillion_event_fn on_event) {
  struct rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  rig->ex = ex;
  rig->loop = loop_new();
  assert_non_null(rig->loop);
  assert_ok(attach(rig, on_event));
  return rig;
}

static struct rig *rig_new(pillion_event_fn on_event) {
  return rig_of(executor_new(), on_event);
}

static pillion_adapter *adapter_of(struct rig *rig) {
  return &rig->host.as.adapter;
}

static void rig_run(struct rig *rig) {
  loop_round(rig->loop, 0);
  while (adapter_of(rig)->live > 0 && adapter_of(rig)->status == 0)
    loop_round(rig->loop, 1);
}

/* So many rounds that what is ready has been done, on any loop. */
static void settle(struct rig *rig) {
  for (int i = 0; i < 4; i++) loop_round(rig->loop, 0);
}

static void rig_free(struct rig *rig) {
  assert_ok(host_detach(&rig->host));
  assert_int_equal(host_detach(&rig->host), PILLION_ECLOSED);
  executor_free(rig->ex);
  loop_destroy(rig->loop);
  free(rig);
}

/* ---- For watch_suite.c --------------------------------------------------- */

static struct rig *watched;

void loop_begin(pillion_executor executor) {
  watched = rig_of(executor, NULL);
  adapter_of(watched)->on_event = see;
  adapter_of(watched)->data = &seen;
}
void loop_step(void) { loop_round(watched->loop, 1); }
void loop_run(void) { rig_run(watched); }
void loop_end(void) {
  executor_free(watched->ex);
  assert_ok(host_detach(&watched->host));
  loop_destroy(watched->loop);
  free(watched);
}

/* ---- The loop's life ----------------------------------------------------- */

TEST(a_call_submitted_before_attach_comes) {
  pillion_executor executor = executor_new();
  submit(executor, "test.upper", "abc", 1, PILLION_EVENT);
  struct rig *rig = rig_of(executor, record);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_string_equal(rig->seen.event[0].bytes, "ABC");
  rig_free(rig);
}

static void submit_again(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count < 20)
    pillion_call_submit(NULL, rig->ex, event->token, "x", 1, event->token,
                        PILLION_EVENT);
}

TEST(calls_submitted_in_on_event_come) {
  struct rig *rig = rig_new(submit_again);
  submit(rig->ex, "test.echo", "x", function("test.echo"), PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 20);
  rig_free(rig);
}

TEST(a_program_sees_at_any_time_that_something_lives) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1};
  assert_int_equal(adapter_of(rig)->live, 1); /* it does not know yet */
  rig_run(rig);
  assert_int_equal(adapter_of(rig)->live, 0);
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(adapter_of(rig)->live, 1);
  rig_run(rig);
  assert_int_equal(adapter_of(rig)->live, 0);
  rig_free(rig);
}

TEST(many_calls_come_in_batches) {
  struct rig *rig = rig_new(record);
  pillion_function f = function("test.echo");
  for (uint64_t i = 0; i < 5000; i++)
    assert_ok(pillion_call_submit(NULL, rig->ex, f, &i, sizeof i, i,
                                  PILLION_EVENT));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 5000);
  rig_free(rig);
}

TEST(functions_on_the_loop_run_in_its_turns) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.loop_echo", "on the loop", 1, PILLION_EVENT);
  submit(rig->ex, "test.loop_sleep", "3000000", 2, PILLION_EVENT);
  submit(rig->ex, "test.loop_yield", "10", 3, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 3);
  for (size_t i = 0; i < 3; i++) assert_ok(rig->seen.event[i].status);
  rig_free(rig);
}

/* ---- Time, fairness and wakes -------------------------------------------- */

/* A loop that woke early would go round until it is time: turns are counted. */
TEST(deadlines_are_met_late_but_never_early) {
  struct rig *rig = rig_new(record);
  static const int64_t lengths[] = {9 * MS + 1, 4 * MS, 1, 300000, 0, 4 * MS};
  struct doze naps[COUNT(lengths)];
  memset(naps, 0, sizeof naps);
  for (size_t i = 0; i < COUNT(naps); i++) {
    naps[i].ns = lengths[i];
    assert_ok(pillion_task_spawn(NULL, rig->ex, &dozing, &naps[i], i,
                                 PILLION_EVENT));
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, COUNT(naps));
  for (size_t i = 0; i < COUNT(naps); i++)
    assert_true(naps[i].woke - naps[i].began >= naps[i].ns);
  assert_int_equal(rig->seen.event[COUNT(naps) - 1].token, 0);
  assert_true(stats_of(rig->ex).turns <= COUNT(naps));
  rig_free(rig);
}

struct ticker {
  void *loop;
  int ticks;
  struct probe *stop;
};

static void tick(void *data) {
  struct ticker *ticker = data;
  if (++ticker->ticks < 5) loop_after(ticker->loop, 1, tick, ticker);
  else ticker->stop->ready_at = ticker->stop->polls + 1;
}

TEST(a_task_that_wakes_itself_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe busy = {.wake_self = 1};
  struct ticker ticker = {.loop = rig->loop, .stop = &busy};
  spawn(rig->ex, &busy, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

static int overdue(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now - SECOND);
}

TEST(an_overdue_deadline_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  struct probe late = {.then = overdue, .data = &timer};
  struct ticker ticker = {.loop = rig->loop, .stop = &late};
  spawn(rig->ex, &late, 1, PILLION_EVENT);
  loop_after(rig->loop, 1, tick, &ticker);
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  pillion_timer_clear(&timer);
  rig_free(rig);
}

static int wake_again_and_again(void *arg) {
  struct probe *probe = arg;
  for (int i = 1; i < 20000; i++) {
    if (pillion_wake(probe->waker) == PILLION_STALE) return 1;
    for (int k = 0; k < i % 50; k++) atomic_signal_fence(memory_order_seq_cst);
  }
  probe->ready_at = 1;
  return pillion_wake(probe->waker) == PILLION_STALE;
}

static int ready_when_told(struct probe *probe, pillion_context *cx) {
  if (probe->ready_at == 1) probe->ready_at = probe->polls;
  return 0;
}

/* The loop is about to sleep now and then, and none may be lost. */
TEST(wakes_from_another_thread_reach_a_sleeping_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.then = ready_when_told};
  pthread_t thread;
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  settle(rig);
  assert_int_equal(probe.polls, 1);
  struct on_thread job = {wake_again_and_again, &probe, -1};
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  rig_run(rig);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

/* ---- Loops in loops ------------------------------------------------------ */

static void run_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count > 1) return;
  submit(rig->ex, "test.big", "1000", 3, PILLION_EVENT);
  while (rig->seen.count < 3) loop_round(rig->loop, 1);
  if (!bytes_are(pillion_event_data(event), event->length,
                 "more than thirty characters of text"))
    rig->failed = 1;
}

TEST(a_handler_may_run_the_loop) {
  if (!loop_nests) return;
  struct rig *rig = rig_new(run_in_on_event);
  for (uint64_t i = 1; i <= 2; i++)
    assert_ok(pillion_executor_post(rig->ex, i,
                                    "more than thirty characters of text", 35));
  settle(rig);
  assert_int_equal(rig->seen.count, 3);
  for (uint64_t i = 0; i < 3; i++)
    assert_int_equal(rig->seen.event[i].token, i + 1);
  assert_int_equal(rig->failed, 0);
  rig_free(rig);
}

static void wait_for_the_next(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  while (rig->seen.count < 2) loop_round(rig->loop, 1);
}

/* The wait ends only if the loop in there hands out the rest of the batch. */
TEST(a_handler_waits_for_the_event_behind_its_own) {
  if (!loop_nests) return;
  struct rig *rig = rig_new(wait_for_the_next);
  struct probe probes[2] = {{.ready_at = 1}, {.ready_at = 1}};
  settle(rig);
  for (int i = 0; i < 2; i++) spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  settle(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

static void stop_in_poll(void *data) { *(int *)data = 1; }

static int run_in_poll(struct probe *probe, pillion_context *cx) {
  struct rig *rig = probe->data;
  int stop = 0, rounds = 0;
  loop_after(rig->loop, 3, stop_in_poll, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  return rounds;
}

TEST(a_loop_inside_a_poll_neither_spins_nor_loses_anything) {
  if (!loop_nests) return;
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = run_in_poll, .data = rig};
  struct doze nap = {.ns = 1};
  assert_ok(pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 2,
                               PILLION_EVENT));
  settle(rig);
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.echo", "x", 3, PILLION_EVENT);
  rig_run(rig);
  assert_true(probe.answer < 30);
  assert_int_equal(rig->seen.count, 3);
  rig_free(rig);
}

/* ---- Ends, in every order ------------------------------------------------ */

TEST(the_executor_may_be_freed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  executor_free(rig->ex);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(adapter_of(rig)->status, PILLION_ECLOSED);
  settle(rig);
  assert_ok(host_detach(&rig->host));
  assert_int_equal(rig->seen.count, 0);
  loop_destroy(rig->loop);
  free(rig);
}

TEST(the_loop_may_be_destroyed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  loop_destroy(rig->loop);
  /* The executor lives on, without a loop. */
  submit(rig->ex, "test.echo", "x", 3, PILLION_EVENT);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_ok(host_detach(&rig->host));
  assert_ok(pillion_executor_close(rig->ex, PILLION_CLOSE_CANCEL));
  run(rig->ex, &rig->seen);
  assert_int_equal(rig->seen.count, 3);
  executor_free(rig->ex);
  free(rig);
}

TEST(loop_executor_detach_in_this_order) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  loop_destroy(rig->loop);
  executor_free(rig->ex);
  assert_ok(host_detach(&rig->host));
  free(rig);
}

TEST(a_loop_is_destroyed_while_tasks_await_descriptors) {
  struct rig *rig = rig_new(record);
  struct stream in;
  int ends[2];
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  start(rig->ex, &in, &reading);
  settle(rig);
  loop_destroy(rig->loop);
  assert_ok(host_detach(&rig->host));
  rig->loop = loop_new();
  assert_ok(attach(rig, record));
  close(ends[1]);
  rig_run(rig);
  assert_int_equal(in.drops, 1);
  rig_free(rig);
}

TEST(detach_leaves_what_lives_to_the_next_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 2};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  pillion_task blocked = submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  assert_ok(host_detach(&rig->host));
  assert_int_equal(rig->seen.count, 0);
  assert_ok(attach(rig, record));
  pillion_wake(probe.waker);
  pillion_task_cancel(blocked);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

static void detach_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  int rc = host_detach(&rig->host);
  if (rc != (rig->seen.count == 1 ? 0 : PILLION_ECLOSED)) rig->failed = 1;
}

static void free_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (pillion_executor_free(rig->ex) < 0) rig->failed = 1;
}

static void detach_and_free(const pillion_event *event, void *data) {
  detach_in_on_event(event, data);
  if (pillion_executor_free(((struct rig *)data)->ex) < 0)
    ((struct rig *)data)->failed = 1;
}

static struct rig *ten_events(pillion_event_fn on_event) {
  static struct probe probes[10];
  struct rig *rig = rig_new(on_event);
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  }
  settle(rig);
  assert_int_equal(rig->failed, 0);
  return rig;
}

TEST(detach_in_on_event_loses_no_event) {
  struct rig *rig = ten_events(detach_in_on_event);
  assert_int_equal(rig->seen.count, 10);
  assert_int_equal(host_detach(&rig->host), PILLION_ECLOSED);
  loop_destroy(rig->loop);
  executor_free(rig->ex);
  free(rig);
}

TEST(free_in_on_event_ends_the_events) {
  struct rig *rig = ten_events(free_in_on_event);
  assert_int_equal(rig->seen.count, 1);
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  free(rig);
}

TEST(detach_and_free_in_on_event) {
  struct rig *rig = ten_events(detach_and_free);
  assert_int_equal(rig->seen.count, 1);
  loop_destroy(rig->loop);
  free(rig);
}

static int detach_in_poll(struct probe *probe, pillion_context *cx) {
  return host_detach(&((struct rig *)probe->data)->host);
}

TEST(detach_inside_a_turn_waits_for_its_end) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = detach_in_poll, .data = rig};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  settle(rig);
  assert_ok(probe.answer);
  assert_int_equal(rig->seen.count, 1);
  assert_int_equal(host_detach(&rig->host), PILLION_ECLOSED);
  loop_destroy(rig->loop);
  executor_free(rig->ex);
  free(rig);
}

/* The loop that comes next may have the numbers of the one that is gone. */
TEST(an_adapter_of_a_destroyed_loop_leaves_the_next_one_alone) {
  struct rig *rig = rig_new(record), *next = calloc(1, sizeof *next);
  settle(rig);
  loop_destroy(rig->loop);
  next->loop = loop_new();
  next->ex = rig->ex;
  assert_ok(attach(next, record));
  assert_ok(host_detach(&rig->host));
  free(rig);
  submit(next->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(next);
  assert_int_equal(next->seen.count, 1);
  rig_free(next);
}

/* ---- Refusals ------------------------------------------------------------ */

TEST(attach_twice_is_refused_and_harmless) {
  struct rig *rig = rig_new(record);
  assert_int_equal(attach(rig, record), PILLION_EBUSY);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

TEST(attach_elsewhere_moves_the_executor) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  pillion_task blocked = submit(rig->ex, "test.block", "", 1, PILLION_EVENT);
  settle(rig);
  other->loop = loop_new();
  other->ex = rig->ex;
  assert_ok(attach(other, record));
  assert_int_equal(adapter_of(rig)->status, PILLION_ECLOSED);
  pillion_task_cancel(blocked);
  rig_run(other);
  assert_int_equal(other->seen.count, 1);
  /* The first one's end does not touch the second's hooks. */
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  free(rig);
  submit(other->ex, "test.echo", "x", 2, PILLION_EVENT);
  rig_run(other);
  assert_int_equal(other->seen.count, 2);
  rig_free(other);
}

static int try_attach(void *arg) {
  struct host host;
  void *loop = loop_new();
  int rc = host_attach(&host, loop, *(pillion_executor *)arg, NULL, NULL);
  loop_round(loop, 0);
  loop_destroy(loop);
  return rc;
}

TEST(attach_refuses_what_cannot_be) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor executor = 0;
  assert_int_equal(try_attach(&executor), PILLION_EBADHANDLE);
  options.flags = PILLION_NO_FD;
  assert_ok(pillion_executor_new(&executor, &options, NULL, 0));
  assert_int_equal(try_attach(&executor), PILLION_EINVAL);
  executor_free(executor);
  executor = executor_new();
  assert_ok(pillion_executor_bind(executor));
  assert_int_equal(on_thread(try_attach, &executor), PILLION_EWRONGTHREAD);
  executor_free(executor);
}

static int attach_in_poll(struct probe *probe, pillion_context *cx) {
  return try_attach(&probe->ex);
}

GIVEN(an_executor, attach_inside_a_turn_is_refused) {
  struct probe probe = {.ready_at = 1, .then = attach_in_poll};
  struct seen its = {0};
  spawn(ex, &probe, 1, PILLION_EVENT);
  run(ex, &its);
  assert_int_equal(probe.answer, PILLION_EREENTRANT);
}

/* An attach that fails leaves the executor to the loop that it is on. */
TEST(an_attach_without_descriptors_changes_nothing) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  struct rlimit before, none;
  other->loop = loop_new();
  other->ex = rig->ex;
  assert_ok(getrlimit(RLIMIT_NOFILE, &before));
  none = before;
  none.rlim_cur = 3;
  assert_ok(setrlimit(RLIMIT_NOFILE, &none));
  int rc = attach(other, record);
  assert_ok(setrlimit(RLIMIT_NOFILE, &before));
  if (rc == 0) { /* it needs none */
    assert_ok(host_detach(&rig->host));
    loop_destroy(rig->loop);
    free(rig);
    rig = other;
  } else {
    assert_int_equal(rc, PILLION_ESYSTEM);
    loop_destroy(other->loop);
    free(other);
  }
  submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

TEST(a_regular_file) {
  struct rig *rig = rig_new(record);
  struct stream in;
  open_watch(rig->ex, &in, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  in.length = R;
  start(rig->ex, &in, &waiting);
  rig_run(rig);
  if (loop_takes_files) assert_int_equal(in.events & R, R);
  else assert_int_equal(in.rc, PILLION_ENOTSUP);
  rig_free(rig);
}

TEST(events_that_the_loop_lacks_are_refused) {
  struct rig *rig = rig_new(record);
  struct stream in[2];
  static const uint32_t all[] = {PILLION_PRIORITY, PILLION_HANGUP};
  for (int i = 0; i < 2; i++) {
    int ends[2];
    pair_new(ends);
    open_watch(rig->ex, &in[i], ends[0]);
    in[i].length = all[i];
    start(rig->ex, &in[i], &waiting);
    settle(rig);
    if (!loop_has(all[i])) assert_int_equal(in[i].rc, PILLION_ENOTSUP);
    else assert_int_equal(in[i].rc, PILLION_PENDING);
    pillion_task_cancel(in[i].task);
    rig_run(rig);
    close(ends[1]);
  }
  rig_free(rig);
}

/* ---- Several ------------------------------------------------------------- */

TEST(two_executors_share_a_loop) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  other->loop = rig->loop;
  other->ex = executor_new();
  assert_ok(attach(other, record));
  for (int i = 0; i < 50; i++) {
    submit(rig->ex, "test.echo", "x", i, PILLION_EVENT);
    submit(other->ex, "test.echo", "y", i, PILLION_EVENT);
  }
  rig_run(rig);
  rig_run(other);
  assert_int_equal(rig->seen.count, 50);
  assert_int_equal(other->seen.count, 50);
  assert_ok(host_detach(&other->host));
  executor_free(other->ex);
  free(other);
  rig_free(rig);
}

/* The loop reports it once, and then waits. */
TEST(a_ready_descriptor_that_no_task_awaits_does_not_spin) {
  struct rig *rig = rig_new(record);
  struct stream in;
  int ends[2], stop = 0, rounds = 0;
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = R;
  start(rig->ex, &in, &waiting);
  settle(rig);
  pillion_task_cancel(in.task);
  rig_run(rig);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_after(rig->loop, 3, stop_in_poll, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  assert_true(rounds < 30);
  close(ends[1]);
  rig_free(rig);
}

/* The descriptor stays open, and goes to another executor's watch. */
TEST(a_closed_watch_lets_go_of_its_descriptor) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  struct stream in[2];
  int ends[2];
  pair_new(ends);
  memset(in, 0, sizeof in);
  other->loop = rig->loop;
  other->ex = executor_new();
  assert_ok(attach(other, record));
  assert_ok(pillion_watch_open(&in[0].watch, rig->ex, ends[0], 0));
  in[0].length = R;
  start(rig->ex, &in[0], &waiting);
  settle(rig);
  pillion_task_cancel(in[0].task);
  rig_run(rig);
  assert_ok(pillion_watch_close(in[0].watch));
  assert_ok(pillion_watch_open(&in[1].watch, other->ex, ends[0], 0));
  in[1].length = R;
  start(other->ex, &in[1], &waiting);
  assert_int_equal(write(ends[1], "x", 1), 1);
  rig_run(other);
  assert_int_equal(in[1].events, R);
  assert_ok(host_detach(&other->host));
  executor_free(other->ex);
  free(other);
  rig_free(rig);
  close(ends[0]);
  close(ends[1]);
}

static int own_loop(void *arg) {
  struct rig *rig = arg;
  pillion_function f;
  rig->loop = loop_new();
  int rc = pillion_executor_new(&rig->ex, NULL, NULL, 0);
  rc |= attach(rig, submit_again);
  rc |= pillion_function_find(&f, "test.echo");
  rc |= pillion_call_submit(NULL, rig->ex, f, "x", 1, f, PILLION_EVENT);
  rig_run(rig);
  rc |= host_detach(&rig->host);
  rc |= pillion_executor_free(rig->ex);
  loop_destroy(rig->loop);
  return rc;
}

TEST(every_thread_may_have_a_loop) {
  struct rig *rigs[4];
  struct on_thread jobs[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    rigs[i] = calloc(1, sizeof **rigs);
    jobs[i] = (struct on_thread){own_loop, rigs[i], -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  for (int i = 0; i < 4; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
    assert_int_equal(rigs[i]->seen.count, 20);
    free(rigs[i]);
  }
}

/* ---- Forks --------------------------------------------------------------- */

/* The loop's descriptors are the parent's, too. */
TEST(a_forked_child_touches_nothing_of_the_parents) {
  struct rig *rig = rig_new(record);
  for (int i = 0; i < 20; i++)
    submit(rig->ex, "test.block", "", i, PILLION_EVENT);
  settle(rig);
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    if (host_detach(&rig->host) != PILLION_EFORKED) _exit(1);
    if (attach(rig, record) != PILLION_EFORKED) _exit(2);
    _exit(pillion_executor_free(rig->ex) == PILLION_EFORKED ? 0 : 3);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  assert_int_equal(status, 0);
  assert_ok(pillion_executor_close(rig->ex, PILLION_CLOSE_CANCEL));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 20);
  rig_free(rig);
}

/* ---- Random programs ----------------------------------------------------- */

/*
 * Handlers that run the loop, begin more, detach and free, at random. Each
 * event comes once, with its own payload for as long as its handler runs.
 */
enum { MOST = 120 };

static struct program {
  struct rig rig;
  uint64_t state;
  int begun, depth, freed, faults;
  int came[MOST];
} now;

static uint32_t draw(uint32_t n) {
  now.state = now.state * UINT64_C(6364136223846793005) + 1;
  return (uint32_t)(now.state >> 33) % n;
}

static int gift_poll(pillion_value *out, pillion_context *cx, void *self) {
  char *text = malloc(40);
  snprintf(text, 40, "the payload of what has the number %4d",
           (int)(intptr_t)self);
  out->status = 0;
  out->length = 39;
  out->payload.ref.data = out->payload.ref.owner = text;
  out->payload.ref.release = free;
  return PILLION_READY;
}

static const pillion_future gift = {sizeof gift, gift_poll, NULL};

static void begin_one(void) {
  char text[40];
  int i = now.begun, rc;
  pillion_executor executor = now.rig.ex;
  if (i == MOST || now.freed) return;
  now.begun++;
  snprintf(text, sizeof text, "the payload of what has the number %4d", i);
  switch (draw(3)) {
  case 0:
    rc = pillion_task_spawn(NULL, executor, &gift, (void *)(intptr_t)i,
                            (uint64_t)i, PILLION_EVENT);
    break;
  case 1: rc = pillion_executor_post(executor, (uint64_t)i, text, 39); break;
  default:
    rc = pillion_call_submit(NULL, executor, function("test.echo"), text, 39,
                             (uint64_t)i, PILLION_EVENT);
  }
  if (rc < 0) now.faults++;
}

static int is_its_own(const pillion_event *event) {
  char text[40] = "";
  if (event->length != 39) return 0;
  memcpy(text, pillion_event_data(event), 39);
  return atoi(text + 34) == (int)event->token;
}

static void act(const pillion_event *event, void *data) {
  if (!is_its_own(event) || now.came[event->token]++ > 0) now.faults++;
  now.depth++;
  for (uint32_t n = draw(3); n > 0; n--) begin_one();
  if (loop_nests && now.depth < 7)
    for (uint32_t n = draw(4); n > 0; n--) loop_round(now.rig.loop, 0);
  uint32_t end = draw(60);
  if (end < 2) host_detach(&now.rig.host);
  if (end == 2 && !now.freed) {
    now.freed = 1;
    if (pillion_executor_free(now.rig.ex) < 0) now.faults++;
  }
  if (!now.freed && !is_its_own(event)) now.faults++;
  now.depth--;
}

static int all_came(void) {
  for (int i = 0; i < now.begun; i++)
    if (now.came[i] != 1) return 0;
  return 1;
}

static void run_program(uint64_t seed) {
  static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  memset(&now, 0, sizeof now);
  now.state = seed;
  now.rig.ex = executor_new();
  now.rig.loop = loop_new();
  assert_ok(attach(&now.rig, act));
  for (int i = 0; i < 5; i++) begin_one();
  while (!now.freed && !all_came()) {
    if (adapter_of(&now.rig)->detached == 2) assert_ok(attach(&now.rig, act));
    loop_round(now.rig.loop, 0);
  }
  const uint8_t *order = orders[draw(6)];
  for (int i = 0; i < 3; i++) {
    if (order[i] == 0 && adapter_of(&now.rig)->detached != 2)
      assert_ok(host_detach(&now.rig.host));
    if (order[i] == 1 && !now.freed) executor_free(now.rig.ex);
    if (order[i] == 2) loop_destroy(now.rig.loop);
  }
  assert_int_equal(now.faults, 0);
}

TEST(random_programs) {
  for (uint64_t seed = 1; seed <= 400; seed++) run_program(seed);
}
