/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* ---- Fixtures ------------------------------------------------------------ */

pillion_executor ex, one, two;
pillion_pool pool;

void an_executor(void) { ex = executor_new(); }

void a_worker(void) {
  pool = pool_new();
  an_executor();
  assert_ok(pillion_pool_join(pool, ex, 0));
}

static void workers(pillion_executor first, pillion_executor second) {
  pool = pool_new();
  one = first;
  two = second;
  assert_ok(pillion_pool_join(pool, one, 0));
  assert_ok(pillion_pool_join(pool, two, 0));
  turn(one);
  turn(two);
  assert_false(readable(one) || readable(two));
}

void two_workers(void) { workers(executor_new(), executor_new()); }

void two_workers_at(int64_t now) {
  workers(executor_at(now), executor_at(now));
}

/* A failed test may have left tasks in its frame, which is gone: their executor
   can't be freed. */
int nothing_lives(void **state) {
  traced[0] = 0;
  if (!test_passed) ex = one = two = pool = 0;
  if (ex != 0) executor_free(ex);
  if (one != 0) executor_free(one);
  if (two != 0) executor_free(two);
  if (pool != 0) pool_free(pool);
  pillion_library_counts counts = library_counts();
  if (counts.executors == 0 && counts.tasks == 0 && counts.calls == 0 &&
      counts.payloads == 0 && counts.watches == 0 && counts.pools == 0 &&
      counts.providers == 0 && counts.inbound == 0 && counts.objects == 0)
    return 0;
  print_error(
      "alive: %d executors, %d tasks, %d calls, %d payloads, "
      "%d watches, %d pools, %d providers, %d inbound calls, %d objects\n",
      (int)counts.executors, (int)counts.tasks, (int)counts.calls,
      (int)counts.payloads, (int)counts.watches, (int)counts.pools,
      (int)counts.providers, (int)counts.inbound, (int)counts.objects);
  return 1;
}

int test_main(void) { return run_all_tests(NULL, nothing_lives, NULL); }

__attribute__((weak)) int main(void) {
  guest_install();
  return test_main();
}

/* ---- Traces -------------------------------------------------------------- */

char traced[4096];

void trace(const char *what) {
  size_t n = strlen(traced);
  if (n < sizeof traced - 1)
    snprintf(traced + n, sizeof traced - n, "%s%s", n == 0 ? "" : " ", what);
}

void assert_traced(const char *expected) {
  char copy[sizeof traced];
  memcpy(copy, traced, sizeof copy);
  traced[0] = 0;
  assert_string_equal(copy, expected);
}

/* ---- Futures ------------------------------------------------------------- */

int probe_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct probe *probe = self;
  probe->polls++;
  probe->waker = cx->waker;
  if (probe->name != NULL) trace(probe->name);
  if (probe->step != NULL) return probe->step(probe, out, cx);
  if (probe->polls != probe->ready_at) return PILLION_PENDING;
  pillion_value_set(out, "done", 4);
  return PILLION_READY;
}

static void probe_drop(void *self) {
  struct probe *probe = self;
  probe->drops++;
  if (probe->dropped != NULL) probe->dropped(probe);
}

const pillion_future probing = {sizeof probing, probe_poll, probe_drop};

int joins_task(struct probe *probe, pillion_value *out, pillion_context *cx) {
  const pillion_task *task = probe->data != NULL ? probe->data : &probe->task;
  probe->rc = pillion_join(&probe->value, cx, *task);
  return probe->rc == PILLION_PENDING ? PILLION_PENDING : PILLION_READY;
}

int sets_its_deadline(struct probe *probe, pillion_value *out,
                      pillion_context *cx) {
  if (probe->polls == 1)
    probe->rc = pillion_task_deadline(&probe->timer, probe->task,
                                      cx->now + probe->state);
  return PILLION_PENDING;
}

void clears_timer(struct probe *probe) { pillion_timer_clear(&probe->timer); }

char far_bytes[100] = "far";
int far_releases;

static void release(void *owner) {
  if (owner == far_bytes) far_releases++;
}

int returns_far(struct probe *probe, pillion_value *out, pillion_context *cx) {
  out->length = sizeof far_bytes;
  out->payload.ref.data = far_bytes;
  out->payload.ref.release = release;
  out->payload.ref.owner = far_bytes;
  return PILLION_READY;
}

/* ---- Executors ----------------------------------------------------------- */

pillion_executor executor_new(void) {
  pillion_executor ex;
  char why[256] = "";
  int rc = pillion_executor_new(&ex, NULL, why, sizeof why);
  if (rc < 0) print_error("%s\n", why);
  assert_ok(rc);
  return ex;
}

int64_t virtual_now;

int64_t virtual_clock(void *data) { return *(const int64_t *)data; }

pillion_executor_options virtual_options(int64_t now) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  virtual_now = now;
  options.clock = virtual_clock;
  options.clock_data = &virtual_now;
  return options;
}

