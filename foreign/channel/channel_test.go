// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

func TestMain(m *testing.M) {
	code := m.Run()
	offload.Blocking().Close()
	if err := goleak.Find(goleak.IgnoreAnyFunction("runtime.handleEvent")); err != nil && code == 0 { // js has one of its own
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func newLoop(t *testing.T) (*Loop, *executor.Local) {
	t.Helper()
	loop := New()
	l := executor.New(executor.Config{Host: loop})
	t.Cleanup(func() { l.Free() })
	return loop, l
}

func run(t *testing.T, loop *Loop, l *executor.Local) {
	t.Helper()
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
}

func TestRunReturnsWhenNothingIsLive(t *testing.T) {
	loop, l := newLoop(t)
	run(t, loop, l)
}

func TestRunOnAClosedExecutor(t *testing.T) {
	loop := New()
	l := executor.New(executor.Config{Host: loop})
	l.Free()
	if err := loop.Run(l); !errors.Is(err, executor.ErrClosed) {
		t.Fatal(err)
	}
	if err := loop.Wake(); err != nil { // a late one
		t.Fatal(err)
	}
}

func TestSleepIsNeverShort(t *testing.T) {
	loop, l := newLoop(t)
	for range 3 { // the timer is used again
		const d = 2*time.Millisecond + 1
		task, _ := executor.Spawn(l, future.Sleep(d))
		begin := l.Now()
		run(t, loop, l)
		if took := time.Duration(l.Now() - begin); !task.Done() || took < d {
			t.Fatalf("took %v", took)
		}
	}
}

// Every hop is a wake from another goroutine to a loop that sleeps, or is about to. The
// deadline beside it is set, and never comes.
func TestWakesFromOtherGoroutines(t *testing.T) {
	loop, l := newLoop(t)
	const tasks, hops = 4, 2000
	var wg sync.WaitGroup
	left := tasks
	sleeper, _ := executor.Spawn(l, future.Sleep(time.Hour))
	for range tasks {
		ask := make(chan executor.Waker)
		wg.Go(func() {
			for w := range ask {
				w.Wake()
			}
		})
		n := 0
		executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
			if n == hops {
				close(ask)
				if left--; left == 0 {
					sleeper.Cancel()
				}
				return n, true, nil
			}
			n++
			ask <- cx.Waker()
			return 0, false, nil
		}))
	}
	run(t, loop, l)
	wg.Wait()
	if !errors.Is(sleeper.Err(), executor.ErrCancelled) {
		t.Fatal(sleeper.Err())
	}
}

// On wasm, too, where the other goroutine runs only if the loop lets it.
func TestATaskThatWakesItselfStarvesNoGoroutine(t *testing.T) {
	loop, l := newLoop(t)
	ran := make(chan struct{})
	go close(ran)
	executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		select {
		case <-ran:
			return 0, true, nil
		default:
			cx.WakeSelf()
			return 0, false, nil
		}
	}))
	run(t, loop, l)
}

// A program with a select of its own.
func ExampleLoop_Woken() {
	loop := New()
	l := executor.New(executor.Config{Host: loop})
	defer l.Free()
	task, err := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		return coro.Await(co, offload.Go(func(context.Context) (int, error) { return 42, nil }))
	}))
	if err != nil {
		panic(err)
	}
	for !task.Done() {
		if p, err := l.Poll(executor.Budget{}); err != nil {
			panic(err)
		} else if p.More || p.Live == 0 {
			continue
		}
		select {
		case <-loop.Woken():
		case <-time.After(time.Minute): // the program's own
			panic("too late")
		}
	}
	fmt.Println(task.Result())
	// Output: 42 <nil>
}
