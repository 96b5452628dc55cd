// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"cmp"
	"math/rand/v2"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/wheel"
)

// Config configures a [Local], and can't be changed afterwards. The zero Config suits a
// loop that polls unasked.
type Config struct {
	Host     Host          // the loop that drives the executor; nil if it polls unasked
	Clock    func() int64  // monotonic nanoseconds, never negative; nil is Go's own clock
	MaxTasks int           // a limit of live tasks, over which Spawn answers ErrAgain; 0 is none
	Arena    carrier.Arena // for carriers: the source of its cells; nil is the process's
	Context  ContextHooks  // carry a token from each spawn to the task's polls; nil carries none

	MaxTimers  int    // a limit of armed timers, over which a Timer answers ErrAgain; 0 is none
	MaxWatches int    // a limit of open watches, over which Open answers ErrAgain; 0 is none
	Budget     Budget // the meaning of a zero Budget in Poll
	Ready      int    // room for as many ready tasks from the start

	// Seed, if it isn't 0, makes each turn poll its tasks in an order that looks random
	// and is the same in every run with this seed. It is for tests of code that must
	// not depend on the order. With 0 the order is first in, first out.
	Seed uint64
}

// Local is an executor for one thread. The package's documentation lists the calls that
// any goroutine may make.
type Local struct {
	// Shared with wakers.
	inbox   cell.Inbox
	park    atomic.Uint32 // see state.go
	closing closing

	host  Host
	clock func() int64
	arena cell.Arena
	hooks ContextHooks
	max   int

	polling bool
	closed  uint32 // the mode that the owner has carried out
	now     int64
	ready   ring
	live    int
	current *task // the task in its poll
	turn    turn
	told    int64 // the deadline that the host knows
	cx      Context

	timers    wheel.Wheel
	maxTimers int
	budget    Budget
	shuffle   *rand.PCG // nil: first in, first out

	slotStore

	watched    map[int]*Watch // by descriptor
	maxWatches int

	dropping  int      // scopes whose drops are on the stack
	undropped []*Scope // scopes to drop once the stack is shorter

	place  place.Place
	worker *worker              // its part in a pool, if it has joined one
	enter  func(f func()) error // see Carrier.Through; nil: the owner is where turns run
}

// New makes an executor. It starts nothing.
func New(c Config) *Local {
	l := &Local{
		host: cmp.Or[Host](c.Host, noHost{}), clock: c.Clock, arena: c.Arena, hooks: c.Context,
		max: c.MaxTasks, maxTimers: c.MaxTimers, budget: c.Budget,
		maxWatches: c.MaxWatches, told: Never,
	}
	if l.arena == nil {
		l.arena = cell.UseArena(&heap)
	}
	if l.clock == nil {
		l.clock = monotonic
	}
	if c.Seed != 0 {
		l.shuffle = rand.NewPCG(c.Seed, c.Seed)
	}
	if c.Ready > 0 {
		l.ready.grow(c.Ready)
	}
	l.cx = Context{l, l}
	return l
}

func (l *Local) makeReady(t *task) bool {
	if t.flags&flagReady != 0 {
		return false
	}
	t.flags |= flagReady
	l.ready.push(t)
	return true
}

// wake is WakeLocal without the poke.
func (l *Local) wake(w Waker) Answer {
	slot, gen := uint32(w>>32)&cell.SlotMask, uint32(w)
	c := lookup(slot)
	if w>>56 != kindWaker || c == nil || gen == 0 {
		return BadHandle
	}
	if c.local.Load() != l {
		if l.worker != nil && l.polling {
			return l.worker.wakeHere(w, c)
		}
		return w.Wake()
	}
	t := c.tasks[slot&cell.Mask]
	if t == nil || t.gen != gen {
		return Stale
	}
	if !l.makeReady(t) {
		return Coalesced
	}
	return Accepted
}

// WakeLocal is [Waker.Wake] for the owner. For a task of l it needs no locked
// instruction; for others it is the same.
func (l *Local) WakeLocal(w Waker) Answer {
	r := l.wake(w)
	if r == Accepted {
		l.wakeHost()
	}
	return r
}

// Live counts the tasks that haven't finished. For the owner.
func (l *Local) Live() int { return l.live }

// Now reads the executor's clock. Any goroutine may call it that may call the clock.
func (l *Local) Now() int64 { return l.clock() }

func (l *Local) spawner() *task { return l.current }

func (l *Local) spawn(t *task) error {
	if l.closing.Load() != open {
		return ErrClosed
	}
	if l.max > 0 && l.live >= l.max {
		return ErrAgain
	}
	if err := l.takeSlot(t); err != nil {
		return err
	}
	t.local = l
	t.flags, t.shields, t.joiner = flagLive, 0, 0
	if l.hooks != nil {
		t.hook(l.hooks)
	}
	l.live++
	t.flags |= flagReady
	if !l.ready.put(t) {
		l.ready.push(t)
	}
	l.wakeHost()
	if t.extra != nil {
		l.armDeadline(t)
	}
	return nil
}
