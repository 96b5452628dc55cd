/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hash_gtk DIRECTORY: a window in GTK 4 that hashes a directory through Go, with
 * a progress bar and a button that cancels. The digests go to stdout.
 */
#include <gtk/gtk.h>

#include "pillion/gio.h"
#include "pillion/glib.h"

#define AT_ONCE 32

static pillion_executor executor;
static pillion_function list, sha256;
static GCancellable *cancellable;
static GtkWidget *bar, *button;
static GBytes *names; /* each with a zero */
static const char *next, *end;
static guint total, done, running, failed;

static void finish(const char *text) {
  gtk_progress_bar_set_text(GTK_PROGRESS_BAR(bar), text);
  gtk_button_set_label(GTK_BUTTON(button), "Close");
  puts(text);
}

static void start_some(void);

static void on_digest(GObject *object, GAsyncResult *result, gpointer name) {
  GError *error = NULL;
  GBytes *bytes = pillion_glib_call_finish(result, &error);
  gsize length;
  (void)object;

  running--;
  if (bytes != NULL) {
    const char *digest = (const char *)g_bytes_get_data(bytes, &length);
    printf("%.*s  %s\n", (int)length, digest, (const char *)name);
    g_bytes_unref(bytes);
    done++;
  } else {
    g_error_free(error);
    failed++;
  }
  gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(bar), (double)done / total);
  start_some();
}

static void start_some(void) {
  gchar *text;
  int cancelled = g_cancellable_is_cancelled(cancellable);
  for (; running < AT_ONCE && next < end && !cancelled; running++) {
    pillion_glib_call_async(executor, sha256, next, strlen(next), cancellable,
                            on_digest, (gpointer)next);
    next += strlen(next) + 1;
  }
  if (running > 0) return;
  text = g_strdup_printf("%u of %u files hashed, %u failed%s", done, total,
                         failed, cancelled ? ", cancelled" : "");
  finish(text);
  g_free(text);
}

static void on_list(GObject *object, GAsyncResult *result, gpointer data) {
  GError *error = NULL;
  gsize length;
  (void)object, (void)data;

  names = pillion_glib_call_finish(result, &error);
  if (names == NULL) {
    finish(error->message);
    g_error_free(error);
    return;
  }
  next = (const char *)g_bytes_get_data(names, &length);
  end = next + length;
  for (const char *p = next; p < end; p += strlen(p) + 1) total++;
  start_some();
}

static void on_click(GtkButton *self, gpointer window) {
  if (strcmp(gtk_button_get_label(self), "Close") == 0)
    gtk_window_destroy(GTK_WINDOW(window));
  else g_cancellable_cancel(cancellable);
}

static void on_activate(GtkApplication *app, gpointer directory) {
  GtkWidget *window = gtk_application_window_new(app);
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);

  bar = gtk_progress_bar_new();
  gtk_progress_bar_set_show_text(GTK_PROGRESS_BAR(bar), TRUE);
  button = gtk_button_new_with_label("Cancel");
  g_signal_connect(button, "clicked", G_CALLBACK(on_click), window);
  gtk_box_append(GTK_BOX(box), bar);
  gtk_box_append(GTK_BOX(box), button);
  gtk_window_set_child(GTK_WINDOW(window), box);
  gtk_window_set_default_size(GTK_WINDOW(window), 420, -1);
  gtk_window_present(GTK_WINDOW(window));
  pillion_glib_call_async(executor, list, directory,
                          strlen((const char *)directory), cancellable, on_list,
                          NULL);
}

int main(int argc, char **argv) {
  GtkApplication *app = gtk_application_new(NULL, G_APPLICATION_DEFAULT_FLAGS);
  pillion_glib glib;
  int status;

  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc != 2 || pillion_function_find(&list, "demo.list") < 0 ||
      pillion_function_find(&sha256, "demo.sha256") < 0 ||
      pillion_executor_new(&executor, NULL, NULL, 0) < 0)
    return 2;
  /* Frames and the user's input go first. */
  if (pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT_IDLE, executor, NULL,
                          NULL) < 0)
    return 2;
  cancellable = g_cancellable_new();
  g_signal_connect(app, "activate", G_CALLBACK(on_activate), argv[1]);
  status = g_application_run(G_APPLICATION(app), 1, argv);
  pillion_glib_detach(&glib);
  pillion_executor_free(executor);
  if (names != NULL) g_bytes_unref(names);
  g_object_unref(cancellable);
  g_object_unref(app);
  return status;
}
