// SPDX-License-Identifier: Apache-2.0

package simhost

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// named is a task whose life is in the trace.
type named struct {
	sim     *Sim
	name    string
	dropped bool
	result  func() (executor.Outcome, error)
}

// Spawn is [executor.Spawn] on an executor of this world, for a task with a name. Its
// polls and its end are in the trace, a deadlock names it, and its panic makes the run
// fail.
func Spawn[T any](s *Sim, e executor.Executor, name string, f executor.Future[T], options ...executor.Option) (*executor.Task[T], error) {
	n := &named{sim: s, name: name}
	t, err := executor.Spawn(e, executor.Future[T](&traced[T]{named: n, inner: f}), options...)
	if err != nil {
		return nil, err
	}
	n.result = func() (executor.Outcome, error) {
		_, err := t.Result()
		return t.Outcome(), err
	}
	s.tasks = append(s.tasks, n)
	s.record(Spawned, name, 0)
	return t, nil
}

// look finds the named tasks that have ended in the last turn.
func (s *Sim) look() {
	live := s.tasks[:0]
	for _, n := range s.tasks {
		if !n.dropped {
			live = append(live, n)
			continue
		}
		outcome, err := n.result()
		s.record(Ended, n.name, int64(outcome))
		if p := (*executor.PanicError)(nil); errors.As(err, &p) {
			s.Errorf("task %s: %w\n%s", n.name, err, p.Stack)
		}
	}
	clear(s.tasks[len(live):])
	s.tasks = live
}

// traced wraps another future, and records its polls and its end.
type traced[T any] struct {
	*named
	inner executor.Future[T]
}

func (f *traced[T]) Poll(cx *executor.Context) (T, bool, error) {
	f.sim.record(Began, f.name, 0)
	defer f.sim.meanwhile()
	return f.inner.Poll(cx)
}

func (f *traced[T]) Unwind(cx *executor.Context) (done bool, err error) {
	if u, ok := f.inner.(executor.Unwinder); ok {
		f.sim.record(Unwound, f.name, 0)
		return u.Unwind(cx)
	}
	return true, nil
}

func (f *traced[T]) Drop() {
	f.dropped = true
	f.sim.record(Dropped, f.name, 0)
	future.Drop(f.inner)
}
