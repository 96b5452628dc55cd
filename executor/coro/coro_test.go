// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"go.uber.org/goleak"
)

// Bodies that called Goexit stay parked; only they may be left.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/pillion-dev/pillion/executor/coro.(*worker).perform.func1"),
		goleak.IgnoreAnyFunction("runtime.handleEvent")) // js has one of its own
}

func newLocal(t testing.TB) *executor.Local {
	l := executor.New(executor.Config{})
	t.Cleanup(func() { l.Free() })
	return l
}

func spawn[T any](t testing.TB, l *executor.Local, body func(*Co) (T, error)) *executor.Task[T] {
	t.Helper()
	task, err := executor.Spawn(l, New(body))
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func poll(l *executor.Local) executor.Progress {
	p, _ := l.Poll(executor.Budget{})
	return p
}

// gate is ready once it was opened, and counts.
type gate struct {
	open         bool
	polls, drops int
	waker        executor.Waker
}

func (g *gate) Poll(cx *executor.Context) (int, bool, error) {
	g.polls++
	g.waker = cx.Waker()
	return 7, g.open, nil
}

func (g *gate) Drop() { g.drops++ }

func TestAwait(t *testing.T) {
	l := newLocal(t)
	g := new(gate)
	task := spawn(t, l, func(co *Co) (string, error) {
		n, err := Await(co, g)
		return fmt.Sprint(n), err
	})
	test.Equal(t, "begun before its first poll", Suspended(l), 0)
	poll(l)
	test.Equal(t, "suspended", Suspended(l), 1)
	g.open = true
	g.waker.Wake()
	poll(l)
	v, err := task.Result()
	test.Equal(t, "value", v, "7")
	test.Equal(t, "error", err, nil)
	test.Equal(t, "suspended", Suspended(l), 0)
	test.Equal(t, "idle", Idle(l), 1)
	test.Equal(t, "polls", g.polls, 2)
	test.Equal(t, "drops", g.drops, 1)
}

func TestCoroutinesAreReused(t *testing.T) {
	l := newLocal(t)
	for range 10 {
		for range 5 {
			spawn(t, l, func(co *Co) (int, error) { return 0, co.Yield() })
		}
		poll(l)
		test.Equal(t, "suspended", Suspended(l), 5)
		poll(l)
		test.Equal(t, "idle", Idle(l), 5)
	}
}

func TestIdleCoroutinesAreBounded(t *testing.T) {
	l := newLocal(t)
	for range maxIdle + 10 {
		spawn(t, l, func(co *Co) (int, error) { return 0, co.Yield() })
	}
	poll(l)
	poll(l)
	test.Equal(t, "idle", Idle(l), maxIdle)
}

func TestCancelBeforeFirstPoll(t *testing.T) {
	l := newLocal(t)
	task := spawn(t, l, func(co *Co) (int, error) {
		t.Error("the body ran")
		return 0, nil
	})
	task.Cancel()
	poll(l)
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledBeforeStart)
	test.Equal(t, "idle", Idle(l), 0)
}

func TestCancelUnwinds(t *testing.T) {
	l := newLocal(t)
	var trace []string
	g := new(gate)
	task := spawn(t, l, func(co *Co) (int, error) {
		defer func() {
			_, err := Await(co, future.Sleep(time.Hour))
			trace = append(trace, "deferred: "+err.Error())
		}()
		_, err := Await(co, g)
		trace = append(trace, "first: "+err.Error())
		_, err = Await(co, g)
		trace = append(trace, "second: "+err.Error())
		trace = append(trace, "yield: "+co.Yield().Error())
		return 1, nil
	})
	poll(l)
	task.Cancel()
	poll(l)
	const c = "executor: cancelled"
	test.Equal(t, "trace", strings.Join(trace, ", "), "first: "+c+", second: "+c+", yield: "+c+", deferred: "+c)
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	_, err := task.Result()
	test.Equal(t, "error", err, executor.ErrCancelled)
	test.Equal(t, "polls", g.polls, 1)
	test.Equal(t, "drops", g.drops, 2) // it was awaited twice
	test.Equal(t, "idle", Idle(l), 1)
}

func TestPanicInABody(t *testing.T) {
	l := newLocal(t)
	task := spawn(t, l, func(co *Co) (int, error) {
		co.Yield()
		panic("at the disco")
	})
	poll(l)
	poll(l)
	_, err := task.Result()
	var pe *executor.PanicError
	if !errors.As(err, &pe) || pe.Value != "at the disco" || !strings.Contains(string(pe.Stack), "TestPanicInABody") {
		t.Fatalf("error: %v", err)
	}
	test.Equal(t, "idle: a panic costs no coroutine", Idle(l), 1)
	test.Equal(t, "lost", Lost(l), 0)
}

func TestPanicWhileUnwinding(t *testing.T) {
	l := newLocal(t)
	task := spawn(t, l, func(co *Co) (int, error) {
		defer func() { panic("late") }()
		return 0, co.Yield()
	})
	poll(l)
	task.Cancel()
	poll(l)
	_, err := task.Result()
	if err == nil || err.Error() != "panic: late" {
		t.Fatalf("error: %v", err)
	}
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
}

