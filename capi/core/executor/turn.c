/* SPDX-License-Identifier: Apache-2.0 */

/* One round of work. */
#include "core.h"

/* ---- Lists of slots ------------------------------------------------------ */

/* Of a slot that is in use. */
static struct pillion__head *head_at(uint32_t slot, uint32_t *type) {
  struct pillion__head *head = pillion__head_of((uint64_t)slot << 32, type);
  if (head == NULL) __builtin_unreachable();
  return head;
}

void pillion__list_push(struct pillion__list *list, uint32_t slot) {
  uint32_t type;
  head_at(slot, &type)->next = 0;
  if (list->last == 0)
    list->first = slot + 1;
  else
    head_at(list->last - 1, &type)->next = slot + 1;
  list->last = slot + 1;
}

/* The slot + 1, or 0. */
uint32_t pillion__list_pop(struct pillion__list *list) {
  uint32_t type, first = list->first;
  if (first == 0) return 0;
  list->first = head_at(first - 1, &type)->next;
  if (list->first == 0) list->last = 0;
  return first;
}

/* ---- The inbox ----------------------------------------------------------- */

/* A task that was asked to stop stays so, and a watch that was to close. */
static uint64_t pending_after(struct pillion__head *head, uint32_t type,
                              uint64_t pend) {
  return type == PILLION__CHUNK_TASKS && pend & PILLION__KEPT &&
                 (uint32_t)(pend >> 32) ==
                     atomic_load_explicit(&head->gen, memory_order_relaxed)
             ? pend >> 32 << 32 | (pend & PILLION__KEPT)
             : 0;
}

static void deliver(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot, uint32_t type) {
  struct pillion__executor *whose =
      type == PILLION__CHUNK_CALLS
          ? atomic_load(&((struct pillion__call *)head)->executor)
          : atomic_load(&pillion__directory[slot / PILLION__CHUNK].executor);
  if (type == PILLION__CHUNK_GUEST && whose == ex) { /* Go takes QUEUED off */
    pillion__list_push(&ex->guest, slot);
    return;
  }
  if (type == PILLION__CHUNK_POOL) { /* an end to be told; it stays QUEUED */
    pillion__list_push(&ex->done, slot);
    return;
  }
  uint64_t pend = atomic_load(&head->pend), kept;
  do kept = pending_after(head, type, pend);
  while (!atomic_compare_exchange_weak(&head->pend, &pend, kept));
  if (whose != ex ||
      (uint32_t)(pend >> 32) !=
          atomic_load_explicit(&head->gen, memory_order_relaxed))
    return; /* it came too late */
  if (type == PILLION__CHUNK_CALLS)
    pillion__call_posted(ex, (struct pillion__call *)head, slot,
                         (uint32_t)pend);
  else if (PILLION__UNLIKELY(head->flags & PILLION__WATCHES))
    pillion__watch_posted(ex, head, slot, (uint32_t)pend);
  else
    pillion__task_posted(ex, (struct pillion__cell *)head, slot,
                         (uint32_t)pend);
}

/* All that were pushed, in the order in which they came. */
static void deliver_all(struct pillion__executor *ex, uint32_t from) {
  uint32_t type, to = 0;
  while (from != 0) { /* the last came first */
    struct pillion__head *head = head_at(from - 1, &type);
    uint32_t next = atomic_load_explicit(&head->link, memory_order_relaxed);
    atomic_store_explicit(&head->link, to, memory_order_relaxed);
    to = from;
    from = next;
  }
  while (to != 0) { /* the link first: then the cell may be queued again */
    uint32_t slot = to - 1;
    struct pillion__head *head = head_at(slot, &type);
    to = atomic_load_explicit(&head->link, memory_order_relaxed);
    ex->wakes++;
    deliver(ex, head, slot, type);
  }
}

/* The inbox first: who posts after an end must find it told. */
void pillion__drain(struct pillion__executor *ex) {
  if (atomic_load_explicit(&ex->inbox, memory_order_relaxed) != 0)
    deliver_all(ex, atomic_exchange(&ex->inbox, 0));
  if (atomic_load_explicit(&ex->ended, memory_order_relaxed) != 0)
    deliver_all(ex, (uint32_t)atomic_exchange(&ex->ended, 0));
}

/* ---- Polling ------------------------------------------------------------- */

#define CLOCK_EVERY 64

