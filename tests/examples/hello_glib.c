/* SPDX-License-Identifier: Apache-2.0 */

/* Two calls in GTask's form: one answers, and the user cancels the other. */
#include "pillion/gio.h"
#include "pillion/glib.h"

static int running;
static GMainLoop *loop;

static void on_ready(GObject *object, GAsyncResult *result, gpointer data) {
  GError *error = NULL;
  GBytes *bytes = pillion_glib_call_finish(result, &error);
  (void)object, (void)data;

  if (bytes != NULL) {
    gsize length;
    const char *text = (const char *)g_bytes_get_data(bytes, &length);
    g_print("%.*s\n", (int)length, text);
    g_bytes_unref(bytes);
  } else {
    g_print("%s\n", g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                        ? "cancelled"
                        : error->message);
    g_error_free(error);
  }
  if (--running == 0) g_main_loop_quit(loop);
}

int main(void) {
  GCancellable *cancellable = g_cancellable_new();
  pillion_executor ex;
  pillion_function greet;
  pillion_glib glib;

  loop = g_main_loop_new(NULL, FALSE);
  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, ex, NULL, NULL) < 0)
    return 1;
  pillion_glib_call_async(ex, greet, "you", 3, NULL, on_ready, NULL);
  running = 1;
  g_main_loop_run(loop);
  g_cancellable_cancel(cancellable);
  pillion_glib_call_async(ex, greet, "late", 4, cancellable, on_ready, NULL);
  running = 1;
  g_main_loop_run(loop);
  pillion_glib_detach(&glib);
  pillion_executor_free(ex);
  g_main_loop_unref(loop);
  g_object_unref(cancellable);
  return 0;
}
