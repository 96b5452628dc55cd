// SPDX-License-Identifier: Apache-2.0

package simhost

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// ErrDeadlock says that tasks are live and nothing will ever wake them.
var ErrDeadlock = errors.New("simhost: deadlock")

// ErrEndless says that a run had so many turns that it won't come to an end.
var ErrEndless = errors.New("simhost: still busy")

// maxTurns is when a run is endless.
const maxTurns = 1 << 18

// Sim is a world of executors with one clock. It belongs to one goroutine.
type Sim struct {
	// Delay is by how much hosts, wakes from other threads and polls may be late.
	// Without one, all happens at its time. It is 10 µs at first.
	Delay time.Duration

	seed    uint64
	rnd     *rand.Rand
	now     int64
	turns   int
	hosts   []*host
	pools   []*executor.Pool
	pending []*action // in the order of time
	tasks   []*named
	trace   []Event
	failure error
}

// action is something that another thread will do.
type action struct {
	at   int64
	name string
	do   func() int64
}

// New makes an empty world. [Run] does it for each seed.
func New(seed uint64) *Sim {
	return &Sim{Delay: 10 * time.Microsecond, seed: seed, rnd: rand.New(rand.NewPCG(seed, 0)), now: 1}
}

// Seed gives what the world was made with.
func (s *Sim) Seed() uint64 { return s.seed }

// Now reads the clock, in nanoseconds.
func (s *Sim) Now() int64 { return s.now }

// Rand gives the source of all chance, for what a test leaves to chance itself.
func (s *Sim) Rand() *rand.Rand { return s.rnd }

// Local makes an executor that this world drives. The configuration's host and clock
// are the world's. A seed in it, as from Rand, makes the order of polls random, too;
// without one it is as it is everywhere.
func (s *Sim) Local(name string, c executor.Config) *executor.Local {
	h := &host{sim: s, name: name, deadline: executor.Never, poked: executor.Never}
	c.Host, c.Clock = h, s.Now
	h.local = executor.New(c)
	s.hosts = append(s.hosts, h)
	return h.local
}

// Pool makes a pool, which some of the world's Locals are to join.
func (s *Sim) Pool(c executor.PoolConfig) *executor.Pool {
	c.Clock = s.Now
	p := executor.NewPool(c)
	s.pools = append(s.pools, p)
	return p
}

// After has another thread call f, d from now or somewhat later. f may do what any
// goroutine may: wake, cancel, close, resolve a promise. It is called between two
// turns, or inside one, between two polls of tasks that have names.
func (s *Sim) After(d time.Duration, name string, f func()) {
	s.later(d, name, func() int64 { f(); return 0 })
}

// Wake has another thread wake a task, now or somewhat later.
func (s *Sim) Wake(w executor.Waker) {
	name := "?"
	for _, n := range s.tasks {
		if n.waker == w {
			name = n.name
		}
	}
	s.later(0, name, func() int64 { return int64(w.Wake()) })
}

func (s *Sim) later(d time.Duration, name string, do func() int64) {
	a := &action{at: s.late(s.now + int64(d)), name: name, do: do}
	i, _ := slices.BinarySearchFunc(s.pending, a, func(b, a *action) int {
		if b.at <= a.at {
			return -1
		}
		return 1
	})
	s.pending = slices.Insert(s.pending, i, a)
}

// late adds to a time what a host may need.
func (s *Sim) late(at int64) int64 {
	if s.Delay <= 0 || s.rnd.IntN(2) == 0 || at >= executor.Never-int64(s.Delay) {
		return at
	}
	return at + s.rnd.Int64N(int64(s.Delay)+1)
}

// act does what other threads have done by now.
func (s *Sim) act() {
	for len(s.pending) > 0 && s.pending[0].at <= s.now {
		a := s.pending[0]
		s.pending = s.pending[1:]
		i := len(s.trace)
		s.record(Acted, a.name, 0)
		s.trace[i].N = a.do()
	}
}

// meanwhile is called between two polls of the same turn.
func (s *Sim) meanwhile() {
	if s.Delay > 0 && s.rnd.IntN(8) == 0 {
		s.now += s.rnd.Int64N(int64(s.Delay) + 1)
	}
	if s.rnd.IntN(2) == 0 {
		s.act()
	}
}

// Step has one executor do one turn, at the next time at which one has anything to
// do. It answers false if there is no such time.
func (s *Sim) Step() bool {
	s.act()
	ready := s.ready()
	for len(ready) == 0 {
		next := int64(executor.Never)
		for _, h := range s.hosts {
			next = min(next, h.poked, h.deadline)
		}
		if len(s.pending) > 0 {
			next = min(next, s.pending[0].at)
		}
		if next == executor.Never {
			return false
		}
		s.now = max(s.now, next)
		s.act()
		ready = s.ready()
	}
	if s.rnd.IntN(16) == 0 {
		ready = s.hosts
	}
	s.turns++
	ready[s.rnd.IntN(len(ready))].turn()
	s.look()
	return true
}

// ready gives the hosts that have a turn to do.
func (s *Sim) ready() []*host {
	var ready []*host
	for _, h := range s.hosts {
		if h.more || h.poked <= s.now || h.deadline <= s.now {
			ready = append(ready, h)
		}
	}
	return ready
}

// Run steps until nothing is left to do.
//
// # Errors
//
// [ErrDeadlock] if tasks are still live then, [ErrEndless] after 262144 turns, and
// what made the world fail.
func (s *Sim) Run() error {
	for s.failure == nil && s.Step() {
		if s.turns >= maxTurns {
			return fmt.Errorf("%w after %d turns", ErrEndless, s.turns)
		}
	}
	if s.failure != nil {
		return s.failure
	}
	return s.deadlock()
}

// deadlock names who waits for nothing.
func (s *Sim) deadlock() error {
	live := 0
	for _, h := range s.hosts {
		live += h.local.Live()
	}
	for _, p := range s.pools {
		live += p.Live()
	}
	if live == 0 {
		return nil
	}
	var names []string
	for _, n := range s.tasks {
		if !n.dropped {
			names = append(names, n.name)
		}
	}
	if rest := live - len(names); rest > 0 {
		names = append(names, fmt.Sprintf("%d without a name", rest))
	}
	return fmt.Errorf("%w at %v: nothing will wake %s", ErrDeadlock, time.Duration(s.now), strings.Join(names, ", "))
}

// Free frees all executors, which cancels what is live.
func (s *Sim) Free() error {
	var all []error
	for _, h := range s.hosts {
		all = append(all, h.local.Free())
	}
	for _, p := range s.pools {
		all = append(all, p.Free())
	}
	return errors.Join(all...)
}
