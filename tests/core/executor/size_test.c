/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How large payloads may be, and up to which size they are inline. A payload
 * that is too large is refused; one with memory of its own is released once.
 */
#include "support.h"

#define TOO_LARGE ((uint64_t)PILLION_MAX_PAYLOAD + 1)

static pillion_function echo;

TEST(limit_that_is_too_large) {
  char why[100] = "";
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.max_request = TOO_LARGE;
  assert_int_equal(pillion_start(&options, why, sizeof why),
                   PILLION_EMSGSIZE);
  assert_string_equal(why, "max_request is more than 4294967295");
  options.max_request = PILLION_MAX_PAYLOAD;
  assert_ok(pillion_start(&options, why, sizeof why));
  echo = function("test.echo");
}

GIVEN(an_executor, request_that_is_too_large) {
  const uint64_t lengths[] = {TOO_LARGE, 5 * (TOO_LARGE >> 2), SIZE_MAX};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
    pillion_call batch[2] = {{echo, 0, (uintptr_t) "x", 1},
                             {echo, 0, (uintptr_t) "x", lengths[i]}};
    pillion_value value;
    options.function = echo;
    options.request = "x";
    options.length = lengths[i];
    assert_int_equal(pillion_call_submit(NULL, ex, echo, "x", lengths[i], 0, 0),
                     PILLION_EMSGSIZE);
    assert_int_equal(pillion_call_submit_with(NULL, ex, &options),
                     PILLION_EMSGSIZE);
    assert_int_equal(pillion_call_wait(&value, echo, "x", lengths[i], 0),
                     PILLION_EMSGSIZE);
    assert_int_equal(pillion_call_batch(NULL, ex, &batch[1], 1, NULL, 0),
                     PILLION_EMSGSIZE);
    assert_int_equal(pillion_call_batch(NULL, ex, batch, 2, NULL, 0), 1);
    assert_int_equal(pillion_executor_post(ex, 0, "x", lengths[i]),
                     PILLION_EMSGSIZE);
  }
  assert_int_equal(library_counts().calls, COUNT(lengths));
  executor_free(ex);
  pillion__ring_take(jobs, COUNT(jobs));
}

static uint64_t give; /* bytes of the result */
static char far[64];
static int released;

static void release(void *owner) {
  assert_ptr_equal(owner, &far);
  released++;
}

static int gives(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  out->length = give;
  if (give <= PILLION_INLINE) return PILLION_READY;
  out->payload.ref.data = far;
  out->payload.ref.release = release;
  out->payload.ref.owner = &far;
  return PILLION_READY;
}

static const uint64_t sizes[] = {
    0, PILLION_INLINE, PILLION_INLINE + 1, PILLION_INLINE + 2,
    PILLION_MAX_PAYLOAD, TOO_LARGE, TOO_LARGE + 1, 3 * TOO_LARGE,
};

static bool far_away(void) { return give > PILLION_INLINE; }

static void assert_told(int32_t status, uint64_t length) {
  bool fits = give <= PILLION_MAX_PAYLOAD;
  assert_int_equal(status, fits ? 0 : PILLION_EMSGSIZE);
  assert_true(length == (fits ? give : 0));
}

