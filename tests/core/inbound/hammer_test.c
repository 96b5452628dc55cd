/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads of Go's and of the host's meet in inbound calls: offers, cancels,
 * answers, and the ends of providers and executors.
 */
#include "inbound_support.h"

#define CALLERS 3
#define ROUNDS 400

static pillion_provider _Atomic provider;
static _Atomic int callers_left, unstarted, answered, gone, refused;

static void count(int status, uint32_t outcome) {
  if (outcome == PILLION_OUTCOME_CANCELLED_UNSTARTED)
    atomic_fetch_add(status == PILLION_ECANCELLED ? &unstarted : &gone, 1);
  else atomic_fetch_add(status == 0 ? &answered : &gone, 1);
}

/* Waits for the answer; long ones come from another thread's memory. */
static void finish_call(struct pillion__inbound *in) {
  pillion_value value;
  uint32_t outcome;
  while (pillion__inbound_take(in, &value, &outcome) == PILLION_PENDING)
    sched_yield();
  if (outcome == PILLION_OUTCOME_RETURNED && value.length > 0 &&
      *(const char *)pillion_value_data(&value) != 'a')
    abort();
  count(value.status, outcome);
  pillion_value_drop(&value);
  pillion__inbound_release(in);
}

static void *calls(void *data) {
  static const char request[100] = "request";
  uint32_t seed = (uint32_t)(uintptr_t)data;
  for (int i = 0; i < ROUNDS; i++) {
    struct pillion__inbound_request r =
        provider_request(atomic_load(&provider));
    struct pillion__inbound *in;
    r.payload = request;
    r.length = random_below(&seed, 2) == 0 ? 8 : sizeof request;
    int rc = pillion__inbound_offer(&in, &r);
    if (rc == PILLION_ENOTFOUND) atomic_fetch_add(&refused, 1);
    else if (rc < 0) abort();
    if (rc < 0) continue;
    uint32_t how = random_below(&seed, 4);
    for (uint32_t n = random_below(&seed, 3); n > 0; n--) sched_yield();
    if (how == 0) pillion__inbound_cancel(in);
    else if (how == 1) pillion__inbound_wait(in, PILLION__WAITS_GO);
    finish_call(in);
  }
  atomic_fetch_sub(&callers_left, 1);
  return NULL;
}

/* ---- Answers of other threads -------------------------------------------- */

static _Atomic uint64_t given[8]; /* a call to answer each */
static _Atomic bool stop_answering;
static _Atomic int twice;

static void *answers(void *data) {
  static const char bytes[60] = "answer";
  uint32_t seed = (uint32_t)(uintptr_t)data;
  while (!atomic_load(&stop_answering)) {
    _Atomic uint64_t *place = &given[random_below(&seed, COUNT(given))];
    uint64_t task = atomic_load(place);
    pillion_value value = {.length = 3};
    memcpy(value.payload.bytes, "abc", 3);
    if (random_below(&seed, 2) == 0) {
      value.length = sizeof bytes;
      value.payload.ref.data = bytes;
      value.payload.ref.release = NULL;
    }
    /* Both threads try it: one succeeds. */
    if (task == 0) sched_yield();
    else if (pillion_call_answer(task, &value) == 0 &&
             !atomic_compare_exchange_strong(place, &task, 0))
      atomic_fetch_add(&twice, 1);
    else if (pillion_call_accept(task, 5, 0) == 0) sched_yield();
  }
  return NULL;
}

static pthread_t callers[CALLERS], answerers[2];

static void begin(uint32_t window) {
  ex = executor_new();
  function("test.echo");
  atomic_store(&provider, provide(ex, window));
  atomic_store(&callers_left, CALLERS);
  unstarted = answered = gone = refused = twice = 0;
  for (size_t i = 0; i < COUNT(given); i++) given[i] = 0;
  atomic_store(&stop_answering, false);
  for (uintptr_t i = 0; i < 2; i++)
    answerers[i] = thread_start(answers, (void *)(i + 11));
  for (uintptr_t i = 0; i < CALLERS; i++)
    callers[i] = thread_start(calls, (void *)(i + 1));
}

static void join_all(void) {
  for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
  atomic_store(&stop_answering, true);
  for (int i = 0; i < 2; i++) pthread_join(answerers[i], NULL);
  assert_int_equal(twice, 0);
  assert_int_equal(unstarted + answered + gone + refused, CALLERS * ROUNDS);
}

/* Gives each call that it is told of to the answerers; some it answers. */
static void serve_once(void) {
  int n = turn(ex);
  for (int i = 0; i < n; i++) {
    if (!(events[i].flags & PILLION_EVENT_CALLED)) continue;
    if (events[i].length > PILLION_INLINE &&
        memcmp(events[i].payload.data, "request", 8) != 0)
      abort();
    _Atomic uint64_t *place = &given[i % (int)COUNT(given)];
    uint64_t none = 0;
    if (!atomic_compare_exchange_strong(place, &none, events[i].task))
      answer(events[i].task, "a");
  }
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(callers_cancel_while_threads_answer) {
  begin(2);
  while (atomic_load(&callers_left) > 0) serve_once();
  join_all();
  assert_int_equal(gone + refused, 0);
  assert_true(answered > 0);
  assert_ok(pillion_provider_free(provider));
  turn(ex);
  turn(ex);
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(providers_come_and_go_under_their_callers) {
  begin(1);
  while (atomic_load(&callers_left) > 0) {
    for (int i = 0; i < 5; i++) serve_once();
    assert_ok(pillion_provider_free(provider));
    atomic_store(&provider, provide(ex, 1));
  }
  join_all();
  turn(ex);
  turn(ex);
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(executors_are_freed_under_their_callers) {
  begin(2);
  while (atomic_load(&callers_left) > 0) {
    for (int i = 0; i < 10; i++) serve_once();
    executor_free(ex);
    assert_int_equal(library_counts().providers, 0);
    ex = executor_new();
    atomic_store(&provider, provide(ex, 2));
  }
  join_all();
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(executors_close_under_their_callers) {
  begin(3);
  while (atomic_load(&callers_left) > 0) {
    for (int i = 0; i < 10; i++) serve_once();
    assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
    do serve_once();
    while (progress.live > 0);
    executor_free(ex);
    ex = executor_new();
    atomic_store(&provider, provide(ex, 3));
  }
  join_all();
  pillion__ring_take(jobs, COUNT(jobs));
}
