// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"time"
)

// CloseMode says what becomes of the tasks that are live when an executor closes.
type CloseMode uint32

const (
	open        uint32    = 0
	CloseDrain  CloseMode = 1 // they run to their end
	CloseCancel CloseMode = 2 // each is asked to end
)

// Close is the first phase of the end: no more tasks are taken, and those there
// are drain or are cancelled. The host goes on polling until none is live. Any
// goroutine may call it, and [CloseCancel] may follow [CloseDrain].
func (l *Local) Close(mode CloseMode) {
	for {
		old := l.closing.Load()
		if old >= uint32(mode) {
			return
		}
		if l.closing.CompareAndSwap(old, uint32(mode)) {
			break
		}
	}
	l.poke()
}

// carryOut does on the owner what Close asked for.
func (l *Local) carryOut(mode uint32) {
	l.closed = mode
	if mode != uint32(CloseCancel) {
		return
	}
	for _, c := range l.chunks {
		for i := range c.tasks { // not over a copy: one that ends may end others
			if t := c.tasks[i]; t != nil {
				l.noteCancel(t)
			}
		}
	}
}

// Free is the second phase: it cancels what is still live, retires the
// coroutines, waits for a waker that is inside [Host.Wake], and gives the cells
// back. Wakers stay valid and are stale. The host may go afterwards. It belongs to
// the owner; a second call does nothing.
//
// # Errors
//
// [ErrReentrant] from inside a poll.
func (l *Local) Free() error {
	if l.polling {
		return ErrReentrant
	}
	if l.freed() {
		return nil
	}
	l.closing.Store(uint32(CloseCancel))
	l.polling = true
	defer l.endTurn()
	for _, c := range l.chunks {
		for i := range c.tasks { // not over a copy: one that ends may end others
			if t := c.tasks[i]; t != nil {
				l.cancel(t)
			}
		}
	}
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
	if !l.inbox.empty() {
		l.inbox.take(l.take)
	}
	for _, c := range l.chunks {
		c.local.Store(nil)
		l.arena.Return(c.base)
	}
	l.timers.reset()
	l.chunks, l.free, l.ready = nil, nil, ring{}
	l.fresh, l.freshEnd = 0, 0
	return nil
}

// letRun is for a loop that waits until another goroutine has done its next
// instructions. That one's thread may have a lower priority, and get no turn from
// yielding.
func letRun(round int) {
	if round < 16 {
		runtime.Gosched()
	} else {
		time.Sleep(50 * time.Microsecond)
	}
}

// Release gives the executor up for another goroutine or thread to own: the one that
// polls it next. Its tasks, timers and wakers stay as they are; coroutines that wait
// for a body end, and new ones are made where they are needed. The owners must not
// overlap, so that the next one has to be told after Release, over a channel for
// instance.
//
//	if err := l.Release(); err == nil {
//		moved <- l
//	}
//
// # Notes
//
// An executor doesn't know its goroutine, as Go has no name for one. A second owner
// that polls while the first is in a turn gets [ErrReentrant] as a rule, since that
// costs nothing; it is the race detector that finds all of them.
//
// # Errors
//
// [ErrSuspended] while coroutines are suspended in their bodies, which can only go on
// where they began: nothing was changed then. [ErrReentrant] from inside a turn,
// [ErrClosed] after Free.
func (l *Local) Release() error {
	switch {
	case l.polling:
		return ErrReentrant
	case l.freed():
		return ErrClosed
	case l.place.Suspended() > 0:
		return ErrSuspended
	}
	l.place.Retire()
	return nil
}
