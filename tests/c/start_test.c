/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting with other options. A process starts once, so each case is this
 * program again, in a process of its own.
 */
#include <sys/resource.h>

#include "cases.h"

/* ---- An allocator that counts and can fail ------------------------------ */

static struct {
  _Atomic long allocs, frees, left; /* left < 0: never fails */
  char dummy;
} heap;

static void *count_alloc(size_t bytes, void *data) {
  must(data == &heap);
  if (heap.left == 0) return NULL;
  if (heap.left > 0) heap.left--;
  heap.allocs++;
  return malloc(bytes);
}

static void count_free(void *memory, void *data) {
  must(data == &heap);
  must(memory != NULL);
  heap.frees++;
  free(memory);
}

static const pillion_allocator counting = {count_alloc, count_free, &heap};

static int nothing_to_allocate(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  char reason[100] = "";
  options.allocator = &counting;
  heap.left = 0;
  must(pillion_start(&options, reason, sizeof reason) == PILLION_ENOMEM);
  must(strlen(reason) > 0);
  /* The failed start has changed nothing: with memory the next one works. */
  heap.left = -1;
  must(pillion_start(&options, NULL, 0) == 0);
  must(heap.allocs > 0);
  return 0;
}

static int a_failed_start_leaves_no_allocator_behind(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_executor ex;
  options.allocator = &counting;
  heap.left = 0;
  must(pillion_start(&options, NULL, 0) == PILLION_ENOMEM);
  must(pillion_start(NULL, NULL, 0) == 0);
  must(pillion_executor_new(&ex, NULL, NULL, 0) == 0);
  must(pillion_executor_free(ex) == 0);
  must(heap.allocs == 0 && heap.frees == 0);
  return 0;
}

/* For every n the n-th allocation fails. */
static int memory_runs_out(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_function echo = 0;
  int finished = 0;
  static char request[100];
  options.allocator = &counting;
  for (long n = 0; !finished && n < 200; n++) {
    pillion_executor ex = 0;
    pillion_event event;
    struct probe probe = {.ready_at = 1};
    int rc, spawned = 0;
    heap.left = n;
    rc = pillion_start(&options, NULL, 0);
    if (rc == 0) rc = pillion_function_find(&echo, "test.echo");
    if (rc == 0) rc = pillion_executor_new(&ex, NULL, NULL, 0);
    if (rc == 0)
      rc = pillion_task_spawn(NULL, ex, &probing, &probe, 1,
                              PILLION_EVENT);
    spawned = ex != 0 && rc == 0;
    if (rc == 0)
      rc = pillion_call_submit(NULL, ex, echo, request, sizeof request, 2,
                               PILLION_EVENT);
    if (rc < 0 && rc != PILLION_ENOMEM)
      fprintf(stderr, "allocation %ld: %s\n", n, pillion_strerror(rc));
    must(rc == 0 || rc == PILLION_ENOMEM);
    if (rc == 0) {
      int calls = 0;
      finished = 1;
      while (!calls) {
        readable(ex, 10000);
        rc = pillion_executor_turn(&event, 1, NULL, ex, NULL);
        must(rc >= 0);
        if (rc != 1 || event.token != 2) continue;
        calls = 1;
        must(event.status == 0 || event.status == PILLION_ENOMEM);
        if (event.status < 0) finished = 0;
      }
    }
    heap.left = -1;
    if (ex != 0) must(pillion_executor_free(ex) == 0);
    must(probe.drops == spawned);
  }
  must(finished);
  return 0;
}

static int all_payloads_are_freed(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_function f;
  options.allocator = &counting;
  heap.left = -1;
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.echo") == 0);
  for (int round = 0; round < 2; round++) {
    long kept = heap.allocs - heap.frees;
    for (int i = 0; i < 200; i++) {
      static char request[1000];
      pillion_value value;
      must(pillion_call_wait(&value, f, request, sizeof request,
                             LONG_ENOUGH) == 0);
      must(value.length == sizeof request);
      pillion_value_drop(&value);
    }
    /* The first round may keep chunks of nodes. */
    if (round == 1) must(heap.allocs - heap.frees == kept);
  }
  must(heap.allocs >= 800);
  must(pillion_library_count(&counts) == 0);
  must(counts.payloads == 0 && counts.calls == 0);
  return 0;
}

/* ---- Quotas ------------------------------------------------------------- */

static int a_short_ring_asks_to_come_again(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_function f;
  pillion_executor ex;
  struct seen *seen = calloc(1, sizeof *seen);
  pillion_call calls[64];
  int refused = 0;
  options.ring = 4;
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_executor_new(&ex, NULL, NULL, 0) == 0);
  for (int i = 0; i < 64; i++) calls[i] = (pillion_call){f, i, 0, 0};
  for (int round = 0; round < 100; round++) {
    size_t done = 0;
    seen->count = 0;
    while (done < 64) {
      int n = pillion_call_batch(NULL, ex, calls + done, 64 - done, NULL,
                                 PILLION_EVENT);
      must(n > 0 || n == PILLION_EAGAIN);
      refused += n == PILLION_EAGAIN || (size_t)n < 64 - done;
      if (n > 0) done += n;
      if (n < 0) sched_yield();
    }
    must(pillion_poll_run(ex, see, seen) == 0);
    must(seen->count == 64);
  }
  must(refused > 0);
  must(pillion_executor_free(ex) == 0);
  free(seen);
  return 0;
}

