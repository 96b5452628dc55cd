// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
)

// Scoped makes a future of a scope and a body that runs in it. The task that awaits it
// polls the body's future, beside the scope's children. The result is the body's, and
// comes when all have ended. An error of the body or of a child ends all others.
//
//	total := future.Scoped(executor.ScopeConfig{}, func(s *executor.Scope) executor.Future[int] {
//		a, _ := executor.Spawn(s, count("a"))
//		b, _ := executor.Spawn(s, count("b"))
//		return sum(a, b)
//	})
//
// # Errors
//
// The scope's, also if the body has failed; [executor.ErrCancelled] if
// [executor.Scope.Cancel] ended the body; [executor.ErrWrongLocal] in a task of an
// [executor.Pool].
func Scoped[T any](c executor.ScopeConfig, body func(s *executor.Scope) executor.Future[T]) executor.Future[T] {
	return &scoped[T]{config: c, body: body}
}

type scoped[T any] struct {
	config executor.ScopeConfig
	body   func(s *executor.Scope) executor.Future[T]
	scope  *executor.Scope // nil before the first poll
	main   part[T]
}

func (f *scoped[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	if f.scope == nil {
		s := executor.NewScope(cx.Local(), f.config)
		if err := s.Watch(cx); err != nil {
			return value, true, err
		}
		f.scope = s
		f.main.future = f.body(s)
	}
	if !f.main.over() && !f.scope.Ending() && f.main.poll(cx) && f.main.err != nil {
		f.scope.Cancel(f.main.err)
	}
	return f.settle(cx)
}

// settle ends the body of a scope that is ending, and reports whether all have ended.
func (f *scoped[T]) settle(cx *executor.Context) (value T, ready bool, err error) {
	if !f.main.over() && f.scope.Ending() {
		f.main.end(cx)
		if f.main.over() && f.main.err != nil && !errors.Is(f.main.err, executor.ErrCancelled) {
			f.scope.Cancel(f.main.err)
		}
	}
	if !f.main.over() {
		return value, false, f.scope.Watch(cx) // a child that fails ends the body
	}
	switch _, ready, err := f.scope.Poll(cx); {
	case !ready || err != nil:
		return value, ready, err
	case f.main.unwinding:
		return value, true, executor.ErrCancelled
	}
	return f.main.value, true, nil
}

// Unwind implements [executor.Unwinder].
func (f *scoped[T]) Unwind(cx *executor.Context) (done bool, err error) {
	f.scope.Cancel(nil)
	_, done, err = f.settle(cx)
	return done, err
}

// Drop implements [executor.Dropper].
func (f *scoped[T]) Drop() {
	if f.scope != nil {
		defer f.scope.Drop() // also if the body's drop panics
	}
	f.main.drop()
}
