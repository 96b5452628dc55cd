/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_BOARD_H
#define PILLION_TESTS_BOARD_H

/*
 * A machine: m4.c, m0.c and riscv.c under QEMU, host.c as a process. Each has a
 * clock, one alarm, a serial line and an end.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef BOARD_HOST
uint32_t board_irq_save(void);
void board_irq_restore(uint32_t state);
#define PILLION_IRQ_SAVE() board_irq_save()
#define PILLION_IRQ_RESTORE(state) board_irq_restore(state)
#endif

void board_write(const char *text);
void board_exit(int code) __attribute__((noreturn));

/* The clock's counter wraps; BOARD_HZ and BOARD_MASK describe it. */
uint32_t board_counter(void);

/* Calls board_alarm in an interrupt, `ticks` of the clock from now, once. */
void board_alarm_set(uint32_t ticks);
void board_alarm(void);

/*
 * Calls board_alarm in an interrupt, at another instruction for each `n` below
 * BOARD_REACH.
 */
void board_interrupt_after(uint32_t n);

/* Sleeps until an interrupt is pending; called with interrupts masked. */
void board_sleep(void);

/* Calls board_received in an interrupt, for each byte that comes in. */
void board_listen(void);
void board_received(char byte);

void test_main(void); /* the program's */

#if defined(BOARD_M4)
#define BOARD_NAME "m4"
#define BOARD_HZ 25000000u
#define BOARD_MASK 0xffffffu
#define BOARD_REACH 1200u
#elif defined(BOARD_M0)
#define BOARD_NAME "m0"
#define BOARD_HZ 1000000u
#define BOARD_MASK 0xffffu
#define BOARD_REACH 3400u
#elif defined(BOARD_RISCV)
#define BOARD_NAME "riscv"
#define BOARD_HZ 10000000u
#define BOARD_MASK 0xffffffffu
#define BOARD_REACH 1200u
#else
#define BOARD_NAME "host"
#define BOARD_HZ 1000000u
#define BOARD_MASK 0xfffffu
#define BOARD_REACH 40u
#endif

#endif
