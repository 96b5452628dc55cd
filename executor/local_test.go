// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestSelfWakingTaskGoesToTheBack(t *testing.T) {
	r := newRig(t)
	var trace []string
	for _, name := range []string{"a", "b"} {
		n := 0
		mustSpawn[int](t, r.Local, fn[int](func(cx *Context) (int, bool, error) {
			trace = append(trace, name)
			n++
			cx.WakeSelf()
			cx.WakeSelf()
			return 0, n == 3, nil
		}))
	}
	for range 3 {
		r.turn(2) // a snapshot: not one turn for ever
	}
	test.Equal(t, "trace", strings.Join(trace, ""), "ababab")
}

// yielding is a future that lets every other ready task go first, once.
func yielding() Future[int] {
	polls := 0
	return fn[int](func(cx *Context) (int, bool, error) {
		polls++
		cx.WakeSelf()
		return polls, polls == 2, nil
	})
}

func TestYieldAndSpawnOrder(t *testing.T) {
	r := newRig(t)
	y := mustSpawn(t, r.Local, yielding())
	p := &probe{Ready: true}
	r.turn(1)
	mustSpawn[int](t, r.Local, p)
	r.turn(2)
	test.Equal(t, "done", y.Done(), true)
}

func TestSpawnInsideAPollWaitsForTheNextTurn(t *testing.T) {
	r := newRig(t)
	child := &probe{Ready: true}
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(cx *Context) {
		mustSpawn[int](t, cx.Local(), child)
	}})
	p := r.turn(1)
	test.Equal(t, "more", p.More, true)
	test.Equal(t, "live", p.Live, 1)
	r.turn(1)
	test.Equal(t, "pokes", r.pokes, 1)
}

func TestPollIsNotReentrant(t *testing.T) {
	r := newRig(t)
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(*Context) {
		_, err := r.Poll(Budget{})
		test.Equal(t, "Poll", err, ErrReentrant)
		test.Equal(t, "Free", r.Free(), ErrReentrant)
	}})
	r.turn(1)
}

func TestContextAfterThePoll(t *testing.T) {
	r := newRig(t)
	var kept *Context
	mustSpawn[int](t, r.Local, &probe{OnPoll: func(cx *Context) { kept = cx }})
	r.turn(1)
	test.Equal(t, "waker", kept.Waker(), 0)
	kept.WakeSelf()
	r.turn(0)
}

func TestMaxPolls(t *testing.T) {
	r := newRig(t)
	for range 10 {
		mustSpawn[int](t, r.Local, &probe{Ready: true})
	}
	for _, want := range []int{4, 4, 2} {
		p, _ := r.Poll(Budget{MaxPolls: 4})
		test.Equal(t, "polled", p.Polled, want)
		test.Equal(t, "more", p.More, p.Live > 0)
	}
}

// The budget is looked at every 64 polls, and where it ends.
func TestMaxPollsBeyondALook(t *testing.T) {
	r := newRig(t)
	for range 200 {
		mustSpawn[int](t, r.Local, &probe{Ready: true})
	}
	for _, want := range []int{100, 100, 0} {
		p, _ := r.Poll(Budget{MaxPolls: 100})
		test.Equal(t, "polled", p.Polled, want)
	}
}

func TestMaxTimeIsLookedAtEvery64Polls(t *testing.T) {
	r := newRig(t)
	reads := 0
	r.clock = func() int64 { reads++; return r.now }
	for range 200 {
		mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(*Context) { r.now += 10 }})
	}
	p, _ := r.Poll(Budget{MaxTime: 1000})
	test.Equal(t, "polled", p.Polled, 128)
	test.Equal(t, "clock reads", reads, 3)
	r.turn(72)
}

func TestMaxTimeReachedExactlyEndsTheTurn(t *testing.T) {
	r := newRig(t)
	for range 200 {
		mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(*Context) { r.now++ }})
	}
	p, _ := r.Poll(Budget{MaxTime: 64})
	test.Equal(t, "polled", p.Polled, 64)
	test.Equal(t, "more", p.More, true)
	p, _ = r.Poll(Budget{MaxTime: 65})
	test.Equal(t, "polled with a nanosecond left", p.Polled, 128)
}

func TestMaxTasks(t *testing.T) {
	l := New(Config{MaxTasks: 2})
	defer l.Free()
	mustSpawn[int](t, l, &probe{Ready: true})
	mustSpawn[int](t, l, new(probe))
	_, err := Spawn[int](l, new(probe))
	test.Equal(t, "third", err, ErrAgain)
	l.Poll(Budget{})
	mustSpawn[int](t, l, new(probe))
}

func TestManyChunks(t *testing.T) {
	r := newRig(t)
	const n = 3*cell.Chunk + 7
	probes := make([]probe, n)
	for i := range probes {
		mustSpawn[int](t, r.Local, &probes[i])
	}
	r.turn(n)
	for i := range probes {
		probes[i].Ready = true
		probes[i].Waker.Wake()
	}
	test.Equal(t, "live", r.turn(n).Live, 0)
	test.Equal(t, "pokes", r.pokes, 2)
}

