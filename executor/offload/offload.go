// SPDX-License-Identifier: Apache-2.0

// Package offload makes futures of functions that block or compute. They run in a
// worker goroutine, and the loop goes on.
package offload

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Blocking is the pool that [Go] uses. The first use makes it, with [DefaultLimit].
var Blocking = sync.OnceValue(func() *Pool { return NewPool(DefaultLimit()) })

// CPUBound is the pool that [CPU] uses. It has as many workers as Go had processors
// at the first use.
var CPUBound = sync.OnceValue(func() *Pool { return NewPool(runtime.GOMAXPROCS(0)) })

// Go makes a future of a function that may block. The function runs from the first
// poll on, once [Blocking] has a worker for it. A cancel of the task cancels the
// function's context, and doesn't wait for its return. The context has the task's
// values and deadline. If the function panics, the error is an
// [executor.PanicError]; if it calls runtime.Goexit, [executor.ErrGoexit].
func Go[T any](f func(ctx context.Context) (T, error)) executor.Future[T] {
	return &call[T]{f: f, pool: Blocking}
}

// CPU is [Go] for a function that computes: as many run at a time as there are
// processors. Such a function calls [Away] to wait.
func CPU[T any](f func(ctx context.Context) (T, error)) executor.Future[T] {
	return &call[T]{f: f, pool: CPUBound}
}

type call[T any] struct {
	ctx   Context
	f     func(ctx context.Context) (T, error)
	pool  func() *Pool
	waker atomic.Uint64
	begun bool
	done  atomic.Bool // orders the fields below
	value T
	err   error
}

// Poll implements [executor.Future].
func (c *call[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	if w := uint64(cx.Waker()); c.waker.Load() != w {
		c.waker.Store(w) // before the load of done: else the worker could miss the waker
	}
	if !c.begun {
		c.begun = true
		c.ctx.Base = place.Of(cx.Local()).Base()
		c.ctx.Pool = c.pool()
		if err := c.ctx.Pool.Submit(c); err != nil {
			return value, true, err
		}
	}
	if c.done.Load() {
		return c.value, true, c.err
	}
	return value, false, nil
}

// Drop implements [executor.Dropper].
func (c *call[T]) Drop() { c.ctx.Cancel() }

// Run implements [Job]. Only the pool calls it.
func (c *call[T]) Run() {
	c.err = executor.ErrGoexit // unless the function returns
	defer func() {
		if r := recover(); r != nil {
			c.err = executor.NewPanicError(r)
		}
		c.done.Store(true)
		executor.Waker(c.waker.Load()).Wake()
	}()
	c.value, c.err = c.f(&c.ctx)
}
