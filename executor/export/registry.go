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

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/codec"
)

var registry struct {
	sync.RWMutex
	byName   map[string]*Function
	mistakes []error
}

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$`)

var validMember = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*\.){2}[A-Za-z_][A-Za-z0-9_]*$`)

// newFunction describes a function. A panic in the author's options or codec is a
// mistake like any other.
func newFunction[Req, Resp any](name string, missing bool, opts []Option) (f *Function, o *options) {
	f, o = &Function{Kind: KindOffload, item: carrier.Item}, &options{name: name}
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
	f.gives = gives(reflect.TypeFor[Resp]())
	f.class = o.class
	switch {
	case o.class != nil && !validMember.MatchString(name):
		o.wrong = "the name is not of the form module.Class.method"
	case o.class == nil && !validName.MatchString(name):
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
	if _, file, line, ok := runtime.Caller(2); ok && f.class == nil {
		f.place = fmt.Sprintf("%s:%d", file, line)
	}
	if taken := registry.byName[o.name]; taken != nil && o.wrong == "" {
		o.wrong = "the name is taken by " + taken.place
	}
	if o.wrong != "" {
		registry.mistakes = append(registry.mistakes, misplaced(f.place, o.name, o.wrong))
		return
	}
	if registry.byName == nil {
		registry.byName = make(map[string]*Function)
	}
	registry.byName[o.name] = f
}

func misplaced(place, name, wrong string) error {
	return fmt.Errorf("%s: export: %q: %s", place, name, wrong)
}

func mistake(place, name, wrong string) {
	registry.Lock()
	defer registry.Unlock()
	registry.mistakes = append(registry.mistakes, misplaced(place, name, wrong))
}

// Err gives the mistakes of all registrations, a line for each with its place, or
// nil. The build command refuses a library with mistakes, and a carrier refuses to
// start. For any goroutine.
func Err() error {
	functions := Functions()
	registry.RLock()
	defer registry.RUnlock()
	mistakes := slices.Clone(registry.mistakes)
	for _, f := range functions {
		if _, err := f.describe(); err != nil { // a class of its objects is missing
			mistakes = append(mistakes, misplaced(f.place, f.Module+"."+f.Name, err.Error()))
		}
	}
	return errors.Join(mistakes...)
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
