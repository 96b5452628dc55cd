/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/uv.h on a real libuv loop. */
#include "pillion/uv.h"

#include "support.h"

/* A loop with an executor on it, and the events that came. */
struct rig {
  uv_loop_t loop;
  pillion_uv uv;
  pillion_executor ex;
  struct seen seen;
  int closed; /* calls of on_close */
};

static void record(const pillion_event *event, void *data) {
  see(event, &((struct rig *)data)->seen);
}

static void on_close(pillion_uv *uv, void *data) {
  ((struct rig *)data)->closed++;
}

static struct rig *rig_new(pillion_event_fn on_event) {
  struct rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  rig->ex = executor_new();
  assert_ok(uv_loop_init(&rig->loop));
  assert_ok(pillion_uv_attach(&rig->uv, &rig->loop, rig->ex, on_event, rig));
  return rig;
}

static void rig_run(struct rig *rig) {
  assert_int_equal(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
}

/* The usual end: detach, let the loop close its handles, free. */
static void rig_free(struct rig *rig) {
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  assert_int_equal(rig->closed, 0);
  rig_run(rig);
  assert_int_equal(rig->closed, 1);
  assert_ok(uv_loop_close(&rig->loop));
  executor_free(rig->ex);
  free(rig);
}

/* ---- The loop's life ---------------------------------------------------- */

TEST(the_loop_returns_when_nothing_lives) {
  struct rig *rig = rig_new(record);
  rig_run(rig);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 0);
  rig_free(rig);
}

TEST(the_loop_stays_for_a_call_submitted_before_it_runs) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.upper", "abc", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_string_equal(rig->seen.event[0].bytes, "ABC");
  /* The same again, after the first run has let the loop end. */
  submit(rig->ex, "test.upper", "def", 2, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

TEST(the_loop_stays_for_a_call_submitted_before_attach) {
  struct rig *rig = calloc(1, sizeof *rig);
  rig->ex = executor_new();
  submit(rig->ex, "test.upper", "abc", 1, PILLION_EVENT);
  assert_ok(uv_loop_init(&rig->loop));
  assert_ok(pillion_uv_attach(&rig->uv, &rig->loop, rig->ex, record, rig));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

static void submit_again(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count < 20)
    pillion_call_submit(NULL, rig->ex, event->token, "x", 1, event->token,
                        PILLION_EVENT);
}

TEST(the_loop_stays_for_a_call_submitted_in_on_event) {
  struct rig *rig = rig_new(submit_again);
  submit(rig->ex, "test.echo", "x", function("test.echo"), PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 20);
  rig_free(rig);
}

TEST(the_loop_stays_for_a_task_and_is_woken_for_it) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 50, .wake_self = 1};
  spawn(rig->ex, &probe, 3, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(probe.polls, 50);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(rig->seen.count, 1);
  assert_string_equal(rig->seen.event[0].bytes, "probed");
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
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  submit(rig->ex, "test.loop_echo", "on the loop", 1, PILLION_EVENT);
  submit(rig->ex, "test.loop_sleep", "3000000", 2, PILLION_EVENT);
  submit(rig->ex, "test.loop_yield", "10", 3, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 3); /* the naps and the yields race */
  assert_string_equal(rig->seen.event[0].bytes, "on the loop");
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(rig->seen.event[i].status, 0);
  assert_int_equal(rig->seen.event[1].token + rig->seen.event[2].token, 5);
  assert_ok(pillion_executor_stat(&stats, rig->ex));
  assert_true(stats.go_entries > 0);
  rig_free(rig);
}

/* ---- Time and fairness -------------------------------------------------- */

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
  rig_free(rig);
}

struct ticker {
  uv_timer_t timer;
  int ticks;
  struct probe *stop;
};

static void tick(uv_timer_t *timer) {
  struct ticker *ticker = timer->data;
  if (++ticker->ticks < 5) return;
  ticker->stop->ready_at = ticker->stop->polls + 1;
  uv_close((uv_handle_t *)timer, NULL);
}

