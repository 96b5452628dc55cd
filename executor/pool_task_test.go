// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestPoolWakesCoalesce(t *testing.T) {
	c := newPoolRig(t, 2)
	p := c.named("a", new(probe))
	mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	// During a poll: one more poll, after any number of wakes by any worker.
	p.OnPoll = both(p.OnPoll, func(cx *Context) {
		p.OnPoll = nil
		p.Waker.Wake()
		cx.WakeSelf()
		cx.Local().WakeLocal(p.Waker)
	})
	c.workers[1].WakeLocal(p.Waker)
	p.Waker.Wake()
	c.turn(1, 1)
	c.turn(1, 1)
	c.turn(1, 0)
	c.turn(0, 0)
	p.Want(t, 3, 0)
}

func TestPoolWakeInATurnStaysWithTheWorker(t *testing.T) {
	c := newPoolRig(t, 2)
	a, b := c.named("a", new(probe)), c.named("b", new(probe))
	mustSpawn[int](t, c.Pool, a)
	mustSpawn[int](t, c.Pool, b)
	c.turn(0, 2)
	a.OnPoll = both(a.OnPoll, func(cx *Context) {
		test.Equal(t, "the wake", cx.Local().WakeLocal(b.Waker), Accepted)
		test.Equal(t, "again", cx.Local().WakeLocal(b.Waker), Coalesced)
	})
	a.Waker.Wake()
	c.pokes()
	c.turn(0, 1)
	c.turn(0, 1)
	c.wantTrace("a0 b0 a0 b0")
}

func TestPoolCancelBeforeFirstPollAndBetweenPolls(t *testing.T) {
	c := newPoolRig(t, 2)
	before, between := new(probe), new(probe)
	first := mustSpawn[int](t, c.Pool, before)
	test.Equal(t, "cancel", first.Cancel(), Accepted)
	test.Equal(t, "again", first.Cancel(), Coalesced)
	c.turn(0, 0)
	before.Want(t, 0, 1)
	test.Equal(t, "outcome", first.Outcome(), CancelledBeforeStart)
	test.Equal(t, "too late", first.Cancel(), Stale)

	second := mustSpawn[int](t, c.Pool, between)
	c.turn(0, 1)
	second.Cancel()
	c.turn(1, 0)
	between.Want(t, 1, 1)
	test.Equal(t, "outcome", second.Outcome(), CancelledRunning)
	test.Equal(t, "error", second.Err(), ErrCancelled)
}

func TestPoolShieldHoldsBackACancel(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	p.OnPoll = func(cx *Context) {
		switch p.Polls {
		case 1:
			cx.Shield(true)
		case 2:
			test.Equal(t, "asked", cx.Err() != nil, true)
		case 3:
			cx.Shield(false)
		}
	}
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	task.Cancel()
	c.turn(1, 1)
	p.Want(t, 2, 0)
	task.Cancel()
	c.turn(0, 0) // a second one says nothing new
	p.Waker.Wake()
	c.turn(0, 1)
	test.Equal(t, "not yet", task.Done(), false)
	c.turn(1, 0)
	p.Want(t, 3, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
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
	test.Equal(t, "wake", p.Waker.Wake(), Accepted)
	c.turn(0, 1)
	p.Want(t, 2, 0)
}

func TestPoolSkipsARetiredSlot(t *testing.T) {
	c := newPoolRig(t, 1)
	first := mustSpawn[int](t, c.Pool, &probe{Ready: true}).slot
	ce := &lookup(first + 1).cells[(first+1)&cell.Mask]
	before := ce.Gen.Load()
	ce.Gen.Store(cell.LastGen)
	test.Equal(t, "slot", mustSpawn[int](t, c.Pool, &probe{Ready: true}).slot, first+2)
	c.turn(0, 2)
	t.Cleanup(func() { ce.Gen.Store(before) }) // other tests lease the chunk
}

// A late waker that is about to push holds up a slot only until it has.
func TestPoolSlotOfALateWakerComesBack(t *testing.T) {
	c := newPoolRig(t, 1)
	slot := mustSpawn[int](t, c.Pool, &probe{Ready: true}).slot
	c.turn(0, 1)
	chunk := lookup(slot)
	ce := &chunk.cells[slot&cell.Mask]
	ce.Pend.Store(uint64(ce.Gen.Load()-1)<<32 | cell.Queued | cell.Wake)
	var other *Task[int]
	mustSpawn[int](t, c.Pool, &probe{Ready: true, OnPoll: func(cx *Context) {
		other = mustSpawn[int](t, cx, &probe{Ready: true})
	}})
	c.turn(0, 1)
	test.Equal(t, "another slot", other.slot != slot, true)
	chunk.push(slot)
	c.turn(0, 1)
	test.Equal(t, "slot", mustSpawn[int](t, c.Pool, &probe{Ready: true}).slot, slot)
	c.turn(0, 1)
}

// A wake in the turn and a second cancel from elsewhere meet in one cell.
func TestPoolSecondCancelDoesNotHideAWake(t *testing.T) {
	c := newPoolRig(t, 1)
	p := &probe{OnPoll: func(cx *Context) { cx.Shield(true) }}
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	task.Cancel()
	c.turn(0, 1)
	mustSpawn[int](t, c.Pool, &probe{Ready: true, OnPoll: func(cx *Context) {
		test.Equal(t, "wake", cx.Local().WakeLocal(p.Waker), Accepted)
		task.Cancel()
	}})
	c.turn(0, 1)
	c.turn(0, 1)
	p.Want(t, 3, 0)
}

func TestPoolDeadlineIsACancel(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	task := mustSpawn[int](t, c.Pool, p, WithDeadline(10))
	test.Equal(t, "the deadline", c.turn(0, 1).Deadline, 10)
	c.workers[1].now = 10
	c.turn(1, 0)
	p.Want(t, 1, 1)
	test.Equal(t, "timed out", errors.Is(task.Err(), context.DeadlineExceeded), true)
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
		test.Equal(t, "another one", other.Err(), ErrBusy)
		p.Ready = true
		p.Waker.Wake()
		c.turn(0, 1)
		for _, r := range []*rig{outside, c.workers[0]} {
			r.Poll(Budget{})
		}
		v, err := join.Result()
		test.Equal(t, "the value", v, 2)
		test.Equal(t, "the error", err, nil)
		late := mustSpawn(t, outside, task)
		outside.turn(1)
		test.Equal(t, "a late one", late.Err(), nil)
	}
}

