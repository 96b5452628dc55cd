/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/glib.h on a real GMainContext. */
#include "loop.h"

#include "pillion/glib.h"

const int loop_takes_files = 1;

void *loop_new(void) { return g_main_context_new(); }

void loop_destroy(void *loop) { g_main_context_unref(loop); }

void loop_round(void *loop, int wait) { g_main_context_iteration(loop, wait); }

struct own {
  void (*fn)(void *data);
  void *data;
};

static gboolean on_own(gpointer data) {
  struct own *own = data;
  own->fn(own->data);
  free(own);
  return G_SOURCE_REMOVE;
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  GSource *source = g_timeout_source_new((guint)ms);
  struct own *own = malloc(sizeof *own);
  *own = (struct own){fn, data};
  g_source_set_callback(source, on_own, own, NULL);
  g_source_attach(source, loop);
  g_source_unref(source);
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_glib_attach((pillion_glib *)host, loop, G_PRIORITY_DEFAULT, ex,
                             on_event, data);
}

int host_detach(struct host *host) {
  return pillion_glib_detach((pillion_glib *)host);
}
