/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_KINDS_H
#define PILLION_KINDS_H

/*
 * The table of kinds: an executor's functions for cells that are no local
 * tasks. Each kind has one row, on its own floor. core/wiring.c makes the
 * table, so that executors reach the floors above them. They test for local
 * tasks first, and call their own functions directly. NULL: the kind has no
 * such function.
 */
#include "cell/cell.h"

#pragma GCC visibility push(hidden)

struct pillion__executor;
struct pillion__job;

struct pillion__kind {
  /* By any thread and any signal handler. */
  int (*wake)(struct pillion__head *head, pillion_waker waker);
  int (*cancel)(struct pillion__head *head, pillion_task task);
  int (*detach)(struct pillion__head *head, pillion_task task);
  /* By its waiter or poller, as the public functions. */
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
  /* An entry of the executor's list of ends: as at most `room` events, whose
   * number it gives, or as none. */
  size_t (*event)(struct pillion__executor *ex, struct pillion__head *head,
                  uint32_t slot, pillion_event *events, size_t room);
  void (*drop)(struct pillion__head *head, uint32_t slot);
  /* The payload that its event has lent ends. */
  void (*release)(struct pillion__head *head, uint32_t slot);
  /* All of an executor's or a pool's: asks them to stop, or ends them. The bits
   * are the kind's own. */
  void (*cancel_all)(struct pillion__owner *owner, uint32_t bits);
  void (*drop_all)(struct pillion__executor *ex);
  /* pillion_next. */
  int (*next)(pillion_value *out, pillion_context *cx,
              struct pillion__head *head, pillion_task task);
  /* The first of its flows, for the host's verbs: 0, or why there is none. */
  int (*flows)(uint32_t *out, struct pillion__head *head, pillion_task task);
  /* What Go is to hear of it; reports whether it is anything. */
  bool (*news)(struct pillion__head *head, struct pillion__job *job);
};

extern const struct pillion__kind *const pillion__kinds[PILLION__CHUNK_TYPES];

#pragma GCC visibility pop

#endif
