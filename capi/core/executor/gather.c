/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gathering: with the option `gather`, the ends of calls and of pools' tasks
 * wait for each other, so that one wake-up of a busy host serves many. They
 * wait in a stack of their own, until
 *
 *   - half of what the executor has in flight has ended. The other half keeps
 *     the workers busy while the host comes, and the last end waits for nothing
 *   - the first end has waited for `gather` nanoseconds, by a timerfd
 *   - the host turns for another reason
 *
 * The host then watches an epoll set of the eventfd and the timerfd. A timerfd
 * alone could do both, but a poke by timerfd takes 30 µs longer on a virtual
 * machine, where each timer is a call to the hypervisor.
 */
#include <errno.h>
#include <unistd.h>

#include "executor/executor.h"

int pillion__gather_init(struct pillion__executor *ex, uint32_t ns, int fd) {
  int timer = -1, set = fd;
  if (ns > 0) {
    timer = pillion__descriptor_timer();
    set = timer < 0 ? -1 : pillion__descriptor_set(fd, timer);
    if (set < 0) {
      if (timer >= 0) pillion__descriptor_close(timer);
      return PILLION_ESYSTEM;
    }
  }
  atomic_store(&ex->gather, ns);
  ex->armed = false;
  atomic_store(&ex->timer, timer);
  atomic_store(&ex->watched_fd, set);
  return 0;
}

void pillion__gather_free(struct pillion__executor *ex) {
  int timer = atomic_exchange(&ex->timer, -1);
  int set = atomic_exchange(&ex->watched_fd, -1);
  if (timer < 0) return;
  close(set);
  close(timer);
}

/* A host with a wake hook is told now: the timer would not reach it. */
static void arm(struct pillion__executor *ex) {
  uint32_t park = atomic_load(&ex->park);
  do
    if (park & (PILLION__PARK_AWAKE | PILLION__PARK_ARMED)) return;
  while (!atomic_compare_exchange_weak(
      &ex->park, &park, park + PILLION__PARK_ARMED + PILLION__PARK_POKER));
  if (pillion__hooked(ex)) pillion__signal_host(ex);
  else
    pillion__descriptor_arm(atomic_load(&ex->timer), atomic_load(&ex->gather));
  atomic_fetch_sub(&ex->park, PILLION__PARK_POKER);
}

/*
 * Makes sure that the host hears of the ends, now or later. Reports whether
 * now.
 */
static bool announce(struct pillion__executor *ex, uint64_t ended) {
  uint64_t in_flight =
      atomic_load(&ex->calls_live) + atomic_load(&ex->pool_events);
  bool enough = 2 * (ended >> 32) >= in_flight;
  if (enough) pillion__poke(ex);
  else arm(ex);
  return enough;
}

/*
 * By a thread that has marked the cell. In the owner's turn the host is
 * present.
 */
void pillion__ended_push(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot) {
  uint32_t gather = pillion__peek(&ex->gather);
  if (PILLION__LIKELY(gather == 0) || pillion__here == ex) {
    pillion__push(ex, head, slot);
    return;
  }
  uint64_t old = pillion__peek(&ex->ended), new;
  do {
    pillion__set(&head->link, (uint32_t)old);
    new = ((old >> 32) + 1) << 32 | (slot + 1);
  } while (!atomic_compare_exchange_weak(&ex->ended, &old, new));
  announce(ex, new);
}

/* By an owner that has just gone idle. */
bool pillion__gather_on(struct pillion__executor *ex) {
  uint64_t ended = atomic_load(&ex->ended);
  return ended != 0 && announce(ex, ended);
}

/* Before the owner goes idle. `pokers`: one of them may arm the timer yet. */
void pillion__gather_rest(struct pillion__executor *ex, bool pokers,
                          bool hooked) {
  int timer = pillion__peek(&ex->timer);
  if (timer >= 0 && !hooked) pillion__descriptor_arm(timer, 0);
  ex->armed = pokers && timer >= 0;
}
