// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"
)

// Codec turns requests and responses into Go values and back. Any goroutine may
// call it, several at a time. It codes all values of a function that was registered
// with it, []byte and string too.
type Codec interface {
	// Name stands in the function's descriptor.
	Name() string
	// Decode fills *into. It may keep data.
	Decode(data []byte, into any) error
	// Encode gives bytes, and keeps no reference to them.
	Encode(value any) ([]byte, error)
}

// coded makes a function of bytes. In is what it gets beside its request.
func coded[In, Req, Resp any](c Codec, fn func(in In, request Req) (Resp, error)) func(In, []byte) ([]byte, error) {
	decode, encode := decoder[Req](c), encoder[Resp](c)
	return func(in In, payload []byte) ([]byte, error) {
		request, err := decode(payload)
		if err != nil {
			return nil, err
		}
		response, err := fn(in, request)
		if err != nil {
			return nil, err
		}
		return encode(response)
	}
}

// decoder chooses at registration how to read requests, so that a raw request costs
// neither reflection nor a copy at the call.
func decoder[T any](c Codec) func([]byte) (T, error) {
	decode := json.Unmarshal
	switch {
	case c != nil:
		decode = c.Decode
	case isRaw[T]():
		for _, raw := range []any{
			func(b []byte) ([]byte, error) { return b, nil },
			func(b []byte) (string, error) { return unsafe.String(unsafe.SliceData(b), len(b)), nil },
			func([]byte) (struct{}, error) { return struct{}{}, nil },
		} {
			if f, ok := raw.(func([]byte) (T, error)); ok {
				return f
			}
		}
		decode = decodeText
	}
	return func(b []byte) (value T, err error) {
		if err := decode(b, &value); err != nil {
			return value, fmt.Errorf("%w: %w", ErrRequest, err)
		}
		return value, nil
	}
}

func encoder[T any](c Codec) func(T) ([]byte, error) {
	encode := json.Marshal
	switch {
	case c != nil:
		encode = c.Encode
	case isRaw[T]():
		for _, raw := range []any{
			func(b []byte) ([]byte, error) { return b, nil },
			func(s string) ([]byte, error) { return []byte(s), nil },
			func(struct{}) ([]byte, error) { return nil, nil },
		} {
			if f, ok := raw.(func(T) ([]byte, error)); ok {
				return f
			}
		}
		encode = encodeText
	}
	return func(value T) ([]byte, error) {
		b, err := encode(value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrResponse, err)
		}
		return b, nil
	}
}

// decodeText fills a string or bytes by another name, or a value with a text of its
// own.
func decodeText(data []byte, into any) error {
	if t, ok := into.(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText(data)
	}
	switch v := reflect.ValueOf(into).Elem(); v.Kind() {
	case reflect.String:
		v.SetString(string(data))
	case reflect.Slice:
		v.SetBytes(data)
	default: // it can only be written as text
		return json.Unmarshal(data, into)
	}
	return nil
}

func encodeText(value any) ([]byte, error) {
	if t, ok := value.(encoding.TextMarshaler); ok {
		return t.MarshalText()
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice {
		return v.Bytes(), nil
	}
	return []byte(reflect.ValueOf(value).String()), nil
}

// isRaw reports whether a request or response of this type crosses as its own bytes,
// as its description tells.
func isRaw[T any]() bool {
	switch describe[T]() {
	case "bytes", "string", "none":
		return true
	}
	return false
}

// uncodable reports whether JSON has no form for any value of the type.
func uncodable[T any]() bool {
	switch t := reflect.TypeFor[T](); t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return !t.Implements(jsonMarshaler) && !t.Implements(textMarshaler)
	}
	return false
}

// codecName is the codec in the descriptor: "raw" if neither side needs one.
func codecName[Req, Resp any](c Codec) string {
	switch {
	case c != nil:
		return c.Name()
	case isRaw[Req]() && isRaw[Resp]():
		return "raw"
	}
	return "json"
}
