/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The object files of futures/ that the boards run, on the shared library and
 * libuv's loop. Another thread is the serial line.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "futures/futures.h"
#include "pillion/uv.h"

static struct line line;
static pillion_value ends[2];
static uint64_t ended;

static void on_event(const pillion_event *event, void *data) {
  pillion_value *value = &ends[event->token];
  (void)data;
  value->status = event->status;
  value->length = event->length;
  memcpy(value->payload.bytes, pillion_event_data(event), event->length);
  ended |= 1u << event->token;
}

static void *send_line(void *text) {
  for (const char *at = text; *at != 0; at++) line_put(&line, *at);
  return NULL;
}

/* Runs a future until it has ended; `text` comes from another thread. */
static int run(const pillion_future *future, void *self, uint64_t token,
               const char *text) {
  uv_loop_t loop;
  pillion_executor ex;
  pillion_uv uv;
  pthread_t thread;
  if (uv_loop_init(&loop) < 0) return -1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return -2;
  if (pillion_uv_attach(&uv, &loop, ex, on_event, NULL) < 0) return -3;
  if (pillion_task_spawn(NULL, ex, future, self, token, PILLION_EVENT) < 0)
    return -4;
  if (pthread_create(&thread, NULL, send_line, (void *)text) != 0) return -5;
  uv_run(&loop, UV_RUN_DEFAULT);
  pthread_join(thread, NULL);
  pillion_uv_detach(&uv, NULL);
  pillion_executor_free(ex);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop);
}

int main(void) {
  static struct watching watch = {.line = &line,
                                  .patience = PILLION_TIME_NEVER,
                                  .light = {{.period = 1000000, .times = 3},
                                            {.period = 700000, .times = 5}}};
  static struct watching late = {.line = &line,
                                 .patience = 2000000,
                                 .light = {{.period = 100000, .times = 3},
                                           {.period = 9000000, .times = 1}}};
  int rc = run(&watching_future, &watch, 0, "hello 1\n");
  int a_line = rc == 0 && ended == 1 && ends[0].status == 0 &&
               ends[0].length == 7 &&
               memcmp(ends[0].payload.bytes, "hello 1", 7) == 0 &&
               watch.which == 0 && watch.light[0].done == 3 &&
               watch.light[1].done == 5;
  rc = run(&watching_future, &late, 1, "");
  int a_time = rc == 0 && ended == 3 && ends[1].status == 0 &&
               ends[1].length == 0 && late.which == 1 &&
               late.light[1].done == 1;
  if (!a_line) puts("not ok: a_line_wakes_its_reader");
  if (!a_time) puts("not ok: a_select_ends_by_its_time");
  printf("%d passed, %d failed\n", a_line + a_time, 2 - a_line - a_time);
  return !a_line || !a_time;
}
