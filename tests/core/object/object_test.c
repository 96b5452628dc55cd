/* SPDX-License-Identifier: Apache-2.0 */

/* Objects of Go's: uses, drops, and what calls and flows do with them. */
#include "support.h"

#define CLASS 3u
#define OTHER 4u

/* ---- Go's part ----------------------------------------------------------- */

static char values[8]; /* the keys */

static uint64_t object(int value) {
  uint64_t handle;
  assert_ok(pillion__object_new(&handle, (uintptr_t)&values[value], CLASS));
  return handle;
}

/* Go takes `n` keys, and reports the last. */
static void *buried(int n) {
  uintptr_t keys[64];
  void *last = NULL;
  for (int left = n; left > 0;) {
    int taken = pillion__objects_take(keys, left < 64 ? left : 64);
    assert_int_not_equal(taken, 0);
    last = (void *)keys[taken - 1];
    pillion__objects_done((uint32_t)taken);
    left -= taken;
  }
  assert_int_equal(pillion__objects_take(keys, 64), 0);
  assert_int_equal(atomic_load(pillion__objects_dead()), 0);
  return last;
}

static uint64_t alive(void) { return library_counts().objects; }

static pillion_function method, giver, names, streams;

static void functions(void) {
  an_executor();
  function("test.echo"); /* the library starts */
  if (method == 0) {
    const uint32_t out = PILLION_FLOW_OUT | PILLION_FLOW_GIVES;
    assert_ok(pillion__function_add("test.z1", "test", "{}", 0,
                                    PILLION_FLOW_METHOD, CLASS));
    assert_ok(pillion__function_add("test.z2", "test", "{}", 0,
                                    PILLION_FLOW_GIVES, 0));
    assert_ok(pillion__function_add(
        "test.z3", "test", "{}", 0, PILLION_FLOW_METHOD | PILLION_FLOW_NAMES,
        CLASS));
    assert_ok(pillion__function_add("test.z4", "test", "{}", 0, out, 0));
  }
  method = function("test.z1");
  giver = function("test.z2");
  names = function("test.z3");
  streams = function("test.z4");
}

static int submit_to(pillion_task *task, pillion_function f, uint64_t receiver,
                     const uint64_t *handles, uint32_t count) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = f;
  o.request = "request";
  o.length = 7;
  o.object = receiver;
  o.handles = handles;
  o.handle_count = count;
  return pillion_call_submit_with(task, ex, &o);
}

/* ---- Uses and drops ------------------------------------------------------ */

TEST(a_drop_makes_the_handle_stale_at_once) {
  uint64_t a = object(1);
  assert_int_equal(alive(), 1);
  assert_ok(pillion__object_pin(a, CLASS));
  assert_ok(pillion_object_drop(a));
  assert_int_equal(pillion_object_drop(a), PILLION_EBADHANDLE);
  assert_int_equal(pillion__object_pin(a, 0), PILLION_EBADHANDLE);
  assert_int_equal(atomic_load(pillion__objects_dead()), 0);
  assert_true(pillion__object_key(a) == (uintptr_t)&values[1]); /* it is in use */
  assert_int_equal(alive(), 1);
  pillion__object_unpin(a);
  assert_int_equal(pillion_object_drop(a), PILLION_EBADHANDLE);
  assert_int_equal(alive(), 1); /* Go has not let go of it yet */
  assert_ptr_equal(buried(1), &values[1]);
  assert_int_equal(alive(), 0);
}

TEST(the_last_of_several_uses_ends_it) {
  uint64_t a = object(2);
  for (int i = 0; i < 3; i++) assert_ok(pillion__object_pin(a, i ? CLASS : 0));
  pillion__object_unpin(a);
  assert_ok(pillion_object_drop(a));
  pillion__object_unpin(a);
  buried(0);
  pillion__object_unpin(a);
  assert_ptr_equal(buried(1), &values[2]);
}

/* An object without a drop has no end, whatever uses it had. */
TEST(uses_alone_end_nothing) {
  uint64_t a = object(0);
  for (int i = 0; i < 3; i++) {
    assert_ok(pillion__object_pin(a, CLASS));
    pillion__object_unpin(a);
  }
  buried(0);
  assert_int_equal(pillion__object_pin(a, OTHER), PILLION_EINVAL);
  assert_ok(pillion_object_drop(a));
  buried(1);
}

