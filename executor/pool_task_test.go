// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

func TestPoolWakesCoalesce(t *testing.T) {
	c := newPoolRig(t, 2)
	p := c.named("a", new(probe))
	mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	// During a poll: one more poll, after any number of wakes by any worker.
	p.onPoll = both(p.onPoll, func(cx *Context) {
		p.onPoll = nil
		p.waker.Wake()
		cx.WakeSelf()
		cx.Local().WakeLocal(p.waker)
	})
	c.workers[1].WakeLocal(p.waker)
	p.waker.Wake()
	c.turn(1, 1)
	c.turn(1, 1)
	c.turn(1, 0)
	c.turn(0, 0)
	p.want(t, 3, 0)
}

func TestPoolWakeInATurnStaysWithTheWorker(t *testing.T) {
	c := newPoolRig(t, 2)
	a, b := c.named("a", new(probe)), c.named("b", new(probe))
	mustSpawn[int](t, c.Pool, a)
	mustSpawn[int](t, c.Pool, b)
	c.turn(0, 2)
	a.onPoll = both(a.onPoll, func(cx *Context) {
		equal(t, "the wake", cx.Local().WakeLocal(b.waker), Accepted)
		equal(t, "again", cx.Local().WakeLocal(b.waker), Coalesced)
	})
	a.waker.Wake()
	c.pokes()
	c.turn(0, 1)
	c.turn(0, 1)
	c.wantTrace("a0 b0 a0 b0")
}

func TestPoolCancelBeforeFirstPollAndBetweenPolls(t *testing.T) {
	c := newPoolRig(t, 2)
	before, between := new(probe), new(probe)
	first := mustSpawn[int](t, c.Pool, before)
	equal(t, "cancel", first.Cancel(), Accepted)
	equal(t, "again", first.Cancel(), Coalesced)
	c.turn(0, 0)
	before.want(t, 0, 1)
	equal(t, "outcome", first.Outcome(), CancelledBeforeStart)
	equal(t, "too late", first.Cancel(), Stale)

	second := mustSpawn[int](t, c.Pool, between)
	c.turn(0, 1)
	second.Cancel()
	c.turn(1, 0)
	between.want(t, 1, 1)
	equal(t, "outcome", second.Outcome(), CancelledRunning)
	equal(t, "error", second.Err(), ErrCancelled)
}

func TestPoolShieldHoldsBackACancel(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	p.onPoll = func(cx *Context) {
		switch p.polls {
		case 1:
			cx.Shield(true)
		case 2:
			equal(t, "asked", cx.Err() != nil, true)
		case 3:
			cx.Shield(false)
		}
	}
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	task.Cancel()
	c.turn(1, 1)
	p.want(t, 2, 0)
	task.Cancel()
	c.turn(0, 0) // a second one says nothing new
	p.waker.Wake()
	c.turn(0, 1)
	equal(t, "not yet", task.Done(), false)
	c.turn(1, 0)
	p.want(t, 3, 1)
	equal(t, "outcome", task.Outcome(), CancelledRunning)
}

// What was meant for an earlier task may come after the slot's next one was spawned.
func TestPoolOlderRequestIsNotTheNewerTasks(t *testing.T) {
	c := newPoolRig(t, 1)
	p := new(probe)
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	chunk := lookup(task.slot)
	chunk.cells[task.slot&cell.Mask].Pend.Store(uint64(task.gen-1)<<32 | cell.Queued | cell.Wake | cell.Cancel)
	c.Pool.push(chunk, task.slot)
	c.turn(0, 0)
	equal(t, "wake", p.waker.Wake(), Accepted)
	c.turn(0, 1)
	p.want(t, 2, 0)
}

func TestPoolSkipsARetiredSlot(t *testing.T) {
	c := newPoolRig(t, 1)
	first := mustSpawn[int](t, c.Pool, &probe{ready: true}).slot
	ce := &lookup(first + 1).cells[(first+1)&cell.Mask]
	before := ce.Gen.Load()
	ce.Gen.Store(cell.LastGen)
	equal(t, "slot", mustSpawn[int](t, c.Pool, &probe{ready: true}).slot, first+2)
	c.turn(0, 2)
	t.Cleanup(func() { ce.Gen.Store(before) }) // other tests lease the chunk
}

// A wake in the turn and a second cancel from elsewhere meet in one cell.
func TestPoolSecondCancelDoesNotHideAWake(t *testing.T) {
	c := newPoolRig(t, 1)
	p := &probe{onPoll: func(cx *Context) { cx.Shield(true) }}
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	task.Cancel()
	c.turn(0, 1)
	mustSpawn[int](t, c.Pool, &probe{ready: true, onPoll: func(cx *Context) {
		equal(t, "wake", cx.Local().WakeLocal(p.waker), Accepted)
		task.Cancel()
	}})
	c.turn(0, 1)
	c.turn(0, 1)
	p.want(t, 3, 0)
}

