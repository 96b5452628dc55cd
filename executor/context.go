// SPDX-License-Identifier: Apache-2.0

package executor

// Context is what a future sees of its executor. It is valid during that poll
// only and belongs to the owner; what outlives the poll is the [Waker].
type Context struct {
	local *Local
}

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
	if t := cx.local.current; t != nil && t.flags&flagEnding == 0 {
		cx.local.makeReady(t)
	}
}

// Now gives the time of this turn on the executor's clock, in nanoseconds. It is
// read once a turn and every 64 polls.
func (cx *Context) Now() int64 { return cx.local.now }

// Local gives the executor, to spawn further tasks on.
func (cx *Context) Local() *Local { return cx.local }
