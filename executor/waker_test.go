// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestWakeBeforeFirstPoll(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	w := Waker(task.Handle()) ^ (kindTask^kindWaker)<<56
	test.Equal(t, "first wake", w.Wake(), Accepted)
	test.Equal(t, "second wake", w.Wake(), Coalesced)
	r.turn(1) // the poll that spawn asked for is the one that the wakes get
	r.turn(0)
	p.Want(t, 1, 0)
	test.Equal(t, "pokes", r.pokes, 1)
}

func TestManyWakesOnePoll(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	for i := range 10 {
		want := Coalesced
		if i == 0 {
			want = Accepted
		}
		test.Equal(t, "wake", p.Waker.Wake(), want)
	}
	test.Equal(t, "local wake before the drain", r.WakeLocal(p.Waker), Accepted)
	test.Equal(t, "local wake", r.WakeLocal(p.Waker), Coalesced)
	r.turn(1)
	p.Want(t, 2, 0)
	test.Equal(t, "pokes: one for the spawn, one for the burst", r.pokes, 2)
}

func TestWakeDuringPoll(t *testing.T) {
	for name, wake := range map[string]func(*Local, Waker) Answer{
		"any":   func(_ *Local, w Waker) Answer { return w.Wake() },
		"local": (*Local).WakeLocal,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := new(probe)
			p.OnPoll = func(cx *Context) {
				if p.Polls == 1 {
					test.Equal(t, "wake", wake(r.Local, cx.Waker()), Accepted)
					test.Equal(t, "wake", wake(r.Local, cx.Waker()), Coalesced)
				}
			}
			mustSpawn[int](t, r.Local, p)
			test.Equal(t, "more", r.turn(1).More, true)
			test.Equal(t, "more", r.turn(1).More, false)
			r.turn(0)
			p.Want(t, 2, 0)
			test.Equal(t, "pokes", r.pokes, 1) // none from inside a turn
		})
	}
}

func TestWakeAfterCompletionIsStale(t *testing.T) {
	r := newRig(t)
	p := &probe{Ready: true}
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	test.Equal(t, "wake", p.Waker.Wake(), Stale)
	test.Equal(t, "local wake", r.WakeLocal(p.Waker), Stale)
	next := new(probe)
	mustSpawn[int](t, r.Local, next)
	r.turn(1)
	test.Equal(t, "the slot is used again", uint32(next.Waker>>32), uint32(p.Waker>>32))
	test.Equal(t, "wake of the earlier task", p.Waker.Wake(), Stale)
	r.turn(0)
}

func TestWakeAfterFreeIsStale(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.Free()
	p.Want(t, 1, 1)
	test.Equal(t, "wake", p.Waker.Wake(), Stale)
	test.Equal(t, "cancel", p.Waker.Handle().Cancel(), Stale)
	_, err := r.Poll(Budget{})
	test.Equal(t, "Poll", err, ErrClosed)
}

func TestForgedWakersAreRefused(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	for _, w := range []Waker{
		0, 1, ^Waker(0),
		Waker(task.Handle()),        // a task is no waker
		p.Waker &^ (1<<32 - 1),      // generation 0
		makeWaker(cell.SlotMask, 1), // no such chunk
		p.Waker | Waker(0x80)<<56,   // no such kind
	} {
		test.Equal(t, "wake", w.Wake(), BadHandle)
		test.Equal(t, "local wake", r.WakeLocal(w), BadHandle)
	}
	for _, h := range []Handle{
		0, 1, ^Handle(0), Handle(p.Waker), task.Handle() &^ (1<<32 - 1), Handle(kindTask)<<56 | cell.SlotMask<<32 | 1,
	} {
		test.Equal(t, "cancel", h.Cancel(), BadHandle)
		test.Equal(t, "local cancel", r.CancelLocal(h), BadHandle)
	}
	// A guess at the generation that comes next passes, and does nothing.
	test.Equal(t, "wake", makeWaker(task.slot+1, 1).Wake(), Stale)
	task.Cancel()
	r.turn(0)
	guess := p.Waker + 1
	test.Equal(t, "guess", guess.Wake(), Accepted)
	r.turn(0)
}

