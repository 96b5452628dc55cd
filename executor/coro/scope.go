// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
)

// frame is a call of WithScope that the body is in.
type frame struct {
	scope  *executor.Scope
	shield int // sections around it
	outer  *frame
}

// ends reports whether a scope ends that no section inside it shields.
func (f *frame) ends(shield int) bool {
	for ; f != nil; f = f.outer {
		if f.scope.Ending() && shield == f.shield {
			return true
		}
	}
	return false
}

// WithScope runs body, and returns when all tasks of its scope have ended. If the body
// fails, panics or is cancelled, the scope cancels its tasks. If a task fails, the
// scope cancels the others, and the body's awaits fail with [executor.ErrCancelled].
//
//	var a, b *executor.Task[int]
//	err := coro.WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error {
//		a, _ = coro.Spawn(s, countA)
//		b, _ = coro.Spawn(s, countB)
//		return nil
//	})
//	if err != nil {
//		return 0, err
//	}
//	return sum(a.Result())
//
// # Errors
//
// The scope's, if the body or a child has failed. [executor.ErrCancelled] or
// [executor.ErrTimedOut] if only the coroutine was cancelled, or if the body ended with
// [executor.Scope.Cancel]. [executor.ErrWrongLocal] on a pool.
func WithScope(co *Co, c executor.ScopeConfig, body func(s *executor.Scope) error) (err error) {
	s := executor.NewScope(co.Local(), c)
	if err := s.Watch(co.cx); err != nil {
		return err
	}
	f := &frame{s, co.shield, co.scope}
	co.scope = f
	returned := false
	defer func() { // also when the body panics
		co.scope = f.outer
		if !returned {
			s.Cancel(nil)
		}
		if ended := co.drain(s); ended != nil {
			err = ended
		}
	}()
	err = body(s)
	returned = true
	switch {
	case err == nil:
	case co.stopped() && errors.Is(err, co.reason()):
		s.Cancel(nil)
	default:
		s.Cancel(err)
	}
	return err
}

// Spawn makes a coroutine a child of s.
func Spawn[T any](s *executor.Scope, body func(co *Co) (T, error), options ...executor.Option) (*executor.Task[T], error) {
	return executor.Spawn(s, New(body), options...)
}

// drain waits until the scope has ended, and cancels it with the coroutine.
func (co *Co) drain(s *executor.Scope) error {
	for {
		if co.evict {
			s.Drop()
		} else if co.stopped() {
			s.Cancel(nil)
		}
		_, ready, err := s.Poll(co.cx)
		switch {
		case !ready:
			co.suspend()
		case err == nil && co.stopped():
			return co.reason()
		default:
			return err
		}
	}
}
