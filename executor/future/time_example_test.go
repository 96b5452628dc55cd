// SPDX-License-Identifier: Apache-2.0

package future_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/simhost"
)

// world gives an executor on a clock that jumps, and what runs it.
func world() (*executor.Local, func()) {
	s := simhost.New(1)
	s.Delay = 0
	l := s.Local("l", executor.Config{})
	return l, func() {
		if err := s.Run(); err != nil {
			fmt.Println(err)
		}
		s.Free()
	}
}

func ExampleTimeout() {
	l, run := world()
	executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		_, err := coro.Await(co, future.Timeout(time.Minute, future.Sleep(time.Hour)))
		fmt.Println(err, errors.Is(err, executor.ErrTimedOut))
		return 0, err
	}))
	run()
	// Output: executor: timed out true
}

func ExampleTask_SetDeadline() {
	l, run := world()
	task, _ := executor.Spawn(l, future.Sleep(time.Hour))
	task.SetDeadline(l.Now() + int64(time.Minute))
	run()
	_, err := task.Result()
	fmt.Println(err, task.Outcome() == executor.CancelledRunning)
	// Output: executor: timed out true
}

func ExampleNewInterval() {
	l, run := world()
	executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		beat := future.NewInterval(time.Second, future.MissedSkip)
		for range 3 {
			missed, err := coro.Await(co, beat.Tick())
			if err != nil {
				return 0, err
			}
			fmt.Println("tick, and", missed, "missed")
			if _, err := coro.Await(co, future.Sleep(2500*time.Millisecond)); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}))
	run()
	// Output:
	// tick, and 0 missed
	// tick, and 1 missed
	// tick, and 2 missed
}
