/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Misuse of every function that the library exports: each has a named error,
 * and changes nothing. The table below must have all functions.
 */
#include <sys/wait.h>

#include "../../support/sized.h"
#include "inbound_support.h"

/* ---- Something of each kind ---------------------------------------------- */

static struct {
  pillion_executor ex, gone;
  pillion_task task, gone_task, call, wait_call;
  pillion_waker waker;
  pillion_function function;
  pillion_watch watch, gone_watch;
  pillion_pool pool, gone_pool;
  pillion_executor host; /* of the provider; its owner must not wait */
  pillion_provider provider, gone_provider;
  pillion_task inbound, gone_inbound;
  struct pillion__inbound *in;
  pillion_task flowing, gone_flowing; /* with flows both ways */
  bool item_told;                     /* by a turn of the test's own */
  struct pillion__job flowing_job;
  uint64_t object, gone_object;
  pillion_function method;
  struct probe probe, gone_probe;
  int pipe[2];
} made;

static void an_inbound_call(void) {
  made.host = executor_new();
  made.gone_provider = provide(made.host, 0);
  assert_ok(pillion_provider_free(made.gone_provider));
  made.provider = provide(made.host, 0);
  struct pillion__inbound *gone = offer(provider_request(made.provider), "");
  made.gone_inbound = told(made.host, PILLION_EVENT_CALLED).task;
  answer(made.gone_inbound, "");
  assert_answered(gone, 0, PILLION_OUTCOME_RETURNED, "");
  made.in = offer(provider_request(made.provider), "");
  made.inbound = told(made.host, PILLION_EVENT_CALLED).task;
  assert_ok(pillion_executor_release(made.host));
  pillion__ring_take(jobs, COUNT(jobs));
}

static struct pillion__job flowing_call(pillion_task *task) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = function("flow.both");
  o.credit = 2;
  o.callbacks = 1;
  o.flags = PILLION_SENDING;
  assert_ok(pillion_call_submit_with(task, made.ex, &o));
  return take_one();
}

/* One item is on its way to either side. */
static void calls_with_flows(void) {
  struct pillion__job job = flowing_call(&made.gone_flowing);
  pillion_value item;
  job_return(&job, NULL, 0);
  assert_int_equal(turn(made.ex), 1);
  made.flowing_job = flowing_call(&made.flowing);
  pillion_value_set(&item, "to Go", 5);
  assert_ok(pillion_call_send(made.flowing, &item));
  assert_ok(pillion__flow_send(
      pillion__call_flow(made.flowing_job.call, PILLION__FLOW_OUT_SIDE), -1,
      "to the host", 11));
}

/* No misuse has lost an item, or taken one, or granted or ended anything. */
static void flows_are_as_before(void) {
  struct pillion__call *call = made.flowing_job.call;
  struct pillion__flow *out = pillion__call_flow(call, PILLION__FLOW_OUT_SIDE),
                       *in = pillion__call_flow(call, PILLION__FLOW_IN_SIDE);
  struct pillion__item item;
  assert_int_equal(pillion__flow_receive(in, &item), PILLION_READY);
  assert_int_equal(item.length, 5);
  assert_memory_equal(item.payload.bytes, "to Go", 5);
  assert_int_equal(pillion__flow_receive(in, &item), PILLION_PENDING);
  assert_ok(pillion__flow_send(out, -1, "2", 1));
  assert_int_equal(pillion__flow_send(out, -1, "3", 1), PILLION_EAGAIN);
  int told = made.item_told ? 0 : 1;
  assert_int_equal(turn(made.ex), told + 1);
  if (told) assert_memory_equal(events[0].payload.bytes, "to the host", 11);
  assert_memory_equal(events[told].payload.bytes, "2", 1);
  job_return(&made.flowing_job, NULL, 0);
  assert_int_equal(turn(made.ex), 1);
  assert_true(events[0].task == made.flowing && events[0].flags == 0);
}

