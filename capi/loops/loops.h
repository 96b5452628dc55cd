/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_LOOPS_H
#define PILLION_LOOPS_H

#include "base/base.h"

/* A loop's function is a pointer that has its name. */
#define PILLION__LOOP_FUNCTION(type, name, parameters) \
  static type(*name) parameters;
#define PILLION__LOOP_SYMBOL(type, name, parameters) {#name, &name},

/* The headers of libev and libevent have names in common: libev's come last. */
#include "pillion/event.h"
#include "pillion/glib.h"
#include "pillion/sdevent.h"
#include "pillion/uv.h"

#include "pillion/ev.h"

#pragma GCC visibility push(hidden)

struct pillion__loop_symbol {
  const char *name;
  void *pointer; /* where the function's address goes */
};

/* An executor on a loop that was found by name. */
struct pillion__loop_host {
  union {
    pillion_adapter adapter;
    pillion_uv uv;
    pillion_glib glib;
    pillion_libevent event;
    pillion_ev ev;
    pillion_sdevent sdevent;
  } on;
  const struct pillion__loop_kind *kind;
  const pillion_adapter_loop *functions; /* the adapter's own */
  pillion_adapter_loop between;          /* these, with ours before them */
  void *loop;
  pillion_drop_fn drop; /* of adapter.data, or NULL */
  uint64_t thread;      /* the loop's */
};

struct pillion__loop_kind {
  const char *name;
  const char *soname;
  const struct pillion__loop_symbol *symbols; /* the first is of no other */
  size_t count;
  /* Says why the library that was found cannot be used, or NULL. */
  const char *(*unfit)(void *loop);
  int (*attach)(struct pillion__loop_host *out, void *loop, int priority,
                pillion_executor executor, pillion_event_fn on_event,
                void *data);
  /* Reports whether the loop is there, and has the host's handles. */
  bool (*is_open)(const struct pillion__loop_host *host);
};

extern const struct pillion__loop_kind pillion__loop_kinds[];
#define PILLION__LOOP_KINDS 5

int pillion__loop_find(const struct pillion__loop_kind *kind, void *loop,
                       const char *library, struct pillion__why why);
bool pillion__loop_keeps(struct pillion__loop_host *host, bool attached);
void pillion__loop_free(struct pillion__loop_host *host);

#pragma GCC visibility pop

#endif
