/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_TIME_H
#define PILLION_INCLUDE_TIME_H

/*
 * Waiting for times: timers, sleeping, timeouts and intervals. This is
 * freestanding, as future.h, which is all that it needs. A future calls the
 * waiting functions until they do not answer PILLION_PENDING, best by
 * PILLION_AWAIT:
 *
 *     struct beat { pillion_interval every; uint64_t missed; int state; };
 *
 *     static int beat_poll(pillion_value *out, pillion_context *cx,
 *                          void *self) {
 *       struct beat *beat = self;
 *       PILLION_ASYNC(beat->state);
 *       pillion_interval_init(&beat->every, 1000000000, PILLION_MISSED_SKIP);
 *       for (;;) {
 *         PILLION_AWAIT(beat->state, pillion_interval_tick(
 *                                        &beat->missed, &beat->every, cx));
 *         send_heartbeat();
 *       }
 *       PILLION_ASYNC_END;
 *     }
 *
 *     static void beat_drop(void *self) {
 *       pillion_interval_clear(&((struct beat *)self)->every);
 *     }
 *
 * Storage is zeroed before its first use, as for pillion_timer.
 */

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The time `ns` after `now`, which is now if that isn't positive. */
static inline int64_t pillion__time_after(int64_t now, int64_t ns) {
  if (ns <= 0) return now;
  return now > PILLION_TIME_NEVER - ns ? PILLION_TIME_NEVER : now + ns;
}

/*
 * pillion_timer_set arms `timer`: cx's task is woken at `deadline` or soon
 * after it, never before. A timer that is armed already is moved. Timers fire
 * in the order of their deadlines, and those of one deadline in the order in
 * which they were armed. At PILLION_TIME_NEVER it never fires, and takes no
 * place.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the timer's storage stays the caller's and must outlive its
 *   arming.
 * Returns: 0, PILLION_EINVAL for a timer that another executor has armed, or
 *   PILLION_EAGAIN (over the executor's max_timers; a timer that is armed can
 *   always be moved).
 * Since: 0.1
 */
static inline int pillion_timer_set(pillion_timer *timer, pillion_context *cx,
                                    int64_t deadline) {
  return cx->ops->timer_set(timer, cx, deadline);
}

/*
 * pillion_timer_clear disarms `timer`. A timer that is not armed, or zeroed,
 * stays as it is.
 *
 * Threads: the owner's.
 * Reentrancy: in polls and drops, and outside.
 * Ownership: the timer's storage may go afterwards.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_timer_clear(pillion_timer *timer) {
  if (timer->ops == NULL) return;
  timer->ops->timer_clear(timer);
  timer->deadline = 0;
}

/*
 * pillion_sleep waits until `ns` nanoseconds have passed since its first call.
 * If `ns` is 0 or less it is ready at once. When it has been ready the timer
 * may be used again.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the timer's storage stays the caller's, as for pillion_timer_set.
 * Returns: PILLION_PENDING, PILLION_READY, or what pillion_timer_set answers.
 * Since: 0.1
 */
static inline int pillion_sleep(pillion_timer *timer, pillion_context *cx,
                                int64_t ns) {
  if (timer->deadline == 0) {
    if (ns <= 0) return PILLION_READY;
    int rc = pillion_timer_set(timer, cx, pillion__time_after(cx->now, ns));
    return rc < 0 ? rc : PILLION_PENDING;
  }
  if (cx->now < timer->deadline) return PILLION_PENDING;
  pillion_timer_clear(timer);
  return PILLION_READY;
}

/*
 * pillion_sleep_until waits until `at`, a time of the executor's clock. If that
 * has passed it is ready at once.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the timer's storage stays the caller's, as for pillion_timer_set.
 * Returns: PILLION_PENDING, PILLION_READY, or what pillion_timer_set answers.
 * Since: 0.1
 */
static inline int pillion_sleep_until(pillion_timer *timer, pillion_context *cx,
                                      int64_t at) {
  if (cx->now >= at) {
    pillion_timer_clear(timer);
    return PILLION_READY;
  }
  if (timer->deadline == at && timer->waker == cx->waker)
    return PILLION_PENDING;
  int rc = pillion_timer_set(timer, cx, at);
  return rc < 0 ? rc : PILLION_PENDING;
}

