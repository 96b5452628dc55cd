// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math"
	"time"
)

// Never is the deadline that doesn't come.
const Never = math.MaxInt64

// Timer is a future that is ready at a point in time. It is armed by its first
// poll and holds its own place in the executor's heap, so that neither arming nor
// dropping it allocates. The owner may use it again after [Timer.Reset].
type Timer struct {
	at    int64
	after time.Duration
	seq   uint64
	local *Local // set while it is in the heap
	index int
	waker Waker
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

// Poll implements [Future].
func (t *Timer) Poll(cx *Context) (struct{}, bool, error) {
	l := cx.local
	if t.at < 0 {
		t.at = Never
		if d := int64(t.after); d < Never-l.now {
			t.at = l.now + d
		}
	}
	if t.at <= l.now {
		t.Drop()
		return struct{}{}, true, nil
	}
	t.waker = cx.Waker()
	if t.local == nil && t.at != Never {
		l.arm(t)
	}
	return struct{}{}, false, nil
}

// Drop implements [Dropper]: it takes the timer back.
func (t *Timer) Drop() {
	if t.local != nil {
		t.local.disarm(t)
	}
}

// The heap is 4-ary: half as deep as a binary one, with the children of a node
// side by side. Equal deadlines fire in the order in which they were armed, so
// that a run can be replayed.

func (t *Timer) before(u *Timer) bool {
	return t.at < u.at || t.at == u.at && t.seq < u.seq
}

func (l *Local) arm(t *Timer) {
	l.timerSeq++
	t.seq, t.local, t.index = l.timerSeq, l, len(l.timers)
	l.timers = append(l.timers, t)
	l.siftUp(t)
}

func (l *Local) disarm(t *Timer) {
	last := len(l.timers) - 1
	moved := l.timers[last]
	l.timers[last] = nil
	l.timers = l.timers[:last]
	if moved != t {
		moved.index = t.index
		l.timers[t.index] = moved
		l.siftUp(moved)
		l.siftDown(moved)
	}
	t.local = nil
}

func (l *Local) siftUp(t *Timer) {
	i := t.index
	for i > 0 {
		parent := (i - 1) / 4
		p := l.timers[parent]
		if !t.before(p) {
			break
		}
		l.timers[i], p.index = p, i
		i = parent
	}
	l.timers[i], t.index = t, i
}

func (l *Local) siftDown(t *Timer) {
	i := t.index
	for {
		least, first := -1, 4*i+1
		for c := first; c < min(first+4, len(l.timers)); c++ {
			if least < 0 || l.timers[c].before(l.timers[least]) {
				least = c
			}
		}
		if least < 0 || !l.timers[least].before(t) {
			break
		}
		l.timers[i], l.timers[least].index = l.timers[least], i
		i = least
	}
	l.timers[i], t.index = t, i
}

// fire wakes the tasks whose timers are due.
func (l *Local) fire() {
	for len(l.timers) > 0 && l.timers[0].at <= l.now {
		t := l.timers[0]
		l.disarm(t)
		l.wake(t.waker)
	}
}

// deadline is when the next timer is due.
func (l *Local) deadline() int64 {
	if len(l.timers) == 0 {
		return Never
	}
	return l.timers[0].at
}