/* A pseudo-random number below `n`: Steele's splitmix64. */
static uint32_t draw(struct pillion__executor *ex, uint32_t n) {
  uint64_t z = ex->seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(((z ^ z >> 31) >> 32) * n >> 32);
}

/* For a seed: puts the ready tasks into some other order. */
__attribute__((noinline)) static void shuffle(struct pillion__executor *ex) {
  for (uint32_t n = ex->ready_tail - ex->ready_head; n > 1; n--) {
    uint32_t *a = &ex->ready[(ex->ready_head + n - 1) & ex->ready_mask];
    uint32_t *b = &ex->ready[(ex->ready_head + draw(ex, n)) & ex->ready_mask];
    uint32_t slot = *a;
    *a = *b;
    *b = slot;
  }
}

static uint32_t run_tasks(struct pillion__executor *ex, uint32_t max_polls,
                          int64_t until) {
  uint32_t head = ex->ready_head, begin = head;
  uint32_t ready = ex->ready_tail - head;
  uint32_t end = head + (ready < max_polls ? ready : max_polls);
  while (head != end) {
    uint32_t slot = ex->ready[head & ex->ready_mask];
    ex->ready_head = ++head; /* stored, never loaded: no chain from poll to poll */
    pillion__task_run(ex, slot);
    if ((head - begin) % CLOCK_EVERY == 0 && until != PILLION_TIME_NEVER &&
        pillion__clock(ex) >= until)
      break;
  }
  return head - begin;
}

/* Fills in what waits for Go. Wakes first in, first out, as all posts. */
static void gather(struct pillion__executor *ex,
                   struct pillion__guest_turn *turn) {
  uint32_t found;
  while (turn->count < PILLION__POSTS &&
         (found = pillion__list_pop(&ex->guest)) != 0) {
    struct pillion__post post = {NULL, found - 1, 0, 0};
    uint32_t type;
    struct pillion__head *head = head_at(post.slot, &type);
    if (type == PILLION__CHUNK_CALLS) {
      post.call = (struct pillion__call *)head;
      post.bits = head->flags >> PILLION__FOR_GO_SHIFT;
      uint32_t arrived = head->flags & PILLION__ARRIVED;
      head->flags &= (1u << PILLION__FOR_GO_SHIFT) - 1u;
      head->flags &= ~(PILLION__LISTED | PILLION__ARRIVED);
      if (arrived) {
        pillion__call_posted(ex, post.call, post.slot, PILLION__DONE);
        continue;
      }
      if (post.bits & PILLION__START) {
        if (!pillion__call_start(post.call))
          continue; /* cancelled before its start; its end is on its way */
        post.context = (uintptr_t)post.call->context;
      }
    }
    turn->posts[turn->count++] = post;
  }
}

static uint32_t run_guest(struct pillion__executor *ex, uint32_t max_polls,
                          int64_t now, int64_t until) {
  struct pillion__guest_turn turn;
  turn.index = ex->index;
  turn.pool = ex->worker == NULL ? 0 : pillion__guest_pool(ex->worker);
  turn.max_polls = max_polls;
  turn.max_ns = 0;
  turn.count = turn.polled = turn.more = turn.coroutines = 0;
  turn.deadline = PILLION_TIME_NEVER;
  gather(ex, &turn);
  bool woken = atomic_load_explicit(&ex->guest_wake, memory_order_relaxed) &&
               atomic_exchange(&ex->guest_wake, 0);
  if (turn.count == 0 && !woken && !ex->guest_more &&
      ex->guest_deadline > now)
    return 0;
  if (until != PILLION_TIME_NEVER) { /* C's tasks have had some of it */
    int64_t left = until - pillion__clock(ex);
    turn.max_ns = left > 0 ? left : 1;
  }
  ex->go_entries++;
  ex->guest_known = 1;
  pillion__guest.turn(&turn);
  ex->guest_more = turn.more;
  ex->guest_deadline = turn.deadline;
  atomic_store_explicit(&ex->coroutines, turn.coroutines,
                        memory_order_relaxed);
  pillion__drain(ex); /* the results of what has just ended */
  return turn.polled;
}

/* ---- Taking -------------------------------------------------------------- */

