/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scopes whose children run on other threads. The runtime is the test's own: a
 * thread for each task, which polls it when it is woken.
 */
#include "crowd_support.h"

/* ---- A runtime of threads ------------------------------------------------ */

struct task {
  const pillion_future *future;
  void *self;
  pthread_t thread;
  bool woken, cancelled;
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t change;
  struct task tasks[64]; /* waker and task handle are index + 1 */
  int count, refuse;
} runtime = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .change = PTHREAD_COND_INITIALIZER};

static int set(uint64_t handle, bool cancel) {
  pthread_mutex_lock(&runtime.lock);
  struct task *task = &runtime.tasks[handle - 1];
  task->woken = true;
  if (cancel) task->cancelled = true;
  pthread_cond_broadcast(&runtime.change);
  pthread_mutex_unlock(&runtime.lock);
  return 0;
}

static int op_wake(pillion_waker waker) { return set(waker, false); }
static int op_cancel(pillion_task task) { return set(task, true); }
static int op_cancelled(pillion_context *cx) {
  return 0;
}
static int op_spawn(pillion_task *out, pillion_context *cx,
                    const pillion_future *future, void *self, uint64_t token,
                    uint32_t flags);

static const pillion_ops ops = {
    .size = sizeof ops,
    .spawn = op_spawn,
    .wake = op_wake,
    .cancelled = op_cancelled,
    .cancel = op_cancel,
    .flags = PILLION_OPS_SHARED,
};

static void *runs(void *data) {
  struct task *task = data;
  pillion_context cx = {sizeof cx, (uint64_t)(task - runtime.tasks) + 1, 0,
                        &ops, NULL, NULL};
  pillion_value value;
  int rc = PILLION_PENDING;
  for (;;) {
    pthread_mutex_lock(&runtime.lock);
    while (!task->woken) pthread_cond_wait(&runtime.change, &runtime.lock);
    task->woken = false;
    bool cancelled = task->cancelled;
    pthread_mutex_unlock(&runtime.lock);
    if (!cancelled) rc = task->future->poll(&value, &cx, task->self);
    if (cancelled || rc != PILLION_PENDING) break;
  }
  task->future->drop(task->self);
  return NULL;
}

static int op_spawn(pillion_task *out, pillion_context *cx,
                    const pillion_future *future, void *self, uint64_t token,
                    uint32_t flags) {
  pthread_mutex_lock(&runtime.lock);
  struct task *task = &runtime.tasks[runtime.count++];
  *task = (struct task){.future = future, .self = self, .woken = true};
  if (out != NULL) *out = (uint64_t)runtime.count;
  pthread_create(&task->thread, NULL, runs, task);
  pthread_mutex_unlock(&runtime.lock);
  return 0;
}

/* Joins the owner's thread first, as it starts the others. */
static void runtime_end(void) {
  pthread_join(runtime.tasks[0].thread, NULL);
  for (int i = 1; i < runtime.count; i++)
    pthread_join(runtime.tasks[i].thread, NULL);
  runtime.count = 0;
}

/* ---- An owner ------------------------------------------------------------ */

#define CHILDREN 12

static _Atomic int released;

static void release(pillion_child *child) { atomic_fetch_add(&released, 1); }

static void runs_to_its_end(struct crowd *crowd) {
  atomic_store(&released, 0);
  crowd->count = CHILDREN;
  crowd->release = release;
  op_spawn(NULL, NULL, &crowding, crowd, 0, 0);
  runtime_end();
  assert_crowd_ended(crowd);
}

/* ---- Tests --------------------------------------------------------------- */

TEST(ends_on_many_threads_all_arrive) {
  for (int limit = 0; limit < 5; limit++) {
    static struct crowd owner;
    memset(&owner, 0, sizeof owner);
    owner.limit = limit;
    for (int i = 0; i < CHILDREN; i++) owner.member[i].ready_at = 1 + i % 4;
    runs_to_its_end(&owner);
    assert_int_equal(owner.rc, PILLION_READY);
    assert_int_equal(owner.taken, CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
      assert_int_equal(owner.member[i].polls, 1 + i % 4);
  }
}

TEST(error_on_another_thread_cancels_the_others) {
  static struct crowd owner;
  memset(&owner, 0, sizeof owner);
  owner.member[CHILDREN - 1].ready_at = 3;
  owner.member[CHILDREN - 1].error = -13;
  runs_to_its_end(&owner);
  assert_int_equal(owner.rc, -13);
  assert_int_equal(owner.taken, CHILDREN);
  assert_ptr_equal(owner.scope.first, &owner.child[CHILDREN - 1]);
  assert_null(owner.scope.first->next_failed);
}

/* The runtime can't evict: the drop cancels the children, and lets them end. */
TEST(drop_detaches_what_runs) {
  for (int round = 0; round < 20; round++) {
    static struct crowd owner;
    memset(&owner, 0, sizeof owner);
    owner.leave = 1;
    owner.limit = 6;
    for (int i = 0; i < CHILDREN; i += 2) owner.member[i].ready_at = 1 + i % 4;
    runs_to_its_end(&owner);
    assert_null(owner.scope.ops);
    assert_true(atomic_load(&released) >= 3); /* the endless three at least */
    assert_true(atomic_load(&released) <= 6);
  }
}
