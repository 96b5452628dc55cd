// SPDX-License-Identifier: Apache-2.0

package future

import (
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
)

// Promise is a future that other code completes: a callback, foreign code, any
// goroutine. One task awaits it.
//
//	p := future.NewPromise[int](request.Abort)
//	request.Start(func(n int, err error) { p.Settle(n, err) })
//	n, err := coro.Await(co, p)
//
// # Notes
//
// A task that is cancelled while it awaits a promise drops it, which cancels the
// operation behind it: the owner calls onCancel once. The operation needn't know of
// that, and may complete the promise at any later time. A promise allocates only
// itself.
type Promise[T any] struct {
	word     atomic.Uint64 // a state, or the waiter's waker
	onCancel func()
	value    T // its claimer writes it; its waiter reads it once it is settled
	err      error
}

// States of a promise.
//
//	         claim            publish
//	open ────────────► claimed ─────► settled
//	  │ Drop
//	  └──────► dropped
//
// Any goroutine may claim and publish; only the owner drops. An open or claimed promise
// has its waiter in the same word: the owner writes it, and the publisher wakes it.
const (
	settled = 1 // no waker has this value, nor that of dropped
	dropped = 2
	claimed = 1 << 63 // beside the waiter: the highest bit of a waker is never set
)

func isOpen(word uint64) bool { return word&claimed == 0 && word != settled && word != dropped }

// NewPromise makes a promise. A drop before its completion calls onCancel, which may be
// nil.
func NewPromise[T any](onCancel func()) *Promise[T] {
	return &Promise[T]{onCancel: onCancel}
}

// Resolve completes the promise with a value, from any goroutine. It reports whether it
// was the first to complete it; a later call does nothing.
func (p *Promise[T]) Resolve(value T) (first bool) { return p.Settle(value, nil) }

// Reject completes the promise with an error, and is otherwise like Resolve.
func (p *Promise[T]) Reject(err error) (first bool) {
	var zero T
	return p.Settle(zero, err)
}

// Settle completes the promise with a value and an error, and is otherwise like
// Resolve.
func (p *Promise[T]) Settle(value T, err error) (first bool) {
	if !p.claim() {
		return false
	}
	p.value, p.err = value, err
	p.publish()
	return true
}

func (p *Promise[T]) claim() bool {
	for {
		word := p.word.Load()
		if !isOpen(word) {
			return false
		}
		if p.word.CompareAndSwap(word, word|claimed) {
			return true
		}
	}
}

func (p *Promise[T]) publish() {
	if waiter := executor.Waker(p.word.Swap(settled) &^ claimed); waiter != 0 {
		waiter.Wake()
	}
}

// Poll implements [executor.Future].
//
// # Errors
//
// [executor.ErrBusy] while another task awaits the promise, [executor.ErrCancelled]
// after Drop.
func (p *Promise[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	me := cx.Waker()
	for {
		word := p.word.Load()
		switch word {
		case settled:
			return p.value, true, p.err
		case dropped:
			return value, true, executor.ErrCancelled
		}
		waiter := executor.Waker(word &^ claimed)
		if waiter == me {
			return value, false, nil
		}
		if waiter.Live() {
			return value, true, executor.ErrBusy
		}
		if p.word.CompareAndSwap(word, word&claimed|uint64(me)) {
			return value, false, nil
		}
	}
}

// Drop implements [executor.Dropper]. It calls onCancel, unless the promise was
// completed. For the owner.
func (p *Promise[T]) Drop() {
	for {
		word := p.word.Load()
		next := word
		switch {
		case isOpen(word):
			next = dropped
		case word&claimed != 0:
			next = claimed // without its waiter
		}
		if word != next && !p.word.CompareAndSwap(word, next) {
			continue
		}
		if isOpen(word) && p.onCancel != nil {
			p.onCancel()
		}
		return
	}
}