TEST(a_slot_is_used_again_under_another_generation) {
  uint64_t a = object(0);
  assert_ok(pillion_object_drop(a));
  uint64_t b = object(1); /* Go has not taken the first yet */
  assert_int_not_equal(pillion__slot_of(a), pillion__slot_of(b));
  buried(1);
  uint64_t c = object(2);
  assert_int_equal(pillion__slot_of(a), pillion__slot_of(c));
  assert_int_not_equal(a, c);
  assert_int_equal(pillion_object_drop(a), PILLION_EBADHANDLE);
  assert_int_equal(pillion__object_pin(a, 0), PILLION_EBADHANDLE);
  assert_ok(pillion_object_drop(c));
  assert_ok(pillion_object_drop(b));
  buried(2);
}

TEST(go_takes_the_dead_in_portions) {
  enum { MANY = 10000 };
  static uint64_t all[MANY];
  uintptr_t keys[64];
  for (int i = 0; i < MANY; i++) all[i] = object(i % 8);
  for (int i = 0; i < MANY; i++) assert_ok(pillion_object_drop(all[i]));
  assert_int_equal(pillion__objects_take(keys, 3), 3);
  pillion__objects_done(3);
  assert_int_equal(alive(), MANY - 3);
  buried(MANY - 3);
}

TEST(a_shutdown_drops_all_that_are_not) {
  uint64_t a = object(0), b = object(1), c = object(2);
  assert_ok(pillion_object_drop(b));
  assert_ok(pillion__object_pin(c, 0));
  pillion__objects_drop_all();
  assert_int_equal(pillion_object_drop(a), PILLION_EBADHANDLE);
  buried(2);
  pillion__object_unpin(c);
  buried(1);
}

static void *take_soon(void *data) {
  while (atomic_load(pillion__objects_dead()) == 0) sched_yield();
  buried(1);
  return data;
}

TEST(a_shutdown_waits_until_go_is_done_with_them) {
  pthread_t go;
  assert_ok(pillion_start(NULL, NULL, 0));
  uint64_t a = object(0);
  assert_int_equal(pillion_shutdown(PILLION_CLOSE_DRAIN, 0), PILLION_ETIMEDOUT);
  assert_int_equal(pillion_object_drop(a), PILLION_EBADHANDLE);
  buried(1);
  object(1);
  assert_ok(pthread_create(&go, NULL, take_soon, NULL));
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER));
  assert_ok(pthread_join(go, NULL));
  assert_ok(pillion_start(NULL, NULL, 0));
}

/* ---- Calls --------------------------------------------------------------- */

GIVEN(functions, a_call_pins_its_objects_until_its_end) {
  uint64_t a = object(1), b = object(2);
  const uint64_t handles[] = {b, a};
  assert_ok(submit_to(NULL, names, a, handles, 2));
  assert_ok(pillion_object_drop(a));
  assert_ok(pillion_object_drop(b));
  struct pillion__job job = take_one();
  assert_true(pillion__call_object(job.call, 0) == (uintptr_t)&values[1]);
  assert_true(pillion__call_object(job.call, 1) == (uintptr_t)&values[2]);
  assert_true(pillion__call_object(job.call, 2) == (uintptr_t)&values[1]);
  assert_int_equal(pillion__call_object(job.call, 3), 0);
  assert_memory_equal(job.call->payload.memory, "request", 7);
  buried(0);
  pillion__call_complete(job.call, 0, 0, "done", 4);
  buried(2);
  assert_int_equal(turn(ex), 1);
}

GIVEN(functions, a_call_that_never_begins_gives_its_objects_back) {
  pillion_task task;
  uint64_t a = object(1);
  assert_ok(submit_to(&task, method, a, NULL, 0));
  assert_ok(pillion_object_drop(a));
  assert_ok(pillion_task_cancel(task));
  buried(1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].status, PILLION_ECANCELLED);
  pillion__ring_take(jobs, COUNT(jobs));

  a = object(1);
  assert_ok(submit_to(&task, method, a, NULL, 0));
  assert_ok(pillion_object_drop(a));
  executor_free(ex);
  ex = 0;
  buried(1);
  pillion__ring_take(jobs, COUNT(jobs));
}

GIVEN(functions, a_refused_call_pins_nothing) {
  uint64_t a = object(1), gone = object(2);
  assert_ok(pillion_object_drop(gone));
  buried(1);
  const uint64_t handles[] = {a, a, gone};
  assert_int_equal(submit_to(NULL, names, a, handles, 3), PILLION_EBADHANDLE);
  assert_int_equal(submit_to(NULL, names, gone, handles, 2),
                   PILLION_EBADHANDLE);
  assert_int_equal(submit_to(NULL, method, 0, NULL, 0), PILLION_EINVAL);
  assert_int_equal(submit_to(NULL, names, a, NULL, 1), PILLION_EINVAL);
  assert_int_equal(submit_to(NULL, method, a, handles, 1), PILLION_EINVAL);
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(submit_to(NULL, names, a, handles, 2), PILLION_ECLOSED);
  assert_ok(pillion_object_drop(a));
  buried(1); /* nothing else has it */
  assert_int_equal(library_counts().payloads, 0);
}

