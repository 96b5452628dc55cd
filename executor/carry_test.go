// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
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
	return &probe{onPoll: func(*Context) { h.trace = append(h.trace, "poll") },
		onDrop: func() { h.trace = append(h.trace, "drop") }}
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
	equal(t, "first polls", h.take(), "+1 poll -1 poll")
	carrying.ready, plain.ready = true, true
	carrying.waker.Wake()
	plain.waker.Wake()
	r.turn(2)
	equal(t, "last polls", h.take(), "+1 poll -1 +1 drop done0 -1 free1 poll drop done0")
}

func TestHooksOfCancelledTasks(t *testing.T) {
	r, h := newTraced(t)
	task := mustSpawn[int](t, r.Local, h.probe(), h.done())
	task.Cancel()
	r.turn(0)
	equal(t, "before the start", h.take(), "+1 drop done1 -1 free1")
	h.spawned++
	task = mustSpawn[int](t, r.Local, h.probe())
	r.turn(1)
	task.Cancel()
	r.turn(0)
	equal(t, "running", h.take(), "+3 poll -3 +3 -3 +3 drop -3 free3")
	h.spawned++
	mustSpawn[int](t, r.Local, h.probe())
	r.Free()
	equal(t, "freed", h.take(), "+5 drop -5 free5")
}

func TestHooksAreLeftAfterAPanic(t *testing.T) {
	r, h := newTraced(t)
	p := h.probe()
	p.onPoll = func(*Context) { panic(1) }
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	equal(t, "trace", h.take(), "+1 -1 +1 drop -1 free1")
}

func TestHooksAreLeftAfterAPanicInOnDone(t *testing.T) {
	r, h := newTraced(t)
	p := h.probe()
	p.ready = true
	mustSpawn[int](t, r.Local, p, OnDone[int](func(int, error, Outcome) { panic("mine") }))
	func() {
		defer func() { equal(t, "recovered", recover(), any("mine")) }()
		r.Poll(Budget{})
	}()
	equal(t, "trace", h.take(), "+1 poll -1 +1 drop -1 free1")
}

// No context gets into the storage's next task.
func TestHooksOfAReusedStorage(t *testing.T) {
	r, h := newTraced(t)
	var task Task[int]
	p := h.probe()
	p.ready = true
	task.Spawn(r.Local, p, OnDone[int](func(int, error, Outcome) { task.Spawn(r.Local, p) }))
	r.turn(1)
	equal(t, "trace", h.take(), "+1 poll -1 +1 drop -1 free1")
	r.turn(1)
	equal(t, "trace", h.take(), "poll drop")
}

func TestHooksNestWhenATaskIsEvicted(t *testing.T) {
	r, h := newTraced(t)
	victim := mustSpawn[int](t, r.Local, h.probe())
	h.spawned++
	outer := h.probe()
	outer.onPoll = func(*Context) { r.Evict(victim.Handle()) }
	mustSpawn[int](t, r.Local, outer)
	r.turn(2)
	equal(t, "trace", h.take(), "+1 poll -1 +3 +1 drop -1 free1 -3")
}

func TestChosenTokenIsNotCaptured(t *testing.T) {
	r, h := newTraced(t)
	c := r.Carrier()
	p := h.probe()
	p.ready = true
	mustSpawn[int](t, r.Local, p, c.WithToken("own"))
	r.turn(1)
	equal(t, "trace", h.take(), "+own poll -own +own drop -own freeown")
	mustSpawn[int](t, r.Local, p, c.WithToken(nil))
	r.turn(1)
	equal(t, "trace", h.take(), "poll drop")
	equal(t, "captured", h.spawned, 0)
	r.Close(CloseDrain)
	_, err := Spawn[int](r.Local, p, c.WithToken("refused"))
	equal(t, "error", err, ErrClosed)
	equal(t, "a token that wasn't taken", h.take(), "")
}

func TestTokenWhereNothingEntersIt(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	mustSpawn[int](t, r.Local, p, r.Carrier().WithToken("no hooks"))
	r.turn(1)
	p.want(t, 1, 0)
}

func TestContextOfATask(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(*rig, *Task[int], *probe)
		want error
	}{
		"cancel":   {func(_ *rig, task *Task[int], _ *probe) { task.Cancel() }, context.Canceled},
		"deadline": {func(r *rig, task *Task[int], _ *probe) { r.cancelWith(&task.task, ErrTimedOut) }, context.DeadlineExceeded},
		"return":   {func(_ *rig, _ *Task[int], p *probe) { p.ready = true; p.waker.Wake() }, context.Canceled},
		"evict":    {func(r *rig, task *Task[int], _ *probe) { r.Evict(task.Handle()) }, context.Canceled},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			var ctx context.Context
			p := new(probe)
			p.onPoll = func(cx *Context) {
				if ctx == nil {
					ctx = cx.Context()
				}
				equal(t, "the same each time", cx.Context(), ctx)
			}
			task := mustSpawn[int](t, r.Local, p, with(level{}, 7))
			r.turn(1)
			equal(t, "error", ctx.Err(), nil)
			equal(t, "value", ctx.Value(level{}), any(7))
			equal(t, "value", ctx.Value(name{}), nil)
			_, has := ctx.Deadline()
			equal(t, "has a deadline", has, false)
			c.end(r, task, p)
			r.Poll(Budget{})
			<-ctx.Done()
			equal(t, "error", ctx.Err(), c.want)
			equal(t, "done", task.Done(), true)
		})
	}
}

func TestContextOfAShieldedTask(t *testing.T) {
	r := newRig(t)
	done := false
	p := shieldUntil(t, &done)
	var ctx, late context.Context
	shield := p.onPoll
	p.onPoll = func(cx *Context) {
		if ctx == nil {
			ctx = cx.Context()
		}
		equal(t, "error", ctx.Err(), nil)
		shield(cx)
		late = cx.Context()
	}
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	task.Cancel()
	done = true
	p.waker.Wake()
	r.turn(1)
	equal(t, "after the section", ctx.Err(), context.Canceled)
	equal(t, "after the section", late.Err(), context.Canceled)
}

// One that is made in the section, after the cancel, goes on as well.
func TestContextMadeInAShieldedTask(t *testing.T) {
	r := newRig(t)
	done := false
	p := shieldUntil(t, &done)
	var ctx context.Context
	shield := p.onPoll
	p.onPoll = func(cx *Context) {
		if cx.Err() != nil {
			ctx = cx.Context()
			equal(t, "error", ctx.Err(), nil)
		}
		shield(cx)
	}
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	task.Cancel()
	r.turn(1)
	done = true
	p.waker.Wake()
	r.turn(1)
	equal(t, "after the section", ctx.Err(), context.Canceled)
}

func TestContextHasTheDeadline(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	p.onPoll = func(cx *Context) {
		equal(t, "carries nothing yet", cx.base(), nil)
		cx.local.current.more().carried.deadline = cx.Now() + int64(time.Hour)
		at, has := cx.Context().Deadline()
		equal(t, "has a deadline", has, true)
		left := time.Until(at)
		equal(t, "in about an hour", left > 0 && left <= time.Hour, true)
	}
	mustSpawn[int](t, r.Local, p)
	r.turn(1)
	outside := &Context{r.Local, r.Local}
	equal(t, "outside of a poll", outside.Context(), context.Background())
	equal(t, "outside of a poll", outside.base(), nil)
}
