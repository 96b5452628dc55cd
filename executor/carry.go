// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/cancelctx"
)

// ContextHooks carry something of the spawner's to the polls of the task that it
// spawns: the context of another runtime, a trace, a locale. The owner calls all four,
// and they must neither panic nor poll.
//
// # Notes
//
// An evict or the drop of a scope finishes tasks inside other tasks' polls. So pairs of
// Enter and Leave nest, also those of equal tokens.
type ContextHooks interface {
	// Capture gives the token of a new task. With nil the task carries nothing.
	Capture() any
	// Enter begins a poll of a task, or its end: Drop and OnDone.
	Enter(token any)
	// Leave follows each Enter, also when the poll panicked.
	Leave(token any)
	// Release comes once, when no code of the task will run any more.
	Release(token any)
}

// carried is the part of a task that comes from its spawner.
type carried struct {
	hooks    ContextHooks
	token    any
	chosen   bool               // the token, by Carrier.WithToken
	values   context.Context    // by WithValues, or the spawner's
	deadline int64              // the deadline of Context.Context, on the executor's clock; 0 is none
	ctx      *cancelctx.Context // the view that Context.Context gives, once made
}

// WithValues is an [Option]: the task's [Context.Context] has the values of ctx. All
// tasks that it spawns without this option inherit them. The task doesn't get ctx's end
// and deadline. A task that is spawned on a [Pool] itself, instead of on
// the [Context], has no known spawner and inherits nothing.
//
//	ctx := context.WithValue(cx.Context(), requestID, "42")
//	executor.Spawn(cx, handle, executor.WithValues(ctx))
func WithValues(ctx context.Context) Option {
	values := context.WithoutCancel(ctx)
	return option(func(t *task) { t.more().carried.values = values })
}

// hook gives a new task its token, and the hooks if it has one.
func (t *task) hook(hooks ContextHooks) {
	var token any
	if t.extra != nil && t.extra.carried.chosen {
		token = t.extra.carried.token
	} else {
		token = hooks.Capture()
	}
	if token != nil {
		c := &t.more().carried
		c.hooks, c.token = hooks, token
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

// leaveForGood is the last step of a hooked task. OnDone may spawn into the same
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

// Context gives the task in its poll as a [context.Context], for code that wants one.
// It ends when the task was asked to end and is not shielded, and when the task has
// finished. Its values are those of [WithValues], its deadline is the task's. Other
// goroutines may use it, and it may outlive the task. Outside of a poll it is
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

// base gives the values and the deadline of [Context.Context], without its end. It is
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
	at := time.Now().Add(time.Duration(c.deadline - cx.local.clock()))
	return &snapshot{cmp.Or(c.values, context.Background()), at}
}

// snapshot is the values of a context, with a deadline that doesn't end it.
type snapshot struct {
	context.Context
	deadline time.Time
}

func (s *snapshot) Deadline() (time.Time, bool) { return s.deadline, true }

// endContext ends the context of a task that has to end.
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
