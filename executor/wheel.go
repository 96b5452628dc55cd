// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/bits"
	"slices"
)

const (
	// A level of the wheel sorts by six bits of the deadline, so that its slots
	// are the bits of one word; eleven levels have the 63 bits of any deadline.
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 11

	// wheelFew is how many timers of a slot are sorted by the heap. A slot with
	// more goes to the level below: that costs less than the heap would.
	wheelFew = 32

	inList = -1
)

// wheel keeps timers, each arm, drop and firing at a cost that doesn't grow with
// their number, and always knows the first one.
//
// Those due from edge on are in lists: a slot of level k has those that share all
// bits above the level's six with base, and differ in these. Those due before are
// in front, a small heap, and in run, a list of timers for one and the same
// moment. Once both are empty they are filled from the first slot, which is
// divided into the slots of lower levels as often as it has many timers.
//
// A list is always in the order of arming as far as deadlines are equal: what is
// divided is appended from first to last, and a timer can be armed into a slot of
// a lower level only after the division.
//
// The first timer is wanted long before it is due, so that base runs ahead of the
// time, and timers may be armed before edge. As these grow many, all is set back;
// see rewind.
type wheel struct {
	count      int
	seq        uint64
	front      []*Timer
	run        timerList
	base, edge uint64
	used       uint32 // which levels have timers
	levels     [wheelLevels]*wheelLevel

	early int // timers that were armed before edge, since base was set back
}

// wheelLevel is allocated once the level is needed, and kept.
type wheelLevel struct {
	used  uint64 // which slots have timers
	count int    // of the timers; on the lowest level, with those in run
	slots [wheelSlots]timerList
}

// level says where a timer for at goes that isn't before edge.
func (w *wheel) level(at uint64) (level, slot int) {
	level = (bits.Len64((at^w.base)|1) - 1) / wheelBits
	return level, int(at>>(level*wheelBits)) % wheelSlots
}

// arm takes t, whose deadline is after now.
func (w *wheel) arm(t *Timer, now int64) {
	if w.count == 0 {
		w.base, w.edge, w.early = uint64(now), uint64(now), 0
	}
	w.count++
	w.seq++
	t.seq = w.seq
	if uint64(t.at) >= w.edge {
		w.put(t)
		return
	}
	w.push(t)
	w.early++
	if len(w.front) > 4*wheelFew && w.early >= w.divided(uint64(now))+len(w.front)/2 {
		w.rewind(uint64(now))
	}
}

// top says on which level base differs from an earlier time.
func (w *wheel) top(now uint64) int { return (bits.Len64(w.base^now) - 1) / wheelBits }

// divided counts the timers that are below that level.
func (w *wheel) divided(now uint64) (n int) {
	for _, l := range w.levels[:w.top(now)] {
		if l != nil {
			n += l.count
		}
	}
	return n
}

func (w *wheel) disarm(t *Timer) {
	w.count--
	switch {
	case t.index != inList:
		w.remove(t)
	case uint64(t.at) < w.edge:
		w.run.remove(t)
		w.levels[0].count--
	default:
		k, i := w.level(uint64(t.at))
		l := w.levels[k]
		l.count--
		l.slots[i].remove(t)
		if l.slots[i].head == nil {
			w.clear(l, k, i)
		}
	}
}

// put appends t to its slot.
func (w *wheel) put(t *Timer) {
	k, i := w.level(uint64(t.at))
	w.mark(k, i).push(t)
	w.levels[k].count++
	t.index = inList
}

// mark gives a slot that is about to be filled.
func (w *wheel) mark(level, slot int) *timerList {
	l := w.levels[level]
	if l == nil {
		l = new(wheelLevel)
		w.levels[level] = l
	}
	l.used |= 1 << slot
	w.used |= 1 << level
	return &l.slots[slot]
}

// clear forgets a slot that has been emptied.
func (w *wheel) clear(l *wheelLevel, level, slot int) {
	if l.used &^= 1 << slot; l.used == 0 {
		w.used &^= 1 << level
	}
}

// first gives the timer that fires first. There must be one.
func (w *wheel) first() *Timer {
	for {
		switch {
		case w.run.head == nil && len(w.front) > 0:
			return w.front[0]
		case w.run.head != nil && (len(w.front) == 0 || w.run.head.before(w.front[0])):
			return w.run.head
		case w.run.head != nil:
			return w.front[0]
		}
		w.advance()
	}
}

// deadline is when the first timer is due.
func (w *wheel) deadline() int64 {
	if w.count == 0 {
		return Never
	}
	return w.first().at
}

// advance moves the first slot to the front, or divides it.
func (w *wheel) advance() {
	k := bits.TrailingZeros32(w.used)
	l := w.levels[k]
	i := bits.TrailingZeros64(l.used)
	list := l.slots[i]
	l.slots[i].head = nil
	w.clear(l, k, i)

	shift := k * wheelBits
	start := w.base>>(shift+wheelBits)<<(shift+wheelBits) | uint64(i)<<shift
	switch {
	case list.few():
		w.base = start | (1<<shift - 1)
		w.edge = w.base + 1
		l.count -= list.each(w.push)
	case k == 0:
		w.base, w.edge, w.run = start, start+1, list
	default:
		w.base, w.edge = start, start
		l.count -= list.each(w.put)
	}
}

// rewind sets base back to the present time. What had been divided is put
// together again, in as many steps as there are slots, and the heap is emptied. It
// will be divided once more; so it happens only when as many timers were armed
// before edge, and each of these pays for one. As one of them was after now and
// before edge, base is after now.
func (w *wheel) rewind(now uint64) {
	top := w.top(now)
	slot := int(w.base>>(top*wheelBits)) % wheelSlots
	whole, count := w.mark(top, slot), w.divided(now)
	whole.append(w.run)
	w.run.head = nil
	for k, l := range w.levels[:top] {
		if l == nil {
			continue
		}
		for ; l.used != 0; l.used &= l.used - 1 {
			s := &l.slots[bits.TrailingZeros64(l.used)]
			whole.append(*s)
			s.head = nil
		}
		l.count = 0
		w.used &^= 1 << k
	}
	if whole.head == nil {
		w.clear(w.levels[top], top, slot)
	}
	w.levels[top].count += count
	w.base, w.edge, w.early = now, now, 0
	slices.SortFunc(w.front, func(t, u *Timer) int {
		if t.before(u) {
			return -1
		}
		return 1
	})
	kept := 0 // those that are due already; sorted, they are a heap
	for i, t := range w.front {
		if uint64(t.at) < now {
			t.index = i
			kept++
		} else {
			w.put(t)
		}
	}
	clear(w.front[kept:])
	w.front = w.front[:kept]
}

// reset lets go of all timers.
func (w *wheel) reset() {
	for w.count > 0 {
		t := w.first()
		w.disarm(t)
		t.local = nil
	}
	*w = wheel{}
}
