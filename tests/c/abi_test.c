/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The edges of the ABI: every function gets what no caller should pass. Nothing
 * may crash, and the answer is the one that the header names.
 */
#include "support.h"

/* ---- Handles ------------------------------------------------------------ */

/* One of each kind, alive, and one of each, dead. */
struct zoo {
  pillion_executor ex, dead_ex;
  pillion_task task, dead_task; /* C tasks */
  pillion_task call, dead_call; /* without an executor */
  pillion_function fn;
  pillion_waker waker, dead_waker;
  pillion_watch watch, dead_watch;
  struct probe probe;
};

static struct zoo zoo;

static void close_zoo(void) {
  pillion_value value;
  assert_ok(pillion_task_cancel(zoo.call));
  assert_ok(pillion_task_wait(&value, zoo.call, LONG_ENOUGH));
  pillion_value_drop(&value);
  executor_free(zoo.ex);
  assert_int_equal(zoo.probe.drops, 1);
}

static void a_zoo(void) {
  struct probe gone = {.ready_at = 1};
  struct seen seen = {0};
  pillion_value value;
  memset(&zoo, 0, sizeof zoo);
  zoo.fn = function("test.echo");
  zoo.ex = executor_new();
  zoo.task = spawn(zoo.ex, &zoo.probe, 0, PILLION_EVENT);
  turn(zoo.ex, &seen, NULL);
  zoo.waker = zoo.probe.waker;
  zoo.call = submit(0, "test.block", "", 0, PILLION_JOIN);
  assert_ok(pillion_watch_open(&zoo.watch, zoo.ex, dup(0), PILLION_WATCH_OWN));
  zoo.dead_ex = executor_new();
  assert_ok(pillion_watch_open(&zoo.dead_watch, zoo.dead_ex, dup(0),
                               PILLION_WATCH_OWN));
  zoo.dead_task = spawn(zoo.dead_ex, &gone, 0, PILLION_EVENT);
  run(zoo.dead_ex, &seen);
  zoo.dead_waker = gone.waker;
  executor_free(zoo.dead_ex);
  zoo.dead_call = submit(0, "test.echo", "x", 0, PILLION_JOIN);
  assert_ok(pillion_task_wait(&value, zoo.dead_call, LONG_ENOUGH));
  afterwards(close_zoo);
}

static size_t forged(uint64_t *out, uint64_t real) {
  size_t n = 0;
  out[n++] = 0;
  out[n++] = 1;
  out[n++] = UINT64_MAX;
  out[n++] = UINT64_C(0xdeadbeefdeadbeef);
  for (int bit = 0; bit < 64; bit++) out[n++] = real ^ UINT64_C(1) << bit;
  out[n++] = (real & 0xff000000ffffffff) | UINT64_C(0x00ffffff00000000);
  out[n++] = real & UINT64_C(0xffffffff00000000);
  return n;
}

static void try_executor(pillion_executor ex, const char *what) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_host host = PILLION_HOST_INIT;
  pillion_call call = {zoo.fn, 0, 0, 0};
  struct probe probe = {0};
  pillion_event event;
  pillion_watch watch;
  int64_t deadline;
  uint64_t live;
  int fd;
  const int got[] = {
      pillion_executor_fd(&fd, ex),
      pillion_executor_live(&live, ex),
      pillion_executor_deadline(&deadline, ex),
      pillion_executor_turn(&event, 1, &progress, ex, NULL),
      pillion_host_set(ex, &host),
      pillion_host_set(ex, NULL),
      pillion_host_get(&host, ex),
      pillion_executor_ready(ex, zoo.watch, PILLION_READABLE),
      pillion_watch_open(&watch, ex, 0, 0),
      pillion_executor_bind(ex),
      pillion_executor_release(ex),
      pillion_executor_close(ex, PILLION_CLOSE_DRAIN),
      pillion_executor_free(ex),
      pillion_executor_stat(&stats, ex),
      pillion_task_spawn(NULL, ex, &probing, &probe, 0, PILLION_EVENT),
      ex == 0 ? PILLION_EBADHANDLE
              : pillion_call_submit(NULL, ex, zoo.fn, "", 0, 0, PILLION_EVENT),
      ex == 0 ? PILLION_EBADHANDLE
              : pillion_call_batch(NULL, ex, &call, 1, NULL, PILLION_EVENT),
  };
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EBADHANDLE)
      print_error("%s executor %#" PRIx64 ", function %zu\n", what, ex, i);
    assert_int_equal(got[i], PILLION_EBADHANDLE);
  }
}

