/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads and signal handlers against one owner. Each counts a task's sequence
 * up before it wakes the task; once all is quiet each task must have seen the
 * last number. Only the test's length depends on time.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "support.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#ifndef DURATION
#define DURATION (700 * MS)
#endif
#define PATIENCE (20 * SECOND) /* later than this a wake is lost */

/* ---- Wakes --------------------------------------------------------------- */

enum { STEADY = 24, REPLACED = 16, TASKS = STEADY + REPLACED, WAKERS = 3 };

struct target {
  struct probe probe; /* the owner's */
  _Atomic uint64_t sequence, seen;
  _Atomic pillion_waker waker;
  pillion_executor ex;
  int life; /* its last poll, after which another task replaces it; 0: none */
  _Atomic int replace;
};

static struct target targets[TASKS];
static _Atomic int open_for_wakes, inside, over, lost;
static _Atomic uint64_t woken[3], late, in_handler, bad_errno;
static _Atomic pillion_waker old_wakers[64];

static int observes(struct probe *probe, pillion_value *out,
                    pillion_context *cx) {
  struct target *t = probe->data;
  /* Relaxed where the wake alone must make the number visible. */
  uint64_t sequence = t->life == 0
                          ? atomic_load_explicit(&t->sequence,
                                                 memory_order_relaxed)
                          : atomic_load(&t->sequence);
  atomic_store_explicit(&t->seen, sequence, memory_order_relaxed);
  if (probe->polls % 5 == 0 && t->life == 0) /* a wake of its own */
    pillion_wake_local(cx->waker);
  return t->life != 0 && probe->polls >= t->life ? PILLION_READY
                                                 : PILLION_PENDING;
}

static void wants_to_be_replaced(struct probe *probe) {
  struct target *t = probe->data;
  atomic_store_explicit(&t->replace, 1, memory_order_relaxed);
}

static void start_target(struct target *t, uint32_t flags) {
  struct probe *probe = &t->probe;
  probe->polls = 0;
  probe->step = observes;
  probe->dropped = t->life ? wants_to_be_replaced : NULL;
  probe->data = t;
  atomic_store_explicit(&t->replace, 0, memory_order_relaxed);
  if (pillion_task_spawn(&probe->task, t->ex, &probing, probe, 0, flags) < 0)
    atomic_store(&lost, 1);
  else
    atomic_store(&t->waker, waker_of(probe->task));
}

/* A thread may wake and count between enter and leave. */
static bool enter(void) {
  atomic_fetch_add(&inside, 1);
  if (atomic_load(&open_for_wakes)) return true;
  atomic_fetch_sub(&inside, 1);
  return false;
}

static void leave(void) { atomic_fetch_sub(&inside, 1); }

static void count_and_wake(struct target *t) {
  if (t->life == 0)
    atomic_fetch_add_explicit(&t->sequence, 1, memory_order_relaxed);
  else
    atomic_fetch_add(&t->sequence, 1);
  int rc;
  /* The owner may just replace the task: soon there is a new waker. */
  do rc = pillion_wake(atomic_load(&t->waker));
  while (rc == PILLION_STALE);
  if (rc < 0)
    atomic_store(&lost, 1);
  else
    atomic_fetch_add_explicit(&woken[rc], 1, memory_order_relaxed);
}

static void on_tick(int number) {
  static _Atomic uint32_t turns;
  int saved = errno;
  if (enter()) {
    uint32_t i = atomic_fetch_add(&turns, 1);
    errno = ENOTTY;
    count_and_wake(&targets[i % STEADY]); /* tasks that are never replaced */
    count_and_wake(&targets[(i * 7 + 3) % STEADY]);
    if (errno != ENOTTY) atomic_fetch_add(&bad_errno, 1);
    atomic_fetch_add(&in_handler, 1);
    leave();
  }
  errno = saved;
}

