// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestTurnResumesABodyByItself(t *testing.T) {
	l := newLocal(t)
	direct := false
	f := New(func(co *Co) (int, error) {
		co.Yield()
		direct = co.cx == nil
		return 7, nil
	}).(*coroutine[int])
	task, _ := executor.Spawn(l, executor.Future[int](f))
	poll(l)
	f.co.cx = nil // what Poll sets
	poll(l)
	v, err := task.Result()
	test.Equal(t, "value", v, 7)
	test.Equal(t, "error", err, nil)
	test.Equal(t, "past Poll", direct, true)
}

// A future that two tasks poll is a mistake, which must not reach a third.
func TestBodyThatAnotherTaskHasEnded(t *testing.T) {
	l := newLocal(t)
	g, other := new(gate), new(gate)
	f := New(func(co *Co) (int, error) { return Await(co, g) })
	first, _ := executor.Spawn(l, f)
	poll(l)
	waker := g.waker
	second, _ := executor.Spawn(l, executor.Future[int](future.Func[int](f.Poll)))
	poll(l)
	open(l, g)
	test.Equal(t, "second", second.Done(), true)
	spawn(t, l, func(co *Co) (int, error) { return Await(co, other) })
	poll(l)
	test.Equal(t, "idle: it has the same coroutine", Idle(l), 0)
	waker.Wake()
	poll(l)
	v, _ := first.Result()
	test.Equal(t, "first", v, 7)
	test.Equal(t, "polls of the third's", other.polls, 1)
}

func TestCoroutineInAStream(t *testing.T) {
	l := newLocal(t)
	var child *executor.Task[int]
	parent := spawn(t, l, func(co *Co) (n int, err error) {
		err = WithScope(co, executor.ScopeConfig{Stream: true}, func(s *executor.Scope) error {
			child, _ = Spawn(s, func(co *Co) (int, error) { return 7, co.Yield() })
			ended, err := Await(co, s.Next())
			test.Equal(t, "ended", ended, executor.Child(child))
			return err
		})
		return n, err
	})
	settle(l)
	test.Equal(t, "error", parent.Err(), nil)
	test.Equal(t, "done", parent.Done() && child.Done(), true)
}
