/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_SIZED_H
#define PILLION_TESTS_SIZED_H

/*
 * Every struct that crosses with a `size`: as the header has it with which this
 * is compiled, and the function that takes it. The header may be of another
 * version than the library.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pillion.h"

/* From here on the library knows no byte: so far from the end of the struct. */
#ifndef SIZED_UNKNOWN
#define SIZED_UNKNOWN 0
#endif

/* ---- Crossings: what they answer is the function's answer ---------------- */

static pillion_executor sized_executor;

static int sized_start(void *given) { return pillion_start(given, NULL, 0); }
static int sized_new(void *given) {
  pillion_executor made;
  int rc = pillion_executor_new(&made, given, NULL, 0);
  if (rc == 0) rc = pillion_executor_free(made);
  return rc;
}
static int sized_pool(void *given) {
  pillion_pool made;
  int rc = pillion_pool_new(&made, given, NULL, 0);
  if (rc == 0) rc = pillion_pool_free(made);
  return rc;
}
static int sized_hooks(void *given) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.context_hooks = given;
  return sized_new(&options);
}
static int sized_pool_hooks(void *given) {
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  options.context_hooks = given;
  return sized_pool(&options);
}
static int sized_host(void *given) {
  return pillion_host_set(sized_executor, given);
}
static int sized_host_get(void *given) {
  return pillion_host_get(given, sized_executor);
}
static int sized_budget(void *given) {
  return pillion_executor_turn(NULL, 0, NULL, sized_executor, given);
}
static int sized_progress(void *given) {
  return pillion_executor_turn(NULL, 0, given, sized_executor, NULL);
}
static int sized_call(void *given) { /* of no function */
  return pillion_call_submit_with(NULL, 0, given);
}
extern __typeof__(pillion_executor_attach) pillion_executor_attach
    __attribute__((weak)); /* no part of the core */
