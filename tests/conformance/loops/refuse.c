/* SPDX-License-Identifier: Apache-2.0 */

/* What an adapter refuses, and leaves as it was. */
#include "rig.h"

TEST(attach_twice_is_refused_and_harmless) {
  struct rig *rig = rig_new(record);
  assert_int_equal(rig_attach(rig, record), PILLION_EBUSY);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(rig);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

/* Where a loop takes a descriptor once it is refused; or the executor moves. */
TEST(a_second_adapter_on_a_loop_is_refused_or_takes_over) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  settle(rig);
  other->loop = rig->loop;
  other->ex = rig->ex;
  int rc = rig_attach(other, record);
  assert_true(rc == 0 || rc == PILLION_EBUSY);
  struct rig *is = rc == 0 ? other : rig, *is_not = rc == 0 ? rig : other;
  assert_int_equal(host_status(&is->host), 0);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  while (is->seen.count == 0) loop_round(rig->loop, 1);
  assert_int_equal(is_not->seen.count, 0);
  if (rc == 0) assert_ok(host_detach(&rig->host));
  submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
  while (is->seen.count == 1) loop_round(rig->loop, 1);
  assert_ok(host_detach(&is->host));
  executor_free(rig->ex);
  loop_destroy(rig->loop);
  free(other);
  free(rig);
}

static int run_until_it_stops(void *arg) {
  struct rig *rig = arg;
  int stop = 0, rounds = 0;
  while (host_status(&rig->host) == 0) loop_round(rig->loop, 1);
  loop_after(rig->loop, 3, stop_rounds, &stop);
  for (; !stop; rounds++) loop_round(rig->loop, 1);
  return rounds;
}

TEST(a_loop_run_on_the_wrong_thread_does_not_spin) {
  struct rig *rig = rig_new(record);
  submit(rig->ex, "test.echo", "x", 1, PILLION_EVENT);
  assert_true(on_thread(run_until_it_stops, rig) < 10);
  assert_int_equal(host_status(&rig->host), PILLION_EWRONGTHREAD);
  assert_int_equal(rig->seen.count, 0);
  run(rig->ex, &rig->seen);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

TEST(attach_elsewhere_moves_the_executor) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  pillion_task blocked = submit(rig->ex, "test.block", "", 1, PILLION_EVENT);
  settle(rig);
  other->loop = loop_new();
  other->ex = rig->ex;
  assert_ok(rig_attach(other, record));
  assert_int_equal(host_status(&rig->host), PILLION_ECLOSED);
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
  struct host host = {0};
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
  int rc = rig_attach(other, record);
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

/* To watch one, to sleep and to wake takes none. */
TEST(descriptors_are_awaited_where_none_is_left) {
  struct rig *rig = rig_new(record);
  struct stream in;
  struct doze nap = {.ns = 2 * MS};
  struct rlimit before, none;
  int ends[2];
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  settle(rig);
  assert_ok(getrlimit(RLIMIT_NOFILE, &before));
  none = before;
  none.rlim_cur = 3;
  assert_ok(setrlimit(RLIMIT_NOFILE, &none));
  start(rig->ex, &in, &reading);
  assert_ok(pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 1, PILLION_EVENT));
  submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
  settle(rig);
  assert_int_equal(write(ends[1], "x", 1), 1);
  close(ends[1]);
  rig_run(rig);
  assert_ok(setrlimit(RLIMIT_NOFILE, &before));
  assert_int_equal(in.bytes, 1);
  assert_int_equal(in.drops, 1);
  assert_int_equal(rig->seen.count, 2);
  rig_free(rig);
}

TEST(a_regular_file) {
  struct rig *rig = rig_new(record);
  struct stream in;
  open_watch(rig->ex, &in, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  in.length = R | W;
  start(rig->ex, &in, &waiting);
  rig_run(rig);
  if (loop_takes_files == 2) assert_int_equal(in.events & R, R);
  else if (loop_takes_files) assert_int_equal(in.events, R | W);
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
