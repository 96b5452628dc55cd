// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"sync/atomic"
)

// Outcome says how a task ended.
type Outcome int

const (
	Returned             Outcome = 0 // its future was ready, failed or panicked
	CancelledBeforeStart Outcome = 1 // its future was never polled
	CancelledRunning     Outcome = 2 // its future was dropped between two polls
)

// task is the part of a [Task] that doesn't depend on its type.
type task struct {
	_       [0]atomic.Uint64 // aligns the next field, which is atomic in a pool's task
	joiner  Waker
	local   *Local // inPool for a task of a pool
	run     runner
	slot    uint32
	gen     uint32
	place   uint32 // its place in the ready ring, if it is ready
	flags   uint16
	shields uint16 // the shielded sections around it
	extra   *extra // nil until a field of it is needed
}

// extra has the fields that only few tasks need. It stays with the storage for the next
// task there.
type extra struct {
	onDone   any // an OnDone of the task's type
	deadline *Timer
	carried  carried
	pin      *pin // of a pool's task, see pool_pin.go
	member   member
}

// more makes the extra of a task that has none yet.
func (t *task) more() *extra {
	if t.extra == nil {
		t.extra = new(extra)
	}
	return t.extra
}

func (x *extra) reset() {
	*x = extra{deadline: x.deadline}
	if x.deadline != nil {
		x.deadline.node.At = Never
	}
}

// newTask makes a task and, if it will need one, its extra in the same piece of memory.
func newTask[T any](withExtra bool) *Task[T] {
	if !withExtra {
		return new(Task[T])
	}
	both := new(struct {
		task  Task[T]
		extra extra
	})
	both.task.extra = &both.extra
	return &both.task
}

// runner is the part that does depend on it: the Task itself, or a shortcut to it.
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

// Task is a future that an executor owns, with a result and a cancel. It is a [Future]
// itself: another task of the same executor joins it by awaiting it. Only one task may
// do so at a time, and leaves it running when it gives that up.
//
// The zero Task is storage for [Task.Spawn]. A spawn into a finished Task allocates
// nothing. A live Task must not be copied or moved.
type Task[T any] struct {
	task
	future Future[T]
	value  T
	err    error // of a live task: the cause of its end, with flagCaused
}

// Executor runs tasks: a [Local], a [Pool], a [Scope], or, for a task in its poll, its
// [Context]. The interface is for this choice; other packages can't implement it.
type Executor interface {
	spawn(t *task) error
	spawner() *task // the task in its poll there, if it is known
}

// Spawn makes f a task of e and schedules its first poll. On a [Local] it is for the
// owner, in or outside of a poll. On a [Pool] any goroutine may call it. On a [Scope]
// the task is a child.
//
// # Errors
//
// [ErrClosed] after [Local.Close] and once a scope is ending, [ErrAgain] over a quota.
// Then the future gets neither poll nor drop.
func Spawn[T any](e Executor, f Future[T], options ...Option) (*Task[T], error) {
	_, child := e.(*Scope)
	t := newTask[T](child || len(options) > 0)
	if err := t.Spawn(e, f, options...); err != nil {
		return nil, err
	}
	return t, nil
}

// Spawn is [Spawn] into storage of the caller's. It fails with [ErrBusy] while the
// storage is in use.
func (t *Task[T]) Spawn(e Executor, f Future[T], options ...Option) error {
	if t.inUse() {
		return ErrBusy
	}
	var zero T
	t.future, t.value, t.err = f, zero, nil
	if t.extra != nil {
		t.extra.reset()
	}
	l, direct := e.(*Local) // the usual case avoids the interface
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

// Handle names the task for any goroutine, for as long as one likes.
func (t *Task[T]) Handle() Handle { return makeHandle(t.slot, t.gen) }

// Cancel asks the task to end. Any goroutine may call it, as long as the storage
// isn't spawned into again meanwhile; see [Handle.Cancel] for what follows.
func (t *Task[T]) Cancel() Answer { return t.Handle().Cancel() }

// Done reports whether the task has finished. It is for the owner. On a [Pool] it is
// for any goroutine, and once it is true so are Result and Outcome.
func (t *Task[T]) Done() bool { return t.hasEnded() }

// Result gives the value and error of a finished task: [ErrCancelled] or [ErrTimedOut]
// if it was cancelled, a [PanicError] if it panicked. For the owner.
func (t *Task[T]) Result() (T, error) { return t.value, t.err }

// Err gives the error of Result.
func (t *Task[T]) Err() error { return t.err }

// Outcome gives the way in which a finished task ended. For the owner.
func (t *Task[T]) Outcome() Outcome { return t.task.outcome() }

// Poll implements [Future]. Tasks of any executor may await a task of a [Pool].
//
// # Errors
//
// The task's; [ErrBusy] while another task awaits it; [ErrJoinItself] in the task
// itself; [ErrWrongLocal] for a task of another [Local], and in a task of a Pool for a
// task of any Local: the result belongs to its owner.
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

// poll is just short enough for the compiler to inline it into the wrapper that the
// interface calls, which saves one of three calls a step.
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

// unwound sets the error of a task whose future has unwound: the cause of its end,
// unless the unwinding has an error of its own, which says more.
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

// dropContained makes a panic in Drop the task's error, unless the task has an error
// that says more.
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

// notification is notify for a later time, when the storage may be in use again.
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
