// SPDX-License-Identifier: Apache-2.0

// Package coro makes futures of straight-line functions.
//
//	f := coro.New(func(co *coro.Co) (int, error) {
//		if _, err := coro.Await(co, future.Sleep(time.Second)); err != nil {
//			return 0, err
//		}
//		return 42, nil
//	})
//
// # Notes
//
// A coroutine is born in its first poll, on the thread that polls. Only that thread
// resumes and ends it: in [executor.Local.Poll], [executor.Carrier.Retire] and
// [executor.Local.Free]. Go's runtime ends the process otherwise. The body must
// therefore not call runtime.LockOSThread before an [Await], nor await from
// another goroutine or inside a call from C.
//
// On an [executor.Pool] a coroutine stays with the worker that began it. That worker
// can't leave the pool while the coroutine is suspended. A coroutine that a goroutine
// of [executor.Pool.Start] began moves among those goroutines.
//
// In a cancelled body the suspended Await fails with [executor.ErrCancelled], and so
// does every later one. So the body unwinds and its deferred calls run. Their awaits
// fail as well, except in a section of [Shield].
package coro

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Co is what the body of a coroutine awaits with. It belongs to that body.
type Co struct {
	cx     *executor.Context
	worker *worker                   // nil before the body has begun and once it has ended
	yield  func(suspended bool) bool // of the worker, for the coroutine to call
	stop   bool                      // awaits fail; it follows from the fields below
	asked  bool                      // a cancel has come
	evict  bool                      // it ends now, shielded or not
	shield int                       // sections of Shield that the body is in
	scope  *frame
}

// Context gives the context of the present poll. It is valid until the next Await.
func (co *Co) Context() *executor.Context { return co.cx }

// Local gives the executor that runs the coroutine.
func (co *Co) Local() *executor.Local { return co.cx.Local() }

// Yield lets every other ready task go first. It fails with
// [executor.ErrCancelled] if the coroutine was cancelled.
func (co *Co) Yield() error {
	if !co.stopped() {
		co.cx.WakeSelf()
		co.suspend()
	}
	if co.stopped() {
		return co.reason()
	}
	return nil
}

// Shield runs f as a section that a cancel doesn't interrupt: f's awaits go on to
// their ends. A cancel that comes meanwhile takes effect at the task's next turn after
// the section. In a deferred call a section lets a clean-up await:
//
//	defer coro.Shield(co, func() error {
//		_, err := coro.Await(co, conn.Shutdown())
//		return err
//	})
//
// # Notes
//
// [executor.Local.Free], [executor.Carrier.Retire] and a combinator that drops the
// coroutine don't wait: then awaits in f fail with [executor.ErrCancelled], too.
func Shield(co *Co, f func() error) error {
	co.cx.Shield(true)
	co.shield++
	co.update()
	defer func() {
		co.shield--
		co.update()
		co.cx.Shield(false)
	}()
	return f()
}

func (co *Co) update() { co.stop = co.evict || co.asked && co.shield == 0 }

// stopped reports whether awaits fail: the coroutine has to end, or the scope that the
// body is in ends by an error.
func (co *Co) stopped() bool { return co.stop || co.scope != nil && co.scope.ends(co.shield) }

// suspend switches from the coroutine back to its resumer.
func (co *Co) suspend() { co.yield(true) }

// resume runs the body until it suspends or ends.
func (co *Co) resume() {
	if suspended, _ := co.worker.next(); !suspended {
		co.collect()
	}
}

// collect gives up the worker of a body that has ended.
func (co *Co) collect() {
	w := co.worker
	co.worker = nil
	if w.shortcut != nil {
		w.shortcut.Close()
	}
	if !w.pool.keep(w) {
		w.stop()
	}
}

// reason is the error of awaits that fail.
func (co *Co) reason() error {
	if err := co.cx.Err(); err != nil {
		return err
	}
	return executor.ErrCancelled
}