func TestPoolTaskIsAwaitedAgainByTheSameTask(t *testing.T) {
	c := newPoolRig(t, 1)
	task := mustSpawn[int](t, c.Pool, new(probe))
	join := task
	var waker Waker
	polls := 0
	joiner := mustSpawn[int](t, c.Pool, fn[int](func(cx *Context) (int, bool, error) {
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
	test.Equal(t, "done", joiner.Done(), true)
	test.Equal(t, "polls", polls, 4)
}

func TestPoolTaskCannotAwaitALocalsTask(t *testing.T) {
	c := newPoolRig(t, 1)
	local := mustSpawn[int](t, c.workers[0].Local, new(probe))
	join := mustSpawn(t, c.Pool, local)
	c.turn(0, 2)
	test.Equal(t, "error", join.Err(), ErrWrongLocal)
}

func TestPoolStorageIsUsedAgain(t *testing.T) {
	c := newPoolRig(t, 1)
	var task Task[int]
	var spawned int
	var again OnDone[int]
	again = func(int, error, Outcome) {
		if spawned++; spawned < 3 {
			if err := task.Spawn(c.Pool, &probe{Ready: true}, again); err != nil {
				t.Error(err)
			}
		}
	}
	if err := task.Spawn(c.Pool, &probe{Ready: true}, again); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.turn(0, 1)
	}
	c.turn(0, 0)
	test.Equal(t, "spawned", spawned, 3)
}

func TestPoolTaskInheritsThroughItsExecutor(t *testing.T) {
	c := newPoolRig(t, 1)
	var got any
	mustSpawn[int](t, c.Pool, &probe{Ready: true, OnPoll: func(cx *Context) {
		mustSpawn[int](t, cx, &probe{Ready: true, OnPoll: func(cx *Context) { got = cx.Context().Value(name{}) }})
	}}, with(name{}, "x"))
	c.turn(0, 1)
	c.turn(0, 1)
	test.Equal(t, "the value", got, any("x"))
}

// joined counts the workers.
func (p *Pool) joined() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}

func TestGoexitCostsThePoolNoWorker(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := run(t, p, &probe{OnPoll: func(*Context) { runtime.Goexit() }})
		test.Equal(t, "error", err, ErrGoexit)
		n, err := run(t, p, &probe{Ready: true})
		test.Equal(t, "polls", n, 1)
		test.Equal(t, "error", err, nil)
		test.Equal(t, "workers", p.joined(), 1)
	}
	p.Stop()
	test.Equal(t, "workers", p.joined(), 0)
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}