// A waker that has checked the generation may be overtaken by the end of the task
// and the next one in the slot. What it leaves behind must not hurt that one.
func TestWakeOvertakenByRecycling(t *testing.T) {
	r := newRig(t)
	p := &probe{Ready: true}
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	slot, gen := uint32(p.Waker>>32)&cell.SlotMask, uint32(p.Waker)
	ce := &lookup(slot).cells[slot&cell.Mask]

	// The second half of post, for the task that has just finished.
	ce.Pend.Store(uint64(gen)<<32 | cell.Queued | cell.Wake)
	next := new(probe)
	other := mustSpawn[int](t, r.Local, next)
	if other.slot == slot {
		t.Fatal("a queued slot was given to another task")
	}
	lookup(slot).push(slot)
	r.turn(1)
	r.turn(0)
	third := mustSpawn[int](t, r.Local, new(probe))
	test.Equal(t, "slot after it was popped", third.slot, slot)
}

func TestOlderWakeDoesNotOverwriteNewer(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	ce := &lookup(task.slot).cells[task.slot&cell.Mask]
	newer := uint64(task.gen+1)<<32 | cell.Queued | cell.Wake
	ce.Pend.Store(newer)
	test.Equal(t, "wake", p.Waker.Wake(), Stale)
	test.Equal(t, "pend", ce.Pend.Load(), newer)
	// And a newer one takes over what an older one has queued.
	ce.Pend.Store(uint64(task.gen-1)<<32 | cell.Queued | cell.Cancel)
	test.Equal(t, "wake", p.Waker.Wake(), Coalesced)
	test.Equal(t, "pend", ce.Pend.Load(), uint64(task.gen)<<32|cell.Queued|cell.Wake)
	lookup(task.slot).push(task.slot)
	r.turn(1)
}

// What was meant for an earlier task may come after the slot's next one was spawned.
func TestOlderRequestIsNotTheNewerTasks(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	ce := &lookup(task.slot).cells[task.slot&cell.Mask]
	ce.Pend.Store(uint64(task.gen-1)<<32 | cell.Queued | cell.Wake | cell.Cancel)
	p.OnPoll = func(cx *Context) { test.Equal(t, "error in its poll", cx.Err(), nil) }
	r.WakeLocal(p.Waker)
	r.turn(1)
	lookup(task.slot).push(task.slot)
	test.Equal(t, "live", r.turn(0).Live, 1)
	p.Want(t, 2, 0)
}

// A cell that is pushed to an executor that is gone must come out again.
func TestPushAfterFree(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	slot := uint32(p.Waker>>32) & cell.SlotMask
	c := lookup(slot)
	ce := &c.cells[slot&cell.Mask]
	ce.Pend.Store(uint64(uint32(p.Waker))<<32 | cell.Queued | cell.Wake)
	r.Free()
	c.local.Store(r.Local) // the waker has read it before Free cleared it
	c.push(slot)
	c.local.Store(nil)
	test.Equal(t, "pend", ce.Pend.Load(), 0)
	test.Equal(t, "inbox is empty", r.inbox.Empty(), true)
}

func TestSlotIsRetiredWithItsLastGeneration(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, &probe{Ready: true})
	slot := task.slot
	ce := &lookup(slot).cells[slot&cell.Mask]
	before := ce.Gen.Load()
	ce.Gen.Store(cell.LastGen - 1)
	task.gen = cell.LastGen - 1
	r.turn(1)
	test.Equal(t, "generation", ce.Gen.Load(), uint32(cell.LastGen))
	for range 3 {
		if mustSpawn[int](t, r.Local, &probe{}).slot == slot {
			t.Fatal("a retired slot was used")
		}
	}
	t.Cleanup(func() { ce.Gen.Store(before + 1) }) // other tests lease the chunk
}

// Generations are compared as a ring is: half of them look smaller than 0.
func TestWakeOfAnOldSlotsTask(t *testing.T) {
	r, p := newRig(t), new(probe)
	task := mustSpawn[int](t, r.Local, p)
	ce := &lookup(task.slot).cells[task.slot&cell.Mask]
	before := ce.Gen.Load()
	ce.Gen.Store(1<<31 + 5)
	task.gen = 1<<31 + 5
	r.turn(1)
	test.Equal(t, "wake", p.Waker.Wake(), Accepted)
	r.turn(1)
	t.Cleanup(func() { ce.Gen.Store(before + 1) }) // other tests lease the chunk
}

