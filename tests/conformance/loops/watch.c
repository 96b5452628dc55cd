/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every loop that watches descriptors must do, with real pipes, sockets
 * and eventfds. The number of turns shows whether it spins.
 */
#include "loop.h"
#include "watch_support.h"

GIVEN(an_executor, a_pipe_carries_what_it_cannot_hold) {
  struct stream in, out;
  int ends[2];
  assert_ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  assert_true(fcntl(ends[0], F_SETPIPE_SZ, 4096) >= 4096);
  loop_begin(ex);
  open_watch(ex, &in, ends[0]);
  open_watch(ex, &out, ends[1]);
  in.length = out.length = 1 << 20;
  start(ex, &in, &reading);
  start(ex, &out, &writing);
  loop_run();
  assert_int_equal(in.bytes, 1 << 20);
  assert_int_equal(out.bytes, 1 << 20);
  assert_true(in.waits > 1 && in.polls == in.waits + 1);
  assert_int_equal(in.events, R);
  assert_int_equal(out.events, W);
  assert_true(turns_of(ex) < 4 * (uint64_t)(in.waits + out.waits) + 20);
  loop_end();
  assert_int_equal(fcntl(ends[0], F_GETFD), -1); /* with the executor */
}

GIVEN(an_executor, one_socket_reads_and_writes_at_once) {
  struct stream s[4];
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &s[0], ends[0]);
  open_watch(ex, &s[1], ends[1]);
  s[2] = s[0];
  s[3] = s[1];
  for (int i = 0; i < 4; i++) {
    s[i].length = 3 << 20;
    start(ex, &s[i], i < 2 ? &reading : &writing);
  }
  loop_run();
  for (int i = 0; i < 4; i++) {
    assert_int_equal(s[i].bytes, 3 << 20);
    assert_true(s[i].waits > 1);
    assert_int_equal(s[i].drops, 1);
  }
  loop_end();
}

GIVEN(an_executor, an_eventfd_is_a_semaphore) {
  struct stream s;
  uint64_t one = 1;
  loop_begin(ex);
  open_watch(ex, &s, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  s.length = 8;
  start(ex, &s, &reading);
  assert_int_equal(write(s.fd, &one, 8), 8);
  loop_run();
  assert_int_equal(s.bytes, 8);
  s.bytes = 0;
  start(ex, &s, &reading);
  assert_int_equal(write(s.fd, &one, 8), 8);
  loop_run();
  assert_int_equal(s.bytes, 8);
  loop_end();
}

GIVEN(an_executor, hang_up_comes_to_whoever_waits) {
  struct stream in, gone;
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &in, ends[0]);
  gone = in;
  gone.length = H;
  start(ex, &in, &reading);
  start(ex, &gone, &waiting);
  assert_int_equal(write(ends[1], "last", 4), 4);
  close(ends[1]);
  loop_run();
  assert_int_equal(in.bytes, 4);
  assert_true(gone.events & H);
  assert_true(turns_of(ex) < 20);
  loop_end();
}

/* The other end of a pipe is closed: poll(2) says POLLERR. */
GIVEN(an_executor, a_fault_ends_the_wait_of_a_writer) {
  struct stream out;
  int ends[2], fault = loop_has(PILLION_FAULT) ? PILLION_FAULT : R | W;
  signal(SIGPIPE, SIG_IGN);
  assert_ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  loop_begin(ex);
  open_watch(ex, &out, ends[1]);
  out.length = 1 << 20;
  start(ex, &out, &writing);
  close(ends[0]);
  /* It fills the pipe first, since a write to the closed pipe would fail
     itself. */
  loop_run();
  assert_true(out.bytes < out.length);
  assert_int_equal(out.drops, 1);
  assert_true(turns_of(ex) < 20);
  out.length = R | W;
  out.events = 0;
  start(ex, &out, &waiting);
  loop_run();
  assert_true(out.events & fault);
  out.events = 0; /* again, although the host has stopped */
  start(ex, &out, &waiting);
  loop_run();
  assert_true(out.events & fault);
  loop_end();
}

GIVEN(an_executor, urgent_data_has_priority) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  struct stream in;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_ok(bind(listening, (struct sockaddr *)&at, length));
  assert_ok(listen(listening, 1));
  assert_ok(getsockname(listening, (struct sockaddr *)&at, &length));
  assert_ok(connect(to, (struct sockaddr *)&at, length));
  int from = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  loop_begin(ex);
  open_watch(ex, &in, from);
  in.length = PILLION_PRIORITY;
  start(ex, &in, &waiting);
  assert_int_equal(send(to, "!", 1, MSG_OOB), 1);
  loop_run();
  assert_int_equal(in.events, PILLION_PRIORITY);
  loop_end();
  close(listening);
  close(to);
}

