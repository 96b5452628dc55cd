// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Config is what a [Local] is made of. It isn't changed afterwards. The zero
// Config is a good one for a loop that polls without being told.
type Config struct {
	Host     Host         // who drives the executor; nil if it polls anyway
	Clock    func() int64 // monotonic nanoseconds, never negative; nil is Go's own clock
	MaxTasks int          // live tasks over which Spawn answers ErrAgain; 0 is no limit
	Arena    Arena        // where its cells come from; nil is the process's, see SetArena
	Context  ContextHooks // what every task carries from its spawn to its polls; nil is nothing

	MaxTimers  int    // armed timers over which a Timer answers ErrAgain; 0 is no limit
	MaxWatches int    // open watches over which Open answers ErrAgain; 0 is no limit
	Budget     Budget // what a zero Budget stands for in Poll
	Ready      int    // how many ready tasks there is place for from the start

	// Seed, if it isn't 0, has each turn poll its tasks in an order that looks random
	// and is the same in every run with this seed. It is for tests of what must not
	// depend on the order, which is first in, first out otherwise.
	Seed uint64
}

// Local is an executor for one thread. See the package for who may call what.
type Local struct {
	// Shared with wakers.
	inbox   Inbox
	park    atomic.Uint32 // see state.go
	closing atomic.Uint32 // the mode that Close asked for

	host  Host
	clock func() int64
	arena Arena
	hooks ContextHooks
	max   int
	cx    Context

	polling bool
	closed  uint32 // the mode that has been carried out
	now     int64
	ready   ring
	live    int
	current *task // the one that is being polled
	turn    turn

	timers    wheel
	maxTimers int
	budget    Budget
	shuffle   *rand.PCG // nil: first in, first out

	chunks          []*chunk
	free            []uint32 // slots that were used before
	fresh, freshEnd uint32   // slots of the newest chunk that were not

	watched    map[int]*Watch // by descriptor
	maxWatches int

	dropping  int      // scopes whose drops are on the stack
	undropped []*Scope // those for which it is too deep

	place  place.Place
	worker *worker // its part in a pool, if it has joined one
}

// New makes an executor. It starts nothing.
func New(c Config) *Local {
	l := &Local{
		host: c.Host, clock: c.Clock, arena: c.Arena, hooks: c.Context,
		max: c.MaxTasks, maxTimers: c.MaxTimers, budget: c.Budget,
		maxWatches: c.MaxWatches,
	}
	if l.arena == nil {
		l.arena = useArena()
	}
	if l.host == nil {
		l.host = noHost{}
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

// wakeHost tells the host that the owner has made work outside of a turn.
func (l *Local) wakeHost() {
	if !l.polling {
		l.poke()
	}
}

func (l *Local) freed() bool { return l.park.Load()&parkFreed != 0 }

func (l *Local) makeReady(t *task) bool {
	if t.flags&flagReady != 0 {
		return false
	}
	t.flags |= flagReady
	l.ready.push(t)
	return true
}

// wake is WakeLocal without the poke.
func (l *Local) wake(w Waker) WakeResult {
	slot, gen := uint32(w>>32)&slotMask, uint32(w)
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
	t := c.tasks[slot&chunkMask]
	if t == nil || t.gen != gen {
		return Stale
	}
	if !l.makeReady(t) {
		return Coalesced
	}
	return Woken
}

// WakeLocal is [Waker.Wake] for the owner: without any locked instruction if the
// task is l's own, and otherwise the same.
func (l *Local) WakeLocal(w Waker) WakeResult {
	r := l.wake(w)
	if r == Woken {
		l.wakeHost()
	}
	return r
}

// Live says how many tasks haven't finished. For the owner.
func (l *Local) Live() int { return l.live }

// Now reads the executor's clock. For any goroutine, if the clock is.
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
	if l.hooks != nil || t.extra != nil {
		t.hook(l.hooks)
	}
	l.live++
	l.makeReady(t)
	l.wakeHost()
	if t.extra != nil {
		l.armDeadline(t)
	}
	return nil
}
