// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/bits"
	"sync/atomic"
)

const maxWorkers = 256

// idleSet has a bit for each worker that has parked and wasn't poked since. Who
// pushes looks here afterwards; who parks sets his bit and then looks at the
// queues once more. One of the two sees the other.
type idleSet [maxWorkers / 64]atomic.Uint64

func (s *idleSet) add(i int)    { s[i/64].Or(1 << (i % 64)) }
func (s *idleSet) remove(i int) { s[i/64].And(^(uint64(1) << (i % 64))) }

// take removes one of the set, or gives -1.
func (s *idleSet) take() int {
	for word := range s {
		for {
			set := s[word].Load()
			if set == 0 {
				break
			}
			if s[word].CompareAndSwap(set, set&(set-1)) {
				return word*64 + bits.TrailingZeros64(set)
			}
		}
	}
	return -1
}

// poke tells an idle worker's host that there is work, if there is an idle worker.
func (p *Pool) poke() {
	for {
		i := p.idle.take()
		if i < 0 {
			return
		}
		// It may be awake and looks for itself then; its place may be another's by
		// now, who is poked for nothing, or nobody's.
		if w := p.members[i].Load(); w != nil && w.local.poke() {
			return
		}
	}
}

// push gives a cell that has pendQueued to whichever worker comes first.
func (p *Pool) push(slot uint32) {
	p.insert(slot)
	p.poke()
	if p.gone.Load() {
		p.forward()
	}
}

func (p *Pool) insert(slot uint32) {
	cell := &lookup(slot).cells[slot&chunkMask]
	for {
		head := p.inbox.Load()
		cell.next.Store(head)
		if p.inbox.CompareAndSwap(head, slot+1) {
			return
		}
	}
}

// takeInbox takes the whole inbox and gives its slots to each in the order of their
// coming.
func (p *Pool) takeInbox(each func(slot uint32)) {
	var first uint32
	for slot := p.inbox.Swap(0); slot != 0; {
		cell := &lookup(slot - 1).cells[(slot-1)&chunkMask]
		next := cell.next.Load()
		cell.next.Store(first)
		first, slot = slot, next
	}
	for slot := first; slot != 0; {
		next := lookup(slot - 1).cells[(slot-1)&chunkMask].next.Load()
		each(slot - 1)
		slot = next
	}
}

// forward empties the inbox of a freed pool on the waker's side, as a Local's is.
func (p *Pool) forward() {
	p.takeInbox(func(slot uint32) {
		c := lookup(slot)
		if c.pool.Load() == p {
			c.cells[slot&chunkMask].pend.Store(0)
		} else {
			c.push(slot)
		}
	})
}
