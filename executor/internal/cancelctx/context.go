// SPDX-License-Identifier: Apache-2.0

// Package cancelctx has the context of offloaded functions and of tasks.
package cancelctx

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is a [context.Context] that can be cancelled and does nothing else. It
// costs less than context.WithCancel: it makes its channel only at the first Done, and
// a context that is derived from it needs no goroutine. The zero
// Context is ready for use; it must not be copied. All methods are for any
// goroutine.
type Context struct {
	// Base, if it is set before the context is shared, gives the context its values and
	// its deadline. Its end doesn't end the context.
	Base context.Context

	clock *clock // for a deadline of its own

	err atomic.Pointer[error] // nil until the end; set under the lock

	mu    sync.Mutex
	done  chan struct{}
	after map[*func()]struct{}
}

var _ context.Context = (*Context)(nil)

// Cancel ends the context. A second call does nothing. Functions registered with
// context.AfterFunc run in their own goroutines.
func (c *Context) Cancel() { c.End(context.Canceled) }

// End is Cancel with an error that Err gives from then on.
func (c *Context) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err.Load() != nil {
		return
	}
	c.err.Store(&err)
	if c.done != nil {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err.Load() != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements [context.Context]. It takes no lock: functions ask in their loops.
func (c *Context) Err() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

type clock struct {
	at    time.Time
	timer *time.Timer
}

// Until gives the context a deadline, before it is shared. At that time a goroutine
// calls expire, which may end the context with context.DeadlineExceeded. No goroutine
// waits for it. The owner calls Stop when the context's work is done.
func (c *Context) Until(at time.Time, expire func()) {
	c.clock = &clock{at, time.AfterFunc(time.Until(at), expire)}
}

// Stop stops the timer of a deadline, if there is one.
func (c *Context) Stop() {
	if c.clock != nil {
		c.clock.timer.Stop()
	}
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (at time.Time, ok bool) {
	if c.clock != nil {
		return c.clock.at, true
	}
	if c.Base == nil {
		return at, false
	}
	return c.Base.Deadline()
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if c.Base == nil {
		return nil
	}
	return c.Base.Value(key)
}

// AfterFunc lets package context do without a goroutine that waits.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err.Load() != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	key := &f
	c.after[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.after[key]
		delete(c.after, key)
		return waiting
	}
}
