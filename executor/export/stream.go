// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"fmt"
	"io"
	"iter"
	"reflect"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/internal/codec"
	"github.com/pillion-dev/pillion/executor/internal/inbound"
)

// Stream registers a function, as [Func] does, that gives its caller items. They go as
// far ahead as the caller allows, and then yield waits.
//
//	export.Stream("news.search", func(ctx context.Context, q string) iter.Seq2[Article, error] {
//		return func(yield func(Article, error) bool) { … }
//	})
//
// # Notes
//
// The sequence runs in the worker goroutine. yield gives false when the caller has
// cancelled and when ctx has ended; the sequence then returns. The first error ends the
// stream, after the items before it, and is the call's error.
func Stream[Req, Item any](name string, fn func(ctx context.Context, request Req) iter.Seq2[Item, error], opts ...Option) {
	f, o := newFunction[Req, struct{}](name, fn == nil, opts)
	encode := givesItems[Item](f, o)
	f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (struct{}, error) {
		return struct{}{}, pour(ctx, x, f.item, fn(ctx, request), encode)
	})
	register(f, o)
}

// Collect registers a function, as [Func] does, that its caller sends items.
//
// # Notes
//
// The sequence waits for the items. It ends when the caller has sent the last one. An
// error is its last element: [ErrRequest] for an item that can't be decoded, or ctx's
// error. Items that come later are refused once the loop breaks or the function returns.
// One goroutine at a time reads them.
func Collect[Req, In, Resp any](name string, fn func(ctx context.Context, request Req, items iter.Seq2[In, error]) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	decode := takes[In](f, o)
	f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (Resp, error) {
		return fn(ctx, request, drain(ctx, x, decode))
	})
	register(f, o)
}

// Duplex registers a function that is sent items, as those of [Collect], and gives items,
// as those of [Stream].
func Duplex[Req, In, Item any](name string, fn func(ctx context.Context, request Req, items iter.Seq2[In, error]) iter.Seq2[Item, error], opts ...Option) {
	f, o := newFunction[Req, struct{}](name, fn == nil, opts)
	decode, encode := takes[In](f, o), givesItems[Item](f, o)
	f.call = coded(f, o, func(ctx context.Context, x *exchange, request Req) (struct{}, error) {
		return struct{}{}, pour(ctx, x, f.item, fn(ctx, request, drain(ctx, x, decode)), encode)
	})
	register(f, o)
}

// LoopStream registers a function, as [Loop] does, that gives its caller items.
//
//	export.LoopStream("clock.ticks", func(co *coro.Co, n int, out *export.Out[int]) error {
//		for i := range n {
//			if err := out.Send(co, i); err != nil {
//				return err
//			}
//		}
//		return nil
//	})
func LoopStream[Req, Item any](name string, fn func(co *coro.Co, request Req, out *Out[Item]) error, opts ...Option) {
	f, o := newFunction[Req, struct{}](name, fn == nil, opts)
	f.onLoop(o)
	encode := givesItems[Item](f, o)
	f.begin = coded(f, o, func(co *coro.Co, x *exchange, request Req) (struct{}, error) {
		return struct{}{}, fn(co, request, &Out[Item]{x, encode, f.item})
	})
	register(f, o)
}

// Out is where a function on the loop sends its items.
type Out[Item any] struct {
	x      *exchange
	encode func(Item) ([]byte, error)
	item   int
}

// Send sends an item. It suspends the coroutine until there is room.
//
// # Errors
//
// [ErrResponse] for an item that can't be encoded, [executor.ErrCancelled] or
// [executor.ErrTimedOut] if the call has to end, [executor.ErrClosed] if the caller wants
// no more.
func (out *Out[Item]) Send(co *coro.Co, item Item) error {
	payload, err := out.encode(item)
	if err != nil {
		return err
	}
	_, err = coro.Await(co, executor.Future[struct{}](&sending{
		exchange: out.x,
		writer:   writer{function: out.item, payload: payload},
	}))
	return err
}

func givesItems[Item any](f *Function, o *options) func(Item) ([]byte, error) {
	if gives(reflect.TypeFor[Item]()) {
		f.item = carrier.ItemObject
	}
	f.out = describe[Item]()
	codable[Item](o)
	return encoder[Item](o)
}

func takes[In any](f *Function, o *options) func([]byte) (In, error) {
	f.in = describe[In]()
	codable[In](o)
	return itemDecoder[In](o)
}

func codable[Item any](o *options) {
	if t := reflect.TypeFor[Item](); o.wrong == "" && o.codec == nil && codec.Uncodable(t) {
		o.wrong = fmt.Sprintf("an item of type %v has no JSON form", t)
	}
}

// pour sends all items of a sequence.
func pour[Item any](ctx context.Context, x *exchange, kind int, items iter.Seq2[Item, error], encode func(Item) ([]byte, error)) error {
	s := inbound.NewSleeper()
	w := &writer{Waiter: s.Waiter, function: kind}
	for item, err := range items {
		if err == nil {
			w.payload, err = encode(item)
		}
		if err != nil {
			return err
		}
		if err := x.put(ctx, s, w); err != nil {
			return stopped(err)
		}
	}
	return nil
}

// stopped makes the caller's refusal a cancel, by which it has come.
func stopped(err error) error {
	if err == executor.ErrClosed {
		return context.Canceled
	}
	return err
}

// drain gives the items from the caller.
func drain[In any](ctx context.Context, x *exchange, decode func([]byte) (In, error)) iter.Seq2[In, error] {
	s := inbound.NewSleeper()
	var reading atomic.Bool
	return func(yield func(In, error) bool) {
		if !reading.CompareAndSwap(false, true) {
			var none In
			yield(none, executor.ErrBusy)
			return
		}
		defer reading.Store(false)
		for {
			var item In
			payload, err := x.get(ctx, s)
			if err == io.EOF {
				return
			}
			if err == nil {
				item, err = decode(payload)
			}
			if err != nil {
				x.refuse()
			}
			if !yield(item, err) {
				x.refuse()
				return
			}
			if err != nil {
				return
			}
		}
	}
}
