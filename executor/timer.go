// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/wheel"
)

// Never is the deadline that doesn't come.
const Never = math.MaxInt64

// Timer is a future that is ready at a point in time. Its first poll arms it. It has in
// itself the executor's fields for it, so that neither arming nor dropping it
// allocates. future.Sleep makes one, and [Timer.Reset] sets it again, or a zero Timer.
//
// # Errors
//
// [ErrAgain] over [Config.MaxTimers]. The deadlines of tasks count, but are never
// refused.
type Timer struct {
	node  wheel.Timer // its time, and whom it wakes; armed in a pool, it is under that one's lock
	after time.Duration
	local *Local // that has armed it
	pool  *Pool  // that it is for
}

// Reset disarms the timer; it then counts d from its next poll.
func (t *Timer) Reset(d time.Duration) {
	t.Drop()
	t.node.At, t.after = -1, max(d, 0)
}

// ResetAt disarms the timer and sets it to a time of the executor's clock.
func (t *Timer) ResetAt(at int64) {
	t.Drop()
	t.node.At = at
}

// Poll implements [Future].
func (t *Timer) Poll(cx *Context) (none struct{}, ready bool, err error) {
	if t.node.At < 0 {
		t.node.At = int64(min(uint64(cx.local.now)+uint64(t.after), Never))
	}
	ready, err = cx.side.arm(t, cx.Waker())
	return none, ready, err
}

func (l *Local) arm(t *Timer, w Waker) (ready bool, err error) {
	if t.node.At <= l.now {
		t.Drop()
		return true, nil
	}
	t.node.Waker = uint64(w)
	if !t.node.Armed() && t.node.At != Never {
		if l.maxTimers > 0 && l.timers.Count >= l.maxTimers {
			return true, ErrAgain
		}
		t.local = l
		l.timers.Arm(&t.node, l.now)
	}
	return false, nil
}

// Drop implements [Dropper]: it disarms the timer.
func (t *Timer) Drop() {
	switch {
	case t.pool != nil:
		t.pool.timers.drop(t)
		t.pool = nil
	case t.node.Armed():
		t.local.timers.Disarm(&t.node)
	}
}

// fire wakes the tasks whose timers are due, in the order of the deadlines, and equal
// ones in the order of arming, so that a run can be replayed.
func (l *Local) fire() {
	for t := l.timers.Due(l.now); t != nil; t = l.timers.Due(l.now) {
		if w := Waker(t.Waker); l.wake(w) == BadHandle {
			l.expire(Handle(w))
		}
	}
}
