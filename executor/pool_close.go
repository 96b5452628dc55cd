// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/internal/cell"

// Close is the first phase of the end, like [Local.Close]: the pool takes no more
// tasks, and the workers drain or cancel its tasks. Any goroutine may call it.
func (p *Pool) Close(mode CloseMode) {
	p.asking.Add(1)
	defer p.asking.Add(-1)
	if p.closing.ask(mode) && mode == CloseCancel {
		p.cancelAll()
	}
}

// cancelAll asks every slot's task to end. On a slot without a task that does nothing.
func (p *Pool) cancelAll() {
	p.mu.Lock()
	chunks, fresh := p.store.chunks, p.store.fresh
	p.mu.Unlock()
	for _, c := range chunks {
		for i := range c.cells {
			slot := c.base + uint32(i)
			if slot == fresh {
				break
			}
			if gen := c.cells[i].Gen.Load(); gen != 0 {
				post(uint64(makeHandle(slot, gen)), cell.Cancel)
			}
		}
	}
}

// Free is the second phase: it cancels the live tasks and gives the cells back. Wakers
// stay valid and are stale. The pool must have no workers, so the calling goroutine
// drops the futures. A second call does nothing.
//
// # Errors
//
// [ErrBusy] while Locals are joined.
func (p *Pool) Free() error {
	p.mu.Lock()
	workers, freed := p.workers, p.freed
	p.freed = workers == 0
	p.mu.Unlock()
	if workers > 0 {
		return ErrBusy
	}
	if freed {
		return nil
	}
	// No Local can join any more, so only this goroutine pops.
	p.closing.Store(uint32(CloseCancel))
	p.cancelAll()
	for round := 0; p.live.Load() > 0 || p.asking.Load() > 0; round++ {
		p.inbox.Take(p.reap)
		letRun(round) // for goroutines inside a spawn or a Close
	}
	p.gone.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.store.chunks {
		c.pool.Store(nil)
	}
	p.forward()
	for _, c := range p.store.chunks {
		p.arena.Return(c.base)
	}
	p.store = slotStore{}
	return nil
}

// reap ends the task of a popped slot, shielded or not.
func (p *Pool) reap(slot uint32) {
	c := lookup(slot)
	ce := &c.cells[slot&cell.Mask]
	t := c.tasks[slot&cell.Mask]
	if t == nil {
		ce.Pend.Store(0)
		return
	}
	t.note(ce.Pend.Swap(t.claimWord()))
	t.settle()
	p.finish(t, t.cut(), nil)
}