void pillion__release_taken(struct pillion__executor *ex) {
  uint32_t found, type;
  while ((found = pillion__list_pop(&ex->taken)) != 0) {
    struct pillion__head *head = head_at(found - 1, &type);
    if (type == PILLION__CHUNK_CALLS)
      pillion__call_free((struct pillion__call *)head);
    else if (type == PILLION__CHUNK_POOL)
      pillion__ptask_release((struct pillion__ptask *)head, found - 1);
    else
      pillion__task_release(ex, (struct pillion__cell *)head, found - 1);
  }
}

static size_t take_ended(struct pillion__executor *ex, pillion_event *events,
                   size_t cap) {
  size_t n = 0, calls = 0;
  uint32_t found, type;
  while (n < cap && (found = pillion__list_pop(&ex->done)) != 0) {
    struct pillion__head *head = head_at(found - 1, &type);
    pillion_event *event = &events[n++];
    event->flags = 0;
    event->reserved = 0;
    if (type == PILLION__CHUNK_CALLS) {
      pillion__call_event(ex, (struct pillion__call *)head, event);
      calls++;
    } else if (type == PILLION__CHUNK_POOL) {
      pillion__ptask_event(ex, (struct pillion__ptask *)head, found - 1,
                           event);
    } else {
      pillion__task_event(ex, (struct pillion__cell *)head, found - 1, event);
    }
  }
  if (calls > 0) atomic_fetch_sub(&ex->calls_live, calls);
  return n;
}

/* In turn: neither kind keeps the other from being taken, be it a flood. */
static size_t take(struct pillion__executor *ex, pillion_event *events,
                   size_t cap) {
  size_t n = 0;
  if (cap == 0) return 0; /* there may be no array to point into */
  if (ex->turns % 2 == 0) n = pillion__posts_take(ex, events, cap);
  n += take_ended(ex, events + n, cap - n);
  if (n < cap) n += pillion__posts_take(ex, events + n, cap - n);
  ex->events += n;
  return n;
}

/* ---- The turn ------------------------------------------------------------ */

void pillion__tell_live(struct pillion__executor *ex) {
  uint32_t live = pillion__live(ex) > 0;
  if (live == ex->live_told) return;
  ex->live_told = live;
  pillion_host *host = atomic_load_explicit(&ex->host, memory_order_relaxed);
  if (host != NULL && host->live != NULL) host->live((int)live, host->data);
}

int64_t pillion__next_deadline(const struct pillion__executor *ex) {
  int64_t deadline = ex->timers.deadline;
  if (ex->guest_deadline < deadline) deadline = ex->guest_deadline;
  if (PILLION__LIKELY(ex->worker == NULL)) return deadline;
  int64_t pool = pillion__pool_deadline(ex->worker);
  return pool < deadline ? pool : deadline;
}

/*
 * Nothing to do. Without branches: this is all of an empty turn's work. (Posted
 * events and ends that wait don't stand here: with any, the state is not IDLE.)
 */
static bool quiet(struct pillion__executor *ex) {
  uint32_t own = (ex->ready_tail ^ ex->ready_head) | ex->done.first | ex->taken.first |
                 ex->guest.first | ex->guest_more | ex->unwatched.first |
                 ex->posts_lending | ex->pooled | ex->signaled | ex->armed;
  uint32_t shared =
      atomic_load_explicit(&ex->inbox, memory_order_relaxed) |
      atomic_load_explicit(&ex->guest_wake, memory_order_relaxed) |
      (atomic_load_explicit(&ex->park, memory_order_relaxed) ^ PILLION__IDLE) |
      (pillion__closing(ex) ^ ex->closed_with);
  return (own | shared) == 0;
}

static bool finish_turn(struct pillion__executor *ex) {
  bool more = ex->ready_tail != ex->ready_head || ex->done.first != 0 ||
              ex->guest.first != 0 || ex->guest_more ||
              ex->unwatched.first != 0 || pillion__posts_ready(ex);
  bool pooled = ex->worker != NULL;
  if (PILLION__UNLIKELY(pooled) && pillion__pool_more(ex)) more = true;
  more = pillion__park_leave(ex, more);
  if (PILLION__UNLIKELY(pooled) && !more) more = pillion__pool_rest(ex);
  /* The hooks are inside the turn, but what they spawn needs a poke. */
  atomic_store_explicit(&ex->in_turn, 0, memory_order_relaxed);
  pillion__tell_live(ex);
  int64_t deadline = pillion__next_deadline(ex);
  if (deadline != ex->told_deadline) {
    ex->told_deadline = deadline;
    pillion_host *host = atomic_load_explicit(&ex->host, memory_order_relaxed);
    if (host != NULL && host->timer != NULL) host->timer(deadline, host->data);
  }
  pillion__turning = 0;
  pillion__here = NULL;
  return more;
}

