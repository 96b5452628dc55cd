// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// tracer notes what is done with its tokens, which it counts.
type tracer struct {
	spawned int
	trace   []string
}

func (h *tracer) note(what string, token any) {
	h.trace = append(h.trace, fmt.Sprint(what, token))
}

func (h *tracer) Capture() any {
	h.spawned++
	if h.spawned%2 == 0 {
		return nil
	}
	return h.spawned
}
func (h *tracer) Enter(token any)   { h.note("+", token) }
func (h *tracer) Leave(token any)   { h.note("-", token) }
func (h *tracer) Release(token any) { h.note("free", token) }

func (h *tracer) take() string {
	s := strings.Join(h.trace, " ")
	h.trace = nil
	return s
}

func newTraced(t *testing.T) (*rig, *tracer) {
	h := new(tracer)
	r := &rig{t: t, now: 1}
	r.Local = New(Config{Host: r, Clock: func() int64 { return r.now }, Context: h})
	t.Cleanup(func() { r.Local.Free() })
	return r, h
}

func (h *tracer) probe() *probe {
	return &probe{OnPoll: func(*Context) { h.trace = append(h.trace, "poll") },
		OnDrop: func() { h.trace = append(h.trace, "drop") }}
}

func (h *tracer) done() OnDone[int] {
	return func(_ int, _ error, o Outcome) { h.trace = append(h.trace, fmt.Sprint("done", o)) }
}

func TestHooksAreRoundPollsAndTheEnd(t *testing.T) {
	r, h := newTraced(t)
	carrying, plain := h.probe(), h.probe()
	mustSpawn[int](t, r.Local, carrying, h.done())
	mustSpawn[int](t, r.Local, plain, h.done())

	r.turn(2)
	test.Equal(t, "first polls", h.take(), "+1 poll -1 poll")
	carrying.Ready, plain.Ready = true, true
	carrying.Waker.Wake()
	plain.Waker.Wake()
	r.turn(2)
	test.Equal(t, "last polls", h.take(), "+1 poll -1 +1 drop done0 -1 free1 poll drop done0")
}

func TestHooksOfCancelledTasks(t *testing.T) {
	r, h := newTraced(t)
	task := mustSpawn[int](t, r.Local, h.probe(), h.done())
	task.Cancel()
	r.turn(0)
	test.Equal(t, "before the start", h.take(), "+1 drop done1 -1 free1")
	h.spawned++
	task = mustSpawn[int](t, r.Local, h.probe())
	r.turn(1)
	task.Cancel()
	r.turn(0)
	test.Equal(t, "running", h.take(), "+3 poll -3 +3 -3 +3 drop -3 free3")
	h.spawned++
	mustSpawn[int](t, r.Local, h.probe())
	r.Free()
	test.Equal(t, "freed", h.take(), "+5 drop -5 free5")
}

func TestHooksAreLeftAfterAPanic(t *testing.T) {
	r, h := newTraced(t)
	p := h.probe()
	p.OnPoll = func(*Context) { panic(1) }
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	test.Equal(t, "trace", h.take(), "+1 -1 +1 drop -1 free1")
}

func TestHooksAreLeftAfterAPanicInOnDone(t *testing.T) {
	r, h := newTraced(t)
	p := h.probe()
	p.Ready = true
	mustSpawn[int](t, r.Local, p, OnDone[int](func(int, error, Outcome) { panic("mine") }))
	func() {
		defer func() { test.Equal(t, "recovered", recover(), any("mine")) }()
		r.Poll(Budget{})
	}()
	test.Equal(t, "trace", h.take(), "+1 poll -1 +1 drop -1 free1")
}

// No context gets into the storage's next task.
func TestHooksOfAReusedStorage(t *testing.T) {
	r, h := newTraced(t)
	var task Task[int]
	p := h.probe()
	p.Ready = true
	task.Spawn(r.Local, p, OnDone[int](func(int, error, Outcome) { task.Spawn(r.Local, p) }))
	r.turn(1)
	test.Equal(t, "trace", h.take(), "+1 poll -1 +1 drop -1 free1")
	r.turn(1)
	test.Equal(t, "trace", h.take(), "poll drop")
}

func TestHooksNestWhenATaskIsEvicted(t *testing.T) {
	r, h := newTraced(t)
	victim := mustSpawn[int](t, r.Local, h.probe())
	h.spawned++
	outer := h.probe()
	outer.OnPoll = func(*Context) { r.Evict(victim.Handle()) }
	mustSpawn[int](t, r.Local, outer)
	r.turn(2)
	test.Equal(t, "trace", h.take(), "+1 poll -1 +3 +1 drop -1 free1 -3")
}

