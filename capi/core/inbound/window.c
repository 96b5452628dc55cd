/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Windows. Of the calls of a provider's functions, or of those that one call
 * lends, only so many are unanswered at once. A caller that finds the window
 * full puts its call into a queue, and looks again. A call that ends leaves the
 * window, and then looks at the queue, whose first takes its place.
 *
 * A provider is in use by its calls. A lender's end waits for theirs, so its
 * window is there until they are ANSWERED, but not afterwards.
 */
#include <string.h>

#include "inbound/inbound.h"

#define LENT_MOST 64u
#define LONGEST_CHAIN 256 /* a deeper call passes */

/* Of all queues. Nothing is called under it. */
static pthread_mutex_t queues_lock = PTHREAD_MUTEX_INITIALIZER;

static struct pillion__window *window_of(struct pillion__inbound *in,
                                         uint32_t *most) {
  uint32_t link = pillion__peek(&in->provider);
  if (link != 0) return pillion__provider_window(link, most);
  struct pillion__call *lender =
      pillion__call_at(pillion__slot_of(pillion__peek(&in->parent)));
  *most = LENT_MOST;
  return &pillion__call_flow(lender, PILLION__FLOW_OUT_SIDE)->window;
}

/* ---- The count ----------------------------------------------------------- */

static bool window_enter(struct pillion__window *w, uint32_t most) {
  uint32_t open = atomic_load(&w->open);
  do
    if ((open & ~PILLION__WINDOW_WAITING) >= most) return false;
  while (!atomic_compare_exchange_weak(&w->open, &open, open + 1));
  return true;
}

/*
 * Reports whether the call `task` is made, over others, by a handler of the
 * same provider or for the same lender, which would wait for itself. Calls may
 * end meanwhile: what was read of one counts only if it is still there
 * afterwards.
 */
static bool works_for(uint64_t task, struct pillion__inbound *by) {
  uint32_t link = pillion__peek(&by->provider);
  uint64_t lender = pillion__peek(&by->parent);
  for (uint32_t i = 0; i < LONGEST_CHAIN; i++) {
    uint32_t type, gen = pillion__gen_of(task);
    struct pillion__head *head = pillion__head_of(task, &type);
    if (head == NULL || type != PILLION__CHUNK_CALLS) return false;
    struct pillion__call *call = (struct pillion__call *)head;
    uint32_t parent = pillion__peek(&call->parent);
    if (atomic_load(&call->state) >> 32 != gen || parent == 0) return false;
    struct pillion__inbound *in =
        pillion__node_at((parent & PILLION__PARENT_SLOT) - 1);
    uint64_t state = atomic_load(&in->state);
    uint32_t provider = pillion__peek(&in->provider);
    task = pillion__peek(&in->parent);
    if (((state >> 32 ^ parent >> 24) & 0xff) != 0 ||
        (state & PILLION__INBOUND_PHASE) == PILLION__INBOUND_ANSWERED ||
        atomic_load(&in->state) >> 32 != state >> 32)
      return false;
    if (link != 0 ? provider == link : task == lender) return true;
  }
  return true;
}

/* Reports whether the call may be offered at once. */
bool pillion__window_enter(struct pillion__inbound *in, uint64_t on_behalf) {
  uint32_t most;
  struct pillion__window *w = window_of(in, &most);
  if (window_enter(w, most)) return true;
  if (on_behalf == 0 || !works_for(on_behalf, in)) return false;
  atomic_fetch_add(&w->open, 1);
  return true;
}

/* ---- The queue: `free_link` names the one ahead -------------------------- */

static struct pillion__inbound *queued_at(uint32_t link) {
  return pillion__node_at(link - 1);
}

/* Under the lock, as all that follow. */
static void queue_link(struct pillion__window *w, uint32_t ahead,
                       uint32_t next) {
  if (ahead == 0) w->queue.first = next;
  else queued_at(ahead)->head.next = next;
  if (next == 0) w->queue.last = ahead;
  else pillion__set(&queued_at(next)->free_link, ahead);
  if (w->queue.first == 0)
    atomic_fetch_and(&w->open, ~PILLION__WINDOW_WAITING);
}

/* Takes the first off the queue, and makes it OFFERED. */
static struct pillion__inbound *queue_pop(struct pillion__window *w,
                                          uint32_t *gen) {
  if (w->queue.first == 0) return NULL;
  struct pillion__inbound *in = queued_at(w->queue.first);
  queue_link(w, 0, in->head.next);
  *gen = pillion__gen(&in->head);
  pillion__inbound_move(in, *gen, PILLION__INBOUND_IN(QUEUED),
                        PILLION__INBOUND_OFFERED);
  return in;
}

/* The call that has taken a place; the caller asks its executor. Or NULL. */
static struct pillion__inbound *window_admit(struct pillion__window *w,
                                             uint32_t most, uint32_t *gen) {
  struct pillion__inbound *in = NULL;
  while (in == NULL && atomic_load(&w->open) & PILLION__WINDOW_WAITING &&
         window_enter(w, most)) {
    pthread_mutex_lock(&queues_lock);
    in = queue_pop(w, gen);
    pthread_mutex_unlock(&queues_lock);
    if (in == NULL) atomic_fetch_sub(&w->open, 1);
  }
  return in;
}

void pillion__window_queue(struct pillion__inbound *in, uint64_t state) {
  uint32_t most, gen;
  struct pillion__window *w = window_of(in, &most);
  pthread_mutex_lock(&queues_lock);
  pillion__set(&in->free_link, w->queue.last);
  pillion__list_push(&w->queue, in->slot);
  atomic_store(&in->state, state);
  atomic_fetch_or(&w->open, PILLION__WINDOW_WAITING);
  pthread_mutex_unlock(&queues_lock);
  struct pillion__inbound *next = window_admit(w, most, &gen);
  if (next != NULL)
    pillion__node_ask((struct pillion__node *)next, gen, PILLION__PEND_START);
}

/* Makes a call that is QUEUED BUSY, for the caller; reports whether it was. */
bool pillion__window_unqueue(struct pillion__inbound *in, uint32_t gen) {
  const uint64_t queued = (uint64_t)gen << 32 | PILLION__INBOUND_QUEUED,
                 mask = ~(uint64_t)UINT32_MAX | PILLION__INBOUND_PHASE;
  uint32_t most;
  if ((atomic_load(&in->state) & mask) != queued) return false;
  pthread_mutex_lock(&queues_lock);
  bool was = (atomic_load(&in->state) & mask) == queued;
  if (was) {
    queue_link(window_of(in, &most), pillion__peek(&in->free_link),
               in->head.next);
    pillion__inbound_move(in, gen, PILLION__INBOUND_IN(QUEUED),
                          PILLION__INBOUND_BUSY);
  }
  pthread_mutex_unlock(&queues_lock);
  return was;
}

/* The call ends, and is BUSY. The one that takes its place, or NULL. */
struct pillion__inbound *pillion__window_leave(struct pillion__inbound *in,
                                               uint32_t *gen) {
  uint32_t most;
  struct pillion__window *w = window_of(in, &most);
  atomic_fetch_sub(&w->open, 1);
  return window_admit(w, most, gen);
}
