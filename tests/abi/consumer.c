/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A program that lives a whole life with the library: it is compiled with
 * headers of several versions, and runs with today's library. Then it tries
 * every struct in every size.
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "../support/sized.h"

#define needed(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)
#define ok(call) needed((call) == 0)

/* ---- The host: a loop of poll(2), with hooks ------------------------------ */

static struct {
  struct pollfd fds[2]; /* the executor's own, and one that is watched */
  uint64_t key;
  int64_t deadline;
  int live, lived, watches, unwatches, drops;
} loop = {.deadline = PILLION_TIME_NEVER};

static void on_timer(int64_t deadline, void *data) { loop.deadline = deadline; }
static void on_live(int live, void *data) {
  loop.live = live;
  loop.lived += live;
}
static void on_drop(void *data) { loop.drops++; }
static int on_watch(int fd, uint32_t events, uint64_t key, void *data) {
  loop.fds[1].fd = fd;
  loop.fds[1].events = events & PILLION_READABLE ? POLLIN : 0;
  loop.key = key;
  loop.watches++;
  return 0;
}
static void on_unwatch(int fd, uint64_t key, void *data) {
  loop.fds[1].fd = -1;
  loop.unwatches++;
}

/* ---- Futures ------------------------------------------------------------- */

/* Sleeps, awaits a call, and then a byte; it is a parent of two. */
static struct {
  pillion_timer timer;
  pillion_scope scope;
  pillion_child children[2];
  pillion_function function;
  pillion_executor executor;
  pillion_task call;
  pillion_watch watch;
  int fd, state, dropped, grandchildren;
  pillion_value value;
} story;

static int grandchild_poll(pillion_value *out, pillion_context *cx,
                           void *self) {
  story.grandchildren++;
  return PILLION_READY;
}

static int child_poll(pillion_value *out, pillion_context *cx, void *self) {
  static const pillion_future grandchild = {sizeof grandchild, grandchild_poll,
                                            NULL};
  struct nest {
    pillion_scope scope;
    pillion_child child;
    int state;
  } *nest = self;
  PILLION_ASYNC(nest->state);
  needed(pillion_scope_spawn(&nest->child, &nest->scope, cx, &grandchild,
                             NULL) == 0);
  PILLION_AWAIT(nest->state, pillion_scope_join(&nest->scope, cx));
  pillion_value_set(out, "child", 5);
  PILLION_RETURN(nest->state);
  PILLION_ASYNC_END;
}
static void child_drop(void *self) { pillion_scope_drop(self); }

static int story_poll(pillion_value *out, pillion_context *cx, void *self) {
  static const pillion_future child = {sizeof child, child_poll, child_drop};
  static struct {
    pillion_scope scope;
    pillion_child child;
    int state;
  } nests[2];
  uint32_t events;
  char byte;
  PILLION_ASYNC(story.state);
  PILLION_AWAIT(story.state, pillion_sleep(&story.timer, cx, 1000000));
  ok(pillion_call_submit(&story.call, story.executor, story.function, "joined",
                         6, 0, PILLION_JOIN));
  PILLION_AWAIT(story.state, pillion_join(&story.value, cx, story.call));
  needed(story.value.status == 0 && story.value.length == 6);
  pillion_value_drop(&story.value);
  for (int i = 0; i < 2; i++)
    ok(pillion_scope_spawn(&story.children[i], &story.scope, cx, &child,
                           &nests[i]));
  PILLION_AWAIT(story.state, pillion_scope_join(&story.scope, cx));
  PILLION_AWAIT(story.state,
                pillion_ready(&events, cx, story.watch, PILLION_READABLE));
  needed(read(story.fd, &byte, 1) == 1 && byte == 'r');
  pillion_value_set(out, "story", 5);
  PILLION_RETURN(story.state);
  PILLION_ASYNC_END;
}
static void story_drop(void *self) {
  pillion_timer_clear(&story.timer);
  pillion_scope_drop(&story.scope);
  story.dropped++;
}

static int pooled_poll(pillion_value *out, pillion_context *cx, void *self) {
  pillion_value_set(out, "pooled", 6);
  return PILLION_READY;
}

/* ---- The life ------------------------------------------------------------ */

enum { ECHOED = 1, FAILED, BATCHED, TOLD, POOLED, POSTED, LAST };
static int seen[LAST];

static void handle(const pillion_event *event) {
  static const char *const texts[] = {[ECHOED] = "hello", [BATCHED] = "batch",
                                      [TOLD] = "story",   [POOLED] = "pooled",
                                      [POSTED] = "post"};
  needed(event->token > 0 && event->token < LAST);
  seen[event->token]++;
  if (event->token == FAILED) {
    pillion_failure failure = PILLION_FAILURE_INIT;
    needed(event->status == PILLION_EFAILED);
    ok(pillion_failure_parse(&failure, pillion_event_data(event),
                             event->length));
    needed(failure.size == sizeof failure && failure.message_length > 0);
    return;
  }
  const char *text = texts[event->token];
  needed(event->status == 0 && event->length == strlen(text) &&
         memcmp(pillion_event_data(event), text, strlen(text)) == 0);
  needed(!!(event->flags & PILLION_EVENT_POSTED) == (event->token == POSTED));
}

