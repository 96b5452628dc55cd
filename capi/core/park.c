/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parking: when and how the host is told. tests/model/park.pml is this file
 * and pillion__post as a model.
 *
 *            poker                    poker
 *    IDLE ----1----> POKING ----2----> POKED
 *     ^ \            |   ^              |
 *     |  \           5   6              |
 *     |   \          v   |              |
 *     |    \        SEEN              3 |
 *     |     \----------3--------.      |
 *     |                          v      v
 *     '-------------4----------- RUNNING
 *
 *   1  who pushes into an idle executor's inbox wins the right to poke
 *   2  after it has poked
 *   3  a turn begins; pushes are found by it, nobody pokes
 *   4  a turn ends with nothing left; the inbox is looked at once more after
 *      it, since a push may have met RUNNING
 *   5  a turn that met POKING ends with nothing left, and has emptied the
 *      descriptor: the poker may lie preempted behind its write, and the host
 *      must not spin until it runs again
 *   6  so that poker, which can't know whether its poke still stands, pokes
 *      once more
 *
 * Only the poker leaves POKING for POKED. `free` waits it out (the poker is
 * between two instructions) before it closes the descriptor.
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "core.h"

static void signal_host(struct pillion__executor *ex) {
  pillion_host *host = atomic_load(&ex->host);
  int saved = errno;
  bool told;
  if (host != NULL && host->wake != NULL) {
    told = host->wake(host->data) == 0;
  } else {
    uint64_t one = 1;
    int fd = atomic_load_explicit(&ex->fd, memory_order_acquire);
    told = fd < 0 || write(fd, &one, sizeof one) == sizeof one;
  }
  errno = saved;
  atomic_fetch_add_explicit(told ? &ex->pokes : &ex->poke_errors, 1,
                            memory_order_relaxed);
}

void pillion__poke(struct pillion__executor *ex) {
  uint32_t idle = PILLION__IDLE;
  if (atomic_load(&ex->park) != PILLION__IDLE ||
      !atomic_compare_exchange_strong(&ex->park, &idle, PILLION__POKING))
    return;
  for (;;) {
    uint32_t poking = PILLION__POKING;
    signal_host(ex);
    if (atomic_compare_exchange_strong(&ex->park, &poking, PILLION__POKED))
      return;
    atomic_store(&ex->park, PILLION__POKING);
  }
}

static void empty_descriptor(struct pillion__executor *ex) {
  uint64_t count;
  int saved = errno, fd = atomic_load_explicit(&ex->fd, memory_order_relaxed);
  if (fd >= 0 && read(fd, &count, sizeof count) < 0) errno = saved;
}

void pillion__park_enter(struct pillion__executor *ex) {
  uint32_t state = atomic_load(&ex->park);
  if (state == PILLION__POKED) {
    ex->signaled = 1;
    atomic_store(&ex->park, PILLION__RUNNING);
  } else if (state == PILLION__IDLE) {
    atomic_compare_exchange_strong(&ex->park, &state, PILLION__RUNNING);
  }
}

/*
 * Nothing is left, but there was a poker when the turn began. First the read,
 * then the look: a poker that writes later finds SEEN and writes again.
 */
static bool seen(struct pillion__executor *ex) {
  uint32_t state = atomic_load(&ex->park);
  while (state == PILLION__POKING || state == PILLION__SEEN) {
    empty_descriptor(ex);
    if (atomic_compare_exchange_strong(&ex->park, &state, PILLION__SEEN))
      return true;
  }
  return false; /* POKED by now: the poker is done */
}

/* Tells whether another turn is due; the host knows by then. */
bool pillion__park_leave(struct pillion__executor *ex, bool more) {
  uint32_t state = atomic_load(&ex->park);
  pillion_host *host = atomic_load_explicit(&ex->host, memory_order_relaxed);
  bool hooked = host != NULL && host->wake != NULL;
  if (state != PILLION__RUNNING) {
    if (more) { /* the descriptor is readable, or will be */
      if (hooked) signal_host(ex); /* this turn may have used up the poke */
      return true;
    }
    if (seen(ex)) return false;
    pillion__park_enter(ex);
  }
  if (more) {
    if (hooked || !ex->signaled) signal_host(ex);
    ex->signaled = 1;
    atomic_store(&ex->park, PILLION__POKED);
    return true;
  }
  if (ex->signaled && !hooked) empty_descriptor(ex);
  ex->signaled = 0;
  atomic_store(&ex->park, PILLION__IDLE);
  if (atomic_load(&ex->inbox) == 0 && atomic_load(&ex->guest_wake) == 0 &&
      (atomic_load(&ex->closing) & 3u) == ex->closed_with &&
      !pillion__posts_ready(ex))
    return false;
  pillion__poke(ex);
  return true;
}

/* Leaves the executor in RUNNING, in which nobody pokes any more. */
void pillion__park_stop(struct pillion__executor *ex) {
  for (;;) {
    uint32_t state = atomic_load(&ex->park);
    if (state == PILLION__POKING || state == PILLION__SEEN)
      sched_yield();
    else if (atomic_compare_exchange_weak(&ex->park, &state,
                                          PILLION__RUNNING))
      return;
  }
}
