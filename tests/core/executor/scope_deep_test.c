/* SPDX-License-Identifier: Apache-2.0 */

/* Scopes nested deeply: their drops take no stack for each level. */
#include "scope_support.h"

/* A task that is the only child of the level above. */
struct level {
  pillion_scope scope;
  pillion_child child; /* the next level */
  struct level *next;  /* NULL: the last */
  int polls, drops;
  uint32_t dropped_at;
  pillion_task task;
};

static uint32_t drops;

static const pillion_future levelling;

static int level_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct level *level = self;
  if (level->polls++ > 0 || level->next == NULL) return PILLION_PENDING;
  return pillion_scope_spawn(&level->child, &level->scope, cx, &levelling,
                             level->next);
}

static void level_drop(void *self) {
  struct level *level = self;
  level->drops++;
  pillion_scope_drop(&level->scope);
  level->dropped_at = drops++;
}

static const pillion_future levelling = {sizeof levelling, level_poll,
                                         level_drop};

enum { DEPTH = 100000 };

static struct level *levels_begin(pillion_executor ex) {
  struct level *levels = calloc(DEPTH, sizeof *levels);
  for (int i = 0; i < DEPTH - 1; i++) levels[i].next = &levels[i + 1];
  assert_ok(pillion_task_spawn(&levels->task, ex, &levelling, levels, 7,
                               PILLION_EVENT));
  for (int i = 0; i < DEPTH; i++) turn(ex);
  assert_int_equal(levels[DEPTH - 1].polls, 1);
  assert_int_equal(library_counts().tasks, DEPTH);
  drops = 0;
  return levels;
}

/* All were dropped before the call returned, the deepest first. */
static void assert_all_dropped(struct level *levels) {
  for (int i = 0; i < DEPTH; i++) {
    assert_int_equal(levels[i].drops, 1);
    assert_int_equal(levels[i].dropped_at, DEPTH - 1 - i);
  }
  free(levels);
}

GIVEN(an_executor, evicted_owner_of_a_hundred_thousand) {
  struct level *levels = levels_begin(ex);
  assert_ok(pillion_task_evict(levels->task));
  assert_all_dropped(levels);
  assert_int_equal(turn(ex), 1);
}

GIVEN(an_executor, cancelled_owner_of_a_hundred_thousand) {
  struct level *levels = levels_begin(ex);
  assert_ok(pillion_task_cancel(levels->task));
  assert_int_equal(turn(ex), 1);
  assert_all_dropped(levels);
}

GIVEN(an_executor, freed_executor_of_a_hundred_thousand) {
  struct level *levels = levels_begin(ex);
  executor_free(ex);
  assert_all_dropped(levels);
}

/* ---- Chains of joins ------------------------------------------------------ */

struct link {
  struct link *next;
  const pillion_ops *ops;
  pillion_task task, joined; /* itself, and the next */
  int polls, drops;
};

static const pillion_future linking;

static int link_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct link *link = self;
  link->ops = cx->ops;
  if (link->next == NULL)
    return link->polls++ == 0 ? PILLION_PENDING : PILLION_READY;
  if (link->polls++ == 0)
    cx->ops->spawn(&link->joined, cx, &linking, link->next, 0, PILLION_JOIN);
  link->next->task = link->joined;
  int rc = pillion_join(out, cx, link->joined);
  if (rc == PILLION_READY) link->joined = 0;
  return rc;
}

static void link_drop(void *self) {
  struct link *link = self;
  link->drops++;
  if (link->joined != 0) pillion_abandon(link->ops, link->joined);
}

static const pillion_future linking = {sizeof linking, link_poll, link_drop};

static struct link *links_begin(pillion_executor ex) {
  struct link *links = calloc(DEPTH, sizeof *links);
  for (int i = 0; i < DEPTH - 1; i++) links[i].next = &links[i + 1];
  assert_ok(pillion_task_spawn(&links->task, ex, &linking, links, 7,
                               PILLION_EVENT));
  for (int i = 0; i < DEPTH; i++) turn(ex);
  assert_int_equal(links[DEPTH - 1].polls, 1);
  return links;
}

static void assert_links_dropped(struct link *links) {
  for (int i = 0; i < DEPTH; i++) assert_int_equal(links[i].drops, 1);
  assert_int_equal(library_counts().tasks, 0);
  free(links);
}

