/* SPDX-License-Identifier: Apache-2.0 */

/* Ends, in every order. */
#include "rig.h"

/* Of a descriptor of the program's. */
struct taken {
  int fd, count;
};

static void take_byte(void *data) {
  struct taken *taken = data;
  char byte;
  if (read(taken->fd, &byte, 1) == 1) taken->count++;
}

TEST(the_executor_may_be_freed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  executor_free(rig->ex);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(host_status(&rig->host), PILLION_ECLOSED);
  settle(rig);
  assert_ok(host_detach(&rig->host));
  assert_int_equal(rig->seen.count, 0);
  loop_destroy(rig->loop);
  free(rig);
}

TEST(the_loop_may_be_destroyed_first) {
  struct rig *rig = rig_new(record);
  struct probe probe = {0};
  static struct doze nap;
  nap = (struct doze){.ns = 3600 * SECOND};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  loop_destroy(rig->loop);
  /* The executor lives on, without a loop. */
  submit(rig->ex, "test.echo", "x", 3, PILLION_EVENT);
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_ok(pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 4, PILLION_EVENT));
  host_turn(&rig->host); /* it may arm no timer of the loop */
  assert_ok(host_detach(&rig->host));
  assert_ok(pillion_executor_close(rig->ex, PILLION_CLOSE_CANCEL));
  run(rig->ex, &rig->seen);
  assert_int_equal(rig->seen.count, 4);
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
  struct stream in, late;
  int ends[2];
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  open_watch(rig->ex, &late, ends[1]);
  late.length = R;
  start(rig->ex, &in, &reading);
  settle(rig);
  loop_destroy(rig->loop);
  start(rig->ex, &late, &waiting);
  pillion_executor_turn(NULL, 0, NULL, rig->ex, NULL);
  assert_int_equal(late.rc, loop_is_held ? PILLION_PENDING : PILLION_ECLOSED);
  assert_ok(host_detach(&rig->host));
  rig->loop = loop_new();
  assert_ok(rig_attach(rig, record));
  if (late.rc == PILLION_PENDING) pillion_task_cancel(late.task);
  while (late.drops == 0) loop_round(rig->loop, 1);
  assert_ok(pillion_watch_close(late.watch)); /* the other end of in */
  rig_run(rig);
  assert_int_equal(in.drops, 1);
  rig_free(rig);
}

/* Its number is the next one's, which the loop watches for the program. */
TEST(a_freed_executors_descriptor_is_the_programs) {
  struct rig *rig = rig_new(record);
  struct taken its = {0};
  int fd = -1, again[2];
  assert_ok(pillion_executor_fd(&fd, rig->ex));
  settle(rig);
  executor_free(rig->ex);
  assert_ok(pipe(again));
  if (again[0] != fd) assert_int_equal(dup2(again[0], fd), fd);
  assert_int_equal(write(again[1], "xyz", 3), 3);
  for (int i = 0; i < 4; i++) loop_round(rig->loop, 0); /* nothing is ready */
  its.fd = fd;
  assert_ok(loop_on_readable(rig->loop, fd, take_byte, &its));
  while (its.count < 1) loop_round(rig->loop, 1);
  assert_ok(host_detach(&rig->host));
  while (its.count < 3) loop_round(rig->loop, 1);
  loop_destroy(rig->loop);
  if (again[0] != fd) close(fd);
  close(again[0]);
  close(again[1]);
  free(rig);
}

TEST(detach_leaves_what_lives_to_the_next_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 2};
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  pillion_task blocked = submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  settle(rig);
  assert_ok(host_detach(&rig->host));
  assert_int_equal(rig->seen.count, 0);
  assert_ok(rig_attach(rig, record));
  pillion_wake(probe.waker);
  pillion_task_cancel(blocked);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

/* Nothing but its deadline will ever wake the loop. */
TEST(a_sleeping_task_moves_to_the_next_loop) {
  struct rig *rig = rig_new(record);
  struct doze nap = {.ns = 20 * MS};
  assert_ok(
      pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 1, PILLION_EVENT));
  settle(rig);
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  rig->loop = loop_new();
  assert_ok(rig_attach(rig, record));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  assert_true(nap.woke - nap.began >= nap.ns);
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
  assert_ok(rig_attach(next, record));
  assert_ok(host_detach(&rig->host));
  free(rig);
  submit(next->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(next);
  assert_int_equal(next->seen.count, 1);
  rig_free(next);
}
