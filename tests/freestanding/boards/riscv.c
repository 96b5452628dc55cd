/* SPDX-License-Identifier: Apache-2.0 */

/*
 * QEMU's riscv32 virt, in machine mode. The core's timer is clock and alarm. A
 * 16550 behind the PLIC is the serial line.
 */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))

enum { UART = 0x10000000, PLIC = 0xc000000, UART_LINE = 10 };
enum { ALARM = 0x2004000, CLOCK = 0x200bff8, POWER = 0x100000 };

void board_write(const char *text) {
  while (*text != 0) BYTE(UART) = (uint8_t)*text++;
}

void board_exit(int code) {
  for (;;)
    REGISTER(POWER) = code == 0 ? 0x5555 : (uint32_t)code << 16 | 0x3333;
}

uint32_t board_counter(void) { return REGISTER(CLOCK); }

static void alarm_at(uint64_t time) {
  REGISTER(ALARM + 4) = 0xffffffff;
  REGISTER(ALARM) = (uint32_t)time;
  REGISTER(ALARM + 4) = (uint32_t)(time >> 32);
}

void board_alarm_set(uint32_t ticks) {
  uint32_t high, low;
  do {
    high = REGISTER(CLOCK + 4);
    low = REGISTER(CLOCK);
  } while (high != REGISTER(CLOCK + 4));
  alarm_at(((uint64_t)high << 32 | low) + (ticks > 0 ? ticks : 1));
}

/* The alarm is so many ticks away; the later the caller begins, the earlier. */
void board_interrupt_after(uint32_t n) {
  uint32_t edge = board_counter();
  while (board_counter() == edge) {
  }
  board_alarm_set(BOARD_REACH / 2 / (1000000000u / BOARD_HZ) + 1);
  if (n & 1) __asm__ volatile("nop\n\tnop\n\tnop");
  for (n /= 2; n > 0; n--) __asm__ volatile("");
}

void board_sleep(void) { __asm__ volatile("wfi" : : : "memory"); }

void board_listen(void) { BYTE(UART + 1) = 1; }

static void receive(void) {
  uint32_t line = REGISTER(PLIC + 0x200004);
  while (BYTE(UART + 5) & 1) board_received((char)BYTE(UART));
  REGISTER(PLIC + 0x200004) = line;
}

__attribute__((interrupt, aligned(4))) static void trap(void) {
  uint32_t cause;
  __asm__ volatile("csrr %0, mcause" : "=r"(cause));
  if (cause == 0x80000007) {
    alarm_at(UINT64_MAX);
    board_alarm();
  } else if (cause == 0x8000000b) {
    receive();
  } else {
    board_write("an unexpected trap\n");
    board_exit(3);
  }
}

__attribute__((used)) static void begin(void) {
  alarm_at(UINT64_MAX);
  REGISTER(PLIC + 4 * UART_LINE) = 1;
  REGISTER(PLIC + 0x2000) = 1 << UART_LINE;
  REGISTER(PLIC + 0x200000) = 0;
  __asm__ volatile("csrw mtvec, %0" : : "r"(trap));
  __asm__ volatile("csrs mie, %0" : : "r"(1 << 7 | 1 << 11));
  __asm__ volatile("csrsi mstatus, 8");
  test_main();
  board_exit(0);
}

/* QEMU loads .data where it is, and the memory is zero. */
__attribute__((naked, used, section(".start"))) void start(void) {
  __asm__ volatile("la sp, board_stack\n\tj begin");
}