static void try_watch(pillion_watch watch, const char *what) {
  const int got[] = {
      pillion_watch_close(watch),
      pillion_executor_ready(zoo.ex, watch, PILLION_READABLE),
  };
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EBADHANDLE)
      print_error("%s watch %#" PRIx64 ", function %zu\n", what, watch, i);
    assert_int_equal(got[i], PILLION_EBADHANDLE);
  }
}

static void try_task(pillion_task task, const char *what) {
  pillion_value value;
  const int got[] = {
      pillion_task_cancel(task),
      pillion_task_detach(task),
      pillion_task_evict(task),
      pillion_task_wait(&value, task, 0),
  };
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EBADHANDLE)
      print_error("%s task %#" PRIx64 ", function %zu\n", what, task, i);
    assert_int_equal(got[i], PILLION_EBADHANDLE);
  }
}

static void try_function(pillion_function fn, const char *what) {
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  pillion_call call = {fn, 0, 0, 0};
  pillion_value value;
  const int got[] = {
      pillion_function_describe(&info, fn),
      pillion_call_submit(NULL, zoo.ex, fn, "", 0, 0, PILLION_EVENT),
      pillion_call_submit(NULL, 0, fn, "", 0, 0, PILLION_JOIN),
      pillion_call_batch(NULL, zoo.ex, &call, 1, NULL, PILLION_EVENT),
      pillion_call_wait(&value, fn, "", 0, LONG_ENOUGH),
  };
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EBADHANDLE)
      print_error("%s function %#" PRIx64 ", function %zu\n", what, fn, i);
    assert_int_equal(got[i], PILLION_EBADHANDLE);
  }
}

/* A forged generation may look like that of a task that is gone. */
static void try_waker(pillion_waker waker, const char *what, int stale) {
  int got[] = {pillion_wake(waker), pillion_wake_local(waker)};
  for (size_t i = 0; i < COUNT(got); i++) {
    if (stale && got[i] == PILLION_STALE) continue;
    if (got[i] != PILLION_EBADHANDLE)
      print_error("%s waker %#" PRIx64 ", function %zu\n", what, waker, i);
    assert_int_equal(got[i], PILLION_EBADHANDLE);
  }
}

GIVEN(a_zoo, zero_handles_are_refused_everywhere) {
  try_executor(0, "zero");
  try_task(0, "zero");
  try_watch(0, "zero");
  try_function(0, "zero");
  try_waker(0, "zero", 0);
}

GIVEN(a_zoo, stale_handles_are_refused_everywhere) {
  try_executor(zoo.dead_ex, "stale");
  try_task(zoo.dead_task, "stale");
  try_watch(zoo.dead_watch, "stale");
  try_task(zoo.dead_call, "stale");
  assert_int_equal(pillion_wake(zoo.dead_waker), PILLION_STALE);
}

GIVEN(a_zoo, handles_of_the_wrong_kind_are_refused_everywhere) {
  const uint64_t all[] = {zoo.ex, zoo.task,  zoo.call,
                          zoo.fn, zoo.waker, zoo.watch};
  for (size_t i = 0; i < COUNT(all); i++) {
    if (i != 0) try_executor(all[i], "wrong kind of");
    if (i != 1 && i != 2) try_task(all[i], "wrong kind of");
    if (i != 3) try_function(all[i], "wrong kind of");
    if (i != 4) try_waker(all[i], "wrong kind of", 0);
    if (i != 5) try_watch(all[i], "wrong kind of");
  }
  assert_int_equal(zoo.probe.polls, 1);
  assert_int_equal(zoo.probe.drops, 0);
}

