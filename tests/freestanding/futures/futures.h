/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_FUTURES_H
#define PILLION_TESTS_FUTURES_H

/*
 * Futures that know no executor. Their object files run on static.h and on the
 * shared library.
 */
#include "pillion/scope.h"
#include "pillion/select.h"
#include "pillion/time.h"

int pillion_wake(pillion_waker waker); /* of either */

/* ---- A serial line ------------------------------------------------------- */

enum { LINE_RING = 32 };

/* An interrupt or another thread puts bytes in, one task takes them. */
struct line {
  char ring[LINE_RING];
  uint32_t in, out, lost;
  pillion_waker waker;
};

void line_put(struct line *line, char byte);

/* Reads up to a newline, and gives up to 24 characters. */
struct reading {
  struct line *line;
  char text[24];
  uint32_t length;
};

extern const pillion_future reading_future;

/* ---- A light ------------------------------------------------------------- */

struct blinking {
  int64_t period;
  int times, done;
  pillion_interval interval;
  int state;
};

extern const pillion_future blinking_future;

/* ---- All of it ----------------------------------------------------------- */

/*
 * Two lights blink while lines are read, each within a time. The first line
 * ends it, or the time does. Its value is the line.
 */
struct watching {
  struct line *line;
  int64_t patience;
  struct blinking light[2];
  struct reading reading;
  struct nap {
    int64_t ns;
    pillion_timer timer;
  } nap;
  pillion_branch branch[2];
  uint32_t which;
  pillion_scope scope;
  pillion_child child[2];
  pillion_value value;
  int state;
};

extern const pillion_future watching_future;

#endif
