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

func (s *idleSet) add(i int) { s[i/64].Or(1 << (i % 64)) }

// remove says whether i was in the set.
func (s *idleSet) remove(i int) bool {
	bit := uint64(1) << (i % 64)
	return s[i/64].And(^bit)&bit != 0
}

// take removes one of the set that is also in among, or gives -1.
func (s *idleSet) take(among *idleSet) int {
	for word := range s {
		for {
			set := s[word].Load()
			if set == 0 {
				break
			}
			of := set
			if among != nil {
				of &= among[word].Load()
			}
			if of == 0 {
				break
			}
			if s[word].CompareAndSwap(set, set&^(of&-of)) {
				return word*64 + bits.TrailingZeros64(of)
			}
		}
	}
	return -1
}

// poke tells an idle worker's host that there is work, if there is an idle worker,
// and if it is one of among, unless that is nil.
func (p *Pool) poke(among *idleSet) {
	for {
		i := p.idle.take(among)
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

// push gives a cell that has pendQueued to its task's pin, or to whichever worker
// comes first.
func (p *Pool) push(c *chunk, slot uint32) {
	if at := c.tasks[slot&chunkMask].pin(); at != nil {
		at.push(p, slot)
		return
	}
	p.inbox.push(slot)
	p.poke(nil)
	if p.gone.Load() {
		p.forward()
	}
}

// forward empties the inbox of a freed pool on the waker's side, as a Local's is.
func (p *Pool) forward() {
	p.inbox.take(func(c *chunk, slot uint32) {
		if c.pool.Load() == p {
			c.cells[slot&chunkMask].pend.Store(0)
		} else {
			c.push(slot)
		}
	})
}
