// SPDX-License-Identifier: Apache-2.0

package inbound

import (
	"context"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// Future is [Call] for a task. Its first poll makes the call. Its unwinding asks the host
// to stop and ends with the answer.
type Future[T any] struct {
	// Begin gives the callee and the request.
	Begin  func(cx *executor.Context) (carrier.Callee, carrier.Request, error)
	Decode func([]byte) (T, error)

	in      carrier.Inbound // nil before the call and after the answer
	stopped bool            // the cancel of the handler is no error then
}

// Poll implements [executor.Future].
func (f *Future[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	w := carrier.Waiter{Task: uint64(cx.Waker())}
	if f.in == nil {
		callee, r, err := f.Begin(cx)
		if err == nil {
			f.in, err = callee.Call(r)
		}
		if err != nil {
			f.in = nil
			return value, true, err
		}
	}
	if f.in.Await(w) {
		return value, false, nil
	}
	payload, err := f.in.Answer()
	f.in.Release()
	f.in = nil
	switch {
	case err == nil:
		value, err = f.Decode(payload)
	case f.stopped && err == context.Canceled:
		err = nil
	}
	return value, true, err
}

// Unwind implements [executor.Unwinder].
func (f *Future[T]) Unwind(cx *executor.Context) (done bool, err error) {
	if f.in == nil {
		return true, nil
	}
	f.stopped = true
	f.in.Cancel()
	_, done, err = f.Poll(cx)
	return done, err
}

// Drop implements [executor.Dropper]. Without an unwinding the answer is thrown away.
func (f *Future[T]) Drop() {
	if f.in == nil {
		return
	}
	in := f.in
	f.in = nil
	in.Cancel()
	var release func()
	release = func() {
		if !in.Await(carrier.Waiter{Func: release}) {
			in.Release()
		}
	}
	release()
}
