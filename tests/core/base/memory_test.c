/* SPDX-License-Identifier: Apache-2.0 */

/* An allocator that counts, and one that fails at every point in turn. */
#include "support.h"

static int allocations, frees;
static int fail_at = -1; /* counts down to the one that fails; -1: none */

static void *counting_alloc(size_t bytes, void *data) {
  assert_ptr_equal(data, &allocations);
  if (fail_at >= 0 && fail_at-- == 0) return NULL;
  allocations++;
  return malloc(bytes);
}

static void counting_free(void *memory, void *data) {
  assert_ptr_equal(data, &allocations);
  frees++;
  free(memory);
}

static pillion_function echo;

TEST(start_without_memory_can_be_repeated) {
  const pillion_allocator allocator = {counting_alloc, counting_free,
                                       &allocations};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.allocator = &allocator;
  char why[200] = "";
  fail_at = 0;
  assert_int_equal(pillion_start(&options, why, sizeof why), PILLION_ENOMEM);
  assert_string_not_equal(why, "");
  assert_ok(pillion_start(&options, why, sizeof why));
  assert_int_equal(allocations, 1);
  assert_ok(pillion_function_find(&echo, "test.echo"));
}

static int steps, out_of_memory;

/* Repeats the call until there is memory. Any other error fails the test. */
#define INSIST(expression)                            \
  do {                                                \
    int insist_rc;                                    \
    steps++;                                          \
    while ((insist_rc = (expression)) == PILLION_ENOMEM) \
      out_of_memory++;                                \
    assert_true(insist_rc >= 0);                      \
  } while (0)

/* The process has no chunk yet: each kind's first allocation fails once. */
TEST(failures_before_there_are_any_chunks) {
  for (int point = 0; point < 8; point++) {
    fail_at = point;
    pillion_executor ex;
    struct probe probe = {.ready_at = 1};
    INSIST(pillion_executor_new(&ex, NULL, NULL, 0));
    INSIST(pillion_task_spawn(NULL, ex, &probing, &probe, 0, PILLION_EVENT));
    INSIST(pillion_call_submit(NULL, ex, echo, "x", 1, 0, PILLION_DETACH));
    assert_int_equal(turn(ex), 1);
    executor_free(ex);
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  }
  fail_at = -1;
}

static void counts_drop(void *data) { ++*(int *)data; }

GIVEN(an_executor, hooks_that_find_no_memory_leave_the_earlier_ones) {
  int drops = 0;
  pillion_host host = PILLION_HOST_INIT, now = PILLION_HOST_INIT;
  host.data = &drops;
  host.drop = counts_drop;
  assert_ok(pillion_host_set(ex, &host));
  fail_at = 0;
  assert_int_equal(pillion_host_set(ex, &host), PILLION_ENOMEM);
  assert_int_equal(drops, 0);
  assert_ok(pillion_host_get(&now, ex));
  assert_ptr_equal(now.data, &drops);
  fail_at = 0;
  assert_ok(pillion_host_set(ex, NULL));
  assert_int_equal(drops, 1);
  fail_at = -1;
  executor_free(ex);
  assert_int_equal(drops, 1);
}

GIVEN(an_executor, single_task_in_steady_state_allocates_nothing) {
  struct probe probe = {.ready_at = 1};
  for (int i = 0; i < 10000; i++) {
    if (i == 1) allocations = frees = 0;
    probe.polls = 0;
    spawn(ex, &probe, 0, i % 2 ? PILLION_EVENT : PILLION_DETACH);
    assert_int_equal(turn(ex), i % 2);
  }
  assert_int_equal(allocations, 0);
  assert_int_equal(frees, 0);
}

GIVEN(an_executor, thousand_tasks_in_steady_state_allocate_nothing) {
  enum { N = 1000 };
  static struct probe probes[N];
  for (int round = 0; round < 20; round++) {
    if (round == 1) allocations = 0;
    memset(probes, 0, sizeof probes);
    for (int i = 0; i < N; i++) {
      probes[i].ready_at = 3;
      spawn(ex, &probes[i], 0, (uint32_t)i % 3);
    }
    do turn(ex);
    while (progress.more);
    for (int wakes = 0; wakes < 2; wakes++) {
      for (int i = 0; i < N; i++)
        (i % 2 ? pillion_wake : pillion_wake_local)(probes[i].waker);
      do turn(ex);
      while (progress.more);
    }
    for (int i = 1; i < N; i += 3) assert_ok(pillion_task_detach(probes[i].task));
    assert_int_equal(library_counts().tasks, 0);
  }
  assert_int_equal(allocations, 0);
}

GIVEN(an_executor, calls_in_steady_state_allocate_only_for_long_payloads) {
  char request[100] = {0};
  for (int round = 0; round < 50; round++) {
    if (round == 1) allocations = frees = 0;
    for (int i = 0; i < 20; i++)
      assert_ok(pillion_call_submit(NULL, ex, echo, request,
                                    i == 0 ? sizeof request : PILLION_INLINE, 0,
                                    PILLION_EVENT));
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 20);
    for (int i = 0; i < 20; i++) {
      assert_true(job_take_up(&jobs[i]));
      job_echo(&jobs[i]);
    }
    assert_int_equal(turn(ex), 20);
    turn(ex);
  }
  assert_int_equal(allocations, 2 * 49);
  assert_int_equal(frees, 2 * 49);
}

