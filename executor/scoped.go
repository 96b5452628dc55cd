// SPDX-License-Identifier: Apache-2.0

package executor

import "errors"

// Scoped makes a future of a scope and a body that runs in it. The body's future is
// polled by the task that awaits the whole, beside the scope's children; the result
// is the body's, and comes when all have ended. An error of the body or of a child
// ends all others.
//
//	total := executor.Scoped(executor.ScopeConfig{}, func(s *executor.Scope) executor.Future[int] {
//		a, _ := executor.SpawnIn(s, count("a"))
//		b, _ := executor.SpawnIn(s, count("b"))
//		return sum(a, b)
//	})
//
// # Errors
//
// A [ScopeError], also if only the body has failed; [ErrCancelled] if the body was
// ended by [Scope.Cancel]; [ErrWrongLocal] in a task of a [Pool].
func Scoped[T any](c ScopeConfig, body func(s *Scope) Future[T]) Future[T] {
	return &scoped[T]{config: c, body: body}
}

type scoped[T any] struct {
	config ScopeConfig
	body   func(s *Scope) Future[T]
	scope  *Scope // nil before the first poll
	main   part[T]
}

func (f *scoped[T]) Poll(cx *Context) (value T, ready bool, err error) {
	if f.scope == nil {
		if cx.pooled() {
			return value, true, ErrWrongLocal
		}
		f.scope = NewScope(cx.local, f.config)
		f.main.future = f.body(f.scope)
	}
	if !f.main.over() && !f.scope.ending && f.main.poll(cx) && f.main.err != nil {
		f.scope.Fail(f.main.err)
	}
	return f.settle(cx)
}

// settle ends the body of a scope that is ending, and says when all are over.
func (f *scoped[T]) settle(cx *Context) (value T, ready bool, err error) {
	if !f.main.over() && f.scope.ending {
		f.main.end(cx)
		if f.main.over() && f.main.err != nil && !errors.Is(f.main.err, ErrCancelled) {
			f.scope.Fail(f.main.err)
		}
	}
	if !f.main.over() || f.scope.head != nil {
		f.scope.waiter = cx.Waker() // also a child that fails ends the body
		return value, false, nil
	}
	f.scope.over = true
	switch err := f.scope.Err(); {
	case err != nil:
		return value, true, err
	case f.main.unwinding:
		return value, true, ErrCancelled
	}
	return f.main.value, true, nil
}

// Unwind implements [Unwinder].
func (f *scoped[T]) Unwind(cx *Context) (done bool, err error) {
	f.scope.Cancel()
	_, done, err = f.settle(cx)
	return done, err
}

// Drop implements [Dropper].
func (f *scoped[T]) Drop() {
	if f.scope != nil {
		defer f.scope.Drop() // also if the body's panics
	}
	f.main.drop()
}
