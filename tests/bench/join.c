/* SPDX-License-Identifier: Apache-2.0 */

/*
 * 100 tasks, each of which spawns a child that is ready at once, awaits it and
 * begins again: a child's whole life and the wait for it.
 */

#include "bench.h"
#include "pillion.h"

#define PARENTS 100
#define TURNS 2000

struct parent {
  int state;
  pillion_task child;
  uint64_t joined;
};

static int once(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)cx, (void)self;
  return PILLION_READY;
}

static const pillion_future child = {sizeof child, once, NULL};

static int for_ever(pillion_value *out, pillion_context *cx, void *self) {
  struct parent *p = self;
  PILLION_ASYNC(p->state);
  for (;;) {
    BENCH_TRY(pillion_spawn(&p->child, cx, &child, p, 0, PILLION_JOIN));
    PILLION_AWAIT(p->state, pillion_join(out, cx, p->child));
    p->joined++;
  }
  PILLION_ASYNC_END;
}

static const pillion_future parent = {sizeof parent, for_ever, NULL};
static struct parent parents[PARENTS];
static pillion_executor executor;

static uint64_t joined(void) {
  uint64_t sum = 0;
  for (int i = 0; i < PARENTS; i++) sum += parents[i].joined;
  return sum;
}

static uint64_t round_of_turns(void *data) {
  uint64_t before = joined();
  (void)data;
  for (int i = 0; i < TURNS; i++)
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  return joined() - before;
}

int main(void) {
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  for (int i = 0; i < PARENTS; i++)
    BENCH_TRY(pillion_task_spawn(NULL, executor, &parent, &parents[i], 0,
                                 PILLION_DETACH));
  bench_print("join", bench_loop(round_of_turns, NULL));
  return 0;
}
