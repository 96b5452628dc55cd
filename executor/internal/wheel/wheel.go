// SPDX-License-Identifier: Apache-2.0

// Package wheel keeps timers in their own storage: arming one allocates nothing. They
// fire in the order of (deadline, arming).
package wheel

import (
	"math"
	"math/bits"
)

// A time is eleven digits of six bits. A timer lies on the level of the highest digit
// in which its deadline differs from base, in the slot of that digit. So the lowest
// level that isn't empty has the earliest timers, and its lowest slot the earliest of
// them. When a timer there is due, base moves up to it, and the slot's timers move down
// to their new places. Each moves once a level at most, and a lone timer needs no move.
// The levels below are empty then, and lists keep their order.
const (
	digit  = 6
	slots  = 1 << digit
	levels = 11
)

// Wheel is Varghese and Lauck's hierarchical timing wheel (1987) with finest slots of a
// nanosecond, so that it has no resolution and sorts nothing. A timer for a time before
// base, long past or after the clock went back, is rare and waits in a heap. The zero
// Wheel is ready for use.
type Wheel struct {
	Count int // of armed timers

	deadline int64 // of the earliest, or earlier
	base     int64 // no timer in a slot is due before it; it moves only when one is due
	used     uint32
	levels   [levels]*level
	late     *Timer
	seq      uint64 // of the last timer that was armed late
}

// Timer is an entry of a wheel. It must not change while it is armed.
type Timer struct {
	At    int64
	Waker uint64 // for the caller

	// In a list, prev of the first timer is that timer. In the heap, prev is the elder
	// sibling, or the parent of a first child; that of the root is the root.
	next, prev, child *Timer
	seq               uint64
}

// level is allocated at its first use, and kept.
type level struct {
	used  uint64 // which slots have timers
	slots [slots]slot
}

// slot is a list of timers in the order of arming. An empty slot has no meaning.
type slot struct {
	first, last *Timer
	least       int64 // no timer here is due before it
}

// Armed reports whether a wheel has the timer.
func (t *Timer) Armed() bool { return t.prev != nil }

// Deadline is the time of the earliest timer, or the end of time. After a Disarm, and
// until Due has given nil, it may be too early.
func (w *Wheel) Deadline() int64 {
	if w.Count == 0 {
		return math.MaxInt64
	}
	return w.deadline
}

// Arm takes t. An empty wheel goes on from now; 0 is an unknown time.
func (w *Wheel) Arm(t *Timer, now int64) {
	if w.used == 0 && w.base < now {
		w.base = now
	}
	if w.Count == 0 || t.At < w.deadline {
		w.deadline = t.At
	}
	w.Count++
	if t.At < w.base {
		w.putLate(t)
	} else {
		w.put(t)
	}
}

// Disarm gives back an armed timer.
func (w *Wheel) Disarm(t *Timer) {
	if t.At < w.base {
		w.removeLate(t)
	} else {
		w.remove(t)
	}
	t.prev = nil
	w.Count--
	if t.At == w.deadline {
		w.deadline = w.earliest()
	}
}

// Due takes out the timer that is due first, and among equal deadlines the one armed
// first. It gives nil if none is due.
func (w *Wheel) Due(now int64) (t *Timer) {
	if w.Count == 0 || w.deadline > now {
		return nil
	}
	if t = w.late; t == nil {
		t = w.due(now)
	} else if t.At > now { // then none in a slot is due either
		t = nil
	} else {
		w.removeLate(t)
	}
	if t == nil {
		w.deadline = w.earliest()
		return nil
	}
	t.prev = nil
	w.Count--
	return t
}

// Reset disarms all.
func (w *Wheel) Reset() {
	for w.Count > 0 {
		t := w.late
		if t == nil {
			_, _, s := w.lowest()
			t = s.first
		}
		w.Disarm(t)
	}
	*w = Wheel{}
}

func (w *Wheel) earliest() int64 {
	if w.late != nil {
		return w.late.At
	}
	if w.used == 0 {
		return math.MaxInt64
	}
	_, _, s := w.lowest()
	return s.least
}

// lowest gives the slot with the earliest timers. There must be one.
func (w *Wheel) lowest() (k, i int, s *slot) {
	k = bits.TrailingZeros32(w.used)
	i = bits.TrailingZeros64(w.levels[k].used)
	return k, i, &w.levels[k].slots[i]
}

// place gives the level and the slot of a deadline that isn't before base.
func (w *Wheel) place(at int64) (k, i int) {
	k = (bits.Len64(uint64(at^w.base)|1) - 1) / digit
	return k, int(at>>(k*digit)) % slots
}

func (w *Wheel) put(t *Timer) {
	k, i := w.place(t.At)
	l := w.levels[k]
	if l == nil {
		l = new(level)
		w.levels[k] = l
	}
	s := &l.slots[i]
	t.next = nil
	if l.used>>i&1 == 0 {
		l.used |= 1 << i
		w.used |= 1 << k
		*s = slot{t, t, t.At}
		t.prev = t
		return
	}
	t.prev = s.last
	s.last.next = t
	s.last = t
	s.least = min(s.least, t.At)
}

// remove leaves least as it is, unless the right value is at hand.
func (w *Wheel) remove(t *Timer) {
	k, i := w.place(t.At)
	l := w.levels[k]
	s := &l.slots[i]
	next, prev := t.next, t.prev
	if prev == t && next == nil {
		w.empty(k, i)
		return
	}
	if prev == t {
		s.first = next
	} else {
		prev.next = next
	}
	switch {
	case next == nil:
		s.last = prev
	case prev == t:
		next.prev = next
	default:
		next.prev = prev
	}
	if s.first == s.last {
		s.least = s.first.At
	}
}

func (w *Wheel) empty(k, i int) {
	l := w.levels[k]
	if l.used &^= 1 << i; l.used == 0 {
		w.used &^= 1 << k
	}
}

// due is Due for the slots.
func (w *Wheel) due(now int64) *Timer {
	for w.used != 0 {
		k, i, s := w.lowest()
		if s.least > now {
			return nil
		}
		w.base = s.least
		t := s.first
		if k == 0 || t.next == nil { // all of one deadline
			if s.first = t.next; t.next == nil {
				w.empty(k, i)
			} else {
				t.next.prev = t.next
			}
			return t
		}
		w.empty(k, i)
		for t != nil {
			next := t.next
			w.put(t)
			t = next
		}
	}
	return nil
}