GIVEN(a_zoo, forged_handles_are_refused_everywhere) {
  uint64_t handles[80];
  size_t n = forged(handles, zoo.ex);
  for (size_t i = 0; i < n; i++) try_executor(handles[i], "forged");
  n = forged(handles, zoo.fn);
  for (size_t i = 0; i < n; i++) {
    pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
    /* A forged slot may hit another function, which must be a real one. */
    if (pillion_function_describe(&info, handles[i]) == 0)
      assert_non_null(info.name);
    else
      try_function(handles[i], "forged");
  }
  n = forged(handles, zoo.call);
  for (size_t i = 0; i < n; i++)
    if (handles[i] != zoo.task) try_task(handles[i], "forged");
  n = forged(handles, zoo.task);
  for (size_t i = 0; i < n; i++)
    if (handles[i] != zoo.call) try_task(handles[i], "forged");
  n = forged(handles, zoo.watch);
  for (size_t i = 0; i < n; i++) try_watch(handles[i], "forged");
  n = forged(handles, zoo.waker);
  for (size_t i = 0; i < n; i++) /* a watch's cell accepts any wake */
    if ((handles[i] ^ zoo.watch) << 8 != 0) try_waker(handles[i], "forged", 1);
  assert_int_equal(zoo.probe.drops, 0);
}

GIVEN(a_zoo, tasks_of_the_other_kind_are_told_apart) {
  pillion_value value;
  /* A C task cannot be waited for, a call cannot be evicted. */
  assert_int_equal(pillion_task_wait(&value, zoo.task, 0), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_evict(zoo.call), PILLION_EBADHANDLE);
  /* Only what was started with PILLION_JOIN is detached. */
  assert_int_equal(pillion_task_detach(zoo.task), PILLION_EINVAL);
}

/* ---- Pointers and sizes ------------------------------------------------- */

GIVEN(a_zoo, null_out_pointers_are_refused) {
  pillion_call call = {zoo.fn, 0, 0, 0};
  const int got[] = {
      pillion_executor_new(NULL, NULL, NULL, 0),
      pillion_executor_fd(NULL, zoo.ex),
      pillion_executor_deadline(NULL, zoo.ex),
      pillion_executor_live(NULL, zoo.ex),
      pillion_executor_turn(NULL, 1, NULL, zoo.ex, NULL),
      pillion_executor_stat(NULL, zoo.ex),
      pillion_library_count(NULL),
      pillion_function_find(NULL, "test.echo"),
      pillion_function_list(NULL, 1),
      pillion_function_describe(NULL, zoo.fn),
      pillion_module_list(NULL, 1),
      pillion_call_wait(NULL, zoo.fn, "", 0, LONG_ENOUGH),
      pillion_task_wait(NULL, zoo.call, 0),
      pillion_failure_parse(NULL, "", 0),
      pillion_call_submit(NULL, zoo.ex, zoo.fn, NULL, 1, 0, PILLION_EVENT),
      pillion_call_batch(NULL, zoo.ex, NULL, 1, NULL, PILLION_EVENT),
      pillion_task_spawn(NULL, zoo.ex, NULL, NULL, 0, PILLION_EVENT),
  };
  pillion_function fn;
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EINVAL) print_error("function %zu\n", i);
    assert_int_equal(got[i], PILLION_EINVAL);
  }
  assert_int_equal(pillion_function_find(&fn, NULL), PILLION_EINVAL);
  assert_int_equal(
      pillion_call_batch(NULL, zoo.ex, &call, 0, NULL, PILLION_EVENT), 0);
}

