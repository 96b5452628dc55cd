/* SPDX-License-Identifier: Apache-2.0 */

/* Other threads, and signals, while the loop is about to sleep. */
#include <stdatomic.h>

#include "rig.h"

/* How many wakes a case makes; LOOPS_WAKES says it in the environment. */
static int wakes(int usual) {
  const char *text = getenv("LOOPS_WAKES");
  if (text == NULL) return usual;
  alarm(1200);
  return atoi(text);
}

struct sleeper {
  atomic_int polls;
  int last; /* the poll in which it is ready */
  _Atomic pillion_waker waker;
};

static int sleeper_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct sleeper *sleeper = self;
  sleeper->waker = cx->waker;
  int polls = ++sleeper->polls;
  if (polls < sleeper->last) return PILLION_PENDING;
  pillion_value_set(out, "", 0);
  return PILLION_READY;
}

static const pillion_future sleeping = {sizeof sleeping, sleeper_poll, NULL};

static pillion_task start_sleeper(struct rig *rig, struct sleeper *sleeper) {
  pillion_task task;
  assert_ok(
      pillion_task_spawn(&task, rig->ex, &sleeping, sleeper, 1, PILLION_EVENT));
  while (sleeper->polls == 0) loop_round(rig->loop, 0);
  return task;
}

/* Each wake has its poll, so a lost one stops it. The pauses differ, so that
   some wakes meet a loop that is about to sleep. */
static int wake_one_by_one(void *arg) {
  struct sleeper *sleeper = arg;
  int n = sleeper->last;
  for (int i = 1; i < n; i++) {
    if (pillion_wake(sleeper->waker) == PILLION_STALE) return 1;
    while (sleeper->polls <= i) sched_yield();
    for (int k = 0; k < i % 500; k++) atomic_signal_fence(memory_order_seq_cst);
  }
  return 0;
}

