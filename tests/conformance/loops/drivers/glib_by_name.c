/* SPDX-License-Identifier: Apache-2.0 */

/* pillion_executor_attach on a real loop of GLib. */
#define LOOP "glib"
#define DRIVER "glib.c"
#include "by_name.h"
