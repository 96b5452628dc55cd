/* SPDX-License-Identifier: Apache-2.0 */

/* Gives the core Go's functions, before any thread can call them. */
#include "_cgo_export.h"
#include "wiring.h"

struct pillion__job pillion__jobs[512];

void pillion__warn(const char *text) {
  pillion__log(PILLION_LOG_WARNING, "%s", text);
}

/* Also a warning: a function that starts the library unasked has no errbuf. */
int pillion__refuse(int rc, const char *text, char *errbuf, size_t errcap) {
  pillion__warn(text);
  return pillion__fail(rc, (struct pillion__why){errbuf, errcap}, "%s", text);
}

/*
 * Makes a function that enters Go and holds back the host's signals meanwhile.
 */
#define VISIT(name, parameters, arguments)                                    \
  static void visit_##name parameters {                                       \
    sigset_t mask;                                                            \
    pillion__visit_begin(&mask);                                              \
    pillion__go_##name arguments;                                             \
    pillion__visit_end(&mask);                                                \
  }
#define VISIT_FOR(type, name, parameters, arguments)                          \
  static type visit_##name parameters {                                       \
    sigset_t mask;                                                            \
    pillion__visit_begin(&mask);                                              \
    type answer = pillion__go_##name arguments;                               \
    pillion__visit_end(&mask);                                                \
    return answer;                                                            \
  }

VISIT_FOR(int, functions, (char *errbuf, size_t errcap), (errbuf, errcap))
VISIT_FOR(int, start, (char *errbuf, size_t errcap), (errbuf, errcap))
VISIT_FOR(int, stop, (void), ())
VISIT(turn, (struct pillion__guest_turn * turn), (turn))
VISIT_FOR(uint32_t, settle, (uint32_t index), (index))
VISIT(free, (uint32_t index), (index))
VISIT(count, (pillion_library_counts *out), (out))
VISIT(rewatch, (uint32_t index), (index))
VISIT(leave, (uint32_t index), (index))
VISIT(pool_free, (uint32_t pool), (pool))

__attribute__((constructor(102))) static void wire(void) {
  pillion__guest = (struct pillion__guest){
      .functions = visit_functions,
      .start = visit_start,
      .stop = visit_stop,
      .arrive = pillion__go_arrive,
      .turn = visit_turn,
      .settle = visit_settle,
      .free = visit_free,
      .count = visit_count,
      .rewatch = visit_rewatch,
      .leave = visit_leave,
      .pool_free = visit_pool_free,
  };
}
