/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Context tokens of a pool's tasks: captured where they are spawned, entered
 * and left wherever they are polled and dropped, and released once.
 */
#include "support.h"

/* ---- Hooks that count ---------------------------------------------------- */

/* A token, and what it was captured in. */
struct token {
  struct token *parent;
  pthread_t captured_on;
  _Atomic int inside, entered, left, released;
};

enum { TOKENS = 20000 };

static struct token tokens[TOKENS];
static _Atomic int captured, wrong, refusing; /* refusing: it answers NULL */
static _Thread_local struct token *current;
static _Thread_local struct token *stack[8];
static _Thread_local int depth;

static void *capture(void *data) {
  if (data != &captured) wrong = 1;
  int i = atomic_fetch_add(&captured, 1);
  if (refusing || i >= TOKENS) return NULL;
  tokens[i].parent = current;
  tokens[i].captured_on = pthread_self();
  return &tokens[i];
}

static void enter(void *token, void *data) {
  struct token *t = token;
  if (data != &captured || t == NULL) wrong = 1;
  if (atomic_exchange(&t->inside, 1) || t->released) wrong = 1;
  t->entered++;
  stack[depth++] = current;
  current = t;
}

static void leave(void *token, void *data) {
  struct token *t = token;
  if (data != &captured || t != current) wrong = 1;
  current = stack[--depth];
  t->left++;
  if (!atomic_exchange(&t->inside, 0)) wrong = 1;
}

static void release(void *token, void *data) {
  struct token *t = token;
  if (data != &captured || t == NULL || t->inside) wrong = 1;
  t->released++;
}

static const pillion_context_hooks hooks = {
    sizeof hooks, &captured, capture, enter, leave, release};

static pillion_pool hooked_new(const pillion_context_hooks *h,
                               uint32_t max_tasks) {
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_pool pool;
  options.context_hooks = h;
  options.max_tasks = max_tasks;
  memset(tokens, 0, sizeof tokens);
  captured = wrong = refusing = 0;
  assert_ok(pillion_pool_new(&pool, &options, NULL, 0));
  return pool;
}

/* Adds up what has happened to the first `n` tokens. */
static void assert_seen(int n, int pairs, int released) {
  int entered = 0, left = 0, let_go = 0;
  for (int i = 0; i < n; i++) {
    entered += tokens[i].entered;
    left += tokens[i].left;
    let_go += tokens[i].released;
    assert_true(tokens[i].released <= 1);
  }
  assert_int_equal(captured, n);
  assert_int_equal(entered, pairs);
  assert_int_equal(left, pairs);
  assert_int_equal(let_go, released);
  assert_int_equal(wrong, 0);
  assert_null(current);
}

/* ---- One task ------------------------------------------------------------ */

static void looks_around(struct probe *probe) { probe->data = current; }

static int looks(struct probe *probe, pillion_value *out,
                 pillion_context *cx) {
  probe->data = current;
  if (probe->polls != probe->ready_at) return PILLION_PENDING;
  pillion_value_set(out, "done", 4);
  return PILLION_READY;
}

#define LOOKS .step = looks, .dropped = looks_around

TEST(polls_on_two_workers_and_the_drop_are_inside) {
  struct probe probe = {LOOKS, .ready_at = 2};
  pillion_pool pool = hooked_new(&hooks, 0);
  pillion_executor one = executor_new(), two = executor_new();
  assert_ok(pillion_pool_join(pool, one, 0));
  assert_ok(pillion_pool_join(pool, two, 0));
  pool_spawn(pool, one, &probe, 7, PILLION_EVENT);
  assert_true(pthread_equal(tokens[0].captured_on, pthread_self()));
  assert_seen(1, 0, 0);
  turn(one);
  assert_ptr_equal(probe.data, &tokens[0]);
  assert_seen(1, 1, 0);
  probe.data = NULL;
  pillion_wake(probe.waker);
  turn(two);
  assert_int_equal(probe.drops, 1);
  assert_ptr_equal(probe.data, &tokens[0]);
  assert_seen(1, 3, 1);
  assert_int_equal(turn(one), 1); /* an event enters no token */
  assert_seen(1, 3, 1);
  executor_free(one);
  executor_free(two);
  pool_free(pool);
}

