// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// Carrier is for packages that share a [Local]'s cells with C, of which package carrier
// has the types, and for hosts on C's loops. Programs don't need it. All of it but
// Expire is for the owner.
type Carrier struct{ local *Local }

// Carrier gives the Local's carrier.
func (l *Local) Carrier() Carrier { return Carrier{l} }

// Deliver hands over a cell that C popped from an inbox and that is still queued. A
// Poll follows it. If the cell's chunk has changed hands meanwhile, the cell goes on to
// its new owner.
func (c Carrier) Deliver(slot uint32) {
	slot &= cell.SlotMask
	switch k := lookup(slot); {
	case k == nil:
	case k.local.Load() == c.local:
		c.local.take(slot)
	default:
		k.push(slot)
	}
}

// Rewatch tells a new host the awaited descriptors. The old host has let go of all.
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

// Retire ends all that is bound to this thread: the coroutines, and their tasks. A
// thread that exits calls it, and an executor that moves to another thread, outside of
// a poll.
func (c Carrier) Retire() { c.local.place.Retire() }

// Through is for a host whose turns are callbacks of C, since a coroutine can only be
// resumed at the depth at which it began. From now on all that may resume one outside of
// turns goes through enter, which calls f once or returns an error. It is
// [ErrWrongLocal] if the Local's host is another one.
func (c Carrier) Through(host Host, enter func(f func()) error) error {
	if c.local.host != host {
		return ErrWrongLocal
	}
	c.local.enter = enter
	return nil
}

// WithToken is an [Option]: the task has this token of its executor's [ContextHooks]
// instead of one that they capture, and owns it once it is spawned. With nil it carries
// nothing.
func (Carrier) WithToken(token any) Option {
	return option(func(t *task) {
		c := &t.more().carried
		c.token, c.chosen = token, true
	})
}

// Expire is [Handle.Cancel] by a deadline: the task's error is [ErrTimedOut]. Any
// goroutine may call it, and the zero Carrier will do.
func (Carrier) Expire(h Handle) Answer { return h.ask(cell.Cancel | cell.Expired) }