TEST(a_task_that_wakes_itself_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe busy = {.wake_self = 1};
  struct ticker ticker = {.stop = &busy};
  spawn(rig->ex, &busy, 1, PILLION_EVENT);
  assert_ok(uv_timer_init(&rig->loop, &ticker.timer));
  ticker.timer.data = &ticker;
  assert_ok(uv_timer_start(&ticker.timer, tick, 1, 1));
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

/* Its deadline has always passed, which must not keep uv__run_timers going. */
static int overdue(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now - SECOND);
}

TEST(an_overdue_deadline_does_not_starve_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  struct probe late = {.then = overdue, .data = &timer};
  struct ticker ticker = {.stop = &late};
  spawn(rig->ex, &late, 1, PILLION_EVENT);
  assert_ok(uv_timer_init(&rig->loop, &ticker.timer));
  ticker.timer.data = &ticker;
  assert_ok(uv_timer_start(&ticker.timer, tick, 1, 1));
  rig_run(rig);
  assert_int_equal(ticker.ticks, 5);
  assert_int_equal(late.drops, 1);
  pillion_timer_clear(&timer);
  rig_free(rig);
}

static int wake_it(void *arg) {
  struct probe *probe = arg;
  await_waiting(1);
  probe->ready_at = 2;
  return pillion_wake(probe->waker);
}

static int cancel_after_wake(void *arg) {
  void **args = arg;
  int rc = wake_it(args[0]);
  if (rc != PILLION_WOKEN) return rc;
  return pillion_task_cancel(*(pillion_task *)args[1]);
}

TEST(a_wake_from_another_thread_reaches_a_sleeping_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  pthread_t thread;
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  assert_int_not_equal(uv_run(&rig->loop, UV_RUN_NOWAIT), 0);
  assert_int_equal(probe.polls, 1);
  pillion_task blocked = submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  void *args[] = {&probe, &blocked};
  struct on_thread job = {cancel_after_wake, args, -1};
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  rig_run(rig);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(probe.polls, 2);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

/* ---- Ends, in every order ----------------------------------------------- */

static void close_handle(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void close_loop_by_walk(struct rig *rig) {
  uv_walk(&rig->loop, close_handle, NULL);
  rig_run(rig);
  assert_ok(uv_loop_close(&rig->loop));
  memset(&rig->loop, 0xee, sizeof rig->loop); /* it is never used again */
}

TEST(the_executor_may_be_freed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  executor_free(rig->ex);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(rig->uv.adapter.status, PILLION_ECLOSED);
  rig_run(rig); /* returns: nothing of Pillion's keeps it */
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  rig_run(rig);
  assert_int_equal(rig->closed, 1);
  assert_int_equal(rig->seen.count, 0);
  assert_ok(uv_loop_close(&rig->loop));
  free(rig);
}

TEST(a_freed_executors_descriptor_is_unwatched) {
  struct rig *rig = rig_new(record);
  int fd = -1, again[2];
  assert_ok(pillion_executor_fd(&fd, rig->ex));
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  executor_free(rig->ex);
  /* Another handle of the same loop may use the number. */
  assert_ok(pipe(again));
  if (again[0] != fd) assert_int_equal(dup2(again[0], fd), fd);
  uv_poll_t poll;
  assert_ok(uv_poll_init(&rig->loop, &poll, fd));
  uv_close((uv_handle_t *)&poll, NULL);
  assert_ok(pillion_uv_detach(&rig->uv, NULL));
  rig_run(rig);
  assert_ok(uv_loop_close(&rig->loop));
  if (again[0] != fd) close(fd);
  close(again[0]);
  close(again[1]);
  free(rig);
}

TEST(the_loop_may_be_closed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  close_loop_by_walk(rig);
  /* The executor lives without a loop. */
  submit(rig->ex, "test.echo", "x", 3, PILLION_EVENT);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  assert_int_equal(rig->closed, 1);
  assert_ok(pillion_executor_close(rig->ex, PILLION_CLOSE_CANCEL));
  run(rig->ex, &rig->seen);
  assert_int_equal(rig->seen.count, 3);
  executor_free(rig->ex);
  free(rig);
}

TEST(a_closed_loop_needs_no_detach_if_the_executor_is_freed) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  close_loop_by_walk(rig);
  executor_free(rig->ex);
  free(rig);
}

TEST(detach_leaves_what_lives_to_the_next_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 2};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  pillion_task blocked = submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  rig_run(rig);
  assert_int_equal(rig->closed, 1);
  assert_int_equal(rig->seen.count, 0);
  assert_ok(pillion_uv_attach(&rig->uv, &rig->loop, rig->ex, record, rig));
  pillion_wake(probe.waker);
  pillion_task_cancel(blocked);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  rig->closed = 0;
  rig_free(rig);
}

