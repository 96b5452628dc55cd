/* SPDX-License-Identifier: Apache-2.0 */

/* Qt's event loop, on Qt's own dispatcher. */
#include <cstdlib>

static int no_glib = setenv("QT_NO_GLIB", "1", 1);

#include "qt.cpp"
