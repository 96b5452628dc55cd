/* SPDX-License-Identifier: Apache-2.0 */

/* Pools through the library: threads of the program's own, and of theirs. */
#include <stdatomic.h>
#include <stdbool.h>

#include "support.h"

#define THREADS 3

static pillion_pool pool;
static _Atomic int done, taken, met, failed;

static void free_pool(void) {
  if (!test_passed) return;
  assert_ok(pillion_pool_stop(pool, LONG_ENOUGH));
  assert_ok(pillion_pool_free(pool));
  assert_int_equal(library_counts().pools, 0);
  assert_int_equal(failed, 0);
}

/* Go keeps workers that have run calls. Without a call there is none. */
static void free_idle_pool(void) {
  free_pool();
  if (test_passed) assert_int_equal(library_counts().workers, 0);
}

static void a_pool(void) {
  done = taken = met = failed = 0;
  assert_ok(pillion_pool_new(&pool, NULL, NULL, 0));
  afterwards(free_idle_pool);
}

static void a_pool_that_calls(void) {
  a_pool();
  afterwards(free_pool);
}

static void *works(void *data) {
  pillion_executor ex = 0;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0 ||
      pillion_pool_join(pool, ex, PILLION_HOLD) < 0 ||
      pillion_poll_run(ex, NULL, NULL) < 0 || pillion_executor_free(ex) < 0)
    failed = 1;
  return NULL;
}

/* ---- Goroutines ---------------------------------------------------------- */

struct hopper {
  int left;
  _Atomic int inside, drops;
};

static int hop(pillion_value *out, pillion_context *cx, void *self) {
  struct hopper *h = self;
  if (atomic_exchange(&h->inside, 1)) met = 1;
  bool ends = --h->left == 0;
  atomic_store(&h->inside, 0);
  if (ends) {
    pillion_value_set(out, "hopped", 6);
    return PILLION_READY;
  }
  if (h->left % 2)
    pillion_wake(cx->waker);
  else
    cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static void hopped(void *self) {
  ((struct hopper *)self)->drops++;
  done++;
}

static const pillion_future hopping = {sizeof hopping, hop, hopped};
static struct hopper hoppers[10000];

static void on_event(const pillion_event *event, void *data) {
  struct hopper *h = &hoppers[event->token];
  if (h->drops != 1 || event->length != 6) failed = 1;
  taken++;
}

GIVEN(a_pool, threads_work_only_on_request) {
  pillion_executor home;
  assert_int_equal(library_counts().workers, 0);
  assert_int_equal(pillion_pool_start(pool, 0), PILLION_EINVAL);
  assert_int_equal(pillion_pool_start(pool + 1, 1), PILLION_EBADHANDLE);
  assert_ok(pillion_executor_new(&home, NULL, NULL, 0));
  assert_ok(pillion_pool_start(pool, 2));
  assert_int_equal(library_counts().workers, 2);
  assert_int_equal(pillion_pool_free(pool), PILLION_EBUSY);
  for (uint64_t i = 0; i < COUNT(hoppers); i++) {
    hoppers[i] = (struct hopper){.left = 20};
    assert_ok(pillion_pool_spawn(NULL, pool, home, &hopping, &hoppers[i], i,
                                 PILLION_EVENT));
  }
  assert_ok(pillion_poll_run(home, on_event, NULL));
  assert_int_equal(taken, COUNT(hoppers));
  assert_int_equal(done, COUNT(hoppers));
  assert_false(met);
  assert_ok(pillion_pool_stop(pool, LONG_ENOUGH));
  assert_int_equal(library_counts().workers, 0);
  assert_ok(pillion_pool_start(pool, 1)); /* again */
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN)); /* ends them, too */
  assert_int_equal(pillion_pool_start(pool, 1), PILLION_ECLOSED);
  executor_free(home);
}

/* The pool's threads enter and leave the tokens that the loop's thread
   captures. */
static _Thread_local uintptr_t inside;
static _Atomic int captured, entered, left, released;

static void *capture(void *data) {
  return (void *)(uintptr_t)++captured;
}

static void enter(void *token, void *data) {
  if (inside != 0) failed = 1;
  inside = (uintptr_t)token;
  entered++;
}

