/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tests/stress/single_threaded: a step of one of 100 tasks that share a ledger
 * of plain data.
 */

#include "bench.h"
#include "pillion.h"

#define CLERKS 100
#define TURNS 1000

static struct ledger {
  int64_t balance[2], transfers;
} ledger;

struct clerk {
  struct ledger *ledger;
  int from;
};

static int transfer(pillion_value *out, pillion_context *cx, void *self) {
  struct clerk *clerk = self;
  (void)out;
  clerk->ledger->balance[clerk->from]--;
  clerk->ledger->balance[1 - clerk->from]++;
  clerk->ledger->transfers++;
  pillion_wake_local(cx->waker);
  return PILLION_PENDING;
}

static const pillion_future future = {sizeof future, transfer, NULL};

static uint64_t round_of_turns(void *data) {
  pillion_executor executor = *(pillion_executor *)data;
  for (int i = 0; i < TURNS; i++)
    BENCH_TRY(pillion_executor_turn(NULL, 0, NULL, executor, NULL));
  return TURNS * CLERKS;
}

int main(void) {
  static struct clerk clerks[CLERKS];
  pillion_executor executor;
  BENCH_TRY(pillion_executor_new(&executor, NULL, NULL, 0));
  for (int i = 0; i < CLERKS; i++) {
    clerks[i] = (struct clerk){&ledger, i % 2};
    BENCH_TRY(pillion_task_spawn(NULL, executor, &future, &clerks[i], 0,
                                 PILLION_DETACH));
  }
  bench_print("transfer", bench_loop(round_of_turns, &executor));
  return ledger.balance[0] + ledger.balance[1] == 0 ? 0 : 1;
}
