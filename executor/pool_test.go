// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// poolRig is a pool whose workers are stepped by hand, in one goroutine, so that
// every order of turns can be written down.
type poolRig struct {
	*Pool
	t       *testing.T
	workers []*rig
	trace   strings.Builder
}

func newPoolRig(t *testing.T, n int) *poolRig { return newPoolRigWith(t, PoolConfig{}, n) }

func newPoolRigWith(t *testing.T, config PoolConfig, n int) *poolRig {
	c := &poolRig{Pool: NewPool(config), t: t}
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

// turn polls a worker once and checks how many polls that was.
func (c *poolRig) turn(i, polls int) Progress {
	c.t.Helper()
	return c.workers[i].turn(polls)
}

// pokes gives the pokes of each worker.
func (c *poolRig) pokes() string {
	var all []int
	for _, r := range c.workers {
		all = append(all, r.pokes)
		r.pokes = 0
	}
	return fmt.Sprint(all)
}

// named writes its name into the trace at each poll, with the worker's number.
func (c *poolRig) named(name string, p *probe) *probe {
	p.OnPoll = func(cx *Context) {
		for i, r := range c.workers {
			if r.Local == cx.Local() {
				fmt.Fprintf(&c.trace, "%s%d ", name, i)
			}
		}
	}
	return p
}

func (c *poolRig) wantTrace(want string) {
	c.t.Helper()
	got := strings.TrimSpace(c.trace.String())
	c.trace.Reset()
	test.Equal(c.t, "the trace", got, want)
}

func TestPoolTaskRunsOnAnyWorker(t *testing.T) {
	c := newPoolRig(t, 2)
	c.pokes()
	p := c.named("a", new(probe))
	task := mustSpawn[int](t, c.Pool, p)
	test.Equal(t, "pokes", c.pokes(), "[1 0]")
	c.turn(1, 1)
	c.turn(0, 0)
	p.Ready = true
	test.Equal(t, "the wake", p.Waker.Wake(), Accepted)
	test.Equal(t, "the second wake", p.Waker.Wake(), Coalesced)
	c.turn(0, 1)
	c.wantTrace("a1 a0")
	p.Want(t, 2, 1)
	test.Equal(t, "the late wake", p.Waker.Wake(), Stale)
	v, err := task.Result()
	test.Equal(t, "the value", v, 2)
	test.Equal(t, "the error", err, nil)
	test.Equal(t, "live", c.Live(), 0)
}

func TestPoolStealsHalf(t *testing.T) {
	c := newPoolRig(t, 2)
	for i := range 8 {
		p := c.named(string(rune('a'+i)), new(probe))
		p.OnPoll = both(p.OnPoll, (*Context).WakeSelf)
		mustSpawn[int](t, c.Pool, p)
	}
	c.turn(0, 8)
	c.turn(1, 4)
	c.turn(0, 4)
	c.wantTrace("a0 b0 c0 d0 e0 f0 g0 h0 a1 b1 c1 d1 e0 f0 g0 h0")
}

func both(a, b func(cx *Context)) func(cx *Context) {
	return func(cx *Context) { a(cx); b(cx) }
}

func TestPoolLeaveHandsOver(t *testing.T) {
	c := newPoolRig(t, 2)
	var probes [3]probe
	for i := range probes {
		p := c.named(string(rune('a'+i)), &probes[i])
		p.OnPoll = both(p.OnPoll, (*Context).WakeSelf)
		mustSpawn[int](t, c.Pool, p)
	}
	c.turn(0, 3)
	c.pokes()
	test.Equal(t, "leave", c.Leave(c.workers[0].Local), nil)
	test.Equal(t, "pokes", c.pokes(), "[0 0]") // it was poked for the work that was left
	test.Equal(t, "leave twice", c.Leave(c.workers[0].Local), ErrWrongLocal)
	c.turn(0, 0)
	c.turn(1, 3)
	c.wantTrace("a0 b0 c0 a1 b1 c1")
	test.Equal(t, "join again", c.Join(c.workers[0].Local), nil)
	c.turn(0, 2)
	test.Equal(t, "leave", c.Free(), ErrBusy)
}

func TestPoolLocalTasksStay(t *testing.T) {
	c := newPoolRig(t, 2)
	local := c.named("l", new(probe))
	local.OnPoll = both(local.OnPoll, (*Context).WakeSelf)
	mustSpawn[int](t, c.workers[0].Local, local)
	pooled := c.named("p", new(probe))
	pooled.OnPoll = both(pooled.OnPoll, (*Context).WakeSelf)
	mustSpawn[int](t, c.Pool, pooled)
	c.turn(0, 2)
	c.turn(1, 1)
	c.turn(0, 2)
	c.turn(0, 2)
	c.wantTrace("l0 p0 p1 l0 p0 l0 p0")
}

func TestPoolSharesTheBudget(t *testing.T) {
	c := newPoolRig(t, 1)
	for range 2 {
		for name, e := range map[string]Executor{"l": c.workers[0].Local, "p": c.Pool} {
			p := c.named(name, new(probe))
			p.OnPoll = both(p.OnPoll, (*Context).WakeSelf)
			mustSpawn[int](t, e, p)
		}
	}
	for range 4 {
		progress, err := c.workers[0].Poll(Budget{MaxPolls: 2})
		if err != nil || progress.Polled != 2 || !progress.More {
			t.Fatal(progress, err)
		}
	}
	c.wantTrace("l0 l0 p0 p0 l0 l0 p0 p0")
}

func TestPoolMisuseIsNamed(t *testing.T) {
	r, p := newRig(t), NewPool(PoolConfig{MaxTasks: 1})
	test.Equal(t, "leave before join", p.Leave(r.Local), ErrWrongLocal)
	test.Equal(t, "join", p.Join(r.Local), nil)
	test.Equal(t, "join twice", p.Join(r.Local), ErrBusy)
	test.Equal(t, "join two", NewPool(PoolConfig{}).Join(r.Local), ErrBusy)
	test.Equal(t, "free with workers", p.Free(), ErrBusy)
	test.Equal(t, "workers", p.joined(), 1)
	task := mustSpawn[int](t, p, &probe{OnPoll: func(*Context) {
		test.Equal(t, "leave from a poll", p.Leave(r.Local), ErrReentrant)
		test.Equal(t, "join from a poll", p.Join(r.Local), ErrReentrant)
	}})
	r.turn(1)
	test.Equal(t, "spawn live", task.Spawn(p, new(probe)), ErrBusy)
	_, err := Spawn[int](p, new(probe))
	test.Equal(t, "over the quota", err, ErrAgain)
	r.Local.Free()
	test.Equal(t, "join when freed", p.Join(r.Local), ErrClosed)
	test.Equal(t, "free", p.Free(), nil)
	test.Equal(t, "free twice", p.Free(), nil)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	_, err = Spawn[int](p, new(probe))
	test.Equal(t, "spawn when freed", err, ErrClosed)
	test.Equal(t, "join to a freed pool", p.Join(newRig(t).Local), ErrClosed)
}

func TestPoolContainsPanicAndGoexit(t *testing.T) {
	c := newPoolRig(t, 1)
	bad := mustSpawn[int](t, c.Pool, &probe{OnPoll: func(*Context) { panic("no") }})
	good := c.named("g", &probe{Ready: true})
	mustSpawn[int](t, c.Pool, good)
	c.turn(0, 2)
	_, err := bad.Result()
	if err == nil || err.Error() != "panic: no" {
		t.Fatal(err)
	}
	c.wantTrace("g0")
}

func TestPoolTimersFireOnAnyWorker(t *testing.T) {
	c := newPoolRig(t, 2)
	timed := mustSpawn[struct{}](t, c.Pool, sleepUntil(10))
	dropped := mustSpawn[struct{}](t, c.Pool, sleepUntil(5))
	test.Equal(t, "the deadline", c.turn(0, 2).Deadline, 5)
	dropped.Cancel()
	test.Equal(t, "the deadline without it", c.turn(1, 0).Deadline, 10)
	c.workers[0].now = 9
	c.turn(0, 0)
	c.pokes()
	test.Equal(t, "leave", c.Leave(c.workers[0].Local), nil)
	test.Equal(t, "pokes", c.pokes(), "[0 1]") // worker 0 has left: worker 1 must report the deadline
	c.workers[1].now = 10
	test.Equal(t, "the deadline", c.turn(1, 1).Deadline, Never)
	test.Equal(t, "done", timed.Done(), true)
}

// A test's clock may be set to a deadline without a look at it.
func TestPoolAtTheEndOfTime(t *testing.T) {
	c := newPoolRig(t, 1)
	nap := mustSpawn(t, c.Pool, Future[struct{}](sleepUntil(Never-1)))
	c.turn(0, 1)
	c.workers[0].now = Never
	c.turn(0, 1)
	test.Equal(t, "done", nap.Done(), true)
	c.turn(0, 0)
}

// A worker that was poked for what is in another's ring leaves before it has looked.
func TestPokedWorkerThatLeavesPokesAnother(t *testing.T) {
	c := newPoolRig(t, 3)
	mustSpawn[int](t, c.Pool, &probe{Ready: true, OnPoll: func(cx *Context) {
		for range 3 {
			mustSpawn[int](t, cx, new(probe))
		}
	}})
	c.pokes()
	if _, err := c.workers[0].Poll(Budget{MaxPolls: 1}); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "pokes", c.pokes(), "[0 1 0]")
	if err := c.Leave(c.workers[1].Local); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "pokes", c.pokes(), "[0 0 1]")
	c.turn(2, 2)
	if err := c.Leave(c.workers[2].Local); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "pokes: it had looked, and nothing is left", c.pokes(), "[0 0 0]")
}
