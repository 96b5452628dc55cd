/* SPDX-License-Identifier: Apache-2.0 */

/* The loops, and what their libraries must be like. */
#include "loops/loops.h"

#define KIND_ATTACH(kind)                                              \
  static int attach_##kind(struct pillion__loop_host *out, void *loop, \
                           int priority, pillion_executor executor,    \
                           pillion_event_fn on_event, void *data)

#define SYMBOLS(which) {which##_FUNCTIONS(PILLION__LOOP_SYMBOL)}

/* ---- libuv --------------------------------------------------------------- */

static const struct pillion__loop_symbol uv_symbols[] = SYMBOLS(UV);

static const char *uv_unfit(void *loop) {
  (void)loop;
  return uv_version() >> 16 == 1 &&
                 uv_handle_size(UV_POLL) <= sizeof(uv_poll_t) &&
                 uv_handle_size(UV_TIMER) <= sizeof(uv_timer_t)
             ? NULL
             : "its handles are not those of libuv 1.x";
}

KIND_ATTACH(uv) {
  (void)priority;
  return pillion_uv_attach(&out->on.uv, loop, executor, on_event, data);
}

static void uv_free(pillion_uv *uv, void *data) {
  (void)data;
  pillion__free(uv);
}

static bool uv_is_open(const struct pillion__loop_host *host) {
  return PILLION__UV_OPEN(&host->on.uv.poll);
}

/* ---- GLib ---------------------------------------------------------------- */

static const struct pillion__loop_symbol glib_symbols[] = SYMBOLS(GLIB);

KIND_ATTACH(glib) {
  return pillion_glib_attach(&out->on.glib, loop, priority, executor, on_event,
                             data);
}

static bool glib_is_open(const struct pillion__loop_host *host) {
  return !g_source_is_destroyed(host->on.glib.source);
}

/* ---- libevent ------------------------------------------------------------ */

static const struct pillion__loop_symbol event_symbols[] = SYMBOLS(EVENT);

static const char *event_unfit(void *loop) {
  (void)loop;
  return event_get_version_number() >> 16 == 0x0201 &&
                 event_get_struct_event_size() <= sizeof(struct event)
             ? NULL
             : "its struct event is not that of libevent 2.1";
}

KIND_ATTACH(event) {
  (void)priority;
  return pillion_libevent_attach(&out->on.event, loop, executor, on_event,
                                 data);
}

static bool event_is_open(const struct pillion__loop_host *host) {
  return pillion__libevent_in(&host->on.event.io);
}

/* ---- libev --------------------------------------------------------------- */

static const struct pillion__loop_symbol ev_symbols[] = SYMBOLS(EV);

static int ev_answers;

static void ev_right(struct ev_loop *loop, void *watcher, int events) {
  (void)loop, (void)watcher;
  ev_answers = events;
}

static void ev_wrong(struct ev_loop *loop, void *watcher, int events) {
  (void)loop, (void)watcher, (void)events;
}

/* A build of libev may have other members before the callback. ev_invoke calls
 * the callback where this build has it. */
static const char *ev_unfit(void *loop) {
  void (*watcher[32])(struct ev_loop *loop, void *watcher, int events);
  size_t place = offsetof(ev_io, cb) / sizeof *watcher;
  for (size_t i = 0; i < 32; i++) watcher[i] = i == place ? ev_right : ev_wrong;
  ev_answers = 0;
  if (ev_version_major() == 4) ev_invoke(loop, watcher, 1);
  return ev_answers == 1 ? NULL
                         : "its watchers are not those of the usual libev 4";
}

KIND_ATTACH(ev) {
  (void)priority;
  return pillion_ev_attach(&out->on.ev, loop, executor, on_event, data);
}

static bool ev_is_open(const struct pillion__loop_host *host) {
  return host->on.ev.loop != NULL;
}

/* ---- sd-event ------------------------------------------------------------ */

static const struct pillion__loop_symbol sdevent_symbols[] = SYMBOLS(SD_EVENT);

KIND_ATTACH(sdevent) {
  return pillion_sdevent_attach(&out->on.sdevent, loop, priority, executor,
                                on_event, data);
}

static bool sdevent_is_open(const struct pillion__loop_host *host) {
  return host->on.sdevent.loop != NULL; /* the sources refer to it */
}

/* ---- All ----------------------------------------------------------------- */

#define KIND(name, soname, kind, unfit)                            \
  {name,           soname,                                         \
   kind##_symbols, sizeof kind##_symbols / sizeof *kind##_symbols, \
   unfit,          attach_##kind,                                  \
   kind##_is_open}

const struct pillion__loop_kind pillion__loop_kinds[PILLION__LOOP_KINDS] = {
    KIND("uv", "libuv.so.1", uv, uv_unfit),
    KIND("glib", "libglib-2.0.so.0", glib, NULL),
    KIND("event", "libevent_core-2.1.so.7", event, event_unfit),
    KIND("ev", "libev.so.4", ev, ev_unfit),
    KIND("sd-event", "libsystemd.so.0", sdevent, NULL),
};

/*
 * Whether the loop still has the memory of a host that it was closed for. libuv
 * has it until both handles are closed, and the second close callback frees it.
 * A handle that the program has closed itself tells nothing of its end: then
 * the memory is lost, for libuv may use it at any later time.
 */
bool pillion__loop_keeps(struct pillion__loop_host *host, bool attached) {
  if (host->kind->attach != attach_uv) return false;
  if (host->on.uv.closing == 2) host->on.uv.on_close = uv_free;
  return attached || host->on.uv.closing == 2;
}
