/* SPDX-License-Identifier: Apache-2.0 */

/*
 * More calls block in the system than there may be threads. Each case is this
 * program again, in a process of its own.
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "cases.h"

#define MOST 10500

static pillion_function reads;
static pillion_task tasks[MOST];
static int gate[2], begun[2]; /* pipes */

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * SECOND + time.tv_nsec;
}

static void open_pipes(uint32_t max_workers) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.max_workers = max_workers;
  must(pipe(gate) == 0 && pipe(begun) == 0);
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_function_find(&reads, "test.read") == 0);
}

/* Starts call `i`, which writes to `begun` and ends with a byte from `gate`. */
static void begin(int i, int64_t deadline) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  char request[64];
  options.function = reads;
  options.request = request;
  options.length = (size_t)snprintf(request, sizeof request, "%d %d %d",
                                    gate[0], begun[1], i);
  options.flags = PILLION_JOIN;
  options.deadline = deadline;
  must(pillion_call_submit_with(&tasks[i], 0, &options) == 0);
}

/* Waits for the next call to begin. */
static int begins(void) {
  unsigned char number[2];
  must(read(begun[0], number, 2) == 2);
  return number[0] | number[1] << 8;
}

static bool none_begins(void) {
  struct pollfd watched = {begun[0], POLLIN, 0};
  return poll(&watched, 1, 0) == 0;
}

static void ends(int i, int32_t status) {
  pillion_value value;
  must(pillion_task_wait(&value, tasks[i], LONG_ENOUGH) == 0);
  must(value.status == status);
  pillion_value_drop(&value);
}

static void let_go(int n) {
  static char bytes[MOST];
  must(write(gate[1], bytes, (size_t)n) == n);
}

static pillion_library_counts counts_now(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  must(pillion_library_count(&counts) == 0);
  return counts;
}

/* ---- A bound that was asked for ------------------------------------------ */

static int calls_over_the_bound_wait_in_their_order(void) {
  bool seen[4] = {false};
  open_pipes(4);
  for (int i = 0; i < 12; i++) begin(i, PILLION_TIME_NEVER);
  for (int i = 0; i < 4; i++) seen[begins()] = true;
  must(seen[0] && seen[1] && seen[2] && seen[3]);
  must(counts_now().workers == 4);
  must(counts_now().max_workers == 4);
  must(counts_now().threads >= 4);
  for (int i = 4; i < 12; i++) {
    must(none_begins());
    let_go(1);
    must(begins() == i);
  }
  let_go(4);
  for (int i = 0; i < 12; i++) ends(i, 0);
  return 0;
}

static int a_call_that_waits_is_ended_at_once(void) {
  open_pipes(1);
  begin(0, PILLION_TIME_NEVER);
  must(begins() == 0);
  begin(1, PILLION_TIME_NEVER);
  begin(2, now() + MS);
  begin(3, PILLION_TIME_NEVER);
  must(pillion_task_cancel(tasks[1]) == 0);
  ends(1, PILLION_ECANCELLED);
  ends(2, PILLION_ETIMEDOUT);
  must(none_begins());
  let_go(1);
  must(begins() == 3);
  let_go(1);
  ends(0, 0);
  ends(3, 0);
  return 0;
}

static int a_deadline_ends_a_call_that_runs_too(void) {
  pillion_value value;
  pillion_function block;
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  open_pipes(1);
  must(pillion_function_find(&block, "test.block") == 0);
  options.function = block;
  options.flags = PILLION_JOIN;
  options.deadline = now() + 5 * MS;
  must(pillion_call_submit_with(&tasks[0], 0, &options) == 0);
  must(pillion_task_wait(&value, tasks[0], LONG_ENOUGH) == 0);
  must(value.status == PILLION_ETIMEDOUT);
  return 0;
}

/* ---- The default --------------------------------------------------------- */

static void all_end(int n) {
  for (int i = 0; i < n; i++) begin(i, PILLION_TIME_NEVER);
  uint64_t bound = counts_now().max_workers;
  must(bound < (uint64_t)n);
  for (uint64_t i = 0; i < bound; i++) begins();
  must(counts_now().workers == bound);
  let_go(n);
  for (uint64_t i = bound; i < (uint64_t)n; i++) begins();
  for (int i = 0; i < n; i++) ends(i, 0);
}

static int go_has_threads_left(void) {
  open_pipes(0);
  must(counts_now().max_workers <= 8192);
  for (int burst = 0; burst < 2; burst++) {
    all_end(MOST);
    while (counts_now().threads > 300) sched_yield(); /* the others have ended */
  }
  return 0;
}

/* Limits on processes don't bind root, so another user runs this. */
static int the_user_has_threads_left(void) {
  uid_t user = 20000 + (uid_t)getpid() % 40000;
  struct rlimit limit = {40, 40};
  if (geteuid() != 0) return 0;
  must(setrlimit(RLIMIT_NPROC, &limit) == 0);
  must(setgid(user) == 0 && setuid(user) == 0);
  open_pipes(0);
  must(counts_now().max_workers > 1 && counts_now().max_workers < 16);
  all_end(200);
  must(counts_now().threads < 40);
  return 0;
}

