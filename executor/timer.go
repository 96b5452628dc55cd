// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math"
	"time"
)

// Never is the deadline that doesn't come.
const Never = math.MaxInt64

// Timer is a future that is ready at a point in time. It is armed by its first
// poll and has in itself what the executor needs to keep it, so that neither
// arming nor dropping it allocates. The owner may use it again after
// [Timer.Reset].
//
// # Errors
//
// [ErrAgain] over [Config.MaxTimers]. The deadlines of tasks count, but aren't
// refused.
type Timer struct {
	at    int64
	after time.Duration
	local *Local // set while it is armed; inPool in a pool, under that one's lock
	pool  *Pool  // set once it was armed in one
	waker Waker

	// For the wheel.
	next, prev *Timer
	seq        uint64
	index      int // in the heap, or inList
}

// Sleep is ready d after its first poll, counted from the time of that turn.
func Sleep(d time.Duration) *Timer {
	t := new(Timer)
	t.Reset(d)
	return t
}

// SleepUntil is ready once the executor's clock shows at, in nanoseconds. At
// [Never] it isn't.
func SleepUntil(at int64) *Timer { return &Timer{at: at} }

// Reset takes the timer back and lets it count d from its next poll.
func (t *Timer) Reset(d time.Duration) {
	t.Drop()
	t.at, t.after = -1, max(d, 0)
}

// ResetAt takes the timer back and sets it to a time of the executor's clock.
func (t *Timer) ResetAt(at int64) {
	t.Drop()
	t.at = at
}

// Poll implements [Future].
func (t *Timer) Poll(cx *Context) (none struct{}, ready bool, err error) {
	if t.at < 0 {
		t.at = int64(min(uint64(cx.local.now)+uint64(t.after), Never))
	}
	ready, err = cx.side.arm(t, cx.Waker())
	return none, ready, err
}

func (l *Local) arm(t *Timer, w Waker) (ready bool, err error) {
	if t.at <= l.now {
		t.Drop()
		return true, nil
	}
	t.waker = w
	if t.local == nil && t.at != Never {
		if l.maxTimers > 0 && l.timers.count >= l.maxTimers {
			return true, ErrAgain
		}
		t.local = l
		l.timers.arm(t, l.now)
	}
	return false, nil
}

// Drop implements [Dropper]: it takes the timer back.
func (t *Timer) Drop() {
	switch {
	case t.pool != nil:
		t.pool.timers.drop(t)
		t.pool = nil
	case t.local != nil:
		t.local.timers.disarm(t)
		t.local = nil
	}
}

// fire wakes the tasks whose timers are due, in the order of the deadlines, and
// of arming where these are equal, so that a run can be replayed.
func (l *Local) fire() {
	for l.timers.count > 0 {
		t := l.timers.first()
		if t.at > l.now {
			return
		}
		t.Drop()
		if l.wake(t.waker) == BadHandle {
			l.expire(Handle(t.waker))
		}
	}
}

// deadline is when the next timer is due.
func (l *Local) deadline() int64 { return l.timers.deadline() }