static int requests_over_the_limit_are_too_large(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  static char request[101];
  pillion_function f;
  pillion_value value;
  options.max_request = 100;
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_wait(&value, f, request, 100, LONG_ENOUGH) == 0);
  must(value.status == 0 && value.length == 100);
  pillion_value_drop(&value);
  must(pillion_call_wait(&value, f, request, 101, LONG_ENOUGH) ==
       PILLION_EMSGSIZE);
  must(pillion_call_submit(NULL, 0, f, request, SIZE_MAX, 0, PILLION_DETACH) ==
       PILLION_EMSGSIZE);
  return 0;
}

static int calls_over_the_process_limit_come_again(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_task tasks[5];
  pillion_function f, echo;
  pillion_value value;
  options.max_calls = 5;
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.block") == 0);
  must(pillion_function_find(&echo, "test.echo") == 0);
  for (int i = 0; i < 5; i++)
    must(pillion_call_submit(&tasks[i], 0, f, "", 0, 0, PILLION_JOIN) == 0);
  must(pillion_call_submit(NULL, 0, f, "", 0, 0, PILLION_JOIN) ==
       PILLION_EAGAIN);
  for (int i = 0; i < 5; i++) {
    must(pillion_task_cancel(tasks[i]) == 0);
    must(pillion_task_wait(&value, tasks[i], LONG_ENOUGH) == 0);
    must(value.status == PILLION_ECANCELLED);
  }
  must(pillion_call_wait(&value, echo, "x", 1, LONG_ENOUGH) == 0);
  return 0;
}

static int a_ring_that_cannot_be_is_refused(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  char reason[100] = "";
  options.ring = 1000; /* no power of two */
  must(pillion_start(&options, reason, sizeof reason) == PILLION_EINVAL);
  must(strlen(reason) > 0);
  options.ring = 0;
  must(pillion_start(&options, NULL, 0) == 0);
  return 0;
}

static int without_descriptors_the_system_is_to_blame(void) {
  struct rlimit limit = {0, 0}, old;
  pillion_executor_options no_fd = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex = 0;
  char reason[100] = "";
  no_fd.flags = PILLION_NO_FD;
  must(pillion_start(NULL, NULL, 0) == 0);
  must(getrlimit(RLIMIT_NOFILE, &old) == 0);
  limit.rlim_max = old.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  must(pillion_executor_new(&ex, NULL, reason, sizeof reason) ==
       PILLION_ESYSTEM);
  must(strlen(reason) > 0);
  must(ex == 0);
  must(pillion_executor_new(&ex, &no_fd, NULL, 0) == 0);
  must(pillion_executor_free(ex) == 0);
  must(setrlimit(RLIMIT_NOFILE, &old) == 0);
  must(pillion_executor_new(&ex, NULL, NULL, 0) == 0);
  must(pillion_executor_free(ex) == 0);
  return 0;
}

static int all_executors_can_be_had_and_no_more(void) {
  pillion_executor_options no_fd = PILLION_EXECUTOR_OPTIONS_INIT;
  static pillion_executor all[5000];
  int n = 0, rc;
  no_fd.flags = PILLION_NO_FD;
  while ((rc = pillion_executor_new(&all[n], &no_fd, NULL, 0)) == 0)
    must(++n < 5000);
  must(rc == PILLION_EAGAIN);
  must(n == 4095);
  must(pillion_executor_free(all[7]) == 0);
  must(pillion_executor_new(&all[7], &no_fd, NULL, 0) == 0);
  for (int i = 0; i < n; i++) must(pillion_executor_free(all[i]) == 0);
  return 0;
}

static int the_first_use_starts(void) {
  pillion_function f;
  pillion_value value;
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_wait(&value, f, "x", 1, LONG_ENOUGH) == 0);
  /* The first call has started the library: later options change nothing. */
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.max_request = 1;
  must(pillion_start(&options, NULL, 0) == 0);
  must(pillion_call_wait(&value, f, "xyz", 3, LONG_ENOUGH) == 0);
  must(value.length == 3);
  return 0;
}

static void *start_and_ask(void *arg) {
  pillion_function f;
  pillion_value value;
  must(pillion_start(NULL, NULL, 0) == 0);
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_wait(&value, f, "x", 1, LONG_ENOUGH) == 0);
  return NULL;
}

static int many_threads_start_at_once(void) {
  pthread_t threads[16];
  for (int i = 0; i < 16; i++)
    must(pthread_create(&threads[i], NULL, start_and_ask, NULL) == 0);
  for (int i = 0; i < 16; i++) must(pthread_join(threads[i], NULL) == 0);
  return 0;
}

/* ---- Running them ------------------------------------------------------- */

static const struct test_case cases[] = {
    CASE(nothing_to_allocate),
    CASE(a_failed_start_leaves_no_allocator_behind),
    CASE(memory_runs_out),
    CASE(all_payloads_are_freed),
    CASE(a_short_ring_asks_to_come_again),
    CASE(requests_over_the_limit_are_too_large),
    CASE(calls_over_the_process_limit_come_again),
    CASE(a_ring_that_cannot_be_is_refused),
    CASE(without_descriptors_the_system_is_to_blame),
    CASE(all_executors_can_be_had_and_no_more),
    CASE(the_first_use_starts),
    CASE(many_threads_start_at_once),
};

int main(int argc, char **argv) {
  return run_cases(argc, argv, cases, COUNT(cases), in_a_process_of_its_own);
}