func TestChosenTokenIsNotCaptured(t *testing.T) {
	r, h := newTraced(t)
	c := r.Carrier()
	p := h.probe()
	p.Ready = true
	mustSpawn[int](t, r.Local, p, c.WithToken("own"))
	r.turn(1)
	test.Equal(t, "trace", h.take(), "+own poll -own +own drop -own freeown")
	mustSpawn[int](t, r.Local, p, c.WithToken(nil))
	r.turn(1)
	test.Equal(t, "trace", h.take(), "poll drop")
	test.Equal(t, "captured", h.spawned, 0)
	r.Close(CloseDrain)
	_, err := Spawn[int](r.Local, p, c.WithToken("refused"))
	test.Equal(t, "error", err, ErrClosed)
	test.Equal(t, "a token that wasn't taken", h.take(), "")
}

func TestTokenWhereNothingEntersIt(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p, r.Carrier().WithToken("no hooks"))
	r.turn(1)
	p.Want(t, 1, 0)
}

func TestContextOfATask(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(*rig, *Task[int], *probe)
		want error
	}{
		"cancel":   {func(_ *rig, task *Task[int], _ *probe) { task.Cancel() }, context.Canceled},
		"deadline": {func(r *rig, task *Task[int], _ *probe) { r.cancelWith(&task.task, ErrTimedOut) }, context.DeadlineExceeded},
		"return":   {func(_ *rig, _ *Task[int], p *probe) { p.Ready = true; p.Waker.Wake() }, context.Canceled},
		"evict":    {func(r *rig, task *Task[int], _ *probe) { r.Evict(task.Handle()) }, context.Canceled},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			var ctx context.Context
			p := new(probe)
			p.OnPoll = func(cx *Context) {
				if ctx == nil {
					ctx = cx.Context()
				}
				test.Equal(t, "the same each time", cx.Context(), ctx)
			}
			task := mustSpawn[int](t, r.Local, p, with(level{}, 7))
			r.turn(1)
			test.Equal(t, "error", ctx.Err(), nil)
			test.Equal(t, "value", ctx.Value(level{}), any(7))
			test.Equal(t, "value", ctx.Value(name{}), nil)
			_, has := ctx.Deadline()
			test.Equal(t, "has a deadline", has, false)
			c.end(r, task, p)
			r.Poll(Budget{})
			<-ctx.Done()
			test.Equal(t, "error", ctx.Err(), c.want)
			test.Equal(t, "done", task.Done(), true)
		})
	}
}

func TestContextOfAShieldedTask(t *testing.T) {
	r := newRig(t)
	done := false
	p := shieldUntil(t, &done)
	var ctx, late context.Context
	shield := p.OnPoll
	p.OnPoll = func(cx *Context) {
		if ctx == nil {
			ctx = cx.Context()
		}
		test.Equal(t, "error", ctx.Err(), nil)
		shield(cx)
		late = cx.Context()
	}
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	task.Cancel()
	done = true
	p.Waker.Wake()
	r.turn(1)
	test.Equal(t, "after the section", ctx.Err(), context.Canceled)
	test.Equal(t, "after the section", late.Err(), context.Canceled)
}

// One that is made in the section, after the cancel, goes on as well.
func TestContextMadeInAShieldedTask(t *testing.T) {
	r := newRig(t)
	done := false
	p := shieldUntil(t, &done)
	var ctx context.Context
	shield := p.OnPoll
	p.OnPoll = func(cx *Context) {
		if cx.Err() != nil {
			ctx = cx.Context()
			test.Equal(t, "error", ctx.Err(), nil)
		}
		shield(cx)
	}
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	task.Cancel()
	r.turn(1)
	done = true
	p.Waker.Wake()
	r.turn(1)
	test.Equal(t, "after the section", ctx.Err(), context.Canceled)
}

func TestContextHasTheDeadline(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	p.OnPoll = func(cx *Context) {
		test.Equal(t, "carries nothing yet", cx.base(), nil)
		cx.local.current.more().carried.deadline = cx.Now() + int64(time.Hour)
		at, has := cx.Context().Deadline()
		test.Equal(t, "has a deadline", has, true)
		left := time.Until(at)
		test.Equal(t, "in about an hour", left > 0 && left <= time.Hour, true)
	}
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	outside := &Context{r.Local, r.Local}
	test.Equal(t, "outside of a poll", outside.Context(), context.Background())
	test.Equal(t, "outside of a poll", outside.base(), nil)
}
