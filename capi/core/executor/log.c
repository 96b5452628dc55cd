/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log, for a host that has no function for any thread to call. Its lines
 * wait here; the first that comes after a take sends the listener an event.
 *
 * A line is one object of JSON. Go writes its own lines; what the library has
 * to say becomes one here. After a line for which there is no room, all are
 * lost until the next take, which says how many: so what is said of them
 * stands where they would be.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "executor/executor.h"

#define REPORT 256u /* of the room, for the line about those that are lost */
#define WARN 4      /* slog's */

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[PILLION_LOG_ROOM];
static size_t lines_length;
static uint64_t lines_lost;
static pillion_executor listener;
static uint64_t listener_token;
static bool listener_waits; /* it gets an event for the next line */
_Atomic int32_t pillion__log_level = PILLION_LOG_NONE;

/* ---- A line -------------------------------------------------------------- */

/* At most `cap` bytes of a text for a string of JSON. */
static size_t escape(char *to, size_t cap, const char *text) {
  size_t n = 0;
  for (; *text != 0 && n + 6 <= cap; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < ' ') n += (size_t)sprintf(to + n, "\\u%04x", c);
    else if (c == '"' || c == '\\') n += (size_t)sprintf(to + n, "\\%c", c);
    else to[n++] = *text;
  }
  return n;
}

static size_t line_of(char *to, size_t cap, const char *text) {
  static const char end[] = "\"}\n";
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  size_t n = (size_t)snprintf(
      to, cap, "{\"time\":%lld,\"level\":%d,\"msg\":\"pillion: ",
      (long long)now.tv_sec * 1000000000 + now.tv_nsec, WARN);
  n += escape(to + n, cap - sizeof end - n, text);
  memcpy(to + n, end, sizeof end - 1);
  return n + sizeof end - 1;
}

/* ---- Those that wait ----------------------------------------------------- */

/* Under the lock. */
static bool listened(void) {
  struct pillion__executor *ex;
  return pillion__executor_get(&ex, listener) == 0 &&
         pillion__closing(&ex->base) == 0;
}

/* Without a listener only if `kept`; reports whether it is taken care of. */
static bool add(const char *line, size_t length, bool kept) {
  pthread_mutex_lock(&lines_lock);
  bool heard = listened();
  if (!heard) pillion__set(&pillion__log_level, PILLION_LOG_NONE);
  if (heard || kept) {
    if (lines_lost > 0 || length > sizeof lines - REPORT - lines_length) {
      lines_lost++;
    } else {
      memcpy(lines + lines_length, line, length);
      lines_length += length;
    }
  }
  bool tell = heard && listener_waits;
  if (tell) listener_waits = false;
  pillion_executor to = listener;
  uint64_t token = listener_token;
  pthread_mutex_unlock(&lines_lock);
  if (tell && pillion_executor_post(to, token, NULL, 0) == PILLION_EAGAIN) {
    pthread_mutex_lock(&lines_lock);
    listener_waits = true; /* the next line tries again */
    pthread_mutex_unlock(&lines_lock);
  }
  return heard || kept;
}

bool pillion__log_line(const char *line, size_t length) {
  return add(line, length, false);
}

/* Something to say of the library's own. */
void pillion__log_keep(const char *text) {
  char line[1024];
  add(line, line_of(line, sizeof line, text), true);
}

int pillion_log_take(void *out, size_t cap, pillion_executor executor,
                     uint64_t token, int level) {
  struct pillion__executor *ex;
  if (pillion__forked()) return PILLION_EFORKED;
  if (out == NULL || cap < PILLION_LOG_ROOM) return PILLION_EINVAL;
  int rc = executor == 0 ? 0 : pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  pthread_mutex_lock(&lines_lock);
  if (executor != 0 && executor != listener && listened()) {
    pthread_mutex_unlock(&lines_lock);
    return PILLION_EBUSY;
  }
  if (lines_lost > 0) {
    char text[REPORT / 2];
    snprintf(text, sizeof text, "no room for %llu lines of the log",
             (unsigned long long)lines_lost);
    lines_length += line_of(lines + lines_length, REPORT, text);
  }
  size_t length = lines_length;
  memcpy(out, lines, length);
  lines_length = 0;
  lines_lost = 0;
  listener = executor;
  listener_token = token;
  listener_waits = executor != 0;
  pillion__set(&pillion__log_level, executor == 0 ? PILLION_LOG_NONE : level);
  pthread_mutex_unlock(&lines_lock);
  return (int)length;
}