GIVEN(an_executor, task_without_a_token_calls_nothing) {
  struct probe probe = {LOOKS, .ready_at = 1};
  pillion_pool pool = hooked_new(&hooks, 0);
  assert_ok(pillion_pool_join(pool, ex, 0));
  refusing = 1;
  pool_spawn(pool, 0, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.drops, 1);
  assert_seen(1, 0, 0);
  executor_free(ex);
  pool_free(pool);
}

static int spawns(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  probe->rc = pillion_spawn(NULL, cx, &probing, probe->data, 0,
                            PILLION_DETACH);
  return probe->rc < 0 ? probe->rc : PILLION_READY;
}

GIVEN(an_executor, what_a_task_spawns_is_captured_inside_it) {
  struct probe inner = {LOOKS, .ready_at = 1};
  struct probe middle = {.step = spawns, .data = &inner};
  struct probe outer = {.step = spawns, .data = &middle};
  pillion_pool pool = hooked_new(&hooks, 0);
  assert_ok(pillion_pool_join(pool, ex, 0));
  pool_spawn(pool, 0, &outer, 0, PILLION_DETACH);
  turn(ex);
  assert_ptr_equal(inner.data, &tokens[2]);
  assert_ptr_equal(tokens[2].parent, &tokens[1]);
  assert_ptr_equal(tokens[1].parent, &tokens[0]);
  assert_seen(3, 6, 3);
  executor_free(ex);
  pool_free(pool);
}

GIVEN(an_executor, every_end_releases_once) {
  struct probe cancelled = {LOOKS}, freed = {LOOKS};
  struct probe unjoined = {LOOKS, .ready_at = 1};
  pillion_pool pool = hooked_new(&hooks, 0);
  assert_ok(pillion_pool_join(pool, ex, 0));
  pillion_task task = pool_spawn(pool, 0, &cancelled, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &freed, 0, PILLION_DETACH);
  pool_spawn(pool, 0, &unjoined, 0, PILLION_JOIN);
  assert_ok(pillion_task_cancel(task));
  turn(ex);
  assert_int_equal(cancelled.polls, 0);
  assert_ptr_equal(cancelled.data, &tokens[0]);
  assert_seen(3, 4, 2); /* two polls, two drops */
  executor_free(ex);
  pool_free(pool);
  assert_ptr_equal(freed.data, &tokens[1]);
  assert_seen(3, 5, 3);
}

TEST(refused_spawn_gives_its_token_back) {
  struct probe probe = {0}, other = {0};
  pillion_pool pool = hooked_new(&hooks, 1);
  pillion_executor home = executor_new(), gone = executor_new();
  executor_free(gone);
  assert_int_equal(pillion_pool_spawn(NULL, pool, gone, &probing, &probe, 0,
                                      PILLION_EVENT),
                   PILLION_EBADHANDLE);
  assert_seen(1, 0, 1);
  pool_spawn(pool, home, &probe, 0, PILLION_DETACH);
  /* Nothing is captured for what isn't admitted. */
  assert_int_equal(pillion_pool_spawn(NULL, pool, home, &probing, &other, 0,
                                      PILLION_DETACH),
                   PILLION_EAGAIN);
  assert_ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_pool_spawn(NULL, pool, home, &probing, &other, 0,
                                      PILLION_DETACH),
                   PILLION_ECLOSED);
  assert_seen(2, 0, 1);
  executor_free(home);
  pool_free(pool);
  assert_seen(2, 1, 2);
}