/* A method of it is called by the table. */
static void an_object(void) {
  static bool added;
  if (!added)
    assert_ok(pillion__function_add("test.method", "test", "{}",
                                    PILLION_KIND_OFFLOAD, PILLION_FLOW_METHOD,
                                    7));
  added = true;
  made.method = function("test.method");
  assert_ok(pillion__object_new(&made.gone_object, (uintptr_t)&made, 7));
  assert_ok(pillion_object_drop(made.gone_object));
  assert_ok(pillion__object_new(&made.object, (uintptr_t)&made, 7));
}

static void bury_objects(void) {
  uintptr_t keys[8];
  int n = pillion__objects_take(keys, COUNT(keys));
  for (int i = 0; i < n; i++) assert_true(keys[i] == (uintptr_t)&made);
  pillion__objects_done((uint32_t)n);
}

static void free_them(void) {
  if (made.flowing != 0) flows_are_as_before();
  int n = pillion__ring_take(jobs, COUNT(jobs));
  for (int i = 0; i < n; i++)
    if (job_take_up(&jobs[i])) job_echo(&jobs[i]);
  pillion_value value;
  assert_ok(pillion_object_drop(made.object)); /* no misuse has dropped it */
  bury_objects();
  answer(made.inbound, ""); /* no misuse has answered it */
  assert_answered(made.in, 0, PILLION_OUTCOME_RETURNED, "");
  assert_ok(pillion_provider_free(made.provider));
  executor_free(made.host);
  assert_ok(pillion_task_wait(&value, made.wait_call, 0));
  assert_ok(pillion_watch_close(made.watch));
  pool_free(made.pool);
  executor_free(made.ex);
  close(made.pipe[0]);
  close(made.pipe[1]);
  assert_int_equal(made.probe.polls, 1); /* no misuse has polled it */
  assert_int_equal(made.probe.drops, 1);
}

static void one_of_each(void) {
  memset(&made, 0, sizeof made);
  made.gone = executor_new();
  executor_free(made.gone);
  made.ex = executor_new();
  made.function = function("test.echo");
  an_inbound_call();
  an_object();
  made.gone_pool = pool_new();
  pool_free(made.gone_pool);
  made.pool = pool_new();
  made.gone_probe.ready_at = 1;
  made.gone_task = spawn(made.ex, &made.gone_probe, 0, PILLION_DETACH);
  made.task = spawn(made.ex, &made.probe, 0, PILLION_JOIN);
  turn(made.ex);
  made.waker = made.probe.waker;
  assert_ok(pipe(made.pipe));
  assert_ok(pillion_watch_open(&made.gone_watch, made.ex, made.pipe[0], 0));
  assert_ok(pillion_watch_close(made.gone_watch));
  turn(made.ex);
  assert_ok(pillion_watch_open(&made.watch, made.ex, made.pipe[0], 0));
  calls_with_flows();
  assert_ok(pillion_call_submit(&made.call, made.ex, made.function, "x", 1, 0,
                                PILLION_JOIN));
  assert_ok(pillion_call_submit(&made.wait_call, 0, made.function, "x", 1, 0,
                                PILLION_JOIN));
  afterwards(free_them);
}

/* ---- Every function ------------------------------------------------------ */