static void detach_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  int rc = pillion_uv_detach(&rig->uv, on_close);
  if (rc != (rig->seen.count == 1 ? 0 : PILLION_ECLOSED)) rig->closed = 100;
}

TEST(detach_in_on_event_loses_no_event) {
  struct rig *rig = rig_new(detach_in_on_event);
  struct probe probes[10];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, 10);
  assert_int_equal(rig->closed, 1);
  assert_int_equal(pillion_uv_detach(&rig->uv, on_close), PILLION_ECLOSED);
  assert_ok(uv_loop_close(&rig->loop));
  executor_free(rig->ex);
  free(rig);
}

static int detach_in_poll(struct probe *probe, pillion_context *cx) {
  return pillion_uv_detach(&((struct rig *)probe->data)->uv, on_close);
}

TEST(detach_inside_a_turn_waits_for_its_end) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = detach_in_poll, .data = rig};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  rig_run(rig);
  assert_ok(probe.answer);
  assert_int_equal(rig->seen.count, 1);
  assert_int_equal(rig->closed, 1);
  assert_ok(uv_loop_close(&rig->loop));
  executor_free(rig->ex);
  free(rig);
}

static void free_in_on_event(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (pillion_executor_free(rig->ex) < 0) rig->closed = 100;
}

TEST(free_in_on_event_ends_the_events) {
  struct rig *rig = rig_new(free_in_on_event);
  for (int i = 0; i < 10; i++)
    submit(rig->ex, "test.big", "1000", i, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  rig_run(rig);
  assert_int_equal(rig->closed, 1);
  assert_ok(uv_loop_close(&rig->loop));
  free(rig);
}

static void detach_and_free(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (pillion_uv_detach(&rig->uv, on_close) < 0) rig->closed = 100;
  if (pillion_executor_free(rig->ex) < 0) rig->closed = 200;
}

TEST(detach_and_free_in_on_event) {
  struct rig *rig = rig_new(detach_and_free);
  struct probe probes[10];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_int_equal(rig->closed, 1);
  assert_ok(uv_loop_close(&rig->loop));
  free(rig);
}

static void close_by_walk(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  uv_walk(&rig->loop, close_handle, NULL);
}

TEST(the_loop_may_be_closed_in_on_event) {
  struct rig *rig = rig_new(close_by_walk);
  struct probe probes[10];
  memset(probes, 0, sizeof probes);
  for (size_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, 10);
  assert_ok(uv_loop_close(&rig->loop));
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  assert_int_equal(rig->closed, 1);
  executor_free(rig->ex);
  free(rig);
}

/* ---- Refusals ----------------------------------------------------------- */

TEST(attach_twice_is_refused_and_harmless) {
  struct rig *rig = rig_new(record);
  pillion_uv second;
  assert_int_equal(
      pillion_uv_attach(&second, &rig->loop, rig->ex, record, rig),
      PILLION_EBUSY);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

TEST(attach_elsewhere_moves_the_executor) {
  struct rig *rig = rig_new(record);
  uv_loop_t other;
  pillion_uv second;
  pillion_task blocked = submit(rig->ex, "test.block", "", 1, PILLION_EVENT);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  assert_ok(uv_loop_init(&other));
  assert_ok(pillion_uv_attach(&second, &other, rig->ex, record, rig));
  rig_run(rig); /* no longer kept alive */
  pillion_task_cancel(blocked);
  assert_ok(uv_run(&other, UV_RUN_DEFAULT));
  assert_int_equal(rig->seen.count, 1);
  /* The first adapter's detach doesn't touch the second's hooks. */
  assert_ok(pillion_uv_detach(&rig->uv, NULL));
  rig_run(rig);
  assert_ok(uv_loop_close(&rig->loop));
  submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
  assert_ok(uv_run(&other, UV_RUN_DEFAULT));
  assert_int_equal(rig->seen.count, 2);
  assert_ok(pillion_uv_detach(&second, on_close));
  assert_ok(uv_run(&other, UV_RUN_DEFAULT));
  assert_int_equal(rig->closed, 1);
  assert_ok(uv_loop_close(&other));
  executor_free(rig->ex);
  free(rig);
}

static int try_attach(void *arg) {
  uv_loop_t loop;
  pillion_uv uv;
  uv_loop_init(&loop);
  int rc = pillion_uv_attach(&uv, &loop, *(pillion_executor *)arg, NULL, NULL);
  return uv_loop_close(&loop) == 0 ? rc : 1; /* nothing is left on it */
}

TEST(attach_refuses_what_cannot_be) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex = 0;
  assert_int_equal(try_attach(&ex), PILLION_EBADHANDLE);
  options.flags = PILLION_NO_FD;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  assert_int_equal(try_attach(&ex), PILLION_EINVAL);
  executor_free(ex);
  assert_int_equal(try_attach(&ex), PILLION_EBADHANDLE);
  ex = executor_new();
  assert_ok(pillion_executor_bind(ex));
  assert_int_equal(on_thread(try_attach, &ex), PILLION_EWRONGTHREAD);
  executor_free(ex);
}

static int attach_in_poll(struct probe *probe, pillion_context *cx) {
  return try_attach(&probe->ex);
}

GIVEN(an_executor, attach_inside_a_turn_is_refused) {
  struct probe probe = {.ready_at = 1, .then = attach_in_poll};
  struct seen seen = {0};
  spawn(ex, &probe, 1, PILLION_EVENT);
  run(ex, &seen);
  assert_int_equal(probe.answer, PILLION_EREENTRANT);
}

static int run_loop(void *loop) { return uv_run(loop, UV_RUN_DEFAULT); }

TEST(a_loop_run_on_the_wrong_thread_does_not_spin) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  assert_ok(on_thread(run_loop, &rig->loop)); /* returns */
  assert_int_equal(rig->uv.adapter.status, PILLION_EWRONGTHREAD);
  assert_int_equal(rig->seen.count, 0);
  run(rig->ex, &rig->seen);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

/* ---- Several ------------------------------------------------------------ */

TEST(two_executors_share_a_loop) {
  struct rig *rig = rig_new(record);
  pillion_executor ex = executor_new();
  pillion_uv uv;
  assert_ok(pillion_uv_attach(&uv, &rig->loop, ex, record, rig));
  for (int i = 0; i < 50; i++) {
    submit(rig->ex, "test.echo", "x", i, PILLION_EVENT);
    submit(ex, "test.echo", "y", i, PILLION_EVENT);
  }
  rig_run(rig);
  assert_int_equal(rig->seen.count, 100);
  assert_ok(pillion_uv_detach(&uv, NULL));
  executor_free(ex);
  rig_free(rig);
}

static int own_loop(void *arg) {
  struct rig *rig = arg;
  int rc = uv_loop_init(&rig->loop);
  rc |= pillion_executor_new(&rig->ex, NULL, NULL, 0);
  rc |= pillion_uv_attach(&rig->uv, &rig->loop, rig->ex, submit_again, rig);
  pillion_function f;
  rc |= pillion_function_find(&f, "test.echo");
  rc |= pillion_call_submit(NULL, rig->ex, f, "x", 1, f, PILLION_EVENT);
  rc |= uv_run(&rig->loop, UV_RUN_DEFAULT);
  rc |= pillion_uv_detach(&rig->uv, on_close);
  rc |= uv_run(&rig->loop, UV_RUN_DEFAULT);
  rc |= uv_loop_close(&rig->loop);
  rc |= pillion_executor_free(rig->ex);
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
    assert_int_equal(rigs[i]->closed, 1);
    free(rigs[i]);
  }
}
