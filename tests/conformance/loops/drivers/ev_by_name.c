/* SPDX-License-Identifier: Apache-2.0 */

/* pillion_executor_attach on a real loop of libev. */
#define LOOP "ev"
#define DRIVER "ev.c"
#include "by_name.h"
