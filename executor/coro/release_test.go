// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"runtime"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// The runtime ends the process if a coroutine goes on where it wasn't made, so that
// each owner here has a locked thread.
func TestReleaseMovesAnExecutor(t *testing.T) {
	l := executor.New(executor.Config{})
	defer l.Free()
	g := new(gate)
	waiting, _ := executor.Spawn(l, executor.Future[int](g))
	sleep, _ := executor.Spawn(l, future.Sleep(time.Hour))
	for range 3 {
		moved := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends too
			task := spawn(t, l, func(co *Co) (int, error) { return 1, co.Yield() })
			poll(l)
			if err := l.Release(); err != executor.ErrBusy {
				t.Errorf("error: %v", err)
			}
			test.Equal(t, "suspended", Suspended(l), 1)
			poll(l)
			test.Equal(t, "done", task.Done(), true)
			test.Equal(t, "idle", Idle(l), 1)
			moved <- l.Release()
		}()
		test.Equal(t, "error", <-moved, nil)
		test.Equal(t, "idle", Idle(l), 0)
	}
	test.Equal(t, "sleeps on", sleep.Done(), false)
	open(l, g)
	test.Equal(t, "outcome", waiting.Outcome(), executor.Returned)
}

func TestReleaseWhereItCannotBe(t *testing.T) {
	l := newLocal(t)
	spawn(t, l, func(co *Co) (int, error) {
		test.Equal(t, "from inside", co.Local().Release(), executor.ErrReentrant)
		return 0, nil
	})
	poll(l)
	l.Free()
	test.Equal(t, "after Free", l.Release(), executor.ErrClosed)
}