static timer_t tick_on_this_thread(void) {
  timer_t timer;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR2;
  event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
  struct itimerspec each = {{0, 1000000}, {0, 1000000}};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
      timer_settime(timer, 0, &each, NULL) < 0)
    abort();
  return timer;
}

static void *wakes_all(void *data) {
  uint32_t random = 77 + (uint32_t)(uintptr_t)data;
  timer_t timer = NULL;
  if (data == NULL) timer = tick_on_this_thread();
  while (!atomic_load(&over)) {
    for (int i = 0; i < 20; i++) {
      random = random * 1664525 + 1013904223;
      pillion_waker old = atomic_load(&old_wakers[random >> 26]);
      if (old != 0 && pillion_wake(old) >= 0) atomic_fetch_add(&late, 1);
      if (!enter()) continue;
      count_and_wake(&targets[(random >> 8) % TASKS]);
      leave();
    }
    sched_yield();
  }
  if (data == NULL) timer_delete(timer);
  return NULL;
}

/* Waits for the descriptor like a host, unless there is more to do. */
static void host_turn(pillion_executor ex, int fd, bool wait) {
  if (wait && !progress.more) {
    struct pollfd watched = {fd, POLLIN, 0};
    int n = poll(&watched, 1, 5000);
    if (n == 0) atomic_store(&lost, 2);
  }
  int rc = turn(ex);
  if (rc < 0) atomic_store(&lost, rc);
  for (int i = STEADY; i < TASKS; i++)
    if (atomic_load_explicit(&targets[i].replace, memory_order_relaxed))
      start_target(&targets[i], PILLION_DETACH);
}

static bool quiet(pillion_executor ex) { return !progress.more && !readable(ex); }

TEST(no_wake_is_lost) {
  struct sigaction action = {.sa_handler = on_tick,
                             .sa_flags = SA_RESTART | SA_ONSTACK};
  assert_ok(sigaction(SIGUSR2, &action, NULL));
  pthread_t threads[WAKERS];
  for (uintptr_t i = 0; i < WAKERS; i++)
    threads[i] = thread_start(wakes_all, (void *)i);
  timer_t timer = tick_on_this_thread();
  int64_t end = pillion__now() + DURATION;
  uint32_t round = 0;
  uint64_t polls = 0;
  for (; pillion__now() < end && atomic_load(&lost) == 0; round++) {
    pillion_executor ex = executor_new();
    int fd;
    assert_ok(pillion_executor_fd(&fd, ex));
    memset(&progress, 0, sizeof progress);
    for (int i = 0; i < TASKS; i++) {
      targets[i].ex = ex;
      targets[i].life = i < STEADY ? 0 : 2 + i % 3;
      atomic_store(&targets[i].sequence, 0);
      atomic_store(&targets[i].seen, 0);
      start_target(&targets[i], PILLION_DETACH);
    }
    atomic_store(&open_for_wakes, 1);
    for (int i = 0; i < 50 && atomic_load(&lost) == 0; i++) host_turn(ex, fd, true);
    atomic_store(&open_for_wakes, 0);
    while (atomic_load(&inside) > 0) host_turn(ex, fd, false);
    while (!quiet(ex) && atomic_load(&lost) == 0) host_turn(ex, fd, true);
    for (int i = 0; i < TASKS; i++)
      if (atomic_load(&targets[i].seen) != atomic_load(&targets[i].sequence)) {
        print_error("round %u: task %d saw %llu of %llu\n", round, i,
                    (unsigned long long)atomic_load(&targets[i].seen),
                    (unsigned long long)atomic_load(&targets[i].sequence));
        atomic_store(&lost, 3);
      }
    for (int i = 0; i < TASKS; i++)
      atomic_store(&old_wakers[(round * 11 + (uint32_t)i) % 64],
                   atomic_load(&targets[i].waker));
    pillion_executor_stats stats = stats_of(ex);
    polls += stats.polls;
    for (int i = STEADY; i < TASKS; i++) targets[i].probe.dropped = NULL;
    executor_free(ex);
  }
  atomic_store(&over, 1);
  for (int i = 0; i < WAKERS; i++) pthread_join(threads[i], NULL);
  timer_delete(timer);
  print_message("%u executors, %llu polls; %llu woken, %llu coalesced, %llu "
                "in handlers, %llu late\n",
                round, (unsigned long long)polls,
                (unsigned long long)atomic_load(&woken[0]),
                (unsigned long long)atomic_load(&woken[1]),
                (unsigned long long)atomic_load(&in_handler),
                (unsigned long long)atomic_load(&late));
  assert_int_equal(atomic_load(&lost), 0);
  assert_int_equal(atomic_load(&bad_errno), 0);
  assert_true(round > 0);
  assert_true(atomic_load(&woken[0]) > 0 && atomic_load(&in_handler) > 0);
}

