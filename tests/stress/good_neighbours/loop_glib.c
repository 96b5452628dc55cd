/* SPDX-License-Identifier: Apache-2.0 */
#include <glib-unix.h>
#include <hiredis/adapters/glib.h>

#include "net.h"
#include "pillion/glib.h"

static GMainLoop *loop;
static pillion_glib on;

static struct watch {
  guint source;
  void (*fn)(int fd, int events);
} watches[1024];

void net_begin(void) { loop = g_main_loop_new(NULL, FALSE); }
void net_run(void) { g_main_loop_run(loop); }
void net_stop(void) { g_main_loop_quit(loop); }

static gboolean on_timer(gpointer fn) {
  ((void (*)(void))fn)();
  return G_SOURCE_CONTINUE;
}

void net_tick(void (*fn)(void)) {
  g_timeout_add_full(G_PRIORITY_DEFAULT, 1, on_timer, (gpointer)fn, NULL);
}

static gboolean on_ready(gint fd, GIOCondition events, gpointer data) {
  (void)data;
  if (events & (G_IO_HUP | G_IO_ERR)) events |= G_IO_IN | G_IO_OUT;
  watches[fd].fn(fd, (int)events);
  return G_SOURCE_CONTINUE;
}

void net_watch(int fd, int events, void (*fn)(int fd, int events)) {
  if (watches[fd].source != 0) g_source_remove(watches[fd].source);
  watches[fd].source = 0;
  watches[fd].fn = fn;
  if (events != 0)
    watches[fd].source = g_unix_fd_add(fd, (GIOCondition)events, on_ready, NULL);
}

void net_redis(redisAsyncContext *redis) {
  g_source_attach(redis_source_new(redis), NULL);
}

int net_nats(natsOptions *options) {
  (void)options;
  return 0;
}

int net_attach(pillion_executor ex, pillion_event_fn on_event) {
  return pillion_glib_attach(&on, NULL, G_PRIORITY_DEFAULT, ex, on_event, NULL);
}

void net_detach(void) { pillion_glib_detach(&on); }
