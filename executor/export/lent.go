// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/executor/internal/codec"
	"github.com/pillion-dev/pillion/executor/internal/inbound"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// Callback is a function of the caller's, in a request. It crosses as an index, and ends
// with the call that lends it. The zero Callback stands for a function that the caller
// left out. Any goroutine may use a Callback.
//
//	type Login struct {
//		User string
//		Ask  export.Callback[string, string] // prompt, answer
//	}
//
// # Notes
//
// Of the functions that one call lends, 64 are called at once; the next caller waits until
// one has answered. When the function that was lent a callback returns, the host is asked to stop what runs
// of it. The function's caller learns of the return when all of that has ended.
type Callback[Req, Resp any] struct{ *index }

// Signal is a function of the caller's that gives no answer. It is like [Callback]
// otherwise, but its values reach the host in order with the items of a stream, and only
// within the caller's credit. A zero Signal drops its values.
type Signal[T any] struct{ *index }

// index is what a request has of a lent function.
type index struct {
	function int
	loan     loan
}

// loan is what a call's lent functions have in common.
type loan struct {
	x     *exchange
	codec Codec
}

// lent are a Callback, a Signal and a Ref.
type lent interface {
	describe(outer []reflect.Type) any
	flow() Flows
	lend(loan) error
}

var lentType = reflect.TypeFor[lent]()

func (i *index) flow() Flows { return FlowCallbacks }

func (i *index) lend(l loan) error {
	if i != nil {
		i.loan = l
	}
	return nil
}

func parse(data []byte) (*index, error) {
	var function *uint16
	if err := json.Unmarshal(data, &function); err != nil {
		return nil, fmt.Errorf("a lent function is an index: %w", err)
	}
	if function == nil {
		return nil, nil
	}
	return &index{function: int(*function)}, nil
}

// UnmarshalJSON takes the function's index.
func (c *Callback[Req, Resp]) UnmarshalJSON(data []byte) (err error) {
	c.index, err = parse(data)
	return err
}

// UnmarshalJSON takes the function's index.
func (s *Signal[T]) UnmarshalJSON(data []byte) (err error) {
	s.index, err = parse(data)
	return err
}

func (Callback[Req, Resp]) describe(outer []reflect.Type) any {
	return map[string]any{"callback": map[string]any{
		"request":  describeType(reflect.TypeFor[Req](), outer),
		"response": describeType(reflect.TypeFor[Resp](), outer)}}
}

func (Signal[T]) describe(outer []reflect.Type) any {
	return map[string]any{"signal": describeType(reflect.TypeFor[T](), outer)}
}

// Call calls the function and waits for its answer in this goroutine. It mustn't be called
// on a loop's thread. If ctx ends, Call asks the host to stop, and still waits for the
// answer.
//
// # Errors
//
// Those of [imports.Function.Call], and [imports.ErrCallOver] once the call that lent the
// function is over.
func (c Callback[Req, Resp]) Call(ctx context.Context, request Req) (response Resp, err error) {
	callee, r, err := c.begin(carrier.CallOf(ctx), request)
	if err != nil {
		return response, err
	}
	payload, err := inbound.Call(ctx, callee, r)
	if err != nil {
		return response, err
	}
	return codec.Decoder[Resp](c.loan.codec, imports.ErrResponse)(payload)
}

// Start is [Callback.Call] as a future, for one task. Its first poll calls the function.
func (c Callback[Req, Resp]) Start(request Req) executor.Future[Resp] {
	return &inbound.Future[Resp]{
		Begin: func(cx *executor.Context) (carrier.Callee, carrier.Request, error) {
			return c.begin(carrier.CallOf(place.Of(cx.Local()).Base()), request)
		},
		Decode: func(payload []byte) (Resp, error) {
			return codec.Decoder[Resp](c.loan.codec, imports.ErrResponse)(payload)
		},
	}
}

func (c Callback[Req, Resp]) begin(onBehalf carrier.Call, request Req) (carrier.Callee, carrier.Request, error) {
	r := carrier.Request{OnBehalf: onBehalf}
	if c.index == nil || c.loan.x == nil {
		return nil, r, imports.ErrNotProvided
	}
	r.Function = c.function
	payload, err := codec.Encoder[Req](c.loan.codec, imports.ErrRequest)(request)
	r.Payload = payload
	return lender{c.loan.x}, r, err
}

// Send sends a value and waits for room in this goroutine. It mustn't be called on a
// loop's thread.
//
// # Errors
//
// [imports.ErrCallOver], [executor.ErrClosed] if the caller has cancelled the call,
// errors.ErrUnsupported if it gave no credit, [ErrResponse] for a value that can't be
// encoded, and ctx's.
func (s Signal[T]) Send(ctx context.Context, value T) error {
	payload, err := s.encode(value)
	if s.index == nil || err != nil {
		return err
	}
	sleeper := inbound.NewSleeper()
	return s.loan.x.put(ctx, sleeper, &writer{Waiter: sleeper.Waiter, function: s.function, payload: payload})
}

// Start is [Signal.Send] as a future, for one task. Its first poll sends the value.
func (s Signal[T]) Start(value T) executor.Future[struct{}] {
	payload, err := s.encode(value)
	f := &sending{err: err}
	if s.index != nil && err == nil {
		f.exchange, f.function, f.payload = s.loan.x, s.function, payload
	}
	return f
}

// Latest sends a value and never waits, so it also fits on a loop's thread. Without room
// the value waits, and the next one takes its place. The last value always reaches the
// caller before the call's end, unless the caller cancels. Its errors are those of
// [Signal.Send].
func (s Signal[T]) Latest(value T) error {
	payload, err := s.encode(value)
	if s.index == nil || err != nil {
		return err
	}
	return s.loan.x.note(s.function, payload)
}

func (s Signal[T]) encode(value T) ([]byte, error) {
	switch {
	case s.index == nil:
		return nil, nil
	case s.loan.x == nil:
		return nil, imports.ErrNotProvided
	}
	return codec.Encoder[T](s.loan.codec, ErrResponse)(value)
}

// lends tells what is lent in a type that is nested in the types of outer: FlowCallbacks,
// FlowNames or both.
func lends(t reflect.Type, outer []reflect.Type) (flows Flows) {
	if slices.Contains(outer, t) {
		return 0
	}
	outer = append(outer, t)
	if t.Implements(lentType) && t.Kind() == reflect.Struct {
		return reflect.Zero(t).Interface().(lent).flow()
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return lends(t.Elem(), outer)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() || f.Anonymous {
				flows |= lends(f.Type, outer)
			}
		}
	}
	return flows
}

// lend tells all that is lent in a value what lends it.
func lend(v reflect.Value, l loan) (err error) {
	if lends(v.Type(), nil) == 0 {
		return nil
	}
	if v.CanInterface() {
		if f, ok := v.Interface().(lent); ok && v.Kind() == reflect.Struct {
			return f.lend(l)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			err = lend(v.Elem(), l)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			err = errors.Join(err, lend(v.Index(i), l))
		}
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			err = errors.Join(err, lend(at.Value(), l))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous {
				err = errors.Join(err, lend(v.Field(i), l))
			}
		}
	}
	return err
}
