/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scopes whose children run on other threads. The runtime is the test's own: a
 * thread for each task, which polls it when it is woken.
 */
#include "pillion/scope.h"
#include "support.h"

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

struct inner {
  int ready_at, error, polls;
  _Atomic int drops;
};

static int inner_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct inner *inner = self;
  if (++inner->polls != inner->ready_at) {
    if (inner->ready_at > 0) cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
  if (inner->error < 0) return inner->error;
  pillion_value_set(out, &inner->polls, sizeof inner->polls);
  return PILLION_READY;
}

static void inner_drop(void *self) {
  atomic_fetch_add(&((struct inner *)self)->drops, 1);
}

static const pillion_future inner_future = {sizeof inner_future, inner_poll,
                                            inner_drop};

struct owner {
  pillion_scope scope;
  pillion_child child[CHILDREN], *given;
  struct inner inner[CHILDREN];
  int limit, state, taken, rc, leave, ended, wrong;
};

static _Atomic int released;

static void release(pillion_child *child) {
  atomic_fetch_add(&released, 1);
}

static int owner_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct owner *owner = self;
  PILLION_ASYNC(owner->state);
  pillion_scope_init(&owner->scope, (uint32_t)owner->limit);
  for (int i = 0; i < CHILDREN; i++) {
    int rc = pillion_scope_spawn(&owner->child[i], &owner->scope, cx,
                                 &inner_future, &owner->inner[i]);
    if (rc < 0) owner->ended++;
    if (rc == 0) owner->child[i].release = release;
  }
  if (owner->leave) PILLION_RETURN(owner->state);
  for (;;) {
    PILLION_AWAIT(owner->state,
                  pillion_scope_next(&owner->given, &owner->scope, cx));
    pillion_child *child = owner->given;
    if (child == NULL) break;
    if (child->outcome == PILLION_OUTCOME_RETURNED && child->value.status == 0 &&
        child->value.length != sizeof(int))
      owner->wrong++;
    owner->taken++;
  }
  owner->rc = pillion_scope_join(&owner->scope, cx);
  PILLION_RETURN(owner->state);
  PILLION_ASYNC_END;
}

static void owner_drop(void *self) {
  pillion_scope_drop(&((struct owner *)self)->scope);
}

static const pillion_future owning = {sizeof owning, owner_poll, owner_drop};

static void start(struct owner *owner) {
  atomic_store(&released, 0);
  op_spawn(NULL, NULL, &owning, owner, 0, 0);
}

static int dropped(struct owner *owner) {
  int n = 0;
  for (int i = 0; i < CHILDREN; i++)
    n += atomic_load(&owner->inner[i].drops);
  return n;
}

/* ---- Tests --------------------------------------------------------------- */

TEST(ends_on_many_threads_all_arrive) {
  for (int limit = 0; limit < 5; limit++) {
    static struct owner owner;
    memset(&owner, 0, sizeof owner);
    owner.limit = limit;
    for (int i = 0; i < CHILDREN; i++) owner.inner[i].ready_at = 1 + i % 4;
    start(&owner);
    runtime_end();
    assert_int_equal(owner.rc, PILLION_READY);
    assert_int_equal(owner.taken, CHILDREN);
    assert_int_equal(owner.wrong, 0);
    assert_int_equal(dropped(&owner), CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
      assert_int_equal(owner.inner[i].polls, 1 + i % 4);
  }
}

TEST(error_on_another_thread_cancels_the_others) {
  static struct owner owner;
  memset(&owner, 0, sizeof owner);
  owner.inner[CHILDREN - 1].ready_at = 3;
  owner.inner[CHILDREN - 1].error = -13;
  start(&owner);
  runtime_end();
  assert_int_equal(owner.rc, -13);
  assert_int_equal(owner.taken, CHILDREN);
  assert_ptr_equal(owner.scope.first, &owner.child[CHILDREN - 1]);
  assert_null(owner.scope.first->next_failed);
  assert_int_equal(dropped(&owner), CHILDREN);
}

/* The runtime can't evict: the drop cancels the children, and lets them end. */
TEST(drop_detaches_what_runs) {
  for (int round = 0; round < 20; round++) {
    static struct owner owner;
    memset(&owner, 0, sizeof owner);
    owner.leave = 1;
    owner.limit = 6;
    for (int i = 0; i < CHILDREN; i += 2) owner.inner[i].ready_at = 1 + i % 4;
    start(&owner);
    runtime_end();
    assert_null(owner.scope.ops);
    assert_int_equal(owner.ended, 0);
    assert_int_equal(dropped(&owner), CHILDREN);
    assert_true(atomic_load(&released) >= 3); /* the endless three at least */
    assert_true(atomic_load(&released) <= 6);
  }
}
