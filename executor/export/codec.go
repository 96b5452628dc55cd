// SPDX-License-Identifier: Apache-2.0

package export

import (
	"reflect"

	"github.com/pillion-dev/pillion/executor/internal/codec"
)

// Codec turns requests and responses into Go values and back. Any goroutine may
// call it, several at a time. It codes all values of a function that was registered
// with it, []byte and string too, and items as well.
type Codec interface {
	// Name stands in the function's descriptor.
	Name() string
	// Decode fills *into. It may keep data.
	Decode(data []byte, into any) error
	// Encode gives bytes, and keeps no reference to them.
	Encode(value any) ([]byte, error)
}

// coded makes a function of bytes. In is what it gets beside its request.
func coded[In, Req, Resp any](f *Function, o *options, fn func(in In, x *exchange, request Req) (Resp, error)) func(In, *exchange, []byte) ([]byte, error) {
	decode, encode := decoder[Req](f, o), encoder[Resp](o)
	return func(in In, x *exchange, payload []byte) ([]byte, error) {
		request, err := decode(x, payload)
		if err != nil {
			return nil, err
		}
		response, err := fn(in, x, request)
		if err != nil {
			return nil, f.class.coded(err)
		}
		return encode(response)
	}
}

// decoder reads requests. It tells the functions that a request lends what lends them,
// and their codec.
func decoder[Req any](f *Function, o *options) func(*exchange, []byte) (Req, error) {
	decode := itemDecoder[Req](o)
	if f.lends == 0 {
		return func(_ *exchange, payload []byte) (Req, error) { return decode(payload) }
	}
	return func(x *exchange, payload []byte) (Req, error) {
		request, err := decode(payload)
		if err == nil {
			err = lend(reflect.ValueOf(&request).Elem(), loan{x, o.codec})
		}
		return request, err
	}
}

func itemDecoder[T any](o *options) func([]byte) (T, error) {
	return codec.Decoder[T](o.codec, ErrRequest)
}

func encoder[T any](o *options) func(T) ([]byte, error) {
	if gives(reflect.TypeFor[T]()) {
		return func(object T) ([]byte, error) { return any(object).(given).keep() }
	}
	return codec.Encoder[T](o.codec, ErrResponse)
}

// codecName is the codec in the descriptor: "raw" if neither side needs one.
func codecName[Req, Resp any](c Codec) string {
	switch {
	case c != nil:
		return c.Name()
	case codec.Raw(reflect.TypeFor[Req]()) != "" && codec.Raw(reflect.TypeFor[Resp]()) != "":
		return "raw"
	}
	return "json"
}
