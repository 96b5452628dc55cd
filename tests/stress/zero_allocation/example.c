/* SPDX-License-Identifier: Apache-2.0 */

/*
 * No allocation. An executor's options say how many tasks it must have room
 * for; it takes that memory when it is made, and the loop takes its own in the
 * first turn. From then on tasks live in storage of the caller's, and spawns,
 * timers, wakes from any thread, results and ends allocate nothing.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pillion/poll.h"

#define TASKS 1000

/* ---- An allocator that counts -------------------------------------------- */

static atomic_ulong allocations;

static void *counted_alloc(size_t bytes, void *data) {
  (void)data;
  allocations++;
  return malloc(bytes);
}

static void plain_free(void *memory, void *data) {
  (void)data;
  free(memory);
}

static const pillion_allocator counting = {counted_alloc, plain_free, NULL};

/* ---- One task: a sleep, then a wake from another thread ------------------ */

static sem_t asked;
static _Atomic pillion_waker asking;

struct task {
  pillion_timer timer;
  int state, answered;
};

static int task_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct task *task = self;
  PILLION_ASYNC(task->state);
  PILLION_AWAIT(task->state, pillion_sleep(&task->timer, cx, 100000));
  asking = cx->waker; /* the other thread wakes it */
  sem_post(&asked);
  PILLION_AWAIT(task->state,
                asking == 0 ? PILLION_READY : PILLION_PENDING);
  pillion_value_set(out, "answered", 8);
  PILLION_RETURN(task->state);
  PILLION_ASYNC_END;
}

static const pillion_future task_future = {sizeof task_future, task_poll, NULL};

static void *answer(void *data) {
  (void)data;
  for (;;) {
    while (sem_wait(&asked) < 0) continue;
    pillion_waker waker = asking;
    if (waker == 0) return NULL;
    asking = 0;
    pillion_wake(waker);
  }
}

/* ---- A thousand: each sleeps, ends and is spawned again ------------------ */

static int nap_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct task *task = self;
  (void)out;
  return pillion_sleep(&task->timer, cx, 10000);
}

static const pillion_future nap_future = {sizeof nap_future, nap_poll, NULL};

/* ---- The program --------------------------------------------------------- */

static pillion_executor executor;
static pillion_poll loop; /* makes what it needs in its first turn */
static pthread_t thread;
static struct task tasks[TASKS];
static uint64_t ended, lives;

static int spawn(const pillion_future *future, uint64_t i) {
  tasks[i] = (struct task){.state = 0};
  return pillion_task_spawn(NULL, executor, future, &tasks[i], i,
                            PILLION_EVENT);
}

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  ended++;
  if (lives > 0 && spawn(&nap_future, event->token) == 0) lives--;
}

static int set_up(void) {
  pillion_start_options start = PILLION_START_OPTIONS_INIT;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  start.allocator = &counting;
  options.ready = TASKS;
  if (pillion_start(&start, NULL, 0) < 0) return 1;
  if (pillion_executor_new(&executor, &options, NULL, 0) < 0) return 1;
  pillion_poll_init(&loop, executor, on_event, NULL);
  if (pillion_poll_once(&loop, 0) < 0) return 1;
  sem_init(&asked, 0, 0);
  return pthread_create(&thread, NULL, answer, NULL);
}

static int run_one(void) {
  ended = 0;
  if (spawn(&task_future, 0) < 0) return 1;
  return pillion_poll_loop(&loop) < 0 || ended != 1;
}

static int run_thousand(void) {
  ended = 0;
  lives = 9 * TASKS;
  for (uint64_t i = 0; i < TASKS; i++)
    if (spawn(&nap_future, i) < 0) return 1;
  return pillion_poll_loop(&loop) < 0 || ended != 10 * TASKS;
}

static void tear_down(void) {
  asking = 0;
  sem_post(&asked);
  pthread_join(thread, NULL);
  pillion_executor_free(executor);
}

int main(void) {
  if (set_up() != 0) return 1;
  unsigned long before = allocations;
  if (run_one() != 0) return 1;
  printf("one task: %lu allocations\n", allocations - before);
  if (run_thousand() != 0) return 1;
  printf("ten thousand, a thousand at a time: %lu allocations\n",
         allocations - before);
  tear_down();
  return 0;
}
