/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two stations of the relay (tests/module/relay.go), for test.py: one on libuv,
 * one on GLib, each on a thread of its own. Each has workers, which are tasks.
 * A worker takes a token by a call, and passes it on by a task of a pool, which
 * both loops serve, so a loop awaits what the other one polls.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pillion/glib.h"
#include "pillion/pool.h"
#include "pillion/uv.h"

#define MOST 64

static pillion_pool pool;
static pillion_function take, hop, loop_hop;

/* ---- Passing on: a task of the pool -------------------------------------- */

struct pass {
  char request[64];
  pillion_task call;
  int state, yielded;
};

static int pass_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct pass *p = self;
  if (!p->yielded) { /* another loop may take it up */
    p->yielded = 1;
    cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
  PILLION_ASYNC(p->state);
  int rc = pillion_call_submit(&p->call, 0, hop, p->request, strlen(p->request),
                               0, PILLION_JOIN);
  if (rc < 0) return rc;
  PILLION_AWAIT(p->state, pillion_join(out, cx, p->call));
  PILLION_RETURN(p->state);
  PILLION_ASYNC_END;
}

static const pillion_future pass = {sizeof pass, pass_poll, NULL};

/* ---- A worker ------------------------------------------------------------ */

struct worker {
  struct station *station;
  pillion_task self, awaited;
  struct pass pass;
  int state, told; /* it has passed the cancel on */
  unsigned passed, wrong;
};

struct station {
  pillion_executor ex;
  struct worker workers[MOST];
  int at, count, ended, rc;
  unsigned passed, wrong, cancelled;
  pthread_t thread;
  pthread_barrier_t *ready;
  GMainLoop *main_loop;
};

static int ask(struct worker *w) {
  char station[8];
  snprintf(station, sizeof station, "%d", w->station->at);
  return pillion_call_submit(&w->awaited, w->station->ex, take, station,
                             strlen(station), 0, PILLION_JOIN);
}

/* Of two tokens one goes by the pool, the other by a coroutine on this loop. */
static int hand_on(struct worker *w) {
  w->pass.state = w->pass.yielded = 0;
  if (w->passed++ % 2 == 0)
    return pillion_pool_spawn(&w->awaited, pool, 0, &pass, &w->pass, 0,
                              PILLION_JOIN);
  return pillion_call_submit(&w->awaited, w->station->ex, loop_hop,
                             w->pass.request, strlen(w->pass.request), 0,
                             PILLION_JOIN);
}

/*
 * A cancel goes on to the call that takes; its answer tells whether it came in
 * time. A token that was taken is passed on all the same.
 */
static int work(pillion_value *out, pillion_context *cx, void *self) {
  struct worker *w = self;
  pillion_value value;
  int id, left, rc;
  pillion_shield(cx, 1);
  PILLION_ASYNC(w->state);
  for (;;) {
    if (pillion_cancelled(cx)) return PILLION_ECANCELLED;
    if (ask(w) < 0) return PILLION_ESYSTEM;
    w->state = 1;
    PILLION__FALLTHROUGH;
    case 1:
      if (pillion_cancelled(cx) && !w->told) {
        w->told = 1;
        pillion_cancel(cx->ops, w->awaited);
      }
      rc = pillion_join(&value, cx, w->awaited);
      if (rc != PILLION_READY) return rc;
      if (value.status != 0) {
        pillion_value_drop(&value);
        return w->told ? PILLION_ECANCELLED : PILLION_ESYSTEM;
      }
      w->pass.request[0] = '\0';
      snprintf(w->pass.request, sizeof w->pass.request, "%d %.*s",
               w->station->at, (int)value.length,
               (const char *)pillion_value_data(&value));
      pillion_value_drop(&value);
      if (sscanf(w->pass.request, "%*d %d %d", &id, &left) != 2)
        return PILLION_ESYSTEM;
      if (id == 0) PILLION_RETURN(w->state);
      if (hand_on(w) < 0) return PILLION_ESYSTEM;
      w->state = 2;
      PILLION__FALLTHROUGH;
    case 2:
      rc = pillion_join(&value, cx, w->awaited);
      if (rc != PILLION_READY) return rc;
      if (value.status != 0) w->wrong++;
      pillion_value_drop(&value);
  }
  PILLION_ASYNC_END;
  (void)out;
}

static const pillion_future working = {sizeof working, work, NULL};

