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
)

func TestErrTimedOutIsWhatOthersExpect(t *testing.T) {
	equal(t, "context", errors.Is(ErrTimedOut, context.DeadlineExceeded), true)
	equal(t, "os", errors.Is(ErrTimedOut, os.ErrDeadlineExceeded), true)
	equal(t, "cancelled", errors.Is(ErrTimedOut, ErrCancelled), false)
	var timeout net.Error
	equal(t, "net", errors.As(ErrTimedOut, &timeout) && timeout.Timeout(), true)
}

func TestCancelWithACause(t *testing.T) {
	r := newRig(t)
	p, fresh := new(probe), new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.cancelWith(&task.task, ErrTimedOut)
	equal(t, "pokes", r.pokes, 2)
	r.cancelWith(&task.task, ErrCancelled) // the first counts
	never := mustSpawn[int](t, r.Local, fresh)
	r.cancelWith(&never.task, ErrTimedOut)
	r.turn(0)
	for _, done := range []*Task[int]{task, never} {
		v, err := done.Result()
		equal(t, "error", err, ErrTimedOut)
		equal(t, "value", v, 0)
	}
	equal(t, "outcome", task.Outcome(), CancelledRunning)
	equal(t, "outcome", never.Outcome(), CancelledBeforeStart)
	p.want(t, 1, 1)
	fresh.want(t, 0, 1)
	r.cancelWith(&task.task, ErrTimedOut)
	r.turn(0)
}

func TestCancelDuringOwnPollThatWaits(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	var task *Task[int]
	p.onPoll = func(cx *Context) {
		equal(t, "error before", cx.Err(), nil)
		equal(t, "cancel", task.Cancel(), Accepted)
		equal(t, "cancel", task.Cancel(), Coalesced)
		equal(t, "cancelled", cx.Err() != nil, true)
		equal(t, "error", cx.Err(), ErrCancelled)
	}
	task = mustSpawn[int](t, r.Local, p)
	equal(t, "more", r.turn(1).More, true)
	r.turn(0)
	p.want(t, 1, 1)
	equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestCancelFromDropAndOnDone(t *testing.T) {
	r := newRig(t)
	var task *Task[int]
	p := &probe{ready: true, onDrop: func() { equal(t, "in Drop", task.Cancel(), Stale) }}
	task = mustSpawn[int](t, r.Local, p, OnDone[int](func(int, error, Outcome) {
		equal(t, "in OnDone", task.Cancel(), Stale)
	}))
	r.turn(1)
	equal(t, "outcome", task.Outcome(), Returned)
}

// shieldUntil shields its task in its first poll and until done.
func shieldUntil(t *testing.T, done *bool) *probe {
	p := new(probe)
	p.onPoll = func(cx *Context) {
		if p.polls == 1 {
			equal(t, "shielded before", cx.Shield(true), false)
			equal(t, "nested", cx.Shield(true), true)
			equal(t, "nested", cx.Shield(false), true)
		}
		if *done {
			equal(t, "shielded", cx.Shield(false), true)
			equal(t, "one too many", cx.Shield(false), false)
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
			p.waker.Wake()
			done = true
			equal(t, "more", r.turn(1).More, true)
			r.turn(0)
			p.want(t, 3, 1)
			_, err := task.Result()
			equal(t, "error", err, want)
			equal(t, "outcome", task.Outcome(), CancelledRunning)
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
	p.ready = true
	p.waker.Wake()
	r.turn(1)
	v, err := task.Result()
	equal(t, "value", v, 3)
	equal(t, "error", err, nil)
	equal(t, "outcome", task.Outcome(), Returned)
	next := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	equal(t, "the next is not shielded", next.shields, 0)
}

func TestShieldWithoutACancelEndsQuietly(t *testing.T) {
	r := newRig(t)
	done := true
	p := shieldUntil(t, &done)
	mustSpawn[int](t, r.Local, p)
	equal(t, "more", r.turn(1).More, false)
}

func TestFreeAndEvictIgnoreShields(t *testing.T) {
	r := newRig(t)
	done := false
	a, b := shieldUntil(t, &done), shieldUntil(t, &done)
	first := mustSpawn[int](t, r.Local, a)
	second := mustSpawn[int](t, r.Local, b)
	r.turn(2)
	equal(t, "evict", r.Evict(first.Handle()), nil)
	equal(t, "evict", r.Evict(first.Handle()), ErrClosed)
	a.want(t, 1, 1)
	r.Free()
	b.want(t, 1, 1)
	for _, task := range []*Task[int]{first, second} {
		_, err := task.Result()
		equal(t, "error", err, ErrCancelled)
	}
}

func TestEvictPokesForJoiners(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe))
	joiner := mustSpawn(t, r.Local, task)
	r.turn(2)
	pokes := r.pokes
	equal(t, "evict", r.Evict(task.Handle()), nil)
	equal(t, "pokes", r.pokes-pokes, 1)
	r.turn(1)
	equal(t, "joined", joiner.Done(), true)
}

func TestEvict(t *testing.T) {
	r, other := newRig(t), newRig(t)
	var inner, outer *Task[int]
	trace := ""
	victim := new(probe)
	victim.onDrop = func() {
		trace += "drop "
		equal(t, "evict of who is being dropped", r.Evict(inner.Handle()), ErrClosed)
		equal(t, "evict of who is being polled", r.Evict(outer.Handle()), ErrReentrant)
	}
	inner = mustSpawn[int](t, r.Local, victim, OnDone[int](func(int, error, Outcome) {
		_, err := r.Poll(Budget{})
		equal(t, "Poll in OnDone", err, ErrReentrant)
		trace += "done "
	}))
	polling := &probe{ready: true, onPoll: func(cx *Context) {
		equal(t, "evict of itself", r.Evict(outer.Handle()), ErrReentrant)
		w := cx.Waker()
		equal(t, "evict", r.Evict(inner.Handle()), nil)
		equal(t, "the waker is the same", cx.Waker(), w)
		trace += "evicted"
	}}
	outer = mustSpawn[int](t, r.Local, polling)
	r.turn(2)
	equal(t, "trace", trace, "drop done evicted")
	equal(t, "outcome", inner.Outcome(), CancelledRunning)
	equal(t, "outcome", outer.Outcome(), Returned)

	third := mustSpawn[int](t, r.Local, new(probe))
	equal(t, "another's", other.Evict(third.Handle()), ErrWrongLocal)
	equal(t, "no task", r.Evict(0), ErrWrongLocal)
	equal(t, "evict before the start", r.Evict(third.Handle()), nil)
	r.turn(0)
	equal(t, "outcome", third.Outcome(), CancelledBeforeStart)
}

// slow waits, and takes turns to unwind.
type slow struct {
	probe
	unwinds, turns int
	err            error
}

func (s *slow) Poll(cx *Context) (int, bool, error) {
	v, _, _ := s.probe.Poll(cx)
	if s.unwinds > 0 {
		s.turns--
		return v, s.turns == 0, s.err
	}
	return 0, false, nil
}

func (s *slow) Unwind(cx *Context) (bool, error) {
	s.unwinds++
	return s.turns == 0, s.err
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
			s := &slow{turns: c.turns, err: c.err}
			task := mustSpawn[int](t, r.Local, s)
			r.turn(1)
			task.Cancel()
			r.turn(0)
			for range c.turns {
				equal(t, "done", task.Done(), false)
				task.Cancel() // once is enough
				r.turn(0)
				s.waker.Wake()
				r.turn(1)
			}
			equal(t, "outcome", task.Outcome(), CancelledRunning)
			v, err := task.Result()
			equal(t, "value", v, 0)
			equal(t, "error", err, c.want)
			equal(t, "unwinds", s.unwinds, 1)
			s.want(t, 1+c.turns, 1)
		})
	}
}

