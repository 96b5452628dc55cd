// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestMain(m *testing.M) { test.Main(m) }

// rig is an executor with a clock that stands still until it is told.
type rig struct {
	*Local
	t      *testing.T
	pokes  int
	now    int64
	onWake func()
}

func (r *rig) Wake() error {
	r.pokes++
	if r.onWake != nil {
		r.onWake()
	}
	return nil
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, now: 1}
	r.Local = New(Config{Host: r, Clock: func() int64 { return r.now }})
	t.Cleanup(func() { r.Local.Free() })
	return r
}

// turn polls once and checks how many polls that was.
func (r *rig) turn(polls int) Progress {
	r.t.Helper()
	p, err := r.Poll(Budget{})
	if err != nil {
		r.t.Fatalf("Poll: %v", err)
	}
	if p.Polled != polls {
		r.t.Fatalf("the turn polled %d times, want %d", p.Polled, polls)
	}
	return p
}

// Futures of package test, with this package's types.
type (
	probe = test.Probe[*Context, Waker]
	kid   = test.Kid[*Context, Waker, Answer]
	slow  = test.Slow[*Context, Waker]

	fn[T any] = test.Func[*Context, T]
)

// What package future has, for tests that can't import it.

func sleep(d time.Duration) *Timer {
	t := new(Timer)
	t.Reset(d)
	return t
}

func sleepUntil(at int64) *Timer {
	t := new(Timer)
	t.ResetAt(at)
	return t
}

func run(t *testing.T, p *Pool, f Future[int]) (value int, err error) {
	t.Helper()
	done := make(chan struct{})
	mustSpawn(t, p, f, OnDone[int](func(v int, e error, _ Outcome) {
		value, err = v, e
		close(done)
	}))
	<-done
	return value, err
}

func mustSpawn[T any](t testing.TB, l Executor, f Future[T], o ...Option) *Task[T] {
	t.Helper()
	task, err := Spawn(l, f, o...)
	if err != nil {
		t.Fatalf("Spawn: %v", err)
	}
	return task
}