GIVEN(a_zoo, structs_of_impossible_size_are_refused) {
  static const size_t sizes[] = {0, 1, sizeof(size_t) - 1};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    pillion_start_options start = PILLION_START_OPTIONS_INIT;
    pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
    pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
    pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
    pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
    pillion_progress progress = PILLION_PROGRESS_INIT;
    pillion_budget budget = PILLION_BUDGET_INIT;
    pillion_failure failure = PILLION_FAILURE_INIT;
    pillion_host host = PILLION_HOST_INIT;
    pillion_future future = probing;
    pillion_executor ex = 0;
    struct probe probe = {0};
    start.size = options.size = stats.size = counts.size = info.size =
        progress.size = budget.size = failure.size = host.size = future.size =
            sizes[i];
    static const char empty_failure[12];
    const int got[] = {
        pillion_start(&start, NULL, 0),
        pillion_executor_new(&ex, &options, NULL, 0),
        pillion_executor_stat(&stats, zoo.ex),
        pillion_library_count(&counts),
        pillion_function_describe(&info, zoo.fn),
        pillion_executor_turn(NULL, 0, &progress, zoo.ex, NULL),
        pillion_executor_turn(NULL, 0, NULL, zoo.ex, &budget),
        pillion_host_set(zoo.ex, &host),
        pillion_task_spawn(NULL, zoo.ex, &future, &probe, 0, PILLION_EVENT),
        pillion_failure_parse(&failure, empty_failure, sizeof empty_failure),
    };
    for (size_t j = 0; j < COUNT(got); j++) {
      if (got[j] != PILLION_EINVAL) print_error("struct %zu\n", j);
      assert_int_equal(got[j], PILLION_EINVAL);
    }
    assert_true(ex == 0);
  }
}

GIVEN(a_zoo, structs_shorter_than_the_first_versions_are_left_alone) {
  union {
    size_t size;
    pillion_executor_stats stats;
    pillion_library_counts counts;
    pillion_progress progress;
    pillion_function_info info;
    unsigned char bytes[256];
  } u;
  memset(&u, 0xaa, sizeof u);
  u.size = PILLION__FIRST_EXECUTOR_STATS - 1;
  assert_int_equal(pillion_executor_stat(&u.stats, zoo.ex), PILLION_EINVAL);
  u.size = PILLION__FIRST_LIBRARY_COUNTS - 1;
  assert_int_equal(pillion_library_count(&u.counts), PILLION_EINVAL);
  u.size = PILLION__FIRST_PROGRESS - 1;
  assert_int_equal(pillion_executor_turn(NULL, 0, &u.progress, zoo.ex, NULL),
                   PILLION_EINVAL);
  u.size = PILLION__FIRST_FUNCTION_INFO - 1;
  assert_int_equal(pillion_function_describe(&u.info, zoo.fn),
                   PILLION_EINVAL);
  for (size_t i = sizeof u.size; i < sizeof u; i++)
    assert_int_equal(u.bytes[i], 0xaa);
}

GIVEN(a_zoo, larger_structs_of_later_headers_are_filled_as_far_as_known) {
  union {
    pillion_executor_stats stats;
    pillion_library_counts counts;
    unsigned char bytes[512];
  } u;
  memset(&u, 0xaa, sizeof u);
  u.stats.size = sizeof u;
  assert_ok(pillion_executor_stat(&u.stats, zoo.ex));
  assert_int_equal(u.bytes[sizeof u - 1], 0xaa);
  memset(&u, 0xaa, sizeof u);
  u.counts.size = sizeof u;
  assert_ok(pillion_library_count(&u.counts));
  assert_int_equal(u.bytes[sizeof u - 1], 0xaa);
}

GIVEN(a_zoo, structs_of_the_first_version_are_filled_as_far_as_they_go) {
  union {
    pillion_library_counts counts;
    unsigned char bytes[256];
  } u;
  const size_t first = offsetof(pillion_library_counts, threads);
  memset(&u, 0xaa, sizeof u);
  u.counts.size = first;
  assert_ok(pillion_library_count(&u.counts));
  assert_int_equal(u.counts.size, first);
  assert_true(u.counts.executors >= 1 && u.counts.executors < 100);
  for (size_t i = first; i < sizeof u; i++)
    assert_int_equal(u.bytes[i], 0xaa);
}