/* ---- Processors ---------------------------------------------------------- */

static long number(const char *name, const char *request) {
  char text[32] = "";
  pillion_value value;
  pillion_function f;
  must(pillion_function_find(&f, name) == 0);
  must(pillion_call_wait(&value, f, request, strlen(request), LONG_ENOUGH) ==
       0);
  must(value.status == 0 && value.length < sizeof text);
  memcpy(text, pillion_value_data(&value), value.length);
  pillion_value_drop(&value);
  return strtol(text, NULL, 10);
}

/* Starts eight calls that compute. Answers how many of them run at a time. */
static long most_computing(void) {
  pillion_function crowd;
  pillion_value value;
  must(pillion_function_find(&crowd, "test.crowd") == 0);
  for (int i = 0; i < 8; i++)
    must(pillion_call_submit(&tasks[i], 0, crowd, "10", 2, 0, PILLION_JOIN) ==
         0);
  for (int i = 0; i < 8; i++) {
    must(pillion_task_wait(&value, tasks[i], LONG_ENOUGH) == 0);
    pillion_value_drop(&value);
  }
  return number("test.crowd", "0");
}

/* Runs in a process with one processor. */
static int one_is_left_for_the_loop(void) {
  must(number("test.processors", "") == 2);
  must(most_computing() == 1);
  must(pillion_shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH) == 0);
  must(pillion_start(NULL, NULL, 0) == 0);
  must(number("test.processors", "") == 2); /* a second start adds none */
  must(most_computing() == 1);
  return 0;
}

/* Runs with GOMAXPROCS=3. */
static int what_the_user_says_stays(void) {
  must(number("test.processors", "") == 3);
  must(most_computing() <= 3);
  return 0;
}

/* ---- Away from the processors -------------------------------------------- */

/* More calls than processors wait, away from their seats. Others compute. */
static int those_away_let_others_compute(void) {
  int n = (int)number("test.processors", "") + 2;
  open_pipes(0);
  must(pillion_function_find(&reads, "test.read_away") == 0);
  for (int i = 0; i < n; i++) begin(i, PILLION_TIME_NEVER);
  for (int i = 0; i < n; i++) begins();
  must(number("test.crowd", "0") == 1);
  must(counts_now().workers >= (uint64_t)n);
  let_go(n);
  for (int i = 0; i < n; i++) ends(i, 0);
  return 0;
}

/* Runs in a process with one processor. One may be away, and one has a seat. */
static int no_more_are_away_than_may_block(void) {
  open_pipes(1);
  must(pillion_function_find(&reads, "test.read_away") == 0);
  for (int i = 0; i < 3; i++) begin(i, PILLION_TIME_NEVER);
  must(begins() + begins() == 1); /* 0 and 1 */
  must(none_begins());
  let_go(1);
  must(begins() == 2);
  let_go(2);
  for (int i = 0; i < 3; i++) ends(i, 0);
  return 0;
}

/* ---- Running them -------------------------------------------------------- */

static const struct test_case cases[] = {
    CASE(calls_over_the_bound_wait_in_their_order),
    CASE(a_call_that_waits_is_ended_at_once),
    CASE(a_deadline_ends_a_call_that_runs_too),
    CASE(go_has_threads_left),
    CASE(the_user_has_threads_left),
    CASE(one_is_left_for_the_loop),
    CASE(what_the_user_says_stays),
    CASE(those_away_let_others_compute),
    CASE(no_more_are_away_than_may_block),
};

static void on_a_machine_of_its_own(void **state) {
  const char *name = ((const struct test_case *)*state)->name;
  cpu_set_t all, first;
  CPU_ZERO(&first);
  assert_ok(sched_getaffinity(0, sizeof all, &all));
  for (int i = 0; CPU_COUNT(&first) == 0; i++)
    if (CPU_ISSET(i, &all)) CPU_SET(i, &first);
  assert_ok(unsetenv("GOMAXPROCS"));
  if (strcmp(name, "one_is_left_for_the_loop") == 0 ||
      strcmp(name, "no_more_are_away_than_may_block") == 0 ||
      strcmp(name, "the_user_has_threads_left") == 0) /* fewer of Go's threads */
    assert_ok(sched_setaffinity(0, sizeof first, &first));
  if (strcmp(name, "what_the_user_says_stays") == 0)
    assert_ok(setenv("GOMAXPROCS", "3", 1));
  int rc = run_self(name);
  assert_ok(unsetenv("GOMAXPROCS"));
  assert_ok(sched_setaffinity(0, sizeof all, &all));
  assert_int_equal(rc, 0);
}

int main(int argc, char **argv) {
  return run_cases(argc, argv, cases, COUNT(cases),
                   on_a_machine_of_its_own);
}
