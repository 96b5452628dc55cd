// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// What wakers see of a pool's task is the cell. Everything else belongs to who
// holds the cell's Queued: from the push until the poll has ended and found
// nothing new. It is handed on with the slot, so none of it need be atomic. Only
// the joiner is met by anybody at any time.

// inPool stands for all pools in a task. The spawn writes it, and any goroutine may
// read it afterwards.
var inPool = new(Local)

func (t *task) pooled() bool { return t.local == inPool }

// spawn is for any goroutine.
func (p *Pool) spawn(t *task) error { return p.start(t, nil) }

// start makes t a task of the pool. w is the worker in whose turn it runs, or nil.
func (p *Pool) start(t *task, w *worker) error {
	// Counted first: a free closes the pool and then waits for this count.
	if n := p.live.Add(1); p.closing.Load() != open {
		p.live.Add(-1)
		return ErrClosed
	} else if p.max > 0 && n > int64(p.max) {
		p.live.Add(-1)
		return ErrAgain
	}
	slot, gen, err := p.takeSlot(w)
	if err != nil {
		p.live.Add(-1)
		return err
	}
	t.local = inPool
	t.slot, t.gen = slot, gen
	t.flags, t.shields, t.joiner = flagLive|flagReady|flagPooled, 0, 0
	if p.hooks != nil {
		t.hook(p.hooks)
	}
	lookup(slot).tasks[slot&cell.Mask] = t
	p.armDeadline(t)
	if w != nil {
		w.ring.Push(slot)
	} else {
		p.push(lookup(slot), slot)
	}
	if CloseMode(p.closing.Load()) == CloseCancel {
		post(uint64(makeHandle(slot, gen)), cell.Cancel) // Close may have overlooked it
	}
	return nil
}

// claim finds out for what a popped slot is due. It gives nil if it is due for nothing;
// then the caller doesn't hold the slot any more.
func (c *chunk) claim(slot uint32) *task {
	ce := &c.cells[slot&cell.Mask]
	t := c.tasks[slot&cell.Mask]
	if t == nil {
		ce.Pend.Store(0) // pushed by a late waker
		return nil
	}
	due := t.flags&flagReady != 0
	t.flags &^= flagReady
	mine := t.claimWord()
	for {
		if got := ce.Pend.Load(); got != mine {
			got = ce.Pend.Swap(mine)
			due = t.note(got) || due
		}
		if due {
			return t
		}
		if ce.Pend.CompareAndSwap(mine, 0) {
			return nil
		}
	}
}

// claimWord is the pend word of a task that has a holder and no new request.
func (t *task) claimWord() uint64 { return uint64(t.gen)<<32 | cell.Queued }

// note notes the requests for the task, and reports whether its turn is due.
func (t *task) note(pend uint64) (due bool) {
	if uint32(pend>>32) != t.gen {
		return false // it was for an earlier task of the slot
	}
	if pend&cell.Cancel != 0 && t.flags&flagCancel == 0 {
		if pend&cell.Expired != 0 {
			t.run.fail(ErrTimedOut)
			t.flags |= flagCaused
		}
		t.flags |= flagCancel
		due = true
		if t.shields == 0 {
			t.endContext()
		}
	}
	return due || pend&cell.Wake != 0
}

// step does the work for which a slot is due.
func (w *worker) step(slot uint32) {
	c := lookup(slot)
	if at := c.tasks[slot&cell.Mask].pin(); at != nil && at != w.pin {
		at.push(w.pool, slot) // it was stolen
		return
	}
	t := c.claim(slot)
	if t == nil {
		return
	}
	w.catchUp()
	l := w.local
	done, polled, outcome := true, true, CancelledBeforeStart
	switch {
	case t.flags&(flagCancel|flagHooked) == 0:
		t.flags |= flagStarted
		l.current = t
		done, outcome = t.run.poll(&w.cx), Returned
		l.current = nil
	case t.flags&(flagCancel|flagUnwinding|flagStarted) == flagCancel && t.shields == 0:
		t.settle()
		polled = false
	default:
		done, polled = l.pollOrUnwind(t, &w.cx)
		outcome = t.ending()
	}
	switch {
	case done:
		w.pool.finish(t, outcome, w)
	case t.flags&flagReady != 0 || !c.cells[slot&cell.Mask].Pend.CompareAndSwap(t.claimWord(), 0):
		w.push(c, slot)
	}
	if !polled {
		l.turn.drops++
	}
	l.charge()
}

// finish ends a task. w is the worker in whose turn it runs, or nil. Once the joiner is
// taken, its owner may use the storage again.
func (p *Pool) finish(t *task, o Outcome, w *worker) {
	t.clearDeadline()
	slot, gen := t.slot, t.gen
	chunk := lookup(slot)
	ce := &chunk.cells[slot&cell.Mask]
	ce.Gen.Store(gen + 1)
	chunk.tasks[slot&cell.Mask] = nil
	t.flags |= flagEnding
	t.enter()
	if w != nil {
		w.local.current = t
		t.run.drop()
		w.local.current = nil
	} else {
		t.run.drop()
	}
	hooked := t.flags & flagHooked
	t.flags = uint16(o) << outcomeShift
	var c carried
	var notify func()
	if x := t.extra; x != nil {
		c, x.carried = x.carried, carried{}
		c.end(t.run.Err())
		notify = t.run.notification()
	}
	if j := atomic.SwapUint64((*uint64)(&t.joiner), ended); j != 0 {
		w.wake(Waker(j))
	}
	ce.Pend.Store(0)
	if gen+1 != cell.LastGen {
		p.giveSlot(slot, w)
	}
	p.live.Add(-1)
	if hooked != 0 {
		c.leaveForGood(notify)
	} else if notify != nil {
		notify()
	}
}

// wake is for a worker in its turn, or for no worker.
func (w *worker) wake(waker Waker) {
	if w == nil {
		waker.Wake()
		return
	}
	w.local.wake(waker)
}

// postHere is post inside a turn, for a task that isn't the Local's own.
func (w *worker) postHere(id, bits uint64) Answer {
	r, _ := cell.Mark(id, bits)
	if r == cell.Woken {
		slot := uint32(id>>32) & cell.SlotMask
		if c := lookup(slot); c.pool.Load() == w.pool {
			w.push(c, slot)
		} else {
			c.push(slot)
		}
	}
	return Answer(r)
}

// wakeHere is postHere for a wake.
func (w *worker) wakeHere(waker Waker, c *chunk) Answer {
	slot, gen := uint32(waker>>32)&cell.SlotMask, uint32(waker)
	ce := &c.cells[slot&cell.Mask]
	if c.pool.Load() != w.pool || ce.Gen.Load() != gen ||
		!ce.Pend.CompareAndSwap(0, uint64(gen)<<32|cell.Queued) {
		return w.postHere(uint64(waker), cell.Wake)
	}
	// That makes us the cell's holder. So the wake needs no bit in pend, which would
	// cost an exchange to clear. But the task may have ended before.
	if t := c.tasks[slot&cell.Mask]; t != nil && t.gen == gen {
		t.flags |= flagReady
	}
	w.push(c, slot)
	return Accepted
}

func (p *Pool) spawner() *task { return nil }

func (w *worker) spawner() *task { return w.local.current }

// spawn is for a [Context].
func (w *worker) spawn(t *task) error {
	if !w.local.polling {
		return w.pool.start(t, nil)
	}
	return w.pool.start(t, w)
}
