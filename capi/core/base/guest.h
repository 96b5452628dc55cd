/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_BASE_GUEST_H
#define PILLION_BASE_GUEST_H

/* Go's functions that the core calls: all of them enter Go. */
#include "base/base.h"

#pragma GCC visibility push(hidden)

struct pillion__guest_turn; /* guest/guest.h */

/* Set once, by capi, before anything runs. */
struct pillion__guest {
  int (*functions)(char *errbuf, size_t errcap); /* register them */
  /* Start the dispatcher, if there are functions. */
  int (*start)(char *errbuf, size_t errcap);
  int (*stop)(void);    /* end workers and dispatcher */
  void (*arrive)(void); /* enter Go, and be back at once */
  void (*turn)(struct pillion__guest_turn *turn);
  uint32_t (*settle)(uint32_t index); /* end idle coroutines; how many stay? */
  void (*free)(uint32_t index);       /* drop all Go tasks, on their thread */
  void (*count)(pillion_library_counts *out); /* add Go's counts */
  void (*rewatch)(uint32_t index);  /* a new host knows no descriptor */
  void (*leave)(uint32_t index);    /* the executor's pool, on its thread */
  void (*pool_free)(uint32_t pool); /* drop all of the pool's Go tasks */
};
extern struct pillion__guest pillion__guest;

#pragma GCC visibility pop

#endif
