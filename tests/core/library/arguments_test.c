/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Arguments that can never be right, and quotas: each has its named error, and
 * nothing has changed. (Handles, threads and places are in misuse_test.c.)
 */
#include <limits.h>

#include "support.h"

#define INVALID(expression) assert_int_equal(expression, PILLION_EINVAL)

static struct probe probe;

static void an_executor_and_a_probe(void) {
  guest_reset();
  memset(&probe, 0, sizeof probe);
  an_executor();
}

/* ---- Options ------------------------------------------------------------- */

GIVEN(an_executor_and_a_probe, wrong_options_of_the_library_are_refused) {
  pillion_start_options o = PILLION_START_OPTIONS_INIT;
  char why[128] = "";
  o.size = PILLION__FIRST_START_OPTIONS - 1;
  INVALID(pillion_start(&o, why, sizeof why));
  assert_string_equal(why, "size is 39, not 40 to 4096");
  struct {
    pillion_start_options known;
    uint64_t unknown;
  } later = {PILLION_START_OPTIONS_INIT, 1};
  later.known.size = sizeof later;
  assert_int_equal(pillion_start(&later.known, why, sizeof why),
                   PILLION_ENOTSUP);
  assert_non_null(strstr(why, "beyond are not zero"));
  o.size = sizeof o, o.ring = 3;
  INVALID(pillion_start(&o, why, sizeof why));
  o.ring = 0, o.version += 1 << 8;
  assert_int_equal(pillion_start(&o, why, 5), PILLION_EVERSION);
  assert_int_equal(strlen(why), 4); /* what there was room for */
  INVALID(pillion_shutdown(2, 0));
  INVALID(pillion_shutdown(-1, 0));
}

GIVEN(an_executor_and_a_probe, wrong_options_of_an_executor_are_refused) {
  pillion_executor_options o = PILLION_EXECUTOR_OPTIONS_INIT;
  const pillion_executor_options good = o;
  pillion_executor new = 5;
  INVALID(pillion_executor_new(NULL, &o, NULL, 0));
  o.size = PILLION__FIRST_EXECUTOR_OPTIONS - 1;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.flags = 2;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.gather = 1, o.flags = PILLION_NO_FD;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.posts = 6;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.ready = UINT32_MAX;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.max_ns = -1;
  INVALID(pillion_executor_new(&new, &o, NULL, 0));
  o = good, o.version = 0;
  assert_int_equal(pillion_executor_new(&new, &o, NULL, 0), PILLION_EVERSION);
  assert_int_equal(new, 5);
}

GIVEN(an_executor_and_a_probe, wrong_options_of_a_pool_are_refused) {
  pillion_pool_options o = PILLION_POOL_OPTIONS_INIT;
  const pillion_pool_options good = o;
  pillion_pool_stats short_stats = {.size = 8};
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  pillion_pool pool;
  INVALID(pillion_pool_new(NULL, &o, NULL, 0));
  o.size = PILLION__FIRST_POOL_OPTIONS - 1;
  INVALID(pillion_pool_new(&pool, &o, NULL, 0));
  o = good, o.flags = 1;
  INVALID(pillion_pool_new(&pool, &o, NULL, 0));
  o = good, o.reserved = 1;
  INVALID(pillion_pool_new(&pool, &o, NULL, 0));
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  INVALID(pillion_pool_stat(NULL, pool));
  INVALID(pillion_pool_stat(&short_stats, pool));
  INVALID(pillion_pool_close(pool, 2));
  INVALID(pillion_pool_join(pool, ex, 2));
  INVALID(pillion_pool_leave(ex)); /* it is in no pool */
  INVALID(pillion_pool_spawn(NULL, pool, ex, &no_poll, &probe, 0, 0));
  INVALID(pillion_pool_spawn(NULL, pool, ex, &probing, &probe, 0, 3));
  INVALID(pillion_pool_spawn(NULL, pool, 0, &probing, &probe, 0,
                             PILLION_EVENT)); /* no executor to tell */
  assert_ok(pillion_pool_free(pool));
}

