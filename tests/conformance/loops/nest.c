/* SPDX-License-Identifier: Apache-2.0 */

/* A loop that runs inside an event handler, or inside a poll. */
#include "rig.h"

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
  struct rig *rig = rig_new(wait_for_the_next);
  struct probe probes[2] = {{.ready_at = 1}, {.ready_at = 1}};
  settle(rig);
  for (int i = 0; i < 2; i++) spawn(rig->ex, &probes[i], i, PILLION_EVENT);
  settle(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

static void run_until_read(void *data) {
  struct rig *rig = ((void **)data)[0];
  struct stream *in = ((void **)data)[1];
  while (in->bytes == 0) loop_round(rig->loop, 1);
}

TEST(descriptors_are_watched_in_a_loop_that_a_handler_runs) {
  struct rig *rig = rig_new(record);
  struct stream in;
  int ends[2];
  void *both[] = {rig, &in};
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = 1;
  start(rig->ex, &in, &reading);
  settle(rig);
  assert_int_equal(in.polls, 1);
  loop_after(rig->loop, 1, run_until_read, both);
  assert_int_equal(write(ends[1], "x", 1), 1);
  rig_run(rig);
  assert_int_equal(in.bytes, 1);
  rig_free(rig);
  close(ends[1]);
}

/* A wake that comes late may find the executor in a turn. */
static void wake_late(pillion_executor executor) {
  uint64_t one = 1;
  int fd;
  if (pillion_executor_fd(&fd, executor) == 0 && write(fd, &one, 8) < 0) abort();
}

static int run_in_poll(struct probe *probe, pillion_context *cx) {
  struct rig *rig = probe->data;
  int stop = 0, rounds = 0;
  if (probe->wake_self) wake_late(rig->ex);
  loop_after(rig->loop, probe->wake_self ? 0 : 3, stop_rounds, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  return rounds;
}

TEST(a_loop_inside_a_poll_neither_spins_nor_loses_anything) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = run_in_poll, .data = rig};
  struct doze nap = {.ns = 1};
  assert_ok(pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 2, PILLION_EVENT));
  settle(rig);
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  submit(rig->ex, "test.echo", "x", 3, PILLION_EVENT);
  rig_run(rig);
  assert_true(probe.answer < 30);
  assert_int_equal(rig->seen.count, 3);
  rig_free(rig);
}

static int run_rounds_in_poll(struct probe *probe, pillion_context *cx) {
  settle(probe->data);
  return 0;
}

/* What is reported while no turn can be made is not forgotten. */
static void run_the_loop_in_a_poll(int by_hand) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = run_rounds_in_poll, .data = rig};
  struct stream in;
  int ends[2];
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  in.length = 1;
  start(rig->ex, &in, &reading);
  settle(rig);
  assert_int_equal(in.polls, 1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  spawn(rig->ex, &probe, 0, PILLION_DETACH);
  if (by_hand) pillion_executor_turn(NULL, 0, NULL, rig->ex, NULL);
  rig_run(rig);
  assert_int_equal(probe.drops, 1);
  assert_int_equal(in.bytes, 1);
  rig_free(rig);
  close(ends[1]);
}

TEST(a_poll_runs_the_loop) { run_the_loop_in_a_poll(0); }
TEST(a_poll_in_a_turn_by_hand_runs_the_loop) { run_the_loop_in_a_poll(1); }

TEST(a_late_wake_inside_a_poll_does_not_silence_the_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 1, .then = run_in_poll, .data = rig};
  struct probe other = {.ready_at = 2};
  probe.wake_self = 1;
  spawn(rig->ex, &other, 1, PILLION_EVENT);
  settle(rig);
  spawn(rig->ex, &probe, 2, PILLION_EVENT);
  settle(rig);
  assert_int_equal(probe.polls, 1);
  assert_true(probe.answer < 30);
  assert_int_equal(pillion_wake(other.waker), PILLION_WOKEN);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}