pillion_executor executor_with(const pillion_executor_options *options) {
  pillion_executor ex;
  assert_ok(pillion_executor_new(&ex, options, NULL, 0));
  return ex;
}

pillion_executor executor_at(int64_t now) {
  pillion_executor_options options = virtual_options(now);
  return executor_with(&options);
}

void executor_free(pillion_executor executor) {
  if (executor == ex) ex = 0;
  if (executor == one) one = 0;
  if (executor == two) two = 0;
  assert_ok(pillion_executor_free(executor));
}

pillion_event events[256];
pillion_progress progress = PILLION_PROGRESS_INIT;

int turn(pillion_executor ex) {
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  return pillion_executor_turn(events, COUNT(events), &progress, ex, NULL);
}

int run_at(pillion_executor ex, int64_t now) {
  virtual_now = now;
  return turn(ex);
}

pillion_executor_stats stats_of(pillion_executor ex) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  assert_ok(pillion_executor_stat(&stats, ex));
  return stats;
}

bool readable(pillion_executor ex) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  return poll(&watched, 1, 0) == 1;
}

pillion_task spawn(pillion_executor ex, struct probe *probe, uint64_t token,
                   uint32_t flags) {
  assert_ok(
      pillion_task_spawn(&probe->task, ex, &probing, probe, token, flags));
  probe->executor = ex;
  return probe->task;
}

void spawn_each(pillion_executor ex, struct probe *probes, size_t n,
                int (*step)(struct probe *probe, pillion_value *out,
                            pillion_context *cx)) {
  for (size_t i = 0; i < n; i++) {
    probes[i] = (struct probe){.step = step};
    spawn(ex, &probes[i], 0, PILLION_DETACH);
  }
}

pillion_waker waker_of(pillion_task task) {
  return (task & ~(UINT64_C(0xff) << 56)) | (uint64_t)PILLION__WAKER << 56;
}

pillion_library_counts library_counts(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  assert_ok(pillion_library_count(&counts));
  return counts;
}

/* ---- Pools --------------------------------------------------------------- */

pillion_pool pool_new(void) {
  pillion_pool pool;
  char why[256] = "";
  int rc = pillion_pool_new(&pool, NULL, why, sizeof why);
  if (rc < 0) print_error("%s\n", why);
  assert_ok(rc);
  return pool;
}

void pool_free(pillion_pool p) {
  if (p == pool) pool = 0;
  assert_ok(pillion_pool_free(p));
}

pillion_task pool_spawn(pillion_pool pool, pillion_executor home,
                        struct probe *probe, uint64_t token, uint32_t flags) {
  pillion_task task;
  assert_ok(
      pillion_pool_spawn(&task, pool, home, &probing, probe, token, flags));
  return task;
}

void pool_spawn_as(pillion_pool pool, struct probe *probe) {
  assert_ok(
      pillion_pool_spawn(NULL, pool, 0, &probing, probe, 0, PILLION_DETACH));
}

pillion_pool_stats pool_stats(pillion_pool pool) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  assert_ok(pillion_pool_stat(&stats, pool));
  return stats;
}

/* ---- Threads ------------------------------------------------------------- */

pthread_t thread_start(void *(*body)(void *data), void *data) {
  pthread_t thread;
  assert_ok(pthread_create(&thread, NULL, body, data));
  return thread;
}

void on_thread(void *(*body)(void *data), void *data) {
  pthread_join(thread_start(body, data), NULL);
}

void *asks_for_deadline(void *data) {
  static pillion_timer timer;
  struct probe *probe = data;
  probe->rc = pillion_task_deadline(&timer, probe->task, 500);
  return NULL;
}

uint32_t random_below(uint32_t *state, uint32_t n) {
  *state = *state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)*state * n >> 32);
}

void *works(void *data) {
  const pillion_pool *joined = data;
  pillion_executor worker;
  pillion_progress p = PILLION_PROGRESS_INIT;
  struct pollfd watched = {-1, POLLIN, 0};
  if (pillion_executor_new(&worker, NULL, NULL, 0) < 0 ||
      pillion_executor_fd(&watched.fd, worker) < 0 ||
      pillion_pool_join(*joined, worker, PILLION_HOLD) < 0)
    abort();
  do {
    if (pillion_executor_turn(NULL, 0, &p, worker, NULL) < 0) abort();
    int64_t ns = p.deadline - pillion__now();
    if (!p.more && p.live > 0 && ns > 0)
      poll(&watched, 1,
           p.deadline == PILLION_TIME_NEVER ? -1 : (int)(ns / MS) + 1);
  } while (p.live > 0);
  if (pillion_executor_free(worker) < 0) abort();
  return NULL;
}

/* ---- The guest: instead of Go -------------------------------------------- */

struct guest guest;
struct pillion__job jobs[512];

