// SPDX-License-Identifier: Apache-2.0

// Package cell has the part of a task that any goroutine may touch at any time, and the
// inboxes that link it. Go shares the layouts with C, which does the same on the same
// memory, so they are frozen.
package cell

import "sync/atomic"

const (
	// Chunk is the number of cells in a chunk.
	Chunk = 1 << chunkShift
	// Mask gives the place of a slot in its chunk.
	Mask = Chunk - 1
	// SlotMask gives the slot of a handle, without the bits above it.
	SlotMask = 1<<24 - 1
	// Chunks is the greatest number of chunks.
	Chunks = 1 << (24 - chunkShift)

	chunkShift = 10

	// LastGen is no task's generation. A slot that has reached it retires: after a wrap
	// a waker of four billion tasks ago would be valid again.
	LastGen = 1<<32 - 1
)

// Bits of a cell's pend word.
const (
	// Queued says that the cell is in an inbox, or that its poster is about to push it
	// there. The owner clears it when it pops the cell. While it is set, no other task
	// can get the slot.
	Queued = 1
	// Wake asks for a poll.
	Wake = 2
	// Cancel asks for the end.
	Cancel = 4
	// Expired, with Cancel, says that a deadline asked. Only Go sets it. It can't be
	// set without Cancel.
	Expired = 8
	// Close asks for the end of a watch.
	Close = 32
	// EventsShift is the place of the events that a host in C reports for a watch.
	EventsShift = 8
)

// Cell is 64 bytes of atomics that outlive every task.
type Cell struct {
	Gen  atomic.Uint32 // the owner writes it; it names the slot's present task
	_    uint32        // private to C's owner
	Pend atomic.Uint64 // gen<<32 | bits: the requests, and the task that they are for
	next atomic.Uint32 // in an inbox: slot+1, 0 is the end; the poster that set Queued writes it
	_    [11]uint32
}

// directory finds the cell of any slot in the process. It never drops a chunk, so that
// a waker may come as late as it likes.
var directory [Chunks]atomic.Pointer[[Chunk]Cell]

// At gives the cell of a slot, or nil.
func At(slot uint32) *Cell {
	if c := directory[slot>>chunkShift].Load(); c != nil {
		return &c[slot&Mask]
	}
	return nil
}

// Put enters cells into the directory.
func Put(base uint32, cells []Cell) { directory[base>>chunkShift].Store((*[Chunk]Cell)(cells)) }

// The answers of Mark.
const (
	Woken     = 0
	Coalesced = 1
	Stale     = 2
	Bad       = -1
)

// Mark sets bits for the task of id, a handle or a waker. If it answers Woken, the
// caller owes a push to the inbox of the cell's owner. pending has the bits that were
// pending for the same task.
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
		// Between the check above and here a newer task may have got the slot, and its
		// request must stay.
		if old&Queued != 0 && int32(oldGen-gen) > 0 {
			return Stale, 0
		}
		pending = 0
		if oldGen == gen {
			pending = old & (1<<32 - 1)
		}
		// The swap happens even if it changes nothing: it orders the caller's earlier
		// writes before the poll.
		if c.Pend.CompareAndSwap(old, uint64(gen)<<32|Queued|bits|pending) {
			if old&Queued != 0 {
				return Coalesced, pending
			}
			return Woken, pending
		}
	}
}
