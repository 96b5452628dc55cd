/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An interrupt that wakes, at every instruction of a whole block_on (on the
 * host at every mask and unmask): while tasks are started, queued, taken and
 * polled, while the list is emptied, before the sleep and in it. Each time it
 * wakes three tasks, of which one may be in its poll, and none of these wakes
 * may be lost.
 */
#include "boards/board.h"
#include "check.h"
#include "pillion/static.h"

struct task {
  volatile pillion_waker waker;
  int polls, seen;
};

static pillion_slot slots[4];
static struct task first, second, waiter;
static volatile int came;
static int spins, sleeps;

void board_received(char byte) { (void)byte; }

/* What happened comes first, then the wakes. */
void board_alarm(void) {
  came = 1;
  pillion_wake(second.waker);
  pillion_wake(waiter.waker);
  pillion_wake(first.waker);
}

static int quiet_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct task *task = self;
  (void)out;
  task->waker = cx->waker;
  task->seen = came;
  task->polls++;
  return PILLION_PENDING;
}

static const pillion_future quiet = {sizeof quiet, quiet_poll, NULL};

static int waiter_poll(pillion_value *out, pillion_context *cx, void *self) {
  (void)out, (void)self;
  waiter.waker = cx->waker;
  if (came) return PILLION_READY;
  if (spins-- > 0) {
    cx->ops->wake(first.waker);
    cx->ops->wake(cx->waker);
  }
  return PILLION_PENDING;
}

static const pillion_future waiting = {sizeof waiting, waiter_poll, NULL};

/* With interrupts masked: what came has been polled, or is to be. */
static void sleep_now(void *data, int64_t deadline) {
  (void)data, (void)deadline;
  if (came) {
    say("a wake was lost\n", NULL);
    board_exit(1);
  }
  sleeps++;
  board_sleep();
}

static const pillion_port port = {NULL, sleep_now, NULL, NULL};

static void a_wake_at_every_instruction(void) {
  pillion_value value;
  for (uint32_t n = 0; n < BOARD_REACH; n++) {
    came = first.seen = second.seen = 0;
    spins = 2;
    board_interrupt_after(n);
    CHECK_INT(pillion_block_on(&value, &waiting, NULL), 0);
    while (pillion_static_turn() == 1) {
    }
    CHECK(first.seen);
    CHECK(second.seen);
    CHECK(pillion__static.first == NULL);
    CHECK(pillion__static.last == &pillion__static.first);
    if (checks_failed > 0) {
      say("at instruction ", number(n), "\n", NULL);
      break;
    }
  }
  CHECK(sleeps > 0); /* some came in the sleep, */
  CHECK(sleeps < (int)BOARD_REACH); /* and others before it */
}

void test_main(void) {
  pillion_static_init(slots, 4, &port);
  pillion_static_spawn(NULL, &quiet, &first, 0, PILLION_DETACH);
  pillion_static_spawn(NULL, &quiet, &second, 0, PILLION_DETACH);
  pillion_static_turn();
  TEST(a_wake_at_every_instruction);
  finish_tests();
}
