/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Trees of tasks that sleep, join their children, cancel them and give them
 * deadlines, on one worker that stays and up to four that join and leave. Every
 * node ends and is dropped once. PILLION_SOAK_NODES says how many there are.
 *
 * The worker that stays sleeps until its host is told, or until the deadline
 * that its turn has reported. It never wakes earlier, so chance finds no lost
 * wake. Only the patience depends on time.
 */
#include "pillion/time.h"
#include "support.h"

enum { NODES = 100000, DEPTH = 4, CHILDREN = 3, LIVE = 2000 };

#define PATIENCE (20 * SECOND) /* without an end of any task */

struct node {
  pillion_timer nap, clocks[CHILDREN];
  pillion_task children[CHILDREN];
  const pillion_ops *ops;
  uint32_t random;
  int depth, begun, joined, count, state;
};

static _Atomic int64_t spawned, dropped, wrong, cancelled;
static _Atomic int over;

static const pillion_future node_future;

static struct node *node_new(int depth, uint32_t random) {
  struct node *node = calloc(1, sizeof *node);
  node->depth = depth;
  node->random = random;
  atomic_fetch_add(&spawned, 1);
  return node;
}

static void node_drop(void *self) {
  struct node *node = self;
  pillion_timer_clear(&node->nap);
  for (int i = node->joined; i < node->count; i++) {
    pillion_timer_clear(&node->clocks[i]);
    pillion_abandon(node->ops, node->children[i]);
  }
  free(node);
  atomic_fetch_add(&dropped, 1);
}

static void node_begets(struct node *node, pillion_context *cx) {
  int n = node->depth == 0 ? 0 : (int)random_below(&node->random, CHILDREN + 1);
  node->ops = cx->ops;
  for (int i = 0; i < n; i++) {
    struct node *child =
        node_new(node->depth - 1, random_below(&node->random, UINT32_MAX));
    if (pillion_spawn(&node->children[i], cx, &node_future, child, 0,
                      PILLION_JOIN) < 0) {
      atomic_store(&wrong, 1);
      return;
    }
    node->count++;
    if (random_below(&node->random, 4) == 0 &&
        pillion_task_deadline(&node->clocks[i], node->children[i],
                              cx->now + random_below(&node->random, 400000)) < 0)
      atomic_store(&wrong, 2);
    if (random_below(&node->random, 8) == 0)
      pillion_cancel(cx->ops, node->children[i]);
  }
}

static int node_joins(struct node *node, pillion_context *cx) {
  pillion_value value;
  int rc = pillion_join(&value, cx, node->children[node->joined]);
  if (rc == PILLION_PENDING) return rc;
  if (rc < 0) atomic_store(&wrong, 3);
  if (rc == PILLION_READY && value.status < 0) atomic_fetch_add(&cancelled, 1);
  pillion_timer_clear(&node->clocks[node->joined]);
  node->joined++;
  return PILLION_READY;
}

static int node_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct node *node = self;
  PILLION_ASYNC(node->state);
  node_begets(node, cx);
  node->begun = (int)random_below(&node->random, 300000);
  PILLION_AWAIT(node->state, pillion_sleep(&node->nap, cx, node->begun));
  while (node->joined < node->count)
    PILLION_AWAIT(node->state, node_joins(node, cx));
  PILLION_AWAIT(node->state, pillion_sleep(&node->nap, cx, node->begun / 2));
  PILLION_RETURN(node->state);
  PILLION_ASYNC_END;
}

static const pillion_future node_future = {sizeof node_future, node_poll,
                                           node_drop};

/* Sleeps until the host is told, or until `deadline`; a `most` that isn't
   negative is the limit in ns. */
