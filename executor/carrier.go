// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Carrier is for packages beneath and on top of this one: they share a [Local]'s cells
// with C (package carrier has these), make coroutines, or hand work to goroutines.
// Programs don't need it. All of it but Expire is for the owner.
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

// Place keeps the coroutines of the Local's own tasks.
func (c Carrier) Place() *place.Place { return &c.local.place }

// Bind keeps the task in its poll to the threads that can go on with a coroutine that
// this poll begins. It gives the place that these threads share: the Local's, also for
// a task of a [Pool], but on a goroutine of [Pool.Start] the place of all those
// goroutines.
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

// Base gives the values and the deadline of the [Context.Context] of the task in its
// poll, without its end, which costs less. It is nil if the task has neither.
func (c Carrier) Base() context.Context { return c.local.cx.base() }

// WithToken is an [Option]: the task has this token of its executor's [ContextHooks]
// instead of one that they capture, and owns it once it is spawned. With nil it carries
// nothing.
func (Carrier) WithToken(token any) Option { return withToken{token} }

type withToken struct{ token any }

func (o withToken) apply(t *task) {
	c := &t.more().carried
	c.token, c.chosen = o.token, true
}

// Expire is [Handle.Cancel] by a deadline: the task's error is [ErrTimedOut]. Any
// goroutine may call it, and the zero Carrier will do.
func (Carrier) Expire(h Handle) Answer { return h.ask(cell.Cancel | cell.Expired) }

// Shortcut makes the next turns of the task in its poll call resume, if f is that task's
// own future. When resume answers that the body isn't suspended any more, the turn polls
// f. Tasks of a [Pool] and tasks with [ContextHooks] have no shortcut. The storage is
// that of again, an earlier shortcut that was closed, unless again is nil.
func (c Carrier) Shortcut(again place.Shortcut, f any, resume func() (suspended, ok bool)) place.Shortcut {
	t := c.local.current
	if t == nil || t.flags&(flagPooled|flagHooked) != 0 || !t.run.owns(f) {
		return again
	}
	s, ok := again.(*shortcut)
	if !ok {
		s = new(shortcut)
	}
	*s = shortcut{resume, t.run, t}
	t.run = s
	t.flags |= flagShortcut
	return s
}
