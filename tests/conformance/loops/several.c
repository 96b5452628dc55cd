/* SPDX-License-Identifier: Apache-2.0 */

/* Several executors, loops and watches. */
#include "rig.h"

TEST(two_executors_share_a_loop) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  other->loop = rig->loop;
  other->ex = executor_new();
  assert_ok(rig_attach(other, record));
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
  loop_after(rig->loop, 3, stop_rounds, &stop);
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
  assert_ok(rig_attach(other, record));
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

/* ---- Loops of different kinds -------------------------------------------- */

/* What lives waits meanwhile: a task for a descriptor, one for a wake, a Go task
   for a descriptor, and a call. */
TEST(an_executor_moves_to_a_loop_of_another_kind_and_back) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.ready_at = 2};
  struct stream in;
  int ends[2], go[2];
  pair_new(ends);
  pair_new(go);
  open_watch(rig->ex, &in, ends[0]);
  start(rig->ex, &in, &reading);
  in.length = 3;
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  pillion_task blocked = submit(rig->ex, "test.block", "", 2, PILLION_EVENT);
  start_cat(rig->ex, go[0]);
  while (library_counts().watches < 2) loop_round(rig->loop, 0);
  assert_int_equal(write(ends[1], "x", 1), 1);
  while (in.bytes < 1) loop_round(rig->loop, 1);

  /* pillion/poll.h takes it over without a detach. */
  pillion_poll poll;
  pillion_poll_init(&poll, rig->ex, see, &rig->seen);
  assert_int_equal(pillion_poll_once(&poll, 0), 0);
  assert_int_equal(host_status(&rig->host), PILLION_ECLOSED);
  assert_int_equal(write(ends[1], "y", 1), 1);
  while (in.bytes < 2)
    assert_true(pillion_poll_once(&poll, PILLION_TIME_NEVER) >= 0);
  settle(rig); /* the first loop has nothing of it */
  assert_ok(host_detach(&rig->host));
  settle(rig);

  assert_ok(rig_attach(rig, record));
  assert_int_equal(write(ends[1], "z", 1), 1);
  while (in.bytes < 3) loop_round(rig->loop, 1);
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  rig->loop = loop_new();
  assert_ok(rig_attach(rig, record));
  assert_int_equal(write(go[1], "g", 1), 1);
  assert_ok(shutdown(go[1], SHUT_WR));
  assert_int_equal(pillion_wake(probe.waker), PILLION_WOKEN);
  assert_ok(pillion_task_cancel(blocked));
  rig_run(rig);
  assert_int_equal(rig->seen.count, 3);
  assert_int_equal(in.drops, 1);
  rig_free(rig);
  close(ends[1]);
  close(go[0]);
  close(go[1]);
}

/* ---- The program's descriptors ------------------------------------------- */

struct own_reader {
  int fd, count;
};

static void read_one(void *data) {
  struct own_reader *reader = data;
  char byte;
  if (read(reader->fd, &byte, 1) == 1) reader->count++;
}

/* Where a loop takes a descriptor once a task is refused; or each hears of its
   own events only. */
TEST(the_program_watches_the_same_descriptor) {
  struct rig *rig = rig_new(record);
  struct own_reader its = {0};
  struct stream task;
  int ends[2];
  pair_new(ends);
  its.fd = ends[0];
  assert_ok(loop_on_readable(rig->loop, ends[0], read_one, &its));
  memset(&task, 0, sizeof task);
  task.fd = ends[0];
  assert_ok(pillion_watch_open(&task.watch, rig->ex, ends[0], 0));
  task.length = loop_has(H) ? H : W;
  start(rig->ex, &task, &waiting);
  settle(rig);
  assert_true(task.rc == PILLION_EBUSY || task.rc == PILLION_PENDING ||
              !loop_has(H));
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(write(ends[1], "x", 1), 1);
    while (its.count < i) loop_round(rig->loop, 1);
  }
  if (task.rc == PILLION_PENDING) {
    assert_int_equal(task.polls, 1);
    assert_true(turns_of(rig->ex) < 4);
    close(ends[1]);
    while (task.drops == 0) loop_round(rig->loop, 1);
    assert_true(task.events & H);
  } else {
    close(ends[1]);
  }
  assert_ok(pillion_watch_close(task.watch));
  assert_ok(host_detach(&rig->host));
  executor_free(rig->ex);
  loop_destroy(rig->loop);
  free(rig);
  close(ends[0]);
}

/* ---- Loops in threads ---------------------------------------------------- */

static int own_loop(void *arg) {
  struct rig *rig = arg;
  pillion_function f;
  rig->loop = loop_new();
  int rc = pillion_executor_new(&rig->ex, NULL, NULL, 0);
  rc |= rig_attach(rig, submit_again);
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
