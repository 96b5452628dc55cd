// SPDX-License-Identifier: Apache-2.0

// Package cell has the part of a task that anybody may touch at any time, and the inboxes
// that it is linked into. The layouts are shared with C, which does the same on the same
// memory, and frozen.
package cell

import "sync/atomic"

const (
	// Chunk is how many cells a chunk has.
	Chunk = 1 << chunkShift
	// Mask gives the place of a slot in its chunk.
	Mask = Chunk - 1
	// SlotMask gives a slot without what stands above it in a handle.
	SlotMask = 1<<24 - 1
	// Chunks is how many chunks there can be.
	Chunks = 1 << (24 - chunkShift)

	chunkShift = 10

	// LastGen is never given to a task. A slot that has reached it is retired:
	// going round would make a waker of four billion tasks ago valid again.
	LastGen = 1<<32 - 1
)

// Bits of a cell's pend word.
const (
	// Queued says that the cell is in an inbox, or that its poster is about to push it
	// there. The owner clears it when it pops the cell. A slot can't be given to another
	// task while it is set.
	Queued = 1
	// Wake asks for a poll.
	Wake = 2
	// Cancel asks for the end.
	Cancel = 4
	// Expired, with Cancel, says that this is a deadline's doing. Only Go sets it.
	Expired = 8
	// Close asks for the end of a watch.
	Close = 32
	// EventsShift is where the events lie that a host in C reports for a watch.
	EventsShift = 8
)

// Cell is 64 bytes of atomics that outlive every task.
type Cell struct {
	Gen  atomic.Uint32 // the owner writes it: names the task that has the slot now
	_    uint32        // private to C's owner
	Pend atomic.Uint64 // gen<<32 | bits: what was asked for, and for which task
	next atomic.Uint32 // in an inbox: slot+1, 0 is the end; the poster that set Queued writes it
	_    [11]uint32
}

// directory finds the cell of any slot in the process. Chunks are never dropped from it,
// so that a waker may come as late as it likes.
var directory [Chunks]atomic.Pointer[[Chunk]Cell]

// At gives the cell of a slot, or nil.
func At(slot uint32) *Cell {
	if c := directory[slot>>chunkShift].Load(); c != nil {
		return &c[slot&Mask]
	}
	return nil
}

// Put makes cells known by their slots.
func Put(base uint32, cells []Cell) { directory[base>>chunkShift].Store((*[Chunk]Cell)(cells)) }

// What Mark answers.
const (
	Woken     = 0
	Coalesced = 1
	Stale     = 2
	Bad       = -1
)

// Mark asks for something of the task that id, a handle or a waker, means. If it answers
// Woken, the caller owes a push to the inbox of the cell's owner. pending is the bits that
// were asked for before of the same task.
func Mark(id, bits uint64) (r int, pending uint64) {
	gen := uint32(id)
	c := At(uint32(id>>32) & SlotMask)
	if c == nil || gen == 0 {
		return Bad, 0
	}
	if c.Gen.Load() != gen {
		return Stale, 0
	}
	for {
		old := c.Pend.Load()
		oldGen := uint32(old >> 32)
		// Between the check above and here the slot may have gone to a newer
		// task, whose request must not be overwritten.
		if old&Queued != 0 && int32(oldGen-gen) > 0 {
			return Stale, 0
		}
		pending = 0
		if oldGen == gen {
			pending = old & (1<<32 - 1)
		}
		// The swap is done even if it changes nothing: it is what orders the
		// caller's earlier writes before the poll.
		if c.Pend.CompareAndSwap(old, uint64(gen)<<32|Queued|bits|pending) {
			if old&Queued != 0 {
				return Coalesced, pending
			}
			return Woken, pending
		}
	}
}
