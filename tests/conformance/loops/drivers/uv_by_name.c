/* SPDX-License-Identifier: Apache-2.0 */

/* pillion_executor_attach on a real loop of libuv. */
#define LOOP "uv"
#define DRIVER "uv.c"
#include "by_name.h"
