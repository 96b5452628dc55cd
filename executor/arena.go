// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"sync"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// heap is the arena of a process in which no carrier has set another.
var heap heapArena

// heapArena makes chunks in Go memory, and gives out returned chunks first.
type heapArena struct {
	mu   sync.Mutex
	made uint32
	free []uint32
}

func (a *heapArena) Lease() (uint32, []cell.Cell, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.free); n > 0 {
		base := a.free[n-1]
		a.free = a.free[:n-1]
		return base, lookup(base).cells, nil
	}
	if a.made == cell.Chunks {
		return 0, nil, ErrAgain
	}
	base := a.made * cell.Chunk
	a.made++
	return base, make([]cell.Cell, cell.Chunk), nil
}

func (a *heapArena) Return(base uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free = append(a.free, base)
}

var errMalformed = errors.New("executor: the arena gave a malformed chunk or one that is in use")

// leaseChunk takes one more chunk. The caller sets its owner before it gives out a
// cell, so that a waker that matches a cell finds the inbox for it.
func leaseChunk(a cell.Arena) (*chunk, error) {
	base, cells, err := a.Lease()
	if err != nil {
		return nil, err
	}
	if base&cell.Mask != 0 || base > cell.SlotMask || len(cells) != cell.Chunk {
		return nil, errMalformed
	}
	c := lookup(base)
	if c == nil {
		c = &chunk{base: base, cells: cells}
		directory[base/cell.Chunk].Store(c)
		cell.Put(base, cells)
		return c, nil
	}
	if &c.cells[0] != &cells[0] || c.local.Load() != nil || c.pool.Load() != nil {
		return nil, errMalformed
	}
	c.held = [cell.Chunk]bool{}
	return c, nil
}

// primed is the number of cells that get their first generation at once: a page.
const primed = 64

// prime gives fresh cells their first generation, so that a spawn needs no atomic
// store, which is an exchange on amd64.
//
//go:noinline
func (l *Local) prime() {
	cells := lookup(l.fresh).cells[l.fresh&cell.Mask:][:primed]
	for i := range cells {
		if cells[i].Gen.Load() == 0 {
			cells[i].Gen.Store(1)
		}
	}
}

// findSlot finds a free slot. It puts a slot that a late waker has queued aside until
// the owner pops it: the slot's link is still in use.
func (l *Local) findSlot() (c *chunk, slot uint32, err error) {
	for {
		if n := len(l.free); n > 0 {
			slot = l.free[n-1]
			l.free = l.free[:n-1]
		} else if l.fresh < l.freshEnd {
			if l.fresh%primed == 0 {
				l.prime()
			}
			slot = l.fresh
			l.fresh++
		} else if c, err := l.lease(l.arena); err != nil {
			return nil, 0, err
		} else {
			c.local.Store(l)
			continue
		}
		c = lookup(slot)
		ce := &c.cells[slot&cell.Mask]
		if ce.Gen.Load() == cell.LastGen {
			continue
		}
		if ce.Pend.Load()&cell.Queued != 0 {
			c.held[slot&cell.Mask] = true
			continue
		}
		return c, slot, nil
	}
}

func (l *Local) takeSlot(t *task) error {
	c, slot, err := l.findSlot()
	if err != nil {
		return err
	}
	c.tasks[slot&cell.Mask] = t
	t.slot, t.gen = slot, c.cells[slot&cell.Mask].Gen.Load()
	return nil
}

// giveSlot makes t's wakers and handles stale. The store is the one exchange that a
// recycled slot costs.
func (l *Local) giveSlot(t *task) {
	c := lookup(t.slot)
	c.tasks[t.slot&cell.Mask] = nil
	l.freeSlot(c, t.slot, t.gen)
}

func (l *Local) freeSlot(c *chunk, slot, gen uint32) {
	c.cells[slot&cell.Mask].Gen.Store(gen + 1)
	if gen+1 != cell.LastGen {
		l.free = append(l.free, slot)
	}
}