// Polls that come while the waker is still in the host, as those of a loop do that
// preempts it. It calls the host once, and another waker doesn't wait for it.
func TestPollsMeetAPoker(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.pokes = 0
	r.onWake = func() {
		r.onWake = nil
		for _, polled := range []int{1, 0} {
			test.Equal(t, "more beside a poker", r.turn(polled).More, false)
			test.Equal(t, "park", r.park.Load(), parkPoker)
		}
		test.Equal(t, "the next wake", p.Waker.Wake(), Accepted)
		test.Equal(t, "pokes", r.pokes, 2)
		test.Equal(t, "park", r.park.Load(), parkAwake+parkPoker)
	}
	p.Waker.Wake()
	test.Equal(t, "pokes", r.pokes, 2)
	test.Equal(t, "park", r.park.Load(), parkAwake)
	test.Equal(t, "more", r.turn(1).More, false)
	test.Equal(t, "park", r.park.Load(), 0)
	p.Want(t, 3, 0)
}

func TestPokerWhoseLoopPreemptsItCallsTheHostOnce(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.pokes = 0
	r.onWake = func() {
		if r.pokes <= 10 { // by then it is shown
			r.turn(1)
		}
	}
	for i := 1; i <= 3; i++ {
		p.Waker.Wake()
		test.Equal(t, "pokes", r.pokes, i)
		p.Want(t, 1+i, 0)
	}
	r.onWake = nil
}

func TestFreeWaitsForPoking(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	inside, leave := make(chan struct{}), make(chan struct{})
	r.onWake = func() { close(inside); <-leave }
	woken := make(chan struct{})
	go func() { p.Waker.Wake(); close(woken) }()
	<-inside
	freed := make(chan struct{})
	go func() { r.Local.Free(); close(freed) }()
	for range 100 {
		runtime.Gosched()
		select {
		case <-freed:
			t.Fatal("Free came back while a waker was in the host")
		default:
		}
	}
	close(leave)
	<-freed
	<-woken
	test.Equal(t, "park", r.park.Load(), parkFreed)
}

func TestHammerNoWakeIsLost(t *testing.T) {
	const tasks, wakers, rounds = 8, 4, 3000
	h := make(test.ChanHost, 1)
	l := New(Config{Host: h})
	defer l.Free()
	var asked, seen [tasks]atomic.Int64
	var wk [tasks]atomic.Uint64
	for i := range tasks {
		mustSpawn[int](t, l, fn[int](func(cx *Context) (int, bool, error) {
			wk[i].Store(uint64(cx.Waker()))
			seen[i].Store(asked[i].Load())
			return 0, seen[i].Load() == wakers*rounds, nil
		}))
	}
	l.Poll(Budget{})
	var wg sync.WaitGroup
	for range wakers {
		wg.Go(func() {
			for range rounds {
				for i := range tasks {
					asked[i].Add(1)
					if Waker(wk[i].Load()).Wake() == BadHandle {
						t.Error("bad handle")
					}
				}
			}
		})
	}
	for {
		p, _ := l.Poll(Budget{})
		if p.Live == 0 {
			break
		}
		if !p.More {
			<-h // a lost wake hangs here
		}
	}
	wg.Wait()
}

// Wakers run against tasks that finish, slots that are reused, and executors that
// are freed under them.
func TestHammerLateWakes(t *testing.T) {
	var latest atomic.Uint64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				for range 100 {
					w := Waker(latest.Load())
					w.Wake()
					w.Handle().Cancel()
				}
				runtime.Gosched() // nothing preempts a goroutine on wasm
			}
		})
	}
	for range 30 {
		l := New(Config{Host: hostFunc(func() {})})
		for range 50 {
			drops := 0
			for range 20 {
				mustSpawn[int](t, l, &probe{OnPoll: func(cx *Context) {
					latest.Store(uint64(cx.Waker()))
				}, OnDrop: func() { drops++ }})
			}
			for range 3 {
				l.Poll(Budget{})
			}
			l.carryOut(uint32(CloseCancel))
			for l.Live() > 0 {
				l.Poll(Budget{})
			}
			l.closed = open
			test.Equal(t, "drops", drops, 20)
		}
		l.Free()
	}
	stop.Store(true)
	wg.Wait()
}

type hostFunc func()

func (f hostFunc) Wake() error { f(); return nil }
