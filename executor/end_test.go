// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestErrTimedOutIsWhatOthersExpect(t *testing.T) {
	test.Equal(t, "context", errors.Is(ErrTimedOut, context.DeadlineExceeded), true)
	test.Equal(t, "os", errors.Is(ErrTimedOut, os.ErrDeadlineExceeded), true)
	test.Equal(t, "cancelled", errors.Is(ErrTimedOut, ErrCancelled), false)
	var timeout net.Error
	test.Equal(t, "net", errors.As(ErrTimedOut, &timeout) && timeout.Timeout(), true)
}

func TestCancelWithACause(t *testing.T) {
	r := newRig(t)
	p, fresh := new(probe), new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.cancelWith(&task.task, ErrTimedOut)
	test.Equal(t, "pokes", r.pokes, 2)
	r.cancelWith(&task.task, ErrCancelled) // the first counts
	never := mustSpawn[int](t, r.Local, fresh)
	r.cancelWith(&never.task, ErrTimedOut)
	r.turn(0)
	for _, done := range []*Task[int]{task, never} {
		v, err := done.Result()
		test.Equal(t, "error", err, ErrTimedOut)
		test.Equal(t, "value", v, 0)
	}
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	test.Equal(t, "outcome", never.Outcome(), CancelledBeforeStart)
	p.Want(t, 1, 1)
	fresh.Want(t, 0, 1)
	r.cancelWith(&task.task, ErrTimedOut)
	r.turn(0)
}

// A host may have its turns at another depth than the owner.
func TestWhatEndsBodiesOutsideOfTurnsGoesThroughTheHost(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe))
	refused, entered := error(ErrBusy), 0
	enter := func(f func()) error {
		entered++
		if refused == nil {
			f()
		}
		return refused
	}
	test.Equal(t, "another host", r.Carrier().Through(noHost{}, enter), ErrWrongLocal)
	test.Equal(t, "its host", r.Carrier().Through(r, enter), nil)
	r.turn(1)
	test.Equal(t, "turns", entered, 0)
	test.Equal(t, "evict", r.Evict(task.Handle()), ErrReentrant)
	test.Equal(t, "release", r.Release(), ErrBusy)
	test.Equal(t, "free", r.Free(), ErrBusy)
	test.Equal(t, "done", task.Done(), false)
	refused = nil
	test.Equal(t, "evict", r.Evict(task.Handle()), nil)
	test.Equal(t, "done", task.Done(), true)
	test.Equal(t, "release", r.Release(), nil)
	test.Equal(t, "free", r.Free(), nil)
	test.Equal(t, "again", r.Free(), nil)
	test.Equal(t, "entered", entered, 6)
}

func TestCancelDuringOwnPollThatWaits(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	var task *Task[int]
	p.OnPoll = func(cx *Context) {
		test.Equal(t, "error before", cx.Err(), nil)
		test.Equal(t, "cancel", task.Cancel(), Accepted)
		test.Equal(t, "cancel", task.Cancel(), Coalesced)
		test.Equal(t, "cancelled", cx.Err() != nil, true)
		test.Equal(t, "error", cx.Err(), ErrCancelled)
	}
	task = mustSpawn[int](t, r.Local, p)
	test.Equal(t, "more", r.turn(1).More, true)
	r.turn(0)
	p.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestCancelFromDropAndOnDone(t *testing.T) {
	r := newRig(t)
	var task *Task[int]
	p := &probe{Ready: true, OnDrop: func() { test.Equal(t, "in Drop", task.Cancel(), Stale) }}
	task = mustSpawn[int](t, r.Local, p, OnDone[int](func(int, error, Outcome) {
		test.Equal(t, "in OnDone", task.Cancel(), Stale)
	}))
	r.turn(1)
	test.Equal(t, "outcome", task.Outcome(), Returned)
}

// shieldUntil shields its task in its first poll and until done.
func shieldUntil(t *testing.T, done *bool) *probe {
	p := new(probe)
	p.OnPoll = func(cx *Context) {
		if p.Polls == 1 {
			test.Equal(t, "shielded before", cx.Shield(true), false)
			test.Equal(t, "nested", cx.Shield(true), true)
			test.Equal(t, "nested", cx.Shield(false), true)
		}
		if *done {
			test.Equal(t, "shielded", cx.Shield(false), true)
			test.Equal(t, "one too many", cx.Shield(false), false)
		}
	}
	return p
}

func TestShieldNotesACancel(t *testing.T) {
	for name, cancel := range map[string]func(*Local, *Task[int]) error{
		"a request":  func(_ *Local, task *Task[int]) error { task.Cancel(); return ErrCancelled },
		"a deadline": func(l *Local, task *Task[int]) error { l.cancelWith(&task.task, ErrTimedOut); return ErrTimedOut },
		"a close":    func(l *Local, _ *Task[int]) error { l.Close(CloseCancel); return ErrCancelled },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			done := false
			p := shieldUntil(t, &done)
			task := mustSpawn[int](t, r.Local, p)
			r.turn(1)
			want := cancel(r.Local, task)
			r.turn(1) // noted, and to be seen
			r.turn(0)
			p.Waker.Wake()
			done = true
			test.Equal(t, "more", r.turn(1).More, true)
			r.turn(0)
			p.Want(t, 3, 1)
			_, err := task.Result()
			test.Equal(t, "error", err, want)
			test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
		})
	}
}

