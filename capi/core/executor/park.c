/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parking: when and how the host is told. tests/model/park.pml is this file
 * and pillion__ask as a model.
 *
 *    IDLE ---1---> POKED, with a poker ---2---> POKED
 *     ^ \                       \                 |
 *     |  '------------3-----------+------3-------'
 *     |                           v
 *     '------------4----------- RUNNING
 *
 *   1  a thread that pushes into an idle executor's inbox wins the right to
 *      poke, and is counted as a poker
 *   2  it pokes once, and is counted no more. It looks at nothing after
 *      that: a wake costs one write, wherever the scheduler puts its thread
 *   3  a turn begins; it finds the pushes, and their threads do not poke.
 *      TURN_FOLLOWS begins one early
 *   4  a turn ends with no work left; it looks at the inbox once more after
 *      it, since a push may have met RUNNING
 *
 * The word counts pokers beside any state: a turn that meets a poker doesn't
 * wait for it. The poker may lie preempted before its write or behind it. So a
 * turn that ends with no work empties the descriptor before it goes idle, and
 * remembers that a write may still come. The next turn then is no quiet one,
 * and empties the descriptor again. Such a turn does not count as one that found
 * work. A loop that looks before it sleeps would otherwise look until the poker
 * runs, which it cannot on a core that a real-time loop keeps.
 *
 * If the executor gathers, the thread with the first end may arm the timer.
 * ARMED stands beside the state until the owner goes idle, and the thread
 * counts as a poker. The owner disarms the timer together with emptying the
 * descriptor, or the host would spin on an expired timer; then it looks for
 * ends once more.
 *
 * `free` closes the descriptor once no poker is left; each is only between two
 * instructions.
 */
#include <errno.h>

#include "executor/executor.h"

bool pillion__hooked(struct pillion__executor *ex) {
  pillion_host *host = atomic_load(&ex->host);
  return host != NULL && host->wake != NULL;
}

void pillion__signal_host(struct pillion__executor *ex) {
  pillion_host *host = atomic_load(&ex->host);
  int saved = errno;
  bool told;
  if (host != NULL && host->wake != NULL) {
    told = host->wake(host->data) == 0;
  } else {
    int fd = atomic_load_explicit(&ex->fd, memory_order_acquire);
    told = fd < 0 || pillion__descriptor_poke(fd);
  }
  errno = saved;
  atomic_fetch_add_explicit(told ? &ex->pokes : &ex->poke_errors, 1,
                            memory_order_relaxed);
}

__attribute__((noinline)) static void poke(struct pillion__executor *ex,
                                           uint32_t park) {
  while (!atomic_compare_exchange_weak(
      &ex->park, &park, park + PILLION__PARK_POKED + PILLION__PARK_POKER))
    if (park & PILLION__PARK_AWAKE) return;
  pillion__signal_host(ex);
  atomic_fetch_sub(&ex->park, PILLION__PARK_POKER);
}

void pillion__poke(struct pillion__executor *ex) {
  uint32_t park = atomic_load(&ex->park);
  if (!(park & PILLION__PARK_AWAKE)) poke(ex, park);
}

/* By the thread that has marked the cell. */
void pillion__push(struct pillion__executor *ex, struct pillion__head *head,
                   uint32_t slot) {
  pillion__inbox_put(&ex->base.inbox, head, slot);
  pillion__poke(ex);
}

/* Go's own inbox is not empty: a turn must enter Go. */
void pillion__poke_for_go(struct pillion__executor *ex) {
  atomic_store(&ex->guest_wake, 1);
  pillion__poke(ex);
}

static void empty_descriptor(struct pillion__executor *ex) {
  int saved = errno, fd = pillion__peek(&ex->fd);
  if (fd >= 0 && !pillion__descriptor_empty(fd)) errno = saved;
}

/* A poker's write is certain only once the poker is counted no more. */
void pillion__park_enter(struct pillion__executor *ex) {
  uint32_t park = pillion__peek(&ex->park);
  if (park & PILLION__PARK_RUNNING) return;
  park = atomic_fetch_add(&ex->park, PILLION__PARK_RUNNING);
  if (park & PILLION__PARK_POKED)
    ex->signaled = park < PILLION__PARK_POKER ? PILLION__SIGNALED
                                              : PILLION__PERHAPS_SIGNALED;
  if (park & PILLION__PARK_ARMED) ex->armed = true;
}

/* Reports whether another turn is due; the host knows by then. */
bool pillion__park_leave(struct pillion__executor *ex, bool more) {
  bool hooked = pillion__hooked(ex);
  if (more) { /* this turn answers a hook's call, while a write stays */
    if (hooked || ex->signaled != PILLION__SIGNALED) pillion__signal_host(ex);
    ex->signaled = PILLION__SIGNALED;
    return true;
  }
  /* First the look, then the read: a poker that is gone by then has written. */
  bool pokers = atomic_load(&ex->park) >= PILLION__PARK_POKER && !hooked;
  if ((pokers || ex->signaled) && !hooked) empty_descriptor(ex);
  ex->signaled = pokers ? PILLION__PERHAPS_SIGNALED : PILLION__NOT_SIGNALED;
  if (pokers || ex->armed) pillion__gather_rest(ex, pokers, hooked);
  atomic_fetch_and(&ex->park, ~(PILLION__PARK_AWAKE | PILLION__PARK_ARMED));
  if (atomic_load(&ex->base.inbox) == 0 && atomic_load(&ex->guest_wake) == 0 &&
      (atomic_load(&ex->base.closing) & 3u) == ex->closed_with &&
      !pillion__posts_ready(ex))
    return pillion__gather_on(ex);
  pillion__poke(ex);
  return true;
}

/* Leaves the executor in RUNNING, in which no thread pokes. */
void pillion__park_stop(struct pillion__executor *ex) {
  for (uint32_t round = 0;; round++) {
    uint32_t park = atomic_load(&ex->park);
    if (park >= PILLION__PARK_POKER) pillion__let_run(round);
    else if (atomic_compare_exchange_weak(&ex->park, &park,
                                          PILLION__PARK_RUNNING))
      return;
  }
}