static void leave(void *token, void *data) {
  if (inside != (uintptr_t)token) failed = 1;
  inside = 0;
  left++;
}

static void release(void *token, void *data) {
  released++;
}

GIVEN(a_pool, tokens_go_where_their_tasks_go) {
  const pillion_context_hooks hooks = {sizeof hooks, NULL, capture, enter,
                                       leave, release};
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_executor home;
  options.context_hooks = &hooks;
  assert_ok(pillion_pool_free(pool));
  assert_ok(pillion_pool_new(&pool, &options, NULL, 0));
  assert_ok(pillion_executor_new(&home, NULL, NULL, 0));
  assert_ok(pillion_pool_start(pool, 2));
  for (uint64_t i = 0; i < 1000; i++) {
    hoppers[i] = (struct hopper){.left = 20};
    assert_ok(pillion_pool_spawn(NULL, pool, home, &hopping, &hoppers[i], i,
                                 PILLION_EVENT));
  }
  assert_ok(pillion_poll_run(home, on_event, NULL));
  assert_int_equal(captured, 1000);
  assert_int_equal(released, 1000);
  assert_int_equal(entered, left);
  assert_int_equal(entered, 1000 * (20 + 1)); /* 20 polls and a drop each */
  executor_free(home);
}

/* ---- Threads of the program's own ---------------------------------------- */

static int child(pillion_value *out, pillion_context *cx, void *self) {
  done++;
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

static const pillion_future child_future = {sizeof child_future, child, NULL};

/* Blocks its worker until another one has polled its second child. */
static int blocks(pillion_value *out, pillion_context *cx, void *self) {
  for (int i = 0; i < 2; i++)
    if (pillion_spawn(NULL, cx, &child_future, NULL, 0, PILLION_DETACH) < 0)
      failed = 1;
  while (done < 2) sched_yield();
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

static const pillion_future blocking = {sizeof blocking, blocks, NULL};

GIVEN(a_pool, blocked_worker_keeps_nothing_back) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    assert_ok(pthread_create(&threads[i], NULL, works, NULL));
  assert_ok(pillion_pool_spawn(NULL, pool, 0, &blocking, NULL, 0,
                               PILLION_DETACH));
  while (done < 2) sched_yield();
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < 2; i++) assert_ok(pthread_join(threads[i], NULL));
}

/* A task joins each of its children in turn, wherever they run. */
struct parent {
  pillion_task children[8];
  pillion_value value;
  int at, state, sum;
};

static int pays(pillion_value *out, pillion_context *cx, void *self) {
  pillion_value_set(out, &self, sizeof self);
  return PILLION_READY;
}

static const pillion_future paying = {sizeof paying, pays, NULL};

static int parent_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct parent *p = self;
  PILLION_ASYNC(p->state);
  for (p->at = 0; p->at < 8; p->at++)
    if (pillion_spawn(&p->children[p->at], cx, &paying,
                      (void *)(uintptr_t)p->at, 0, PILLION_JOIN) < 0)
      failed = 1;
  for (p->at = 0; p->at < 8; p->at++) {
    PILLION_AWAIT(p->state, pillion_join(&p->value, cx, p->children[p->at]));
    p->sum += *(const uint8_t *)pillion_value_data(&p->value);
  }
  pillion_value_set(out, &p->sum, sizeof p->sum);
  PILLION_RETURN(p->state);
  PILLION_ASYNC_END;
}

static const pillion_future parenting = {sizeof parenting, parent_poll, NULL};

static void sum_up(const pillion_event *event, void *data) {
  int sum;
  memcpy(&sum, pillion_event_data(event), sizeof sum);
  *(int *)data += sum;
}

GIVEN(a_pool, children_are_joined_across_threads) {
  static struct parent parents[200];
  pthread_t threads[THREADS];
  pillion_executor home;
  int sum = 0;
  assert_ok(pillion_executor_new(&home, NULL, NULL, 0));
  for (int i = 0; i < THREADS; i++)
    assert_ok(pthread_create(&threads[i], NULL, works, NULL));
  for (size_t i = 0; i < COUNT(parents); i++)
    assert_ok(pillion_pool_spawn(NULL, pool, home, &parenting, &parents[i], i,
                                 PILLION_EVENT));
  assert_ok(pillion_poll_run(home, sum_up, &sum));
  assert_int_equal(sum, 28 * COUNT(parents));
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < THREADS; i++) assert_ok(pthread_join(threads[i], NULL));
  executor_free(home);
}

