/* SPDX-License-Identifier: Apache-2.0 */

/* Executors that gather, with Go's workers behind them, on libuv and on
   poll(2). */
#include "pillion/uv.h"

#include "support.h"

#define IN_FLIGHT 128

struct flow {
  pillion_executor ex;
  uint64_t begun, ended, total, seed;
  int twice; /* events that came twice, or unasked */
  unsigned char *seen;
};

static uint64_t random_of(struct flow *flow) {
  flow->seed = flow->seed * UINT64_C(6364136223846793005) + 1;
  return flow->seed >> 33;
}

static pillion_executor gathers(uint32_t ns) {
  pillion_executor ex;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.gather = ns;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  return ex;
}

static uint64_t pokes(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats.pokes;
}

static int64_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void flow_begin(struct flow *flow) {
  pillion_call_submit(NULL, flow->ex, function("test.echo"), "x", 1,
                      flow->begun++, PILLION_EVENT);
}

static void flow_on(const pillion_event *event, void *data) {
  struct flow *flow = data;
  if (event->token >= flow->begun || flow->seen[event->token]++) flow->twice++;
  flow->ended++;
  if (flow->begun < flow->total) flow_begin(flow);
}

static struct flow flow_new(uint32_t gather, uint64_t total) {
  return (struct flow){.ex = gathers(gather), .total = total, .seed = 1,
                       .seen = calloc(total, 1)};
}

static void flow_free(struct flow *flow) {
  assert_int_equal(flow->ended, flow->total);
  assert_int_equal(flow->twice, 0);
  executor_free(flow->ex);
  free(flow->seen);
}

/* The timer's delay is too long to wait for: a loop that needs it hangs. */
TEST(busy_loop_is_woken_once_for_many) {
  uv_loop_t loop;
  pillion_uv uv;
  struct flow flow = flow_new(UINT32_MAX, 20000);
  assert_ok(uv_loop_init(&loop));
  assert_ok(pillion_uv_attach(&uv, &loop, flow.ex, flow_on, &flow));
  for (int i = 0; i < IN_FLIGHT; i++) flow_begin(&flow);
  assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
  assert_true(pokes(flow.ex) <= 4 * flow.total / IN_FLIGHT);
  assert_ok(pillion_uv_detach(&uv, NULL));
  assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
  assert_ok(uv_loop_close(&loop));
  flow_free(&flow);
}

TEST(lone_calls_wait_for_nothing) {
  struct flow flow = flow_new(UINT32_MAX, 300);
  flow_begin(&flow);
  assert_ok(pillion_poll_run(flow.ex, flow_on, &flow));
  flow_free(&flow);
}

/* Most calls block, so few ends come, and only the timer tells of these. */
TEST(few_among_many_that_block_are_told_by_the_timer) {
  struct flow flow = flow_new(20000, 40);
  pillion_task blocked[100];
  for (int i = 0; i < 100; i++)
    blocked[i] = submit(flow.ex, "test.block", "", 0, PILLION_DETACH);
  await_waiting(100);
  flow_begin(&flow);
  pillion_progress progress = PILLION_PROGRESS_INIT;
  while (flow.ended < flow.total) {
    assert_int_equal(readable(flow.ex, 60000), 1);
    pillion_event events[64];
    int n = pillion_executor_turn(events, 64, &progress, flow.ex, NULL);
    for (int i = 0; i < n; i++) flow_on(&events[i], &flow);
  }
  for (int i = 0; i < 100; i++) pillion_task_cancel(blocked[i]);
  assert_ok(pillion_poll_run(flow.ex, flow_on, &flow));
  flow_free(&flow);
}

/* ---- All at once --------------------------------------------------------- */

static void mixed_on(const pillion_event *event, void *data) {
  struct flow *flow = data;
  if (event->token >= flow->begun || flow->seen[event->token]++) flow->twice++;
  flow->ended++;
  for (int n = (int)(random_of(flow) % 3); n > 0 && flow->begun < flow->total;
       n--) {
    pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
    pillion_task task;
    char text[20];
    uint64_t what = random_of(flow);
    o.function = function(what % 3 ? "test.echo" : "test.sleep");
    o.length = (size_t)snprintf(text, sizeof text, "%d",
                                (int)(random_of(flow) % 300000));
    o.request = text;
    o.token = flow->begun++;
    o.flags = PILLION_EVENT;
    if (what % 5 == 0) o.deadline = now() + (int)(what / 5 % 200000);
    assert_ok(pillion_call_submit_with(&task, flow->ex, &o));
    if (what % 7 == 0) pillion_task_cancel(task);
  }
  if (flow->ended == flow->begun && flow->begun < flow->total) flow_begin(flow);
}

static int mixed(void *data) {
  struct flow *flow = data;
  flow_begin(flow);
  return pillion_poll_run(flow->ex, mixed_on, flow);
}

static void *mixed_main(void *data) {
  return (void *)(intptr_t)mixed(data);
}

TEST(every_end_is_told_once_on_each_of_many_loops) {
  enum { LOOPS = 6 };
  struct flow flows[LOOPS];
  pthread_t threads[LOOPS];
  for (int i = 0; i < LOOPS; i++) {
    flows[i] = flow_new((uint32_t[]){1, 1000, 50000, 300000, 1000000, 0}[i], 2000);
    flows[i].seed = (uint64_t)i;
    assert_ok(pthread_create(&threads[i], NULL, mixed_main, &flows[i]));
  }
  for (int i = 0; i < LOOPS; i++) {
    void *rc;
    pthread_join(threads[i], &rc);
    assert_null(rc);
    flow_free(&flows[i]);
  }
}
