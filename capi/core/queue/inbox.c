/* SPDX-License-Identifier: Apache-2.0 */

/* A taker takes the whole inbox: the last pushed comes first. */
#include "queue/queue.h"

/* Reverses the taken list. The first pushed slot + 1, or 0. */
uint32_t pillion__inbox_turn(uint32_t from) {
  uint32_t type, to = 0;
  while (from != 0) {
    struct pillion__head *head = pillion__head_at(from - 1, &type);
    uint32_t next = pillion__inbox_next(head);
    pillion__set(&head->link, to);
    to = from;
    from = next;
  }
  return to;
}
