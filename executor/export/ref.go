// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/pillion-dev/pillion/executor/carrier"
)

// Ref is an object of a class that [Object] has registered with type T. As the whole
// response of a function, or as an item, it gives the host the object: see [Give]. In a
// request it is one of the host's objects, and the call keeps it alive. The zero Ref stands
// for an object that the caller left out.
//
//	type Merge struct {
//		From export.Ref[*Store]
//	}
type Ref[T any] struct{ *reference }

// reference is what a request has of an object, or a response.
type reference struct {
	at    int // in the call's list
	value any
}

// Give refers to an object, which the host gets a new handle of.
func Give[T any](object T) Ref[T] { return Ref[T]{&reference{value: object}} }

// Object is the object, or the zero value if there is none.
func (r Ref[T]) Object() (object T) {
	if r.reference != nil {
		object, _ = r.value.(T)
	}
	return object
}

// UnmarshalJSON takes the object's index.
func (r *Ref[T]) UnmarshalJSON(data []byte) error {
	var at *uint16
	if err := json.Unmarshal(data, &at); err != nil {
		return fmt.Errorf("an object is an index: %w", err)
	}
	r.reference = nil
	if at != nil {
		r.reference = &reference{at: int(*at)}
	}
	return nil
}

// MarshalJSON fails: an object is a whole response, or a whole item.
func (Ref[T]) MarshalJSON() ([]byte, error) {
	return nil, errors.New("export: an object crosses only as a whole response or item")
}

func (Ref[T]) describe([]reflect.Type) any {
	return map[string]any{"object": classOf{reflect.TypeFor[T]()}}
}

func (Ref[T]) flow() Flows { return FlowNames }

// lend finds the object that the call names.
func (r Ref[T]) lend(l loan) error {
	if r.reference == nil {
		return nil
	}
	object := l.x.object(r.at + 1)
	if object == nil {
		return fmt.Errorf("%w: the call has no object %d", ErrRequest, r.at)
	}
	if _, ok := object.Value.(T); !ok {
		return fmt.Errorf("%w: object %d is a %T, not a %v", ErrRequest, r.at, object.Value, reflect.TypeFor[T]())
	}
	r.value = object.Value
	return nil
}

// given is a Ref in a response.
type given interface{ keep() ([]byte, error) }

var givenType = reflect.TypeFor[given]()

func gives(t reflect.Type) bool { return t.Implements(givenType) && t.Kind() == reflect.Struct }

// keep makes a handle for the host.
func (r Ref[T]) keep() ([]byte, error) {
	c, keeper := classOf{reflect.TypeFor[T]()}.find(), carrier.CurrentKeeper()
	switch {
	case r.reference == nil:
		return nil, fmt.Errorf("%w: there is no object", ErrResponse)
	case c == nil || keeper == nil:
		return nil, fmt.Errorf("%w: the host takes no %T", ErrResponse, r.value)
	}
	handle, err := keeper.Keep(c.object(r.value), c.number)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	return binary.NativeEndian.AppendUint64(nil, handle), nil
}

// discard drops the object in a response that the host will not get.
func discard(handle []byte) {
	if len(handle) == 8 {
		carrier.CurrentKeeper().Drop(binary.NativeEndian.Uint64(handle))
	}
}
