// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/queue"
	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// batchSize is the number of slots that a worker takes from its ring at once. A thief
// can't steal them while the worker polls the others, so the number is small.
const batchSize = 8

// pollOn is the number of polls up to which a turn also polls tasks that weren't due at
// its start, or tasks that wake each other would make one hop a turn. Each turn costs
// a look at the clock and all queues, and a lent loop's turn more.
const pollOn = 256

// worker is a Local's part in a pool. All but ring belongs to the Local's owner.
type worker struct {
	ring  steal.Ring
	bound queue.Queue[uint32] // slots whose pin is this worker: thieves can't steal them
	pool  *Pool
	local *Local
	cx    Context // of the pool's tasks
	pin   *pin
	index int // in pool.members

	batch      [batchSize]uint32 // taken from the ring
	at, end    int               // the rest of the batch
	boundFirst bool              // in the next batch
	registered bool              // in the idle set since the last turn
	poolFirst  bool              // in the next turn
	free       []uint32          // slots for new tasks
	due        []Waker           // of timers
	random     uint64
}

// begin takes in the work for the turn that starts.
func (w *worker) begin() {
	w.deregister()
	push := func(slot uint32) { w.push(lookup(slot), slot) }
	if !w.pin.inbox.Empty() {
		w.pin.inbox.Take(push)
	}
	if !w.pool.inbox.Empty() {
		w.pool.inbox.Take(push)
	}
	w.fire()
	if w.waiting() == 0 {
		w.steal()
	}
}

// deregister reports whether the worker was poked since it has parked.
func (w *worker) deregister() (poked bool) {
	if w.registered {
		w.registered = false
		poked = !w.pool.idle.Remove(w.index)
	}
	return poked
}

// steal takes half of another worker's ring.
func (w *worker) steal() {
	span := uint64(w.pool.span.Load())
	w.random ^= w.random << 13
	w.random ^= w.random >> 7
	w.random ^= w.random << 17
	start := w.random % span
	for i := range span {
		v := w.pool.members[(start+i)%span].Load()
		if v == nil || v == w {
			continue
		}
		if v.ring.Steal(&w.ring) > 0 {
			return
		}
	}
}

// turns polls the Local's tasks and the pool's. If the budget doesn't reach for both,
// they alternate in going first.
func (w *worker) turns() {
	l := w.local
	defer w.endTurn()
	own := l.turn.left
	bound := pollOn
	if w.pin.group == nil { // a lent loop says how much, and has tasks of its own
		bound = min(bound, l.turn.max-own)
	}
	pooled := max(w.waiting(), bound)
	if !w.poolFirst {
		l.bursts()
	}
	if !l.turn.spent {
		l.turn.left = pooled
		for l.turn.left > 0 {
			w.burst()
		}
	}
	if !w.poolFirst {
		w.poolFirst = l.turn.spent
		return
	}
	w.poolFirst = false
	if !l.turn.spent {
		l.turn.left = own
		l.bursts()
	}
}

// burst is [Local.burst] for the pool's tasks.
func (w *worker) burst() {
	l := w.local
	defer l.contain()
	for l.turn.left > 0 {
		if w.at == w.end && !w.refill() {
			l.turn.left = 0 // all polled, or stolen meanwhile
			break
		}
		l.turn.left--
		w.at++
		w.step(w.batch[w.at-1])
	}
	l.current = nil
}

// refill takes the next slots from the ring, no more than the worker polls before it
// looks at the budget.
func (w *worker) refill() bool {
	t := &w.local.turn
	into := w.batch[:min(batchSize, t.left, t.check-t.used)]
	n := 0
	if w.bound.Len() == 0 {
		n = w.ring.Pop(into)
	} else {
		if w.boundFirst {
			n = w.bound.Pop(into)
		}
		n += w.ring.Pop(into[n:])
		n += w.bound.Pop(into[n:])
		w.boundFirst = !w.boundFirst
	}
	w.at, w.end = 0, n
	w.share()
	return n > 0
}

// share shows the other workers the slots in the ring. An idle worker may take some,
// also at the end of a turn, since this worker's loop may be busy with other work. A
// goroutine of Start has no other work, and keeps the last slot for itself.
func (w *worker) share() {
	n := w.ring.Len()
	if n > 0 {
		w.ring.Publish()
	}
	if n > 1 || n == 1 && w.pin.group == nil {
		w.pool.poke(nil)
	}
}

// push puts a due slot at the back.
func (w *worker) push(c *chunk, slot uint32) {
	switch at := c.tasks[slot&cell.Mask].pin(); {
	case at != nil && at != w.pin:
		at.push(w.pool, slot)
	case at != nil && at.group == nil:
		w.bound.Push(slot)
	case w.pin.group != nil && w.at == w.end && w.local.current != nil && w.ring.Len() == 0:
		// The task in its poll wakes another, and no other slot waits before that: it
		// is the next batch.
		w.batch[0] = slot
		w.at, w.end = 0, 1
	default:
		w.ring.Push(slot)
	}
}

// waiting counts the due slots.
func (w *worker) waiting() int { return w.ring.Len() + w.bound.Len() }

// endTurn puts back the rest of the batch, and shares it. Goexit or a panic in OnDone
// may have broken the turn off.
func (w *worker) endTurn() {
	for ; w.at < w.end; w.at++ {
		slot := w.batch[w.at]
		w.push(lookup(slot), slot)
	}
	w.share()
}

// register puts this worker into the idle set, and reports whether it may sleep.
func (w *worker) register() bool {
	p := w.pool
	w.registered = true
	p.idle.Add(w.index)
	if !p.inbox.Empty() || !w.pin.inbox.Empty() {
		return false
	}
	for i := range p.span.Load() {
		if v := p.members[i].Load(); v != nil && v != w && v.ring.Stealable() {
			return false
		}
	}
	return true
}
