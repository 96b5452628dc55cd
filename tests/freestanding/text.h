/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_TEXT_H
#define PILLION_TESTS_TEXT_H

/* Output without a libc. */
#include <stdarg.h>

#include "boards/board.h"

/* The texts up to NULL. */
static inline void say(const char *text, ...) {
  va_list more;
  va_start(more, text);
  for (; text != NULL; text = va_arg(more, const char *)) board_write(text);
  va_end(more);
}

/* Decimal; eight of them live at once. */
static inline const char *number(int64_t n) {
  static char texts[8][24];
  static unsigned turn;
  char *at = &texts[turn++ % 8][23];
  uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
  *at = 0;
  do *--at = (char)('0' + left % 10);
  while ((left /= 10) != 0);
  if (n < 0) *--at = '-';
  return at;
}

#endif