GIVEN(an_executor, chain_of_a_hundred_thousand_joins) {
  struct link *links = links_begin(ex); /* ends by itself, */
  int n = 0;
  pillion_wake_local(waker_of(links[DEPTH - 1].task));
  for (int i = 0; i <= DEPTH && n == 0; i++) n = turn(ex);
  assert_int_equal(n, 1);
  assert_int_equal(events[0].status, 0);
  assert_links_dropped(links);
  links = links_begin(ex); /* from its beginning, */
  assert_ok(pillion_task_evict(links->task));
  for (int i = 0; i <= DEPTH; i++) turn(ex);
  assert_links_dropped(links);
  links = links_begin(ex); /* and with its executor */
  executor_free(ex);
  assert_links_dropped(links);
}

/* ---- Trees whose drops meddle --------------------------------------------- */

#define NODES 64
#define SCOPES 2
#define CHILDREN_EACH 3

struct node {
  pillion_scope scope[SCOPES];
  pillion_child child[SCOPES][CHILDREN_EACH];
  int kids[SCOPES][CHILDREN_EACH]; /* their numbers, or 0 */
  int spawned, ends, drops;
  pillion_task task;
  int evicts; /* the node that its drop evicts, or 0 */
  int evicts_first; /* before its own scopes */
};

static struct node *nodes[NODES]; /* each in memory of its own */
static int alive;
static struct node *kept[NODES]; /* their drops let a child go */
static int kept_count;

static const pillion_future growing;

static int node_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct node *node = self;
  node->task = (cx->waker & ~(UINT64_C(0xff) << 56)) |
               (uint64_t)PILLION__TASK << 56;
  if (node->spawned) return node->ends ? PILLION_READY : PILLION_PENDING;
  node->spawned = 1;
  for (int s = 0; s < SCOPES; s++)
    for (int i = 0; i < CHILDREN_EACH; i++) {
      int kid = node->kids[s][i];
      if (kid == 0) continue;
      pillion_scope_spawn(&node->child[s][i], &node->scope[s], cx, &growing,
                          nodes[kid]);
      alive++;
    }
  return PILLION_PENDING;
}

static void meddle(struct node *node) {
  if (node->evicts != 0 && nodes[node->evicts] != NULL)
    pillion_task_evict(nodes[node->evicts]->task);
}

static void node_drop(void *self) {
  struct node *node = self;
  int mine = 0, let_go = 0;
  while (nodes[mine] != node) mine++;
  if (node->drops++ != 0) abort();
  if (node->evicts_first) meddle(node);
  for (int s = 0; s < SCOPES; s++)
    let_go |= pillion_scope_drop(&node->scope[s]) < 0;
  if (!node->evicts_first) meddle(node);
  nodes[mine] = NULL;
  alive--;
  if (let_go) /* a child on the stack is still in there */
    kept[kept_count++] = node;
  else
    free(node);
}

static const pillion_future growing = {sizeof growing, node_poll, node_drop};

static uint32_t random_state;

static int draw(int n) {
  random_state = random_state * 1664525u + 1013904223u;
  return (int)((random_state >> 8) % (uint32_t)n);
}

static void tree_make(void) {
  for (int i = 0; i < NODES; i++) nodes[i] = calloc(1, sizeof *nodes[i]);
  for (int i = 1; i < NODES; i++)
    for (;;) { /* seeks an earlier node with room; chains are likely */
      struct node *above = nodes[draw(2) ? i - 1 : draw(i)];
      int *kid = &above->kids[draw(SCOPES)][draw(CHILDREN_EACH)];
      if (*kid != 0) continue;
      *kid = i;
      break;
    }
  for (int i = 0; i < NODES; i++) {
    nodes[i]->evicts = draw(4) == 0 ? draw(NODES) : 0;
    nodes[i]->evicts_first = draw(2);
  }
}

/*
 * With any order of evicts, each is dropped once, and before its storage goes.
 */
TEST(drops_that_evict_others) {
  int let_go = 0;
  for (uint32_t seed = 1; seed <= 2000; seed++) {
    pillion_executor ex = executor_new();
    random_state = seed;
    tree_make();
    alive = 1;
    kept_count = 0;
    assert_ok(pillion_task_spawn(NULL, ex, &growing, nodes[0], 0,
                                 PILLION_DETACH));
    for (int i = 0; i < NODES; i++) turn(ex);
    assert_int_equal(alive, NODES);
    for (int i = 0; i < 3; i++) {
      struct node *victim = nodes[draw(NODES)];
      if (victim == NULL) continue;
      if (draw(2))
        pillion_task_evict(victim->task);
      else
        pillion_task_cancel(victim->task);
      if (draw(2)) turn(ex);
    }
    executor_free(ex);
    assert_int_equal(alive, 0);
    let_go += kept_count;
    while (kept_count > 0) free(kept[--kept_count]);
  }
  assert_in_range(let_go, 1, 2000 * NODES); /* the hard case is among them */
}