/* The tasks are the executor's, or those of a pool that it works for. */
static void results_of_tasks(bool pooled) {
  for (size_t i = 0; i < COUNT(sizes); i++) {
    struct probe event = {.step = gives}, join = {.step = gives},
                 detached = {.step = gives}, left = {.step = gives},
                 joiner = {.step = joins_task};
    pillion_executor ex = executor_new();
    pillion_pool pool = pool_new();
    give = sizes[i];
    released = 0;
    assert_ok(pillion_pool_join(pool, ex, 0));
    if (pooled) {
      pool_spawn(pool, ex, &event, 1, PILLION_EVENT);
    } else {
      spawn(ex, &event, 1, PILLION_EVENT);
    }
    assert_int_equal(turn(ex), 1);
    assert_told(events[0].status, events[0].length);
    assert_int_equal(released, give > PILLION_MAX_PAYLOAD);
    turn(ex);
    assert_int_equal(released, far_away()); /* it was lent for a turn */
    if (pooled) {
      joiner.task = pool_spawn(pool, 0, &join, 0, PILLION_JOIN);
      pool_spawn_as(pool, &detached);
    } else {
      joiner.task = spawn(ex, &join, 0, PILLION_JOIN);
      spawn(ex, &detached, 0, PILLION_DETACH);
    }
    turn(ex);
    assert_ok(pillion_task_spawn(NULL, ex, &probing, &joiner, 0,
                                 PILLION_DETACH));
    turn(ex);
    assert_int_equal(joiner.rc, PILLION_READY);
    assert_told(joiner.value.status, joiner.value.length);
    assert_int_equal(released,
                     far_away() * (give > PILLION_MAX_PAYLOAD ? 3 : 2));
    pillion_value_drop(&joiner.value);
    assert_int_equal(released, far_away() * 3);
    if (pooled)
      pool_spawn(pool, 0, &left, 0, PILLION_JOIN);
    else
      spawn(ex, &left, 0, PILLION_JOIN);
    turn(ex);
    executor_free(ex); /* it was never joined */
    pool_free(pool);
    assert_int_equal(released, far_away() * 4);
  }
}

TEST(results_of_tasks_of_every_size) {
  results_of_tasks(false);
}

TEST(results_of_pool_tasks_of_every_size) {
  results_of_tasks(true);
}

static uint64_t payloads(void) { return library_counts().payloads; }

static struct pillion__job running(pillion_executor ex, uint32_t flags,
                                   pillion_task *task) {
  assert_ok(pillion_call_submit(task, ex, echo, "", 0, 0, flags));
  assert_int_equal(pillion__ring_take(jobs, 1), 1);
  assert_true(job_take_up(&jobs[0]));
  return jobs[0];
}

TEST(results_of_calls_of_every_size) {
  pillion_value value;
  pillion_task task;
  for (size_t i = 0; i < COUNT(sizes); i++) {
    if (sizes[i] == PILLION_MAX_PAYLOAD) continue; /* too much to copy */
    pillion_executor ex = executor_new();
    give = sizes[i];
    bool kept = far_away() && give <= PILLION_MAX_PAYLOAD;
    struct pillion__job job = running(ex, PILLION_EVENT, &task);
    job_return(&job, far, give);
    assert_int_equal(payloads(), kept);
    assert_int_equal(turn(ex), 1);
    assert_told(events[0].status, events[0].length);
    assert_int_equal(payloads(), kept);
    turn(ex);
    assert_int_equal(payloads(), 0);
    job = running(0, PILLION_JOIN, &task);
    job_return(&job, far, give);
    assert_ok(pillion_task_wait(&value, task, 0));
    assert_told(value.status, value.length);
    assert_int_equal(payloads(), kept);
    pillion_value_drop(&value);
    assert_int_equal(payloads(), 0);
    job = running(ex, PILLION_DETACH, &task);
    job_return(&job, far, give);
    turn(ex);
    assert_int_equal(payloads(), 0);
    job = running(ex, PILLION_EVENT, &task);
    job_return(&job, far, give);
    assert_int_equal(payloads(), kept);
    executor_free(ex);
    assert_int_equal(payloads(), 0);
  }
}

TEST(requests_and_posts_around_the_inline_size) {
  for (size_t n = PILLION_INLINE; n <= PILLION_INLINE + 2; n++) {
    bool kept = n > PILLION_INLINE;
    pillion_executor ex = executor_new();
    assert_ok(pillion_call_submit(NULL, 0, echo, far, n, 0, PILLION_DETACH));
    assert_int_equal(payloads(), kept);
    assert_int_equal(pillion__ring_take(jobs, 1), 1);
    assert_true(job_take_up(&jobs[0]));
    job_return(&jobs[0], NULL, 0);
    assert_int_equal(payloads(), 0);
    assert_ok(pillion_executor_post(ex, 1, far, n));
    assert_int_equal(payloads(), kept);
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].length, n);
    assert_int_equal(payloads(), kept);
    turn(ex);
    assert_int_equal(payloads(), 0);
    assert_ok(pillion_executor_post(ex, 1, far, n));
    executor_free(ex);
    assert_int_equal(payloads(), 0);
  }
}