static int sized_attach(void *given) { /* the process has no GLib */
  return pillion_executor_attach(sized_executor, "glib", NULL, given, NULL, 0);
}
static int sized_stats(void *given) {
  return pillion_executor_stat(given, sized_executor);
}
static int sized_pool_stats(void *given) {
  pillion_pool made;
  int rc = pillion_pool_new(&made, NULL, NULL, 0);
  if (rc < 0) return rc;
  rc = pillion_pool_stat(given, made);
  pillion_pool_free(made);
  return rc;
}
static int sized_counts(void *given) { return pillion_library_count(given); }
static int sized_info(void *given) {
  pillion_function function;
  int rc = pillion_function_find(&function, "test.echo");
  return rc < 0 ? rc : pillion_function_describe(given, function);
}
static int sized_failure(void *given) {
  return pillion_failure_parse(given, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
}

#ifdef PILLION_PROVIDER_OPTIONS_INIT /* the header has it */
static int sized_provider(void *given) {
  pillion_provider made;
  int rc = pillion_provider_new(&made, sized_executor, given, NULL, 0);
  if (rc == 0) rc = pillion_provider_free(made);
  return rc;
}
static int sized_inbound(void *given) { /* of no call */
  return pillion_call_info(given, 0);
}
#endif

static int sized_poll(pillion_value *out, pillion_context *cx, void *self) {
  return PILLION_READY;
}
static int sized_spawn(void *given) {
  int rc = pillion_task_spawn(NULL, sized_executor, given, NULL, 0,
                              PILLION_DETACH);
  if (rc == 0) rc = pillion_executor_turn(NULL, 0, NULL, sized_executor, NULL);
  return rc;
}
static int sized_pool_spawn(void *given) {
  pillion_pool made;
  int rc = pillion_pool_new(&made, NULL, NULL, 0);
  if (rc < 0) return rc;
  rc = pillion_pool_spawn(NULL, made, 0, given, NULL, 0, PILLION_DETACH);
  pillion_pool_free(made);
  return rc;
}
static struct {
  pillion_scope scope;
  pillion_child child;
  void *given;
  int rc;
} sized_parent;
static int sized_parent_poll(pillion_value *out, pillion_context *cx,
                             void *self) {
  memset(&sized_parent.scope, 0, sizeof sized_parent.scope);
  sized_parent.rc = pillion_scope_spawn(
      &sized_parent.child, &sized_parent.scope, cx, sized_parent.given, NULL);
  pillion_scope_drop(&sized_parent.scope);
  return PILLION_READY;
}
static int sized_scope_spawn(void *given) {
  static const pillion_future parent = {sizeof parent, sized_parent_poll, NULL};
  sized_parent.given = given;
  int rc = sized_spawn((void *)(uintptr_t)&parent);
  return rc < 0 ? rc : sized_parent.rc;
}

/* ---- The table ----------------------------------------------------------- */

static void *sized_capture(void *data) { return NULL; }
static void sized_enter(void *token, void *data) {}

static const struct sized {
  const char *name;
  int (*cross)(void *given);
  size_t first, size; /* the bytes of the first version, and the header's */
  const void *init;
  int taken; /* what the function answers to a good one */
  enum { SIZED_IN, SIZED_OUT, SIZED_BY_HEADER } way;
} sized_table[] = {
#define SIZED(type, first, cross, taken, way, ...)                   \
  {#type, cross, first, sizeof(pillion_##type),                      \
   &(const pillion_##type)__VA_ARGS__, taken, way}
    SIZED(start_options, 40, sized_start, 0, SIZED_IN,
          PILLION_START_OPTIONS_INIT),
    SIZED(executor_options, 88, sized_new, 0, SIZED_IN,
          PILLION_EXECUTOR_OPTIONS_INIT),
    SIZED(pool_options, 40, sized_pool, 0, SIZED_IN, PILLION_POOL_OPTIONS_INIT),
    SIZED(context_hooks, 48, sized_hooks, 0, SIZED_IN,
          {sizeof(pillion_context_hooks), NULL, sized_capture, sized_enter,
           sized_enter, NULL}),
    SIZED(context_hooks, 48, sized_pool_hooks, 0, SIZED_IN,
          {sizeof(pillion_context_hooks), NULL, sized_capture, sized_enter,
           sized_enter, NULL}),
    SIZED(host, 64, sized_host, 0, SIZED_IN, PILLION_HOST_INIT),
    SIZED(attach_options, 48, sized_attach, PILLION_ENOTFOUND, SIZED_IN,
          PILLION_ATTACH_OPTIONS_INIT),
    SIZED(call_options, 64, sized_call, PILLION_EBADHANDLE, SIZED_IN,
          PILLION_CALL_OPTIONS_INIT),
    SIZED(budget, 24, sized_budget, 0, SIZED_IN, PILLION_BUDGET_INIT),
    SIZED(future, 24, sized_spawn, 0, SIZED_IN,
          {sizeof(pillion_future), sized_poll, NULL}),
    SIZED(future, 24, sized_pool_spawn, 0, SIZED_IN,
          {sizeof(pillion_future), sized_poll, NULL}),
    SIZED(future, 24, sized_scope_spawn, 0, SIZED_BY_HEADER,
          {sizeof(pillion_future), sized_poll, NULL}),
    SIZED(progress, 32, sized_progress, 0, SIZED_OUT, PILLION_PROGRESS_INIT),
    SIZED(host, 64, sized_host_get, 0, SIZED_OUT, PILLION_HOST_INIT),
    SIZED(executor_stats, 88, sized_stats, 0, SIZED_OUT,
          PILLION_EXECUTOR_STATS_INIT),
    SIZED(pool_stats, 56, sized_pool_stats, 0, SIZED_OUT,
          PILLION_POOL_STATS_INIT),
    SIZED(library_counts, 72, sized_counts, 0, SIZED_OUT,
          PILLION_LIBRARY_COUNTS_INIT),
    SIZED(function_info, 40, sized_info, 0, SIZED_OUT,
          PILLION_FUNCTION_INFO_INIT),
    SIZED(failure, 40, sized_failure, 0, SIZED_OUT, PILLION_FAILURE_INIT),
#ifdef PILLION_PROVIDER_OPTIONS_INIT
    SIZED(provider_options, 40, sized_provider, 0, SIZED_IN,
          {sizeof(pillion_provider_options), "sized.Test", NULL, 0, 1, 0}),
    SIZED(call_information, 40, sized_inbound, PILLION_EBADHANDLE, SIZED_OUT,
          PILLION_CALL_INFORMATION_INIT),
#endif
};

/* ---- What has to hold for each ------------------------------------------- */

#define SIZED_ROOM 4096u /* a struct has no more */
#define SIZED_FILL 0xa5

/* From here on the library knows nothing of the struct. */
static size_t sized_unknown(const struct sized *s) {
  return s->way == SIZED_BY_HEADER ? s->size
                                   : (size_t)((long)s->size + SIZED_UNKNOWN);
}

/*
 * A struct of `size` bytes crosses, in memory of no more; `odd` is a byte that
 * is not zero, or 0. Reports whether it went as it must, with the answer `rc`.
 */
static bool sized_cross(const struct sized *s, size_t size, size_t odd,
                        int rc) {
  size_t room = size < sizeof size || size > 2 * SIZED_ROOM ? s->size : size;
  unsigned char *given = malloc(room), *before = malloc(room);
  memset(given, s->way == SIZED_OUT ? SIZED_FILL : 0, room);
  if (s->way != SIZED_OUT)
    memcpy(given, s->init, room < s->size ? room : s->size);
  memcpy(given, &size, sizeof size);
  if (odd != 0) given[odd] = 1;
  memcpy(before, given, room);
  int got = s->cross(given);
  size_t same = s->way == SIZED_OUT && got >= 0 ? sized_unknown(s) : 0;
  bool kept = memcmp(given, before, sizeof size) == 0 &&
              (same >= room || memcmp(given + same, before + same,
                                      room - same) == 0);
  bool filled = s->way != SIZED_OUT || got < 0;
  for (size_t i = sizeof size; i < room; i++)
    filled = filled || given[i] != SIZED_FILL;
  free(given);
  free(before);
  if (got == rc && kept && filled) return true;
  printf("%s of %zu bytes, odd at %zu: %d, not %d%s%s\n", s->name, size, odd,
         got, rc, kept ? "" : ", bytes changed", filled ? "" : ", not filled");
  return false;
}

/* Reports whether all is well with all structs. */
static bool sized_test(void) {
  bool good = pillion_executor_new(&sized_executor, NULL, NULL, 0) == 0 &&
              pillion_executor_bind(sized_executor) == 0;
  for (size_t i = 0; i < sizeof sized_table / sizeof *sized_table; i++) {
    const struct sized *s = &sized_table[i];
    size_t unknown = sized_unknown(s);
    if (s->cross == sized_attach && pillion_executor_attach == NULL) continue;
    int none = s->cross(NULL);
    good &= none == s->taken || none == PILLION_EINVAL;
    static const size_t wrong[] = {0, 1, 7, 8, SIZED_ROOM + 1, 2 * SIZED_ROOM,
                                   (size_t)1 << 32, SIZE_MAX - 7, SIZE_MAX};
    for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++)
      good &= sized_cross(s, wrong[j], 0, PILLION_EINVAL);
    good &= sized_cross(s, s->first - 1, 0, PILLION_EINVAL);
    for (size_t size = s->first; size <= unknown + 24; size++)
      good &= sized_cross(s, size, 0, s->taken);
    good &= sized_cross(s, SIZED_ROOM, 0, s->taken);
    if (s->way == SIZED_OUT) continue;
    good &= sized_cross(s, unknown + 1, unknown, PILLION_ENOTSUP);
    good &= sized_cross(s, unknown + 24, unknown + 23, PILLION_ENOTSUP);
    good &= sized_cross(s, SIZED_ROOM, SIZED_ROOM - 1, PILLION_ENOTSUP);
  }
  return pillion_executor_free(sized_executor) == 0 && good;
}

#endif