/* ---- Calls --------------------------------------------------------------- */

struct asker {
  pillion_function echo;
  pillion_timer timer;
  pillion_task call, me;
  _Atomic pillion_waker waker;
  pillion_value value;
  int left, state;
};

static int ask_go(struct asker *a) {
  int rc;
  do rc = pillion_call_submit(&a->call, 0, a->echo, &a->left, sizeof a->left, 0,
                              PILLION_JOIN);
  while (rc == PILLION_EAGAIN);
  return rc;
}

static int asker_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct asker *a = self;
  PILLION_ASYNC(a->state);
  for (; a->left > 0; a->left--) {
    if (ask_go(a) < 0) failed = 1;
    PILLION_AWAIT(a->state, pillion_join(&a->value, cx, a->call));
    if (a->value.status != 0 || a->value.length != sizeof a->left ||
        memcmp(pillion_value_data(&a->value), &a->left, sizeof a->left) != 0)
      failed = 1;
  }
  pillion_value_set(out, "", 0);
  PILLION_RETURN(a->state);
  PILLION_ASYNC_END;
}

static const pillion_future asking = {sizeof asking, asker_poll, NULL};

GIVEN(a_pool_that_calls, tasks_on_its_threads_ask_go) {
  static struct asker askers[50];
  pillion_executor home;
  assert_ok(pillion_executor_new(&home, NULL, NULL, 0));
  for (size_t i = 0; i < COUNT(askers); i++) {
    askers[i] = (struct asker){.echo = function("test.echo"), .left = 20};
    /* Half of the tasks are the executor's. */
    assert_ok(i % 2 ? pillion_task_spawn(NULL, home, &asking, &askers[i], i,
                                         PILLION_DETACH)
                    : pillion_pool_spawn(NULL, pool, home, &asking, &askers[i],
                                         i, PILLION_EVENT));
  }
  assert_ok(pillion_pool_start(pool, 2));
  assert_ok(pillion_poll_run(home, NULL, NULL));
  for (size_t i = 0; i < COUNT(askers); i++)
    assert_int_equal(askers[i].left, 0);
  executor_free(home);
}

/* An asker whose call blocks in Go until the asker's deadline. */
static void asker_drop(void *self) {
  struct asker *a = self;
  pillion_timer_clear(&a->timer);
  pillion_task_cancel(a->call);
  if (pillion_task_detach(a->call) < 0) failed = 1;
  done++;
}

static int limited_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct asker *a = self;
  if (a->call == 0 && ask_go(a) < 0) failed = 1;
  if (a->state == 0) {
    a->state = 1;
    atomic_store(&a->waker, cx->waker);
    return PILLION_PENDING; /* it waits until its call blocks */
  }
  if (pillion_task_deadline(&a->timer, a->me, cx->now + MS) != 0) failed = 1;
  return pillion_join(&a->value, cx, a->call);
}

static const pillion_future limited = {sizeof limited, limited_poll,
                                       asker_drop};

static void on_timeout(const pillion_event *event, void *data) {
  if (event->status != PILLION_ETIMEDOUT) failed = 1;
  taken++;
}

GIVEN(a_pool_that_calls, time_is_up_while_go_blocks) {
  static struct asker asker;
  pillion_executor home;
  pillion_task task;
  asker = (struct asker){.echo = function("test.block")};
  assert_ok(pillion_executor_new(&home, NULL, NULL, 0));
  assert_ok(pillion_pool_start(pool, 2));
  assert_ok(pillion_pool_spawn(&task, pool, home, &limited, &asker, 0,
                               PILLION_EVENT));
  await_waiting(1);
  while (atomic_load(&asker.waker) == 0) sched_yield();
  asker.me = task;
  pillion_wake(asker.waker);
  assert_ok(pillion_poll_run(home, on_timeout, NULL));
  assert_int_equal(done, 1);
  assert_int_equal(taken, 1);
  await_waiting(0);
  executor_free(home);
}
