// SPDX-License-Identifier: Apache-2.0

// Package steal lets workers share their work: rings from which others steal, and sets
// of workers.
package steal

import "sync/atomic"

// Ring is a worker's queue of slots. The owner pushes at the tail. The owner and
// thieves pop at the head, which only grows, so that a swap of it can't succeed by
// accident.
//
// The slots themselves are plain memory. That is sound because the owner reads only its
// own writes, and because a thief, which reads after it has moved the head, first
// announces in from where it will read: the owner writes no place from there on.
type Ring struct {
	head atomic.Uint64
	from atomic.Uint64 // the place from which a thief copies, + 1; 0: no thief
	_    [48]byte      // thieves write above, the owner below

	tail atomic.Uint64 // the end of the slots that thieves see; the owner writes it
	buf  atomic.Pointer[[]uint32]

	// For the owner.
	own   []uint32 // the target of buf: a power of two long
	next  uint64   // the place of the next slot; tail or beyond
	limit uint64   // next must stay at or below it
	_     [24]byte
}

const (
	firstRing = 256
	mostTaken = 128 // by one theft
)

// Push puts a slot at the back. Thieves see it once it is published.
func (r *Ring) Push(slot uint32) {
	if r.next == r.limit {
		r.makeRoom()
	}
	r.own[r.next&uint64(len(r.own)-1)] = slot
	r.next++
}

// Publish shows thieves the pushed slots.
func (r *Ring) Publish() {
	if r.tail.Load() != r.next {
		r.tail.Store(r.next)
	}
}

func (r *Ring) makeRoom() {
	head := r.head.Load()
	low := head
	// Read after the head: a thief that has moved the head has set from before.
	if f := r.from.Load(); f != 0 {
		low = min(low, f-1)
	}
	if r.own != nil {
		r.limit = low + uint64(len(r.own))
	}
	// Beyond it, if a thief has come so late that its swap of the head will fail.
	if r.next < r.limit {
		return
	}
	// A thief goes on reading the old slots, which stay as they are.
	size := max(firstRing, len(r.own))
	if r.next-head > uint64(size/2) {
		size *= 2
	}
	own := make([]uint32, size)
	for i := head; i != r.next; i++ {
		own[i&uint64(len(own)-1)] = r.own[i&uint64(len(r.own)-1)]
	}
	r.own = own
	r.buf.Store(&own)
	r.limit = head + uint64(len(own))
}

// Len counts the slots, published or not. For the owner.
func (r *Ring) Len() int { return int(r.next - r.head.Load()) }

// Pop takes up to len(into) slots from the front. For the owner.
func (r *Ring) Pop(into []uint32) int {
	for {
		head := r.head.Load()
		n := min(r.next-head, uint64(len(into)))
		if n == 0 {
			return 0
		}
		if r.head.CompareAndSwap(head, head+n) {
			for i := range into[:n] {
				into[i] = r.own[(head+uint64(i))&uint64(len(r.own)-1)]
			}
			return int(n)
		}
	}
}

// Stealable reports whether there is a slot for a thief. While another thief is at work
// there is none: that thief is awake and comes back for the rest.
func (r *Ring) Stealable() bool {
	head := r.head.Load()
	return int64(r.tail.Load()-head) > 0 && r.from.Load() == 0
}

// Steal moves half of r's slots to the thief's own ring, and gives their number.
func (r *Ring) Steal(thief *Ring) int {
	head := r.head.Load()
	there := int64(r.tail.Load() - head)
	if there <= 0 || !r.from.CompareAndSwap(0, head+1) {
		return 0
	}
	defer r.from.Store(0)
	// Read before the swap of the head: a later buffer need not have these slots.
	buf := *r.buf.Load()
	n := uint64(min((there+1)/2, mostTaken))
	if !r.head.CompareAndSwap(head, head+n) {
		return 0
	}
	for i := head; i != head+n; i++ {
		thief.Push(buf[i&uint64(len(buf)-1)])
	}
	return int(n)
}