/* Its request, its items to the host, and those from it; the last first. */
GIVEN(an_executor, a_call_without_memory_for_its_flows_leaves_none) {
  char request[100] = {0};
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  assert_ok(pillion_function_find(&o.function, "flow.both"));
  o.request = request;
  o.length = sizeof request;
  o.flags = PILLION_SENDING;
  o.credit = 4;
  for (int round = 0; round < 3; round++) { /* the first makes the chunk */
    for (fail_at = 2; round > 0 && fail_at >= 0;) {
      int point = fail_at;
      allocations = frees = 0;
      assert_int_equal(pillion_call_submit_with(NULL, ex, &o), PILLION_ENOMEM);
      assert_int_equal(allocations, point);
      assert_int_equal(frees, point);
      fail_at = point - 1;
    }
    fail_at = -1;
    assert_ok(pillion_call_submit_with(NULL, ex, &o));
    assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
    assert_true(job_take_up(&jobs[0]));
    job_echo(&jobs[0]);
    while (library_counts().calls > 0) turn(ex);
  }
}

/* Cells come in chunks of 1,024; the ring would have grown six times. */
TEST(spawns_of_a_known_load_allocate_nothing) {
  enum { N = 3000 };
  static struct probe probes[N];
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.ready = N;
  ex = executor_with(&options);
  allocations = 0;
  spawn_each(ex, probes, N, NULL);
  assert_int_equal(allocations, 0);
}

static int arms(struct probe *probe, pillion_value *out, pillion_context *cx) {
  probe->rc = pillion_timer_set(&probe->timer, cx, cx->now + probe->polls);
  return PILLION_PENDING;
}

TEST(timers_allocate_nothing) {
  ex = executor_at(SECOND);
  static struct probe probe = {.step = arms};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  allocations = 0;
  for (int i = 0; i < 1000; i++) {
    virtual_now += 1000;
    turn(ex);
  }
  assert_int_equal(probe.polls, 1001);
  assert_int_equal(probe.rc, 0);
  assert_int_equal(allocations, 0);
}

/* The table of descriptors grows by a copy; the smaller table is freed. */
GIVEN(an_executor, watches_of_high_descriptors_free_the_smaller_tables) {
  const int least[] = {3, 100, 300};
  pillion_watch watches[COUNT(least)];
  int fds[COUNT(least)];
  for (size_t i = 0; i < COUNT(least); i++) {
    if (i == 1) allocations = frees = 0;
    fds[i] = fcntl(0, F_DUPFD_CLOEXEC, least[i]);
    assert_ok(pillion_watch_open(&watches[i], ex, fds[i], 0));
  }
  assert_int_equal(allocations, 2);
  assert_int_equal(frees, 2);
  for (size_t i = 0; i < COUNT(least); i++) {
    assert_ok(pillion_watch_close(watches[i]));
    close(fds[i]);
  }
}

/* ---- Failures ------------------------------------------------------------ */

static void host_dropped(void *data) { ++*(int *)data; }

static void heard(int level, const char *text, void *data) {
}

/* Enough of everything that each kind of memory has to grow. */
static void scenario(void) {
  enum { TASKS = 3000, CALLS = 40 };
  static struct probe probes[TASKS];
  char request[100];
  memset(request, 'r', sizeof request);
  memset(probes, 0, sizeof probes);
  pillion_executor ex;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.ready = 100;
  INSIST(pillion_executor_new(&ex, &options, NULL, 0));
  int drops = 0;
  pillion_host host = PILLION_HOST_INIT;
  host.data = &drops;
  host.drop = host_dropped;
  INSIST(pillion_host_set(ex, &host));
  INSIST(pillion_log_set(heard, NULL, NULL));
  for (int i = 0; i < TASKS; i++) {
    probes[i].ready_at = 1;
    INSIST(pillion_task_spawn(&probes[i].task, ex, &probing, &probes[i],
                              (uint64_t)i, PILLION_EVENT));
  }
  for (int i = 0; i < CALLS; i++)
    INSIST(pillion_call_submit(NULL, ex, echo, request, sizeof request, 0,
                               PILLION_EVENT));
  int n = pillion__ring_take(jobs, COUNT(jobs));
  assert_int_equal(n, CALLS);
  int lost = 0, ended = 0;
  for (int i = 0; i < n; i++) {
    assert_true(job_take_up(&jobs[i]));
    job_echo(&jobs[i]);
  }
  uint64_t next = 0;
  do {
    n = turn(ex);
    for (int i = 0; i < n; i++) {
      if (events[i].length == 4) {
        assert_int_equal(events[i].token, next++);
        continue;
      }
      ended++;
      if (events[i].status == PILLION_ENOMEM) { /* its result found no memory */
        lost++;
        assert_int_equal(events[i].length, 0);
      } else {
        assert_memory_equal(pillion_event_data(&events[i]), request,
                            sizeof request);
      }
    }
  } while (progress.more);
  assert_int_equal(next, TASKS);
  assert_int_equal(ended, CALLS);
  out_of_memory += lost;
  assert_int_equal(progress.live, 0);
  INSIST(pillion_log_set(NULL, NULL, NULL));
  executor_free(ex);
  assert_int_equal(drops, 1);
  for (int i = 0; i < TASKS; i++) assert_int_equal(probes[i].drops, 1);
}

TEST(every_allocation_may_fail) {
  int points = 0;
  for (;; points++) {
    out_of_memory = 0;
    fail_at = points;
    scenario();
    if (fail_at >= 0) break; /* the scenario made fewer allocations */
    assert_int_equal(out_of_memory, 1);
    assert_int_equal(library_counts().executors, 0);
    assert_int_equal(library_counts().payloads, 0);
  }
  fail_at = -1;
  assert_true(points > 2 * 40);
}
