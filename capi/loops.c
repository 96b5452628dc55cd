/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pillion_executor_attach: the adapters of include/pillion, compiled for the
 * loops that a process has. The headers in loops/declared stand for those of
 * the loops: so a build needs none of those. As a program does, these
 * files reach executors by pillion.h only.
 */
#include "loops/find.c"
#include "loops/kinds.c"

#include "loops/attach.c"
