// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func selfWaking(cx *Context) (int, bool, error) {
	cx.WakeSelf()
	return 0, false, nil
}

func readyAtOnce(*Context) (int, bool, error) { return 1, true, nil }

func wantNoAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	l := New(Config{})
	defer l.Free()
	var task Task[int]
	done := 0
	var f Future[int] = fn[int](readyAtOnce)
	onDone := OnDone[int](func(int, error, Outcome) { done++ })
	wantNoAllocs(t, "spawn to completion", func() {
		task.Spawn(l, f, onDone)
		l.Poll(Budget{})
	})
	test.Equal(t, "completions", done, 201)

	var timer Timer
	var sleep Task[struct{}]
	wantNoAllocs(t, "a timer", func() {
		timer.Reset(1 << 40)
		sleep.Spawn(l, &timer)
		l.Poll(Budget{})
		sleep.Cancel()
		l.Poll(Budget{})
	})

	q := new(probe)
	var cancelled Task[int]
	wantNoAllocs(t, "spawn, poll, cancel", func() {
		cancelled.Spawn(l, q)
		l.Poll(Budget{})
		cancelled.Cancel()
		l.Poll(Budget{})
	})

	hooked := New(Config{Context: new(silent)})
	defer hooked.Free()
	var carrying Task[int]
	wantNoAllocs(t, "a context that is carried", func() {
		carrying.Spawn(hooked, f)
		hooked.Poll(Budget{})
	})
	var children [2]Task[int]
	scope := NewScope(l, ScopeConfig{Limit: 1})
	wantNoAllocs(t, "children of a scope", func() {
		children[0].Spawn(scope, f)
		children[1].Spawn(scope, f)
		l.Poll(Budget{})
		l.Poll(Budget{})
	})
	var parent, heir Task[int]
	inherits := Future[int](fn[int](func(cx *Context) (int, bool, error) {
		heir.Spawn(l, f)
		return 0, true, nil
	}))
	values := []Option{WithValues(context.WithValue(context.Background(), silent{}, 7))}
	wantNoAllocs(t, "values and their heir", func() {
		parent.Spawn(l, inherits, values...)
		l.Poll(Budget{})
		l.Poll(Budget{})
	})

	p := new(probe)
	mustSpawn[int](t, l, p)
	l.Poll(Budget{})
	ask, woken := make(chan Waker), make(chan struct{})
	go func() {
		for w := range ask {
			w.Wake()
			woken <- struct{}{}
		}
	}()
	wantNoAllocs(t, "wake from another goroutine", func() {
		ask <- p.Waker
		<-woken
		l.Poll(Budget{})
	})
	close(ask)
	wantNoAllocs(t, "wake and poll", func() {
		p.Waker.Wake()
		l.Poll(Budget{})
		l.WakeLocal(p.Waker)
		l.Poll(Budget{})
	})
}

// silent carries a token and does nothing with it.
type silent struct{}

func (h *silent) Capture() any { return h }
func (*silent) Enter(any)      {}
func (*silent) Leave(any)      {}
func (*silent) Release(any)    {}

// BenchmarkStep is one poll of one of 100 tasks that wake themselves.
func BenchmarkStep(b *testing.B) {
	l := New(Config{})
	defer l.Free()
	for range 100 {
		mustSpawn[int](b, l, fn[int](selfWaking))
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += 100 {
		l.Poll(Budget{})
	}
}

// BenchmarkSpawnComplete is the whole life of a task, a hundred a turn.
func BenchmarkSpawnComplete(b *testing.B) {
	l := New(Config{})
	defer l.Free()
	tasks := make([]Task[int], 100)
	var f Future[int] = fn[int](readyAtOnce)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(tasks) {
		for i := range tasks {
			tasks[i].Spawn(l, f)
		}
		l.Poll(Budget{})
	}
}

// BenchmarkSpawnHeap is the same with a task and a function of its own each time.
func BenchmarkSpawnHeap(b *testing.B) {
	l := New(Config{})
	defer l.Free()
	done := 0
	var f Future[int] = fn[int](readyAtOnce)
	b.ReportAllocs()
	for n := 0; n < b.N; n += 100 {
		for range 100 {
			Spawn(l, f, OnDone[int](func(int, error, Outcome) { done++ }))
		}
		l.Poll(Budget{})
	}
}

// BenchmarkWake is a wake from outside and its poll, coalesced pokes and all.
func BenchmarkWake(b *testing.B) {
	l := New(Config{})
	defer l.Free()
	probes := make([]probe, 100)
	for i := range probes {
		mustSpawn[int](b, l, &probes[i])
	}
	l.Poll(Budget{})
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(probes) {
		for i := range probes {
			probes[i].Waker.Wake()
		}
		l.Poll(Budget{})
	}
}

// BenchmarkTurn is a turn with nothing to do.
func BenchmarkTurn(b *testing.B) {
	l := New(Config{})
	defer l.Free()
	for b.Loop() {
		l.Poll(Budget{})
	}
}
