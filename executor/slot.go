// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// chunk is a block of cells and its present owner: a Local, a Pool or none.
type chunk struct {
	base  uint32
	cells []cell.Cell
	local atomic.Pointer[Local]
	pool  atomic.Pointer[Pool]

	// For the owner only; in a pool, each is for who holds the cell's Queued.
	tasks   [cell.Chunk]*task
	held    [cell.Chunk]bool // passed over by findSlot because it is queued; free once popped
	watches []*Watch         // nil before the first
}

// directory finds the task of any slot in the process, as that of package cell finds
// the cell.
var directory [cell.Chunks]atomic.Pointer[chunk]

// lookup gives the chunk that slot is in, or nil.
func lookup(slot uint32) *chunk { return directory[slot/cell.Chunk].Load() }
