/* SPDX-License-Identifier: Apache-2.0 */

/* Pools, watches and posts with an allocator that fails at every point in turn. */
#include "pillion/watch.h"
#include "support.h"

enum { TASKS = 200 }; /* more than a deque has room for at first */

static int fail_at = -1; /* counts down to the one that fails; -1: none */
static int out_of_memory;

static void *failing_alloc(size_t bytes, void *data) {
  return fail_at >= 0 && fail_at-- == 0 ? NULL : malloc(bytes);
}

static void plainly_free(void *memory, void *data) {
  free(memory);
}

/* Repeats the call until there is memory: a failed one has changed nothing. */
#define INSIST(expression)                            \
  do {                                                \
    int insisted;                                     \
    while ((insisted = (expression)) == PILLION_ENOMEM) \
      out_of_memory++;                                \
    assert_ok(insisted);                              \
  } while (0)

static struct probe probes[TASKS];

static int spawns_rest(struct probe *probe, pillion_value *out,
                       pillion_context *cx) {
  for (int i = 1; i < TASKS; i++) {
    int rc;
    probes[i].ready_at = 2;
    while ((rc = pillion_spawn(&probes[i].task, cx, &probing, &probes[i],
                               (uint64_t)i, PILLION_EVENT)) == PILLION_ENOMEM)
      out_of_memory++;
    if (rc < 0) return rc;
    pillion_wake(waker_of(probes[i].task)); /* for its second poll */
  }
  return PILLION_READY;
}

static int finish_all(pillion_executor ex) {
  int ended = 0;
  do {
    ended += turn(ex);
    for (int i = 1; i < TASKS; i++)
      if (probes[i].drops == 0) pillion_wake(probes[i].waker);
  } while (progress.live > 0);
  return ended;
}

static void scenario(void) {
  static const char long_one[100];
  pillion_watch watch;
  int ends[2];
  memset(probes, 0, sizeof probes);
  assert_ok(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  INSIST(pillion_executor_new(&ex, NULL, NULL, 0));
  INSIST(pillion_pool_new(&pool, NULL, NULL, 0));
  INSIST(pillion_pool_join(pool, ex, 0));
  INSIST(pillion_watch_open(&watch, ex, ends[0], PILLION_WATCH_OWN));
  INSIST(pillion_executor_post(ex, 0, long_one, sizeof long_one));
  probes[0].step = spawns_rest;
  INSIST(pillion_pool_spawn(NULL, pool, ex, &probing, &probes[0], 0,
                            PILLION_EVENT));
  assert_int_equal(finish_all(ex), TASKS + 1); /* and the post */
  for (int i = 0; i < TASKS; i++) assert_int_equal(probes[i].drops, 1);
  executor_free(ex);
  pool_free(pool);
  close(ends[1]);
}

/* The process has no chunk yet, and this spawn needs the first cell. */
TEST(spawn_without_memory_leaves_its_home_as_it_was) {
  pillion_pool pool = pool_new();
  pillion_executor home = executor_new();
  struct probe probe = {.ready_at = 1};
  fail_at = 0;
  assert_int_equal(pillion_pool_spawn(NULL, pool, home, &probing, &probe, 7,
                                      PILLION_EVENT),
                   PILLION_ENOMEM);
  assert_int_equal(probe.drops, 0);
  assert_int_equal(pool_stats(pool).live, 0);
  assert_true(readable(home)); /* its host may have counted the end */
  turn(home);
  assert_int_equal(progress.live, 0);
  pool_spawn(pool, home, &probe, 7, PILLION_EVENT);
  assert_ok(pillion_pool_join(pool, home, 0));
  assert_int_equal(turn(home), 1);
  assert_int_equal(progress.live, 0);
  executor_free(home);
  pool_free(pool);
}

TEST(every_allocation_may_fail) {
  int points = 0;
  for (;; points++) {
    fail_at = points;
    scenario();
    if (fail_at >= 0) break; /* there were fewer allocations */
    assert_int_equal(nothing_lives(state), 0);
  }
  fail_at = -1;
  /* The calls report most failures. A deque that can't grow uses the inbox. */
  assert_in_range(out_of_memory, 4, points - 1);
}

int main(void) {
  guest_install();
  const pillion_allocator allocator = {failing_alloc, plainly_free, NULL};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.allocator = &allocator;
  if (pillion_start(&options, NULL, 0) < 0) return 1;
  return test_main();
}
