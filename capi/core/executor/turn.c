/* SPDX-License-Identifier: Apache-2.0 */

/* One round of work. */
#include "executor/executor.h"

/* ---- Polling ------------------------------------------------------------- */

#define CLOCK_EVERY 64

/* A pseudo-random number below `n`: Steele's splitmix64. */
static uint32_t draw(struct pillion__executor *ex, uint32_t n) {
  uint64_t z = ex->seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)(((z ^ z >> 31) >> 32) * n >> 32);
}

/* With a seed: puts the ready tasks into another order. */
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
    ex->ready_head =
        ++head; /* stored, never loaded: no chain from poll to poll */
    pillion__task_run(ex, slot);
    if ((head - begin) % CLOCK_EVERY == 0 && until != PILLION_TIME_NEVER &&
        pillion__clock(ex) >= until)
      break;
  }
  return head - begin;
}

/* ---- The turn ------------------------------------------------------------ */

/* What an empty turn looks at has no branches. Not 0: there is work. */
static uint64_t work(struct pillion__executor *ex) {
  uint32_t own = (ex->ready_tail ^ ex->ready_head) | ex->done.first |
                 ex->taken.first | ex->guest.first | ex->guest_more |
                 ex->unwatched.first | ex->pooled | ex->epolled;
  uint32_t shared = pillion__peek(&ex->base.inbox) |
                    pillion__peek(&ex->guest_wake) |
                    (pillion__closing(&ex->base) ^ ex->closed_with);
  return (uintptr_t)ex->posts_lent | own | shared;
}

/*
 * Not 0: the host was told, or may be told yet. It was while posted events or
 * ends wait, or when a pool has work for this executor, or has none any more.
 */
static uint32_t told(struct pillion__executor *ex) {
  return ex->signaled | ex->armed |
         (pillion__peek(&ex->park) ^ PILLION__PARK_IDLE);
}

static void progress_put(pillion_progress *progress,
                         const struct pillion__executor *ex, uint32_t polled,
                         bool more) {
  if (progress == NULL) return;
  progress->polled = polled;
  progress->more = more;
  progress->deadline = pillion__next_deadline(ex);
  progress->live = pillion__live(ex);
}

static bool finish_turn(struct pillion__executor *ex) {
  bool more = ex->ready_tail != ex->ready_head || ex->done.first != 0 ||
              ex->guest.first != 0 || ex->guest_more ||
              ex->unwatched.first != 0 || pillion__posts_ready(ex);
  bool pooled = ex->worker != NULL;
  if (PILLION__UNLIKELY(pooled) && pillion__pool_side->more(ex)) more = true;
  more = pillion__park_leave(ex, more);
  if (PILLION__UNLIKELY(pooled) && !more) more = pillion__pool_side->rest(ex);
  /*
   * The hooks are inside the turn, but the tasks that they spawn need a poke.
   */
  pillion__set(&ex->in_turn, 0);
  pillion__tell_live(ex);
  pillion__tell_deadline(ex);
  pillion__turning = 0;
  pillion__here = NULL;
  return more;
}

static void close_now(struct pillion__executor *ex, uint32_t closing) {
  ex->closed_with = closing;
  if (closing != 1 + PILLION_CLOSE_CANCEL) return;
  pillion__tasks_cancel(ex);
  pillion__kinds[PILLION__CHUNK_CALLS]->cancel_all(&ex->base, 0);
  pillion__kinds[PILLION__CHUNK_INBOUND]->cancel_all(&ex->base, 0);
  pillion__drain(ex);
}

/* All that is deeper than there are places is one depth. */
static uint32_t depth_of(const pillion_budget *budget) {
  uint32_t depth = budget == NULL ? 0 : budget->depth;
  return depth <= PILLION__DEPTHS ? depth : PILLION__DEPTHS + 1;
}

