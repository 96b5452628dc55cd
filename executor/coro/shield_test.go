// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func open(l *executor.Local, g *gate) {
	g.open = true
	g.waker.Wake()
	poll(l)
}

func TestShieldHoldsACancelOff(t *testing.T) {
	l := newLocal(t)
	g, after := new(gate), new(gate)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		err := Shield(co, func() error {
			v, err := Await(co, g)
			trace += fmt.Sprint("inside ", v, err, "; ")
			return co.Yield()
		})
		trace += fmt.Sprint("shield ", err, "; ")
		_, err = Await(co, after)
		trace += fmt.Sprint("after ", err)
		return 1, err
	})
	poll(l)
	task.Cancel()
	poll(l)
	test.Equal(t, "done", task.Done(), false)
	open(l, g)
	poll(l)
	poll(l)
	test.Equal(t, "trace", trace, "inside 7 <nil>; shield <nil>; after executor: cancelled")
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	test.Equal(t, "polls", after.polls, 1)
}

func TestAwaitFailsAgainAfterTheShieldOfACancelledCoroutine(t *testing.T) {
	l := newLocal(t)
	g, section, after := new(gate), new(gate), new(gate)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		_, err := Await(co, g)
		trace += fmt.Sprint("await ", err, "; ")
		Shield(co, func() error {
			v, err := Await(co, section)
			trace += fmt.Sprint("inside ", v, err, "; ")
			return err
		})
		_, err = Await(co, after)
		trace += fmt.Sprint("after ", err)
		return 1, err
	})
	poll(l)
	task.Cancel()
	poll(l)
	test.Equal(t, "done", task.Done(), false)
	open(l, section)
	test.Equal(t, "trace", trace, "await executor: cancelled; inside 7 <nil>; after executor: cancelled")
	test.Equal(t, "polls", after.polls, 0)
	test.Equal(t, "drops", after.drops, 1)
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
}

func TestDeferredCleanUpAwaits(t *testing.T) {
	l := newLocal(t)
	g, shutdown := new(gate), new(gate)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		defer Shield(co, func() error {
			v, err := Await(co, shutdown)
			trace += fmt.Sprint("shut down ", v, err, "; ")
			return err
		})
		_, err := Await(co, g)
		trace += fmt.Sprint("await ", err, "; ")
		_, err = Await(co, g)
		trace += fmt.Sprint("again ", err, "; ")
		return 1, err
	})
	joiner, _ := executor.Spawn(l, task)
	poll(l)
	task.Cancel()
	poll(l)
	test.Equal(t, "done", task.Done(), false)
	test.Equal(t, "suspended", Suspended(l), 1)
	task.Cancel() // a second one hurries nothing
	poll(l)
	test.Equal(t, "done", task.Done(), false)
	open(l, shutdown)
	test.Equal(t, "trace", trace, "await executor: cancelled; again executor: cancelled; shut down 7 <nil>; ")
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	poll(l)
	_, err := joiner.Result()
	test.Equal(t, "joined error", err, executor.ErrCancelled)
	test.Equal(t, "drops", shutdown.drops, 1)
}

func TestCleanUpThatFailsIsTheError(t *testing.T) {
	l := newLocal(t)
	failed := errors.New("failed")
	g := new(gate)
	var panics bool
	body := func(co *Co) (n int, err error) {
		defer Shield(co, func() error {
			co.Yield()
			if panics {
				panic(failed)
			}
			err = failed
			return nil
		})
		return Await(co, g)
	}
	for _, panics = range []bool{false, true} {
		task := spawn(t, l, body)
		poll(l)
		task.Cancel()
		poll(l)
		poll(l)
		_, err := task.Result()
		test.Equal(t, "error", errors.Is(err, failed), true)
		test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	}
}

// The inner coroutine's clean-up is awaited before the outer one goes on.
func TestCleanUpOfANestedCoroutine(t *testing.T) {
	l := newLocal(t)
	g, shutdown := new(gate), new(gate)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		defer func() { trace += "outer" }()
		return Await(co, New(func(co *Co) (int, error) {
			defer Shield(co, func() error {
				Await(co, shutdown)
				trace += "inner "
				return nil
			})
			return Await(co, g)
		}))
	})
	poll(l)
	task.Cancel()
	poll(l)
	test.Equal(t, "trace", trace, "")
	test.Equal(t, "suspended", Suspended(l), 2)
	open(l, shutdown)
	test.Equal(t, "trace", trace, "inner outer")
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	test.Equal(t, "suspended", Suspended(l), 0)
}

func TestRetireAndFreeIgnoreShields(t *testing.T) {
	for name, end := range map[string]func(*executor.Local, executor.Handle){
		"retire": func(l *executor.Local, _ executor.Handle) { l.Carrier().Retire() },
		"free":   func(l *executor.Local, _ executor.Handle) { l.Free() },
		"evict":  func(l *executor.Local, h executor.Handle) { l.Evict(h) },
	} {
		for _, cancelled := range []bool{false, true} {
			t.Run(fmt.Sprint(name, cancelled), func(t *testing.T) {
				l := newLocal(t)
				var got error
				task := spawn(t, l, func(co *Co) (int, error) {
					defer Shield(co, func() error {
						_, got = Await(co, future.Sleep(time.Hour))
						return got
					})
					if cancelled {
						return 0, co.Yield()
					}
					return 0, nil
				})
				if cancelled {
					poll(l)
					task.Cancel()
				}
				poll(l)
				test.Equal(t, "suspended", Suspended(l), 1)
				end(l, task.Handle())
				test.Equal(t, "error", got, executor.ErrCancelled)
				test.Equal(t, "suspended", Suspended(l), 0)
				test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
			})
		}
	}
}
