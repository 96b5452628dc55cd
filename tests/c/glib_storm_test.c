/* SPDX-License-Identifier: Apache-2.0 */

/* GLib reaps its children in a thread of its own or by pidfd; see storm.h. */
#include "pillion/glib.h"
#include "storm.h"

static GMainLoop *loop;

static void start(void);

static void finish_if_calm(void) {
  if (children_alive == 0 && children_left == 0 && calls_alive == 0)
    g_main_loop_quit(loop);
}

static void on_exit_of(GPid pid, gint status, gpointer data) {
  g_spawn_close_pid(pid);
  if (status == 0) children_ended++;
  children_alive--;
  if (children_left > 0) start();
  finish_if_calm();
}

static void start(void) {
  char *arguments[] = {"/bin/true", NULL};
  GPid pid;
  assert_true(g_spawn_async(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                            NULL, NULL, &pid, NULL));
  children_left--;
  children_alive++;
  g_child_watch_add(pid, on_exit_of, NULL);
}

static void on_event(const pillion_event *event, void *data) {
  storm_event(event, data);
  finish_if_calm();
}

TEST(glib_starts_children) {
  pillion_glib glib;
  storm_begin();
  int children = children_left;
  loop = g_main_loop_new(NULL, FALSE);
  assert_ok(pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, storm_executor,
                                on_event, NULL));
  for (int i = 0; i < 16; i++) start();
  g_main_loop_run(loop);
  assert_ok(pillion_glib_detach(&glib));
  g_main_loop_unref(loop);
  storm_end(children);
}

int main(void) {
  return run_all_tests(NULL, free_executor, nothing_lives);
}
