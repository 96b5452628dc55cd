/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_UV_H
#define PILLION_UV_H

/*
 * Pillion on libuv 1.x, on Linux:
 *
 *     pillion_uv_attach(&uv, loop, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * A uv_poll_t watches the executor's descriptor, a uv_timer_t its deadline,
 * which is met up to 1 ms late, never early. They keep the loop alive while a
 * task or call lives, and no longer. Descriptors that tasks await have a
 * uv_poll_t each (pillion/watch.h). Detaching the executor, freeing it and
 * closing the loop may come in any order.
 */

#include "uv_handles.h"

#define PILLION_UV_BATCH 64 /* events that one turn takes at most */

/*
 * pillion_uv_event_fn hears of every task and call that has ended. It is
 * called outside turns, so it may call everything but pillion_executor_turn.
 * `event` and what it points to are valid during the call.
 */
typedef struct pillion_uv pillion_uv;
typedef void (*pillion_uv_event_fn)(const pillion_event *event, void *data);
typedef void (*pillion_uv_close_fn)(pillion_uv *uv, void *data);

/*
 * pillion_uv is an executor on a loop, in the caller's storage. All but the
 * first two fields are private.
 */
struct pillion_uv {
  void *data; /* as given to attach */
  int status; /* 0, or the error for which the executor is watched no more */
  uv_poll_t poll;
  uv_timer_t timer;
  pillion_executor executor; /* 0: it was freed or let go */
  int64_t armed;             /* the deadline that the timer stands for */
  struct pillion__uv_set watched; /* the data of the hooks */
  pillion_uv_event_fn on_event;
  pillion_uv_close_fn on_close;
  int busy, detached, closing;
};

static inline void pillion__uv_stop(pillion_uv *uv, int status) {
  uv->status = status;
  if (PILLION__UV_OPEN(&uv->poll)) uv_poll_stop(&uv->poll);
  if (PILLION__UV_OPEN(&uv->timer)) uv_timer_stop(&uv->timer);
}

static inline void pillion__uv_drop(void *data) {
  pillion_uv *uv = (pillion_uv *)((struct pillion__uv_set *)data)->data;
  uv->executor = 0;
  free(uv->watched.at);
  pillion__uv_stop(uv, PILLION_ECLOSED);
}

static inline void pillion__uv_closed(uv_handle_t *handle) {
  pillion_uv *uv = (pillion_uv *)handle->data;
  if (--uv->closing == 0 && uv->on_close != NULL) uv->on_close(uv, uv->data);
}

static inline int pillion__uv_detach(pillion_uv *uv) {
  int poll = PILLION__UV_OPEN(&uv->poll), timer = PILLION__UV_OPEN(&uv->timer);
  int rc = uv->executor ? pillion_host_set(uv->executor, NULL) : 0;
  if (rc == PILLION_EREENTRANT || rc == PILLION_EWRONGTHREAD) return rc;
  uv->executor = 0;
  uv->detached = 2;
  uv->closing = poll + timer;
  if (poll) uv_close((uv_handle_t *)&uv->poll, pillion__uv_closed);
  if (timer) uv_close((uv_handle_t *)&uv->timer, pillion__uv_closed);
  if (poll + timer == 0 && uv->on_close != NULL) uv->on_close(uv, uv->data);
  return 0;
}

static inline void pillion__uv_on_timer(uv_timer_t *timer);

/* A turn that left something to do leaves the descriptor readable. */
static inline void pillion__uv_turn(pillion_uv *uv) {
  pillion_event events[PILLION_UV_BATCH];
  pillion_progress progress = PILLION_PROGRESS_INIT;
  int n;
  if (uv->executor == 0 || uv->busy) return;
  uv->busy = 1;
  n = pillion_executor_turn(events, PILLION_UV_BATCH, &progress, uv->executor,
                            NULL);
  if (n < 0 && n != PILLION_EREENTRANT)
    pillion__uv_stop(uv, n); /* A readable descriptor would spin. */
  if (n >= 0) pillion__uv_live(progress.live > 0, &uv->watched);
  if (n >= 0 && uv->armed != progress.deadline && PILLION__UV_OPEN(&uv->timer))
    pillion__uv_arm(&uv->timer, pillion__uv_on_timer,
                    uv->armed = progress.deadline);
  for (int i = 0; i < n && uv->executor != 0; i++)
    if (uv->on_event != NULL) uv->on_event(&events[i], uv->data);
  uv->busy = 0;
  if (uv->detached == 1) pillion__uv_detach(uv);
}

