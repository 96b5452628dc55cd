/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Instructions a self-woken poll, under QEMU's -icount shift=0: an instruction
 * is then a nanosecond of the clock. Without a clock in the executor, as
 * embassy's has none here, and with one.
 */
#include "boards/board.h"
#include "pillion/static.h"
#include "text.h"

enum { POLLS = 1000 };

static pillion_slot slots[4];
static uint32_t polls;

/* The state is outside, as the peer's is. */
static int again_poll(pillion_value *out, pillion_context *cx, void *self) {
  uint32_t *left = self;
  (void)out;
  if (*left == 0) return PILLION_READY;
  --*left;
  cx->ops->wake(cx->waker);
  return PILLION_PENDING;
}

static const pillion_future again = {sizeof again, again_poll, NULL};

static int64_t fixed_clock(void *data) {
  (void)data;
  return 1;
}

void board_alarm(void) {}
void board_received(char byte) { (void)byte; }

static uint32_t measure(const pillion_port *port) {
  pillion_value value;
  polls = POLLS;
  pillion_static_init(slots, 4, port);
  uint32_t before = board_counter();
  pillion_block_on(&value, &again, &polls);
  uint32_t ticks = (board_counter() - before) & BOARD_MASK;
  return (uint32_t)((uint64_t)ticks * (1000000000u / BOARD_HZ) / POLLS);
}

void test_main(void) {
  static const pillion_port bare, clocked = {fixed_clock, NULL, NULL, NULL};
  say("{\"turn\": ", number(measure(&bare)), ", \"clocked\": ",
      number(measure(&clocked)), ", \"slot\": ", number(sizeof(pillion_slot)),
      "}\n", NULL);
}
