/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole core in one unit: cgo compiles only what lies beside the package,
 * and the compiler sees through the calls between these files. They stand floor
 * by floor, from the lowest up, and call each other downwards only:
 * tests/core/floors.py reads the order here. core/wiring.c names the parts of
 * higher floors that lower ones reach.
 */
#include "core/base/memory.c"
#include "core/base/log.c"
#include "core/base/error.c"
#include "core/base/size.c"
#include "core/base/process.c"
#include "core/base/descriptor.c"
#include "core/base/clock.c"
#include "core/base/started.c"

#include "core/cell/cell.c"
#include "core/cell/owner.c"
#include "core/cell/mark.c"
#include "core/cell/list.c"

#include "core/queue/inbox.c"
#include "core/queue/deque.c"
#include "core/queue/wheel.c"
#include "core/queue/timers.c"

#include "core/executor/park.c"
#include "core/executor/gather.c"
#include "core/executor/told.c"
#include "core/executor/host.c"
#include "core/executor/cells.c"
#include "core/executor/hooks.c"
#include "core/executor/task.c"
#include "core/executor/drain.c"
#include "core/executor/spawn.c"
#include "core/executor/wake.c"
#include "core/executor/join.c"
#include "core/executor/timer.c"
#include "core/executor/watch.c"
#include "core/executor/watches.c"
#include "core/executor/epoll.c"
#include "core/executor/post.c"
#include "core/executor/take.c"
#include "core/executor/turn.c"
#include "core/executor/verbs.c"
#include "core/executor/ops.c"
#include "core/executor/attach.c"
#include "core/executor/table.c"
#include "core/executor/thread.c"
#include "core/executor/life.c"

#include "core/pool/ready.c"
#include "core/pool/cells.c"
#include "core/pool/end.c"
#include "core/pool/task.c"
#include "core/pool/timer.c"
#include "core/pool/spawn.c"
#include "core/pool/worker.c"
#include "core/pool/member.c"
#include "core/pool/calls.c"
#include "core/pool/serve.c"
#include "core/pool/kind.c"
#include "core/pool/life.c"

#include "core/call/call.c"
#include "core/call/node.c"
#include "core/call/ring.c"
#include "core/call/function.c"
#include "core/call/submit.c"
#include "core/call/wait.c"
#include "core/call/sweep.c"
#include "core/call/kind.c"

#include "core/guest/visit.c"
#include "core/guest/guest.c"
#include "core/guest/turn.c"
#include "core/guest/watch.c"
#include "core/guest/pool.c"

#include "core/library/probe.c"
#include "core/library/start.c"
#include "core/library/count.c"
#include "core/library/load.c"

#include "core/wiring.c"
