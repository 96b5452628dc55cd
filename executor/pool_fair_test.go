// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestPoolPokesEachOfManyWorkers(t *testing.T) {
	const n = 150
	c := newPoolRig(t, n)
	c.pokes()
	var probes [n]probe
	for i := range probes {
		probes[i].Ready = true
		mustSpawn[int](t, c.Pool, &probes[i])
	}
	for i, r := range c.workers {
		if r.pokes != 1 {
			t.Fatalf("worker %d was poked %d times", i, r.pokes)
		}
	}
	c.turn(n-1, n)
	for i := range n {
		c.turn(i, 0)
	}
	for i := range probes {
		probes[i].Want(t, 1, 1)
	}
}

// A worker that turns unasked isn't poked meanwhile, and all others are as before.
func TestPoolKnowsWhichOfManyWorkersAreIdle(t *testing.T) {
	const n = 150
	c := newPoolRig(t, n)
	for at, r := range c.workers {
		mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(*Context) {
			for i := range n {
				idle := c.Pool.idle[i/64].Load()>>(i%64)&1 == 1
				if idle != (i != at) {
					t.Fatalf("worker %d is idle in a turn of worker %d: %v", i, at, idle)
				}
			}
		}})
		c.turn(at, 1)
	}
}

// What a worker had taken from its ring when a poll called Goexit isn't lost, and
// others are told of it.
func TestPoolBatchOutlivesGoexit(t *testing.T) {
	c := newPoolRig(t, 2)
	gone := &probe{OnPoll: func(*Context) {
		c.turn(1, 0) // it finds nothing: the batch is worker 0's
		c.pokes()
		runtime.Goexit()
	}}
	mustSpawn[int](t, c.Pool, gone)
	var others [5]probe
	for i := range others {
		p := c.named(string(rune('a'+i)), &others[i])
		p.Ready = true
		mustSpawn[int](t, c.Pool, p)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.workers[0].Poll(Budget{})
	}()
	<-done
	test.Equal(t, "pokes", c.pokes(), "[0 1]")
	c.turn(1, 3)
	c.turn(0, 2)
	c.wantTrace("a1 b1 c1 d0 e0")
	gone.Want(t, 1, 1)
	for i := range others {
		others[i].Want(t, 1, 1)
	}
}

// A loop that blocks in a poll, or between its turns, keeps the last task of its ring
// from no other worker.
func TestPoolLastTaskOfABlockedLoopIsTaken(t *testing.T) {
	t.Run("in a poll", func(t *testing.T) {
		c := newPoolRig(t, 2)
		var probes [batchSize + 1]probe
		for i := range probes {
			p := c.named(string(rune('a'+i)), &probes[i])
			p.Ready = true
			mustSpawn[int](t, c.Pool, p)
		}
		inside := probes[0].OnPoll
		probes[0].OnPoll = func(cx *Context) {
			inside(cx)
			c.turn(1, 1)
		}
		c.turn(0, batchSize)
		c.wantTrace("a0 i1 b0 c0 d0 e0 f0 g0 h0")
	})
	t.Run("between turns", func(t *testing.T) {
		c := newPoolRig(t, 2)
		c.pokes()
		a := c.named("a", new(probe))
		a.OnPoll = both(a.OnPoll, (*Context).WakeSelf)
		mustSpawn[int](t, c.Pool, a)
		test.Equal(t, "pokes", c.pokes(), "[1 0]")
		c.turn(0, 1)
		test.Equal(t, "pokes", c.pokes(), "[0 1]")
		c.turn(1, 1)
		c.wantTrace("a0 a1")
	})
}

// Tasks that can't be stolen get their share, however busy the others are.
func TestPoolBoundTasksComeBetweenBusyOnes(t *testing.T) {
	c := newPoolRig(t, 1)
	bound := &probe{OnPoll: func(cx *Context) { place.Of(cx.Local()).Bind(); cx.WakeSelf() }}
	mustSpawn[int](t, c.Pool, bound)
	for range batchSize {
		mustSpawn[int](t, c.Pool, &probe{OnPoll: (*Context).WakeSelf})
	}
	const turns = 100
	for range turns {
		c.turn(0, batchSize+1)
	}
	if bound.Polls < turns/2 {
		t.Errorf("%d polls in %d turns", bound.Polls, turns)
	}
}

