/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an operation costs beside N live tasks: `growth step|spawn|wake|cancel|
 * touch N`. Wakes and cancels go through tasks in a random order, so that with
 * many tasks they meet cells in no cache; `touch` is the price of that alone:
 * one access to 64 bytes, on which the next access depends.
 */

#include "bench.h"
#include "pillion.h"

#define AT_ONCE 100

struct task {
  pillion_waker waker;
  pillion_task task;
};

static pillion_executor executor;
static struct task *tasks;
static uint32_t *order; /* a random one, of all */
static uint32_t count, next;
static pillion_budget budget = PILLION_BUDGET_INIT;

static int again(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

static int sleep_on(pillion_value *out, pillion_context *cx, void *self) {
  (void)out;
  ((struct task *)self)->waker = cx->waker;
  return PILLION_PENDING;
}

static int once(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)cx, (void)self;
  return PILLION_READY;
}

static const pillion_future stepping = {sizeof stepping, again, NULL};
static const pillion_future sleeping = {sizeof sleeping, sleep_on, NULL};
static const pillion_future ending = {sizeof ending, once, NULL};

static void turn(void) {
  BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, &budget));
}

static void spawn(const pillion_future *future, struct task *task) {
  BENCH_TRY(pillion_task_spawn(&task->task, executor, future, task, 0,
                               PILLION_DETACH));
}

static struct task *draw(void) {
  if (next == count) next = 0;
  return &tasks[order[next++]];
}

static uint64_t round_of_steps(void *data) {
  uint32_t turns = count < 10000 ? 10000 / count : 1;
  (void)data;
  for (uint32_t i = 0; i < turns; i++) turn();
  return (uint64_t)turns * count;
}

static uint64_t round_of_spawns(void *data) {
  static struct task more[AT_ONCE];
  (void)data;
  for (int i = 0; i < AT_ONCE; i++) spawn(&ending, &more[i]);
  turn();
  return AT_ONCE;
}

static uint64_t round_of_wakes(void *data) {
  (void)data;
  for (int i = 0; i < AT_ONCE; i++) pillion_wake_local(draw()->waker);
  turn();
  return AT_ONCE;
}

/* A cancel, its drop, and a new task in its place. */
static uint64_t round_of_cancels(void *data) {
  struct task *cancelled[AT_ONCE];
  (void)data;
  for (int i = 0; i < AT_ONCE; i++) {
    cancelled[i] = draw();
    BENCH_TRY(pillion_task_cancel(cancelled[i]->task));
  }
  turn();
  for (int i = 0; i < AT_ONCE; i++) spawn(&sleeping, cancelled[i]);
  turn();
  return AT_ONCE;
}

/* The cells' own size, and as many. */
static struct cell {
  uint32_t next, other[15];
} *cells;

static uint64_t round_of_touches(void *data) {
  uint32_t at = *(uint32_t *)data;
  for (int i = 0; i < 10000; i++) at = cells[at].next;
  *(uint32_t *)data = at;
  return 10000;
}

static void shuffle(void) {
  uint64_t seed = 88172645463325252;
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  for (uint32_t i = count; i > 1; i--) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    uint32_t j = (uint32_t)(seed % i), k = order[j];
    order[j] = order[i - 1];
    order[i - 1] = k;
  }
  for (uint32_t i = 0; i < count; i++)
    cells[order[i]].next = order[(i + 1) % count];
}

int main(int argc, char **argv) {
  uint64_t (*round)(void *data) = round_of_wakes;
  const pillion_future *future = &sleeping;
  uint32_t at = 0;
  if (argc < 3 || (count = (uint32_t)strtoul(argv[2], NULL, 10)) < AT_ONCE)
    return 1;
  tasks = calloc(count, sizeof *tasks);
  order = calloc(count, sizeof *order);
  cells = calloc(count, sizeof *cells);
  if (tasks == NULL || order == NULL || cells == NULL) return 1;
  shuffle();
  budget.max_polls = 2 * count;
  if (bench_is(argc, argv, "step")) round = round_of_steps, future = &stepping;
  if (bench_is(argc, argv, "spawn")) round = round_of_spawns;
  if (bench_is(argc, argv, "cancel")) round = round_of_cancels;
  if (bench_is(argc, argv, "touch")) round = round_of_touches;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  for (uint32_t i = 0; i < count; i++) spawn(future, &tasks[i]);
  turn();
  bench_print("growth", bench_loop(round, &at));
  return at > count;
}