func TestShieldedTaskReturns(t *testing.T) {
	r := newRig(t)
	done := false
	p := shieldUntil(t, &done)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	task.Cancel()
	r.turn(1)
	p.Ready = true
	p.Waker.Wake()
	r.turn(1)
	v, err := task.Result()
	test.Equal(t, "value", v, 3)
	test.Equal(t, "error", err, nil)
	test.Equal(t, "outcome", task.Outcome(), Returned)
	next := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	test.Equal(t, "the next is not shielded", next.shields, 0)
}

func TestShieldWithoutACancelEndsQuietly(t *testing.T) {
	r := newRig(t)
	done := true
	p := shieldUntil(t, &done)
	mustSpawn[int](t, r.Local, p)
	test.Equal(t, "more", r.turn(1).More, false)
}

func TestFreeAndEvictIgnoreShields(t *testing.T) {
	r := newRig(t)
	done := false
	a, b := shieldUntil(t, &done), shieldUntil(t, &done)
	first := mustSpawn[int](t, r.Local, a)
	second := mustSpawn[int](t, r.Local, b)
	r.turn(2)
	test.Equal(t, "evict", r.Evict(first.Handle()), nil)
	test.Equal(t, "evict", r.Evict(first.Handle()), ErrClosed)
	a.Want(t, 1, 1)
	r.Free()
	b.Want(t, 1, 1)
	for _, task := range []*Task[int]{first, second} {
		_, err := task.Result()
		test.Equal(t, "error", err, ErrCancelled)
	}
}

func TestEvictPokesForJoiners(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe))
	joiner := mustSpawn(t, r.Local, task)
	r.turn(2)
	pokes := r.pokes
	test.Equal(t, "evict", r.Evict(task.Handle()), nil)
	test.Equal(t, "pokes", r.pokes-pokes, 1)
	r.turn(1)
	test.Equal(t, "joined", joiner.Done(), true)
}

func TestEvict(t *testing.T) {
	r, other := newRig(t), newRig(t)
	var inner, outer *Task[int]
	trace := ""
	victim := new(probe)
	victim.OnDrop = func() {
		trace += "drop "
		test.Equal(t, "evict of who is being dropped", r.Evict(inner.Handle()), ErrClosed)
		test.Equal(t, "evict of who is being polled", r.Evict(outer.Handle()), ErrReentrant)
	}
	inner = mustSpawn[int](t, r.Local, victim, OnDone[int](func(int, error, Outcome) {
		_, err := r.Poll(Budget{})
		test.Equal(t, "Poll in OnDone", err, ErrReentrant)
		trace += "done "
	}))
	polling := &probe{Ready: true, OnPoll: func(cx *Context) {
		test.Equal(t, "evict of itself", r.Evict(outer.Handle()), ErrReentrant)
		w := cx.Waker()
		test.Equal(t, "evict", r.Evict(inner.Handle()), nil)
		test.Equal(t, "the waker is the same", cx.Waker(), w)
		trace += "evicted"
	}}
	outer = mustSpawn[int](t, r.Local, polling)
	r.turn(2)
	test.Equal(t, "trace", trace, "drop done evicted")
	test.Equal(t, "outcome", inner.Outcome(), CancelledRunning)
	test.Equal(t, "outcome", outer.Outcome(), Returned)

	third := mustSpawn[int](t, r.Local, new(probe))
	test.Equal(t, "another's", other.Evict(third.Handle()), ErrWrongLocal)
	test.Equal(t, "no task", r.Evict(0), ErrWrongLocal)
	test.Equal(t, "evict before the start", r.Evict(third.Handle()), nil)
	r.turn(0)
	test.Equal(t, "outcome", third.Outcome(), CancelledBeforeStart)
}

