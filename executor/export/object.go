// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/pillion-dev/pillion/executor/carrier"
)

// Object registers a class of objects: values that live on between calls, while the host
// has handles of them. The parts are its constructors and methods, and what its values
// have in common. All are of one type T, which is of no other class.
//
//	export.Object("news.Client",
//		export.New(Open),                          // news.Client.open
//		export.Method("get", (*Client).Get),       // news.Client.get
//		export.MethodStream("search", (*Client).Search),
//		export.Close((*Client).Close),             // news.Client.close
//		export.Errors(ErrNotFound))
//
// # Notes
//
// Several methods of one object may run at a time, in goroutines of their own. The object
// lives until the host has dropped its handle and the last of them has returned. Each time
// that a function gives a value to the host there is a new handle, and Close is called for
// each: a value crosses once, if it has a Close.
func Object(name string, parts ...Part) {
	c := &class{name: name}
	if _, file, line, ok := runtime.Caller(1); ok {
		c.place = fmt.Sprintf("%s:%d", file, line)
	}
	for _, part := range parts {
		part(c)
	}
	switch {
	case !validName.MatchString(name):
		c.mistake("the name is not of the form module.Class")
	case c.of == nil:
		c.mistake("a class has a constructor, or a method")
	default:
		c.register()
	}
}

// Part is a part of a class.
type Part func(*class)

// class is what [Object] registers.
type class struct {
	name, place string
	number      uint32 // from 1 on
	of          reflect.Type
	close       func(any) error // may be nil
	errors      []error
}

var classes struct {
	sync.RWMutex
	byType map[reflect.Type]*class
}

// classOf is a class in a descriptor, which may be registered later.
type classOf struct{ reflect.Type }

func (c classOf) find() *class {
	classes.RLock()
	defer classes.RUnlock()
	return classes.byType[c.Type]
}

// MarshalJSON gives the name of the class.
func (c classOf) MarshalJSON() ([]byte, error) {
	if found := c.find(); found != nil {
		return json.Marshal(found.name)
	}
	return nil, fmt.Errorf("no Object is registered with type %v", c.Type)
}

const maxClasses = 1023 // as C has room for

func (c *class) register() {
	classes.Lock()
	defer classes.Unlock()
	if taken := classes.byType[c.of]; taken != nil {
		c.mistake(fmt.Sprintf("%v is of the class %s, %s", c.of, taken.name, taken.place))
		return
	}
	if classes.byType == nil {
		classes.byType = make(map[reflect.Type]*class)
	}
	if c.number = uint32(len(classes.byType)) + 1; c.number > maxClasses {
		c.mistake("there are too many classes")
		return
	}
	classes.byType[c.of] = c
}

func (c *class) mistake(text string) { mistake(c.place, c.name, text) }

// object makes what a keeper keeps. Its Close is called once, by a drop or by the method.
func (c *class) object(value any) *carrier.Object {
	o := &carrier.Object{Value: value}
	if c.close != nil {
		o.Close = sync.OnceValue(func() error { return c.close(value) })
	}
	return o
}

// coded gives an error of the class its code.
func (c *class) coded(err error) error {
	if c == nil || Code(err) != 0 {
		return err
	}
	for i, e := range c.errors {
		if errors.Is(err, e) {
			return WithCode(err, int32(i)+1)
		}
	}
	return err
}

// newMember describes a function of the class.
func newMember[T, Req, Resp any](c *class, name string, missing bool, opts []Option) (*Function, *options) {
	inClass := func(o *options) { o.class = c }
	f, o := newFunction[Req, Resp](c.name+"."+name, missing, append(opts[:len(opts):len(opts)], inClass))
	f.place = c.place
	if t := reflect.TypeFor[T](); c.of == nil {
		c.of = t
	} else if c.of != t && o.wrong == "" {
		o.wrong = fmt.Sprintf("it is of type %v, and others of %v", t, c.of)
	}
	return f, o
}

func newMethod[T, Req, Resp any](c *class, name string, missing bool, opts []Option) (*Function, *options) {
	f, o := newMember[T, Req, Resp](c, name, missing, opts)
	f.method = true
	return f, o
}

// object is the receiver of the call if at is 0, else one that its request names; or nil.
func (x *exchange) object(at int) *carrier.Object {
	if x == nil || x.call == nil {
		return nil
	}
	return x.call.Object(at)
}

// receiver is the object whose method is called.
func receiver[T any](x *exchange) (object T, err error) {
	if o := x.object(0); o != nil {
		object, ok := o.Value.(T)
		if ok {
			return object, nil
		}
	}
	return object, fmt.Errorf("%w: a method needs its object", ErrRequest)
}

// New is a constructor: a function, as of [Func], that makes an object. Its name is the
// function's, with a small first letter, or "new" for one without a name.
func New[Req, T any](fn func(ctx context.Context, request Req) (T, error), opts ...Option) Part {
	return func(c *class) {
		f, o := newMember[T, Req, Ref[T]](c, constructorName(fn), fn == nil, opts)
		f.call = coded(f, o, func(ctx context.Context, _ *exchange, request Req) (Ref[T], error) {
			object, err := fn(ctx, request)
			return Give(object), err
		})
		register(f, o)
	}
}

// A function literal's name ends with "func" and a number.
var (
	lastName = regexp.MustCompile(`\.([\pL_]\w*)(\[\.\.\.\])?$`)
	literal  = regexp.MustCompile(`^func\d+$`)
)

func constructorName(fn any) string {
	if v := reflect.ValueOf(fn); !v.IsNil() {
		found := lastName.FindStringSubmatch(runtime.FuncForPC(v.Pointer()).Name())
		if found != nil && !literal.MatchString(found[1]) {
			first, size := utf8.DecodeRuneInString(found[1])
			return string(unicode.ToLower(first)) + found[1][size:]
		}
	}
	return "new"
}

// Close is what an object gets at its end, once: when nothing refers to it any more, in a
// worker goroutine. The host may call it before, as the method "close", and learns its
// error; the error of a Close that the host didn't call is a warning.
func Close[T any](fn func(object T) error, opts ...Option) Part {
	return func(c *class) {
		f, o := newMethod[T, struct{}, struct{}](c, "close", fn == nil, opts)
		f.closes = true
		f.call = coded(f, o, func(_ context.Context, x *exchange, _ struct{}) (none struct{}, err error) {
			if _, err = receiver[T](x); err == nil {
				err = x.object(0).Close()
			}
			return none, err
		})
		c.close = func(object any) error { return fn(object.(T)) }
		register(f, o)
	}
}

// Errors are errors of the class's functions that a caller may tell apart. The first has
// the code 1, the next 2, unless an error has a code of its own: see [WithCode].
func Errors(errs ...error) Part {
	return func(c *class) { c.errors = append(c.errors, errs...) }
}

// fault is an error in a descriptor.
type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (c *class) described() (list []fault) {
	if c != nil {
		for i, e := range c.errors {
			list = append(list, fault{i + 1, e.Error()})
		}
	}
	return list
}
