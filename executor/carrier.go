// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"

	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Carrier is what packages beneath and on top of this one have of a [Local]: those that
// share its cells with C, make coroutines, or hand work to goroutines. Programs have no
// use for it. All of it is for the owner.
type Carrier struct{ local *Local }

// Carrier gives what carriers use.
func (l *Local) Carrier() Carrier { return Carrier{l} }

// Deliver hands over a cell that was popped from an inbox in C and is still queued, and
// is followed by a Poll. A cell whose chunk has changed hands meanwhile goes on to its
// new owner.
func (c Carrier) Deliver(slot uint32) {
	slot &= slotMask
	switch k := lookup(slot); {
	case k == nil:
	case k.local.Load() == c.local:
		c.local.take(k, slot)
	default:
		k.push(slot)
	}
}

// Rewatch tells a new host which descriptors are awaited. The old host has let go of
// everything.
func (c Carrier) Rewatch() {
	l := c.local
	for _, w := range l.watched {
		w.told, w.known = 0, false
		if want := w.wanted(); want != 0 && w.tell(want) != nil && w.open {
			w.wakeAll()
		}
	}
	l.wakeHost()
}

// Retire gives up what is bound to this thread: coroutines end here, and their tasks
// with them. It is for a thread that exits and for an executor that is to move to
// another thread, outside of a poll.
func (c Carrier) Retire() { c.local.place.Retire() }

// Place is where coroutines of the Local's own tasks are kept.
func (c Carrier) Place() *place.Place { return &c.local.place }

// Bind keeps the task that is being polled to the threads that can continue what it
// begins in this poll, and gives the place that these share: the Local's, also for a
// task of a [Pool]; but on a goroutine of [Pool.Start] that of all those goroutines.
func (c Carrier) Bind() *place.Place {
	l := c.local
	if t := l.current; t != nil && t.pooled() {
		at := l.worker.pin
		t.more().pin = at
		if at.group != nil {
			return &at.group.place
		}
	}
	return &l.place
}

// Base gives the values and the deadline of the [Context.Context] of the task that is
// being polled, without its end, which costs less. It is nil if the task has neither.
func (c Carrier) Base() context.Context { return c.local.cx.base() }