static void sleeps(int fd, int64_t deadline, int64_t most) {
  struct pollfd watched = {fd, POLLIN, 0};
  int64_t now = pillion__now(), ns = most;
  if (deadline != PILLION_TIME_NEVER) {
    int64_t left = deadline > now ? deadline - now : 0;
    if (ns < 0 || left < ns) ns = left;
  }
  struct timespec limit = {ns / SECOND, ns % SECOND};
  ppoll(&watched, 1, ns < 0 ? NULL : &limit, NULL);
}

static _Atomic pillion_executor staying;

static void *works_and_leaves(void *data) {
  uint32_t random = 17 + (uint32_t)(uintptr_t)data;
  bool stays = data == NULL;
  while (!atomic_load(&over)) {
    pillion_executor ex;
    pillion_progress p = PILLION_PROGRESS_INIT;
    pillion_budget budget = PILLION_BUDGET_INIT;
    int fd;
    pillion_executor_new(&ex, NULL, NULL, 0);
    pillion_executor_fd(&fd, ex);
    pillion_executor_bind(ex);
    if (stays) atomic_store(&staying, ex);
    pillion_pool_join(pool, ex, PILLION_HOLD);
    for (uint32_t turns = random_below(&random, 300);
         (stays || turns > 0) && !atomic_load(&over); turns--) {
      budget.max_polls = 1 + random_below(&random, 64);
      if (pillion_executor_turn(NULL, 0, &p, ex, &budget) < 0)
        atomic_store(&wrong, 4);
      if (!p.more) sleeps(fd, p.deadline, stays ? -1 : MS / 2);
    }
    if (random_below(&random, 2)) pillion_pool_leave(ex);
    if (!stays) pillion_executor_free(ex);
  }
  return NULL;
}

static int64_t nodes_wanted(void) {
  const char *text = getenv("PILLION_SOAK_NODES");
  return text == NULL ? NODES : atoll(text);
}

/* Waits until no more than `most` live. Reports whether they end. */
static bool ends(int64_t most) {
  int64_t last = -1, since = pillion__now();
  for (;;) {
    int64_t now = atomic_load(&dropped);
    if (atomic_load(&spawned) - now <= most) return true;
    if (now != last) since = pillion__now();
    last = now;
    if (pillion__now() - since > PATIENCE) return false;
    struct timespec nap = {0, 100000};
    nanosleep(&nap, NULL);
  }
}

static void every_node_ends(int workers, int64_t nodes) {
  pthread_t threads[5];
  uint32_t random = 5 + (uint32_t)workers;
  atomic_store(&over, 0);
  atomic_store(&spawned, 0);
  atomic_store(&dropped, 0);
  pool = pool_new();
  for (int i = 0; i < workers; i++)
    threads[i] = thread_start(works_and_leaves, (void *)(uintptr_t)i);
  bool good = true;
  while (good && atomic_load(&spawned) < nodes) {
    for (int i = 0; i < 20; i++)
      if (pillion_pool_spawn(NULL, pool, 0, &node_future,
                             node_new(DEPTH, random_below(&random, UINT32_MAX)),
                             0, PILLION_DETACH) < 0)
        atomic_store(&wrong, 5);
    good = ends(LIVE);
  }
  good = good && ends(0);
  if (!good)
    print_error("%d workers: %d of %d nodes never end\n", workers,
                (int)(atomic_load(&spawned) - atomic_load(&dropped)),
                (int)atomic_load(&spawned));
  assert_true(good);
  atomic_store(&over, 1);
  pillion_executor_post(atomic_load(&staying), 0, NULL, 0);
  for (int i = 0; i < workers; i++) pthread_join(threads[i], NULL);
  executor_free(atomic_load(&staying));
  assert_int_equal(atomic_load(&wrong), 0);
  assert_int_equal(pool_stats(pool).live, 0);
  pool_free(pool);
}

TEST(no_node_of_any_tree_is_stuck) {
  for (int workers = 1; workers <= 5; workers++)
    every_node_ends(workers, nodes_wanted() / 5);
  assert_true(atomic_load(&cancelled) > 0);
}
