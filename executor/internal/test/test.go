// SPDX-License-Identifier: Apache-2.0

// Package test has what the tests of several packages share. It doesn't import package
// executor, whose own tests use it; so its futures have the types of a context, of a
// waker and of a wake's answer as parameters.
package test

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests and then last. They fail if a goroutine is left.
func Main(m *testing.M, last ...func()) {
	goleak.VerifyTestMain(run(func() int {
		code := m.Run()
		for _, f := range last {
			f()
		}
		return code
	}), goleak.IgnoreAnyFunction("runtime.handleEvent")) // js has one of its own
}

type run func() int

func (r run) Run() int { return r() }

// Equal fails the test unless got is want.
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// Join makes workers of a pool, and frees all of them when the test ends.
func Join[L interface{ Free() error }](t testing.TB, p interface {
	Join(worker L) error
	Free() error
	Live() int
}, workers ...L) {
	for _, w := range workers {
		Equal(t, "join", p.Join(w), nil)
	}
	t.Cleanup(func() {
		for _, w := range workers {
			Equal(t, "freeing a worker", w.Free(), nil)
		}
		Equal(t, "freeing the pool", p.Free(), nil)
		Equal(t, "live at the end", p.Live(), 0)
	})
}

// ChanHost parks its owner on a channel.
type ChanHost chan struct{}

func (h ChanHost) Wake() error {
	select {
	case h <- struct{}{}:
	default: // the owner polled without taking the last one
	}
	return nil
}

// Func makes a function a future.
type Func[C, T any] func(cx C) (T, bool, error)

func (f Func[C, T]) Poll(cx C) (T, bool, error) { return f(cx) }

type context[W any] interface{ Waker() W }

// Probe is a future that counts what is done to it.
type Probe[C context[W], W any] struct {
	Polls, Drops int
	Waker        W
	Ready        bool
	OnPoll       func(cx C)
	OnDrop       func()
}

func (p *Probe[C, W]) Poll(cx C) (int, bool, error) {
	p.Polls++
	p.Waker = cx.Waker()
	if p.OnPoll != nil {
		p.OnPoll(cx)
	}
	return p.Polls, p.Ready, nil
}

func (p *Probe[C, W]) Drop() {
	p.Drops++
	if p.OnDrop != nil {
		p.OnDrop()
	}
}

// Want checks the counts.
func (p *Probe[C, W]) Want(t testing.TB, polls, drops int) {
	t.Helper()
	if p.Polls != polls || p.Drops != drops {
		t.Fatalf("%d polls and %d drops, want %d and %d", p.Polls, p.Drops, polls, drops)
	}
}

// Kid is a future that ends as it is told.
type Kid[C context[W], W interface{ Wake() A }, A any] struct {
	Probe[C, W]
	Err error
}

func (k *Kid[C, W, A]) Poll(cx C) (int, bool, error) {
	v, ready, _ := k.Probe.Poll(cx)
	return v, ready, k.Err
}

// End ends it at its next poll, which it wakes.
func (k *Kid[C, W, A]) End(err error) {
	k.Ready, k.Err = true, err
	k.Waker.Wake()
}

// Slow waits, and takes turns to unwind.
type Slow[C context[W], W any] struct {
	Probe[C, W]
	Unwinds, Turns int
	Err            error
}

func (s *Slow[C, W]) Poll(cx C) (int, bool, error) {
	v, _, _ := s.Probe.Poll(cx)
	if s.Unwinds > 0 {
		s.Turns--
		return v, s.Turns == 0, s.Err
	}
	return 0, false, nil
}

func (s *Slow[C, W]) Unwind(C) (bool, error) {
	s.Unwinds++
	return s.Turns == 0, s.Err
}
