// SPDX-License-Identifier: Apache-2.0

package executor

import "sync/atomic"

// Inbox is a stack of cells that have pendQueued, linked through them. Anybody
// pushes; who takes, takes all. The layout is shared with C, which pushes as well,
// and frozen.
type Inbox struct {
	head atomic.Uint32 // slot+1 of the cell that was pushed last
}

func (b *Inbox) empty() bool { return b.head.Load() == 0 }

func (b *Inbox) push(slot uint32) {
	cell := &lookup(slot).cells[slot&chunkMask]
	for {
		head := b.head.Load()
		cell.next.Store(head)
		if b.head.CompareAndSwap(head, slot+1) {
			return
		}
	}
}

// take empties the inbox and calls each in the order of the pushes, as they come out
// last first.
func (b *Inbox) take(each func(c *chunk, slot uint32)) {
	var first uint32
	for slot := b.head.Swap(0); slot != 0; {
		cell := &lookup(slot - 1).cells[(slot-1)&chunkMask]
		next := cell.next.Load()
		cell.next.Store(first)
		first, slot = slot, next
	}
	for slot := first; slot != 0; {
		c := lookup(slot - 1)
		// Read before the cell is handed on: after that the link is the next
		// waker's.
		next := c.cells[(slot-1)&chunkMask].next.Load()
		each(c, slot-1)
		slot = next
	}
}
