// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent")) // js has one of its own
}

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

// probe is a future that counts what is done to it.
type probe struct {
	polls, drops int
	waker        Waker
	ready        bool
	onPoll       func(cx *Context)
	onDrop       func()
}

func (p *probe) Poll(cx *Context) (int, bool, error) {
	p.polls++
	p.waker = cx.Waker()
	if p.onPoll != nil {
		p.onPoll(cx)
	}
	return p.polls, p.ready, nil
}

func (p *probe) Drop() {
	p.drops++
	if p.onDrop != nil {
		p.onDrop()
	}
}

func (p *probe) want(t *testing.T, polls, drops int) {
	t.Helper()
	if p.polls != polls || p.drops != drops {
		t.Fatalf("%d polls and %d drops, want %d and %d", p.polls, p.drops, polls, drops)
	}
}

func mustSpawn[T any](t testing.TB, l Executor, f Future[T], o ...Option) *Task[T] {
	t.Helper()
	task, err := Spawn(l, f, o...)
	if err != nil {
		t.Fatalf("Spawn: %v", err)
	}
	return task
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
