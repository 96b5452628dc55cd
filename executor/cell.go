// SPDX-License-Identifier: Apache-2.0

package executor

import "sync/atomic"

// ChunkCells is how many cells a chunk has.
const ChunkCells = 1 << chunkShift

const (
	chunkShift = 10
	chunkMask  = ChunkCells - 1
	slotMask   = 1<<24 - 1
	maxChunks  = 1 << (24 - chunkShift)

	// lastGen is never given to a task. A slot that has reached it is retired:
	// going round would make a waker of four billion tasks ago valid again.
	lastGen = 1<<32 - 1
)

// Cell is the part of a task that wakers touch: 64 bytes of atomics that outlive
// every task. The layout is shared with C and frozen.
type Cell struct {
	gen  atomic.Uint32 // the owner writes it: names the task that has the slot now
	_    uint32        // private to C's owner
	pend atomic.Uint64 // gen<<32 | bits: what was asked for, and for which task
	next atomic.Uint32 // link in an inbox: slot+1, 0 is the end; written by who set pendQueued
	_    [11]uint32
}

// chunk is a block of cells and who has leased it: a Local, a Pool or nobody.
type chunk struct {
	base  uint32
	cells []Cell
	local atomic.Pointer[Local]
	pool  atomic.Pointer[Pool]

	// For the owner only; in a pool, each is for who holds the cell's pendQueued.
	tasks   [ChunkCells]*task
	held    [ChunkCells]bool // skipped at allocation because queued; free once popped
	watches []*Watch         // nil before the first
}

// directory finds the cell of any slot in the process. Chunks are never dropped
// from it, so that a waker may come as late as it likes.
var directory [maxChunks]atomic.Pointer[chunk]

// lookup gives the chunk that slot is in, or nil.
func lookup(slot uint32) *chunk { return directory[slot>>chunkShift].Load() }
