/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hierarchical timing wheel (Varghese and Lauck 1987) whose finest slots are
 * single nanoseconds. So it has no resolution of its own, and needs no sorting.
 *
 * A time is eleven digits of six bits. A timer lies at the level of the highest
 * digit in which its deadline differs from `base`, in the slot of that digit.
 * So the lowest level that isn't empty has the earliest timers, and its lowest
 * slot the earliest of them. When a timer there is due, `base` moves up to it,
 * and the slot's timers move down to their new places. Each moves once a level
 * at most, and a lone timer needs no move. The levels below are empty then, and
 * lists keep their order: timers of one deadline come out in the order of
 * arming.
 *
 * `base` moves only when a timer is due, never when time merely passes. A
 * timer's place follows from `base` and its deadline, so the wheel need not
 * note it.
 *
 * The first timer of a list is its own predecessor; NULL is "not armed".
 */
#include "queue/queue.h"

static struct pillion__wheel_list *slot_at(struct pillion__wheel *wheel,
                                           int64_t deadline, unsigned *level,
                                           unsigned *index) {
  uint64_t at = (uint64_t)deadline;
  uint64_t differs = (at ^ (uint64_t)wheel->base) | 1;
  *level = (63u - (unsigned)__builtin_clzll(differs)) / PILLION__WHEEL_BITS;
  *index = at >> *level * PILLION__WHEEL_BITS & (PILLION__WHEEL_SLOTS - 1u);
  return &wheel->at[*level][*index];
}

static void slot_empty(struct pillion__wheel *wheel, unsigned level,
                       unsigned index) {
  wheel->slots[level] &= ~(UINT64_C(1) << index);
  if (wheel->slots[level] == 0) wheel->levels &= ~(UINT64_C(1) << level);
}

/* Its deadline isn't before base. */
void pillion__wheel_put(struct pillion__wheel *wheel, pillion_timer *timer) {
  unsigned level, index;
  struct pillion__wheel_list *slot =
      slot_at(wheel, timer->deadline, &level, &index);
  uint64_t bit = UINT64_C(1) << index;
  timer->next = NULL;
  if (wheel->slots[level] & bit) {
    timer->prev = slot->last;
    slot->last->next = timer;
    if (timer->deadline < slot->least) slot->least = timer->deadline;
  } else {
    wheel->slots[level] |= bit;
    wheel->levels |= UINT64_C(1) << level;
    timer->prev = timer;
    slot->first = timer;
    slot->least = timer->deadline;
  }
  slot->last = timer;
}

/* It leaves `least` as it is, unless the right value is at hand. */
void pillion__wheel_remove(struct pillion__wheel *wheel, pillion_timer *timer) {
  unsigned level, index;
  struct pillion__wheel_list *slot =
      slot_at(wheel, timer->deadline, &level, &index);
  pillion_timer *next = timer->next, *prev = timer->prev;
  if (prev == timer && next == NULL) {
    slot_empty(wheel, level, index);
    return;
  }
  if (prev == timer) slot->first = next;
  else prev->next = next;
  if (next == NULL) slot->last = prev;
  else next->prev = prev == timer ? next : prev;
  if (slot->first == slot->last) slot->least = slot->first->deadline;
}

/* Moves a timer to its new place, and gives the one after it. */
static pillion_timer *move(struct pillion__wheel *wheel, pillion_timer *timer) {
  pillion_timer *next = timer->next;
  pillion__wheel_put(wheel, timer);
  return next;
}

/*
 * Moves `timer` and the timers after it up to `last`. If they are many, the
 * next one is in no cache, and known only when this one has come. So `behind`
 * walks from the other end at the same time, and two fetches are under way. It
 * leaves in each timer, as `child`, the one FURTHER places on, which the first
 * walk fetches from there.
 */
#define FURTHER 4
__attribute__((noinline)) static void move_many(struct pillion__wheel *wheel,
                                                pillion_timer *timer,
                                                pillion_timer *last) {
  pillion_timer *behind = last, *passed[FURTHER] = {last, last, last, last};
  last->child = last;
  for (unsigned i = 0; timer != behind && timer->next != behind; i++) {
    behind = behind->prev;
    __builtin_prefetch(behind);
    behind->child = passed[i % FURTHER];
    passed[i % FURTHER] = behind;
    timer = move(wheel, timer);
  }
  while (timer != NULL) {
    __builtin_prefetch(timer->child);
    timer = move(wheel, timer);
  }
}

static void slot_move(struct pillion__wheel *wheel,
                      const struct pillion__wheel_list *slot) {
  pillion_timer *timer = slot->first;
  for (int i = 0; i < 4 && timer != NULL; i++) timer = move(wheel, timer);
  if (timer != NULL) move_many(wheel, timer, slot->last);
}

/* The first timer of a slot whose timers all have one deadline. */
static pillion_timer *slot_pop(struct pillion__wheel *wheel, unsigned level,
                               unsigned index) {
  struct pillion__wheel_list *slot = &wheel->at[level][index];
  pillion_timer *timer = slot->first;
  slot->first = timer->next;
  if (timer->next == NULL) slot_empty(wheel, level, index);
  else timer->next->prev = timer->next;
  return timer;
}

/*
 * Takes the timer that is due first, and among equal deadlines the one armed
 * first. NULL if none is due.
 */
pillion_timer *pillion__wheel_due(struct pillion__wheel *wheel, int64_t now) {
  while (wheel->levels != 0) {
    unsigned level = (unsigned)__builtin_ctzll(wheel->levels);
    unsigned index = (unsigned)__builtin_ctzll(wheel->slots[level]);
    struct pillion__wheel_list *slot = &wheel->at[level][index];
    if (slot->least > now) return NULL;
    wheel->base = slot->least;
    if (level == 0 || slot->first->next == NULL)
      return slot_pop(wheel, level, index);
    slot_empty(wheel, level, index);
    slot_move(wheel, slot);
  }
  return NULL;
}