/* ---- What was written before a wake is seen by the poll after it --------- */

struct ball {
  uint64_t written; /* no atomic: the wake orders it */
  uint64_t read;
  _Atomic uint64_t acknowledged;
  _Atomic pillion_waker waker;
  struct probe probe;
  int rc;
};

static _Atomic int playing;

static int returns_the_ball(struct probe *probe, pillion_value *out,
                            pillion_context *cx) {
  struct ball *ball = probe->data;
  if (probe->polls == 1) {
    atomic_store(&ball->waker, cx->waker);
    return PILLION_PENDING;
  }
  ball->read = ball->written;
  atomic_store_explicit(&ball->acknowledged, ball->read, memory_order_release);
  return PILLION_PENDING;
}

static void *plays(void *data) {
  struct ball *ball = data;
  while (atomic_load(&ball->waker) == 0) sched_yield();
  int64_t end = pillion__now() + DURATION / 3;
  for (uint64_t i = 1; pillion__now() < end; i++) {
    ball->written = i;
    if (pillion_wake(atomic_load(&ball->waker)) != PILLION_WOKEN) ball->rc = 1;
    int64_t patience = pillion__now() + PATIENCE;
    while (atomic_load_explicit(&ball->acknowledged, memory_order_acquire) != i)
      if (sched_yield(), pillion__now() > patience) {
        ball->rc = 2;
        break;
      }
    if (ball->rc != 0) break;
  }
  atomic_fetch_sub(&playing, 1);
  return NULL;
}

GIVEN(an_executor, wake_makes_visible_what_was_written_before) {
  static struct ball balls[2];
  pthread_t threads[COUNT(balls)];
  atomic_store(&playing, COUNT(balls));
  for (size_t i = 0; i < COUNT(balls); i++) {
    balls[i].probe.step = returns_the_ball;
    balls[i].probe.data = &balls[i];
    spawn(ex, &balls[i].probe, 0, PILLION_DETACH);
  }
  turn(ex);
  for (size_t i = 0; i < COUNT(balls); i++)
    threads[i] = thread_start(plays, &balls[i]);
  int fd;
  assert_ok(pillion_executor_fd(&fd, ex));
  while (atomic_load(&playing) > 0) {
    struct pollfd watched = {fd, POLLIN, 0};
    if (!progress.more) poll(&watched, 1, 10);
    turn(ex);
  }
  for (size_t i = 0; i < COUNT(balls); i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(balls[i].rc, 0);
    assert_true(balls[i].read > 10);
  }
}

/* ---- Calls --------------------------------------------------------------- */

static pillion_function echo, loop;
static _Atomic pillion_executor current;
static _Atomic uint64_t submitted, refused, asked;
static _Atomic int submitting, wrong;

