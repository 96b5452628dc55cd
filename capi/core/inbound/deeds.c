/* SPDX-License-Identifier: Apache-2.0 */

/* Many of the host's verbs at once: a binding says all with one call a turn. */
#include <string.h>

#include "inbound/inbound.h"

/* Its bytes are borrowed: all verbs copy them. */
static pillion_value deed_value(const pillion_deed *deed, const void *bytes) {
  pillion_value value = {0};
  value.length = deed->length;
  if (deed->length > PILLION_INLINE) value.payload.ref.data = bytes;
  else if (deed->length > 0) memcpy(value.payload.bytes, bytes, deed->length);
  return value;
}

static int deed_do(const pillion_deed *deed, const void *base) {
  const void *bytes = base == NULL ? (const void *)(uintptr_t)deed->payload
                                   : (const char *)base + deed->payload;
  pillion_value value;
  switch (deed->what) {
    case PILLION_DEED_ANSWER:
    case PILLION_DEED_SEND:
      if (bytes == NULL && deed->length > 0) return PILLION_EINVAL;
      value = deed_value(deed, bytes);
      if (deed->what == PILLION_DEED_SEND)
        return pillion_call_send(deed->task, &value);
      value.status = deed->number;
      return pillion_call_answer(deed->task, &value);
    case PILLION_DEED_FINISH:
      return pillion_call_finish(deed->task);
    case PILLION_DEED_CREDIT:
      return deed->number < 0
                 ? PILLION_EINVAL
                 : pillion_call_credit(deed->task, (uint32_t)deed->number);
    case PILLION_DEED_CANCEL:
      return pillion_task_cancel(deed->task);
    default:
      return PILLION_EINVAL;
  }
}

int pillion_call_deeds(const pillion_deed *deeds, size_t count,
                       const void *base) {
  if (pillion__forked()) return PILLION_EFORKED;
  if ((deeds == NULL && count > 0) || count > INT32_MAX) return PILLION_EINVAL;
  size_t done = 0;
  int rc = 0;
  pillion__ring_hold();
  while (done < count && (rc = deed_do(&deeds[done], base)) >= 0) done++;
  pillion__ring_release();
  return done > 0 || count == 0 ? (int)done : rc;
}