/*
 * pillion_timeout limits how long something may take: `rc` is what its poll has
 * just answered, and `ns` the time that it has from the first such answer on.
 *
 *     PILLION_AWAIT(state, pillion_timeout(&timer, cx, 5000000000,
 *                                          pillion_join(&value, cx, task)));
 *
 * If both happen in the same turn, what is awaited counts, and not the timeout.
 * After a timeout what was awaited goes on; ending it is up to the caller.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the timer's storage stays the caller's. It is cleared whenever the
 *   answer isn't PILLION_PENDING.
 * Returns: `rc` if that isn't PILLION_PENDING, else PILLION_PENDING,
 *   PILLION_ETIMEDOUT, or what pillion_timer_set answers.
 * Since: 0.1
 */
static inline int pillion_timeout(pillion_timer *timer, pillion_context *cx,
                                  int64_t ns, int rc) {
  if (rc != PILLION_PENDING) {
    pillion_timer_clear(timer);
    return rc;
  }
  rc = pillion_sleep(timer, cx, ns);
  return rc == PILLION_READY ? PILLION_ETIMEDOUT : rc;
}

/* What an interval does with the ticks that a late task has missed. */
#define PILLION_MISSED_BURST 0 /* they come at once, one after another */
#define PILLION_MISSED_DELAY \
  1 /* they are lost; the next is a period from now */
#define PILLION_MISSED_SKIP \
  2 /* they are lost; the next comes at its own time */

/*
 * pillion_interval ticks once a period, for the first time one period after its
 * first poll. Every field is private.
 */
typedef struct pillion_interval {
  pillion_timer timer;
  int64_t period;
  int64_t next;   /* 0 before the first poll */
  int32_t missed; /* PILLION_MISSED_… */
  uint32_t reserved;
} pillion_interval;

/*
 * pillion_interval_init makes an interval of `period` ns.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: the storage stays the caller's, who clears an interval that has
 *   been polled before making it again.
 * Returns: 0, or PILLION_EINVAL if the period isn't positive or the policy
 *   unknown.
 * Since: 0.1
 */
static inline int pillion_interval_init(pillion_interval *interval,
                                        int64_t period, int missed) {
  static const pillion_interval none = {
      {0, 0, NULL, NULL, NULL, NULL, NULL, 0}, 0, 0, 0, 0};
  *interval = none;
  interval->period = period;
  interval->missed = missed;
  return period > 0 && missed >= PILLION_MISSED_BURST &&
                 missed <= PILLION_MISSED_SKIP
             ? 0
             : PILLION_EINVAL;
}

/*
 * pillion_interval_tick waits for the next tick. Then *missed, if `missed`
 * isn't NULL, is how many further ticks were due by now: with
 * PILLION_MISSED_BURST these are yet to come, else they are lost.
 *
 * Threads: the owner's.
 * Reentrancy: inside a poll only.
 * Ownership: the storage stays the caller's and must outlive the interval's
 *   last tick or clear.
 * Returns: PILLION_PENDING, PILLION_READY, PILLION_EINVAL
 *   (pillion_interval_init was not called, or with a period that is not
 *   positive), or what pillion_timer_set answers.
 * Since: 0.1
 */
static inline int pillion_interval_tick(uint64_t *missed,
                                        pillion_interval *interval,
                                        pillion_context *cx) {
  int64_t now = cx->now, from, late;
  if (interval->period <= 0) return PILLION_EINVAL;
  if (interval->next == 0)
    interval->next = pillion__time_after(now, interval->period);
  if (now < interval->next)
    return pillion_sleep_until(&interval->timer, cx, interval->next);
  pillion_timer_clear(&interval->timer);
  late = (now - interval->next) / interval->period;
  if (missed != NULL) *missed = (uint64_t)late;
  from = interval->missed == PILLION_MISSED_DELAY ? now
         : interval->missed == PILLION_MISSED_SKIP
             ? interval->next + late * interval->period
             : interval->next;
  interval->next = pillion__time_after(from, interval->period);
  return PILLION_READY;
}

/*
 * pillion_interval_clear takes back the timer of an interval. Its ticks go on
 * being due: a later pillion_interval_tick tells how many were missed.
 *
 * Threads: the owner's.
 * Reentrancy: in polls and drops, and outside.
 * Ownership: the storage may go afterwards.
 * Returns: nothing.
 * Since: 0.1
 */
static inline void pillion_interval_clear(pillion_interval *interval) {
  pillion_timer_clear(&interval->timer);
}

#ifdef __cplusplus
}
#endif
#endif
