// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Outcome says how a task ended.
type Outcome int

const (
	Returned             Outcome = 0 // its future was ready, failed or panicked
	CancelledBeforeStart Outcome = 1 // its future was never polled
	CancelledRunning     Outcome = 2 // its future was dropped between two polls
)

// task is the part of a [Task] that doesn't know its type.
type task struct {
	_       [0]atomic.Uint64 // aligns the next, which a pool's task has atomic
	joiner  Waker
	local   *Local // inPool for a pool's
	run     runner
	slot    uint32
	gen     uint32
	place   uint32 // in the ready ring, if it is ready
	flags   uint16
	shields uint16 // how many shielded sections it is in
	extra   *extra // nil until it is needed
}

// runner is the part that does. It is the Task itself, or a [Shortcut] to it.
type runner interface {
	poll(cx *Context) (done bool)
	owns(future any) bool
	fail(err error)
	Err() error
	unwind(cx *Context) (done bool)
	unwound(cause error)
	drop()
	notify()
	notification() func()
}

// Task is a future that an executor owns, with a result, a cancel and a join. It
// is a [Future] itself: awaiting it from another task of the same executor joins
// it, which one task may at a time.
//
// The zero Task is storage for [Task.Spawn]; a finished one may be spawned into
// again, which allocates nothing. A live one must not be copied or moved.
type Task[T any] struct {
	task
	future Future[T]
	value  T
	err    error // while it is live: the cause of its end, with flagCaused
}

// Option changes one thing about a task that is being spawned.
type Option interface {
	apply(t *task)
}

// OnDone is an [Option]: a function that the owner's goroutine calls once, right
// when the task has finished and its future was dropped. The executor is done with
// the task by then, so the function may spawn into the same storage. It must not
// poll. Spawn panics if T isn't the task's.
type OnDone[T any] func(value T, err error, outcome Outcome)

func (f OnDone[T]) apply(t *task) { t.more().onDone = f }

// Executor is what tasks are spawned on: a [Local], a [Pool], a [Scope], or what a
// [Context.Executor] gives. It is an interface for that choice, not for others to
// implement.
type Executor interface {
	spawn(t *task) error
	spawner() *task // the task that is being polled there, if that is known
}

// Spawn makes f a task of e and schedules its first poll. On a [Local] it belongs to
// the owner, in or outside of a poll; on a [Pool], any goroutine may call it; on a
// [Scope] the task is a child.
//
// # Errors
//
// [ErrClosed] after [Local.Close] and once a scope is ending, [ErrAgain] over a quota. The future was then
// neither polled nor dropped.
func Spawn[T any](e Executor, f Future[T], options ...Option) (*Task[T], error) {
	_, child := e.(*Scope)
	t := newTask[T](child || len(options) > 0)
	if err := t.Spawn(e, f, options...); err != nil {
		return nil, err
	}
	return t, nil
}

// Spawn is [Spawn] into storage of the caller's. It fails with [ErrLive] while
// that is in use.
func (t *Task[T]) Spawn(e Executor, f Future[T], options ...Option) error {
	if t.inUse() {
		return ErrLive
	}
	var zero T
	t.future, t.value, t.err = f, zero, nil
	if t.extra != nil {
		t.extra.reset()
	}
	l, direct := e.(*Local) // the usual case needn't go through the interface
	var p *task
	if direct {
		p = l.current
	} else {
		p = e.spawner()
	}
	if p != nil && p.extra != nil && p.extra.carried.values != nil {
		t.more().carried.values = p.extra.carried.values
	}
	for _, o := range options {
		o.apply(&t.task)
	}
	if len(options) > 0 {
		t.checkOnDone()
	}
	t.run = t
	if direct {
		return l.spawn(&t.task)
	}
	return e.spawn(&t.task)
}

// checkOnDone panics if an OnDone of another type is among the options.
func (t *Task[T]) checkOnDone() {
	if f := t.extra.onDone; f != nil {
		if _, ok := f.(OnDone[T]); !ok {
			panic(fmt.Sprintf("executor: Spawn of a Task[%T] with a %T", t.value, f))
		}
	}
}

