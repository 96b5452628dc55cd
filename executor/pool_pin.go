// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"
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

// push gives a cell that has pendQueued to a pin.
func (at *pin) push(p *Pool, slot uint32) {
	at.inbox.push(slot)
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
	at.inbox.take(func(_ *chunk, slot uint32) { p.inbox.push(slot) })
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

// Extensible is what extensions are kept with: a [Local], or all goroutines that
// [Pool.Start] has started.
type Extensible interface {
	Extension(key any) Extension
	Extend(key any, e Extension)
}

// Bind keeps the task that is being polled to the threads that can continue what it
// begins in this poll, and gives the place for extensions that these share. That is
// the [Local], also for a task of a [Pool]; but on a goroutine of [Pool.Start] it is
// all of those goroutines. It is for packages that make coroutines.
func (cx *Context) Bind() Extensible {
	l := cx.local
	if !cx.pooled() {
		return l
	}
	at := l.worker.pin
	l.current.more().pin = at
	if at.group != nil {
		return at.group
	}
	return l
}

// goGroup is the goroutines that Start has started.
type goGroup struct {
	members   idleSet // not of who is idle, but of who belongs to it
	pin       pin
	goWorkers int // that haven't ended; under the pool's lock

	mu         sync.Mutex
	extensions []extension
}

// Extension implements [Extensible].
func (c *goGroup) Extension(key any) Extension {
	c.mu.Lock()
	defer c.mu.Unlock()
	return extensionOf(c.extensions, key)
}

// Extend implements [Extensible].
func (c *goGroup) Extend(key any, e Extension) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extensions = append(c.extensions, extension{key, e})
}

// enlist counts one more goroutine, of a new group if there is none.
func (p *Pool) enlist() *goGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		p.group = new(goGroup)
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
	c.mu.Lock()
	extensions := c.extensions
	c.mu.Unlock()
	for _, e := range extensions {
		e.value.Retire()
	}
	c.pin.gone.Store(true)
	c.pin.forward(p)
	p.poke(nil)
}
