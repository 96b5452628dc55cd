/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_GLIB_SUPPORT_H
#define PILLION_TESTS_GLIB_SUPPORT_H

/* A GMainContext that runs as long as something lives, as libuv's loop does. */
#include "pillion/glib.h"

#include "support.h"

static inline void glib_run(GMainContext *context, pillion_glib *glib) {
  g_main_context_iteration(context, FALSE);
  while (glib->adapter.keeps && glib->adapter.status == 0)
    g_main_context_iteration(context, TRUE);
}

#endif
