/* SPDX-License-Identifier: Apache-2.0 */

/* Three tasks that know nothing of the loop that drives them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "pillion/poll.h"
#include "pillion/watch.h"

/* Sleeps three times, and answers 3. */
struct sleeper {
  pillion_timer timer;
  int state, naps;
};

static int sleeper_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct sleeper *s = self;
  PILLION_ASYNC(s->state);
  for (s->naps = 0; s->naps < 3; s->naps++)
    PILLION_AWAIT(s->state, pillion_sleep(&s->timer, cx, 2000000));
  pillion_value_set(out, &s->naps, sizeof s->naps);
  PILLION_RETURN(s->state);
  PILLION_ASYNC_END;
}

static const pillion_future sleeper = {sizeof sleeper, sleeper_poll, NULL};

/* Waits for a thread, which answers 4. */
struct listener {
  pthread_t thread;
  pillion_waker waker;
  _Atomic int heard;
  int begun;
};

static void *speak(void *data) {
  struct listener *l = data;
  l->heard = 4;
  pillion_wake(l->waker);
  return NULL;
}

static int listener_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct listener *l = self;
  int heard = l->heard;
  if (!l->begun) {
    l->waker = cx->waker;
    if (pthread_create(&l->thread, NULL, speak, l) != 0)
      return PILLION_ESYSTEM;
    l->begun = 1;
  }
  if (heard == 0) return PILLION_PENDING;
  pillion_value_set(out, &heard, sizeof heard);
  return PILLION_READY;
}

static void listener_drop(void *self) {
  struct listener *l = self;
  if (l->begun) pthread_join(l->thread, NULL);
}

static const pillion_future listener = {sizeof listener, listener_poll,
                                        listener_drop};

/* Reads a number from a pipe, into which it writes 5 once it has waited. */
struct reader {
  pillion_watch watch;
  int ends[2], begun;
};

static int reader_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct reader *r = self;
  int number = 5;
  int rc = pillion_ready(NULL, cx, r->watch, PILLION_READABLE);
  if (rc == PILLION_PENDING && !r->begun) {
    r->begun = 1;
    if (write(r->ends[1], &number, sizeof number) < 0) return PILLION_ESYSTEM;
  }
  if (rc != PILLION_READY) return rc;
  if (read(r->ends[0], &number, sizeof number) < 0) return PILLION_ESYSTEM;
  pillion_value_set(out, &number, sizeof number);
  return PILLION_READY;
}

static void reader_drop(void *self) {
  struct reader *r = self;
  pillion_watch_close(r->watch);
  close(r->ends[0]);
  close(r->ends[1]);
}

static const pillion_future reader = {sizeof reader, reader_poll, reader_drop};

struct program {
  struct sleeper sleeper;
  struct listener listener;
  struct reader reader;
  int sum; /* of the tasks' answers */
};

static int begin(struct program *p, pillion_executor ex, int with_reader) {
  memset(p, 0, sizeof *p);
  int rc = pillion_task_spawn(NULL, ex, &sleeper, &p->sleeper, 0,
                              PILLION_EVENT);
  if (rc == 0)
    rc = pillion_task_spawn(NULL, ex, &listener, &p->listener, 1,
                            PILLION_EVENT);
  if (rc < 0 || !with_reader) return rc;
  if (pipe(p->reader.ends) < 0) return PILLION_ESYSTEM;
  rc = pillion_watch_open(&p->reader.watch, ex, p->reader.ends[0], 0);
  return rc < 0 ? rc
                : pillion_task_spawn(NULL, ex, &reader, &p->reader, 2,
                                     PILLION_EVENT);
}

static void on_event(const pillion_event *event, void *data) {
  struct program *p = data;
  int value = 0;
  if (event->status == 0)
    memcpy(&value, pillion_event_data(event), sizeof value);
  p->sum += value;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