static size_t turn(struct pillion__executor *ex, pillion_event *events,
                   size_t cap, const pillion_budget *budget, uint32_t *polled) {
  uint32_t max_polls = budget == NULL || budget->max_polls == 0
                           ? ex->max_polls
                           : budget->max_polls;
  int64_t max_ns =
      budget == NULL || budget->max_ns <= 0 ? ex->max_ns : budget->max_ns;
  pillion__set(&ex->in_turn, 1);
  pillion__turning = 1;
  pillion__here = ex;
  pillion__lent_end(ex, depth_of(budget));
  uint32_t closing = pillion__closing(&ex->base);
  if (closing != ex->closed_with) close_now(ex, closing);
  pillion__park_enter(ex);
  if (PILLION__UNLIKELY(ex->epolled != 0)) pillion__epoll_look(ex);
  pillion__drain(ex);
  if (PILLION__UNLIKELY(ex->unwatched.first != 0))
    pillion__watches_close_asked(ex);
  bool guest = ex->guest.first != 0 || ex->guest_more || ex->guest_known ||
               pillion__peek(&ex->guest_wake);
  int64_t now = ex->context.now = pillion__clock(ex);
  int64_t until =
      max_ns == 0 ? PILLION_TIME_NEVER : pillion__time_after(now, max_ns);
  pillion__timers_fire(ex, now);
  if (PILLION__UNLIKELY(ex->seed != 0)) shuffle(ex);
  uint64_t polls = ex->counts.polls;
  bool pooled = ex->worker != NULL;
  uint32_t n = run_tasks(
      ex, guest || pooled ? max_polls - max_polls / 2 : max_polls, until);
  if (PILLION__UNLIKELY(pooled)) {
    uint32_t left = max_polls > n ? max_polls - n : 1;
    uint32_t ran =
        pillion__pool_side->run(ex, guest ? left - left / 2 : left, now, until);
    ex->counts.polls += ran;
    n += ran;
  }
  *polled = (uint32_t)(ex->counts.polls - polls);
  if (guest)
    *polled += pillion__guest_side->run(ex, max_polls > n ? max_polls - n : 1,
                                        now, until);
  return pillion__take(ex, events, cap);
}

static bool due(const struct pillion__executor *ex) {
  int64_t deadline = pillion__next_deadline(ex);
  return deadline != PILLION_TIME_NEVER && deadline <= pillion__clock(ex);
}

/*
 * A turn that only finds a poke whose cause is gone, or that is on its way, does
 * not count.
 */
__attribute__((noinline)) static int busy(pillion_event *events, size_t cap,
                                          pillion_progress *progress,
                                          struct pillion__executor *ex,
                                          const pillion_budget *budget,
                                          uint64_t found) {
  uint32_t polled, live = ex->live_told;
  bool works = found != 0 || due(ex);
  if (!works && told(ex) == 0) {
    progress_put(progress, ex, 0, false);
    return 0;
  }
  ex->counts.turns += works;
  size_t n =
      turn(ex, events, cap < INT32_MAX ? cap : INT32_MAX, budget, &polled);
  bool more = finish_turn(ex);
  ex->counts.turns +=
      !works && (n > 0 || polled > 0 || more || ex->live_told != live);
  progress_put(progress, ex, polled, more);
  return (int)n;
}

/* The executor has no owner, or another thread owns it. */
__attribute__((noinline)) static int turn_first(pillion_event *events,
                                                size_t cap,
                                                pillion_progress *progress,
                                                struct pillion__executor *ex,
                                                const pillion_budget *budget,
                                                pillion_executor executor) {
  int rc = pillion__executor_claim(ex);
  return rc < 0
             ? rc
             : pillion_executor_turn(events, cap, progress, executor, budget);
}

/* The program knows less of the structs than the library, or more. */
__attribute__((noinline)) static int turn_sized(pillion_event *events,
                                                size_t cap,
                                                pillion_progress *progress,
                                                pillion_executor executor,
                                                const pillion_budget *budget) {
  pillion_progress all = PILLION_PROGRESS_INIT;
  pillion_budget its = PILLION_BUDGET_INIT;
  int rc = 0;
  if (progress != NULL)
    rc = pillion__sized(progress, PILLION__SIZE_MOST, PILLION__FIRST_PROGRESS);
  if (rc == 0 && budget != NULL)
    rc = pillion__sized_in(&its, sizeof its, PILLION__FIRST_BUDGET, budget,
                           PILLION__NOWHERE);
  if (rc < 0) return rc;
  rc = pillion_executor_turn(events, cap, &all, executor,
                             budget != NULL ? &its : NULL);
  if (rc >= 0 && progress != NULL)
    pillion__sized_out(progress, PILLION__FIRST_PROGRESS, &all, sizeof all);
  return rc;
}

/* An empty turn without timers calls no function, and so saves no register. */
int pillion_executor_turn(pillion_event *events, size_t cap,
                          pillion_progress *progress, pillion_executor executor,
                          const pillion_budget *budget) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (PILLION__UNLIKELY(rc < 0)) return rc;
  if (PILLION__UNLIKELY(!pillion__executor_claimed(ex)))
    return turn_first(events, cap, progress, ex, budget, executor);
  if (PILLION__UNLIKELY(pillion__turning)) return PILLION_EREENTRANT;
  if (PILLION__UNLIKELY(
          (progress != NULL && progress->size != sizeof *progress) ||
          (budget != NULL && budget->size != sizeof *budget)))
    return turn_sized(events, cap, progress, executor, budget);
  if (PILLION__UNLIKELY(events == NULL && cap > 0)) return PILLION_EINVAL;
  uint64_t found = work(ex) | (ex->depth ^ depth_of(budget));
  if ((found | told(ex)) != 0 || ex->worker != NULL ||
      pillion__next_deadline(ex) != PILLION_TIME_NEVER)
    return busy(events, cap, progress, ex, budget, found);
  progress_put(progress, ex, 0, false);
  return 0;
}