TEST(no_wake_is_lost_while_the_loop_goes_to_sleep) {
  struct rig *rig = rig_new(record);
  struct sleeper sleeper = {.last = wakes(50000)};
  struct on_thread job = {wake_one_by_one, &sleeper, -1};
  pthread_t thread;
  start_sleeper(rig, &sleeper);
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  rig_run(rig);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(sleeper.polls, sleeper.last);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

static int wake_again_and_again(void *arg) {
  struct probe *probe = arg;
  for (int i = 1; i < 20000; i++) {
    if (pillion_wake(probe->waker) == PILLION_STALE) return 1;
    for (int k = 0; k < i % 50; k++) atomic_signal_fence(memory_order_seq_cst);
  }
  probe->ready_at = 1;
  return pillion_wake(probe->waker) == PILLION_STALE;
}

static int ready_when_told(struct probe *probe, pillion_context *cx) {
  if (probe->ready_at == 1) probe->ready_at = probe->polls;
  return 0;
}

/* The loop is about to sleep now and then, and none may be lost. */
TEST(wakes_from_another_thread_reach_a_sleeping_loop) {
  struct rig *rig = rig_new(record);
  struct probe probe = {.then = ready_when_told};
  pthread_t thread;
  spawn(rig->ex, &probe, 1, PILLION_EVENT);
  settle(rig);
  assert_int_equal(probe.polls, 1);
  struct on_thread job = {wake_again_and_again, &probe, -1};
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  rig_run(rig);
  assert_ok(pthread_join(thread, NULL));
  assert_ok(job.result);
  assert_int_equal(rig->seen.count, 1);
  rig_free(rig);
}

/* ---- A storm ------------------------------------------------------------- */

enum { THREADS = 4, EACH = 2000 };

struct storm {
  struct rig *rig;
  struct sleeper keeper;
  pillion_task blocked[THREADS];
  int next[THREADS]; /* the number of the next post of each thread */
  int wrong, cancelled;
};

struct gust {
  struct storm *storm;
  int number;
};

static struct storm *now;

static void on_storm(const pillion_event *event, void *data) {
  if (event->flags & PILLION_EVENT_POSTED) {
    int *next = &now->next[event->token >> 32];
    if ((int)(uint32_t)event->token != (*next)++) now->wrong++;
  } else if (event->outcome == PILLION_OUTCOME_CANCELLED_RUNNING) {
    now->cancelled++;
  }
}

static int blow(void *arg) {
  struct gust *gust = arg;
  struct storm *storm = gust->storm;
  int rc = 0;
  for (int i = 0; i < EACH; i++) {
    uint64_t token = (uint64_t)gust->number << 32 | (uint32_t)i;
    if (i == EACH / 2) rc |= pillion_task_cancel(storm->blocked[gust->number]);
    rc |= pillion_executor_post(storm->rig->ex, token, "x", 1);
    if (pillion_wake(storm->keeper.waker) == PILLION_STALE) rc = 1;
  }
  return rc;
}

static int all_blown(void) {
  int sum = 0;
  for (int i = 0; i < THREADS; i++) sum += now->next[i];
  return sum == THREADS * EACH && now->cancelled == THREADS;
}

TEST(a_storm_from_four_threads_loses_nothing) {
  static struct storm storm;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor executor;
  struct gust gusts[THREADS];
  struct on_thread jobs[THREADS];
  pthread_t threads[THREADS];
  memset(&storm, 0, sizeof storm);
  now = &storm;
  options.posts = 8192; /* all of them */
  assert_ok(pillion_executor_new(&executor, &options, NULL, 0));
  storm.rig = rig_of(executor, on_storm);
  storm.keeper.last = INT32_MAX;
  for (int i = 0; i < THREADS; i++)
    storm.blocked[i] =
        submit(storm.rig->ex, "test.block", "", 9, PILLION_EVENT);
  await_waiting(THREADS);
  pillion_task keeper = start_sleeper(storm.rig, &storm.keeper);
  for (int i = 0; i < THREADS; i++) {
    gusts[i] = (struct gust){&storm, i};
    jobs[i] = (struct on_thread){blow, &gusts[i], -1};
    assert_ok(pthread_create(&threads[i], NULL, on_thread_main, &jobs[i]));
  }
  while (!all_blown()) loop_round(storm.rig->loop, 1);
  for (int i = 0; i < THREADS; i++) {
    assert_ok(pthread_join(threads[i], NULL));
    assert_ok(jobs[i].result);
    assert_int_equal(storm.next[i], EACH);
  }
  assert_int_equal(storm.wrong, 0);
  assert_ok(pillion_task_cancel(keeper));
  rig_run(storm.rig);
  rig_free(storm.rig);
}

/* ---- Signals ------------------------------------------------------------- */

static atomic_int heard;

static void hear(int number) { heard++; }

static int send_signals(void *arg) {
  struct timespec pause = {0, MS};
  for (int i = 0; i < 200; i++) {
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    nanosleep(&pause, NULL);
  }
  return 0;
}

/* No handler restarts a system call, and calls and naps go on. */
TEST(signals_at_a_kilohertz_lose_nothing) {
  struct rig *rig = rig_new(record);
  struct sigaction action = {.sa_handler = hear}, before;
  pthread_t self = pthread_self(), thread;
  struct on_thread job = {send_signals, &self, -1};
  int rounds = 0;
  heard = 0;
  assert_ok(sigaction(SIGUSR1, &action, &before));
  assert_ok(pthread_create(&thread, NULL, on_thread_main, &job));
  while (heard < 100) {
    struct doze nap = {.ns = MS / 2};
    assert_ok(
        pillion_task_spawn(NULL, rig->ex, &dozing, &nap, 1, PILLION_EVENT));
    submit(rig->ex, "test.echo", "x", 2, PILLION_EVENT);
    rig_run(rig);
    assert_true(nap.woke - nap.began >= nap.ns);
    assert_int_equal(rig->seen.count, 2 * ++rounds);
  }
  assert_ok(pthread_join(thread, NULL));
  assert_ok(sigaction(SIGUSR1, &before, NULL));
  rig_free(rig);
}
