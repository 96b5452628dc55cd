/* SPDX-License-Identifier: Apache-2.0 */

/* What an executor's options say, before anybody can use it. */
#include "core.h"

#define READY_MOST (1u << 24) /* there are no more slots */

static uint32_t or_else(uint32_t given, uint32_t otherwise) {
  return given == 0 ? otherwise : given;
}

int pillion__configure(struct pillion__executor *ex,
                       const pillion_executor_options *o, char *errbuf,
                       size_t errcap) {
  if (o->gather > 0 && o->flags & PILLION_NO_FD)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "options.gather needs a descriptor");
  if (o->ready > READY_MOST)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "options.ready is %u, not %u at most", o->ready,
                         READY_MOST);
  if (o->max_ns < 0)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "options.max_ns is negative");
  if (o->ready > 0) {
    int rc = pillion__tasks_reserve(ex, o->ready);
    if (rc < 0)
      return pillion__fail(rc, errbuf, errcap, "no room for %u tasks",
                           o->ready);
  }
  ex->max_tasks = or_else(o->max_tasks, UINT32_MAX);
  ex->max_calls = or_else(o->max_calls, UINT32_MAX);
  ex->max_watches = or_else(o->max_watches, UINT32_MAX);
  ex->max_polls = or_else(o->max_polls, 256);
  ex->max_ns = o->max_ns;
  ex->seed = o->seed;
  ex->clock = o->clock;
  ex->clock_data = o->clock_data;
  ex->timers.max_armed = or_else(o->max_timers, UINT32_MAX);
  ex->timers.deadline = PILLION_TIME_NEVER;
  return 0;
}