/* Until nothing lives. */
static void run(pillion_executor ex, int writer) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.max_polls = 3;
  do {
    pillion_event events[4];
    int n = pillion_executor_turn(events, 4, &progress, ex, &budget);
    needed(n >= 0 && progress.polled <= 3);
    for (int i = 0; i < n; i++) handle(&events[i]);
    if (loop.watches == 1 && loop.fds[1].events != 0) {
      needed(write(writer, "r", 1) == 1);
      loop.watches++;
    }
    if (n > 0 || progress.live == 0) continue;
    int ms = progress.more ? 0 : progress.deadline == PILLION_TIME_NEVER ? -1 : 1;
    needed(progress.deadline == loop.deadline);
    needed(poll(loop.fds, 2, ms) >= 0);
    if (loop.fds[1].revents != 0)
      ok(pillion_executor_ready(ex, loop.key, PILLION_READABLE));
  } while (progress.live > 0 || seen[POSTED] == 0);
  needed(loop.live == 0 && loop.lived > 0);
}

static pillion_function find(const char *name) {
  pillion_function function;
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  ok(pillion_function_find(&function, name));
  ok(pillion_function_describe(&info, function));
  needed(strcmp(info.name, name) == 0 && strcmp(info.module, "test") == 0);
  return function;
}

static void live(void) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.posts = 8;
  options.max_tasks = 8;
  pillion_executor ex;
  char why[128];
  ok(pillion_executor_new(&ex, &options, why, sizeof why));
  ok(pillion_executor_fd(&loop.fds[0].fd, ex));
  loop.fds[0].events = POLLIN;
  loop.fds[1].fd = -1;
  pillion_host host = PILLION_HOST_INIT;
  host.data = &loop;
  host.timer = on_timer, host.live = on_live, host.drop = on_drop;
  host.watch = on_watch, host.unwatch = on_unwatch;
  ok(pillion_host_set(ex, &host));
  memset(&host, 0, sizeof host);
  host.size = sizeof host;
  ok(pillion_host_get(&host, ex));
  needed(host.size == sizeof host && host.data == &loop);
  needed(host.unwatch == on_unwatch && host.wake == NULL);

  int pipe_ends[2];
  ok(pipe(pipe_ends));
  static const pillion_future told = {sizeof told, story_poll, story_drop};
  story.executor = ex;
  story.function = find("test.echo");
  story.fd = pipe_ends[0];
  ok(pillion_watch_open(&story.watch, ex, pipe_ends[0], 0));
  ok(pillion_task_spawn(NULL, ex, &told, NULL, TOLD, PILLION_EVENT));

  pillion_call_options with = PILLION_CALL_OPTIONS_INIT;
  with.function = find("test.fail");
  with.request = "no", with.length = 2, with.token = FAILED;
  ok(pillion_call_submit_with(NULL, ex, &with));
  ok(pillion_call_submit(NULL, ex, story.function, "hello", 5, ECHOED,
                         PILLION_EVENT));
  pillion_call batch[2] = {{story.function, BATCHED, 0, 5},
                           {story.function, BATCHED, 0, 5}};
  needed(pillion_call_batch(NULL, ex, batch, 2, "batch", PILLION_EVENT) == 2);
  ok(pillion_executor_post(ex, POSTED, "post", 4));

  pillion_pool pool;
  pillion_pool_options of_pool = PILLION_POOL_OPTIONS_INIT;
  of_pool.seed = 5;
  static const pillion_future pooled = {sizeof pooled, pooled_poll, NULL};
  ok(pillion_pool_new(&pool, &of_pool, why, sizeof why));
  ok(pillion_pool_start(pool, 1));
  ok(pillion_pool_spawn(NULL, pool, ex, &pooled, NULL, POOLED, PILLION_EVENT));

  run(ex, pipe_ends[1]);
  static const int expected[LAST] = {0, 1, 1, 2, 1, 1, 1};
  for (int i = 0; i < LAST; i++) needed(seen[i] == expected[i]);
  needed(story.dropped == 1 && story.grandchildren == 2);

  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  ok(pillion_executor_stat(&stats, ex));
  needed(stats.size == sizeof stats && stats.calls == 5 && stats.events == 7);
  pillion_pool_stats of_workers = PILLION_POOL_STATS_INIT;
  ok(pillion_pool_stop(pool, PILLION_TIME_NEVER));
  ok(pillion_pool_stat(&of_workers, pool));
  needed(of_workers.threads == 0 && of_workers.live == 0 &&
         of_workers.polls >= 1);
  ok(pillion_pool_close(pool, PILLION_CLOSE_DRAIN));
  ok(pillion_pool_free(pool));
  ok(pillion_watch_close(story.watch));
  needed(loop.unwatches == 1);
  ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  ok(pillion_executor_free(ex));
  needed(loop.drops == 1);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

int main(void) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion_value value;
  char why[128];
  options.ring = 64;
  ok(pillion_start(&options, why, sizeof why));
  live();
  ok(pillion_call_wait(&value, story.function, "waits", 5,
                       PILLION_TIME_NEVER));
  needed(value.status == 0 && value.length == 5);
  pillion_value_drop(&value);
  needed(sized_test());
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  ok(pillion_library_count(&counts));
  needed(counts.executors + counts.tasks + counts.calls + counts.payloads +
             counts.watches + counts.pools ==
         0);
  needed(counts.max_workers > 0);
  ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER));
  return 0;
}
