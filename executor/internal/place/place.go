// SPDX-License-Identifier: Apache-2.0

// Package place has what packages on top of an executor keep for the threads that can
// continue what was begun there.
package place

import "sync"

// Extension is what one package keeps in a place. Retire gives up what is bound to the
// place's threads; the extension may be used again afterwards. Suspended counts that: a
// worker can't leave its pool while it isn't 0.
type Extension interface {
	Retire()
	Suspended() int
}

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

// Get gives the extension with a key that only one package has. The first call makes it.
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

// Retire retires all extensions. It is for the last one that uses the place.
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
