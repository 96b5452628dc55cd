/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_UV_HANDLES_H
#define PILLION_UV_HANDLES_H

/*
 * The handles of pillion/uv.h: its timer, and a uv_poll_t for each descriptor
 * that is watched. Everything here is private.
 *
 * A uv_poll_t must stay until its close callback has run, and that may be long
 * after the watch, the executor and the adapter are gone. So each has memory
 * of its own, and the callback frees it. A program that closes all handles of
 * its loop by uv_walk takes that callback away, and the memory is lost: detach
 * or free the executor before, if that matters.
 */

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../pillion.h"

/* False if the program has closed the handle itself, or its loop. */
#define PILLION__UV_OPEN(handle) (!uv_is_closing((uv_handle_t *)(handle)))

/* uv_now is CLOCK_MONOTONIC in ms, rounded down. A timer of 0 ms that starts
 * in a timer's callback would run before the loop goes on: at least 1. */
static inline void pillion__uv_arm(uv_timer_t *timer, uv_timer_cb fire,
                                   int64_t deadline) {
  uint64_t now = uv_now(timer->loop);
  uint64_t due = deadline <= 0 ? 0 : ((uint64_t)deadline - 1) / 1000000 + 1;
  due = due > now ? due - now : 1;
  if (deadline == PILLION_TIME_NEVER) uv_timer_stop(timer);
  else uv_timer_start(timer, fire, due, 0);
}

/* ---- Descriptors --------------------------------------------------------- */

/* The bits are the same for libuv and Pillion, or this does not compile. */
typedef char pillion__uv_bits[UV_READABLE == PILLION_READABLE &&
                                      UV_WRITABLE == PILLION_WRITABLE &&
                                      UV_DISCONNECT == PILLION_HANGUP &&
                                      UV_PRIORITIZED == PILLION_PRIORITY
                                  ? 1
                                  : -1];

/* What is to be done with a report; a negative answer ends the watching. */
typedef int (*pillion__uv_report_fn)(uint64_t key, uint32_t events, void *data);

struct pillion__uv_watch {
  uv_poll_t poll;
  uint64_t key;
  pillion__uv_report_fn report;
  void *data;
};

struct pillion__uv_set {
  uv_handle_t *own; /* the executor's; closed: the loop may be gone, too */
  pillion__uv_report_fn report;
  void *data;
  struct pillion__uv_watch **at; /* by descriptor */
  size_t cap;
};

static inline void pillion__uv_live(int live, void *data) {
  uv_handle_t *handle = ((struct pillion__uv_set *)data)->own;
  if (PILLION__UV_OPEN(handle)) (live ? uv_ref : uv_unref)(handle);
}

/* libuv has stopped a handle by itself when it reports an error. */
static inline void pillion__uv_on_ready(uv_poll_t *poll, int status,
                                        int events) {
  struct pillion__uv_watch *watch = (struct pillion__uv_watch *)poll->data;
  uint32_t came = status < 0 ? PILLION_FAULT : (uint32_t)events;
  if (watch->report(watch->key, came, watch->data) < 0 &&
      PILLION__UV_OPEN(poll))
    uv_poll_stop(poll); /* It would spin. */
}

static inline void pillion__uv_watch_closed(uv_handle_t *handle) {
  free(handle->data);
}

static inline int pillion__uv_set_room(struct pillion__uv_set *set, int fd) {
  size_t cap = set->cap == 0 ? 16 : set->cap;
  void *at;
  while (cap <= (size_t)fd) cap *= 2;
  if (cap == set->cap) return 0;
  at = realloc(set->at, cap * sizeof *set->at);
  if (at == NULL) return PILLION_ENOMEM;
  set->at = (struct pillion__uv_watch **)at;
  memset(set->at + set->cap, 0, (cap - set->cap) * sizeof *set->at);
  set->cap = cap;
  return 0;
}

static inline int pillion__uv_set_add(struct pillion__uv_set *set, int fd) {
  struct pillion__uv_watch *watch;
  int rc = pillion__uv_set_room(set, fd);
  if (rc < 0) return rc;
  watch = (struct pillion__uv_watch *)malloc(sizeof *watch);
  if (watch == NULL) return PILLION_ENOMEM;
  rc = uv_poll_init(set->own->loop, &watch->poll, fd);
  if (rc < 0) {
    free(watch);
    return rc == UV_EPERM    ? PILLION_ENOTSUP /* a regular file, say */
           : rc == UV_EEXIST ? PILLION_EBUSY
                             : PILLION_ESYSTEM;
  }
  uv_unref((uv_handle_t *)&watch->poll); /* Tasks keep the loop alive. */
  watch->poll.data = watch;
  watch->report = set->report;
  watch->data = set->data;
  set->at[fd] = watch;
  return 0;
}

static inline void pillion__uv_set_unwatch(int fd, uint64_t key, void *data) {
  struct pillion__uv_set *set = (struct pillion__uv_set *)data;
  struct pillion__uv_watch *watch = set->at[fd];
  (void)key;
  set->at[fd] = NULL;
  if (PILLION__UV_OPEN(&watch->poll))
    uv_close((uv_handle_t *)&watch->poll, pillion__uv_watch_closed);
}

static inline int pillion__uv_set_watch(int fd, uint32_t events, uint64_t key,
                                        void *data) {
  struct pillion__uv_set *set = (struct pillion__uv_set *)data;
  int rc = 0, known = (size_t)fd < set->cap && set->at[fd] != NULL;
  if (!PILLION__UV_OPEN(set->own)) return PILLION_ECLOSED;
  if (!known) rc = pillion__uv_set_add(set, fd);
  if (rc < 0) return rc;
  if (!PILLION__UV_OPEN(&set->at[fd]->poll)) return PILLION_ECLOSED;
  set->at[fd]->key = key;
  rc = events == 0 ? uv_poll_stop(&set->at[fd]->poll)
                   : uv_poll_start(&set->at[fd]->poll, (int)events,
                                   pillion__uv_on_ready);
  if (rc < 0 && !known) pillion__uv_set_unwatch(fd, key, set);
  return rc < 0 ? PILLION_ESYSTEM : 0;
}

#endif