int guest_functions(char *errbuf, size_t errcap) {
  static bool registered;
  if (registered) return 0;
  registered = true;
  pillion__function_add("flow.both", "flow", "{}", PILLION_KIND_OFFLOAD,
                        PILLION_FLOW_OUT | PILLION_FLOW_IN, 0);
  pillion__function_add("flow.in", "flow", "{}", PILLION_KIND_OFFLOAD,
                        PILLION_FLOW_IN, 0);
  pillion__function_add("flow.out", "flow", "{}", PILLION_KIND_OFFLOAD,
                        PILLION_FLOW_OUT, 0);
  pillion__function_add("test.cpu", "test", "{}", PILLION_KIND_CPU, 0, 0);
  pillion__function_add("test.echo", "test", "{}", PILLION_KIND_OFFLOAD, 0, 0);
  return pillion__function_add("test.loop", "test", "{}", PILLION_KIND_LOOP, 0, 0);
}

static int guest_stop(void) {
  guest.stops++;
  if (guest.dispatching) pthread_join(guest.dispatcher, NULL);
  guest.dispatching = false;
  close(pillion__ring_fd());
  return 0;
}

void guest_turn(struct pillion__guest_turn *t) {
  guest.turns++;
  guest.max_polls = t->max_polls;
  guest.max_ns = t->max_ns;
  for (uint32_t i = 0; i < t->count; i++) {
    if (guest.post_count < COUNT(guest.posts))
      guest.posts[guest.post_count++] = t->errands[i];
    if (t->errands[i].bits & PILLION__PEND_START)
      guest.loop_calls[guest.loop_count++] = t->errands[i].call;
  }
  t->polled = guest.polled;
  t->more = guest.more;
  t->deadline = guest.deadline;
  t->coroutines = guest.coroutines;
}

static uint32_t guest_settle(uint32_t index) {
  guest.settles++;
  return guest.suspended;
}

void guest_free(uint32_t index) {
  guest.frees++;
  while (guest.loop_count > 0)
    pillion__call_complete(guest.loop_calls[--guest.loop_count],
                           PILLION_ECANCELLED,
                           PILLION_OUTCOME_CANCELLED_RUNNING, NULL, 0);
}

static void guest_rewatch(uint32_t index) { guest.rewatches++; }

void guest_reset(void) {
  bool dispatching = guest.dispatching;
  pthread_t dispatcher = guest.dispatcher;
  memset(&guest, 0, sizeof guest);
  guest.deadline = PILLION_TIME_NEVER;
  guest.dispatching = dispatching;
  guest.dispatcher = dispatcher;
}

void guest_install(void) {
  guest_reset();
  pillion__guest = (struct pillion__guest){
      .functions = guest_functions,
      .stop = guest_stop,
      .turn = guest_turn,
      .settle = guest_settle,
      .free = guest_free,
      .rewatch = guest_rewatch,
  };
}

pillion_function function(const char *name) {
  pillion_function f = 0;
  assert_ok(pillion_function_find(&f, name));
  return f;
}

bool job_take_up(const struct pillion__job *job) {
  uint64_t old = atomic_load(&job->call->state);
  do {
    if ((uint32_t)(old >> 32) != job->gen ||
        (old & PILLION__CALL_PHASE) != PILLION__CALL_NEW)
      return false;
  } while (!atomic_compare_exchange_weak(
      &job->call->state, &old,
      old - PILLION__CALL_NEW + PILLION__CALL_RUNNING));
  return true;
}

struct pillion__job take_one(void) {
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_false(jobs[0].news);
  assert_true(job_take_up(&jobs[0]));
  return jobs[0];
}

const void *job_request(const struct pillion__job *job) {
  return job->call->request_length > PILLION_INLINE ? job->call->payload.memory
                                                    : job->call->payload.bytes;
}

void job_return(const struct pillion__job *job, const void *bytes,
                size_t length) {
  pillion__call_complete(job->call, 0, PILLION_OUTCOME_RETURNED, bytes, length);
}

void job_echo(const struct pillion__job *job) {
  size_t length = (size_t)job->call->request_length;
  void *copy = malloc(length + 1);
  memcpy(copy, job_request(job), length);
  job_return(job, copy, length);
  free(copy);
}

static void *echoing(void *data) {
  struct pillion__job mine[16];
  int fd = pillion__ring_fd();
  for (;;) {
    int n = pillion__ring_take(mine, COUNT(mine));
    if (n < 0) return NULL;
    for (int i = 0; i < n; i++)
      if (!mine[i].news && job_take_up(&mine[i])) job_echo(&mine[i]);
    if (n == 0 && pillion__ring_sleep()) {
      struct pollfd watched = {fd, POLLIN, 0};
      uint64_t count;
      while (poll(&watched, 1, -1) < 0) {
      }
      if (read(fd, &count, sizeof count) < 0) count = 0;
    }
  }
}

void guest_dispatch(void) {
  guest.dispatching = true;
  guest.dispatcher = thread_start(echoing, NULL);
}