func TestUnwinderTakesItsTurns(t *testing.T) {
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		turns     int
		err, want error
	}{
		"at once":                {0, nil, ErrCancelled},
		"at once, and fails":     {0, failed, failed},
		"at once, and passes on": {0, ErrCancelled, ErrCancelled},
		"later":                  {2, nil, ErrCancelled},
		"later, and fails":       {1, failed, failed},
		"later, and passes on":   {1, context.Canceled, ErrCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := &slow{Turns: c.turns, Err: c.err}
			task := mustSpawn[int](t, r.Local, s)
			r.turn(1)
			task.Cancel()
			r.turn(0)
			for range c.turns {
				test.Equal(t, "done", task.Done(), false)
				task.Cancel() // once is enough
				r.turn(0)
				s.Waker.Wake()
				r.turn(1)
			}
			test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
			v, err := task.Result()
			test.Equal(t, "value", v, 0)
			test.Equal(t, "error", err, c.want)
			test.Equal(t, "unwinds", s.Unwinds, 1)
			s.Want(t, 1+c.turns, 1)
		})
	}
}

func TestUnwinderThatNeverRanIsDropped(t *testing.T) {
	r := newRig(t)
	s := &slow{Turns: 1}
	mustSpawn[int](t, r.Local, s).Cancel()
	r.turn(0)
	test.Equal(t, "unwinds", s.Unwinds, 0)
	s.Want(t, 0, 1)
}

func TestFreeDropsWhoUnwinds(t *testing.T) {
	r := newRig(t)
	s := &slow{Turns: 5}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	task.Cancel()
	r.turn(0)
	r.Free()
	s.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestPanicWhileUnwinding(t *testing.T) {
	r := newRig(t)
	s := &slow{Turns: 1}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	task.Cancel()
	r.turn(0)
	s.OnPoll = func(*Context) { panic("late") }
	s.Waker.Wake()
	r.turn(1)
	_, err := task.Result()
	test.Equal(t, "error", err.Error(), "panic: late")
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	s.Want(t, 2, 1)
}

// Other goroutines cancel tasks in all states; each is acknowledged once.
func TestHammerCancel(t *testing.T) {
	const rounds, cancellers = 300, 3
	h := make(test.ChanHost, 1)
	l := New(Config{Host: h})
	defer l.Free()
	var handle atomic.Uint64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range cancellers {
		wg.Go(func() {
			for !stop.Load() {
				if h := Handle(handle.Load()); h != 0 {
					h.Cancel()
				}
				runtime.Gosched() // wasm preempts no goroutine
			}
		})
	}
	var outcomes [3]int
	for i := range rounds {
		dones, polls := 0, 0
		task := mustSpawn[int](t, l, fn[int](func(cx *Context) (int, bool, error) {
			if polls == 0 && i%2 == 0 {
				cx.Shield(true)
			}
			if polls++; polls == 5 && i%2 == 0 {
				cx.Shield(false)
			}
			cx.WakeSelf()
			return polls, false, nil
		}), OnDone[int](func(_ int, err error, o Outcome) {
			dones++
			outcomes[o]++
			test.Equal(t, "error", err, ErrCancelled)
		}))
		if i%3 != 0 {
			l.Poll(Budget{})
		}
		handle.Store(uint64(task.Handle()))
		for l.Live() > 0 {
			l.Poll(Budget{})
			runtime.Gosched()
		}
		test.Equal(t, "acknowledged", dones, 1)
		if i%2 == 0 && polls > 0 && polls < 5 {
			t.Fatalf("the shield held for %d polls", polls)
		}
	}
	stop.Store(true)
	wg.Wait()
	test.Equal(t, "returned", outcomes[Returned], 0)
}
