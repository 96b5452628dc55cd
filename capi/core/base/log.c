/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

/*
 * The callback runs without the lock, so each record has a count: one for being
 * log_current, and one for each call under way. The last to leave drops the
 * record.
 */
struct log_sink {
  pillion_log_fn fn;
  void *data;
  pillion_drop_fn drop;
  unsigned uses;
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_sink *log_current;

static void log_unuse(struct log_sink *sink) {
  if (sink == NULL) return;
  pthread_mutex_lock(&log_lock);
  bool last = --sink->uses == 0;
  pthread_mutex_unlock(&log_lock);
  if (!last) return;
  if (sink->drop != NULL) sink->drop(sink->data);
  free(sink);
}

int pillion_log_set(pillion_log_fn fn, void *data, pillion_drop_fn drop) {
  if (pillion__forked()) return PILLION_EFORKED;
  struct log_sink *sink = NULL;
  if (fn != NULL) {
    sink = malloc(sizeof *sink); /* the allocator may not be set yet */
    if (sink == NULL) return PILLION_ENOMEM;
    *sink = (struct log_sink){fn, data, drop, 1};
  }
  pthread_mutex_lock(&log_lock);
  struct log_sink *old = log_current;
  log_current = sink;
  pthread_mutex_unlock(&log_lock);
  log_unuse(old);
  return 0;
}

void pillion__log(int level, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  pillion__log_keeper(text);
  pthread_mutex_lock(&log_lock);
  struct log_sink *sink = log_current;
  if (sink != NULL) sink->uses++;
  pthread_mutex_unlock(&log_lock);
  if (sink == NULL) return;
  sink->fn(level, text, sink->data);
  log_unuse(sink);
}
