// SPDX-License-Identifier: Apache-2.0

// Package suite has the cases that every host keeps.
package suite

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

// Main runs the tests of a package, and finds goroutines that they leave behind.
func Main(m *testing.M) {
	code := m.Run()
	offload.Blocking().Close()
	if err := goleak.Find(goleak.IgnoreAnyFunction("runtime.handleEvent")); err != nil && code == 0 { // js has one of its own
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Rig is an executor on a loop. Run runs the loop until no task is live.
type Rig struct {
	*executor.Local
	Run     func() error
	Watches bool // it watches descriptors,
	Faults  bool // and reports faults of those
}

func (r Rig) run(t *testing.T) {
	t.Helper()
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
}

// Cases runs the cases of loops. open makes a loop, and closes it by t.Cleanup.
func Cases(t *testing.T, open func(t *testing.T) Rig) {
	for name, test := range map[string]func(t *testing.T, r Rig){
		"TheLoopEndsWhenNothingLivesAndNotBefore": returns,
		"DeadlinesAreMetLateButNeverEarly":        sleeps,
		"NoWakeIsLostWhileTheLoopGoesToSleep":     wakes,
		"ATaskThatWakesItselfStarvesNoGoroutine":  starves,
		"RandomPrograms":                          random,
		"AWakeAfterTheFreeIsStale":                freed,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func returns(t *testing.T, r Rig) {
	r.run(t)
	r.run(t)
}

func freed(t *testing.T, r Rig) {
	task, _ := executor.Spawn(r.Local, future.Sleep(time.Hour))
	waker := make(chan executor.Waker, 1)
	executor.Spawn(r.Local, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		waker <- cx.Waker()
		task.Cancel()
		return 0, true, nil
	}))
	r.run(t)
	if err := r.Free(); err != nil {
		t.Fatal(err)
	}
	if got := (<-waker).Wake(); got != executor.Stale {
		t.Fatal(got)
	}
}

func sleeps(t *testing.T, r Rig) {
	for range 3 { // the timer is used again
		const d = 2*time.Millisecond + 1
		task, _ := executor.Spawn(r.Local, future.Sleep(d))
		begin := r.Now()
		r.run(t)
		if took := time.Duration(r.Now() - begin); !task.Done() || took < d {
			t.Fatalf("took %v", took)
		}
	}
}

// Every hop is a wake from another goroutine to a loop that sleeps, or is about to. The
// deadline beside it is set, and never comes.
func wakes(t *testing.T, r Rig) {
	const tasks, hops = 4, 2000
	var wg sync.WaitGroup
	left := tasks
	sleeper, _ := executor.Spawn(r.Local, future.Sleep(time.Hour))
	for range tasks {
		ask := make(chan executor.Waker)
		wg.Go(func() {
			for w := range ask {
				w.Wake()
			}
		})
		n := 0
		executor.Spawn(r.Local, future.Func[int](func(cx *executor.Context) (int, bool, error) {
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
	r.run(t)
	wg.Wait()
	if !errors.Is(sleeper.Err(), executor.ErrCancelled) {
		t.Fatal(sleeper.Err())
	}
}

// On wasm, too, where the other goroutine runs only if the loop lets it.
func starves(t *testing.T, r Rig) {
	ran := make(chan struct{})
	go close(ran)
	executor.Spawn(r.Local, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		select {
		case <-ran:
			return 0, true, nil
		default:
			cx.WakeSelf()
			return 0, false, nil
		}
	}))
	r.run(t)
}