static void close_now(struct pillion__executor *ex, uint32_t closing) {
  ex->closed_with = closing;
  if (closing != 1 + PILLION_CLOSE_CANCEL) return;
  pillion__tasks_cancel(ex);
  pillion__calls_cancel(ex, 0);
  pillion__drain(ex);
}

static size_t turn(struct pillion__executor *ex, pillion_event *events,
                   size_t cap, const pillion_budget *budget,
                   uint32_t *polled) {
  uint32_t max_polls = budget == NULL || budget->max_polls == 0
                           ? ex->max_polls
                           : budget->max_polls;
  int64_t max_ns =
      budget == NULL || budget->max_ns <= 0 ? ex->max_ns : budget->max_ns;
  atomic_store_explicit(&ex->in_turn, 1, memory_order_relaxed);
  pillion__turning = 1;
  pillion__here = ex;
  ex->turns++;
  pillion__release_taken(ex);
  pillion__posts_release(ex);
  uint32_t closing = pillion__closing(ex);
  if (closing != ex->closed_with) close_now(ex, closing);
  pillion__park_enter(ex);
  pillion__drain(ex);
  if (PILLION__UNLIKELY(ex->unwatched.first != 0))
    pillion__watches_close_asked(ex);
  bool guest = ex->guest.first != 0 || ex->guest_more || ex->guest_known ||
               atomic_load_explicit(&ex->guest_wake, memory_order_relaxed);
  int64_t now = ex->context.now = pillion__clock(ex);
  int64_t until =
      max_ns == 0 ? PILLION_TIME_NEVER : pillion__time_after(now, max_ns);
  pillion__timers_fire(ex, now);
  if (PILLION__UNLIKELY(ex->seed != 0)) shuffle(ex);
  uint64_t polls = ex->polls;
  bool pooled = ex->worker != NULL;
  uint32_t n = run_tasks(
      ex, guest || pooled ? max_polls - max_polls / 2 : max_polls, until);
  if (PILLION__UNLIKELY(pooled)) {
    uint32_t left = max_polls > n ? max_polls - n : 1;
    uint32_t ran =
        pillion__pool_run(ex, guest ? left - left / 2 : left, now, until);
    ex->polls += ran;
    n += ran;
  }
  *polled = (uint32_t)(ex->polls - polls);
  if (guest)
    *polled += run_guest(ex, max_polls > n ? max_polls - n : 1, now, until);
  return take(ex, events, cap);
}

__attribute__((noinline)) static int busy(struct pillion__executor *ex,
                                          pillion_event *events, size_t cap,
                                          pillion_progress *progress,
                                          const pillion_budget *budget) {
  uint32_t polled;
  size_t n = turn(ex, events, cap < INT32_MAX ? cap : INT32_MAX, budget,
                  &polled);
  bool more = finish_turn(ex);
  if (progress != NULL) {
    progress->polled = polled;
    progress->more = more;
    progress->deadline = pillion__next_deadline(ex);
    progress->live = pillion__live(ex);
  }
  return (int)n;
}

static bool due(const struct pillion__executor *ex) {
  int64_t deadline = pillion__next_deadline(ex);
  return deadline != PILLION_TIME_NEVER && deadline <= pillion__clock(ex);
}

int pillion_executor_turn(pillion_event *events, size_t cap,
                          pillion_progress *progress,
                          pillion_executor executor,
                          const pillion_budget *budget) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (PILLION__UNLIKELY(rc < 0)) return rc;
  if (PILLION__UNLIKELY(pillion__turning)) return PILLION_EREENTRANT;
  if (PILLION__UNLIKELY(
          (events == NULL && cap > 0) ||
          (progress != NULL && progress->size < sizeof *progress) ||
          (budget != NULL &&
           (budget->size < sizeof *budget || budget->reserved != 0))))
    return PILLION_EINVAL;
  if (!quiet(ex) || due(ex)) return busy(ex, events, cap, progress, budget);
  if (progress != NULL) {
    progress->polled = 0;
    progress->more = 0;
    progress->deadline = pillion__next_deadline(ex);
    progress->live = pillion__live(ex);
  }
  return 0;
}