/* Called rightly, but for the handle. */
static int do_bind(uint64_t h) { return pillion_executor_bind(h); }
static int do_close(uint64_t h) {
  return pillion_executor_close(h, PILLION_CLOSE_DRAIN);
}
static int do_deadline(uint64_t h) {
  int64_t at;
  return pillion_executor_deadline(&at, h);
}
static int do_live(uint64_t h) {
  uint64_t live;
  return pillion_executor_live(&live, h);
}
static int do_fd(uint64_t h) {
  int fd;
  return pillion_executor_fd(&fd, h);
}
static int do_free(uint64_t h) { return pillion_executor_free(h); }
static int do_hooks(uint64_t h) {
  pillion_host host = PILLION_HOST_INIT;
  return pillion_host_get(&host, h);
}
static int do_host(uint64_t h) { return pillion_host_set(h, NULL); }
static int do_host_epoll(uint64_t h) {
  int set;
  return pillion_host_epoll(&set, h);
}
static int do_new(uint64_t h) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  return pillion_executor_new(&h, &options, NULL, 0);
}
static int do_post(uint64_t h) { return pillion_executor_post(h, 0, "x", 1); }
static int do_ready(uint64_t h) {
  return pillion_executor_ready(h, made.watch, PILLION_READABLE);
}
static int do_ready_key(uint64_t h) {
  return pillion_executor_ready(made.ex, h, PILLION_READABLE);
}
static int do_release(uint64_t h) { return pillion_executor_release(h); }
static int do_stat(uint64_t h) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  return pillion_executor_stat(&stats, h);
}
static int do_turn(uint64_t h) {
  return pillion_executor_turn(NULL, 0, NULL, h, NULL);
}
static int do_spawn(uint64_t h) {
  return pillion_task_spawn(NULL, h, &probing, &made.probe, 0, PILLION_DETACH);
}
static int do_submit(uint64_t h) {
  return pillion_call_submit(NULL, h, made.function, "x", 1, 0, 0);
}
static int do_submit_function(uint64_t h) {
  return pillion_call_submit(NULL, made.ex, h, "x", 1, 0, 0);
}
static int do_start_call(uint64_t h) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = made.function;
  return pillion_call_submit_with(NULL, h, &options);
}
static int do_batch(uint64_t h) {
  pillion_call call = {made.function, 0, 0, 0};
  return pillion_call_batch(NULL, h, &call, 1, "", 0);
}
static int do_call_wait(uint64_t h) {
  pillion_value value;
  return pillion_call_wait(&value, h, "x", 1, 0);
}
static int do_describe(uint64_t h) {
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  return pillion_function_describe(&info, h);
}
static int do_find(uint64_t h) {
  return pillion_function_find(&h, "test.echo");
}
static int do_list(uint64_t h) {
  return pillion_function_list(NULL, 0);
}
static int do_modules(uint64_t h) {
  return pillion_module_list(NULL, 0);
}
static int do_count(uint64_t h) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  return pillion_library_count(&counts);
}
static int do_log(uint64_t h) {
  return pillion_log_set(NULL, NULL, NULL);
}
static int do_log_take(uint64_t h) {
  static char lines[PILLION_LOG_ROOM];
  if (h == 0) return PILLION_EBADHANDLE; /* it ends the listening */
  return pillion_log_take(lines, sizeof lines, h, 0, 0);
}
static int do_failure(uint64_t h) {
  pillion_failure failure = PILLION_FAILURE_INIT;
  return pillion_failure_parse(&failure, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
}
static int do_start(uint64_t h) {
  return pillion_start(NULL, NULL, 0);
}
static int do_shutdown(uint64_t h) {
  return pillion_shutdown(PILLION_CLOSE_DRAIN, 0);
}
static int do_cancel(uint64_t h) { return pillion_task_cancel(h); }
static int do_task_deadline(uint64_t h) {
  static pillion_timer timer;
  return pillion_task_deadline(&timer, h, PILLION_TIME_NEVER);
}
static int do_detach(uint64_t h) { return pillion_task_detach(h); }
static int do_evict(uint64_t h) { return pillion_task_evict(h); }
static int do_wait(uint64_t h) {
  pillion_value value;
  return pillion_task_wait(&value, h, 0);
}
static int do_wake(uint64_t h) { return pillion_wake(h); }
static int do_wake_local(uint64_t h) { return pillion_wake_local(h); }
static int do_open(uint64_t h) {
  pillion_watch watch;
  return pillion_watch_open(&watch, h, made.pipe[1], 0);
}
static int do_watch_close(uint64_t h) { return pillion_watch_close(h); }
static int do_pool_close(uint64_t h) {
  return pillion_pool_close(h, PILLION_CLOSE_DRAIN);
}
static int do_pool_free(uint64_t h) { return pillion_pool_free(h); }
static int do_pool_join(uint64_t h) {
  return pillion_pool_join(h, made.ex, 0);
}
static int do_pool_join_by(uint64_t h) {
  return pillion_pool_join(made.pool, h, 0);
}
static int do_pool_leave(uint64_t h) { return pillion_pool_leave(h); }
static int do_pool_new(uint64_t h) {
  return pillion_pool_new(&h, NULL, NULL, 0);
}
static int do_pool_spawn(uint64_t h) {
  return pillion_pool_spawn(NULL, h, 0, &probing, &made.probe, 0,
                            PILLION_DETACH);
}
static int do_pool_spawn_home(uint64_t h) {
  return pillion_pool_spawn(NULL, made.pool, h, &probing, &made.probe, 0,
                            PILLION_EVENT);
}
static int do_pool_start(uint64_t h) { return pillion_pool_start(h, 1); }
static int do_pool_stop(uint64_t h) { return pillion_pool_stop(h, 0); }
static int do_pool_stat(uint64_t h) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  return pillion_pool_stat(&stats, h);
}
static int do_answer(uint64_t h) { return pillion_call_answer(h, NULL); }
static int do_accept(uint64_t h) { return pillion_call_accept(h, 0, 0); }
static int do_credit(uint64_t h) { return pillion_call_credit(h, 1); }
static int do_finish(uint64_t h) { return pillion_call_finish(h); }
static int do_send(uint64_t h) {
  pillion_value item = {0};
  return pillion_call_send(h, &item);
}
static int do_info(uint64_t h) {
  pillion_call_information info = PILLION_CALL_INFORMATION_INIT;
  return pillion_call_info(&info, h);
}
static int do_deed(uint64_t h, uint32_t what) {
  pillion_deed deed = {h, what, 0, 0, 0};
  return pillion_call_deeds(&deed, 1, NULL);
}
static int do_answers(uint64_t h) { return do_deed(h, PILLION_DEED_ANSWER); }
static int do_sends(uint64_t h) { return do_deed(h, PILLION_DEED_SEND); }
static int do_finishes(uint64_t h) { return do_deed(h, PILLION_DEED_FINISH); }
static int do_credits(uint64_t h) { return do_deed(h, PILLION_DEED_CREDIT); }
static int do_cancels(uint64_t h) { return do_deed(h, PILLION_DEED_CANCEL); }
static int do_provide(uint64_t h) {
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  pillion_provider provider;
  o.name = "app.Misused";
  o.functions = 1;
  return pillion_provider_new(&provider, h, &o, NULL, 0);
}
static int do_keep(uint64_t h) {
  pillion_event event = {0};
  pillion_value value;
  return pillion_event_keep(&value, &event);
}
static int do_object_drop(uint64_t h) { return pillion_object_drop(h); }
static int do_method(uint64_t h) {
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  options.function = made.method;
  options.object = h;
  options.flags = PILLION_DETACH;
  return pillion_call_submit_with(NULL, 0, &options);
}
static int do_provider_free(uint64_t h) { return pillion_provider_free(h); }
static int do_nothing(uint64_t h) {
  return PILLION_EFORKED;
}

