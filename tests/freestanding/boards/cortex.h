/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORTEX_H
#define PILLION_TESTS_CORTEX_H

/* What the Cortex-M boards share: the start, semihosting, the masks. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

extern uint32_t board_data_from[], board_data[], board_data_end[];
extern uint32_t board_bss[], board_bss_end[], board_stack[];

static inline int semihost(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_write(const char *text) { semihost(4, text); }

void board_exit(int code) {
  const uint32_t block[] = {0x20026, (uint32_t)code};
  for (;;) semihost(0x20, block);
}

void board_sleep(void) { __asm__ volatile("dsb\n\twfi" : : : "memory"); }

/* The alarm is so many ticks away; the later the caller begins, the earlier. */
void board_interrupt_after(uint32_t n) {
  uint32_t edge = board_counter();
  while (board_counter() == edge) {
  }
  board_alarm_set(BOARD_REACH / 2 / (1000000000u / BOARD_HZ) + 1);
  if (n & 1) __asm__ volatile("nop\n\tnop\n\tnop");
  for (n /= 2; n > 0; n--) __asm__ volatile("");
}

static void unexpected(void) {
  board_write("an unexpected exception\n");
  board_exit(3);
}

static void board_start(void);

void reset(void);

void reset(void) {
  for (uint32_t *to = board_data, *from = board_data_from; to < board_data_end;)
    *to++ = *from++;
  for (uint32_t *to = board_bss; to < board_bss_end;) *to++ = 0;
  board_start();
  test_main();
  board_exit(0);
}

#endif