GIVEN(an_executor_and_a_probe, wrong_options_of_a_call_are_refused) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = function("test.echo");
  const pillion_call_options good = o;
  INVALID(pillion_call_submit_with(NULL, ex, NULL));
  o.size = PILLION__FIRST_CALL_OPTIONS - 1;
  INVALID(pillion_call_submit_with(NULL, ex, &o));
  o = good, o.flags = 3;
  INVALID(pillion_call_submit_with(NULL, ex, &o));
  o = good, o.reserved = 1;
  INVALID(pillion_call_submit_with(NULL, ex, &o));
  o = good, o.length = 1;
  INVALID(pillion_call_submit_with(NULL, ex, &o)); /* of no request */
}

/* ---- Executors ----------------------------------------------------------- */

GIVEN(an_executor_and_a_probe, wrong_arguments_of_executors_are_refused) {
  pillion_progress short_progress = {.size = 8};
  pillion_budget short_budget = {.size = 8};
  pillion_executor_stats short_stats = {.size = 8};
  pillion_library_counts short_counts = {.size = 8};
  pillion_host host = PILLION_HOST_INIT;
  INVALID(pillion_executor_fd(NULL, ex));
  INVALID(pillion_executor_deadline(NULL, ex));
  INVALID(pillion_executor_live(NULL, ex));
  INVALID(pillion_executor_turn(NULL, 1, NULL, ex, NULL));
  INVALID(pillion_executor_turn(NULL, 0, &short_progress, ex, NULL));
  INVALID(pillion_executor_turn(NULL, 0, NULL, ex, &short_budget));
  host.size = PILLION__FIRST_HOST - 1;
  INVALID(pillion_host_set(ex, &host));
  INVALID(pillion_host_get(&host, ex));
  INVALID(pillion_host_get(NULL, ex));
  INVALID(pillion_executor_close(ex, 2));
  INVALID(pillion_executor_stat(NULL, ex));
  INVALID(pillion_executor_stat(&short_stats, ex));
  INVALID(pillion_library_count(NULL));
  INVALID(pillion_library_count(&short_counts));
  INVALID(pillion_executor_post(ex, 0, NULL, 1));
  assert_int_equal(pillion_executor_post(ex, 0, "x", SIZE_MAX),
                   PILLION_EMSGSIZE);
}

/* ---- Functions and calls ------------------------------------------------- */

GIVEN(an_executor_and_a_probe, wrong_arguments_of_calls_are_refused) {
  pillion_function f = function("test.echo"), loop = function("test.loop");
  pillion_function_info short_info = {.size = 8};
  pillion_value value;
  pillion_call batch = {f, 0, 0, 1}; /* one byte at address zero */
  INVALID(pillion_function_find(NULL, "test.echo"));
  INVALID(pillion_function_find(&f, NULL));
  assert_int_equal(pillion_function_find(&f, ""), PILLION_ENOTFOUND);
  INVALID(pillion_function_list(NULL, 1));
  INVALID(pillion_module_list(NULL, 1));
  INVALID(pillion_function_describe(NULL, f));
  INVALID(pillion_function_describe(&short_info, f));
  INVALID(pillion_call_submit(NULL, ex, f, NULL, 1, 0, 0));
  INVALID(pillion_call_submit(NULL, ex, f, "x", 1, 0, 3));
  INVALID(pillion_call_submit(NULL, 0, loop, "x", 1, 0, 0));
  assert_int_equal(pillion_call_submit(NULL, ex, f, "x", SIZE_MAX, 0, 0),
                   PILLION_EMSGSIZE);
  INVALID(pillion_call_batch(NULL, ex, NULL, 1, NULL, 0));
  INVALID(pillion_call_batch(NULL, ex, &batch, 1, NULL, 3));
  INVALID(pillion_call_batch(NULL, ex, &batch, 1, NULL, 0));
  INVALID(pillion_call_batch(NULL, ex, &batch, (size_t)INT32_MAX + 1, "", 0));
  assert_ok(pillion_call_batch(NULL, ex, NULL, 0, NULL, 0)); /* no calls */
  INVALID(pillion_call_wait(NULL, f, "x", 1, 0));
  INVALID(pillion_call_wait(&value, f, NULL, 1, 0));
  INVALID(pillion_call_wait(&value, loop, "x", 1, 0));
  INVALID(pillion_task_wait(NULL, 0, 0));
  assert_int_equal(library_counts().calls, 0);
}