GIVEN(an_executor, next_pool_in_the_place_has_no_hooks) {
  struct probe first = {.ready_at = 1}, next = {.ready_at = 1};
  pillion_pool pool = hooked_new(&hooks, 0);
  assert_ok(pillion_pool_join(pool, ex, 0));
  pool_spawn(pool, 0, &first, 0, PILLION_DETACH);
  turn(ex);
  assert_seen(1, 2, 1);
  assert_ok(pillion_pool_leave(ex));
  pool_free(pool);
  pillion_pool another = hooked_new(NULL, 0);
  assert_int_equal(pillion__slot_of(another), pillion__slot_of(pool));
  assert_ok(pillion_pool_join(another, ex, 0));
  pool_spawn(another, 0, &next, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(next.drops, 1);
  assert_seen(0, 0, 0);
  executor_free(ex);
  pool_free(another);
}

TEST(hooks_that_lack_a_function_are_refused) {
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  pillion_context_hooks h = hooks;
  pillion_pool pool;
  char why[128] = "";
  h.leave = NULL;
  options.context_hooks = &h;
  assert_int_equal(pillion_pool_new(&pool, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_equal(why, "context_hooks lack a function");
}

/* ---- Many, on several workers -------------------------------------------- */

enum { PARENTS = 2000, CHILDREN = 2, WORKERS = 3, POLLS = 5 };

struct walker {
  int polls, children, left;
  struct token *inside; /* the token of its first poll */
  _Atomic int drops;
};

static struct walker walkers[PARENTS * (1 + CHILDREN)];
static pillion_pool crowded;

static void walker_drop(void *self) {
  struct walker *w = self;
  if (w->inside != NULL && current != w->inside) wrong = 1;
  w->drops++;
}

static int walker_poll(pillion_value *out, pillion_context *cx, void *self);
static const pillion_future walking = {sizeof walking, walker_poll,
                                       walker_drop};

static int walker_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct walker *w = self;
  if (w->polls++ == 0) w->inside = current;
  if (current == NULL || current != w->inside) wrong = 1;
  if (w->children > 0) {
    w->children--;
    struct walker *child = &walkers[PARENTS + CHILDREN * (w - walkers) +
                                    w->children];
    if (pillion_spawn(NULL, cx, &walking, child, 0, PILLION_DETACH) < 0)
      wrong = 1;
  }
  cx->ops->wake(cx->waker);
  if (w->polls < POLLS) return PILLION_PENDING;
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

/* Cancels some of its tasks at any point of their lives. */
static void *starts(void *data) {
  for (int i = (int)(intptr_t)data; i < PARENTS; i += 2) {
    pillion_task task;
    walkers[i].children = CHILDREN;
    if (pillion_pool_spawn(&task, crowded, 0, &walking, &walkers[i], 0,
                           PILLION_DETACH) < 0)
      wrong = 1;
    if (i % 7 == 0) pillion_task_cancel(task);
  }
  return NULL;
}

TEST(pairs_hold_on_several_workers) {
  pthread_t threads[WORKERS + 2];
  int pairs = 0, drops = 0, started = 0;
  crowded = hooked_new(&hooks, 0);
  for (int i = 0; i < WORKERS; i++) threads[i] = thread_start(works, &crowded);
  for (int i = 0; i < 2; i++)
    threads[WORKERS + i] = thread_start(starts, (void *)(intptr_t)i);
  for (int i = 0; i < 2; i++) pthread_join(threads[WORKERS + i], NULL);
  while (pool_stats(crowded).live > 0) sched_yield();
  /* Ends the workers. */
  assert_ok(pillion_pool_close(crowded, PILLION_CLOSE_DRAIN));
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < COUNT(walkers); i++) {
    bool spawned = walkers[i].drops > 0;
    started += spawned;
    drops += walkers[i].drops;
    pairs += walkers[i].polls + walkers[i].drops;
    if (i >= PARENTS && walkers[i].inside != NULL)
      assert_ptr_equal(walkers[i].inside->parent,
                       walkers[(i - PARENTS) / CHILDREN].inside);
  }
  assert_int_equal(drops, started);
  assert_seen(started, pairs, started);
  pool_free(crowded);
}
