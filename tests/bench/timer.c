/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Timers: `timer N` arms N of them for random times within a minute, and moves,
 * fires and clears them. `timer N fire` prints only one of the figures. Time is
 * the program's own.
 *
 * One task has them all, so that this measures the timers, and not the tasks
 * that they wake. Its poll does the present `work`. The program moves, fires
 * and clears timers in a random order of their addresses. `touch` is the price
 * of going through them in such an order and doing nothing: if they are too
 * many for the caches, that is most of the cost. `in_order` is `fire` for
 * timers that were armed for one time after the other.
 */

#include "bench.h"
#include "pillion.h"

#define MINUTE INT64_C(60000000000)
#define FIRED_AT_ONCE 100 /* in one turn, about */

/* A timer stands in something larger, such as a connection. */
static struct timed {
  pillion_timer timer;
  uint32_t next; /* of the random order */
  uint64_t other[7];
} *timed;

static uint32_t *order; /* a random one */
static uint32_t count;
static int64_t now = MINUTE;
static uint64_t seed = 1;
static int (*work)(pillion_context *cx);
static pillion_executor executor;

static uint64_t draw(uint64_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % below;
}

static int64_t clock_of_ours(void *data) {
  (void)data;
  return now;
}

static int64_t spent; /* on the last work */

static int arm(pillion_context *cx) {
  int64_t start = bench_now();
  for (uint32_t i = 0; i < count; i++)
    BENCH_TRY(pillion_timer_set(&timed[i].timer, cx,
                                now + 1 + (int64_t)draw(MINUTE)));
  spent = bench_now() - start;
  return PILLION_PENDING;
}

static int move(pillion_context *cx) {
  int64_t start = bench_now();
  for (uint32_t i = 0; i < count; i++)
    BENCH_TRY(pillion_timer_set(&timed[order[i]].timer, cx,
                                now + 1 + (int64_t)draw(MINUTE)));
  spent = bench_now() - start;
  return PILLION_PENDING;
}

static int arm_in_order(pillion_context *cx) {
  for (uint32_t i = 0; i < count; i++)
    BENCH_TRY(pillion_timer_set(&timed[i].timer, cx,
                                now + 1 + i * (MINUTE / count)));
  return PILLION_PENDING;
}

static int clear(pillion_context *cx) {
  int64_t start = bench_now();
  (void)cx;
  for (uint32_t i = 0; i < count; i++)
    pillion_timer_clear(&timed[order[i]].timer);
  spent = bench_now() - start;
  return PILLION_PENDING;
}

static int rest(pillion_context *cx) {
  (void)cx;
  return PILLION_PENDING;
}

static int poll(pillion_value *out, pillion_context *cx, void *self) {
  int (*now_do)(pillion_context *) = work;
  (void)out, (void)self;
  work = rest;
  return now_do(cx);
}

static const pillion_future future = {sizeof future, poll, NULL};

static pillion_waker waker; /* of the task */

/* Does `what` in a poll, and gives the time that it took. */
static int64_t timed_do(int (*what)(pillion_context *cx)) {
  work = what;
  pillion_wake_local(waker);
  BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  return spent;
}

static int64_t fire_all(void) {
  int64_t start = bench_now(), end = now + MINUTE;
  int64_t step = count <= FIRED_AT_ONCE ? MINUTE / 10
                                        : MINUTE / (count / FIRED_AT_ONCE);
  while (now < end) {
    now += step;
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  }
  return bench_now() - start;
}

/* From one timer to the next, which only the one before it names. */
static int64_t touch_all(void) {
  int64_t start = bench_now();
  uint32_t at = 0;
  for (uint32_t i = 0; i < count; i++) at = timed[at].next;
  return bench_now() - start + (at == count);
}

static void shuffle(void) {
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  for (uint32_t i = count; i > 1; i--) {
    uint32_t j = (uint32_t)draw(i), k = order[j];
    order[j] = order[i - 1];
    order[i - 1] = k;
  }
  for (uint32_t i = 0; i < count; i++)
    timed[order[i]].next = order[(i + 1) % count];
}

static const char *const names[] = {"set",   "move",     "fire",
                                    "clear", "in_order", "touch"};
#define FIGURES (sizeof names / sizeof *names)

static double best[FIGURES]; /* of all rounds but the first */

static void note(size_t figure, int64_t ns) {
  double each = (double)ns / count;
  if (best[figure] == 0 || each < best[figure]) best[figure] = each;
}

static void round_of_all(void) {
  note(0, timed_do(arm));
  note(1, timed_do(move));
  note(2, fire_all());
  timed_do(arm);
  note(3, timed_do(clear));
  timed_do(arm_in_order);
  note(4, fire_all());
  note(5, touch_all());
}

static void print(const char *only) {
  const char *before = "{";
  for (size_t i = 0; i < FIGURES; i++) {
    if (only != NULL && strcmp(only, names[i]) != 0) continue;
    printf("%s\"%s\": %.3f", before, names[i], best[i]);
    before = ", ";
  }
  printf("}\n");
}

int main(int argc, char **argv) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_task task;
  count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
  if (count == 0) return 1;
  timed = calloc(count, sizeof *timed);
  order = calloc(count, sizeof *order);
  if (timed == NULL || order == NULL) return 1;
  shuffle();
  options.clock = clock_of_ours;
  BENCH_TRY(pillion_executor_new(&executor, &options, NULL, 0));
  work = rest;
  BENCH_TRY(pillion_task_spawn(&task, executor, &future, NULL, 0,
                               PILLION_DETACH));
  waker = (task & ~(UINT64_C(0xff) << 56)) | UINT64_C(3) << 56;
  round_of_all(); /* it faults the memory in */
  memset(best, 0, sizeof best);
  int64_t end = bench_now() + 2 * BENCH_NS;
  do round_of_all();
  while (bench_now() < end);
  print(argc > 2 ? argv[2] : NULL);
  return 0;
}
