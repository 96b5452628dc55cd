// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestPoolDrains(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	mustSpawn[int](t, c.Pool, p)
	c.Close(CloseDrain)
	_, err := Spawn[int](c.Pool, new(probe))
	test.Equal(t, "spawn", err, ErrClosed)
	c.turn(0, 1)
	p.Ready = true
	p.Waker.Wake()
	c.turn(1, 1)
	p.Want(t, 2, 1)
	test.Equal(t, "live", c.Live(), 0)
}

func TestPoolCancelsAll(t *testing.T) {
	c := newPoolRig(t, 2)
	probes := make([]probe, 100)
	for i := range probes {
		mustSpawn[int](t, c.Pool, &probes[i])
	}
	c.turn(0, 100)
	c.Close(CloseCancel)
	c.turn(0, 0)
	c.turn(1, 0)
	for i := range probes {
		probes[i].Want(t, 1, 1)
	}
	test.Equal(t, "live", c.Live(), 0)
}

func TestPoolFreeEndsShieldedTasks(t *testing.T) {
	c := newPoolRig(t, 1)
	p := &probe{OnPoll: func(cx *Context) { cx.Shield(true) }}
	task := mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	test.Equal(t, "leave", c.Leave(c.workers[0].Local), nil)
	test.Equal(t, "free", c.Free(), nil)
	p.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	test.Equal(t, "the late wake", p.Waker.Wake(), Stale)
}

func TestFreedPoolForwardsItsInbox(t *testing.T) {
	c := newPoolRig(t, 1)
	p := new(probe)
	mustSpawn[int](t, c.Pool, p)
	c.turn(0, 1)
	slot := uint32(p.Waker>>32) & cell.SlotMask
	chunk := lookup(slot)
	ce := &chunk.cells[slot&cell.Mask]
	test.Equal(t, "leave", c.Leave(c.workers[0].Local), nil)
	test.Equal(t, "free", c.Free(), nil)
	ce.Pend.Store(uint64(uint32(p.Waker))<<32 | cell.Queued | cell.Wake)
	chunk.pool.Store(c.Pool) // the waker has read it before Free cleared it
	chunk.push(slot)
	chunk.pool.Store(nil)
	test.Equal(t, "pend", ce.Pend.Load(), 0)
	test.Equal(t, "inbox", c.inbox.Empty(), true)
}

func TestPoolIsFreedWhileItIsWokenAndSpawnedOn(t *testing.T) {
	for range 20 {
		p := NewPool(PoolConfig{})
		if err := p.Start(2); err != nil {
			t.Fatal(err)
		}
		var started, dropped atomic.Int32
		var others sync.WaitGroup
		underWay := make(chan struct{})
		for range 2 {
			others.Go(func() {
				var wakers []Waker
				for range 1000 {
					k := &tokens{t: t, want: 1 << 30}
					task, err := Spawn(p, Future[int](k), OnDone[int](func(int, error, Outcome) { dropped.Add(1) }))
					if err != nil {
						test.Equal(t, "the error", err, ErrClosed)
						break
					}
					if started.Add(1) == 100 {
						close(underWay)
					}
					wakers = append(wakers, makeWaker(task.slot, task.gen))
				}
				for _, w := range wakers {
					w.Wake()
				}
			})
		}
		<-underWay
		p.Stop()
		test.Equal(t, "free", p.Free(), nil)
		others.Wait()
		test.Equal(t, "dropped", dropped.Load(), started.Load())
	}
}

func TestPoolIsClosedWhileItRuns(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	ended.Add(500)
	for range 500 {
		mustSpawn[int](t, p, &probe{OnPoll: (*Context).WakeSelf}, OnDone[int](func(_ int, err error, o Outcome) {
			if o == Returned || err != ErrCancelled {
				t.Error(o, err)
			}
			ended.Done()
		}))
	}
	p.Close(CloseCancel)
	ended.Wait()
	p.Stop()
	test.Equal(t, "free", p.Free(), nil)
}
