// SPDX-License-Identifier: Apache-2.0

package executor

// Waker says "poll that task again". It is a plain number: 8 bits of kind, 24 of
// slot, 32 of generation. The highest bit is never set. Copying, keeping and forgetting it are free, and using
// it late does nothing. Zero is no waker.
type Waker uint64

// Handle names a task in the same 64 bits. Zero is no task.
type Handle uint64

const (
	kindTask  = 2
	kindWaker = 3
	kindWatch = 5
)

func makeWaker(slot, gen uint32) Waker {
	return kindWaker<<56 | Waker(slot)<<32 | Waker(gen)
}

func makeHandle(slot, gen uint32) Handle {
	return kindTask<<56 | Handle(slot)<<32 | Handle(gen)
}

// WakeResult is what became of a wake.
type WakeResult int

const (
	Woken     WakeResult = 0  // the task will be polled
	Coalesced WakeResult = 1  // an earlier wake was not yet seen: one poll answers both
	Stale     WakeResult = 2  // the task has finished
	BadHandle WakeResult = -1 // no waker at all
)

// CancelResult is what became of a request to cancel.
type CancelResult int

const (
	CancelAsked    CancelResult = 0  // the task will end at its next turn
	CancelAlready  CancelResult = 1  // an earlier request was not yet seen
	CancelFinished CancelResult = 2  // the task has finished
	CancelBad      CancelResult = -1 // no task at all
)

// Wake makes the task ready, from any goroutine and at any time, also after task,
// executor and host are gone. It only schedules; it never polls. What the caller
// wrote before is seen by the poll that follows, also when the result is
// [Coalesced].
func (w Waker) Wake() WakeResult {
	if w>>56 != kindWaker {
		return BadHandle
	}
	r, _ := post(uint64(w), pendWake)
	return r
}

// Cancel asks the task to end, from any goroutine and at any time. The task's
// outcome tells whether that came before it returned by itself.
func (h Handle) Cancel() CancelResult { return h.ask(pendCancel) }

// Expire is [Handle.Cancel] as a deadline does it: the task's error is [ErrTimedOut].
func (h Handle) Expire() CancelResult { return h.ask(pendCancel | pendExpired) }

func (h Handle) ask(bits uint64) CancelResult {
	if h>>56 != kindTask {
		return CancelBad
	}
	r, old := post(uint64(h), bits)
	switch {
	case r == BadHandle:
		return CancelBad
	case r == Stale:
		return CancelFinished
	case old&pendCancel != 0:
		return CancelAlready
	}
	return CancelAsked
}

// CancelLocal is [Handle.Cancel] for the owner, and takes effect at once: a task
// that is to be polled later in this turn is dropped instead. Cancel would come
// too late for that, as it goes through the inbox.
func (l *Local) CancelLocal(h Handle) CancelResult {
	slot, gen := uint32(h>>32)&slotMask, uint32(h)
	c := lookup(slot)
	if h>>56 != kindTask || c == nil || gen == 0 {
		return CancelBad
	}
	if c.local.Load() != l { // another's, or a pool's
		return h.Cancel()
	}
	// The cell's generation is t's own. Reading it here fetches the cell, which the end
	// of the task writes, while the task itself is fetched.
	t := c.tasks[slot&chunkMask]
	if c.cells[slot&chunkMask].gen.Load() != gen || t == nil {
		return CancelFinished
	}
	if t.flags&flagCancel != 0 {
		return CancelAlready
	}
	l.noteCancel(t)
	l.wakeHost()
	return CancelAsked
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
	slot := uint32(w>>32) & slotMask
	c := lookup(slot)
	return w != 0 && c != nil && c.cells[slot&chunkMask].gen.Load() == uint32(w)
}

// post is the one way by which anything reaches a task from outside its owner. C
// does the same on the same cells. It also returns the bits that the same task
// had pending.
func post(id uint64, bits uint64) (r WakeResult, pending uint64) {
	r, pending = mark(id, bits)
	if r == Woken {
		// Read after the mark: from then on the slot can't be recycled, but the
		// chunk may have changed hands before.
		slot := uint32(id>>32) & slotMask
		lookup(slot).push(slot)
	}
	return r, pending
}

// mark is post without the push, which the caller owes if it is Woken.
func mark(id uint64, bits uint64) (r WakeResult, pending uint64) {
	slot, gen := uint32(id>>32)&slotMask, uint32(id)
	c := lookup(slot)
	if c == nil || gen == 0 {
		return BadHandle, 0
	}
	cell := &c.cells[slot&chunkMask]
	if cell.gen.Load() != gen {
		return Stale, 0
	}
	var old uint64
	for {
		old = cell.pend.Load()
		oldGen := uint32(old >> 32)
		// Between the check above and here the slot may have gone to a newer
		// task, whose request must not be overwritten.
		if old&pendQueued != 0 && int32(oldGen-gen) > 0 {
			return Stale, 0
		}
		pending = 0
		if oldGen == gen {
			pending = old & (1<<32 - 1)
		}
		// The swap is done even if it changes nothing: it is what orders the
		// caller's earlier writes before the poll.
		if cell.pend.CompareAndSwap(old, uint64(gen)<<32|pendQueued|bits|pending) {
			break
		}
	}
	if old&pendQueued != 0 {
		return Coalesced, pending
	}
	return Woken, pending
}

// push puts a cell that has pendQueued into the inbox of whoever owns it.
func (c *chunk) push(slot uint32) {
	l := c.local.Load()
	if l == nil {
		if p := c.pool.Load(); p != nil {
			p.push(c, slot)
			return
		}
		c.cells[slot&chunkMask].pend.Swap(0)
		return
	}
	l.inbox.push(slot)
	if !l.poke() && l.freed() {
		l.forward()
	}
}

// forward empties the inbox of a freed executor on the waker's side. Without it a
// cell that was pushed too late would stay queued, and its slot unusable for good.
func (l *Local) forward() {
	l.inbox.take(func(c *chunk, slot uint32) {
		if c.local.Load() == l {
			c.cells[slot&chunkMask].pend.Swap(0)
		} else {
			c.push(slot)
		}
	})
}

// poke tells the host, and says that it did: not if somebody else just does or the
// owner is awake.
func (l *Local) poke() bool {
	for {
		park := l.park.Load()
		if park&(parkAwake|parkFreed) != 0 {
			return false
		}
		if l.park.CompareAndSwap(park, park+parkAwake+parkPoker) {
			break
		}
	}
	_ = l.host.Wake()
	l.park.Add(^parkPoker + 1)
	return true
}
