/* SPDX-License-Identifier: Apache-2.0 */

/* Tells the core who stands behind it, before anybody can ask. */
#include "_cgo_export.h"
#include "wiring.h"

void pillion__warn(const char *text) {
  pillion__log(PILLION_LOG_WARNING, "%s", text);
}

/* Also a warning: what starts the library by itself has no errbuf. */
int pillion__refuse(int rc, const char *text, char *errbuf, size_t errcap) {
  pillion__warn(text);
  return pillion__fail(rc, errbuf, errcap, "%s", text);
}

static int go_functions(char *errbuf, size_t errcap) {
  return pillion__go_functions(errbuf, errcap);
}
static int go_start(void) { return pillion__go_start(); }
static int go_stop(void) { return pillion__go_stop(); }

__attribute__((constructor(102))) static void wire(void) {
  pillion__guest = (struct pillion__guest){
      .functions = go_functions,
      .start = go_start,
      .stop = go_stop,
      .turn = pillion__go_turn,
      .settle = pillion__go_settle,
      .free = pillion__go_free,
      .count = pillion__go_count,
      .rewatch = pillion__go_rewatch,
      .leave = pillion__go_leave,
      .pool_free = pillion__go_pool_free,
  };
}
