/* SPDX-License-Identifier: Apache-2.0 */

/*
 * QEMU's microbit: a Cortex-M0, which has the instructions of an M0+. Timer 0
 * of its nRF51 is clock and alarm: 1 MHz, and 16 bits, so that it wraps often.
 */
#include "cortex.h"

enum { UART = 0x40002000, TIMER = 0x40008000 };

uint32_t board_counter(void) {
  REGISTER(TIMER + 0x44) = 1; /* capture 1 */
  return REGISTER(TIMER + 0x544) & BOARD_MASK;
}

void board_alarm_set(uint32_t ticks) {
  REGISTER(TIMER + 0x140) = 0;
  REGISTER(TIMER + 0x540) = (board_counter() + (ticks > 1 ? ticks : 2)) &
                            BOARD_MASK;
  REGISTER(TIMER + 0x304) = 1 << 16;
}

static void timer(void) {
  REGISTER(TIMER + 0x308) = 1 << 16;
  REGISTER(TIMER + 0x140) = 0;
  board_alarm();
}

void board_listen(void) {
  REGISTER(UART + 0x500) = 4; /* on */
  REGISTER(UART + 0x304) = 4; /* interrupts for bytes that come in */
  REGISTER(UART) = 1;
}

static void receive(void) {
  while (REGISTER(UART + 0x108)) {
    REGISTER(UART + 0x108) = 0;
    board_received((char)REGISTER(UART + 0x518));
  }
}

static void board_start(void) {
  REGISTER(TIMER + 0x508) = 0;
  REGISTER(TIMER + 0x510) = 4;
  REGISTER(TIMER) = 1;
  REGISTER(0xe000e100) = 1 << 2 | 1 << 8;
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    board_stack, reset,      unexpected, unexpected, unexpected, unexpected,
    unexpected,  0,          0,          0,          0,          unexpected,
    unexpected,  0,          unexpected, unexpected, unexpected, unexpected,
    receive,     unexpected, unexpected, unexpected, unexpected, unexpected,
    timer};