/* A turn right now saves the poke, and the loop's round for it. */
static inline int pillion__uv_ready(uint64_t key, uint32_t events, void *data) {
  pillion_uv *uv = (pillion_uv *)data;
  int rc = pillion_executor_ready(
      uv->executor, key, events | (uv->busy ? 0 : PILLION_TURN_FOLLOWS));
  if (rc == 0) pillion__uv_turn(uv);
  return rc;
}

static inline void pillion__uv_on_poll(uv_poll_t *poll, int status, int mask) {
  (void)mask;
  if (status < 0) pillion__uv_stop((pillion_uv *)poll->data, PILLION_ESYSTEM);
  else pillion__uv_turn((pillion_uv *)poll->data);
}

static inline void pillion__uv_on_timer(uv_timer_t *timer) {
  ((pillion_uv *)timer->data)->armed = PILLION_TIME_NEVER;
  pillion__uv_turn((pillion_uv *)timer->data);
}

/*
 * pillion_uv_attach puts `executor` on `loop`: from now on the loop makes its
 * turns and `on_event` (may be NULL) hears what has ended. It takes the place
 * of other hooks of the executor, which may have tasks and calls already.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: anywhere outside polls and drops.
 * Ownership: *out is the loop's until detach has called on_close; `data` is
 *   the caller's.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EINVAL (it has no descriptor),
 *   PILLION_EWRONGTHREAD, PILLION_EREENTRANT, PILLION_EBUSY (it is on this
 *   loop already), PILLION_ENOMEM or PILLION_ESYSTEM (the loop refused).
 * Since: 0.1
 */
static inline int pillion_uv_attach(pillion_uv *out, uv_loop_t *loop,
                                    pillion_executor executor,
                                    pillion_uv_event_fn on_event, void *data) {
  pillion_host host = PILLION_HOST_INIT;
  int fd, rc = pillion_executor_bind(executor);
  if (rc == 0) rc = pillion_executor_fd(&fd, executor);
  if (rc < 0) return rc;
  rc = uv_poll_init(loop, &out->poll, fd);
  if (rc < 0) return rc == UV_EEXIST ? PILLION_EBUSY : PILLION_ESYSTEM;
  uv_timer_init(loop, &out->timer);
  out->poll.data = out->timer.data = out;
  uv_poll_start(&out->poll, UV_READABLE, pillion__uv_on_poll);
  /* The first turn finds out what lives, and the deadline. */
  uv_timer_start(&out->timer, pillion__uv_on_timer, 0, 0);
  uv_unref((uv_handle_t *)&out->timer);
  out->data = data;
  out->executor = 0;
  out->armed = INT64_MIN;
  out->on_event = on_event;
  out->on_close = NULL;
  memset(&out->watched, 0, sizeof out->watched);
  out->watched.own = (uv_handle_t *)&out->poll;
  out->watched.report = pillion__uv_ready;
  out->watched.data = out;
  out->status = out->busy = out->detached = out->closing = 0;
  host.data = &out->watched;
  host.live = pillion__uv_live;
  host.watch = pillion__uv_set_watch;
  host.unwatch = pillion__uv_set_unwatch;
  host.drop = pillion__uv_drop;
  rc = pillion_host_set(executor, &host);
  if (rc < 0) return pillion__uv_detach(out), rc;
  out->executor = executor;
  return 0;
}

/*
 * pillion_uv_detach takes an executor off its loop. Inside a turn or on_event
 * that is done when the turn's events have been handed out, so none is lost.
 * When the loop has let go it calls on_close (may be NULL). If the program
 * has closed the handles itself, by uv_walk, on_close is called at once, and
 * *uv must stay until uv_loop_close.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *uv is the loop's until on_close is called.
 * Returns: 0; PILLION_EWRONGTHREAD, PILLION_EREENTRANT, PILLION_ECLOSED (it was
 *   detached before) or PILLION_EFORKED: then on_close is not called.
 * Since: 0.1
 */
static inline int pillion_uv_detach(pillion_uv *uv,
                                    pillion_uv_close_fn on_close) {
  if (pillion_wake(0) == PILLION_EFORKED) return PILLION_EFORKED;
  if (uv->detached) return PILLION_ECLOSED;
  uv->on_close = on_close;
  if (!uv->busy) return pillion__uv_detach(uv);
  uv->detached = 1;
  return 0;
}

#endif