static void on_event(const pillion_event *event, void *data) {
  struct station *s = data;
  struct worker *w = &s->workers[event->token];
  s->passed += w->passed;
  s->wrong += w->wrong;
  s->cancelled += event->status == PILLION_ECANCELLED;
  if (event->status != 0 && event->status != PILLION_ECANCELLED) s->wrong++;
  if (++s->ended == s->count && s->main_loop != NULL)
    g_main_loop_quit(s->main_loop);
}

static int begin(struct station *s) {
  int rc = pillion_executor_new(&s->ex, NULL, NULL, 0);
  if (rc == 0) rc = pillion_pool_join(pool, s->ex, 0);
  for (int i = 0; rc == 0 && i < s->count; i++) {
    s->workers[i].station = s;
    rc = pillion_task_spawn(&s->workers[i].self, s->ex, &working,
                            &s->workers[i], (uint64_t)i, PILLION_EVENT);
  }
  return rc;
}

/* ---- The loops ----------------------------------------------------------- */

static void *on_libuv(void *data) {
  struct station *s = data;
  pillion_uv uv;
  uv_loop_t loop;
  s->rc = begin(s);
  if (s->rc == 0) s->rc = uv_loop_init(&loop);
  if (s->rc == 0) s->rc = pillion_uv_attach(&uv, &loop, s->ex, on_event, s);
  pthread_barrier_wait(s->ready);
  if (s->rc < 0) return NULL;
  uv_run(&loop, UV_RUN_DEFAULT);
  s->rc = pillion_uv_detach(&uv, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  if (s->rc == 0) s->rc = pillion_executor_free(s->ex);
  if (s->rc == 0) s->rc = uv_loop_close(&loop);
  return NULL;
}

static void *on_glib(void *data) {
  struct station *s = data;
  pillion_glib glib;
  GMainContext *context = g_main_context_new();
  g_main_context_push_thread_default(context);
  s->main_loop = g_main_loop_new(context, FALSE);
  s->rc = begin(s);
  if (s->rc == 0)
    s->rc = pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, s->ex,
                                on_event, s);
  pthread_barrier_wait(s->ready);
  if (s->rc == 0) {
    g_main_loop_run(s->main_loop);
    s->rc = pillion_glib_detach(&glib);
    if (s->rc == 0) s->rc = pillion_executor_free(s->ex);
  }
  g_main_loop_unref(s->main_loop);
  g_main_context_pop_thread_default(context);
  g_main_context_unref(context);
  return NULL;
}

/* ---- For test.py --------------------------------------------------------- */

static struct station stations[2];
static pthread_barrier_t ready;

/* Starts both, with so many workers each; 0 or an error. */
int loops_begin(int workers) {
  static void *(*const bodies[2])(void *) = {on_libuv, on_glib};
  int rc = pillion_pool_new(&pool, NULL, NULL, 0);
  if (rc == 0) rc = pillion_function_find(&take, "test.relay_take");
  if (rc == 0) rc = pillion_function_find(&hop, "test.relay_hop");
  if (rc == 0) rc = pillion_function_find(&loop_hop, "test.relay_loop_hop");
  if (rc < 0) return rc;
  memset(stations, 0, sizeof stations);
  pthread_barrier_init(&ready, NULL, 3);
  for (int i = 0; i < 2; i++) {
    stations[i].at = i;
    stations[i].count = workers;
    stations[i].ready = &ready;
    if (pthread_create(&stations[i].thread, NULL, bodies[i], &stations[i]) != 0)
      return PILLION_ESYSTEM;
  }
  pthread_barrier_wait(&ready);
  pthread_barrier_destroy(&ready);
  return stations[0].rc < 0 ? stations[0].rc : stations[1].rc;
}

/* Asks all workers of a station to stop, from another thread. */
int loops_cancel(int at) {
  int asked = 0;
  for (int i = 0; i < stations[at].count; i++)
    asked += pillion_task_cancel(stations[at].workers[i].self) == 0;
  return asked;
}

/* Waits for a station's end. `out`: tokens passed, mistakes, workers that were
   cancelled. */
int loops_join(int at, unsigned *out) {
  struct station *s = &stations[at];
  pthread_join(s->thread, NULL);
  out[0] = s->passed;
  out[1] = s->wrong;
  out[2] = s->cancelled;
  return s->rc < 0 ? s->rc : s->ended - s->count;
}

int loops_end(void) {
  pillion_pool_close(pool, PILLION_CLOSE_DRAIN);
  return pillion_pool_free(pool);
}