/* More uses than a slot counts. */
GIVEN(functions, too_many_uses_are_refused) {
  enum { MOST = (1 << 21) - 1 };
  uint64_t a = object(1);
  for (int i = 0; i < MOST; i++) assert_ok(pillion__object_pin(a, 0));
  assert_int_equal(pillion__object_pin(a, 0), PILLION_EAGAIN);
  assert_int_equal(submit_to(NULL, method, a, NULL, 0), PILLION_EAGAIN);
  assert_ok(pillion_object_drop(a));
  for (int i = 0; i < MOST; i++) pillion__object_unpin(a);
  buried(1);
}

static uint64_t given;

/* The call's result is an object. */
static void give(struct pillion__job *job, int value) {
  given = object(value);
  pillion__call_complete(job->call, 0, 0, &given, sizeof given);
}

GIVEN(functions, a_result_is_an_object_of_its_taker) {
  assert_ok(submit_to(NULL, giver, 0, NULL, 0));
  struct pillion__job job = take_one();
  give(&job, 4);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].flags, PILLION_EVENT_OBJECT);
  assert_int_equal(events[0].link, given);
  assert_int_equal(events[0].length, 0);
  assert_int_equal(turn(ex), 0);
  assert_int_equal(alive(), 1);
  assert_ok(pillion_object_drop(given));
  buried(1);
}

GIVEN(functions, a_failure_has_no_object) {
  assert_ok(submit_to(NULL, giver, 0, NULL, 0));
  struct pillion__job job = take_one();
  pillion__call_complete(job.call, PILLION_EFAILED, 0, "12345678", 8);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].flags, 0);
  assert_int_equal(events[0].link, 0);
  assert_int_equal(events[0].length, 8);
}

GIVEN(functions, a_result_that_nothing_takes_is_dropped) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = giver;
  o.flags = PILLION_DETACH;
  for (int i = 0; i < 2; i++) {
    assert_ok(pillion_call_submit_with(NULL, i == 0 ? ex : 0, &o));
    struct pillion__job job = take_one();
    give(&job, i);
    turn(ex);
    assert_ptr_equal(buried(1), &values[i]);
  }
  assert_ok(submit_to(NULL, giver, 0, NULL, 0));
  struct pillion__job job = take_one();
  give(&job, 4);
  pillion_executor_turn(NULL, 0, NULL, ex, NULL);
  assert_ok(submit_to(NULL, giver, 0, NULL, 0));
  struct pillion__job later = take_one();
  executor_free(ex);
  ex = 0;
  assert_ptr_equal(buried(1), &values[4]);
  uint64_t last = object(5); /* of a call whose executor is gone */
  pillion__call_complete(later.call, 0, 0, &last, sizeof last);
  assert_ptr_equal(buried(1), &values[5]);
}

GIVEN(functions, objects_come_only_with_events) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = giver;
  assert_int_equal(pillion_call_submit_with(NULL, 0, &o), PILLION_ENOTSUP);
  o.flags = PILLION_JOIN;
  assert_int_equal(pillion_call_submit_with(NULL, 0, &o), PILLION_ENOTSUP);
  assert_int_equal(pillion_call_submit_with(NULL, ex, &o), PILLION_ENOTSUP);
  o.function = streams;
  o.credit = 1;
  assert_int_equal(pillion_call_submit_with(NULL, ex, &o), PILLION_ENOTSUP);
}

/* ---- Items --------------------------------------------------------------- */

static int item(struct pillion__flow *flow, int value) {
  given = object(value);
  int rc = pillion__flow_send(flow, PILLION__ITEM_OBJECT, &given, sizeof given);
  if (rc < 0) { /* it is still Go's */
    assert_ok(pillion_object_drop(given));
    buried(1);
  }
  return rc;
}

static struct pillion__job streaming(pillion_task *task) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = streams;
  o.credit = 2;
  assert_ok(pillion_call_submit_with(task, ex, &o));
  struct pillion__job job = take_one();
  return job;
}

