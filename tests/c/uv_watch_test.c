/* SPDX-License-Identifier: Apache-2.0 */

/* Descriptors on pillion/uv.h: libuv's own reactor. */
#include "watch_support.h"

#include "pillion/uv.h"

static pillion_executor executor;
static uv_loop_t loop;
static pillion_uv uv;

void loop_begin(pillion_executor ex) {
  executor = ex;
  assert_ok(uv_loop_init(&loop));
  assert_ok(pillion_uv_attach(&uv, &loop, ex, see, &seen));
}

void loop_step(void) { uv_run(&loop, UV_RUN_ONCE); }

void loop_run(void) {
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
}

void loop_end(void) {
  executor_free(executor);
  assert_ok(pillion_uv_detach(&uv, NULL));
  loop_run();
  assert_ok(uv_loop_close(&loop));
}

/* epoll(7) knows no regular files. */
TEST(a_regular_file_is_refused) {
  struct stream in;
  loop_begin(executor_new());
  open_watch(executor, &in, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  in.length = R;
  start(executor, &in, &waiting);
  loop_run();
  assert_int_equal(in.rc, PILLION_ENOTSUP);
  loop_end();
}

TEST(a_descriptor_of_the_programs_is_refused) {
  struct stream in;
  uv_poll_t its_own;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  assert_ok(uv_poll_init(&loop, &its_own, ends[0]));
  assert_ok(uv_poll_start(&its_own, UV_READABLE, NULL));
  in.length = R;
  start(executor, &in, &waiting);
  assert_int_equal(uv_run(&loop, UV_RUN_NOWAIT), 1);
  assert_int_equal(in.rc, PILLION_EBUSY);
  uv_close((uv_handle_t *)&its_own, NULL);
  loop_end();
  close(ends[1]);
}

TEST(an_open_watch_does_not_keep_the_loop_alive) {
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run();
  assert_int_equal(in.bytes, 1);
  loop_run(); /* returns, although libuv still watches */
  loop_end();
  close(ends[1]);
}

/* A task waits while its executor goes from one loop to another. */
TEST(a_detached_executor_watches_on_another_loop) {
  struct stream in;
  uv_loop_t second;
  pillion_uv uv2;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(in.polls, 1);
  assert_ok(pillion_uv_detach(&uv, NULL));
  loop_run();
  assert_ok(uv_loop_close(&loop));
  assert_ok(uv_loop_init(&second));
  assert_ok(pillion_uv_attach(&uv2, &second, executor, NULL, NULL));
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_int_equal(uv_run(&second, UV_RUN_DEFAULT), 0);
  assert_int_equal(in.bytes, 1);
  /* A loop of poll.h takes the executor over. */
  in.length = 2;
  start(executor, &in, &reading);
  assert_int_equal(write(ends[1], "y", 1), 1);
  assert_ok(pillion_poll_run(executor, NULL, NULL));
  assert_int_equal(in.bytes, 2);
  assert_int_equal(uv2.adapter.status, PILLION_ECLOSED);
  assert_ok(pillion_uv_detach(&uv2, NULL));
  assert_int_equal(uv_run(&second, UV_RUN_DEFAULT), 0);
  assert_ok(uv_loop_close(&second));
  executor_free(executor);
  close(ends[1]);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* A Go task waits meanwhile, and doesn't notice. */
TEST(a_go_task_goes_from_loop_to_loop) {
  uv_loop_t second;
  pillion_uv uv2;
  int ends[2];
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  loop_begin(executor_new());
  start_cat(executor, ends[0]);
  while (library_counts().watches == 0) loop_step();
  assert_ok(pillion_uv_detach(&uv, NULL));
  assert_int_equal(library_counts().watches, 0);
  loop_run();
  assert_ok(uv_loop_close(&loop));
  assert_ok(uv_loop_init(&second));
  assert_ok(pillion_uv_attach(&uv2, &second, executor, see, &seen));
  assert_int_equal(library_counts().watches, 1);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_ok(shutdown(ends[1], SHUT_WR));
  assert_int_equal(uv_run(&second, UV_RUN_DEFAULT), 0);
  assert_int_equal(seen.count, 1);
  assert_string_equal(seen.event[0].bytes, "1");
  assert_ok(pillion_uv_detach(&uv2, NULL));
  assert_int_equal(uv_run(&second, UV_RUN_DEFAULT), 0);
  assert_ok(uv_loop_close(&second));
  executor_free(executor);
  close(ends[0]);
  close(ends[1]);
}

/* The watches' memory is lost then, as uv_handles.h says, but nothing else. */
TEST(the_program_may_close_all_handles_itself) {
  struct stream in, late;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  open_watch(executor, &late, ends[1]);
  in.length = late.length = R;
  start(executor, &in, &waiting);
  uv_run(&loop, UV_RUN_NOWAIT);
  uv_walk(&loop, close_handle, NULL);
  loop_run();
  assert_ok(uv_loop_close(&loop));
  memset(&loop, 0xff, sizeof loop);
  start(executor, &late, &waiting);
  pillion_executor_turn(NULL, 0, NULL, executor, NULL);
  assert_int_equal(late.rc, PILLION_ECLOSED);
  assert_ok(pillion_watch_close(in.watch));
  executor_free(executor);
  assert_ok(pillion_uv_detach(&uv, NULL));
  assert_int_equal(in.drops, 1);
}

static int runs_the_loop(pillion_value *out, pillion_context *cx, void *self) {
  uv_run(&loop, UV_RUN_NOWAIT);
  return PILLION_READY;
}

/* A report that comes inside a poll, where no turn can begin, is kept. */
TEST(a_poll_runs_the_loop_once_more) {
  static const pillion_future nesting = {sizeof nesting, runs_the_loop, NULL};
  struct stream in;
  int ends[2];
  pair_new(ends);
  loop_begin(executor_new());
  open_watch(executor, &in, ends[0]);
  in.length = 1;
  start(executor, &in, &reading);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(write(ends[1], "x", 1), 1);
  assert_ok(pillion_task_spawn(NULL, executor, &nesting, &in, 0,
                               PILLION_DETACH));
  pillion_executor_turn(NULL, 0, NULL, executor, NULL);
  loop_run();
  assert_int_equal(in.bytes, 1);
  loop_end();
  close(ends[1]);
}
