// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

func TestMain(m *testing.M) {
	code := m.Run()
	offload.Blocking().Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func newLoop(t *testing.T) (*Loop, *executor.Local) {
	t.Helper()
	loop, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: loop})
	t.Cleanup(func() {
		l.Free()
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
		if err := loop.Wake(); err != executor.ErrClosed {
			t.Error(err)
		}
	})
	return loop, l
}

func TestRunReturnsWhenNothingIsLive(t *testing.T) {
	loop, l := newLoop(t)
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
}

func TestSleepIsNeverShort(t *testing.T) {
	loop, l := newLoop(t)
	const d = 2*time.Millisecond + 1
	task, _ := executor.Spawn(l, future.Sleep(d))
	begin := l.Now()
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
	if took := time.Duration(l.Now() - begin); !task.Done() || took < d {
		t.Fatalf("took %v", took)
	}
}

// Every hop is a wake from another goroutine to a loop that sleeps, or is about to.
func TestWakesFromOtherGoroutines(t *testing.T) {
	loop, l := newLoop(t)
	const tasks, hops = 4, 2000
	var wg sync.WaitGroup
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
				return n, true, nil
			}
			n++
			ask <- cx.Waker()
			return 0, false, nil
		}))
	}
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestInterruptedWaitGoesOn(t *testing.T) {
	loop, l := newLoop(t)
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR1)
	defer signal.Stop(got)
	var waker executor.Waker
	armed := make(chan struct{})
	go func() {
		<-armed
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		<-got
		waker.Wake()
	}()
	executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		if waker == 0 {
			waker = cx.Waker()
			close(armed)
			return 0, false, nil
		}
		return 0, true, nil
	}))
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
}