func TestWakesArePolledInTheirOrder(t *testing.T) {
	r := newRig(t)
	var trace []string
	probes := make([]*probe, 4)
	for i := range probes {
		probes[i] = &probe{OnPoll: func(*Context) { trace = append(trace, fmt.Sprint(i)) }}
		mustSpawn[int](t, r.Local, probes[i])
	}
	r.turn(4)
	for _, i := range []int{2, 0, 3, 1} {
		probes[i].Waker.Wake()
	}
	r.turn(4)
	test.Equal(t, "trace", strings.Join(trace, ""), "01232031")
}

// What a carrier does with a cell that it found in an inbox of its own.
func TestDeliver(t *testing.T) {
	r, other := newRig(t), newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	ce := &lookup(task.slot).cells[task.slot&cell.Mask]
	ce.Pend.Store(uint64(task.gen)<<32 | cell.Queued | cell.Wake)
	r.Carrier().Deliver(cell.SlotMask) // no task's
	r.Carrier().Deliver(task.slot)
	test.Equal(t, "pend", ce.Pend.Load(), 0)
	r.turn(1)
	ce.Pend.Store(uint64(task.gen)<<32 | cell.Queued | cell.Wake)
	other.Carrier().Deliver(task.slot) // not his: it goes on to r
	r.turn(1)
	ce.Pend.Store(uint64(task.gen)<<32 | cell.Queued | cell.Cancel)
	r.Carrier().Deliver(task.slot)
	r.turn(0)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestCloseDrain(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.Close(CloseDrain)
	_, err := Spawn[int](r.Local, new(probe))
	test.Equal(t, "Spawn", err, ErrClosed)
	test.Equal(t, "live", r.turn(0).Live, 1)
	p.Ready = true
	p.Waker.Wake()
	test.Equal(t, "live", r.turn(1).Live, 0)
	p.Want(t, 2, 1)
}

// No poke comes for it, so the turn must report more.
func TestCloseDuringAPoll(t *testing.T) {
	r := newRig(t)
	p := &probe{OnPoll: func(*Context) { r.Close(CloseCancel) }}
	mustSpawn[int](t, r.Local, p)
	test.Equal(t, "more", r.turn(1).More, true)
	test.Equal(t, "live", r.turn(0).Live, 0)
	p.Want(t, 1, 1)
}

func TestCloseCancelFromAnotherGoroutine(t *testing.T) {
	r := newRig(t)
	running, fresh := new(probe), new(probe)
	mustSpawn[int](t, r.Local, running)
	r.turn(1)
	task := mustSpawn[int](t, r.Local, fresh)
	r.turn(1)
	done := make(chan struct{})
	go func() { r.Close(CloseDrain); r.Close(CloseCancel); r.Close(CloseDrain); close(done) }()
	<-done
	test.Equal(t, "pokes", r.pokes, 3)
	test.Equal(t, "live", r.turn(0).Live, 0)
	running.Want(t, 1, 1)
	fresh.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestAFreedExecutorThatIsKeptKeepsNoSlots(t *testing.T) {
	r := newRig(t)
	for range 100 {
		mustSpawn[int](t, r.Local, &probe{Ready: true})
	}
	r.turn(100)
	test.Equal(t, "slots", len(r.Local.free), 100)
	test.Equal(t, "Free", r.Free(), nil)
	test.Equal(t, "chunks", cap(r.chunks), 0)
	test.Equal(t, "fresh slots", r.freshEnd-r.fresh, 0)
	test.Equal(t, "slots", cap(r.Local.free), 0)
	test.Equal(t, "due", cap(r.ready.buf), 0)
}

func TestFreeDropsWhatIsLive(t *testing.T) {
	r := newRig(t)
	p, fresh := new(probe), new(probe)
	outcomes := []Outcome{}
	done := OnDone[int](func(_ int, err error, o Outcome) {
		test.Equal(t, "error", err, ErrCancelled)
		outcomes = append(outcomes, o)
		_, err = r.Poll(Budget{})
		test.Equal(t, "Poll inside Free", err, ErrReentrant)
	})
	mustSpawn[int](t, r.Local, p, done)
	sleep := mustSpawn(t, r.Local, sleep(time.Hour))
	r.turn(2)
	mustSpawn[int](t, r.Local, fresh, done)
	test.Equal(t, "Free", r.Free(), nil)
	test.Equal(t, "Free again", r.Free(), nil)
	p.Want(t, 1, 1)
	fresh.Want(t, 0, 1)
	test.Equal(t, "outcomes", fmt.Sprint(outcomes), fmt.Sprint([]Outcome{CancelledRunning, CancelledBeforeStart}))
	test.Equal(t, "sleep", sleep.Outcome(), CancelledRunning)
	_, err := Spawn[int](r.Local, p)
	test.Equal(t, "Spawn", err, ErrClosed)
}

func TestArenaCannotChangeUnderALocal(t *testing.T) {
	New(Config{})
	test.Equal(t, "SetArena", carrier.SetArena(new(heapArena)), false)
}

func TestChunksGoOnWithTheirGenerations(t *testing.T) {
	var old Waker
	for range 3 {
		r := newRig(t)
		p := new(probe)
		mustSpawn[int](t, r.Local, p)
		r.turn(1)
		if old != 0 {
			test.Equal(t, "slot", uint32(p.Waker>>32), uint32(old>>32))
			test.Equal(t, "wake of the earlier executor's task", old.Wake(), Stale)
		}
		old = p.Waker
		r.Free()
	}
}
