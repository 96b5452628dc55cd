/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One pool with all kinds of workers: a thread on the poll loop, a thread on
 * libuv, and the pool's own. They poll C's futures and Go's, and tasks of
 * either kind end only after all three kinds of workers have polled some. The
 * adapters know nothing of pools.
 */
#include <stdatomic.h>

#include "support.h"

#include "pillion/uv.h"

enum { TASKS = 500, KINDS = 3, GOROUTINE = 0, POLL = 1, UV = 2 };

static pillion_pool pool;
static _Thread_local int kind; /* this thread's; the pool's threads have 0 */
static _Atomic uint64_t polled_by[KINDS];
static _Atomic int drops, ready, failed;

static pillion_executor make_executor(void) {
  pillion_executor ex = 0;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) failed = 1;
  return ex;
}

static void *polls(void *data) {
  kind = POLL;
  pillion_executor ex = make_executor();
  if (pillion_pool_join(pool, ex, PILLION_HOLD) < 0) failed = 1;
  atomic_fetch_add(&ready, 1);
  if (pillion_poll_run(ex, NULL, NULL) < 0) failed = 1;
  if (pillion_executor_free(ex) < 0) failed = 1;
  return NULL;
}

static void *runs_uv(void *data) {
  uv_loop_t loop;
  pillion_uv uv;
  kind = UV;
  pillion_executor ex = make_executor();
  if (uv_loop_init(&loop) < 0 ||
      pillion_uv_attach(&uv, &loop, ex, NULL, NULL) < 0 ||
      pillion_pool_join(pool, ex, PILLION_HOLD) < 0)
    failed = 1;
  atomic_fetch_add(&ready, 1);
  uv_run(&loop, UV_RUN_DEFAULT); /* until the pool is closed and empty */
  pillion_uv_detach(&uv, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) < 0 || pillion_executor_free(ex) < 0) failed = 1;
  return NULL;
}

/* Goes back to the queue until every kind of worker has polled some task. */
static int hops(pillion_value *out, pillion_context *cx, void *self) {
  polled_by[kind]++;
  if (polled_by[GOROUTINE] > 0 && polled_by[POLL] > 0 && polled_by[UV] > 0) {
    pillion_value_set(out, "", 0);
    return PILLION_READY;
  }
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static void dropped(void *self) {
  drops++;
}

static const pillion_future hopping = {sizeof hopping, hops, dropped};

static void count_event(const pillion_event *event, void *data) {
  *(uint64_t *)data += event->token;
}

TEST(workers_of_three_kinds_share_the_tasks) {
  pthread_t threads[2];
  uint64_t tokens = 0;
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  pillion_executor home = make_executor();
  assert_ok(pthread_create(&threads[0], NULL, polls, NULL));
  assert_ok(pthread_create(&threads[1], NULL, runs_uv, NULL));
  assert_ok(pillion_pool_start(pool, 1));
  for (uint64_t i = 0; i < TASKS; i++)
    assert_ok(pillion_pool_spawn(NULL, pool, home, &hopping, NULL, i,
                                 PILLION_EVENT));
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = function("test.pool_hop");
  options.request = "3";
  options.length = 1;
  options.pool = pool;
  for (; options.token < TASKS; options.token++)
    assert_ok(pillion_call_submit_with(NULL, home, &options));
  assert_ok(pillion_poll_run(home, count_event, &tokens));
  assert_int_equal(tokens, TASKS * (TASKS - 1));
  assert_int_equal(drops, TASKS);
  while (ready < 2) sched_yield();
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < 2; i++) assert_ok(pthread_join(threads[i], NULL));
  assert_ok(pillion_pool_stop(pool, LONG_ENOUGH));
  assert_ok(pillion_pool_free(pool));
  executor_free(home);
  assert_false(failed);
}

static int released;

static void release(void *owner) {
  released++;
}

static int gives_far(pillion_value *out, pillion_context *cx, void *self) {
  static char far_away[100];
  out->status = 0;
  out->length = sizeof far_away;
  out->payload.ref.data = far_away;
  out->payload.ref.release = release;
  out->payload.ref.owner = NULL;
  return PILLION_READY;
}

static const pillion_future giving = {sizeof giving, gives_far, NULL};

/* The event was taken, and no turn follows in which the payload goes back. */
TEST(a_payload_that_is_lent_keeps_no_loop) {
  uv_loop_t loop;
  pillion_uv uv;
  uint64_t tokens = 0;
  released = 0;
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  pillion_executor ex = make_executor();
  assert_ok(uv_loop_init(&loop));
  assert_ok(pillion_uv_attach(&uv, &loop, ex, count_event, &tokens));
  assert_ok(pillion_pool_join(pool, ex, 0));
  assert_ok(pillion_pool_spawn(NULL, pool, ex, &giving, NULL, 7,
                               PILLION_EVENT));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(tokens, 7);
  assert_ok(pillion_uv_detach(&uv, NULL));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_ok(uv_loop_close(&loop));
  assert_ok(pillion_executor_free(ex));
  assert_int_equal(released, 1);
  assert_ok(pillion_pool_free(pool));
}
