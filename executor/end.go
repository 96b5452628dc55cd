// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/internal/cell"

// cancelWith asks t to end at its next turn, with cause as its error instead of
// [ErrCancelled]. It is for the owner, inside a turn or outside. The first request
// counts, and a request to a finished task does nothing. A shielded task notes the
// request, gets one poll, and ends after its shield.
func (l *Local) cancelWith(t *task, cause error) {
	if t.flags&(flagLive|flagCancel|flagEnding) != flagLive {
		return
	}
	t.run.fail(cause)
	t.flags |= flagCaused
	l.noteCancel(t)
	l.wakeHost()
}

// noteCancel makes the next turn of a live task its last. If the task is shielded, that
// turn polls it, so that it can see the request.
func (l *Local) noteCancel(t *task) {
	if t.flags&(flagCancel|flagEnding) != 0 {
		return
	}
	t.flags |= flagCancel
	l.makeReady(t)
	if t.shields == 0 {
		t.endContext()
	}
}

// Evict ends a task now, shielded or not: it drops the task's future before it returns.
// It is for storage that must go, and for the owner, in or outside of a poll.
//
// # Errors
//
// [ErrReentrant] if the task is in its poll or drop, [ErrWrongLocal] if it belongs to
// another executor, [ErrClosed] if it has finished.
func (l *Local) Evict(h Handle) error {
	slot := uint32(h>>32) & cell.SlotMask
	c := lookup(slot)
	if h>>56 != kindTask || c == nil || c.local.Load() != l {
		return ErrWrongLocal
	}
	t := c.tasks[slot&cell.Mask]
	if t == nil || t.gen != uint32(h) {
		return ErrClosed
	}
	if !l.evict(t) {
		return ErrReentrant
	}
	return nil
}

// evict cancels a task at once, unless it is in its poll.
func (l *Local) evict(t *task) bool {
	if t == l.current || t.flags&(flagHeld|flagEnding) != 0 {
		return false
	}
	switch {
	case l.polling:
		l.cancel(t)
	case l.enter != nil:
		return l.enter(func() { l.evictNow(t) }) == nil
	default:
		l.evictNow(t)
	}
	return true
}

func (l *Local) evictNow(t *task) {
	l.polling = true // its OnDone must not poll
	defer l.endEvict()
	l.cancel(t)
}

func (l *Local) endEvict() {
	l.endTurn()
	if l.ready.len() > 0 || l.worker != nil && l.worker.waiting() > 0 {
		l.wakeHost() // a joiner may be ready, and Drop may have woken others
	}
}

// pollOrEnd is the turn of a task that was asked to end, or that carries a token of
// hooks.
func (l *Local) pollOrEnd(t *task) {
	t.flags &^= flagReady
	done, polled := false, false
	if t.flags&(flagCancel|flagUnwinding|flagStarted) == flagCancel && t.shields == 0 {
		l.current = nil
		l.cancel(t)
	} else if done, polled = l.pollOrUnwind(t, &l.cx); done {
		l.finish(t, t.ending())
	}
	if !polled {
		l.turn.drops++
	}
	l.charge()
}

// pollOrUnwind polls a task, or begins its end.
func (l *Local) pollOrUnwind(t *task, cx *Context) (done, polled bool) {
	ends := t.flags&(flagCancel|flagUnwinding) == flagCancel && t.shields == 0
	l.current = t
	t.enter()
	if ends {
		t.settle()
		t.flags |= flagUnwinding
		done = t.run.unwind(cx)
	} else {
		t.flags |= flagStarted
		cause := t.run.Err()
		done = t.run.poll(cx)
		if done && t.flags&flagUnwinding != 0 {
			t.run.unwound(cause)
		}
	}
	t.leave()
	l.current = nil
	return done, !ends
}

// ending is the outcome of a task whose future has just ended.
func (t *task) ending() Outcome {
	if t.flags&flagUnwinding != 0 {
		return CancelledRunning
	}
	return Returned
}

// settle sets the error of a cancelled task.
func (t *task) settle() {
	if t.flags&flagCaused == 0 {
		t.run.fail(ErrCancelled)
		t.flags |= flagCancel | flagCaused
	}
}

// cancel ends a task now, shielded or not.
func (l *Local) cancel(t *task) {
	t.settle()
	l.finish(t, t.cut())
}

// cut is the outcome of a task that gets no more turns.
func (t *task) cut() Outcome {
	if t.flags&flagStarted != 0 {
		return CancelledRunning
	}
	return CancelledBeforeStart
}

// finish ends a task. The slot goes first, so that a wake from Drop or OnDone is stale
// already. OnDone comes last, since it may spawn into the same storage. A task may
// finish inside another task's poll, so finish restores current.
func (l *Local) finish(t *task, o Outcome) {
	if t.flags&flagReady != 0 {
		l.ready.remove(t)
	}
	t.clearDeadline()
	l.giveSlot(t)
	l.live--
	t.flags |= flagEnding
	t.enter()
	if outer := l.current; outer != nil {
		held := outer.flags & flagHeld
		outer.flags |= flagHeld
		l.current = t
		t.run.drop()
		l.current = outer
		outer.flags = outer.flags&^flagHeld | held
	} else {
		l.current = t
		t.run.drop()
		l.current = nil
	}
	hooked := t.flags & flagHooked
	joiner := t.joiner
	t.flags, t.joiner = uint16(o)<<outcomeShift, ended
	if x := t.extra; x != nil && x.member.scope != nil {
		x.member.scope.ended(t)
	}
	if joiner != 0 {
		l.wake(joiner)
	}
	if x := t.extra; x != nil {
		c := x.carried
		x.carried = carried{}
		c.end(t.run.Err())
		if hooked != 0 {
			c.leaveForGood(t.run.notification())
		} else if x.onDone != nil {
			t.run.notify()
		}
	}
}

// Err gives the error with which the task in its poll will end: [ErrCancelled] or
// [ErrTimedOut] if it was asked to end, else nil. It may see the request before the
// executor does, so that a long poll or a shielded section can cut itself short.
func (cx *Context) Err() error {
	t := cx.local.current
	if t == nil {
		return nil
	}
	if t.flags&flagCancel == 0 {
		pend := lookup(t.slot).cells[t.slot&cell.Mask].Pend.Load()
		if uint32(pend>>32) != t.gen || pend&cell.Cancel == 0 {
			return nil
		}
	}
	if t.flags&flagCaused != 0 {
		return t.run.Err()
	}
	return ErrCancelled
}

// Shield begins or ends a section in which the task in its poll can't be cancelled. The
// executor notes a cancel, goes on polling (with one more poll, which may look at
// [Context.Err]), and ends the task at its next turn after the section. Sections
// nest, so each Shield(true) needs a Shield(false); was reports whether the task was
// shielded before. A section may span many polls.
//
// # Notes
//
// [Local.Free], and code that drops the future, don't wait for a section. Coroutines
// use coro.Shield, which also works once their cancel has begun.
func (cx *Context) Shield(on bool) (was bool) {
	t := cx.local.current
	if t == nil {
		return false
	}
	was = t.shields > 0
	switch {
	case on:
		t.shields++
	case was:
		t.shields--
		if t.shields == 0 && t.flags&(flagCancel|flagUnwinding|flagEnding) == flagCancel {
			cx.WakeSelf()
			t.endContext()
		}
	}
	return was
}
