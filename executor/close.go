// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"sync/atomic"
	"time"
)

// CloseMode says how the live tasks of a closing executor end.
type CloseMode uint32

const (
	open        uint32    = 0
	CloseDrain  CloseMode = 1 // they run to their end
	CloseCancel CloseMode = 2 // the executor asks each to end
)

// Close is the first phase of the end: the executor takes no more tasks, and its tasks
// drain or are cancelled. The host goes on polling until none is live. Any goroutine
// may call it, and [CloseCancel] may follow [CloseDrain].
func (l *Local) Close(mode CloseMode) {
	if l.closing.ask(mode) {
		l.poke()
	}
}

// closing is the latest mode of Close, as a number.
type closing struct{ atomic.Uint32 }

// ask reports whether the mode goes beyond the one of earlier calls.
func (c *closing) ask(mode CloseMode) bool {
	for {
		old := c.Load()
		if old >= uint32(mode) {
			return false
		}
		if c.CompareAndSwap(old, uint32(mode)) {
			return true
		}
	}
}

// carryOut does, on the owner, the close that Close asked for. In line it would make
// each turn larger.
//
//go:noinline
func (l *Local) carryOut(mode uint32) {
	l.closed = mode
	if mode == uint32(CloseCancel) {
		l.each(l.noteCancel)
	}
}

// each calls do for each live task, also if do ends others.
func (l *Local) each(do func(t *task)) {
	for _, c := range l.chunks {
		for i := range c.tasks { // not over a copy
			if t := c.tasks[i]; t != nil {
				do(t)
			}
		}
	}
}

// Free is the second phase: it cancels the live tasks, retires the coroutines, waits
// for a waker that is inside [Host.Wake], and gives the cells back. Wakers stay valid
// and are stale. The host may go afterwards. Only the owner calls it; a second call
// does nothing.
//
// # Errors
//
// [ErrReentrant] from inside a poll. On a host of C's loops also those of
// foreign.Host.Close.
func (l *Local) Free() error {
	if l.polling {
		return ErrReentrant
	}
	if l.freed() {
		return nil
	}
	return l.outside(l.reclaim)
}

// outside calls f, which may resume coroutines, outside of a turn.
func (l *Local) outside(f func()) error {
	if l.enter != nil {
		return l.enter(f)
	}
	f()
	return nil
}

func (l *Local) reclaim() {
	l.closing.Store(uint32(CloseCancel))
	l.polling = true
	defer l.endTurn()
	l.each(l.cancel)
	l.place.Retire()
	l.closeWatches()
	if l.worker != nil {
		l.worker.leave()
	}
	for round := 0; ; round++ {
		if park := l.park.Load(); park < parkPoker && l.park.CompareAndSwap(park, parkFreed) {
			break
		}
		letRun(round)
	}
	if !l.inbox.Empty() {
		l.inbox.Take(l.take)
	}
	for _, c := range l.chunks {
		c.local.Store(nil)
		l.arena.Return(c.base)
	}
	l.timers.Reset()
	l.slotStore, l.ready = slotStore{}, ring{}
}

// letRun is for a loop that waits until another goroutine has done its next
// instructions. The thread of that goroutine may have a lower priority, and get no turn
// from a yield.
func letRun(round int) {
	if round < 16 {
		runtime.Gosched()
	} else {
		time.Sleep(50 * time.Microsecond)
	}
}

// Release gives the executor up: the goroutine or thread that polls it next owns it.
// Its tasks, timers and wakers stay as they are. Idle coroutines end, and the next
// owner makes new ones as needed. The owners must not overlap: tell the next one after
// Release, over a channel for instance.
//
//	if err := l.Release(); err == nil {
//		moved <- l
//	}
//
// # Notes
//
// An executor doesn't know its goroutine, since Go has no name for one. A second owner
// that polls while the first is in a turn mostly gets [ErrReentrant], since that costs
// nothing. The race detector finds all of them.
//
// # Errors
//
// [ErrBusy] while coroutines are suspended in their bodies, which can only go on
// where they began: Release has changed nothing then. [ErrReentrant] from inside a
// turn, [ErrClosed] after Free.
func (l *Local) Release() error {
	switch {
	case l.polling:
		return ErrReentrant
	case l.freed():
		return ErrClosed
	case l.place.Suspended() > 0:
		return ErrBusy
	}
	return l.outside(l.place.Retire)
}
