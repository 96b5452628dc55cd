/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The hooks of hosts in Go. The library's functions are weak here, so that a
 * program that is none can be built with this package, and checked.
 */
#include <signal.h>
#include <stdlib.h>

#include "_cgo_export.h"
#include "host.h"

#pragma weak pillion_executor_fd
#pragma weak pillion_executor_free
#pragma weak pillion_executor_new
#pragma weak pillion_executor_bind
#pragma weak pillion_executor_ready
#pragma weak pillion_executor_turn
#pragma weak pillion_host_set
#pragma weak pillion_strerror

/* capi/core/guest/visit.c: the program's signals wait while its thread is in Go. */
#pragma GCC visibility push(hidden)
extern void pillion__visit_begin(sigset_t *mask) __attribute__((weak));
extern void pillion__visit_end(const sigset_t *mask) __attribute__((weak));
extern void pillion__warn(const char *text) __attribute__((weak));
#pragma GCC visibility pop

#define IN_GO(call)            \
  sigset_t mask;               \
  pillion__visit_begin(&mask); \
  call;                        \
  pillion__visit_end(&mask)

static void timer(int64_t deadline, void *data) {
  IN_GO(pillion__go_host_timer(deadline, data));
}

static void live(int is, void *data) { IN_GO(pillion__go_host_live(is, data)); }

static void drop(void *data) { IN_GO(pillion__go_host_drop(data)); }

static int watch(int fd, uint32_t events, uint64_t key, void *data) {
  IN_GO(int rc = pillion__go_host_watch(fd, events, key, data));
  return rc;
}

static void unwatch(int fd, uint64_t key, void *data) {
  IN_GO(pillion__go_host_unwatch(fd, key, data));
}

int pillion__host_attach(uint64_t executor, void *data, bool watches) {
  pillion_host host = PILLION_HOST_INIT;
  if (pillion_host_set == NULL) return PILLION__NO_LIBRARY;
  if (data == NULL) return pillion_host_set(executor, NULL);
  host.data = data;
  host.timer = timer;
  host.live = live;
  host.drop = drop;
  if (watches) {
    host.watch = watch;
    host.unwatch = unwatch;
  }
  int rc = pillion_executor_bind(executor);
  return rc < 0 ? rc : pillion_host_set(executor, &host);
}

int pillion__host_new(uint64_t *out) {
  return pillion_executor_new == NULL
             ? PILLION__NO_LIBRARY
             : pillion_executor_new(out, NULL, NULL, 0);
}

int pillion__host_free(uint64_t executor) {
  return pillion_executor_free == NULL ? PILLION__NO_LIBRARY
                                       : pillion_executor_free(executor);
}

int pillion__host_fd(int *out, uint64_t executor) {
  return pillion_executor_fd == NULL ? PILLION__NO_LIBRARY
                                     : pillion_executor_fd(out, executor);
}

int pillion__host_ready(uint64_t executor, uint64_t key, uint32_t events) {
  return pillion_executor_ready == NULL
             ? PILLION__NO_LIBRARY
             : pillion_executor_ready(executor, key, events);
}

int pillion__host_turn(pillion_event *events, size_t cap,
                       pillion_progress *progress, uint64_t executor) {
  *progress = (pillion_progress)PILLION_PROGRESS_INIT;
  return pillion_executor_turn == NULL
             ? PILLION__NO_LIBRARY
             : pillion_executor_turn(events, cap, progress, executor, NULL);
}

const void *pillion__host_payload(const pillion_event *event) {
  return pillion_event_data(event);
}

const char *pillion__host_strerror(int code) {
  return pillion_strerror == NULL ? "" : pillion_strerror(code);
}

void pillion__host_warn(char *text) {
  if (pillion__warn != NULL) pillion__warn(text);
  free(text);
}