GIVEN(a_zoo, unknown_flags_and_modes_are_refused) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_call call = {zoo.fn, 0, 0, 0};
  pillion_executor ex = 0;
  struct probe probe = {0};
  pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  options.flags = 1u << 31;
  const int got[] = {
      pillion_executor_new(&ex, &options, NULL, 0),
      pillion_executor_close(zoo.ex, 7),
      pillion_executor_close(zoo.ex, -1),
      pillion_shutdown(7, 0),
      pillion_call_submit(NULL, zoo.ex, zoo.fn, "", 0, 0, 77),
      pillion_call_batch(NULL, zoo.ex, &call, 1, NULL, 77),
      pillion_task_spawn(NULL, zoo.ex, &probing, &probe, 0, 77),
      pillion_task_spawn(NULL, zoo.ex, &no_poll, &probe, 0, PILLION_EVENT),
      pillion_call_submit(NULL, 0, function("test.loop_echo"), "", 0, 0,
                          PILLION_JOIN),
  };
  for (size_t i = 0; i < COUNT(got); i++) {
    if (got[i] != PILLION_EINVAL) print_error("function %zu\n", i);
    assert_int_equal(got[i], PILLION_EINVAL);
  }
}

/* ---- Functions ---------------------------------------------------------- */

TEST(unknown_functions_are_not_found) {
  static const char *const names[] = {"", "test", "test.", "test.nothing",
                                      "Test.echo", "test.echo ", "echo"};
  for (size_t i = 0; i < COUNT(names); i++) {
    pillion_function fn = 77;
    assert_int_equal(pillion_function_find(&fn, names[i]), PILLION_ENOTFOUND);
  }
}

TEST(functions_are_listed_by_name_and_described) {
  int n = pillion_function_list(NULL, 0);
  assert_true(n > 10);
  pillion_function *all = calloc(n + 1, sizeof *all);
  assert_int_equal(pillion_function_list(all, n), n);
  const char *last = "";
  for (int i = 0; i < n; i++) {
    pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
    pillion_function found = 0;
    assert_ok(pillion_function_describe(&info, all[i]));
    assert_true(strcmp(last, info.name) < 0);
    assert_true(strncmp(info.name, info.module, strlen(info.module)) == 0);
    assert_int_equal(info.name[strlen(info.module)], '.');
    char name[100], module[100];
    snprintf(name, sizeof name, "\"name\":\"%s\"",
             info.name + strlen(info.module) + 1);
    snprintf(module, sizeof module, "\"module\":\"%s\"", info.module);
    assert_int_equal(info.descriptor[0], '{');
    assert_non_null(strstr(info.descriptor, name));
    assert_non_null(strstr(info.descriptor, module));
    assert_true(info.kind <= PILLION_KIND_ASYNC);
    if (strstr(info.name, "test.loop_") == info.name)
      assert_int_equal(info.kind, PILLION_KIND_LOOP);
    assert_ok(pillion_function_find(&found, info.name));
    assert_true(found == all[i]);
    last = info.name;
  }
  memset(all, 0, n * sizeof *all);
  assert_int_equal(pillion_function_list(all, 2), n);
  assert_true(all[0] != 0 && all[1] != 0 && all[2] == 0);
  free(all);
}

TEST(modules_are_listed) {
  const char *modules[8];
  int n = pillion_module_list(modules, COUNT(modules)), found = 0;
  assert_int_equal(pillion_module_list(NULL, 0), n);
  assert_in_range(n, 1, COUNT(modules));
  for (int i = 0; i < n; i++) {
    found += strcmp(modules[i], "test") == 0;
    if (i > 0) assert_true(strcmp(modules[i - 1], modules[i]) < 0);
  }
  assert_int_equal(found, 1);
}

/* ---- Texts and versions ------------------------------------------------- */

TEST(every_code_has_a_text_of_its_own) {
  for (int code = 0; code >= PILLION_EREQUEST; code--) {
    const char *text = pillion_strerror(code);
    assert_non_null(text);
    assert_true(strlen(text) > 0);
    for (int other = 0; other > code; other--)
      assert_string_not_equal(text, pillion_strerror(other));
  }
  assert_non_null(pillion_strerror(1));
  assert_non_null(pillion_strerror(-1000));
  assert_non_null(pillion_strerror(INT32_MIN));
}

TEST(header_and_library_have_one_version) {
  char text[32];
  int v = pillion_version();
  assert_int_equal(v, PILLION_VERSION_NUMBER);
  snprintf(text, sizeof text, "%d.%d.%d", v >> 16, v >> 8 & 0xff, v & 0xff);
  assert_string_equal(text, PILLION_VERSION_STRING);
}