enum {
  NONE,
  EXECUTOR,
  TASK,
  WAKER,
  FUNCTION,
  WATCH,
  POOL,
  PROVIDER,
  OBJECT,
  INBOUND,
  FLOWING
};
#define OWNER 1u   /* the owner's thread only */
#define OUTSIDE 2u /* not inside a turn */
#define HOME 4u    /* with zero another argument is at fault */

static const struct entry {
  const char *name;
  int (*call)(uint64_t handle);
  int kind;
  unsigned rules;
} table[] = {
    {"pillion_call_accept", do_accept, INBOUND, 0},
    {"pillion_call_answer", do_answer, INBOUND, 0},
    {"pillion_call_batch", do_batch, EXECUTOR, 0},
    {"pillion_call_credit", do_credit, FLOWING, 0},
    {"pillion_call_deeds", do_answers, INBOUND, 0},
    {"pillion_call_deeds", do_sends, FLOWING, 0},
    {"pillion_call_deeds", do_finishes, FLOWING, 0},
    {"pillion_call_deeds", do_credits, FLOWING, 0},
    {"pillion_call_deeds", do_cancels, TASK, 0},
    {"pillion_call_finish", do_finish, FLOWING, 0},
    {"pillion_call_info", do_info, INBOUND, 0},
    {"pillion_call_send", do_send, FLOWING, 0},
    {"pillion_call_submit_with", do_start_call, EXECUTOR, 0},
    {"pillion_call_submit", do_submit, EXECUTOR, 0},
    {"pillion_call_submit", do_submit_function, FUNCTION, 0},
    {"pillion_call_wait", do_call_wait, FUNCTION, OUTSIDE},
    {"pillion_executor_bind", do_bind, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_executor_close", do_close, EXECUTOR, 0},
    {"pillion_executor_deadline", do_deadline, EXECUTOR, OWNER},
    {"pillion_executor_live", do_live, EXECUTOR, OWNER},
    {"pillion_executor_fd", do_fd, EXECUTOR, 0},
    {"pillion_executor_free", do_free, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_host_epoll", do_host_epoll, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_host_get", do_hooks, EXECUTOR, OWNER},
    {"pillion_host_set", do_host, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_executor_new", do_new, NONE, 0},
    {"pillion_executor_post", do_post, EXECUTOR, 0},
    {"pillion_executor_ready", do_ready, EXECUTOR, OWNER},
    {"pillion_executor_ready", do_ready_key, WATCH, OWNER},
    {"pillion_executor_release", do_release, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_executor_stat", do_stat, EXECUTOR, 0},
    {"pillion_executor_turn", do_turn, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_failure_parse", do_failure, NONE, 0},
    {"pillion_failure_write", do_nothing, NONE, 0},
    {"pillion_function_describe", do_describe, FUNCTION, 0},
    {"pillion_function_find", do_find, NONE, 0},
    {"pillion_function_list", do_list, NONE, 0},
    {"pillion_library_count", do_count, NONE, 0},
    {"pillion_log_set", do_log, NONE, 0},
    {"pillion_log_take", do_log_take, EXECUTOR, 0},
    {"pillion_module_list", do_modules, NONE, 0},
    {"pillion_event_keep", do_keep, NONE, 0},
    {"pillion_object_drop", do_object_drop, OBJECT, 0},
    {"pillion_call_submit_with", do_method, OBJECT, HOME},
    {"pillion_pool_close", do_pool_close, POOL, 0},
    {"pillion_pool_free", do_pool_free, POOL, OUTSIDE},
    {"pillion_pool_join", do_pool_join, POOL, OWNER | OUTSIDE},
    {"pillion_pool_join", do_pool_join_by, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_pool_leave", do_pool_leave, EXECUTOR, OWNER | OUTSIDE},
    {"pillion_pool_new", do_pool_new, NONE, 0},
    {"pillion_pool_spawn", do_pool_spawn, POOL, 0},
    {"pillion_pool_spawn", do_pool_spawn_home, EXECUTOR, HOME},
    {"pillion_pool_start", do_pool_start, POOL, OUTSIDE},
    {"pillion_pool_stop", do_pool_stop, POOL, OUTSIDE},
    {"pillion_pool_stat", do_pool_stat, POOL, 0},
    {"pillion_provider_free", do_provider_free, PROVIDER, 0},
    {"pillion_provider_new", do_provide, EXECUTOR, 0},
    {"pillion_shutdown", do_shutdown, NONE, OUTSIDE},
    {"pillion_start", do_start, NONE, 0}, /* it is started already */
    {"pillion_strerror", do_nothing, NONE, 0},
    {"pillion_task_cancel", do_cancel, TASK, 0},
    {"pillion_task_deadline", do_task_deadline, TASK, OWNER},
    {"pillion_task_detach", do_detach, TASK, OWNER},
    {"pillion_task_evict", do_evict, TASK, OWNER},
    {"pillion_task_spawn", do_spawn, EXECUTOR, OWNER},
    {"pillion_task_wait", do_wait, TASK, OUTSIDE},
    {"pillion_version", do_nothing, NONE, 0},
    {"pillion_wake", do_wake, WAKER, 0},
    {"pillion_wake_local", do_wake_local, WAKER, OWNER},
    {"pillion_watch_close", do_watch_close, WATCH, 0},
    {"pillion_watch_open", do_open, EXECUTOR, OWNER},
};
#define EACH(entry) \
  for (const struct entry *entry = table; entry < table + COUNT(table); entry++)

static uint64_t valid(int kind) {
  const uint64_t handles[] = {0,             made.ex,    made.task, made.waker,
                              made.function, made.watch, made.pool,
                              made.provider, made.object, made.inbound,
                              made.flowing};
  return handles[kind];
}

GIVEN(one_of_each, table_has_every_function) {
  FILE *map = fopen("capi/exports.map", "r");
  char line[128], name[128];
  assert_non_null(map);
  int found = 0;
  while (fgets(line, sizeof line, map) != NULL) {
    if (sscanf(line, " pillion_%100[a-z_];", name) != 1) continue;
    if (strcmp(name, "executor_attach") == 0 ||
        strcmp(name, "executor_detach") == 0)
      continue; /* in capi/loops, not in the core */
    bool known = false;
    EACH(entry) known = known || strcmp(entry->name + 8, name) == 0;
    if (!known) print_error("pillion_%s is not in the table\n", name);
    assert_true(known);
    found++;
  }
  fclose(map);
  assert_true(found >= 59);
}

/* ---- Handles ------------------------------------------------------------- */

static void assert_refused(const struct entry *entry, uint64_t handle) {
  int rc = entry->call(handle);
  bool stale = rc == PILLION_STALE && entry->kind == WAKER &&
               pillion__tag_of(handle) == PILLION__WAKER;
  if (rc != PILLION_EBADHANDLE && !stale)
    print_error("%s(%#llx): %d\n", entry->name, (unsigned long long)handle, rc);
  assert_true(rc == PILLION_EBADHANDLE || stale);
}

GIVEN(one_of_each, handles_that_never_were_are_refused) {
  EACH(entry) {
    if (entry->kind == NONE) continue;
    /* Zero means "no executor" to a call, which makes one to be waited for. */
    bool call = strncmp(entry->name, "pillion_call_", 13) == 0;
    if (!(call && entry->kind == EXECUTOR) && !(entry->rules & HOME))
      assert_refused(entry, 0);
    uint64_t right = valid(entry->kind);
    for (int kind = EXECUTOR; kind <= OBJECT; kind++)
      if (kind != entry->kind && !(kind == TASK && entry->kind >= INBOUND))
        assert_refused(entry, valid(kind));
    assert_refused(entry, right + 1);             /* a generation to come */
    assert_refused(entry, right & ~(uint64_t)UINT32_MAX);
    assert_refused(entry, right | UINT64_C(0xffffff) << 32);
    assert_refused(entry, right ^ UINT64_C(0x80) << 56);
    assert_refused(entry, UINT64_MAX);
  }
}

GIVEN(one_of_each, stale_handles_are_refused) {
  EACH(entry) {
    if (entry->kind == EXECUTOR) assert_refused(entry, made.gone);
    if (entry->kind == TASK) assert_refused(entry, made.gone_task);
    if (entry->kind == WATCH) assert_refused(entry, made.gone_watch);
    if (entry->kind == POOL) assert_refused(entry, made.gone_pool);
    if (entry->kind == PROVIDER) assert_refused(entry, made.gone_provider);
    if (entry->kind == OBJECT) assert_refused(entry, made.gone_object);
    if (entry->kind >= INBOUND) assert_refused(entry, made.gone_inbound);
    if (entry->kind >= INBOUND || entry->kind == TASK)
      assert_refused(entry, made.gone_flowing);
  }
  assert_int_equal(pillion_wake(waker_of(made.gone_task)), PILLION_STALE);
  assert_int_equal(pillion_wake_local(waker_of(made.gone_task)),
                   PILLION_STALE);
}

/* Tasks and calls are both tasks, but not in everything. */
GIVEN(one_of_each, handles_of_the_other_sort_are_refused) {
  assert_int_equal(pillion_task_evict(made.call), PILLION_EBADHANDLE);
  assert_int_equal(do_wait(made.task), PILLION_EBADHANDLE);
  assert_int_equal(do_wait(made.call), PILLION_EBADHANDLE);
  assert_int_equal(do_task_deadline(made.wait_call), PILLION_EINVAL);
  assert_int_equal(pillion_wake(waker_of(made.call)), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_cancel(made.inbound), PILLION_EBADHANDLE);
  assert_int_equal(pillion_task_detach(made.inbound), PILLION_EBADHANDLE);
  const pillion_task others[] = {made.task, made.call, made.wait_call,
                                 made.inbound, made.flowing};
  for (size_t i = 0; i < COUNT(others); i++)
    EACH(entry)
      if ((entry->kind == INBOUND && others[i] != made.inbound) ||
          (entry->kind == FLOWING && others[i] != made.flowing))
        assert_int_equal(entry->call(others[i]), PILLION_EINVAL);
  assert_int_equal(pillion_wake_local(waker_of(made.call)),
                   PILLION_EBADHANDLE);
}

GIVEN(one_of_each, random_handles_are_refused) {
  uint64_t x = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */
  for (int i = 0; i < 20000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    uint64_t kind = i % 9, slot = x >> 32 & (i % 3 ? 0xfff : 0xffffff);
    uint64_t handle = kind << 56 | slot << 32 | (uint32_t)(x | 0x10000);
    EACH(entry)
      if (entry->kind != NONE) assert_refused(entry, handle);
  }
}

/* ---- Sizes --------------------------------------------------------------- */

GIVEN(one_of_each, structs_are_taken_in_every_size_and_refused_if_unknown) {
  assert_true(sized_test());
}

/* ---- Places -------------------------------------------------------------- */

static struct {
  int codes[COUNT(table)];
} seen;

static void *on_wrong_thread(void *data) {
  EACH(entry)
    if (entry->rules & OWNER)
      seen.codes[entry - table] = entry->call(valid(entry->kind));
  return data;
}

GIVEN(one_of_each, another_thread_is_refused) {
  on_thread(on_wrong_thread, NULL);
  EACH(entry) {
    if (!(entry->rules & OWNER)) continue;
    if (seen.codes[entry - table] != PILLION_EWRONGTHREAD)
      print_error("%s: %d\n", entry->name, seen.codes[entry - table]);
    assert_int_equal(seen.codes[entry - table], PILLION_EWRONGTHREAD);
  }
}

static int inside(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  EACH(entry) {
    uint64_t handle =
        entry->call == do_wait ? made.wait_call : valid(entry->kind);
    if (entry->rules & OUTSIDE) seen.codes[entry - table] = entry->call(handle);
  }
  return PILLION_READY;
}

GIVEN(one_of_each, functions_for_outside_a_turn_are_refused_inside) {
  struct probe probe = {.step = inside};
  spawn(made.ex, &probe, 0, PILLION_DETACH);
  made.item_told = true;
  assert_int_equal(turn(made.ex), 1);
  EACH(entry) {
    if (!(entry->rules & OUTSIDE)) continue;
    if (seen.codes[entry - table] != PILLION_EREENTRANT)
      print_error("%s: %d\n", entry->name, seen.codes[entry - table]);
    assert_int_equal(seen.codes[entry - table], PILLION_EREENTRANT);
  }
}

GIVEN(one_of_each, forked_child_is_refused) {
  pid_t child = fork();
  if (child == 0) {
    EACH(entry)
      if (entry->call(valid(entry->kind)) != PILLION_EFORKED)
        _exit(1 + (int)(entry - table));
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) assert_int_equal(errno, EINTR);
  if (status != 0)
    print_error("%s\n", table[(WEXITSTATUS(status) - 1) % COUNT(table)].name);
  assert_int_equal(status, 0);
}

