// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"iter"

	"github.com/pillion-dev/pillion/executor/coro"
)

// Method is a method of a class: see [Func] and [Object].
func Method[T, Req, Resp any](name string, fn func(object T, ctx context.Context, request Req) (Resp, error), opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, Resp](c, name, fn == nil, opts)
		f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (response Resp, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return response, err
			}
			return fn(object, ctx, request)
		})
		register(f, o)
	}
}

// MethodLoop is a method that runs on the caller's loop: see [Loop].
func MethodLoop[T, Req, Resp any](name string, fn func(object T, co *coro.Co, request Req) (Resp, error), opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, Resp](c, name, fn == nil, opts)
		f.onLoop(o)
		f.begin = coded(f, o, func(co *coro.Co, x *exchange, request Req) (response Resp, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return response, err
			}
			return fn(object, co, request)
		})
		register(f, o)
	}
}

// MethodStream is a method that gives its caller items: see [Stream].
func MethodStream[T, Req, Item any](name string, fn func(object T, ctx context.Context, request Req) iter.Seq2[Item, error], opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, struct{}](c, name, fn == nil, opts)
		encode := givesItems[Item](f, o)
		f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (none struct{}, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return none, err
			}
			return none, pour(ctx, x, f.item, fn(object, ctx, request), encode)
		})
		register(f, o)
	}
}

// MethodCollect is a method that its caller sends items: see [Collect].
func MethodCollect[T, Req, In, Resp any](name string, fn func(object T, ctx context.Context, request Req, items iter.Seq2[In, error]) (Resp, error), opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, Resp](c, name, fn == nil, opts)
		decode := takes[In](f, o)
		f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (response Resp, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return response, err
			}
			return fn(object, ctx, request, drain(ctx, x, decode))
		})
		register(f, o)
	}
}

// MethodDuplex is a method that is sent items and gives items: see [Duplex].
func MethodDuplex[T, Req, In, Item any](name string, fn func(object T, ctx context.Context, request Req, items iter.Seq2[In, error]) iter.Seq2[Item, error], opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, struct{}](c, name, fn == nil, opts)
		decode, encode := takes[In](f, o), givesItems[Item](f, o)
		f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (none struct{}, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return none, err
			}
			return none, pour(ctx, x, f.item, fn(object, ctx, request, drain(ctx, x, decode)), encode)
		})
		register(f, o)
	}
}

// MethodLoopStream is a method on the caller's loop that gives items: see [LoopStream].
func MethodLoopStream[T, Req, Item any](name string, fn func(object T, co *coro.Co, request Req, out *Out[Item]) error, opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, Req, struct{}](c, name, fn == nil, opts)
		f.onLoop(o)
		encode := givesItems[Item](f, o)
		f.begin = coded(f, o, func(co *coro.Co, x *exchange, request Req) (none struct{}, err error) {
			object, err := receiver[T](x)
			if err != nil {
				return none, err
			}
			return none, fn(object, co, request, &Out[Item]{x, encode, f.item})
		})
		register(f, o)
	}
}
