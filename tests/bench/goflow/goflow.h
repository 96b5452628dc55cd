/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The library's functions, of the public ones and of those that are Go's, are weak here:
 * they are in another package of the same program.
 */
#include <malloc.h>
#include <stdlib.h>

#include "wiring.h"

#pragma weak pillion__call_complete
#pragma weak pillion__call_take_up
#pragma weak pillion__directory
#pragma weak pillion__flow_send
#pragma weak pillion__guest
#pragma weak pillion__ring_take
#pragma weak pillion_call_credit
#pragma weak pillion_call_submit_with
#pragma weak pillion_executor_new
#pragma weak pillion_executor_turn
#pragma weak pillion_function_find
#pragma weak pillion_start
#pragma weak pillion_strerror
#pragma weak pillion__call_flow

/* A burst of long payloads is as much as malloc gives back to the system. */
static inline void bench_keep_memory(void) {
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
}

/* What the library has of malloc. */
static size_t bench_bytes;

static inline void *bench_alloc(size_t bytes, void *data) {
  (void)data;
  size_t *memory = malloc(bytes + 16);
  bench_bytes += *memory = bytes;
  return memory + 2;
}

static inline void bench_free(void *memory, void *data) {
  (void)data;
  size_t *before = (size_t *)memory - 2;
  bench_bytes -= *before;
  free(before);
}

static inline int bench_start_counting(void) {
  static const pillion_allocator counting = {bench_alloc, bench_free, NULL};
  pillion_start_options o = PILLION_START_OPTIONS_INIT;
  o.allocator = &counting;
  return pillion_start(&o, NULL, 0);
}

static inline size_t bench_used(void) { return bench_bytes; }

/* Go's workers are played here. */
static inline void bench_without_workers(void) { pillion__guest.start = NULL; }

static inline int bench_submit(pillion_task *out, pillion_executor ex,
                               pillion_function function, uint32_t credit) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  o.function = function;
  o.flags = PILLION_EVENT;
  o.credit = credit;
  return pillion_call_submit_with(out, ex, &o);
}

static inline int bench_take_up(struct pillion__job *jobs, int count) {
  int n = 0;
  while (n < count) n += pillion__ring_take(jobs + n, count - n);
  for (int i = 0; i < n; i++)
    if (!pillion__call_take_up(jobs[i].call)) return -1;
  return n;
}

static inline struct pillion__flow *bench_flow(pillion_task task) {
  return pillion__call_flow(pillion__call_at(pillion__slot_of(task)),
                            PILLION__FLOW_OUT_SIDE);
}

static inline int bench_take(pillion_executor ex, pillion_event *events,
                             int count) {
  int n = 0, last = 1;
  while (n < count && last > 0) {
    last = pillion_executor_turn(events, (size_t)(count - n), NULL, ex, NULL);
    if (last < 0) return last;
    n += last;
  }
  return n;
}