func TestPoolDeadlineIsACancel(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	task := mustSpawn[int](t, c.Pool, p, WithDeadline(10))
	equal(t, "the deadline", c.turn(0, 1).Deadline, 10)
	c.workers[1].now = 10
	c.turn(1, 0)
	p.want(t, 1, 1)
	equal(t, "timed out", errors.Is(task.Err(), context.DeadlineExceeded), true)
}

func TestPoolTaskIsAwaitedFromEverywhere(t *testing.T) {
	c := newPoolRig(t, 1)
	outside := newRig(t)
	for _, e := range []Executor{outside.Local, c.workers[0].Local, c.Pool} {
		p := new(probe)
		task := mustSpawn[int](t, c.Pool, p)
		join := mustSpawn(t, e, task)
		for _, r := range []*rig{outside, c.workers[0]} {
			r.Poll(Budget{})
		}
		other := mustSpawn(t, outside.Local, task)
		outside.turn(1)
		equal(t, "another one", other.Err(), ErrBusy)
		p.ready = true
		p.waker.Wake()
		c.turn(0, 1)
		for _, r := range []*rig{outside, c.workers[0]} {
			r.Poll(Budget{})
		}
		v, err := join.Result()
		equal(t, "the value", v, 2)
		equal(t, "the error", err, nil)
		late := mustSpawn(t, outside, task)
		outside.turn(1)
		equal(t, "a late one", late.Err(), nil)
	}
}

func TestPoolTaskIsAwaitedAgainByTheSameTask(t *testing.T) {
	c := newPoolRig(t, 1)
	task := mustSpawn[int](t, c.Pool, new(probe))
	join := task
	var waker Waker
	polls := 0
	joiner := mustSpawn[int](t, c.Pool, FutureFunc[int](func(cx *Context) (int, bool, error) {
		waker = cx.Waker()
		polls++
		return join.Poll(cx)
	}))
	c.turn(0, 2)
	for range 2 {
		waker.Wake() // for something else
		c.turn(0, 1)
	}
	task.Cancel()
	c.turn(0, 0)
	c.turn(0, 1)
	equal(t, "done", joiner.Done(), true)
	equal(t, "polls", polls, 4)
}

func TestPoolTaskCannotAwaitALocalsTask(t *testing.T) {
	c := newPoolRig(t, 1)
	local := mustSpawn[int](t, c.workers[0].Local, new(probe))
	join := mustSpawn(t, c.Pool, local)
	c.turn(0, 2)
	equal(t, "error", join.Err(), ErrWrongLocal)
}

func TestPoolStorageIsUsedAgain(t *testing.T) {
	c := newPoolRig(t, 1)
	var task Task[int]
	var spawned int
	var again OnDone[int]
	again = func(int, error, Outcome) {
		if spawned++; spawned < 3 {
			if err := task.Spawn(c.Pool, &probe{ready: true}, again); err != nil {
				t.Error(err)
			}
		}
	}
	if err := task.Spawn(c.Pool, &probe{ready: true}, again); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.turn(0, 1)
	}
	c.turn(0, 0)
	equal(t, "spawned", spawned, 3)
}

func TestPoolTaskInheritsThroughItsExecutor(t *testing.T) {
	c := newPoolRig(t, 1)
	var got any
	mustSpawn[int](t, c.Pool, &probe{ready: true, onPoll: func(cx *Context) {
		mustSpawn[int](t, cx, &probe{ready: true, onPoll: func(cx *Context) { got = cx.Context().Value(name{}) }})
	}}, with(name{}, "x"))
	c.turn(0, 1)
	c.turn(0, 1)
	equal(t, "the value", got, any("x"))
}

// joined counts the workers.
func (p *Pool) joined() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}

func TestRunWaitsForTheResult(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	v, err := Run[int](p, &probe{ready: true})
	equal(t, "the value", v, 1)
	equal(t, "the error", err, nil)
	p.Stop()
	equal(t, "workers", p.joined(), 0)
	equal(t, "free", p.Free(), nil)
	_, err = Run[int](p, new(probe))
	equal(t, "the error", err, ErrClosed)
}

func TestGoexitCostsThePoolNoWorker(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := Run(p, Future[int](&probe{onPoll: func(*Context) { runtime.Goexit() }}))
		equal(t, "error", err, ErrGoexit)
		n, err := Run(p, Future[int](&probe{ready: true}))
		equal(t, "polls", n, 1)
		equal(t, "error", err, nil)
		equal(t, "workers", p.joined(), 1)
	}
	p.Stop()
	equal(t, "workers", p.joined(), 0)
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}

// Callers share their options, which Run must not write to.
func TestRunLeavesTheOptionsAlone(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	options := make([]Option, 1, 4)
	options[0] = WithDeadline(Never)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := Run(p, yielding(), options...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}
