// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/internal/cell"

// Waker says "poll that task again". It is a plain number: 8 bits of kind, 24 of slot,
// 32 of generation. The highest bit is never set. A program may copy, keep and forget
// it freely, and a late use does nothing. Zero is no waker.
type Waker uint64

// Handle names a task in the same 64 bits. Zero is no task.
type Handle uint64

const (
	kindTask  = 2
	kindWaker = 3
	kindWatch = 5
)

func makeWaker(slot, gen uint32) Waker   { return kindWaker<<56 | Waker(slot)<<32 | Waker(gen) }
func makeHandle(slot, gen uint32) Handle { return kindTask<<56 | Handle(slot)<<32 | Handle(gen) }

// Answer says what has come of a wake or a request to end a task.
type Answer int

const (
	Accepted  Answer = 0  // the task will be polled, or will end at its next turn
	Coalesced Answer = 1  // an earlier wake or request is pending, and does for both
	Stale     Answer = 2  // the task has finished
	BadHandle Answer = -1 // no task's waker or handle
)

// Wake makes the task ready, from any goroutine and at any time, also after task,
// executor and host are gone. It only schedules; it never polls. The poll that follows
// sees the caller's earlier writes, also after [Coalesced].
func (w Waker) Wake() Answer {
	if w>>56 != kindWaker {
		return BadHandle
	}
	r, _ := post(uint64(w), cell.Wake)
	return r
}

// Cancel asks the task to end, from any goroutine and at any time. The task's outcome
// reports whether the cancel came before its return.
func (h Handle) Cancel() Answer { return h.ask(cell.Cancel) }

func (h Handle) ask(bits uint64) Answer {
	if h>>56 != kindTask {
		return BadHandle
	}
	r, old := post(uint64(h), bits)
	if r != Accepted && r != Coalesced {
		return r
	}
	if old&cell.Cancel != 0 {
		return Coalesced
	}
	return Accepted // also if a wake was pending
}

// CancelLocal is [Handle.Cancel] for the owner, and takes effect at once: this turn
// drops a task that it would have polled later. Cancel goes through the inbox, too late
// for that.
func (l *Local) CancelLocal(h Handle) Answer {
	slot, gen := uint32(h>>32)&cell.SlotMask, uint32(h)
	c := lookup(slot)
	if h>>56 != kindTask || c == nil || gen == 0 {
		return BadHandle
	}
	if c.local.Load() != l { // another's, or a pool's
		return h.Cancel()
	}
	// The cell's generation is t's own. The read fetches the cell, which the task's end
	// will write, together with the task itself.
	t := c.tasks[slot&cell.Mask]
	if c.cells[slot&cell.Mask].Gen.Load() != gen || t == nil {
		return Stale
	}
	if t.flags&flagCancel != 0 {
		return Coalesced
	}
	l.noteCancel(t)
	l.wakeHost()
	return Accepted
}

// Handle gives the handle of the task that w wakes.
func (w Waker) Handle() Handle {
	if w>>56 != kindWaker {
		return 0
	}
	return Handle(w) ^ (kindTask^kindWaker)<<56
}

// Live reports whether the task that w wakes hasn't finished. For any goroutine.
func (w Waker) Live() bool {
	slot := uint32(w>>32) & cell.SlotMask
	c := lookup(slot)
	return w != 0 && c != nil && c.cells[slot&cell.Mask].Gen.Load() == uint32(w)
}

// post is the only way by which other goroutines reach a task. C does the same on the
// same cells. It also returns the bits that were pending for the same task.
func post(id uint64, bits uint64) (r Answer, pending uint64) {
	m, pending := cell.Mark(id, bits)
	if m == cell.Woken {
		// Read after the mark: from then on the slot can't be recycled, but the
		// chunk may have changed hands before.
		slot := uint32(id>>32) & cell.SlotMask
		lookup(slot).push(slot)
	}
	return Answer(m), pending
}

// push puts a cell that has Queued into the inbox of its owner.
func (c *chunk) push(slot uint32) {
	l := c.local.Load()
	if l == nil {
		if p := c.pool.Load(); p != nil {
			p.push(c, slot)
			return
		}
		c.cells[slot&cell.Mask].Pend.Swap(0)
		return
	}
	l.inbox.Push(slot)
	if !l.poke() && l.freed() {
		l.forward()
	}
}

func (l *Local) forward() {
	forward(&l.inbox, func(c *chunk) bool { return c.local.Load() == l })
}

// forward empties the inbox of a freed executor, for a late waker. Without it a cell
// that came too late would stay queued, and its slot unusable for good. freed
// reports whether the freed executor still has a cell's chunk, so that no task is there.
func forward(in *cell.Inbox, freed func(c *chunk) bool) {
	in.Take(func(slot uint32) {
		c := lookup(slot)
		if freed(c) {
			c.cells[slot&cell.Mask].Pend.Swap(0)
		} else {
			c.push(slot)
		}
	})
}