GIVEN(functions, items_are_objects_of_their_taker) {
  struct pillion__job job = streaming(NULL);
  struct pillion__flow *flow = pillion__call_flow(job.call, 0);
  uint64_t came[2];
  for (int i = 0; i < 2; i++) {
    assert_ok(item(flow, i));
    came[i] = given;
  }
  assert_int_equal(item(flow, 2), PILLION_EAGAIN);
  assert_int_equal(turn(ex), 2);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(events[i].flags,
                     PILLION_EVENT_ITEM | PILLION_EVENT_OBJECT);
    assert_int_equal(events[i].link, came[i]);
    assert_int_equal(events[i].length, 0);
    assert_ok(pillion_object_drop(came[i]));
  }
  buried(2);
  pillion__call_complete(job.call, 0, 0, "", 0);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].flags, 0);
}

GIVEN(functions, items_that_nothing_takes_are_dropped) {
  pillion_task task;
  struct pillion__job job = streaming(&task);
  assert_ok(item(pillion__call_flow(job.call, 0), 0));
  assert_ok(item(pillion__call_flow(job.call, 0), 1));
  assert_ok(pillion_task_cancel(task));
  assert_int_equal(turn(ex), 0);
  pillion__call_complete(job.call, PILLION_ECANCELLED, 2, "", 0);
  assert_int_equal(turn(ex), 1);
  buried(2);
  job = streaming(&task);
  assert_ok(item(pillion__call_flow(job.call, 0), 0));
  pillion__call_complete(job.call, 0, 0, "", 0);
  executor_free(ex);
  ex = 0;
  buried(1);
}

/* ---- Threads ------------------------------------------------------------- */

#define ROUNDS 2000

static struct {
  uint64_t handle;
  _Atomic uint32_t round, ready; /* threads that are done with it */
  _Atomic uint32_t drops, pins;
} race;

static void *drop_and_pin(void *data) {
  for (uint32_t round = 1; round <= ROUNDS; round++) {
    while (atomic_load(&race.round) != round) sched_yield();
    if (data != NULL && pillion__object_pin(race.handle, CLASS) == 0) {
      atomic_fetch_add(&race.pins, 1);
      if (*(char *)pillion__object_key(race.handle) != 5) abort();
      pillion__object_unpin(race.handle);
    }
    if (pillion_object_drop(race.handle) == 0) atomic_fetch_add(&race.drops, 1);
    atomic_fetch_add(&race.ready, 1);
  }
  return NULL;
}

/* Go hears of each exactly once, from whichever thread was the last. */
TEST(drops_and_uses_on_many_threads) {
  pthread_t threads[3];
  uintptr_t key;
  for (int i = 0; i < 3; i++)
    assert_ok(pthread_create(&threads[i], NULL, drop_and_pin,
                             i == 0 ? NULL : &race));
  for (uint32_t round = 1; round <= ROUNDS; round++) {
    values[round % 8] = 5;
    race.handle = object((int)(round % 8));
    atomic_store(&race.ready, 0);
    atomic_store(&race.drops, 0);
    atomic_store(&race.round, round);
    while (atomic_load(&race.ready) < 3) sched_yield();
    assert_int_equal(atomic_load(&race.drops), 1);
    assert_int_equal(pillion__objects_take(&key, 1), 1);
    assert_true(key == (uintptr_t)&values[round % 8]);
    pillion__objects_done(1);
    buried(0);
  }
  for (int i = 0; i < 3; i++) assert_ok(pthread_join(threads[i], NULL));
}

static void *churn(void *data) {
  uint64_t mine[16];
  for (int round = 0; round < 300; round++) {
    for (int i = 0; i < 16; i++)
      if (pillion__object_new(&mine[i], (uintptr_t)data, CLASS) < 0) abort();
    for (int i = 0; i < 16; i++)
      if (pillion_object_drop(mine[i]) < 0) abort();
  }
  return NULL;
}

/* Slots go round between threads that make, threads that drop, and Go. */
TEST(slots_go_round) {
  pthread_t threads[3];
  uintptr_t keys[64];
  int taken = 0, of[3] = {0};
  for (int i = 0; i < 3; i++)
    assert_ok(pthread_create(&threads[i], NULL, churn, &values[i]));
  while (taken < 3 * 300 * 16) {
    int n = pillion__objects_take(keys, 64);
    for (int i = 0; i < n; i++) of[(char *)keys[i] - values]++;
    pillion__objects_done((uint32_t)n);
    taken += n;
    if (n == 0) sched_yield();
  }
  for (int i = 0; i < 3; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_int_equal(of[i], 300 * 16);
  }
  buried(0);
}
