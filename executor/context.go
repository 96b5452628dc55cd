// SPDX-License-Identifier: Apache-2.0

package executor

// Context is what a future sees of its executor. It is valid during that poll
// only and belongs to the owner; what outlives the poll is the [Waker].
type Context struct {
	local *Local
	side  side
}

// side is what a task's context does differently for a task of the [Local]'s own and for
// one of the pool that it works for: a Local or its worker.
type side interface {
	Executor
	arm(t *Timer, w Waker) (ready bool, err error)
}

// isOf reports whether the task that is being polled is l's own.
func (cx *Context) isOf(l *Local) bool { return cx.side == side(l) }

// Waker gives the waker of the task that is being polled. It is the same value
// in each of its polls.
func (cx *Context) Waker() Waker {
	t := cx.local.current
	if t == nil || t.flags&flagEnding != 0 {
		return 0
	}
	return makeWaker(t.slot, t.gen)
}

// WakeSelf makes the task that is being polled ready again, behind all others.
func (cx *Context) WakeSelf() {
	if t := cx.local.current; t != nil && t.flags&(flagEnding|flagReady) == 0 {
		t.flags |= flagReady
		if t.flags&flagPooled == 0 { // else the worker sees to it after the poll
			if !cx.local.ready.put(t) {
				cx.local.ready.push(t)
			}
		}
	}
}

// Now gives the time at which this turn began, on the executor's clock, in
// nanoseconds. On a [Pool] it isn't before a time whose timers any worker has fired.
func (cx *Context) Now() int64 { return cx.local.now }

// Local gives the executor whose turn this is, to spawn further tasks on. For a task
// of a [Pool] that is the worker, another one perhaps in the next poll.
func (cx *Context) Local() *Local { return cx.local }

// Executor gives what the task that is being polled was spawned on. A task that is
// spawned on it in this poll costs less than on the [Pool] itself, and inherits
// its values. It is valid during this poll.
func (cx *Context) Executor() Executor { return cx.side }
