/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/uv.h beyond the cases of every loop: what becomes of its handles. */
#include "pillion/uv.h"

#include "watch_support.h"

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

/* ---- The timer ---------------------------------------------------------- */

static int overdue(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now - SECOND);
}

TEST(the_timer_runs_for_a_deadline_only) {
  struct rig *rig = rig_new(record);
  uv_timer_t *timer = &rig->uv.timer;
  pillion_timer late = {0};
  struct probe probe = {.ready_at = 2, .then = overdue, .data = &late};
  struct doze nap = {.ns = 3600 * SECOND};
  assert_int_equal(pillion_adapter_turn(&rig->uv.adapter), 0);
  assert_false(uv_is_active((uv_handle_t *)timer));
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  assert_int_equal(pillion_adapter_turn(&rig->uv.adapter), 0);
  assert_int_equal(uv_timer_get_due_in(timer), 1); /* not in this round */
  assert_int_equal(pillion_adapter_turn(&rig->uv.adapter), 1);
  pillion_timer_clear(&late);
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 2, PILLION_DETACH));
  assert_int_equal(pillion_adapter_turn(&rig->uv.adapter), 0);
  assert_true(uv_is_active((uv_handle_t *)timer));
  executor_free(rig->ex);
  assert_false(uv_is_active((uv_handle_t *)timer));
  assert_ok(pillion_uv_detach(&rig->uv, on_close));
  rig_run(rig);
  assert_ok(uv_loop_close(&rig->loop));
  free(rig);
}

static int leave_a_timer(struct probe *probe, pillion_context *cx) {
  return pillion_timer_set(probe->data, cx, cx->now + 3600 * SECOND);
}

TEST(a_timer_that_a_task_has_left_does_not_keep_the_loop) {
  struct rig *rig = rig_new(record);
  pillion_timer timer = {0};
  struct probe probe = {.ready_at = 1, .then = leave_a_timer, .data = &timer};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  pillion_timer_clear(&timer);
  rig_free(rig);
}

TEST(a_turn_arms_no_timer_of_a_closed_loop) {
  struct rig *rig = rig_new(record);
  struct doze nap = {.ns = 3600 * SECOND};
  close_loop_by_walk(rig);
  rig->uv.timer.loop = NULL;
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 2, PILLION_DETACH));
  assert_int_equal(pillion_adapter_turn(&rig->uv.adapter), 0);
  executor_free(rig->ex);
  free(rig);
}

/* ---- Refusals ----------------------------------------------------------- */

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

TEST(a_descriptor_of_the_programs_is_refused) {
  struct rig *rig = rig_new(record);
  struct stream in;
  uv_poll_t its_own;
  int ends[2];
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  assert_ok(uv_poll_init(&rig->loop, &its_own, ends[0]));
  assert_ok(uv_poll_start(&its_own, UV_READABLE, NULL));
  in.length = R;
  start(rig->ex, &in, &waiting);
  assert_int_equal(uv_run(&rig->loop, UV_RUN_NOWAIT), 1);
  assert_int_equal(in.rc, PILLION_EBUSY);
  uv_close((uv_handle_t *)&its_own, NULL);
  rig_free(rig);
  close(ends[1]);
}
