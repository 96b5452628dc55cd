// SPDX-License-Identifier: Apache-2.0

package cell

import "sync/atomic"

// Inbox is a stack of cells that have Queued, linked through them. Any goroutine
// pushes; one owner takes all.
type Inbox struct {
	head atomic.Uint32 // slot+1 of the last pushed cell
}

// Empty reports whether the inbox has no cell.
func (b *Inbox) Empty() bool { return b.head.Load() == 0 }

// Push adds a cell.
func (b *Inbox) Push(slot uint32) {
	c := At(slot)
	for {
		head := b.head.Load()
		c.next.Store(head)
		if b.head.CompareAndSwap(head, slot+1) {
			return
		}
	}
}

// Take empties the inbox and calls each in the order of the pushes; the stack itself
// has the last push first.
func (b *Inbox) Take(each func(slot uint32)) {
	var first uint32
	for slot := b.head.Swap(0); slot != 0; {
		c := At(slot - 1)
		next := c.next.Load()
		c.next.Store(first)
		first, slot = slot, next
	}
	for slot := first; slot != 0; {
		// Read before each gets the cell: after that the link belongs to the next
		// waker.
		next := At(slot - 1).next.Load()
		each(slot - 1)
		slot = next
	}
}
