// SPDX-License-Identifier: Apache-2.0

// Package place keeps, for packages on top of an executor, what belongs to the threads
// that can continue each other's work.
package place

import (
	"context"
	"sync"
)

// Extension is one package's part of a place. Retire ends the work that is bound to the
// place's threads; the extension can be used again afterwards. Suspended counts that
// work: a worker can't leave its pool while it isn't 0.
type Extension interface {
	Retire()
	Suspended() int
}

// Shortcut lets turns resume a coroutine without polling its future. Close ends it when
// the body has ended, before the drop of the future.
type Shortcut interface{ Close() }

// Local is an executor.Local, for its owner.
type Local interface {
	// Place keeps the coroutines of the Local's own tasks.
	Place() *Place

	// Bind keeps the task in its poll to the threads that can go on with a coroutine
	// that this poll begins. It gives the place that these threads share: the Local's,
	// also for a pool's task, but on a goroutine that a pool has started the place of
	// all those goroutines.
	Bind() *Place

	// Base gives the values and the deadline of the context of the task in its poll,
	// without its end, which costs less. It is nil if the task has neither.
	Base() context.Context

	// Shortcut makes the next turns of the task in its poll call resume, if f is that
	// task's own future. When resume answers that the body isn't suspended any more,
	// the turn polls f. A pool's task and one with context hooks have no shortcut. The
	// storage is that of again, an earlier shortcut that was closed, unless again is
	// nil.
	Shortcut(again Shortcut, f any, resume func() (suspended, ok bool)) Shortcut
}

// Of gives the Local of an *executor.Local. Package executor sets it.
var Of func(local any) Local

// Place belongs to the owner of an executor, or to all goroutines that a pool has
// started.
type Place struct {
	Shared bool // by goroutines; set before the first use

	mu  sync.Mutex
	all []entry
}

type entry struct {
	key   any
	value Extension
}

// Get gives the extension with a key that only one package has. The first call makes
// it.
func (p *Place) Get(key any, new func(p *Place) Extension) Extension {
	if p.Shared {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	for i := range p.all {
		if p.all[i].key == key {
			return p.all[i].value
		}
	}
	e := new(p)
	p.all = append(p.all, entry{key, e})
	return e
}

// Retire retires all extensions. The last user of the place calls it.
func (p *Place) Retire() {
	for _, e := range p.all {
		e.value.Retire()
	}
}

// Suspended is the sum of all extensions.
func (p *Place) Suspended() (n int) {
	for _, e := range p.all {
		n += e.value.Suspended()
	}
	return n
}
