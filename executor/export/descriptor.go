// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/pillion-dev/pillion/executor/internal/codec"
)

// Descriptor describes the function in JSON: name, module, kind, codec, the types
// of request and response, those of the items from the host ("in") and to it ("out") if
// there are any, and the documentation. A type is
//
//	"bool", "int", "float", "string", "bytes", "none" or "any"
//	{"list": type}
//	{"map": type}                                     with strings for keys
//	{"optional": type}                                null if it isn't there
//	{"struct": [{"name": …, "type": type, "omit": true}]}  omit: may be left out
//	{"callback": {"request": type, "response": type}}  the index of a function that the
//	{"signal": type}                                   call lends; the latter is one-way
//	{"object": "module.Class"}                         in a request the index of an object
//	                                                   that the call names
//
// A method has the name of its class in "object", and one that ends its object has
// "closes". The errors of a class are in "errors", with their codes. A class's functions
// have names like "module.Class.function".
//
// and under the codecs "raw" and "json" a request or response of type "bytes" or
// "string" crosses as its own bytes, and one of type "none" is empty. The codec is
// "raw" if both are of these types.
func (f *Function) Descriptor() string {
	b, err := f.describe()
	if err != nil {
		panic("export: " + err.Error()) // Err has told it
	}
	return string(b)
}

func (f *Function) describe() ([]byte, error) {
	object := ""
	if f.method {
		object = f.class.name
	}
	return json.Marshal(struct {
		Name     string  `json:"name"`
		Module   string  `json:"module"`
		Kind     Kind    `json:"kind"`
		Codec    string  `json:"codec"`
		Request  any     `json:"request"`
		Response any     `json:"response"`
		In       any     `json:"in,omitempty"`
		Out      any     `json:"out,omitempty"`
		Object   string  `json:"object,omitempty"`
		Closes   bool    `json:"closes,omitempty"`
		Errors   []fault `json:"errors,omitempty"`
		Doc      string  `json:"doc"`
	}{f.Name, f.Module, f.Kind, f.codec, f.request, f.response, f.in, f.out, object, f.closes, f.class.described(), f.Doc})
}

type field struct {
	Name string `json:"name"`
	Type any    `json:"type"`
	Omit bool   `json:"omit,omitempty"`
}

func describe[T any]() any { return describeType(reflect.TypeFor[T](), nil) }

// describeType describes a type that is nested in the types of outer. A type inside
// itself is "any" there.
func describeType(t reflect.Type, outer []reflect.Type) any {
	if slices.Contains(outer, t) {
		return "any"
	}
	outer = append(outer, t)
	raw := codec.Raw(t)
	switch {
	case t.Kind() == reflect.Pointer:
		return map[string]any{"optional": describeType(t.Elem(), outer)}
	case raw != "":
		return raw
	case t.Implements(lentType):
		return reflect.Zero(t).Interface().(lent).describe(outer)
	case codec.Opaque(t):
		return "any"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Slice, reflect.Array:
		return map[string]any{"list": describeType(t.Elem(), outer)}
	case reflect.Map:
		return map[string]any{"map": describeType(t.Elem(), outer)}
	case reflect.Struct:
		return map[string]any{"struct": fields(t, outer)}
	}
	return "any"
}

// fields lists the fields of a struct that encoding/json would write.
func fields(t reflect.Type, outer []reflect.Type) []field {
	list := []field{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" && options == "":
			continue
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			list = append(list, fields(f.Type, append(outer, f.Type))...)
			continue
		case !f.IsExported():
			continue
		case tag == "":
			tag = f.Name
		}
		list = append(list, field{tag, describeType(f.Type, outer), strings.Contains(options, "omit")})
	}
	return list
}
