// SPDX-License-Identifier: Apache-2.0

// Package executor runs futures on an event loop that belongs to somebody else.
//
// A [Local] holds tasks and a ready queue and does nothing by itself. Its host calls
// [Local.Poll] after a poke, and at the deadline that the last turn reported. The
// package starts no goroutine and no thread, and needs neither cgo nor unsafe, so that
// it builds wherever Go does.
//
//	l := executor.New(executor.Config{Host: host})
//	t, err := executor.Spawn(l, future.Sleep(time.Second))
//	...
//	progress, err := l.Poll(executor.Budget{})
//
// # The life of a task
//
//	          Spawn (1)
//	             │
//	             ▼         Wake (2), a timer, a join
//	 ┌──────► ready ◄──────────────────────┐
//	 │           │ Poll (3)                │
//	 │           ▼                         │
//	 │        polled ───── pending (4) ──► waiting
//	 │WakeSelf │   │
//	 └─────────┘   │ ready, a panic (5), or Cancel (6)
//	               ▼
//	           finished: Drop, joiner woken, OnDone
//
//	1  [Spawn], [Task.Spawn]
//	2  [Waker.Wake] -> post -> push -> poke; [Local.WakeLocal] for the owner
//	3  [Local.Poll] -> burst
//	4  a future that answers false has arranged a wake
//	5  Local.finish with [Returned]
//	6  [Task.Cancel] -> post; Local.pollOrEnd at the task's next turn, unless it is
//	   in a [Context.Shield]; an [Unwinder] may take turns of its own to end
//
// # Pools
//
// A [Pool] is an executor whose tasks move between the threads that are lent to it. A
// Local that joins it polls the pool's tasks in its own turns, beside its own tasks,
// and still belongs to its host. [Pool.Start] starts goroutines that do nothing else.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Start(runtime.GOMAXPROCS(0)) // or pool.Join(l) on each loop
//	n, err := future.Run(pool, count)        // or Spawn, and await from anywhere
//
// The next poll of a pool's task may be on another executor. Promises, timers, tasks of
// pools and coroutines allow for that, while scopes, watches and tasks of a Local
// answer [ErrWrongLocal] there.
//
// # Scopes
//
// A [Scope] owns tasks and ends when they have; the first error among them cancels the
// others. Straight-line code runs in a scope with coro.WithScope, and a future with
// future.Scoped. Package future makes futures of futures: it awaits several of them,
// and has timeouts, intervals and promises.
//
// # Cancelling
//
// [Task.Cancel], a deadline or a scope asks a task to end, and its [Outcome] is the
// answer. Between two polls the executor drops its future. An [Unwinder] takes turns to
// end: in a coroutine awaits fail with [ErrCancelled], so that its deferred calls run.
// [Context.Shield] holds a cancel off, and [Local.Evict] doesn't wait. A future.Promise
// hands the cancel on to the foreign operation behind it.
//
// # What tasks carry
//
// [Context.Context] is the task as a context.Context. A task inherits its values from
// its spawner, or gets them by [WithValues]. [ContextHooks] bring the context of
// another runtime to the polls of a task.
//
// # Time
//
// future.Sleep and future.Interval wait. future.Timeout and future.Deadline limit one
// await, and [WithDeadline] the whole task. All of them are a [Timer]. The host needs
// one timer for all: the deadline that a turn reports is the next moment at which
// anything is due. Timers are never early. They fire in the order of their deadlines,
// and equal ones in the order of arming. The clock is [Config.Clock]; package simhost
// has one for tests.
//
// # Descriptors
//
// A [Watch] is a descriptor that tasks await with [Watch.Ready]. The host watches it,
// if it is a watch.Host: that of package foreign/poll is one and, inside the C library,
// every loop with the hooks for it. This package has no reactor, starts no goroutine
// and doesn't use Go's netpoller.
//
// # Threads
//
// Any goroutine may call [Waker.Wake], [Handle.Cancel], [Task.Cancel], [Watch.Close]
// and [Local.Close], and the methods of a [Pool]. Everything else belongs to the owner:
// the one goroutine or thread that polls the Local.
//
// # Carriers
//
// [Carrier], and package carrier, are for packages that share cells and wakers with C,
// and for hosts on C's loops, not for programs.
package executor
