// SPDX-License-Identifier: Apache-2.0

package executor

// Context is a future's view of its executor. It is valid only during the poll and
// belongs to the owner; only the [Waker] outlives the poll.
//
// It is the executor of the task in its poll. A spawn on it costs less than one on the
// [Pool] itself, and the new task inherits values.
type Context struct {
	local *Local
	side  side
}

// side is the part of a context that differs between tasks of the [Local] and tasks of
// its pool: the Local itself or its worker.
type side interface {
	Executor
	arm(t *Timer, w Waker) (ready bool, err error)
}

// isOf reports whether the task in its poll is l's own.
func (cx *Context) isOf(l *Local) bool { return cx.side == side(l) }

// Waker gives the waker of the task in its poll, the same value in each of its polls.
func (cx *Context) Waker() Waker {
	t := cx.local.current
	if t == nil || t.flags&flagEnding != 0 {
		return 0
	}
	return makeWaker(t.slot, t.gen)
}

// WakeSelf makes the task in its poll ready again, behind all others.
func (cx *Context) WakeSelf() {
	if t := cx.local.current; t != nil && t.flags&(flagEnding|flagReady) == 0 {
		t.flags |= flagReady
		if t.flags&flagPooled == 0 { // else the worker does it after the poll
			if !cx.local.ready.put(t) {
				cx.local.ready.push(t)
			}
		}
	}
}

// Now gives the time at which this turn began, on the executor's clock, in
// nanoseconds. On a [Pool] it isn't before a time whose timers any worker has fired.
func (cx *Context) Now() int64 { return cx.local.now }

// Local gives the executor whose turn this is, to spawn further tasks on. For a task of
// a [Pool] that is the worker; the next poll may have another.
func (cx *Context) Local() *Local { return cx.local }

func (cx *Context) spawn(t *task) error { return cx.side.spawn(t) }
func (cx *Context) spawner() *task      { return cx.local.current }
