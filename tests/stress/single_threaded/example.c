/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Thread-bound data. All tasks of an executor run on one thread, so what they
 * share is plain data: no lock, no atomic, here or in the executor's own steps.
 *
 * An executor that is idle may move to another thread, with its tasks and
 * their data: release here, bind there.
 */
#include <pthread.h>
#include <stdio.h>

#include "pillion.h"

#define CLERKS 4
#define TRANSFERS 1000

struct ledger {
  long balance[2];
  long transfers;
};

struct clerk {
  struct ledger *ledger;
  int from, done;
};

/* One transfer a poll; then the other clerks go first. */
static int clerk_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct clerk *clerk = self;
  struct ledger *ledger = clerk->ledger;
  (void)out;
  ledger->balance[clerk->from]--;
  ledger->balance[1 - clerk->from]++;
  ledger->transfers++;
  if (++clerk->done == TRANSFERS) return PILLION_READY;
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static const pillion_future clerk_future = {sizeof clerk_future, clerk_poll,
                                            NULL};

/* A loop with nothing else to do. Answers how many tasks still live. */
static uint64_t run(pillion_executor executor, int turns) {
  pillion_progress progress = PILLION_PROGRESS_INIT;
  do {
    if (pillion_executor_turn(NULL, 0, &progress, executor, NULL) < 0)
      return UINT64_MAX;
  } while (progress.more && --turns > 0);
  return progress.live;
}

static void *elsewhere(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  printf("bind before the release: %s\n",
         pillion_executor_bind(executor) == PILLION_EWRONGTHREAD ? "refused"
                                                                  : "?");
  return NULL;
}

static void *second_half(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  if (pillion_executor_bind(executor) < 0) return data;
  if (run(executor, TRANSFERS) != 0) return data;
  return pillion_executor_free(executor) < 0 ? data : NULL;
}

static int on_thread(void *(*body)(void *data), void *data) {
  pthread_t thread;
  void *failed = data;
  if (pthread_create(&thread, NULL, body, data) == 0)
    pthread_join(thread, &failed);
  return failed != NULL;
}

int main(void) {
  struct ledger ledger = {{1000, 1000}, 0};
  struct clerk clerks[CLERKS];
  pillion_executor executor;

  if (pillion_executor_new(&executor, NULL, NULL, 0) < 0) return 1;
  for (int i = 0; i < CLERKS; i++) {
    clerks[i] = (struct clerk){&ledger, i % 2, 0};
    if (pillion_task_spawn(NULL, executor, &clerk_future, &clerks[i], 0,
                           PILLION_DETACH) < 0)
      return 1;
  }
  printf("first half: %d clerks at work\n",
         (int)run(executor, TRANSFERS / 2));
  if (on_thread(elsewhere, &executor)) return 1;
  if (pillion_executor_release(executor) < 0) return 1;
  if (on_thread(second_half, &executor)) return 1;
  printf("%ld transfers, balance %ld and %ld\n", ledger.transfers,
         ledger.balance[0], ledger.balance[1]);
  return 0;
}
