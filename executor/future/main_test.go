// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestMain(m *testing.M) { test.Main(m) }

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
	test.Equal(r.t, "polls of the turn", p.Polled, polls)
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
	var locals []*Local
	for range n {
		r := newRig(t)
		c.workers = append(c.workers, r)
		locals = append(locals, r.Local)
	}
	test.Join(t, c.Pool, locals...)
	for _, r := range c.workers {
		r.turn(0)
	}
	return c
}

func (c *poolRig) turn(i, polls int) Progress {
	c.t.Helper()
	return c.workers[i].turn(polls)
}

// Futures of package test, with this package's types.
type (
	probe = test.Probe[*Context, Waker]
	kid   = test.Kid[*Context, Waker, Answer]
	slow  = test.Slow[*Context, Waker]
)

var errFirst, errSecond = errors.New("first"), errors.New("second")

func mustSpawn[T any](t testing.TB, e Executor, f Future[T], o ...Option) *Task[T] {
	t.Helper()
	task, err := Spawn(e, f, o...)
	if err != nil {
		t.Fatalf("Spawn: %v", err)
	}
	return task
}
