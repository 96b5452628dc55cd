/* SPDX-License-Identifier: Apache-2.0 */

/* The same echo server on GLib's main context: echo_glib CONNECTIONS. */
#include "echo.h"

#include "pillion/glib.h"

int main(int argc, char **argv) {
  pillion_executor ex;
  struct server server;
  pillion_glib glib;

  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_glib_attach(&glib, NULL, G_PRIORITY_DEFAULT, ex, NULL, NULL) < 0)
    return 1;
  if (server_start(&server, ex, argc > 1 ? atoi(argv[1]) : 1) < 0) return 1;
  do {
    g_main_context_iteration(NULL, TRUE);
  } while (glib.adapter.live > 0); /* until the last has hung up */
  pillion_glib_detach(&glib);
  return pillion_executor_free(ex);
}
