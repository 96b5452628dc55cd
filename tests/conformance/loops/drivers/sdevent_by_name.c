/* SPDX-License-Identifier: Apache-2.0 */

/* pillion_executor_attach on a real loop of sd-event. */
#define LOOP "sd-event"
#define DRIVER "sdevent.c"
#include "by_name.h"