func TestGoexitIsContained(t *testing.T) {
	l := newLocal(t)
	task := spawn(t, l, func(co *Co) (int, error) {
		co.Yield()
		runtime.Goexit()
		return 0, nil
	})
	other := spawn(t, l, func(co *Co) (int, error) { return 1, co.Yield() })
	poll(l)
	poll(l)
	_, err := task.Result()
	test.Equal(t, "error", err, executor.ErrGoexit)
	test.Equal(t, "lost", Lost(l), 1)
	test.Equal(t, "suspended", Suspended(l), 0)
	test.Equal(t, "the other", other.Done(), true)
	l.Carrier().Retire()
}

func TestNestedCoroutines(t *testing.T) {
	l := newLocal(t)
	drops := 0
	outer := func(n int) *executor.Task[int] {
		return spawn(t, l, func(co *Co) (int, error) {
			return Await(co, New(func(co *Co) (int, error) {
				defer func() { drops++ }()
				for range n {
					if err := co.Yield(); err != nil {
						return 0, err
					}
				}
				return n, nil
			}))
		})
	}
	a, b := outer(1), outer(1000)
	poll(l)
	test.Equal(t, "suspended", Suspended(l), 4)
	poll(l)
	v, _ := a.Result()
	test.Equal(t, "value", v, 1)
	b.Cancel()
	poll(l)
	test.Equal(t, "suspended", Suspended(l), 0)
	test.Equal(t, "deferred calls", drops, 2)
}

func TestRetireEndsEveryCoroutine(t *testing.T) {
	l := newLocal(t)
	unwound := 0
	body := func(co *Co) (int, error) {
		defer func() { unwound++ }()
		_, err := Await(co, future.Sleep(time.Hour))
		return 0, err
	}
	a := spawn(t, l, body)
	b := spawn(t, l, func(co *Co) (int, error) { return Await(co, New(body)) })
	spawn(t, l, func(*Co) (int, error) { return 0, nil })
	poll(l)
	test.Equal(t, "idle", Idle(l), 1)
	l.Carrier().Retire()
	test.Equal(t, "unwound", unwound, 2)
	test.Equal(t, "suspended", Suspended(l), 0)
	test.Equal(t, "idle", Idle(l), 0)
	test.Equal(t, "live", poll(l).Live, 0)
	test.Equal(t, "outcome", a.Outcome(), executor.CancelledRunning)
	test.Equal(t, "outcome", b.Outcome(), executor.CancelledRunning)
	test.Equal(t, "deadline", poll(l).Deadline, executor.Never)
	c := spawn(t, l, body)
	poll(l)
	test.Equal(t, "begun after it", c.Done(), false)
}

// The executor moves to another thread, as it may while no coroutine is there.
func TestMoveAfterRetire(t *testing.T) {
	l := newLocal(t)
	run := func() {
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends too
			defer close(done)
			task := spawn(t, l, func(co *Co) (int, error) { return 1, co.Yield() })
			poll(l)
			poll(l)
			test.Equal(t, "done", task.Done(), true)
			l.Carrier().Retire()
		}()
		<-done
	}
	run()
	run()
}

func TestFreeUnwinds(t *testing.T) {
	l := newLocal(t)
	g := new(gate)
	unwound := false
	spawn(t, l, func(co *Co) (int, error) {
		defer func() { unwound = true }()
		return Await(co, g)
	})
	poll(l)
	l.Free()
	test.Equal(t, "unwound", unwound, true)
	test.Equal(t, "drops", g.drops, 1)
}

func TestAwaitATask(t *testing.T) {
	l := newLocal(t)
	g := new(gate)
	child, _ := executor.Spawn(l, executor.Future[int](g))
	parent := spawn(t, l, func(co *Co) (int, error) { return Await(co, child) })
	poll(l)
	g.open = true
	g.waker.Wake()
	poll(l)
	poll(l)
	v, _ := parent.Result()
	test.Equal(t, "value", v, 7)
}

func TestSwitchAllocatesNothing(t *testing.T) {
	l := newLocal(t)
	spawn(t, l, func(co *Co) (int, error) {
		for {
			if err := co.Yield(); err != nil {
				return 0, err
			}
		}
	})
	poll(l)
	if n := testing.AllocsPerRun(100, func() { poll(l) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkCoroutineStep is one resumption of one of 100 coroutines.
func BenchmarkCoroutineStep(b *testing.B) {
	l := newLocal(b)
	for range 100 {
		spawn(b, l, func(co *Co) (int, error) {
			for {
				if err := co.Yield(); err != nil {
					return 0, err
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += 100 {
		poll(l)
	}
}

// BenchmarkCoroutineLife is a body that awaits nothing, in a reused coroutine.
func BenchmarkCoroutineLife(b *testing.B) {
	l := newLocal(b)
	b.ReportAllocs()
	var task executor.Task[int]
	for b.Loop() {
		task.Spawn(l, New(func(*Co) (int, error) { return 0, nil }))
		poll(l)
	}
}