// mutual gives two tasks of a pool that wake each other for ever, and counts their polls.
func mutual(t *testing.T, p *Pool) *int {
	var both [2]probe
	polls := new(int)
	for i := range both {
		both[i].OnPoll = func(cx *Context) {
			*polls++
			if other := both[1-i].Waker; other != 0 {
				cx.Local().WakeLocal(other)
			}
		}
		mustSpawn[int](t, p, &both[i])
	}
	return polls
}

func TestPoolTasksThatWakeEachOtherUseTheBound(t *testing.T) {
	c := newPoolRig(t, 1)
	mutual(t, c.Pool)
	c.turn(0, 2) // without a bound: a snapshot
	for _, bound := range []int{1, 10, 100, 1000, math.MaxInt} {
		progress, err := c.workers[0].Poll(Budget{MaxPolls: bound})
		test.Equal(t, "error", err, nil)
		test.Equal(t, "polls", progress.Polled, min(bound, pollOn))
		test.Equal(t, "more", progress.More, true)
	}
	c.Close(CloseCancel)
	c.turn(0, 0)
}

func TestPoolTasksLeaveTheBoundsPollsToTheLocals(t *testing.T) {
	c := newPoolRig(t, 1)
	mutual(t, c.Pool)
	own := &probe{OnPoll: (*Context).WakeSelf}
	mustSpawn[int](t, c.workers[0].Local, own)
	for turns := 1; turns <= 4; turns++ {
		progress, _ := c.workers[0].Poll(Budget{MaxPolls: 10})
		test.Equal(t, "polls", progress.Polled, 10)
		test.Equal(t, "polls of the Local's own", own.Polls, turns)
	}
	c.Close(CloseCancel)
}

// All small mixtures of a Local's own tasks with a pool's, of which some wake themselves
// and some each other. A turn makes as many polls as its bound says. The Local's own
// tasks are polled once a turn where the bound has room for all, and both kinds within
// two turns where it has not. No task of a kind gets ahead of the others.
func TestPoolAndLocalShareEveryBound(t *testing.T) {
	for own := range 4 {
		for alone := range 4 {
			for pairs := range 3 {
				for bound := 1; bound <= 9; bound++ {
					t.Run(fmt.Sprint(own, alone, pairs, bound), func(t *testing.T) {
						sharesBound(t, own, alone, pairs, bound)
					})
				}
			}
		}
	}
}

func sharesBound(t *testing.T, own, alone, pairs, bound int) {
	const turns = 24
	c := newPoolRig(t, 1)
	var locals, chains []*int // the polls of each; a pool's chain has one ready task
	always := func(in Executor) *int {
		p := &probe{OnPoll: (*Context).WakeSelf}
		mustSpawn[int](t, in, p)
		return &p.Polls
	}
	for range own {
		locals = append(locals, always(c.workers[0].Local))
	}
	for range alone {
		chains = append(chains, always(c.Pool))
	}
	for range pairs {
		chains = append(chains, mutual(t, c.Pool))
	}
	for range turns {
		progress, err := c.workers[0].Poll(Budget{MaxPolls: bound})
		test.Equal(t, "error", err, nil)
		polls := bound
		if len(chains) == 0 {
			polls = min(own, bound)
		}
		test.Equal(t, "polls", progress.Polled, polls)
	}
	shares(t, chains, turns/2*min(len(chains), bound))
	if bound-own >= alone+2*pairs {
		shares(t, locals, turns*own)
	} else {
		shares(t, locals, turns/2*min(own, bound))
	}
}

// shares checks that the polls of all are `least` or more, and nearly alike.
func shares(t *testing.T, all []*int, least int) {
	t.Helper()
	sum, fewest, most := 0, math.MaxInt, 0
	for _, polls := range all {
		sum, fewest, most = sum+*polls, min(fewest, *polls), max(most, *polls)
	}
	if sum < least || most-fewest > 2 {
		t.Errorf("%d polls, not %d; from %d to %d of each", sum, least, fewest, most)
	}
}