// Handle names the task for any goroutine and any length of time.
func (t *Task[T]) Handle() Handle { return makeHandle(t.slot, t.gen) }

// Cancel asks the task to end. Any goroutine may call it, as long as the storage
// isn't spawned into again meanwhile; see [Handle.Cancel] for what follows.
func (t *Task[T]) Cancel() CancelResult { return t.Handle().Cancel() }

// Join gives the future of the task's result: the Task. Dropping it leaves the
// task running.
func (t *Task[T]) Join() Future[T] { return t }

// Done says whether the task has finished. For the owner; on a [Pool], for any
// goroutine, and so are Result and Outcome then.
func (t *Task[T]) Done() bool { return t.hasEnded() }

// Result gives what the task returned, once it is done: [ErrCancelled] or
// [ErrTimedOut] if it was cancelled, a [PanicError] if it panicked. For the owner.
func (t *Task[T]) Result() (T, error) { return t.value, t.err }

// Err gives the error of Result.
func (t *Task[T]) Err() error { return t.err }

// Outcome says how the task ended, once it is done. For the owner.
func (t *Task[T]) Outcome() Outcome { return t.task.outcome() }

// Poll implements [Future]. A task of a [Pool] may be awaited from everywhere.
//
// # Errors
//
// The task's; [ErrBusy] while another task awaits it, [ErrJoinItself] in the task
// itself, and [ErrWrongLocal] for a task of another [Local] or, in a task of a Pool, of
// any: the result belongs to its owner.
func (t *Task[T]) Poll(cx *Context) (value T, ready bool, err error) {
	if cx.local.current == &t.task {
		return value, true, ErrJoinItself
	}
	if !t.pooled() && !cx.isOf(t.local) {
		return value, true, ErrWrongLocal
	}
	over, err := t.join(cx.Waker())
	if over {
		return t.value, true, t.err
	}
	return value, err != nil, err
}

func (t *task) outcome() Outcome { return Outcome(t.flags >> outcomeShift) }

// poll is just short enough for the compiler to inline it into what the interface
// calls, which saves one of three calls a step.
func (t *Task[T]) poll(cx *Context) (ready bool) {
	value, ready, err := t.future.Poll(cx)
	if ready {
		t.value, t.err = value, err
	}
	return
}

func (t *Task[T]) owns(future any) bool { return any(t.future) == future }

func (t *Task[T]) fail(err error) {
	var zero T
	t.value, t.err = zero, err
}

func (t *Task[T]) unwind(cx *Context) bool {
	u, ok := t.future.(Unwinder)
	if !ok {
		return true
	}
	done, err := u.Unwind(cx)
	if done {
		cause := t.err
		t.err = err
		t.unwound(cause)
	}
	return done
}

// unwound settles the error of a task whose future has unwound: the cause of its
// end, unless that ran into an error of its own, which says more.
func (t *Task[T]) unwound(cause error) {
	err := t.err
	if err == nil || errors.Is(err, cause) || errors.Is(cause, err) {
		err = cause
	}
	t.fail(err)
}

func (t *Task[T]) drop() {
	f := t.future
	t.future = nil
	if d, ok := f.(Dropper); ok {
		t.dropContained(d)
	}
}

// dropContained makes a panic in Drop the task's error, unless it has one that
// says more.
func (t *Task[T]) dropContained(d Dropper) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := t.err.(*PanicError); !ok {
				t.fail(NewPanicError(r))
			}
		}
	}()
	d.Drop()
}

// notification is notify for later, when the storage may be in use again.
func (t *Task[T]) notification() func() {
	f, ok := t.extra.onDone.(OnDone[T])
	if !ok {
		return nil
	}
	t.extra.onDone = nil
	value, err, outcome := t.value, t.err, t.task.outcome()
	return func() { f(value, err, outcome) }
}

func (t *Task[T]) notify() {
	if f, ok := t.extra.onDone.(OnDone[T]); ok {
		t.extra.onDone = nil
		f(t.value, t.err, t.task.outcome())
	}
}
