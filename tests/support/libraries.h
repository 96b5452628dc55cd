/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_LIBRARIES_H
#define PILLION_TESTS_LIBRARIES_H

/*
 * Several libraries in one process, as several authors make them. Each has a
 * table of its functions. What is not as it must be ends the process.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pillion.h"

#define needed(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      _exit(1);                                                               \
    }                                                                         \
  } while (0)

#define LIBRARY_FUNCTIONS(_)                                                \
  _(start) _(shutdown) _(library_count) _(executor_new) _(executor_fd)      \
  _(executor_turn) _(executor_live) _(executor_close) _(executor_free)      \
  _(function_find) _(function_describe) _(call_submit) _(call_wait)         \
  _(task_cancel) _(pool_new) _(pool_free)

struct library {
  void *handle;
#define LIBRARY_MEMBER(name) __typeof__(pillion_##name) *name;
  LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
};

/* With RTLD_LOCAL, as ctypes and other languages do it. */
static inline void library_open(struct library *lib, const char *path) {
  lib->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (lib->handle == NULL) fprintf(stderr, "%s\n", dlerror());
  needed(lib->handle != NULL);
#define LIBRARY_LOOK(name)                                         \
  *(void **)&lib->name = dlsym(lib->handle, "pillion_" #name);     \
  needed(lib->name != NULL);
  LIBRARY_FUNCTIONS(LIBRARY_LOOK)
  needed(lib->start(NULL, NULL, 0) == 0);
}

/* Another file is another library, whatever its SONAME. */
static inline void library_copy(char *to, size_t size, const char *from) {
  static char bytes[1 << 16];
  needed((size_t)snprintf(to, size, "%s-XXXXXX", from) < size);
  FILE *in = fopen(from, "r"), *out = fdopen(mkstemp(to), "w");
  needed(in != NULL && out != NULL);
  for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
    needed(fwrite(bytes, 1, n, out) == n);
  needed(fclose(in) == 0 && fclose(out) == 0);
}

static inline pillion_function library_function(const struct library *lib,
                                                const char *name) {
  pillion_function function;
  needed(lib->function_find(&function, name) == 0);
  return function;
}

/* Waits for a call; its status, and its text if `text` isn't NULL. */
static inline int library_ask(const struct library *lib, const char *name,
                              const char *request, char *text, size_t size) {
  pillion_value value;
  needed(lib->call_wait(&value, library_function(lib, name), request,
                        strlen(request), PILLION_TIME_NEVER) == 0);
  if (text != NULL)
    snprintf(text, size, "%.*s", (int)value.length,
             (const char *)pillion_value_data(&value));
  int status = value.status;
  pillion_value_drop(&value);
  return status;
}

static inline long library_number(const struct library *lib, const char *name,
                                  const char *request) {
  char text[32];
  needed(library_ask(lib, name, request, text, sizeof text) == 0);
  return atol(text);
}

static inline void library_await_waiting(const struct library *lib, long n) {
  while (library_number(lib, "test.waiting", "") != n) continue;
}

static inline pillion_task library_submit(const struct library *lib,
                                          pillion_executor ex,
                                          const char *name,
                                          const char *request, uint64_t token) {
  pillion_task task;
  needed(lib->call_submit(&task, ex, library_function(lib, name), request,
                          strlen(request), token, PILLION_EVENT) == 0);
  return task;
}

/* Turns, and waits between them, until an event comes. */
static inline void library_event(pillion_event *event,
                                 const struct library *lib,
                                 pillion_executor ex) {
  struct pollfd own = {.events = POLLIN};
  needed(lib->executor_fd(&own.fd, ex) == 0);
  for (;;) {
    pillion_progress progress = PILLION_PROGRESS_INIT;
    int n = lib->executor_turn(event, 1, &progress, ex, NULL);
    needed(n >= 0);
    if (n == 1) return;
    needed(progress.live > 0);
    poll(&own, 1, 1000); /* no deadline is nearer that matters here */
  }
}

#endif
