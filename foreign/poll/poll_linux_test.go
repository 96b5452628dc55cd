// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	kit.Run(t, kit.Driver{
		Open: func() (kit.Loop, error) {
			loop, err := New()
			if err != nil {
				return nil, err
			}
			return &kit.Plain{On: loop, RunAll: loop.Run, End: loop.Close, Sleep: func(l *executor.Local, d time.Duration) error {
				defer loop.Report(l)
				return loop.Wait(d)
			}}, nil
		},
		Files:  true,
		Exempt: map[string]string{kit.PlainExempts: "it polls one executor itself: there is nothing to attach, destroy or nest"},
	})
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
		if n := len(loop.watched.fds); n != 1 || len(loop.watched.at) != 0 {
			t.Error(n, "still watched")
		}
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
		if err := loop.Wake(); err != executor.ErrClosed {
			t.Error(err)
		}
	})
	return loop, l
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

// A hang-up is reported unasked, as long as the descriptor is in the set.
func TestWhatNobodyAwaitsDoesNotSpin(t *testing.T) {
	loop, l := newLoop(t)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	var w executor.Watch
	if err := w.Open(l, ends[0], nil); err != nil {
		t.Fatal(err)
	}
	task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Readable))
	l.Poll(executor.Budget{})
	task.Cancel()
	unix.Close(ends[1])
	turns := 0
	for l.Live() > 0 {
		turns++
		l.Poll(executor.Budget{})
		loop.Wait(0)
		loop.Report(l)
	}
	if loop.Wait(0); len(loop.watched.fds) != 1 {
		t.Fatal("it is watched still")
	}
	if err := w.CloseLocal(); err != nil || turns > 3 {
		t.Fatal(err, turns)
	}
}
