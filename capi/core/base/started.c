/* SPDX-License-Identifier: Apache-2.0 */

/* Whether the library has started, and its limits. */
#include "base/base.h"
#include "base/guest.h"

struct pillion__guest pillion__guest;
_Atomic bool pillion__is_started; /* once, for the fast path */
_Atomic bool pillion__stopping = true;
uint64_t pillion__max_request;
uint32_t pillion__max_calls, pillion__max_workers;

/* Below 1.0 only the patch may differ; after it, the minor may be less. */
int pillion__version_check(int version, char *errbuf, size_t errcap) {
  if (version >> 8 == PILLION_VERSION_NUMBER >> 8) return 0;
  return pillion__fail(
      PILLION_EVERSION, errbuf, errcap,
      "the program has the header of version %d.%d.%d, the library is %s",
      version >> 16, version >> 8 & 255, version & 255, PILLION_VERSION_STRING);
}

/* For functions that start the library if need be, but not after a shutdown. */
int pillion__started(void) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (PILLION__LIKELY(
          atomic_load_explicit(&pillion__is_started, memory_order_acquire)))
    return 0;
  return pillion__starter(NULL, NULL, 0);
}

/* The same for a program with the header of `version`. */
int pillion__started_for(int version, char *errbuf, size_t errcap) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.version = version;
  return atomic_load_explicit(&pillion__is_started, memory_order_acquire)
             ? pillion__version_check(version, errbuf, errcap)
             : pillion__starter(&options, errbuf, errcap);
}
