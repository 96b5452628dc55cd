/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_SIDE_H
#define PILLION_SIDE_H

/*
 * The sides of an executor: its pool and Go, which share its turns. An executor
 * without them pays one predictable branch for each; core/wiring.c wires them.
 */
#include "base/base.h"

#pragma GCC visibility push(hidden)

struct pillion__executor;

struct pillion__side {
  /* Polls until the clock shows `until` at most. The number of polls. */
  uint32_t (*run)(struct pillion__executor *ex, uint32_t max_polls, int64_t now,
                  int64_t until);
  /* Before the executor parks, and after it: reports whether there is work. */
  bool (*more)(struct pillion__executor *ex);
  bool (*rest)(struct pillion__executor *ex);
  uint64_t (*live)(const struct pillion__executor *ex);
  int64_t (*deadline)(const struct pillion__executor *ex);
  void (*leave)(struct pillion__executor *ex); /* with all its work */
};

extern const struct pillion__side *const pillion__pool_side,
    *const pillion__guest_side;

#pragma GCC visibility pop

#endif
