// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent")) // js has one of its own
}

// rig is an executor with a clock that stands still until it is told.
type rig struct {
	*Local
	t     *testing.T
	now   int64
	clock func() int64
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, now: 1}
	r.clock = func() int64 { return r.now }
	r.Local = New(Config{Clock: func() int64 { return r.clock() }})
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
	equal(r.t, "polls of the turn", p.Polled, polls)
	return p
}

// poolRig is a pool whose workers are stepped by hand.
type poolRig struct {
	*Pool
	t       *testing.T
	workers []*rig
}

func newPoolRig(t *testing.T, n int) *poolRig {
	c := &poolRig{Pool: NewPool(PoolConfig{}), t: t}
	for range n {
		r := newRig(t)
		c.workers = append(c.workers, r)
		if err := c.Join(r.Local); err != nil {
			t.Fatal(err)
		}
		r.turn(0)
	}
	t.Cleanup(func() {
		for _, r := range c.workers {
			equal(t, "freeing a worker", r.Local.Free(), nil)
		}
		equal(t, "freeing the pool", c.Pool.Free(), nil)
		equal(t, "live at the end", c.Live(), 0)
	})
	return c
}

func (c *poolRig) turn(i, polls int) Progress {
	c.t.Helper()
	return c.workers[i].turn(polls)
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

var errFirst, errSecond = errors.New("first"), errors.New("second")

// kid is a future that ends as it is told.
type kid struct {
	probe
	err error
}

func (c *kid) Poll(cx *Context) (int, bool, error) {
	v, ready, _ := c.probe.Poll(cx)
	return v, ready, c.err
}

func (c *kid) end(err error) {
	c.ready, c.err = true, err
	c.waker.Wake()
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

func mustSpawn[T any](t testing.TB, e Executor, f Future[T], o ...Option) *Task[T] {
	t.Helper()
	task, err := Spawn(e, f, o...)
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
