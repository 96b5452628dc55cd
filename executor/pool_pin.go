// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// pin holds a task to the threads that alone can continue its coroutine: one worker, or
// any of the goroutines that Start has started. As long as the pin exists, only these
// poll and drop the task.
type pin struct {
	inbox  cell.Inbox
	gone   atomic.Bool
	worker *worker // its worker; nil for the group's pin
	group  *goGroup
}

// push gives a cell that has Queued to a pin.
func (at *pin) push(p *Pool, slot uint32) {
	at.inbox.Push(slot)
	switch {
	case at.gone.Load():
		at.forward(p)
		p.poke(nil)
	case at.group != nil:
		p.poke(&at.group.members)
	default:
		at.worker.local.poke()
	}
}

// forward gives the cells of a pin that is gone to the whole pool.
func (at *pin) forward(p *Pool) { at.inbox.Take(p.inbox.Push) }

// pin gives the task's pin, or nil. It is for the holder of the task's cell.
func (t *task) pin() *pin {
	if t == nil || t.extra == nil {
		return nil
	}
	if at := t.extra.pin; at != nil && !at.gone.Load() {
		return at
	}
	return nil
}

// goGroup has the goroutines that Start has started.
type goGroup struct {
	members   steal.Set // not the idle workers, but all of the group
	pin       pin
	goWorkers int // goroutines that haven't ended; under the pool's lock

	place place.Place // of their coroutines
}

// enlist counts one more goroutine, and makes the group if there is none.
func (p *Pool) enlist() *goGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		p.group = &goGroup{place: place.Place{Shared: true}}
		p.group.pin.group = p.group
	}
	p.group.goWorkers++
	return p.group
}

// discharge counts one less. The last goroutine ends the group's suspended coroutines.
func (p *Pool) discharge(c *goGroup) {
	p.mu.Lock()
	c.goWorkers--
	last := c.goWorkers == 0
	if last {
		p.group = nil
	}
	p.mu.Unlock()
	if !last {
		return
	}
	c.place.Retire()
	c.pin.gone.Store(true)
	c.pin.forward(p)
	p.poke(nil)
}
