// SPDX-License-Identifier: Apache-2.0

// Package steal has what workers share of their work: rings that others steal from, and
// sets of workers.
package steal

import "sync/atomic"

// Ring is a worker's queue of slots. The owner puts them in at the tail; he
// and thieves take them out at the head, which only grows, so that a swap of it
// can't succeed by accident.
//
// The slots themselves are plain memory. That is sound because the owner reads
// only what he wrote, and a thief, who reads after he has moved the head, says
// before in from what he is going to read: the owner writes no place there.
type Ring struct {
	head atomic.Uint64
	from atomic.Uint64 // the place from which a thief copies, + 1; 0 is no thief
	_    [48]byte      // thieves write above, the owner below

	tail atomic.Uint64 // what thieves may see; the owner writes it
	buf  atomic.Pointer[[]uint32]

	// For the owner.
	own   []uint32 // what buf points to: a power of two long
	next  uint64   // where the next slot goes; tail or beyond
	limit uint64   // next must not go beyond
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

// Publish shows thieves what was pushed.
func (r *Ring) Publish() {
	if r.tail.Load() != r.next {
		r.tail.Store(r.next)
	}
}

func (r *Ring) makeRoom() {
	head := r.head.Load()
	low := head
	// Read after the head: a thief who has moved it has set from before.
	if f := r.from.Load(); f != 0 {
		low = min(low, f-1)
	}
	if r.own != nil {
		r.limit = low + uint64(len(r.own))
	}
	// Beyond it, if a thief has come so late that he will find the head moved on.
	if r.next < r.limit {
		return
	}
	// A thief goes on reading the old slots, which nobody writes any more.
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

// Len is how many slots are in there, published or not. For the owner.
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

// Stealable says whether there is something for a thief. While another is at it
// there isn't: he is awake and comes back for the rest.
func (r *Ring) Stealable() bool {
	head := r.head.Load()
	return int64(r.tail.Load()-head) > 0 && r.from.Load() == 0
}

// Steal moves half of what is in r to the thief's own ring, and says how many that
// were.
func (r *Ring) Steal(thief *Ring) int {
	head := r.head.Load()
	there := int64(r.tail.Load() - head)
	if there <= 0 || !r.from.CompareAndSwap(0, head+1) {
		return 0
	}
	defer r.from.Store(0)
	// Read before the head is moved: a buffer of afterwards need not have them.
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

// Queue is a queue of slots for one goroutine.
type Queue struct {
	buf        []uint32 // a power of two long
	head, tail uint32
}

// Len is how many slots are in there.
func (q *Queue) Len() int { return int(q.tail - q.head) }

// Push puts a slot at the back.
func (q *Queue) Push(slot uint32) {
	if q.Len() == len(q.buf) {
		buf := make([]uint32, max(16, 2*len(q.buf)))
		n := q.Pop(buf)
		q.buf, q.head, q.tail = buf, 0, uint32(n)
	}
	q.buf[q.tail&uint32(len(q.buf)-1)] = slot
	q.tail++
}

// Pop takes up to len(into) slots from the front.
func (q *Queue) Pop(into []uint32) int {
	n := min(q.Len(), len(into))
	for i := range into[:n] {
		into[i] = q.buf[q.head&uint32(len(q.buf)-1)]
		q.head++
	}
	return n
}
