/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_KINDS_H
#define PILLION_KINDS_H

/*
 * The table of kinds: what an executor does with a cell that is no local task.
 * Each kind has one row, on its own floor; capi/core/wiring.c makes the table
 * of them, so that executors reach what stands above them. They test for local
 * tasks first, and call what is theirs directly. NULL: this kind has none.
 */
#include "cell/cell.h"

#pragma GCC visibility push(hidden)

struct pillion__executor;

struct pillion__kind {
  /* By any thread and any signal handler. */
  int (*wake)(struct pillion__head *head, pillion_waker waker);
  int (*cancel)(struct pillion__head *head, pillion_task task);
  int (*detach)(struct pillion__head *head, pillion_task task);
  /* By the thread that awaits or polls it, as the public functions. */
  int (*wake_local)(pillion_waker waker);
  int (*evict)(struct pillion__head *head, pillion_task task);
  int (*deadline)(pillion_timer *storage, struct pillion__head *head,
                  pillion_task task, int64_t at);
  void (*expire)(struct pillion__head *head, pillion_task task);
  int (*join)(pillion_value *out, pillion_context *cx,
              struct pillion__head *head, pillion_task task);
  /* By the executor that found it in its inbox. */
  void (*delivered)(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot);
  /* What is in the executor's list of ends: as an event, or as none. */
  void (*event)(struct pillion__executor *ex, struct pillion__head *head,
                uint32_t slot, pillion_event *event);
  void (*drop)(struct pillion__executor *ex, struct pillion__head *head,
               uint32_t slot);
  /* The payload that its event has lent goes. */
  void (*release)(struct pillion__head *head, uint32_t slot);
  /* All of an executor's or a pool's: asked to stop, or gone. */
  void (*cancel_all)(struct pillion__owner *owner);
  void (*drop_all)(struct pillion__executor *ex);
};

extern const struct pillion__kind *const pillion__kinds[PILLION__CHUNK_TYPES];

#pragma GCC visibility pop

#endif
