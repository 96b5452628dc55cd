/* SPDX-License-Identifier: Apache-2.0 */

/* A taker takes the whole inbox: the last pushed comes first. */
#include "queue/queue.h"

/* Reverses the taken list. The first pushed slot + 1, or 0. */
uint32_t pillion__inbox_turn(uint32_t from) {
  struct pillion__head *head;
  uint32_t slot, type, to = 0;
  while ((head = pillion__inbox_next(&from, &slot, &type)) != NULL) {
    pillion__set(&head->link, to);
    to = slot + 1;
  }
  return to;
}

/* The first pushed slot + 1 of the whole inbox, or 0. */
uint32_t pillion__inbox_take(_Atomic uint32_t *inbox) {
  return pillion__peek(inbox) == 0
             ? 0
             : pillion__inbox_turn(atomic_exchange(inbox, 0));
}
