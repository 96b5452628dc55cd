// SPDX-License-Identifier: Apache-2.0

// Package executor runs futures on an event loop that belongs to somebody else.
//
// A [Local] holds tasks and a ready queue and does nothing by itself: its host
// calls [Local.Poll] when it has been poked, and again at the deadline that the
// last turn reported. The package starts no goroutine and no thread, and needs
// neither cgo nor unsafe, so that it builds wherever Go does.
//
//	l := executor.New(executor.Config{Host: host})
//	t, err := executor.Spawn(l, executor.Sleep(time.Second))
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
//	 │  Yield  │   │
//	 └─────────┘   │ ready, a panic (5), or Cancel (6)
//	               ▼
//	           finished: Drop, joiners woken, OnDone
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
// A [Pool] is an executor whose tasks move between the threads that are lent to it: a
// Local that joins it polls the pool's tasks in its own turns, beside its own, and goes
// on belonging to its host. [Pool.Start] starts goroutines that do nothing else.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Start(runtime.GOMAXPROCS(0)) // or pool.Join(l) on each loop
//	n, err := executor.Run(pool, count)      // or Spawn, and await from anywhere
//
// What a future of a pool's task keeps of one executor is another's in the next poll:
// promises, timers, tasks of pools and coroutines see to that, while scopes, watches
// and tasks of a Local answer [ErrWrongLocal] there.
//
// # Scopes
//
// A [Scope] owns tasks and has ended only when they have; the first error among them
// cancels the others. Straight-line code runs in one with coro.WithScope, and a future
// with future.Scoped. Package future has more that is made of futures: what awaits
// several of them, timeouts, intervals and promises.
//
// # Cancelling
//
// A task is asked to end, by [Task.Cancel], a deadline or its scope, and its [Outcome]
// is the answer. Between two polls its future is dropped, or takes turns to end if it
// is an [Unwinder]: a coroutine finds [ErrCancelled] in what it awaits, so that its
// deferred calls run. [Context.Shield] holds a cancel off, and [Local.Evict] doesn't
// wait. A future.Promise hands the cancel on to the foreign operation behind it.
//
// # What tasks carry
//
// [Context.Context] is the task as a context.Context, whose values tasks inherit at their
// spawn, or get by [WithValues]. [ContextHooks] bring the context of another runtime to
// the polls of a task.
//
// # Time
//
// [Sleep], [SleepUntil] and future.Interval wait, future.Timeout and future.Deadline
// limit what a task awaits, and [WithDeadline] the task itself. All of it costs the host one
// timer: the deadline that a turn reports is the next moment at which anything is
// due. Timers are never early, and fire in the order of their deadlines, and of
// arming where these are equal. The clock is [Config.Clock]; package simhost has one
// for tests.
//
// # Descriptors
//
// A [Watch] is a descriptor that tasks await with [Watch.Ready]. It is the host that
// watches it: one that is a [Watcher], as that of package foreign/poll and, inside the
// C library, every loop that has been told how. There is no reactor here, no goroutine
// and none of Go's netpoller.
//
// # Threads
//
// Any goroutine may call [Waker.Wake], [Handle.Cancel], [Task.Cancel], [Watch.Close]
// and [Local.Close], and what a [Pool] has. Everything else belongs to the owner: the one
// goroutine or thread that polls the Local.
//
// # Carriers
//
// Programs have no use for what is here for packages beneath and on top of this one:
// [Carrier]; [Arena], [SetArena], [Cell], [ChunkCells] and [Inbox], by which tasks' cells
// and wakers are shared with C; [Shortcut], for how package coro resumes a coroutine.
package executor
