/* SPDX-License-Identifier: Apache-2.0 */

/* pillion_executor_attach on a real loop of libevent. */
#define LOOP "event"
#define DRIVER "event.c"
#include "by_name.h"
