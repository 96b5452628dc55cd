/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole core in one unit: cgo compiles only what lies beside the package,
 * and the compiler sees through the calls between these files. They stand floor
 * by floor, from the lowest up: tests/core/floors.py reads their order here.
 */
#include "core/base/memory.c"
#include "core/base/log.c"
#include "core/base/error.c"
#include "core/base/process.c"
#include "core/base/descriptor.c"

#include "core/cell/cell.c"

#include "core/queue/deque.c"
#include "core/queue/wheel.c"
#include "core/queue/timers.c"

#include "core/executor/park.c"
#include "core/executor/gather.c"
#include "core/executor/host.c"
#include "core/executor/cells.c"
#include "core/executor/wake.c"
#include "core/executor/task.c"
#include "core/executor/timer.c"
#include "core/executor/watch.c"
#include "core/executor/post.c"
#include "core/executor/turn.c"
#include "core/executor/ops.c"
#include "core/executor/kind.c"
#include "core/executor/configure.c"
#include "core/executor/life.c"

#include "core/pool/worker.c"
#include "core/pool/cells.c"
#include "core/pool/end.c"
#include "core/pool/task.c"
#include "core/pool/timer.c"
#include "core/pool/member.c"
#include "core/pool/serve.c"
#include "core/pool/life.c"

#include "core/call/call.c"
#include "core/call/node.c"
#include "core/call/ring.c"
#include "core/call/function.c"
#include "core/call/wait.c"
#include "core/call/sweep.c"

#include "core/guest/guest.c"
#include "core/guest/visit.c"
#include "core/guest/pool.c"

#include "core/library/start.c"
#include "core/library/probe.c"
