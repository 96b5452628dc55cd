// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"
)

// home is where a task goes on that has begun something which only certain threads
// can continue: one worker, or any of the goroutines that Start has started. A task
// with a home is polled and dropped there, as long as the home exists.
type home struct {
	inbox  Inbox
	gone   atomic.Bool
	worker *worker // whose it is; nil for the crew's
	crew   *crew
}

// push gives a cell that has pendQueued to a home.
func (h *home) push(p *Pool, slot uint32) {
	h.inbox.push(slot)
	switch {
	case h.gone.Load():
		h.moveOut(p)
		p.poke(nil)
	case h.crew != nil:
		p.poke(&h.crew.members)
	default:
		h.worker.local.poke()
	}
}

// moveOut gives to the whole pool what came for a home that is gone.
func (h *home) moveOut(p *Pool) {
	h.inbox.take(func(_ *chunk, slot uint32) { p.inbox.push(slot) })
}

// home gives where a task has to go on, or nil. It is for who holds the task's cell.
func (t *task) home() *home {
	if t == nil || t.extra == nil {
		return nil
	}
	if h := t.extra.home; h != nil && !h.gone.Load() {
		return h
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
	h := l.worker.home
	l.current.more().home = h
	if h.crew != nil {
		return h.crew
	}
	return l
}

// crew is the goroutines that Start has started.
type crew struct {
	members idleSet // not of who is idle, but of who belongs to it
	home    home
	hands   int // that haven't ended; under the pool's lock

	mu         sync.Mutex
	extensions []extension
}

// Extension implements [Extensible].
func (c *crew) Extension(key any) Extension {
	c.mu.Lock()
	defer c.mu.Unlock()
	return extensionOf(c.extensions, key)
}

// Extend implements [Extensible].
func (c *crew) Extend(key any, e Extension) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extensions = append(c.extensions, extension{key, e})
}

// enlist counts one more hand, of a new crew if there is none.
func (p *Pool) enlist() *crew {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crew == nil {
		p.crew = new(crew)
		p.crew.home.crew = p.crew
	}
	p.crew.hands++
	return p.crew
}

// discharge counts one less. The last one ends what the crew has suspended.
func (p *Pool) discharge(c *crew) {
	p.mu.Lock()
	c.hands--
	last := c.hands == 0
	if last {
		p.crew = nil
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
	c.home.gone.Store(true)
	c.home.moveOut(p)
	p.poke(nil)
}
