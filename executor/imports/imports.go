// SPDX-License-Identifier: Apache-2.0

// Package imports calls the functions that a host provides, as package export has those
// that Go provides.
//
//	var fetch = imports.Func[Request, Response]("app.Http", "fetch")
//
//	resp, err := fetch.Call(ctx, req)             // in a goroutine
//	resp, err := coro.Await(co, fetch.Start(req)) // in a coroutine
//
// # Notes
//
// A call ends with the host's answer, also if the caller cancels it: a cancel asks the host
// to stop, and the host's answer reports whether it has. Requests and responses cross as
// those of package export do.
package imports

import (
	"context"
	"fmt"
	"iter"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/codec"
	"github.com/pillion-dev/pillion/executor/internal/inbound"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Function is a function of a named provider of the host's. Any goroutine may use it, and
// each call looks for the provider: one on the loop of the call that Go works for comes
// before others, of which the eldest is called.
type Function[Req, Resp any] struct {
	provider, name string
	encode         func(Req) ([]byte, error)
	decode         func([]byte) (Resp, error)
}

// Func names a function of a provider. It may do so before the host provides it.
func Func[Req, Resp any](provider, name string) *Function[Req, Resp] {
	carrier.UseHost()
	return &Function[Req, Resp]{provider, name,
		codec.Encoder[Req](nil, ErrRequest), codec.Decoder[Resp](nil, ErrResponse)}
}

// Call calls the function and waits in this goroutine. It mustn't be called on a loop's
// thread.
//
// # Errors
//
// An [*Error] if the function failed, [ErrNotProvided], [ErrHostGone], [ErrRequest],
// [ErrResponse], the error of ctx if that has ended and the handler was cancelled, and
// context.Canceled if the host cancelled the handler by itself.
func (f *Function[Req, Resp]) Call(ctx context.Context, request Req) (response Resp, err error) {
	callee, r, err := f.begin(carrier.CallOf(ctx), request)
	if err != nil {
		return response, err
	}
	payload, err := inbound.Call(ctx, callee, r)
	if err != nil {
		return response, err
	}
	return f.decode(payload)
}

// Start is [Function.Call] as a future, for one task. Its first poll calls the function.
func (f *Function[Req, Resp]) Start(request Req) executor.Future[Resp] {
	return &inbound.Future[Resp]{
		Decode: f.decode,
		Begin: func(cx *executor.Context) (carrier.Callee, carrier.Request, error) {
			return f.begin(carrier.CallOf(place.Of(cx.Local()).Base()), request)
		},
	}
}

// Range calls a function that gives items, such as a generator, and waits for each in this
// goroutine, as [Function.Call] does. An error is the last item. If the loop breaks, the
// function is cancelled, and Range waits for its end.
//
//	for item, err := range feed.Range(ctx, request) { … }
func (f *Function[Req, Resp]) Range(ctx context.Context, request Req) iter.Seq2[Resp, error] {
	return func(yield func(Resp, error) bool) {
		callee, r, err := f.begin(carrier.CallOf(ctx), request)
		more := true
		if err == nil {
			err = inbound.Range(ctx, callee, r, func(payload []byte) bool {
				item, err := f.decode(payload)
				more = yield(item, err) && err == nil
				return more
			})
		}
		if more && err != nil {
			var none Resp
			yield(none, err)
		}
	}
}

// Reader is a function of a named provider of the host's that reads items.
type Reader[Req, Item, Resp any] struct {
	f      *Function[Req, Resp]
	encode func(Item) ([]byte, error)
}

// Collect names a function of a provider that reads items, as [Func] does others.
func Collect[Req, Item, Resp any](provider, name string) *Reader[Req, Item, Resp] {
	return &Reader[Req, Item, Resp]{Func[Req, Resp](provider, name), codec.Encoder[Item](nil, ErrRequest)}
}

// Call calls the function as [Function.Call] does, and sends it the items while it reads
// them. It stops early if the function answers. If items gives an error, or one can't be
// encoded, the function is cancelled, and Call gives that error after its end.
func (r *Reader[Req, Item, Resp]) Call(ctx context.Context, request Req, items iter.Seq2[Item, error]) (response Resp, err error) {
	callee, req, err := r.f.begin(carrier.CallOf(ctx), request)
	if err != nil {
		return response, err
	}
	payload, err := inbound.Collect(ctx, callee, req, func(yield func([]byte, error) bool) {
		for item, err := range items {
			var encoded []byte
			if err == nil {
				encoded, err = r.encode(item)
			}
			if !yield(encoded, err) {
				return
			}
		}
	})
	if err != nil {
		return response, err
	}
	return r.f.decode(payload)
}

func (f *Function[Req, Resp]) unknown(err error) error {
	return fmt.Errorf("%w: %s.%s", err, f.provider, f.name)
}

func (f *Function[Req, Resp]) begin(onBehalf carrier.Call, request Req) (carrier.Callee, carrier.Request, error) {
	r := carrier.Request{OnBehalf: onBehalf}
	host := carrier.CurrentHost()
	if host == nil {
		return nil, r, f.unknown(ErrNotProvided)
	}
	callee, index, err := host.Find(f.provider, f.name, onBehalf)
	if err != nil {
		return nil, r, f.unknown(err)
	}
	r.Function = index
	r.Payload, err = f.encode(request)
	return callee, r, err
}
