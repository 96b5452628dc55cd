/* SPDX-License-Identifier: Apache-2.0 */

/* Posts from threads and signal handlers, beside turns and frees. */
#include <signal.h>

#include "support.h"

#define POSTERS 3
#define EACH 20000

static struct {
  pillion_executor ex;
  _Atomic int posted, refused;
  pthread_t main;
} shared;

/* Every seventh payload is in memory of its own. */
static void *posts(void *data) {
  uint64_t who = (uintptr_t)data;
  char payload[40] = {0};
  for (uint64_t i = 0; i < EACH;) {
    memcpy(payload, &i, sizeof i);
    int rc = pillion_executor_post(shared.ex, who << 32 | i, payload,
                                   i % 7 == 0 ? 40 : 8);
    if (rc == 0)
      i++;
    else if (rc == PILLION_EAGAIN)
      sched_yield();
    else
      return NULL;
  }
  atomic_fetch_add(&shared.posted, 1);
  return NULL;
}

static void wait_readable(pillion_executor ex) {
  struct pollfd watched = {-1, POLLIN, 0};
  assert_ok(pillion_executor_fd(&watched.fd, ex));
  while (poll(&watched, 1, -1) < 0) assert_int_equal(errno, EINTR);
}

TEST(each_thread_keeps_its_order_and_none_is_lost) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.posts = 64;
  assert_ok(pillion_executor_new(&shared.ex, &options, NULL, 0));
  atomic_store(&shared.posted, 0);
  pthread_t threads[POSTERS];
  uint64_t next[POSTERS] = {0}, taken = 0, wrong = 0;
  for (uintptr_t i = 0; i < POSTERS; i++)
    threads[i] = thread_start(posts, (void *)i);
  while (taken < (uint64_t)POSTERS * EACH) {
    int n = turn(shared.ex);
    for (int i = 0; i < n; i++) {
      uint64_t who = events[i].token >> 32, number;
      memcpy(&number, pillion_event_data(&events[i]), sizeof number);
      if (number != next[who]++ || (uint32_t)events[i].token != number) wrong++;
    }
    taken += (uint64_t)n;
    if (n == 0 && !progress.more) wait_readable(shared.ex);
  }
  for (int i = 0; i < POSTERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(wrong, 0);
  assert_int_equal(atomic_load(&shared.posted), POSTERS);
  assert_int_equal(turn(shared.ex), 0);
  executor_free(shared.ex);
}

/* The posters learn that it is gone; nothing of theirs is left. */
TEST(free_beside_posts_leaves_nothing) {
  for (int round = 0; round < 30; round++) {
    pthread_t threads[POSTERS];
    shared.ex = executor_new(); /* whose ring the first post makes */
    for (uintptr_t i = 0; i < POSTERS; i++)
      threads[i] = thread_start(posts, (void *)i);
    for (int i = 0; i < round; i++) turn(shared.ex);
    executor_free(shared.ex);
    pillion_executor next = executor_new(); /* in the same place */
    for (int i = 0; i < 3; i++) assert_int_equal(turn(next), 0);
    for (int i = 0; i < POSTERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(turn(next), 0);
    assert_int_equal(library_counts().payloads, 0);
    executor_free(next);
  }
}

#define SIGNALS 300

static void on_signal(int number) {
  int before = errno;
  if (pillion_executor_post(shared.ex, 1, "signal", 6) == 0)
    atomic_fetch_add(&shared.posted, 1);
  else
    atomic_fetch_add(&shared.refused, 1);
  if (errno != before) atomic_fetch_add(&shared.refused, 1000);
}

static void *sends_signals(void *data) {
  for (int i = 0; i < SIGNALS; i++) {
    pthread_kill(shared.main, SIGUSR1);
    while (atomic_load(&shared.posted) + atomic_load(&shared.refused) <= i)
      sched_yield(); /* one at a time: the kernel merges pending signals */
  }
  return data;
}

TEST(signal_handlers_may_post) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  struct sigaction action = {.sa_handler = on_signal}, before;
  options.posts = 512;
  assert_ok(pillion_executor_new(&shared.ex, &options, NULL, 0));
  atomic_store(&shared.posted, 0);
  atomic_store(&shared.refused, 0);
  shared.main = pthread_self();
  assert_ok(sigaction(SIGUSR1, &action, &before));
  pthread_t thread = thread_start(sends_signals, NULL);
  int taken = 0;
  while (taken < SIGNALS) {
    assert_ok(pillion_executor_post(shared.ex, 2, "own", 3));
    int n = turn(shared.ex);
    for (int i = 0; i < n; i++) taken += events[i].token == 1;
  }
  pthread_join(thread, NULL);
  assert_int_equal(atomic_load(&shared.posted), SIGNALS);
  assert_int_equal(atomic_load(&shared.refused), 0);
  assert_ok(sigaction(SIGUSR1, &before, NULL));
  executor_free(shared.ex);
}
