/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes of calls: the example in pillion/scope.h, and how it may end. */
#include "pillion/scope.h"
#include "support.h"

struct asking {
  pillion_executor ex;
  const char *name, *request;
  const pillion_ops *ops;
  pillion_task call;
  int drops;
};

static int asking_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct asking *asking = (struct asking *)self;
  if (asking->ops == NULL) {
    asking->ops = cx->ops;
    int rc = pillion_call_submit(
        &asking->call, asking->ex, function(asking->name), asking->request,
        strlen(asking->request), 0, PILLION_JOIN);
    if (rc < 0) return rc;
  }
  int rc = pillion_join(out, cx, asking->call);
  if (rc != PILLION_PENDING) asking->call = 0;
  return rc;
}

static void asking_drop(void *self) {
  struct asking *asking = (struct asking *)self;
  asking->drops++;
  pillion_abandon(asking->ops, asking->call);
}

static const pillion_future asking_future = {sizeof asking_future, asking_poll,
                                             asking_drop};

struct both {
  pillion_scope scope;
  pillion_child child[2];
  struct asking asking[2];
  int state;
};

static int both_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct both *both = (struct both *)self;
  PILLION_ASYNC(both->state);
  pillion_scope_init(&both->scope, 0);
  for (int i = 0; i < 2; i++) {
    int rc = pillion_scope_spawn(&both->child[i], &both->scope, cx,
                                 &asking_future, &both->asking[i]);
    if (rc < 0) return rc;
  }
  PILLION_AWAIT(both->state, pillion_scope_join(&both->scope, cx));
  *out = both->child[0].value;
  pillion_value_drop(&both->child[1].value);
  PILLION_RETURN(both->state);
  PILLION_ASYNC_END;
}

static void both_drop(void *self) {
  pillion_scope_drop(&((struct both *)self)->scope);
}

static const pillion_future both_future = {sizeof both_future, both_poll,
                                           both_drop};

static pillion_task start(pillion_executor ex, struct both *both,
                          const char *first, const char *second) {
  pillion_task task = 0;
  memset(both, 0, sizeof *both);
  both->asking[0] = (struct asking){.ex = ex, .name = first, .request = "you"};
  both->asking[1] = (struct asking){.ex = ex, .name = second, .request = "100"};
  assert_ok(pillion_task_spawn(&task, ex, &both_future, both, 0,
                               PILLION_EVENT));
  return task;
}

GIVEN(an_executor, both_calls_end_before_their_owner) {
  static struct seen seen;
  struct both both;
  start(ex, &both, "test.upper", "test.big");
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_string_equal(seen.event[0].bytes, "YOU");
  for (int i = 0; i < 2; i++) assert_int_equal(both.asking[i].drops, 1);
}

GIVEN(an_executor, failed_call_cancels_the_other_in_go) {
  static struct seen seen;
  struct both both;
  start(ex, &both, "test.block", "test.fail");
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].status, PILLION_EFAILED);
  assert_ptr_equal(both.scope.first, &both.child[1]);
  assert_int_equal(both.child[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_null(both.child[1].next_failed);
  await_waiting(0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(both.asking[i].drops, 1);
    pillion_value_drop(&both.child[i].value);
  }
}

GIVEN(an_executor, cancelled_owner_cancels_all_the_way_into_go) {
  static struct seen seen;
  struct both both;
  pillion_task task = start(ex, &both, "test.block", "test.loop_block");
  do turn(ex, &seen, NULL);
  while (ask_number("test.waiting", "") != 2);
  assert_int_equal(pillion_task_cancel(task), 0);
  run(ex, &seen);
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  for (int i = 0; i < 2; i++) assert_int_equal(both.asking[i].drops, 1);
  await_waiting(0);
}
