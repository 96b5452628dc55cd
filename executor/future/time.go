// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// Sleep is ready d after its first poll, counted from the time of that turn.
func Sleep(d time.Duration) *executor.Timer {
	t := new(executor.Timer)
	t.Reset(d)
	return t
}

// SleepUntil is ready once the executor's clock shows at, in nanoseconds. With
// [executor.Never] it is never ready.
func SleepUntil(at int64) *executor.Timer {
	t := new(executor.Timer)
	t.ResetAt(at)
	return t
}

// Timeout gives the result of f, or [executor.ErrTimedOut] if f isn't ready within d of
// the first poll. Then it drops f at once, or first unwinds it if it is an
// [executor.Unwinder]. If f is ready in the turn in which the time is up, its result
// still counts.
//
//	page, err := coro.Await(co, future.Timeout(time.Second, fetch(url)))
//
// # Notes
//
// It ends one await of a task. [executor.WithDeadline] ends the task.
func Timeout[T any](d time.Duration, f executor.Future[T]) executor.Future[T] {
	t := &timeout[T]{part: part[T]{future: f}}
	t.timer.Reset(d)
	return t
}

// Deadline is [Timeout] at a point in time of the executor's clock.
func Deadline[T any](at int64, f executor.Future[T]) executor.Future[T] {
	t := &timeout[T]{part: part[T]{future: f}}
	t.timer.ResetAt(at)
	return t
}

type timeout[T any] struct {
	timer  executor.Timer
	part   part[T]
	ending bool
	err    error // the reason of its end, unless the task itself ends
}

func (t *timeout[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	if !t.ending {
		if t.part.poll(cx) {
			t.timer.Drop()
			return t.part.value, true, t.part.err
		}
		if _, t.ending, err = t.timer.Poll(cx); !t.ending {
			return value, false, nil
		}
		t.err = err
		if err == nil {
			t.err = executor.ErrTimedOut
		}
	}
	done, err := t.end(cx)
	return value, done, err
}

// end ends the future, which may take turns, and joins an error of its unwinding to the
// timeout's error.
func (t *timeout[T]) end(cx *executor.Context) (done bool, err error) {
	t.part.end(cx)
	if !t.part.over() {
		return false, nil
	}
	switch e := t.part.err; {
	case e == nil || errors.Is(e, executor.ErrCancelled):
		return true, t.err
	case t.err == nil:
		return true, e
	default:
		return true, errors.Join(t.err, e)
	}
}

func (t *timeout[T]) Unwind(cx *executor.Context) (done bool, err error) {
	t.timer.Drop()
	t.ending = true
	return t.end(cx) // its end may be under way, and this turn its wake
}

func (t *timeout[T]) Drop() {
	t.timer.Drop()
	t.part.drop()
}
