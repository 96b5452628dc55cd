/* SPDX-License-Identifier: Apache-2.0 */

/* Whether the library has started, and its limits. */
#include "base/base.h"
#include "base/guest.h"

struct pillion__guest pillion__guest;
_Atomic bool pillion__is_started; /* once, for the fast path */
_Atomic bool pillion__stopping = true;
uint64_t pillion__max_request;
uint32_t pillion__max_calls, pillion__max_workers;

/* Starts the library if need be, but not after a shutdown. */
int pillion__started_or(struct pillion__why why) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (PILLION__LIKELY(
          atomic_load_explicit(&pillion__is_started, memory_order_acquire)))
    return 0;
  return pillion__starter(NULL, why.text, why.cap);
}

int pillion__started(void) {
  return pillion__started_or((struct pillion__why){NULL, 0});
}