GIVEN(an_executor, a_number_that_is_used_again_is_another) {
  int before = -1;
  loop_begin(ex);
  for (int i = 0; i < 20; i++) {
    struct stream in;
    int ends[2];
    pair_new(ends);
    if (before != -1) assert_int_equal(ends[0], before);
    before = ends[0];
    open_watch(ex, &in, ends[0]);
    start(ex, &in, &reading);
    in.length = 1;
    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_run();
    assert_int_equal(in.bytes, 1);
    assert_ok(pillion_watch_close(in.watch));
    close(ends[1]);
  }
  loop_end();
}

struct nap {
  pillion_timer timer;
  pillion_task other;
  int left;
};

/* Cancels a task in its first poll, then sleeps some times. */
static int nap_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct nap *nap = self;
  if (nap->other != 0) pillion_task_cancel(nap->other);
  nap->other = 0;
  while (nap->left > 0) {
    int rc = pillion_sleep(&nap->timer, cx, 2 * MS);
    if (rc != PILLION_READY) return rc;
    nap->left--;
  }
  return PILLION_READY;
}

static const pillion_future napping = {sizeof napping, nap_poll, NULL};

GIVEN(an_executor, what_a_cancelled_task_awaited_does_not_spin) {
  struct stream in, hung;
  struct nap nap = {.left = 3};
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &in, ends[0]);
  hung = in;
  hung.length = R | H;
  start(ex, &hung, &waiting);
  nap.other = hung.task;
  assert_ok(pillion_task_spawn(NULL, ex, &napping, &nap, 0, PILLION_DETACH));
  loop_run();
  assert_int_equal(hung.drops, 1);
  assert_int_equal(write(ends[1], "x", 1), 1); /* it is readable now */
  close(ends[1]);
  nap.left = 3;
  assert_ok(pillion_task_spawn(NULL, ex, &napping, &nap, 0, PILLION_DETACH));
  loop_run();
  assert_int_equal(hung.polls, 1);
  assert_true(turns_of(ex) < 40);
  start(ex, &in, &reading);
  loop_run();
  assert_int_equal(in.bytes, 1);
  loop_end();
}

static int close_watch(void *arg) {
  return pillion_watch_close(((struct stream *)arg)->watch);
}

static void *close_watch_main(void *arg) {
  return close_watch(arg) == 0 ? NULL : arg;
}

GIVEN(an_executor, another_thread_closes_what_is_awaited) {
  int ends[2];
  struct stream in;
  pthread_t thread;
  void *failed;
  loop_begin(ex);
  for (int i = 0; i < 50; i++) {
    pair_new(ends);
    open_watch(ex, &in, ends[0]);
    in.length = R;
    start(ex, &in, &waiting);
    assert_ok(pthread_create(&thread, NULL, close_watch_main, &in));
    loop_run();
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(in.rc, PILLION_ECLOSED);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    close(ends[1]);
  }
  loop_end();
}

GIVEN(an_executor, thousands_are_watched) {
  enum { MOST = 2000 };
  struct rlimit limit;
  static struct stream in[MOST], out[MOST];
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  size_t n = limit.rlim_cur / 2 - 50 < MOST ? limit.rlim_cur / 2 - 50 : MOST;
  loop_begin(ex);
  for (size_t i = 0; i < n; i++) {
    int ends[2];
    pair_new(ends);
    open_watch(ex, &in[i], ends[0]);
    open_watch(ex, &out[i], ends[1]);
    in[i].length = out[i].length = 10;
    start(ex, &in[i], &reading);
  }
  for (size_t i = n; i-- > 0;) start(ex, &out[i], &writing);
  loop_run();
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(in[i].bytes, 10);
    assert_ok(pillion_watch_close(in[i].watch));
  }
  loop_end(); /* half of them are open */
}

GIVEN(an_executor, an_executor_is_freed_while_tasks_wait) {
  struct stream in, held;
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &in, ends[0]);
  open_watch(ex, &held, ends[1]);
  held.length = R;
  start(ex, &held, &waiting);
  start(ex, &in, &reading);
  in.length = 1;
  assert_int_equal(write(ends[1], "x", 1), 1);
  while (in.drops == 0) {
    pillion_event event;
    assert_int_equal(pillion_executor_turn(&event, 1, NULL, ex, NULL), 0);
  }
  loop_end();
  assert_int_equal(held.drops, 1);
}

GIVEN(an_executor, a_descriptor_closed_behind_our_back_is_a_fault) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  memset(&in, 0, sizeof in);
  assert_ok(pillion_watch_open(&in.watch, ex, ends[0], 0));
  close(ends[0]);
  close(ends[1]);
  in.length = R;
  start(ex, &in, &waiting);
  loop_run();
  if (loop_takes_files) assert_int_equal(in.events, PILLION_FAULT);
  else assert_int_equal(in.rc, PILLION_ESYSTEM);
  loop_end();
}
