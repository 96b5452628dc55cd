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

// ErrDeadlock says that tasks are live and nothing will wake them.
var ErrDeadlock = errors.New("simhost: deadlock")

// ErrEndless says that a run had so many turns that it won't come to an end.
var ErrEndless = errors.New("simhost: still busy")

// maxTurns is the number of turns after which a run is endless.
const maxTurns = 1 << 18

// Sim is a world of executors with one clock. It belongs to one goroutine.
type Sim struct {
	// Delay is how late hosts, wakes from other threads and polls may be.
	// Without one, all happens at its time. It is 10 µs at first.
	Delay time.Duration

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

// action is a deed of another thread.
type action struct {
	at   int64
	name string
	do   func()
}

// New makes an empty world. [Run] does it for each seed.
func New(seed uint64) *Sim {
	return &Sim{Delay: 10 * time.Microsecond, rnd: rand.New(rand.NewPCG(seed, 0)), now: 1}
}

// Now reads the clock, in nanoseconds.
func (s *Sim) Now() int64 { return s.now }

// Rand gives the source of all chance, for a test's own choices.
func (s *Sim) Rand() *rand.Rand { return s.rnd }

// Local makes an executor that this world drives. The world sets the configuration's
// host and clock. A seed in it, as from Rand, makes the order of polls random, too;
// without one the order is that of any executor.
func (s *Sim) Local(name string, c executor.Config) *executor.Local {
	h := &host{sim: s, name: name, deadline: executor.Never, poked: executor.Never}
	c.Host, c.Clock = h, s.Now
	h.local = executor.New(c)
	s.hosts = append(s.hosts, h)
	return h.local
}

// Pool makes a pool, for some of the world's Locals to join.
func (s *Sim) Pool(c executor.PoolConfig) *executor.Pool {
	c.Clock = s.Now
	p := executor.NewPool(c)
	s.pools = append(s.pools, p)
	return p
}

// After makes another thread call f, d from now or somewhat later. f may do what any
// goroutine may: wake, cancel, close, resolve a promise. The call comes between two
// turns, or inside one, between two polls of tasks that have names.
func (s *Sim) After(d time.Duration, name string, f func()) {
	a := &action{at: s.late(s.now + int64(d)), name: name, do: f}
	i := len(s.pending)
	for i > 0 && s.pending[i-1].at > a.at {
		i--
	}
	s.pending = slices.Insert(s.pending, i, a)
}

// late adds to a time the delay of a host.
func (s *Sim) late(at int64) int64 {
	if s.Delay <= 0 || s.rnd.IntN(2) == 0 || at >= executor.Never-int64(s.Delay) {
		return at
	}
	return at + s.rnd.Int64N(int64(s.Delay)+1)
}

// act does the deeds of other threads that are due.
func (s *Sim) act() {
	for len(s.pending) > 0 && s.pending[0].at <= s.now {
		a := s.pending[0]
		s.pending = s.pending[1:]
		s.record(Acted, a.name, 0)
		a.do()
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

// Step makes one turn of one executor, at the next time at which one has work. It
// reports whether there was such a time.
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

// Run steps until no work is left.
//
// # Errors
//
// [ErrDeadlock] if tasks are still live then, [ErrEndless] after 262144 turns, and
// the world's own failure.
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

// deadlock names the tasks that wait for nothing.
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

// Free frees all executors, which cancels their live tasks.
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
