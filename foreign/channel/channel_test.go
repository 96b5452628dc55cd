// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	kit.Run(t, kit.Driver{
		Open: func() (kit.Loop, error) {
			loop := New()
			return &kit.Plain{On: loop, RunAll: loop.Run, End: func() error { return nil }, Sleep: func(_ *executor.Local, d time.Duration) error {
				loop.Wait(d)
				return nil
			}}, nil
		},
		Exempt: map[string]string{
			kit.PlainExempts: "it polls one executor itself: there is nothing to attach, destroy or nest",
			kit.WatchExempts: "it watches no descriptors",
		},
	})
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