func TestUnwinderThatNeverRanIsDropped(t *testing.T) {
	r := newRig(t)
	s := &slow{turns: 1}
	mustSpawn[int](t, r.Local, s).Cancel()
	r.turn(0)
	equal(t, "unwinds", s.unwinds, 0)
	s.want(t, 0, 1)
}

func TestFreeDropsWhoUnwinds(t *testing.T) {
	r := newRig(t)
	s := &slow{turns: 5}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	task.Cancel()
	r.turn(0)
	r.Free()
	s.want(t, 1, 1)
	equal(t, "outcome", task.Outcome(), CancelledRunning)
}

func TestPanicWhileUnwinding(t *testing.T) {
	r := newRig(t)
	s := &slow{turns: 1}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	task.Cancel()
	r.turn(0)
	s.onPoll = func(*Context) { panic("late") }
	s.waker.Wake()
	r.turn(1)
	_, err := task.Result()
	equal(t, "error", err.Error(), "panic: late")
	equal(t, "outcome", task.Outcome(), CancelledRunning)
	s.want(t, 2, 1)
}

// Other goroutines cancel tasks in all states; each is acknowledged once.
func TestHammerCancel(t *testing.T) {
	const rounds, cancellers = 300, 3
	h := make(chanHost, 1)
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
		task := mustSpawn[int](t, l, FutureFunc[int](func(cx *Context) (int, bool, error) {
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
			equal(t, "error", err, ErrCancelled)
		}))
		if i%3 != 0 {
			l.Poll(Budget{})
		}
		handle.Store(uint64(task.Handle()))
		for l.Live() > 0 {
			l.Poll(Budget{})
			runtime.Gosched()
		}
		equal(t, "acknowledged", dones, 1)
		if i%2 == 0 && polls > 0 && polls < 5 {
			t.Fatalf("the shield held for %d polls", polls)
		}
	}
	stop.Store(true)
	wg.Wait()
	equal(t, "returned", outcomes[Returned], 0)
}
