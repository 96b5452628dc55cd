/* SPDX-License-Identifier: Apache-2.0 */

/*
 * At load, around Go's constructor. That starts Go's threads, which inherit the
 * mask: with everything blocked they never take a signal that is meant for the
 * host. Priority 101 is the first that a library may use; a constructor without
 * one comes after Go's.
 */
#include "library/library.h"

static sigset_t host_mask;

__attribute__((constructor(101))) static void before_go(void) {
  sigset_t all;
  pillion__process_watch(pillion__thread_ends);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &host_mask);
}

__attribute__((constructor)) static void after_go(void) {
  pthread_sigmask(SIG_SETMASK, &host_mask, NULL);
}