// Await suspends the coroutine until f is ready, and drops f. It returns f's error. If
// the coroutine is cancelled, Await returns [executor.ErrCancelled], or
// [executor.ErrTimedOut] after a deadline, and doesn't poll f again. If f is an
// [executor.Unwinder], Await first unwinds it to its end.
func Await[T any](co *Co, f executor.Future[T]) (value T, err error) {
	defer future.Drop(f) // also when f panics
	polled := false
	for !co.stopped() {
		value, ready, err := f.Poll(co.cx)
		if ready {
			return value, err
		}
		polled = true
		co.suspend()
	}
	if u, ok := f.(executor.Unwinder); ok && polled && !co.evict {
		done, err := u.Unwind(co.cx)
		for !done {
			co.suspend()
			if co.evict {
				break
			}
			_, done, err = f.Poll(co.cx)
		}
		if err != nil && !errors.Is(err, co.reason()) {
			return value, err
		}
	}
	return value, co.reason()
}

// New makes a future of body, for one task. Its value and error are those that body
// returns. If body panics, the task's error is an
// [executor.PanicError]. If it calls runtime.Goexit, the error is
// [executor.ErrGoexit], and its goroutine stays parked for good; see [Lost].
func New[T any](body func(co *Co) (T, error)) executor.Future[T] {
	return &coroutine[T]{body: body}
}

// coroutine is the future that the executor polls.
type coroutine[T any] struct {
	co    Co
	body  func(co *Co) (T, error) // nil once begun
	task  executor.Waker
	value T
	err   error
}

// Poll implements [executor.Future]. A turn that resumes the body by itself calls it
// when the body has ended.
func (f *coroutine[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	f.co.cx = cx
	switch w := f.co.worker; {
	case w == nil && f.body != nil:
		f.begin(cx)
	case w == nil:
	case w.job == nil:
		f.co.collect()
	default: // resume, written out: one frame less to return through after the switch
		if suspended, _ := w.next(); !suspended {
			f.co.collect()
		}
	}
	if f.co.worker != nil {
		return value, false, nil
	}
	return f.value, true, f.err
}

func (f *coroutine[T]) begin(cx *executor.Context) {
	f.task = cx.Waker()
	at := place.Of(cx.Local())
	f.co.worker = poolIn(at.Bind()).take(f)
	f.co.resume()
	if w := f.co.worker; w != nil {
		w.shortcut = at.Shortcut(w.shortcut, f, w.next)
	}
}

// Unwind implements [executor.Unwinder]: the body's Await fails, and the body may
// await more in sections of [Shield].
func (f *coroutine[T]) Unwind(cx *executor.Context) (done bool, err error) {
	f.body = nil
	f.co.cx = cx
	f.co.asked = true
	f.co.update()
	if f.co.worker != nil {
		f.co.resume()
	}
	return f.co.worker == nil, f.err
}

// Drop implements [executor.Dropper]: a suspended body unwinds here.
func (f *coroutine[T]) Drop() {
	f.body = nil
	if f.co.worker == nil {
		return
	}
	f.end()
	if p, ok := f.err.(*executor.PanicError); ok {
		panic(p) // the executor makes it the task's error
	}
}

// end makes every Await fail until the body has ended.
func (f *coroutine[T]) end() {
	f.co.evict = true
	f.co.update()
	f.co.resume()
}

// The methods below make a future the job of a worker.

func (f *coroutine[T]) fail(err error) { f.err = err }

func (f *coroutine[T]) run() {
	body := f.body
	f.body = nil
	f.co.yield = f.co.worker.yield
	f.value, f.err = body(&f.co)
}

// retire ends the body now, and the task with it. If the future was handed from one
// task to another, retire ends the future itself. A worker can't end a task of the
// pool here: the task learns that it was cancelled and, if it is shielded, that its
// body is over.
func (f *coroutine[T]) retire() {
	_ = f.co.Local().Evict(f.task.Handle())
	if f.co.worker != nil {
		f.task.Handle().Cancel()
		f.end()
		f.task.Wake()
	}
}
