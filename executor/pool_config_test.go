// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// ledger is hooks that count, and tokens that know whether they are entered.
type ledger struct {
	t                                 *testing.T
	captured, entered, left, released atomic.Int64
}

type token struct{ inside atomic.Bool }

func (h *ledger) Capture() any { h.captured.Add(1); return new(token) }

func (h *ledger) Enter(x any) {
	h.entered.Add(1)
	if x.(*token).inside.Swap(true) {
		h.t.Error("entered twice")
	}
}

func (h *ledger) Leave(x any) {
	h.left.Add(1)
	if !x.(*token).inside.Swap(false) {
		h.t.Error("left without being entered")
	}
}

func (h *ledger) Release(x any) {
	h.released.Add(1)
	if x.(*token).inside.Load() {
		h.t.Error("released before it was left")
	}
}

func TestPoolHooksComeInPairs(t *testing.T) {
	const tasks, polls = 100, 5
	h := &ledger{t: t}
	p := NewPool(PoolConfig{Context: h})
	for i := range tasks {
		n := 0
		task := mustSpawn(t, p, Future[int](fn[int](func(cx *Context) (int, bool, error) {
			if n++; n == polls && i%10 == 0 {
				panic("any")
			}
			cx.WakeSelf()
			return n, n == polls, nil
		})))
		if i%10 == 1 {
			task.Cancel()
		}
	}
	if err := p.Start(3); err != nil {
		t.Fatal(err)
	}
	for p.Live() > 0 {
		runtime.Gosched()
	}
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
	test.Equal(t, "tokens", h.captured.Load(), tasks)
	test.Equal(t, "tokens released", h.released.Load(), tasks)
	// Each poll, and each end; the cancelled ones have an end only.
	test.Equal(t, "entered", h.entered.Load(), tasks*(polls+1)-tasks/10*polls)
	test.Equal(t, "left", h.left.Load(), h.entered.Load())
}

func TestPoolMaxTimers(t *testing.T) {
	r, p := newRig(t), NewPool(PoolConfig{MaxTimers: 1})
	if err := p.Join(r.Local); err != nil {
		t.Fatal(err)
	}
	first := mustSpawn(t, p, Future[struct{}](sleepUntil(10)))
	second := mustSpawn(t, p, Future[struct{}](sleepUntil(5)))
	r.turn(2)
	deadline := mustSpawn[int](t, p, new(probe), WithDeadline(7))
	test.Equal(t, "deadline", r.turn(1).Deadline, 7)
	_, err := second.Result()
	test.Equal(t, "over the quota", err, ErrAgain)
	test.Equal(t, "what is a task's own isn't refused", deadline.Done(), false)
	r.now = 10
	r.turn(1)
	test.Equal(t, "done", first.Done() && deadline.Done(), true)
	if err := r.Local.Free(); err != nil {
		t.Error(err)
	}
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}

func TestPoolClockIsTheStartedOnes(t *testing.T) {
	p := NewPool(PoolConfig{Clock: func() int64 { return 42 }})
	if err := p.Start(1); err != nil {
		t.Fatal(err)
	}
	now, err := run(t, p, fn[int](func(cx *Context) (int, bool, error) { return int(cx.Now()), true, nil }))
	test.Equal(t, "now", now, 42)
	test.Equal(t, "error", err, nil)
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}

// robbed gives the number of the worker from whom the last of three steals, when the
// two others have one task each to spare.
func robbed(c *poolRig) string {
	c.t.Helper()
	for _, victim := range c.workers[:2] {
		mustSpawn[int](c.t, c.Pool, &probe{Ready: true})
		mustSpawn[int](c.t, c.Pool, &probe{Ready: true})
		if p, err := victim.Poll(Budget{MaxPolls: 1}); err != nil || p.Polled != 1 {
			c.t.Fatal(p, err)
		}
	}
	c.turn(2, 1)
	if c.workers[0].worker.waiting() == 0 {
		c.turn(1, 1)
		return "0"
	}
	c.turn(0, 1)
	return "1"
}

func TestPoolStealsFromEveryoneAsTheSeedSays(t *testing.T) {
	all := make(map[string]bool)
	for seed := range uint64(4) {
		c := newPoolRigWith(t, PoolConfig{Seed: seed}, 3)
		var order string
		for range 30 {
			order += robbed(c)
		}
		test.Equal(t, "the first is robbed in "+order, strings.Contains(order, "0"), true)
		test.Equal(t, "the second is robbed in "+order, strings.Contains(order, "1"), true)
		all[order] = true
	}
	test.Equal(t, "orders", len(all), 4)
}

func TestPoolHas256Workers(t *testing.T) {
	c := newPoolRig(t, 256)
	test.Equal(t, "one more", c.Join(newRig(t).Local), ErrAgain)
	mustSpawn[int](t, c.Pool, &probe{Ready: true})
	c.turn(255, 1)
	test.Equal(t, "leave", c.Leave(c.workers[7].Local), nil)
	test.Equal(t, "in its place", c.Join(newRig(t).Local), nil)
	test.Equal(t, "one more", c.Join(newRig(t).Local), ErrAgain)
}
