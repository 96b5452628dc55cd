/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes of a pool's tasks: the owner and its children run on any worker. */
#include "pillion/scope.h"
#include "support.h"

#define CHILDREN 40
#define WORKERS 3

struct inner {
  int ready_at, error, polls;
  _Atomic int *until; /* it waits until this is set */
  _Atomic int drops;
};

static int inner_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct inner *inner = self;
  if (inner->until != NULL && !atomic_load(inner->until)) {
    cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
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
  int limit, state, taken, shield, dropped;
  _Atomic int all_spawned;
};

static int owner_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct owner *owner = self;
  PILLION_ASYNC(owner->state);
  if (owner->shield) pillion_shield(cx, 1);
  pillion_scope_init(&owner->scope, (uint32_t)owner->limit);
  for (int i = 0; i < CHILDREN; i++) {
    int rc = pillion_scope_spawn(&owner->child[i], &owner->scope, cx,
                                 &inner_future, &owner->inner[i]);
    if (rc < 0) return rc;
  }
  atomic_store(&owner->all_spawned, 1);
  for (;;) {
    PILLION_AWAIT(owner->state,
                  pillion_scope_next(&owner->given, &owner->scope, cx));
    if (owner->given == NULL) break;
    owner->taken++;
  }
  PILLION_AWAIT(owner->state, pillion_scope_join(&owner->scope, cx));
  PILLION_RETURN(owner->state);
  PILLION_ASYNC_END;
}

static void owner_drop(void *self) {
  struct owner *owner = self;
  owner->dropped++;
  pillion_scope_drop(&owner->scope);
}

static const pillion_future owning = {sizeof owning, owner_poll, owner_drop};

/* ---- Workers ------------------------------------------------------------- */

static pillion_event end;
static pthread_t workers[WORKERS];
static pillion_executor home;

static pillion_task begin(struct owner *owner) {
  pillion_task task;
  pool = pool_new();
  home = executor_new();
  for (int i = 0; i < WORKERS; i++) workers[i] = thread_start(works, &pool);
  assert_ok(pillion_pool_spawn(&task, pool, home, &owning, owner, 7,
                               PILLION_EVENT));
  return task;
}

static void await_end(struct owner *owner) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, home));
  while (turn(home) == 0)
    if (!progress.more) poll(&watched, 1, -1);
  end = events[0];
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
  executor_free(home);
  pool_free(pool);
  assert_int_equal(end.token, 7);
  assert_int_equal(owner->dropped, 1);
}

static void assert_drops(struct owner *owner) {
  for (int i = 0; i < CHILDREN; i++)
    assert_int_equal(atomic_load(&owner->inner[i].drops), 1);
}

/* ---- Tests --------------------------------------------------------------- */

TEST(children_end_on_any_worker) {
  for (int limit = 0; limit < 8; limit += 3) {
    static struct owner owner;
    memset(&owner, 0, sizeof owner);
    owner.limit = limit;
    for (int i = 0; i < CHILDREN; i++) owner.inner[i].ready_at = 1 + i % 5;
    begin(&owner);
    await_end(&owner);
    assert_int_equal(end.status, 0);
    assert_int_equal(owner.taken, CHILDREN);
    assert_drops(&owner);
    for (int i = 0; i < CHILDREN; i++)
      assert_int_equal(owner.inner[i].polls, 1 + i % 5);
  }
}

TEST(error_cancels_the_others_on_their_workers) {
  static struct owner owner;
  memset(&owner, 0, sizeof owner);
  owner.inner[CHILDREN / 2].ready_at = 4;
  owner.inner[CHILDREN / 2].error = -13;
  owner.inner[CHILDREN / 2].until = &owner.all_spawned;
  begin(&owner);
  await_end(&owner);
  assert_int_equal(end.status, -13);
  assert_int_equal(owner.taken, CHILDREN);
  assert_ptr_equal(owner.scope.first, &owner.child[CHILDREN / 2]);
  assert_null(owner.scope.first->next_failed);
  assert_drops(&owner);
}

TEST(shielded_owner_passes_its_cancel_on) {
  static struct owner owner;
  memset(&owner, 0, sizeof owner);
  owner.shield = 1;
  owner.limit = 10;
  pillion_task task = begin(&owner);
  while (!atomic_load(&owner.all_spawned)) sched_yield();
  assert_int_equal(pillion_task_cancel(task), 0);
  await_end(&owner);
  assert_int_equal(end.outcome, PILLION_OUTCOME_RETURNED);
  assert_int_equal(end.status, 0); /* it has cancelled them itself */
  assert_int_equal(owner.taken, CHILDREN);
  assert_drops(&owner);
}