GIVEN(an_executor_and_a_probe, broken_failures_are_refused) {
  pillion_failure failure = PILLION_FAILURE_INIT, short_one = {.size = 8};
  const char good[12] = {0}, long_message[12] = {0, 0, 0, 0, 1};
  assert_ok(pillion_failure_parse(&failure, good, 12));
  INVALID(pillion_failure_parse(NULL, good, 12));
  INVALID(pillion_failure_parse(&short_one, good, 12));
  INVALID(pillion_failure_parse(&failure, NULL, 12));
  INVALID(pillion_failure_parse(&failure, good, 11));
  INVALID(pillion_failure_parse(&failure, long_message, 12));
}

/* ---- Tasks, and what futures may get wrong ------------------------------- */

GIVEN(an_executor_and_a_probe, wrong_arguments_of_tasks_are_refused) {
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  pillion_future short_one = {8, probe_poll, NULL};
  pillion_watch watch;
  INVALID(pillion_task_spawn(NULL, ex, NULL, &probe, 0, 0));
  INVALID(pillion_task_spawn(NULL, ex, &no_poll, &probe, 0, 0));
  INVALID(pillion_task_spawn(NULL, ex, &short_one, &probe, 0, 0));
  INVALID(pillion_task_spawn(NULL, ex, &probing, &probe, 0, 3));
  pillion_task task = spawn(ex, &probe, 0, PILLION_EVENT);
  INVALID(pillion_task_detach(task)); /* its end is an event */
  INVALID(pillion_task_deadline(NULL, task, 0));
  INVALID(pillion_watch_open(NULL, ex, 0, 0));
  INVALID(pillion_watch_open(&watch, ex, -1, 0));
  INVALID(pillion_watch_open(&watch, ex, 0, UINT32_MAX));
}

static struct {
  pillion_timer timer;
  pillion_task event, join;
  int codes[8];
} wrong;

static int gets_it_wrong(struct probe *p, pillion_value *out,
                         pillion_context *cx) {
  char large[PILLION_INLINE + 1] = "";
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  int *code = wrong.codes;
  *code++ = pillion_join(out, cx, p->task); /* itself */
  *code++ = pillion_join(out, cx, wrong.event);
  *code++ = pillion_join(out, cx, 0);
  *code++ = pillion_spawn(NULL, cx, &no_poll, p, 0, PILLION_DETACH);
  *code++ = pillion_spawn(NULL, cx, &probing, p, 0, 3);
  *code++ = pillion_timer_set(&wrong.timer, cx, SECOND); /* not p's */
  *code++ = pillion_cancel(cx->ops, 0);
  *code++ = pillion_abandon(cx->ops, wrong.event);
  pillion_timer_clear(&p->timer); /* never armed */
  if (pillion_value_set(out, large, sizeof large) >= 0) return PILLION_EFAILED;
  return PILLION_READY;
}

static int arms(struct probe *p, pillion_value *out, pillion_context *cx) {
  pillion_timer_set(&wrong.timer, cx, PILLION_TIME_NEVER - 1);
  return PILLION_PENDING;
}

