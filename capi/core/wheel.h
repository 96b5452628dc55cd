/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_WHEEL_H
#define PILLION_WHEEL_H

/* The timers of an executor; see timer.c and wheel.c. */
#include "cell.h"

#define PILLION__WHEEL_BITS 6u
#define PILLION__WHEEL_SLOTS (1u << PILLION__WHEEL_BITS)
#define PILLION__WHEEL_LEVELS 11u /* of 6 bits: all of an int64_t */

/* A list of timers in their arming order. Meaningless if it is empty. */
struct pillion__slot {
  pillion_timer *first, *last;
  int64_t least; /* no timer here is due before it */
};

struct pillion__wheel {
  int64_t base;    /* no timer here is due before it */
  uint64_t levels; /* those with timers, one bit each */
  uint64_t slots[PILLION__WHEEL_LEVELS]; /* of each level, those with timers */
  struct pillion__slot at[PILLION__WHEEL_LEVELS][PILLION__WHEEL_SLOTS];
};

struct pillion__timers {
  int64_t deadline; /* of the earliest; after a clear it may be too early */
  uint32_t armed, max_armed;
  uint64_t seq;        /* of the last that was armed late */
  pillion_timer *late; /* those due before wheel.base: a pairing heap */
  struct pillion__wheel wheel;
};

PILLION__HIDDEN void pillion__wheel_put(struct pillion__wheel *wheel,
                                        pillion_timer *timer);
PILLION__HIDDEN void pillion__wheel_remove(struct pillion__wheel *wheel,
                                           pillion_timer *timer);
PILLION__HIDDEN pillion_timer *pillion__wheel_due(struct pillion__wheel *wheel,
                                                  int64_t now);
PILLION__HIDDEN pillion_timer *
pillion__wheel_any(const struct pillion__wheel *wheel);

static inline int64_t pillion__wheel_least(const struct pillion__wheel *wheel) {
  if (wheel->levels == 0) return PILLION_TIME_NEVER;
  int level = __builtin_ctzll(wheel->levels);
  return wheel->at[level][__builtin_ctzll(wheel->slots[level])].least;
}

#endif
