// SPDX-License-Identifier: Apache-2.0

package export

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/pillion-dev/pillion/executor/internal/codec"
)

var registry struct {
	sync.RWMutex
	byName   map[string]*Function
	mistakes []error
}

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$`)

// newFunction describes a function. A panic in the author's options or codec is a
// mistake like any other.
func newFunction[Req, Resp any](name string, missing bool, opts []Option) (f *Function, o *options) {
	f, o = &Function{Kind: KindOffload}, &options{name: name}
	defer func() {
		if r := recover(); r != nil {
			o.wrong = fmt.Sprintf("panic in an option: %v", r)
		}
	}()
	f.Module, f.Name, _ = strings.Cut(name, ".")
	for _, opt := range opts {
		opt(o)
	}
	if o.cpu {
		f.Kind = KindCPU
	}
	f.Doc = o.doc
	f.codec = codecName[Req, Resp](o.codec)
	f.request, f.response = describe[Req](), describe[Resp]()
	f.lends = lends(reflect.TypeFor[Req](), nil)
	switch {
	case !validName.MatchString(name):
		o.wrong = "the name is not of the form module.function"
	case missing:
		o.wrong = "the function is nil"
	case o.codec == nil && codec.Uncodable(reflect.TypeFor[Req]()):
		o.wrong = fmt.Sprintf("a request of type %v has no JSON form", reflect.TypeFor[Req]())
	case o.codec == nil && codec.Uncodable(reflect.TypeFor[Resp]()):
		o.wrong = fmt.Sprintf("a response of type %v has no JSON form", reflect.TypeFor[Resp]())
	}
	return f, o
}

// register is called by the functions that the author calls.
func register(f *Function, o *options) {
	registry.Lock()
	defer registry.Unlock()
	if _, file, line, ok := runtime.Caller(2); ok {
		f.place = fmt.Sprintf("%s:%d", file, line)
	}
	if taken := registry.byName[o.name]; taken != nil && o.wrong == "" {
		o.wrong = "the name is taken by " + taken.place
	}
	if o.wrong != "" {
		registry.mistakes = append(registry.mistakes, fmt.Errorf("%s: export: %q: %s", f.place, o.name, o.wrong))
		return
	}
	if registry.byName == nil {
		registry.byName = make(map[string]*Function)
	}
	registry.byName[o.name] = f
}

// Err gives the mistakes of all registrations, a line for each with its place, or
// nil. The build command refuses a library with mistakes, and a carrier refuses to
// start. For any goroutine.
func Err() error {
	registry.RLock()
	defer registry.RUnlock()
	return errors.Join(registry.mistakes...)
}

// Lookup finds a function by its full name, or gives nil. For any goroutine.
func Lookup(name string) *Function {
	registry.RLock()
	defer registry.RUnlock()
	return registry.byName[name]
}

// Functions gives all functions in the order of their names. For any goroutine.
func Functions() []*Function {
	registry.RLock()
	defer registry.RUnlock()
	return slices.SortedFunc(maps.Values(registry.byName), func(a, b *Function) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Name, b.Name))
	})
}
