// SPDX-License-Identifier: Apache-2.0

package executor

import "sync/atomic"

// Promise is a future that somebody else completes: foreign code, a callback, any
// goroutine. One task awaits it.
//
//	p := executor.NewPromise[int](request.Abort)
//	request.Start(func(n int, err error) { p.Settle(n, err) })
//	n, err := coro.Await(co, p)
//
// # Notes
//
// A task that is cancelled while it awaits a promise drops it, and so cancels the
// operation behind it: onCancel is called, once, on the owner. Whoever completes the
// promise needn't know of that and may come as late as he likes. Nothing but the
// Promise itself is allocated.
type Promise[T any] struct {
	word     atomic.Uint64 // state<<56 | the waiter's slot and generation
	late     atomic.Uint32
	onCancel func()
	value    T // written by who has claimed it, read once it is settled
	err      error
}

// States of a promise.
//
//	         claim            publish
//	open ────────────► claimed ─────► settled
//	  │ Drop
//	  └──────► dropped
//
// Any goroutine may claim and publish; only the owner drops. The waiter is written by
// the owner, while the promise is open or claimed, and is woken by who publishes.
const (
	promiseOpen = iota
	promiseClaimed
	promiseSettled
	promiseDropped

	promiseShift  = 56
	promiseWaiter = 1<<promiseShift - 1
)

// NewPromise makes a promise. The function is called if it is dropped before it was
// completed; it may be nil.
func NewPromise[T any](onCancel func()) *Promise[T] {
	return &Promise[T]{onCancel: onCancel}
}

// Resolve completes the promise with a value, from any goroutine. It says whether
// it was the first to complete it; a later one does nothing.
func (p *Promise[T]) Resolve(value T) (first bool) { return p.Settle(value, nil) }

// Reject completes the promise with an error, and is otherwise like Resolve.
func (p *Promise[T]) Reject(err error) (first bool) {
	var zero T
	return p.Settle(zero, err)
}

// Settle completes the promise with both, and is otherwise like Resolve.
func (p *Promise[T]) Settle(value T, err error) (first bool) {
	if !p.claim() {
		p.late.Add(1)
		return false
	}
	p.value, p.err = value, err
	p.publish()
	return true
}

// Late says how often somebody wanted to complete the promise after it was completed
// or dropped. For any goroutine.
func (p *Promise[T]) Late() int { return int(p.late.Load()) }

func (p *Promise[T]) claim() bool {
	for {
		w := p.word.Load()
		if w>>promiseShift != promiseOpen {
			return false
		}
		if p.word.CompareAndSwap(w, w|promiseClaimed<<promiseShift) {
			return true
		}
	}
}

func (p *Promise[T]) publish() {
	w := p.word.Swap(promiseSettled << promiseShift)
	if waiter := w & promiseWaiter; waiter != 0 {
		(kindWaker<<56 | Waker(waiter)).Wake()
	}
}

// Poll implements [Future].
//
// # Errors
//
// [ErrBusy] while another task awaits the promise, [ErrCancelled] after Drop.
func (p *Promise[T]) Poll(cx *Context) (value T, ready bool, err error) {
	me := uint64(cx.Waker()) & promiseWaiter
	for {
		w := p.word.Load()
		switch w >> promiseShift {
		case promiseSettled:
			return p.value, true, p.err
		case promiseDropped:
			return value, true, ErrCancelled
		}
		waiter := w & promiseWaiter
		if waiter == me {
			return value, false, nil
		}
		if waiter != 0 && (kindWaker<<56 | Waker(waiter)).live() {
			return value, true, ErrBusy
		}
		if p.word.CompareAndSwap(w, w&^promiseWaiter|me) {
			return value, false, nil
		}
	}
}

// Drop implements [Dropper]. It calls the function that NewPromise got, unless the
// promise was completed. For the owner.
func (p *Promise[T]) Drop() {
	for {
		w := p.word.Load()
		next := w &^ promiseWaiter
		if w>>promiseShift == promiseOpen {
			next = promiseDropped << promiseShift
		}
		if w != next && !p.word.CompareAndSwap(w, next) {
			continue
		}
		if w>>promiseShift == promiseOpen && p.onCancel != nil {
			p.onCancel()
		}
		return
	}
}
