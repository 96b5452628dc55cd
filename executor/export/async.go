// SPDX-License-Identifier: Apache-2.0

package export

import (
	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// Async registers a function that gives a future, as [Func] does. The future runs on
// the caller's loop, or on the pool that the caller names, without a goroutine or a
// coroutine of its own.
//
//	export.Async("clock.sleep", func(ns int64) executor.Future[struct{}] {
//		return future.Sleep(time.Duration(ns))
//	})
//
// # Notes
//
// The first poll of the call's task calls fn, on the thread that polls. On a pool,
// each poll may be on another thread.
func Async[Req, Resp any](name string, fn func(request Req) executor.Future[Resp], opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.Kind = KindAsync
	if o.cpu {
		o.wrong = "a future can't be CPU-bound"
	}
	a := &async[Req, Resp]{fn, decoder[Req](f, o), encoder[Resp](o)}
	f.future = func(x *exchange, payload []byte) executor.Future[[]byte] {
		return &asyncCall[Req, Resp]{async: a, exchange: x, payload: payload}
	}
	register(f, o)
}

// async is shared by all calls of a function.
type async[Req, Resp any] struct {
	fn     func(Req) executor.Future[Resp]
	decode func(*exchange, []byte) (Req, error)
	encode func(Resp) ([]byte, error)
}

// asyncCall is the future of one call.
type asyncCall[Req, Resp any] struct {
	*async[Req, Resp]
	exchange *exchange
	payload  []byte
	future   executor.Future[Resp] // nil before the first poll
}

func (c *asyncCall[Req, Resp]) Poll(cx *executor.Context) (response []byte, ready bool, err error) {
	if c.future == nil {
		request, err := c.decode(c.exchange, c.payload)
		if err != nil {
			return nil, true, err
		}
		c.payload = nil
		c.future = c.fn(request)
	}
	value, ready, err := c.future.Poll(cx)
	if !ready || err != nil {
		return nil, ready, err
	}
	response, err = c.encode(value)
	return response, true, err
}

func (c *asyncCall[Req, Resp]) Unwind(cx *executor.Context) (done bool, err error) {
	if u, ok := c.future.(executor.Unwinder); ok {
		return u.Unwind(cx)
	}
	return true, nil
}

func (c *asyncCall[Req, Resp]) Drop() { future.Drop(c.future) }
