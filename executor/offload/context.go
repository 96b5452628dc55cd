// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"sync"
	"time"
)

// Context is a [context.Context] that can be cancelled and does nothing else. It
// costs less than context.WithCancel: its channel is made only if somebody asks
// for it, and a context that is derived from it needs no goroutine. The zero
// Context is ready for use; it must not be copied. All methods are for any
// goroutine.
type Context struct {
	mu        sync.Mutex
	cancelled bool
	done      chan struct{}
	after     map[*func()]struct{}
}

var _ context.Context = (*Context)(nil)

// NewContext makes a context.
func NewContext() *Context { return new(Context) }

// Cancel ends the context. A second call does nothing. Functions registered with
// context.AfterFunc run in goroutines of their own.
func (c *Context) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
		return
	}
	c.cancelled = true
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
		if c.cancelled {
			close(c.done)
		}
	}
	return c.done
}

// Err implements [context.Context].
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
		return context.Canceled
	}
	return nil
}

// Deadline implements [context.Context]: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements [context.Context]: there is none.
func (c *Context) Value(any) any { return nil }

// AfterFunc is what package context uses instead of a goroutine that waits.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
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
