// SPDX-License-Identifier: Apache-2.0

package hostsuite

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign"
)

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// worker is a coroutine that awaits a goroutine's work so many times.
func worker(times int) executor.Future[int] {
	return coro.New(func(co *coro.Co) (n int, err error) {
		for range times {
			if _, err = coro.Await(co, offload.Go(func(context.Context) (int, error) { return 1, nil })); err != nil {
				return n, err
			}
			runtime.GC() // the stacks of coroutines and of C's callbacks
			n++
		}
		return n, nil
	})
}

func (p *place) work(t *testing.T) {
	t.Helper()
	task, err := executor.Spawn(p.l, worker(3))
	if err != nil {
		t.Fatal(err)
	}
	p.run(t)
	if n, err := task.Result(); n != 3 || err != nil {
		t.Fatal(n, err)
	}
}

func attaches(t *testing.T, p *place) {
	want(t, p.host.Attach(p.l), executor.ErrBusy)
	host, err := p.Host()
	if err != nil {
		t.Fatal(err)
	}
	want(t, host.Attach(p.l), executor.ErrWrongLocal)
	want(t, host.Run(), executor.ErrClosed)
	l := executor.New(executor.Config{Host: host})
	suspended, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		return 0, coro.Shield(co, co.Yield)
	}))
	l.Poll(executor.Budget{})
	want(t, host.Attach(l), executor.ErrBusy) // its coroutine began outside
	for !suspended.Done() {
		l.Poll(executor.Budget{})
	}
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	(&place{p.Loop, host, l}).work(t)
	p.work(t)
	want(t, host.Close(), nil)
	want(t, host.Attach(l), executor.ErrClosed)
	want(t, host.Run(), executor.ErrClosed)
}

func early(t *testing.T, p *place) {
	host, err := p.Host()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	l := executor.New(executor.Config{Host: host})
	task, _ := executor.Spawn(l, future.Sleep(time.Millisecond))
	want(t, host.Attach(l), nil)
	want(t, host.Run(), nil)
	if !task.Done() {
		t.Fatal("it isn't done")
	}
}

// suspend leaves a coroutine suspended, and idle ones.
func (p *place) suspend(t *testing.T) *executor.Task[int] {
	t.Helper()
	p.work(t)
	begun := false
	task, _ := executor.Spawn(p.l, coro.New(func(co *coro.Co) (int, error) {
		begun = true
		return coro.Await(co, future.Func[int](func(*executor.Context) (int, bool, error) {
			return 0, false, nil
		}))
	}))
	p.until(func() bool { return begun })
	executor.Spawn(p.l, worker(1))
	p.until(func() bool { return p.l.Live() == 1 })
	if coro.Suspended(p.l) != 1 || coro.Idle(p.l) == 0 {
		t.Fatal(coro.Suspended(p.l), coro.Idle(p.l))
	}
	return task
}

// Go ends the process if the free is made outside of callbacks.
func frees(t *testing.T, p *place) {
	task := p.suspend(t)
	want(t, p.l.Release(), executor.ErrBusy)
	task.Cancel()
	p.run(t)
	want(t, p.l.Release(), nil) // idle ones only
	task = p.suspend(t)
	want(t, p.l.Free(), nil)
	want(t, task.Err(), executor.ErrCancelled)
	if coro.Suspended(p.l) != 0 || coro.Idle(p.l) != 0 {
		t.Fatal("coroutines are left")
	}
	want(t, <-p.closeElsewhere(), foreign.ErrWrongThread)
}

func freesInHandler(t *testing.T, p *place) {
	task := p.suspend(t)
	p.After(0, func() {
		inHandler(func() { // deeper than turns
			want(t, p.l.Free(), executor.ErrReentrant)
			want(t, p.host.Close(), executor.ErrReentrant)
		})
		want(t, p.host.Close(), nil)
	})
	p.until(task.Done)
	want(t, task.Err(), executor.ErrCancelled)
}

func evicts(t *testing.T, p *place) {
	for _, evict := range []func(f func()){
		func(f func()) { f() },
		inHandler,
		func(f func()) { p.After(0, f) },
	} {
		task := p.suspend(t)
		evict(func() { want(t, p.l.Evict(task.Handle()), nil) })
		p.until(task.Done)
	}
	task := p.suspend(t)
	inHandler(func() {
		inHandler(func() { want(t, p.l.Evict(task.Handle()), executor.ErrReentrant) })
	})
	want(t, <-p.closeElsewhere(), foreign.ErrWrongThread)
	if task.Done() {
		t.Fatal("it is done")
	}
}

func (p *place) closeElsewhere() <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- p.host.Close() }()
	return answer
}

func destroyed(t *testing.T, p *place) {
	p.suspend(t)
	p.Destroy()
	executor.Spawn(p.l, worker(1)) // wakes a host whose loop is gone
}

func closedEarly(t *testing.T, p *place) {
	host, err := p.Host()
	if err != nil {
		t.Fatal(err)
	}
	want(t, host.Wake(), nil)
	want(t, host.Close(), nil)
	want(t, host.Close(), nil)
	want(t, host.Wake(), executor.ErrClosed)
}

func panics(t *testing.T, p *place) {
	executor.Spawn(p.l, future.Sleep(5*time.Millisecond)) // its timer stays armed
	executor.Spawn(p.l, worker(1), executor.OnDone[int](func(int, error, executor.Outcome) { panic("mine") }))
	err := p.host.Run()
	var panicked *executor.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "mine" {
		t.Fatal(err)
	}
	want(t, p.host.Err(), err)
	executor.Spawn(p.l, future.Sleep(0))
	if rounds := p.wait(20 * time.Millisecond); rounds > 10 { // it makes no more turns
		t.Fatal(rounds, "rounds")
	}
}

func slots(t *testing.T, p *place) {
	use := func() {
		other := add(t, p.Loop)
		other.work(t)
		want(t, other.host.Close(), nil)
		p.wait(time.Millisecond)
	}
	use()
	probe := func() uintptr { return purego.NewCallback(func() uintptr { return 0 }) }
	first, second := probe(), probe()
	for range 20 {
		use()
	}
	if third := probe(); third-second != second-first {
		t.Fatal("callbacks were made")
	}
}
