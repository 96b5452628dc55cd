// SPDX-License-Identifier: Apache-2.0

// Package codec turns the bytes that cross into Go values and back, for functions of
// either side.
package codec

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"
)

// Codec is the part of an export.Codec that codes.
type Codec interface {
	Decode(data []byte, into any) error
	Encode(value any) ([]byte, error)
}

// Decoder chooses once how to read values of a type, so that a raw one costs neither
// reflection nor a copy. Its errors are of the kind malformed. Without a codec it is JSON,
// or raw.
func Decoder[T any](c Codec, malformed error) func([]byte) (T, error) {
	decode := json.Unmarshal
	switch {
	case c != nil:
		decode = c.Decode
	case Raw(reflect.TypeFor[T]()) != "":
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
			return value, fmt.Errorf("%w: %w", malformed, err)
		}
		return value, nil
	}
}

// Encoder is the reverse of [Decoder].
func Encoder[T any](c Codec, malformed error) func(T) ([]byte, error) {
	encode := json.Marshal
	switch {
	case c != nil:
		encode = c.Encode
	case Raw(reflect.TypeFor[T]()) != "":
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
			return nil, fmt.Errorf("%w: %w", malformed, err)
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

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// ofItsOwn reports whether a type has a JSON form of its own, by its pointer or itself.
func ofItsOwn(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshaler) || p.Implements(jsonUnmarshaler)
}

// Raw tells how values of a type cross as their own bytes: as "string", "bytes" or
// "none". It is "" if they don't.
func Raw(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
	case t.Implements(textMarshaler): // before the next case, for time.Time is both
		return "string"
	case ofItsOwn(t):
	case t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "bytes"
	case t == reflect.TypeFor[struct{}]():
		return "none"
	}
	return ""
}

// Opaque reports whether nothing can be said about a type's JSON form: it has one of its
// own, or it is text in one direction only, or where it has an address.
func Opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return ofItsOwn(t) || p.Implements(textMarshaler) || p.Implements(textUnmarshaler)
}

// Uncodable reports whether JSON has no form for any value of the type.
func Uncodable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return !t.Implements(jsonMarshaler) && !t.Implements(textMarshaler)
	}
	return false
}