TEST(another_version_is_refused_with_a_reason) {
  pillion_start_options start = PILLION_START_OPTIONS_INIT;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex = 0;
  char reason[200] = "";
  start.version += 1 << 8;
  assert_int_equal(pillion_start(&start, reason, sizeof reason),
                   PILLION_EVERSION);
  assert_non_null(strstr(reason, PILLION_VERSION_STRING));
  options.version = 9 << 16;
  memset(reason, 0, sizeof reason);
  assert_int_equal(pillion_executor_new(&ex, &options, reason, sizeof reason),
                   PILLION_EVERSION);
  assert_true(strlen(reason) > 0);
  /* A short buffer is filled and ends with a zero; NULL is no buffer. */
  memset(reason, 'x', sizeof reason);
  assert_int_equal(pillion_start(&start, reason, 8), PILLION_EVERSION);
  assert_int_equal(reason[7], 0);
  assert_int_equal(reason[8], 'x');
  assert_int_equal(pillion_start(&start, NULL, 0), PILLION_EVERSION);
  assert_int_equal(pillion_start(&start, reason, 0), PILLION_EVERSION);
}

TEST(a_later_patch_of_the_header_fits) {
  pillion_start_options start = PILLION_START_OPTIONS_INIT;
  start.version += 1;
  assert_ok(pillion_start(&start, NULL, 0));
  assert_ok(pillion_start(NULL, NULL, 0));
}

TEST(failures_are_parsed_and_garbage_is_refused) {
  pillion_failure failure = PILLION_FAILURE_INIT;
  unsigned char bytes[1 + 4 + 4 + 3 + 4 + 2], *p = bytes + 1; /* unaligned */
  int32_t code = -5;
  uint32_t three = 3, two = 2, huge = UINT32_MAX;
  memcpy(p, &code, 4);
  memcpy(p + 4, &three, 4);
  memcpy(p + 8, "a\0b", 3);
  memcpy(p + 11, &two, 4);
  memcpy(p + 15, "st", 2);
  assert_ok(pillion_failure_parse(&failure, p, 17));
  assert_int_equal(failure.code, -5);
  assert_int_equal(failure.message_length, 3);
  assert_memory_equal(failure.message, "a\0b", 3);
  assert_int_equal(failure.stack_length, 2);
  assert_memory_equal(failure.stack, "st", 2);
  for (size_t length = 0; length < 17; length++)
    assert_int_equal(pillion_failure_parse(&failure, p, length),
                     PILLION_EINVAL);
  memcpy(p + 11, &huge, 4);
  assert_int_equal(pillion_failure_parse(&failure, p, 17), PILLION_EINVAL);
  memcpy(p + 4, &huge, 4);
  assert_int_equal(pillion_failure_parse(&failure, p, 17), PILLION_EINVAL);
  assert_int_equal(pillion_failure_parse(&failure, NULL, 0), PILLION_EINVAL);
  assert_int_equal(pillion_failure_parse(&failure, NULL, 17), PILLION_EINVAL);
}

/* ---- The log ------------------------------------------------------------ */

struct log {
  int lines, drops;
};

static void log_line(int level, const char *text, void *data) {
  ((struct log *)data)->lines += strlen(text) > 0;
}

static void log_drop(void *data) { ((struct log *)data)->drops++; }

TEST(the_log_is_dropped_once_when_another_is_set) {
  struct log first = {0, 0}, second = {0, 0};
  assert_ok(pillion_log_set(log_line, &first, log_drop));
  assert_ok(pillion_log_set(log_line, &second, log_drop));
  assert_int_equal(first.drops, 1);
  assert_int_equal(second.drops, 0);
  assert_ok(pillion_log_set(log_line, &second, NULL));
  assert_int_equal(second.drops, 1);
  assert_ok(pillion_log_set(NULL, NULL, NULL));
  assert_int_equal(first.drops, 1);
  assert_int_equal(second.drops, 1);
}
