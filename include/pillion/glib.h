/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_GLIB_H
#define PILLION_INCLUDE_GLIB_H

/*
 * Pillion on GLib 2.36 or later: on a GMainContext, so in GTK programs, too.
 *
 *     pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     g_main_loop_run(loop);
 *
 * pillion/gio.h has calls in GTask's form, with GCancellable.
 *
 * The deadline is met up to 1 ms late, never early. GLib cannot end a loop when
 * nothing lives any more: a handler that wants that looks at adapter.live, and
 * calls g_main_loop_quit. Detaching the executor, freeing it and destroying the
 * context may come in any order.
 *
 * Tasks, calls and events go on in a loop that the program runs inside a
 * handler: its own, on_event, or a callback of pillion/gio.h. In a loop
 * that a poll runs they wait until it has ended: no turn can be made there.
 *
 * A task that is always ready keeps sources of a lower priority waiting, as any
 * source does: in a GTK program G_PRIORITY_DEFAULT_IDLE lets frames go first.
 */

#include <glib.h>

#include "adapter.h"

/* An executor on a context, in the caller's storage. All but adapter.data,
 * adapter.live and adapter.status is private. */
typedef struct pillion_glib {
  pillion_adapter adapter;
  GSource *source;
} pillion_glib;

/* A source for the executor's descriptor, or for a watched one. See
 * RATIONALE.md for why it recurses, and why it has no ready time. */
struct pillion__glib_source {
  GSource source;
  pillion_adapter *adapter;
  gpointer tag; /* of fd; NULL: it waits for nothing */
  int fd, muted;
};

static inline GSource *pillion__glib_source(GSourceFuncs *functions,
                                            pillion_adapter *adapter, int fd) {
  GSource *source =
      g_source_new(functions, sizeof(struct pillion__glib_source));
  struct pillion__glib_source *self = (struct pillion__glib_source *)source;
  g_source_set_can_recurse(source, TRUE);
  self->adapter = adapter;
  self->fd = fd;
  return source;
}

static inline gboolean pillion__glib_prepare(GSource *source, gint *timeout) {
  struct pillion__glib_source *self = (struct pillion__glib_source *)source;
  int refused = self->adapter->refused; /* in a loop that a poll runs */
  int64_t now = g_source_get_time(source) * 1000, ms;
  if (self->muted != refused) {
    self->muted = refused;
    g_source_modify_unix_fd(source, self->tag,
                            refused ? (GIOCondition)0 : G_IO_IN);
  }
  ms = pillion_adapter_wait(self->adapter->deadline, now, 1000000);
  if (timeout != NULL) *timeout = (gint)MIN(ms, G_MAXINT);
  return ms == 0 || (!refused && pillion_adapter_pending(self->adapter));
}

static inline gboolean pillion__glib_check(GSource *source) {
  return pillion__glib_prepare(source, NULL);
}

static inline gboolean pillion__glib_turn(GSource *source, GSourceFunc callback,
                                          gpointer data) {
  (void)callback, (void)data;
  pillion_adapter_turn(((struct pillion__glib_source *)source)->adapter);
  return G_SOURCE_CONTINUE;
}

static inline gboolean pillion__glib_report(GSource *source,
                                            GSourceFunc callback,
                                            gpointer data) {
  struct pillion__glib_source *self = (struct pillion__glib_source *)source;
  (void)callback, (void)data;
  if (self->tag != NULL)
    pillion_adapter_report(
        self->adapter, self->fd,
        pillion_adapter_events((int)g_source_query_unix_fd(source, self->tag)));
  return G_SOURCE_CONTINUE;
}

/* poll(2) reports hang-ups unasked: so nothing is watched for nothing. */
static inline int pillion__glib_watch(pillion_adapter *adapter,
                                      pillion_adapter_watch *watch, int fd,
                                      uint32_t events) {
  static GSourceFuncs functions = {NULL, NULL, pillion__glib_report,
                                   NULL, NULL, NULL};
  GIOCondition mask = (GIOCondition)pillion_adapter_mask(events);
  GSource *own = ((pillion_glib *)adapter)->source;
  GSource *source = (GSource *)watch->as.handle;
  struct pillion__glib_source *self;
  if (g_source_is_destroyed(own)) return PILLION_ECLOSED;
  if (source == NULL) {
    source = pillion__glib_source(&functions, adapter, fd);
    g_source_set_priority(source, g_source_get_priority(own));
    g_source_attach(source, g_source_get_context(own));
    watch->as.handle = source;
  }
  self = (struct pillion__glib_source *)source;
  if (events != 0 && self->tag != NULL) {
    g_source_modify_unix_fd(source, self->tag, mask);
  } else if (events != 0) {
    self->tag = g_source_add_unix_fd(source, fd, mask);
  } else if (self->tag != NULL) {
    g_source_remove_unix_fd(source, self->tag);
    self->tag = NULL;
  }
  return 0;
}

static inline void pillion__glib_unwatch(pillion_adapter *adapter,
                                         pillion_adapter_watch *watch, int fd) {
  (void)adapter, (void)fd;
  g_source_destroy((GSource *)watch->as.handle);
  g_source_unref((GSource *)watch->as.handle);
}

static inline void pillion__glib_stop(pillion_adapter *adapter) {
  g_source_destroy(((pillion_glib *)adapter)->source);
}

static inline void pillion__glib_close(pillion_adapter *adapter) {
  g_source_destroy(((pillion_glib *)adapter)->source);
  g_source_unref(((pillion_glib *)adapter)->source);
}

/*
 * pillion_glib_attach puts `executor` on `context`: from now on its loop makes
 * the turns, and `on_event` (may be NULL) hears what has ended. NULL is the
 * thread's default context, as g_main_context_push_thread_default sets it. The
 * sources for the executor and for the descriptors that its tasks await have
 * this priority. It takes the place of other hooks of the executor.
 *
 * Threads: the one that runs the context, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, or as pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_glib_attach(pillion_glib *out, GMainContext *context,
                                      gint priority, pillion_executor executor,
                                      pillion_event_fn on_event, void *data) {
  static const pillion_adapter_loop loop = {NULL,
                                            NULL,
                                            pillion__glib_stop,
                                            pillion__glib_close,
                                            pillion__glib_watch,
                                            pillion__glib_unwatch};
  static GSourceFuncs functions = {pillion__glib_prepare,
                                   pillion__glib_check,
                                   pillion__glib_turn,
                                   NULL,
                                   NULL,
                                   NULL};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &loop,
                                    on_event, data);

  if (rc < 0) return rc;
  if (context == NULL) context = g_main_context_get_thread_default();
  out->source = pillion__glib_source(&functions, &out->adapter, fd);
  ((struct pillion__glib_source *)out->source)->tag =
      g_source_add_unix_fd(out->source, fd, G_IO_IN);
  g_source_set_priority(out->source, priority);
  g_source_attach(out->source, context);
  return pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_glib_detach takes an executor off its context, as
 * pillion_adapter_detach does.
 *
 * Threads: the one that runs the context.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *glib is the caller's again; in a turn or an event handler it is
 *   when the turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_glib_detach(pillion_glib *glib) {
  return pillion_adapter_detach(&glib->adapter);
}

#endif
