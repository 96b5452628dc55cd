/* SPDX-License-Identifier: Apache-2.0 */

/* The time, and waiting for other threads. */
#include <sched.h>
#include <time.h>

#include "base/base.h"

int64_t pillion__now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The time for which a system call may sleep. NULL: for ever; negative: not. */
struct timespec *pillion__until(struct timespec *left, int64_t deadline) {
  if (deadline == PILLION_TIME_NEVER) return NULL;
  int64_t ns = deadline - pillion__now();
  if (ns <= 0) ns = -1000000000;
  left->tv_sec = ns / 1000000000;
  left->tv_nsec = ns % 1000000000;
  return left;
}

/*
 * For a loop that waits until another thread has done its next instructions.
 * That thread may have a lower priority, and get no turn from a yield.
 */
void pillion__let_run(uint32_t round) {
  struct timespec nap = {0, 50000};
  if (round < 16) sched_yield();
  else nanosleep(&nap, NULL);
}

/* Naps until `count` is 0. Reports whether it became 0 in time. */
bool pillion__await_zero(_Atomic uint64_t *count, int64_t deadline) {
  struct timespec nap = {0, 50000};
  while (atomic_load(count) > 0) {
    if (pillion__now() >= deadline) return false;
    nanosleep(&nap, NULL);
    if (nap.tv_nsec < 5000000) nap.tv_nsec *= 2;
  }
  return true;
}
