/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole core in one unit: cgo compiles only what lies beside the package,
 * and the compiler sees through the calls between these files.
 */
#include "core/call.c"
#include "core/cell.c"
#include "core/configure.c"
#include "core/context.c"
#include "core/deadline.c"
#include "core/error.c"
#include "core/executor.c"
#include "core/function.c"
#include "core/guard.c"
#include "core/guest.c"
#include "core/handle.c"
#include "core/host.c"
#include "core/join.c"
#include "core/log.c"
#include "core/memory.c"
#include "core/node.c"
#include "core/park.c"
#include "core/post.c"
#include "core/ring.c"
#include "core/start.c"
#include "core/sweep.c"
#include "core/task.c"
#include "core/timer.c"
#include "core/turn.c"
#include "core/wait.c"
#include "core/watch.c"
#include "core/wheel.c"
