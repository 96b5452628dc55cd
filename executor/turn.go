// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"time"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// turn is the state of one call of Poll.
type turn struct {
	left  int // of the snapshot
	used  int // polls and drops
	drops int
	max   int
	check int // check when used reaches it
	until int64
	spent bool // the budget is used up
}

// Budget bounds a turn; a zero in it is no bound, and a zero Budget is [Config.Budget].
// The drop of a cancelled task costs as much as a poll. The turn reads the clock every
// 64 polls, so that MaxTime bounds many tasks, not a single slow one.
type Budget struct {
	MaxPolls int
	MaxTime  time.Duration
}

// Progress is a turn's report to its host.
type Progress struct {
	Polled   int   // polls done
	More     bool  // poll again without waiting for a wake
	Deadline int64 // poll again when the clock shows this; Never if there is none; perhaps early after a drop
	Live     int   // tasks that haven't finished
}

// Poll runs one turn: it polls each task once that is ready at its start. A task that
// becomes ready meanwhile waits for the next turn. Only a [Pool]'s task may be polled in
// the same turn, if [Budget.MaxPolls] bounds it, up to 256 polls.
//
// # Errors
//
// [ErrReentrant] from inside a poll, [ErrClosed] after [Local.Free].
func (l *Local) Poll(b Budget) (Progress, error) {
	if l.polling {
		return Progress{}, ErrReentrant
	}
	switch park := l.park.Load(); {
	case park&parkFreed != 0:
		return Progress{Deadline: Never}, ErrClosed
	case park&parkAwake == 0:
		l.park.Or(parkAwake)
	}
	l.polling = true
	defer l.endTurn() // also when a future ends the goroutine by Goexit

	l.now = l.clock()
	if mode := l.closing.Load(); mode != l.closed {
		l.carryOut(mode)
	}
	if !l.inbox.Empty() {
		l.inbox.Take(l.take)
	}
	if l.worker != nil {
		l.worker.begin()
	}
	l.fire()
	if l.shuffle != nil {
		l.ready.shuffle(l.shuffle)
	}
	if b == (Budget{}) {
		b = l.budget
	}
	l.turn = turn{left: l.ready.len(), max: b.MaxPolls, check: 64, until: Never}
	if b.MaxPolls > 0 {
		l.turn.check = min(64, b.MaxPolls)
	}
	if b.MaxTime > 0 && int64(b.MaxTime) < Never-l.now {
		l.turn.until = l.now + int64(b.MaxTime)
	}
	if l.worker != nil {
		l.worker.turns()
	} else {
		l.bursts()
	}
	more, deadline := !l.rest(), l.timers.Deadline()
	if l.worker != nil {
		deadline = min(deadline, l.worker.pool.timers.next.Load())
	}
	l.told = deadline
	return Progress{l.turn.used - l.turn.drops, more, deadline, l.live}, nil
}

func (l *Local) endTurn() { l.polling = false }

func (l *Local) bursts() {
	for l.turn.left > 0 {
		l.burst()
	}
}

// burst polls the rest of the snapshot. A panic ends the burst, not the turn, so that a
// poll costs no deferred call of its own.
func (l *Local) burst() {
	defer l.contain()
	for l.turn.left > 0 {
		l.turn.left--
		t := l.ready.pop()
		if t == nil {
			continue
		}
		switch {
		case t.flags&(flagCancel|flagHooked|flagShortcut) == 0:
			t.flags = t.flags&^flagReady | flagStarted
			l.current = t
		case t.flags&(flagCancel|flagHooked) != 0:
			l.pollOrEnd(t)
			continue
		case l.resume(t):
			l.charge()
			continue
		}
		if t.run.poll(&l.cx) {
			l.current = nil
			l.finish(t, Returned)
		}
		l.charge()
	}
	l.current = nil
}

// charge charges a poll to the budget.
func (l *Local) charge() {
	l.turn.used++
	if l.turn.used == l.turn.check {
		l.check()
	}
}

// check ends the turn if its budget is used up, and sets the next check.
func (l *Local) check() {
	if l.turn.used == l.turn.max || l.turn.until != Never && l.clock() >= l.turn.until {
		l.turn.left, l.turn.spent = 0, true
	}
	l.turn.check += 64
	if l.turn.max > 0 {
		l.turn.check = min(l.turn.check, l.turn.max)
	}
}

// contain makes a panic the error of the task in whose poll it happened.
func (l *Local) contain() {
	t := l.current
	l.current = nil
	if t == nil || t.flags&flagEnding != 0 {
		return // from OnDone, the embedder's function: its panic goes on
	}
	t.leave()
	l.charge()
	if r := recover(); r != nil {
		t.run.fail(NewPanicError(r))
	} else {
		t.run.fail(ErrGoexit)
	}
	if t.pooled() {
		l.worker.pool.finish(t, t.ending(), l.worker)
	} else {
		l.finish(t, t.ending())
	}
}

// take gives a queued cell back to the wakers and does what they have asked for.
func (l *Local) take(slot uint32) {
	c := lookup(slot)
	i := slot & cell.Mask
	got := c.cells[i].Pend.Swap(0)
	t := c.tasks[i]
	if t == nil {
		if c.held[i] {
			c.held[i] = false
			l.free = append(l.free, slot)
		} else if c.watches != nil && c.watches[i] != nil && c.watches[i].gen == uint32(got>>32) {
			c.watches[i].posted(got)
		}
		return
	}
	if uint32(got>>32) != t.gen {
		return
	}
	switch {
	case got&cell.Expired != 0:
		l.cancelWith(t, ErrTimedOut)
	case got&cell.Cancel != 0:
		l.noteCancel(t)
	}
	if got&cell.Wake != 0 {
		l.makeReady(t)
	}
}