static void *submits_and_cancels(void *data) {
  uint32_t random = 5 + (uint32_t)(uintptr_t)data;
  char request[64];
  memset(request, 'q', sizeof request);
  while (atomic_load(&submitting)) {
    pillion_executor ex = atomic_load(&current);
    pillion_task tasks[4];
    pillion_call calls[4];
    for (uint64_t i = 0; i < 4; i++) {
      random = random * 1664525 + 1013904223;
      calls[i] = (pillion_call){random >> 31 ? echo : loop, i, 0,
                                (random >> 8) % sizeof request};
    }
    int n = pillion_call_batch(tasks, ex, calls, 4, request, random >> 10 & 1
                                   ? PILLION_EVENT : PILLION_DETACH);
    if (n < 0) {
      if (n != PILLION_EBADHANDLE && n != PILLION_ECLOSED &&
          n != PILLION_EAGAIN)
        atomic_store(&wrong, n);
      atomic_fetch_add(&refused, 1);
      sched_yield();
      continue;
    }
    atomic_fetch_add(&submitted, (uint64_t)n);
    for (int i = 0; i < n; i++) {
      random = random * 1664525 + 1013904223;
      if (random >> 30 == 0) {
        pillion_task_cancel(tasks[i]);
        atomic_fetch_add(&asked, 1);
      }
    }
  }
  return NULL;
}

/* Ends half of the calls that have begun at once, the rest in the next turn. */
static void restless_turn(struct pillion__guest_turn *t) {
  guest_turn(t);
  uint32_t half = guest.loop_count / 2;
  while (guest.loop_count > half)
    pillion__call_complete(guest.loop_calls[--guest.loop_count], 0, 0,
                           "looooooooooooooooooooooooooooooong", 34);
  t->more = guest.loop_count > 0;
}

TEST(calls_against_executors_that_come_and_go) {
  guest_reset();
  pillion__guest.turn = restless_turn;
  assert_ok(pillion_function_find(&echo, "test.echo"));
  assert_ok(pillion_function_find(&loop, "test.loop"));
  guest_dispatch();
  pillion_executor first = executor_new();
  atomic_store(&current, first);
  executor_free(first);
  atomic_store(&submitting, 1);
  pthread_t threads[2];
  for (uintptr_t i = 0; i < 2; i++)
    threads[i] = thread_start(submits_and_cancels, (void *)i);
  int64_t end = pillion__now() + DURATION;
  uint64_t taken = 0, rounds = 0;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.max_calls = 200;
  for (; pillion__now() < end; rounds++) {
    pillion_executor ex;
    int fd;
    assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
    assert_ok(pillion_executor_fd(&fd, ex));
    atomic_store(&current, ex);
    for (int i = 0; i < 20; i++) {
      struct pollfd watched = {fd, POLLIN, 0};
      if (!progress.more) poll(&watched, 1, 1);
      int n = turn(ex);
      for (int j = 0; j < n; j++)
        if (events[j].length > 0 && events[j].status == 0 &&
            *(const char *)pillion_event_data(&events[j]) !=
                (events[j].length == 34 ? 'l' : 'q') &&
            *(const char *)pillion_event_data(&events[j]) != 'q')
          atomic_store(&wrong, 1);
      taken += (uint64_t)n;
    }
    if (rounds % 3 == 1) {
      assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
      do {
        struct pollfd watched = {fd, POLLIN, 0};
        if (!progress.more && poll(&watched, 1, 5000) == 0)
          atomic_store(&wrong, 2);
        turn(ex);
      } while (progress.live > 0 && atomic_load(&wrong) == 0);
    }
    executor_free(ex); /* with calls in every state */
  }
  atomic_store(&submitting, 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_ok(pillion_shutdown(PILLION_CLOSE_DRAIN, PATIENCE));
  print_message("%llu executors; %llu submitted, %llu refused, %llu asked to "
                "stop, %llu taken\n",
                (unsigned long long)rounds,
                (unsigned long long)atomic_load(&submitted),
                (unsigned long long)atomic_load(&refused),
                (unsigned long long)atomic_load(&asked),
                (unsigned long long)taken);
  assert_int_equal(atomic_load(&wrong), 0);
  assert_true(taken > 0);
}
