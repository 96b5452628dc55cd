// SPDX-License-Identifier: Apache-2.0

package coro_test

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
)

// run polls until nothing is left. A program with a loop leaves that to the loop.
func run(l *executor.Local) {
	for {
		if p, err := l.Poll(executor.Budget{}); err != nil || p.Live == 0 {
			return
		}
		runtime.Gosched() // to other goroutines, which nothing else lets in on wasm
	}
}

func ExampleWithScope() {
	l := executor.New(executor.Config{})
	defer l.Free()
	count := func(name string, err error) func(co *coro.Co) (int, error) {
		return func(co *coro.Co) (int, error) {
			_, err2 := coro.Await(co, future.Sleep(time.Millisecond))
			return len(name), errors.Join(err, err2)
		}
	}
	executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		var a, b *executor.Task[int]
		err := coro.WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error {
			a, _ = coro.Spawn(s, count("one", nil))
			b, _ = coro.Spawn(s, count("three", nil))
			return nil
		})
		x, _ := a.Result()
		y, _ := b.Result()
		fmt.Println(x+y, err)

		err = coro.WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error {
			coro.Spawn(s, count("two", errors.New("no such thing")))
			_, err := coro.Await(co, future.Sleep(time.Hour))
			return err // the other's error ends the sleep
		})
		fmt.Println(err)
		return 0, nil
	}))
	run(l)
	// Output:
	// 8 <nil>
	// no such thing
}

func ExampleShield() {
	l := executor.New(executor.Config{})
	defer l.Free()
	task, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		defer coro.Shield(co, func() error {
			_, err := coro.Await(co, future.Sleep(time.Millisecond))
			fmt.Println("cleaned up:", err)
			return err
		})
		_, err := coro.Await(co, future.Sleep(time.Hour))
		fmt.Println("asked to end:", err)
		return 0, err
	}))
	l.Poll(executor.Budget{})
	task.Cancel()
	run(l)
	_, err := task.Result()
	fmt.Println(err, errors.Is(err, executor.ErrCancelled))
	// Output:
	// asked to end: executor: cancelled
	// cleaned up: <nil>
	// executor: cancelled true
}

func ExampleAwait_promise() {
	l := executor.New(executor.Config{})
	defer l.Free()
	executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		p := future.NewPromise[int](func() { fmt.Println("its task was cancelled") })
		go p.Resolve(42) // any goroutine
		v, err := coro.Await(co, p)
		fmt.Println(v, err)
		return v, err
	}))
	run(l)
	// Output: 42 <nil>
}
