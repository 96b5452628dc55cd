// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/cancelctx"
)

// ContextHooks carry what belongs to whoever spawns a task to the polls of that
// task: the context of another runtime, a trace, a locale. All four are called on
// the owner and must neither panic nor poll.
//
// # Notes
//
// Tasks finish inside of other tasks' polls when they are evicted or their scope is
// dropped, so that pairs of Enter and Leave nest, also those of equal tokens.
type ContextHooks interface {
	// Capture gives the token of a task that is being spawned. With nil the task
	// carries nothing.
	Capture() any
	// Enter begins a poll of a task, or its end: Drop and OnDone.
	Enter(token any)
	// Leave is called after each Enter, also when the poll panicked.
	Leave(token any)
	// Release is called once, when nothing of the task will run any more.
	Release(token any)
}

// InContext is an [Option]: the task is entered and left by these hooks with this
// token, instead of those of [Config]. It owns the token once it was spawned. With
// nil hooks it carries none.
func InContext(hooks ContextHooks, token any) Option {
	return inContext{hooks, token}
}

type inContext struct {
	hooks ContextHooks
	token any
}

func (o inContext) apply(t *task) {
	c := &t.more().carried
	c.hooks, c.token, c.chosen = o.hooks, o.token, true
}

// carried is what a task has from its spawner.
type carried struct {
	hooks    ContextHooks
	token    any
	chosen   bool               // by InContext
	values   context.Context    // by WithValues, or the spawner's
	deadline int64              // what Context.Context shows, on the executor's clock; 0 is none
	ctx      *cancelctx.Context // the view that Context.Context gives, once made
}

// WithValues is an [Option]: the task's [Context.Context] has the values of ctx, and so
// have those of all tasks that it spawns without this option. ctx's end and deadline
// are not the task's. A task that is spawned on a [Pool] itself, instead of on
// [Context.Executor], has no spawner that is known.
//
//	ctx := context.WithValue(cx.Context(), requestID, "42")
//	executor.Spawn(cx.Executor(), handle, executor.WithValues(ctx))
func WithValues(ctx context.Context) Option { return withValues{context.WithoutCancel(ctx)} }

type withValues struct{ context.Context }

func (o withValues) apply(t *task) { t.more().carried.values = o.Context }

// hook settles which hooks a task has that is being spawned.
func (t *task) hook(hooks ContextHooks) {
	if hooks != nil && (t.extra == nil || !t.extra.carried.chosen) {
		if token := hooks.Capture(); token != nil {
			c := &t.more().carried
			c.hooks, c.token = hooks, token
		}
	}
	if t.extra != nil && t.extra.carried.hooks != nil {
		t.flags |= flagHooked
	}
}

func (t *task) enter() {
	if t.flags&flagHooked != 0 {
		t.extra.carried.hooks.Enter(t.extra.carried.token)
	}
}

func (t *task) leave() {
	if t.flags&flagHooked != 0 {
		t.extra.carried.hooks.Leave(t.extra.carried.token)
	}
}

// leaveForGood is the last that a hooked task does. OnDone may spawn into the same
// storage, and it may panic.
func (c *carried) leaveForGood(notify func()) {
	defer func() {
		c.hooks.Leave(c.token)
		c.hooks.Release(c.token)
	}()
	if notify != nil {
		notify()
	}
}

// Context gives the task that is being polled as a [context.Context], for code that
// wants one. It ends when the task is to end: asked to, and not shielded, or
// finished. Its values are those of [WithValues], its deadline is the task's. It may be
// given to other goroutines and outlive the task. Outside of a poll it is
// context.Background.
//
//	req, err := http.NewRequestWithContext(cx.Context(), "GET", url, nil)
func (cx *Context) Context() context.Context {
	t := cx.local.current
	if t == nil {
		return context.Background()
	}
	c := &t.more().carried
	if c.ctx == nil {
		c.ctx = &cancelctx.Context{Base: cx.base()}
		if t.flags&flagEnding != 0 || t.flags&flagCancel != 0 && t.shields == 0 {
			t.endContext()
		}
	}
	return c.ctx
}

// base gives the values and the deadline of [Context.Context] without its end. It is
// nil if the task has neither.
func (cx *Context) base() context.Context {
	t := cx.local.current
	if t == nil || t.extra == nil {
		return nil
	}
	c := &t.extra.carried
	if c.deadline == 0 {
		return c.values
	}
	s := &snapshot{c.values, time.Now().Add(time.Duration(c.deadline - cx.local.clock()))}
	if s.Context == nil {
		s.Context = context.Background()
	}
	return s
}

// snapshot is the values of a context, with a deadline that doesn't end it.
type snapshot struct {
	context.Context
	deadline time.Time
}

func (s *snapshot) Deadline() (time.Time, bool) { return s.deadline, true }

// endContext ends the context of a task that is to end.
func (t *task) endContext() {
	switch {
	case t.extra == nil:
	case t.flags&flagCaused != 0:
		t.extra.carried.end(t.run.Err())
	default:
		t.extra.carried.end(ErrCancelled)
	}
}

func (c *carried) end(err error) {
	switch {
	case c.ctx == nil:
	case errors.Is(err, context.DeadlineExceeded):
		c.ctx.End(context.DeadlineExceeded)
	default:
		c.ctx.Cancel()
	}
}
