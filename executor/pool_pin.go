// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// pin is where a task goes on that has begun something which only certain threads
// can continue: one worker, or any of the goroutines that Start has started. A task
// with a pin is polled and dropped there, as long as the pin exists.
type pin struct {
	inbox  Inbox
	gone   atomic.Bool
	worker *worker // whose it is; nil for the group's
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

// forward gives to the whole pool what came for a pin that is gone.
func (at *pin) forward(p *Pool) {
	at.inbox.Take(p.inbox.Push)
}

// pin gives where a task has to go on, or nil. It is for who holds the task's cell.
func (t *task) pin() *pin {
	if t == nil || t.extra == nil {
		return nil
	}
	if at := t.extra.pin; at != nil && !at.gone.Load() {
		return at
	}
	return nil
}

// goGroup is the goroutines that Start has started.
type goGroup struct {
	members   steal.Set // not of who is idle, but of who belongs to it
	pin       pin
	goWorkers int // that haven't ended; under the pool's lock

	place place.Place // of their coroutines
}

// enlist counts one more goroutine, of a new group if there is none.
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

// discharge counts one less. The last one ends what the group has suspended.
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
