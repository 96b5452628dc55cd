/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A process as a board, with a clock of its own: it goes on when it is read, and
 * a sleep takes it to the alarm. Interrupts come when they are unmasked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

#include "board.h"

static uint32_t counter, alarm_time, armed, listening;
static uint32_t masked, pending, stepping, steps_left;

void board_write(const char *text) {
  fputs(text, stdout);
  fflush(stdout);
}

void board_exit(int code) {
  fflush(stdout);
  exit(code);
}

static int readable(int wait) {
  struct timeval none = {0, 0};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(0, &set);
  return select(1, &set, NULL, NULL, wait ? NULL : &none) == 1;
}

static void interrupts(void) {
  if (stepping && steps_left-- == 0) {
    stepping = 0;
    pending = 1;
  }
  if (masked) return;
  masked = 1;
  if (pending) {
    pending = 0;
    board_alarm();
  }
  if (armed && (int32_t)(counter - alarm_time) >= 0) {
    armed = 0;
    board_alarm();
  }
  char byte;
  if (listening && readable(0)) {
    if (read(0, &byte, 1) == 1) board_received(byte);
    else listening = 0;
  }
  masked = 0;
}

uint32_t board_irq_save(void) {
  uint32_t before = masked;
  interrupts();
  masked = 1;
  return before;
}

void board_irq_restore(uint32_t state) {
  masked = state;
  interrupts();
}

uint32_t board_counter(void) {
  counter++;
  interrupts();
  return counter & BOARD_MASK;
}

void board_alarm_set(uint32_t ticks) {
  alarm_time = counter + ticks;
  armed = 1;
}

/* After so many masks and unmasks; the boards go by instructions. */
void board_interrupt_after(uint32_t n) {
  steps_left = n;
  stepping = 1;
}

/* If nothing can come, it would sleep for ever. */
void board_sleep(void) {
  if (stepping || pending) {
    stepping = 0; /* it comes now */
    pending = 1;
  } else if (armed) {
    if ((int32_t)(counter - alarm_time) < 0) counter = alarm_time;
  } else if (!listening || !readable(1)) {
    board_write("asleep for ever\n");
    board_exit(4);
  }
}

void board_listen(void) { listening = 1; }

int main(void) {
  test_main();
  board_exit(0);
}
