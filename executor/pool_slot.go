// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/internal/cell"

// slotStore has the chunks and free slots of a Local, or of a pool, under its lock.
type slotStore struct {
	chunks          []*chunk
	free            []uint32 // used slots that are free again
	fresh, freshEnd uint32   // unused slots of the newest chunk
}

// lease adds a chunk. The caller sets its owner, before it takes a slot.
func (s *slotStore) lease(a cell.Arena) (*chunk, error) {
	c, err := leaseChunk(a)
	if err == nil {
		s.chunks = append(s.chunks, c)
		s.fresh, s.freshEnd = c.base, c.base+cell.Chunk
	}
	return c, err
}

// slotBatch is the number of free slots that a worker fetches or gives back at once.
const slotBatch = 32

func (s *slotStore) put(slots []uint32) { s.free = append(s.free, slots...) }

// get appends a slot or more to into.
func (s *slotStore) get(p *Pool, into []uint32, most int) ([]uint32, error) {
	if n := min(len(s.free), most); n > 0 {
		rest := len(s.free) - n
		into = append(into, s.free[rest:]...)
		s.free = s.free[:rest]
		return into, nil
	}
	if s.fresh == s.freshEnd {
		c, err := s.lease(p.arena)
		if err != nil {
			return into, err
		}
		c.pool.Store(p)
	}
	for ; most > 0 && s.fresh != s.freshEnd; most-- {
		into = append(into, s.fresh)
		s.fresh++
	}
	return into, nil
}

// takeSlot finds a slot and makes the caller its holder, as if the caller had popped
// it. It puts a slot that a late waker has queued aside until a worker pops it.
func (p *Pool) takeSlot(w *worker) (slot, gen uint32, err error) {
	var queued []uint32
	for {
		if slot, err = p.anySlot(w); err != nil {
			break
		}
		ce := &lookup(slot).cells[slot&cell.Mask]
		if gen = ce.Gen.Load(); gen == cell.LastGen {
			continue
		}
		first := max(gen, 1)
		if ce.Pend.Load() == 0 && ce.Pend.CompareAndSwap(0, uint64(first)<<32|cell.Queued) {
			if gen == 0 {
				ce.Gen.Store(first)
			}
			gen = first
			break
		}
		queued = append(queued, slot)
	}
	if queued != nil {
		p.putSlots(queued...)
	}
	return slot, gen, err
}

func (p *Pool) anySlot(w *worker) (slot uint32, err error) {
	if w == nil {
		var one [1]uint32
		p.mu.Lock()
		got, err := p.store.get(p, one[:0], 1)
		p.mu.Unlock()
		if err != nil {
			return 0, err
		}
		return got[0], nil
	}
	if len(w.free) == 0 {
		p.mu.Lock()
		w.free, err = p.store.get(p, w.free, slotBatch)
		p.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
	last := len(w.free) - 1
	slot = w.free[last]
	w.free = w.free[:last]
	return slot, nil
}

func (p *Pool) giveSlot(slot uint32, w *worker) {
	if w == nil {
		p.putSlots(slot)
		return
	}
	w.free = append(w.free, slot)
	if len(w.free) < 2*slotBatch {
		return
	}
	p.putSlots(w.free[slotBatch:]...)
	w.free = w.free[:slotBatch]
}

func (p *Pool) putSlots(slots ...uint32) {
	p.mu.Lock()
	p.store.put(slots)
	p.mu.Unlock()
}
