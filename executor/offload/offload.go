// SPDX-License-Identifier: Apache-2.0

// Package offload makes futures of functions that block or compute: they run in a
// worker goroutine, and the loop goes on.
package offload

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/cancelctx"
)

// Context is a [context.Context] that can be cancelled and does nothing else. It
// costs less than context.WithCancel: its channel is made only if somebody asks
// for it, and a context that is derived from it needs no goroutine. The zero
// Context is ready for use; it must not be copied. All methods are for any
// goroutine.
type Context = cancelctx.Context

// NewContext makes a context.
func NewContext() *Context { return new(Context) }

// Blocking is the pool that [Go] uses. It is made at the first use, with
// [DefaultLimit].
var Blocking = sync.OnceValue(func() *Pool { return NewPool(DefaultLimit()) })

// CPUBound is the pool that [CPU] uses. It has as many workers as Go had processors
// at the first use.
var CPUBound = sync.OnceValue(func() *Pool { return NewPool(runtime.GOMAXPROCS(0)) })

// Go makes a future of a function that may block. It runs from the first poll on, or
// as soon as [Blocking] has a worker for it; cancelling the task cancels its context,
// and doesn't wait for it to return. The context has the task's values and deadline. A panic in the function is the error, an
// [executor.PanicError], and runtime.Goexit is [executor.ErrGoexit].
func Go[T any](f func(ctx context.Context) (T, error)) executor.Future[T] {
	return &call[T]{f: f, pool: Blocking}
}

// CPU is [Go] for a function that computes: as many run at a time as there are
// processors.
func CPU[T any](f func(ctx context.Context) (T, error)) executor.Future[T] {
	return &call[T]{f: f, pool: CPUBound}
}

type call[T any] struct {
	ctx   Context
	f     func(ctx context.Context) (T, error)
	pool  func() *Pool
	waker atomic.Uint64
	begun bool
	done  atomic.Bool // orders what follows
	value T
	err   error
}

// Poll implements [executor.Future].
func (c *call[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	if w := uint64(cx.Waker()); c.waker.Load() != w {
		c.waker.Store(w) // before done is read: else the worker could miss the change
	}
	if !c.begun {
		c.begun = true
		c.ctx.Base = cx.Local().Carrier().Base()
		if err := c.pool().Submit(c); err != nil {
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

// Run implements [Job]. It isn't called by anybody but the pool.
func (c *call[T]) Run() {
	c.err = executor.ErrGoexit // if it doesn't come back
	defer func() {
		if r := recover(); r != nil {
			c.err = executor.NewPanicError(r)
		}
		c.done.Store(true)
		executor.Waker(c.waker.Load()).Wake()
	}()
	c.value, c.err = c.f(&c.ctx)
}