GIVEN(an_executor_and_a_probe, mistakes_in_a_poll_are_refused) {
  pillion_executor other = executor_new();
  static struct probe joined; /* until the executor is freed */
  struct probe armed = {.step = arms};
  memset(&wrong, 0, sizeof wrong);
  memset(&joined, 0, sizeof joined);
  spawn(other, &armed, 0, PILLION_DETACH);
  turn(other);
  wrong.event = spawn(ex, &joined, 0, PILLION_EVENT);
  probe.step = gets_it_wrong;
  spawn(ex, &probe, 0, PILLION_JOIN);
  turn(ex);
  const int expected[] = {PILLION_EINVAL,     PILLION_EINVAL,
                          PILLION_EBADHANDLE, PILLION_EINVAL,
                          PILLION_EINVAL,     PILLION_EINVAL,
                          PILLION_EBADHANDLE, PILLION_EINVAL};
  for (size_t i = 0; i < COUNT(expected); i++)
    assert_int_equal(wrong.codes[i], expected[i]);
  assert_int_equal(probe.drops, 1); /* it was ready, with nothing */
  pillion_timer_clear(&wrong.timer);
  executor_free(other);
}

/* ---- Quotas -------------------------------------------------------------- */

static int arms_two(struct probe *p, pillion_value *out, pillion_context *cx) {
  static pillion_timer second;
  if (p->polls == 1) {
    memset(&second, 0, sizeof second);
    p->rc = pillion_timer_set(&p->timer, cx, PILLION_TIME_NEVER - 1);
    p->awaited = pillion_timer_set(&second, cx, SECOND);
    pillion_timer_clear(&p->timer);
    p->state = pillion_timer_set(&second, cx, PILLION_TIME_NEVER - 1);
    pillion_timer_clear(&second);
  }
  return PILLION_PENDING;
}

GIVEN(an_executor_and_a_probe, quotas_answer_again_and_retrying_helps) {
  pillion_executor_options o = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor small;
  struct probe timers = {.step = arms_two}, more = {0};
  pillion_function echo = function("test.echo");
  pillion_watch watch, next;
  pillion_task call;
  int ends[2];
  o.max_tasks = o.max_calls = o.max_timers = o.max_watches = o.posts = 1;
  assert_ok(pillion_executor_new(&small, &o, NULL, 0));

  spawn(small, &timers, 0, PILLION_DETACH);
  assert_int_equal(pillion_task_spawn(NULL, small, &probing, &more, 0, 0),
                   PILLION_EAGAIN);
  turn(small);
  assert_ok(timers.rc);
  assert_int_equal(timers.awaited, PILLION_EAGAIN);
  assert_ok(timers.state);
  assert_ok(pillion_task_evict(timers.task));
  assert_ok(pillion_task_spawn(NULL, small, &probing, &more, 0, 0));

  assert_ok(pillion_call_submit(&call, small, echo, "x", 1, 0, 0));
  assert_int_equal(pillion_call_submit(NULL, small, echo, "x", 1, 0, 0),
                   PILLION_EAGAIN);
  assert_int_equal(pillion_task_cancel(call), 0);
  turn(small);
  assert_ok(pillion_call_submit(NULL, small, echo, "x", 1, 0, 0));

  assert_ok(pillion_executor_post(small, 0, "x", 1));
  assert_int_equal(pillion_executor_post(small, 0, "x", 1), PILLION_EAGAIN);
  turn(small);
  assert_ok(pillion_executor_post(small, 0, "x", 1));

  assert_ok(pipe(ends));
  assert_ok(pillion_watch_open(&watch, small, ends[0], 0));
  assert_int_equal(pillion_watch_open(&next, small, ends[1], 0),
                   PILLION_EAGAIN);
  assert_ok(pillion_watch_close(watch));
  turn(small);
  assert_ok(pillion_watch_open(&next, small, ends[1], 0));
  assert_ok(pillion_watch_close(next));
  executor_free(small);
  close(ends[0]), close(ends[1]);
  pillion__ring_take(jobs, COUNT(jobs));
}

