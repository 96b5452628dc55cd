/* SPDX-License-Identifier: Apache-2.0 */

/*
 * QEMU's mps2-an386: a Cortex-M4 at 25 MHz. SysTick is the clock, timer 0 the
 * alarm, UART 0 the serial line.
 */
#include "cortex.h"

enum { UART = 0x40004000, TIMER = 0x40000000, SYSTICK = 0xe000e010 };

uint32_t board_counter(void) { return -REGISTER(SYSTICK + 8) & BOARD_MASK; }

void board_alarm_set(uint32_t ticks) {
  REGISTER(TIMER) = 0;
  REGISTER(TIMER + 8) = 0; /* once */
  REGISTER(TIMER + 4) = ticks > 0 ? ticks : 1;
  REGISTER(TIMER) = 9; /* it counts, and interrupts */
}

static void timer(void) {
  REGISTER(TIMER) = 0;
  REGISTER(TIMER + 12) = 1;
  board_alarm();
}

void board_listen(void) { REGISTER(UART + 8) = 1 | 2 | 8; }

/* Cleared first: a byte that comes later interrupts once more. */
static void receive(void) {
  REGISTER(UART + 12) = 2;
  while (REGISTER(UART + 4) & 2) board_received((char)REGISTER(UART));
}

static void board_start(void) {
  REGISTER(SYSTICK + 4) = BOARD_MASK;
  REGISTER(SYSTICK + 8) = 0;
  REGISTER(SYSTICK) = 5;
  REGISTER(UART + 16) = 16;
  REGISTER(0xe000e100) = 1 << 0 | 1 << 8;
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    board_stack, reset,      unexpected, unexpected, unexpected, unexpected,
    unexpected,  0,          0,          0,          0,          unexpected,
    unexpected,  0,          unexpected, unexpected, receive,    unexpected,
    unexpected,  unexpected, unexpected, unexpected, unexpected, unexpected,
    timer};
