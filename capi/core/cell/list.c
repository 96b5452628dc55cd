/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of slots, first in, first out. */
#include "cell/cell.h"

void pillion__list_push(struct pillion__list *list, uint32_t slot) {
  uint32_t type;
  pillion__head_at(slot, &type)->next = 0;
  if (list->last == 0) list->first = slot + 1;
  else pillion__head_at(list->last - 1, &type)->next = slot + 1;
  list->last = slot + 1;
}
