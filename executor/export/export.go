// SPDX-License-Identifier: Apache-2.0

// Package export is where an author registers the Go functions that other
// languages call. It knows nothing of C: a carrier looks functions up by name and
// hands them bytes.
//
//	func init() {
//		export.Func("greet.hello", func(ctx context.Context, name string) (string, error) {
//			return "hello " + name, nil
//		})
//	}
//
// # Notes
//
// Requests and responses of type []byte and string cross as they are, also under
// another name. Types with a text of their own (time.Time) cross as that text, and
// struct{} as nothing. Every other type crosses as JSON, unless the function has a
// [Codec] of its own.
package export

import (
	"context"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/offload"
)

// Kind says where a function runs.
type Kind string

const (
	KindOffload Kind = "offload" // in a worker goroutine; it may block
	KindCPU     Kind = "cpu"     // likewise; as many run at a time as there are processors
	KindLoop    Kind = "loop"    // as a coroutine on the loop; it must not block
	KindAsync   Kind = "async"   // as a future that the loop or a pool polls; likewise
)

// Function is a registered function. It doesn't change, and any goroutine may use
// it.
type Function struct {
	Module, Name string // it was registered as Module.Name
	Kind         Kind
	Doc          string

	place             string // where it was registered
	codec             string
	request, response any // descriptions of the types
	call              func(ctx context.Context, payload []byte) ([]byte, error)
	begin             func(co *coro.Co, payload []byte) ([]byte, error)
	future            func(payload []byte) executor.Future[[]byte]
}

// Option changes one thing about a function at its registration.
type Option func(*options)

type options struct {
	name  string
	cpu   bool
	doc   string
	codec Codec
	wrong string // a mistake of the registration; see Err
}

// CPUBound says that a function computes instead of waiting. As many such functions
// run at a time as there are processors. One that waits now and then does so in
// [offload.Away].
func CPUBound() Option { return func(o *options) { o.cpu = true } }

// Doc is the documentation in the function's descriptor.
func Doc(text string) Option { return func(o *options) { o.doc = text } }

// WithCodec replaces the codec of the function's request and response.
func WithCodec(c Codec) Option { return func(o *options) { o.codec = c } }

// Func registers a function that runs in a worker goroutine. Its context ends when
// the caller cancels. An init function calls Func, and cannot act on an error, and a
// panic there would end the process that loads the library. So a mistake, such as a
// bad name or one that is taken, registers nothing, and [Err] tells it.
func Func[Req, Resp any](name string, fn func(ctx context.Context, request Req) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.Kind = KindOffload
	if o.cpu {
		f.Kind = KindCPU
	}
	f.call = coded(o.codec, fn)
	register(f, o)
}

// Loop registers a function, as [Func] does, that runs as a coroutine on the caller's
// loop.
func Loop[Req, Resp any](name string, fn func(co *coro.Co, request Req) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.Kind = KindLoop
	if o.cpu {
		o.wrong = "a function on the loop can't be CPU-bound"
	}
	f.begin = coded(o.codec, fn)
	register(f, o)
}

// Run runs an offloaded function in this goroutine and gives its result to done. It
// calls done exactly once, also if the function panics, with an [executor.PanicError],
// or calls runtime.Goexit, with [executor.ErrGoexit]; the goroutine ends then. The
// function may keep the payload, and done the response.
//
// # Errors
//
// The function's own, and [ErrRequest], [ErrResponse] and [ErrKind].
func (f *Function) Run(ctx context.Context, payload []byte, done func(response []byte, err error)) {
	var response []byte
	err := executor.ErrGoexit // unless the function returns
	defer func() {
		if r := recover(); r != nil {
			response, err = nil, executor.NewPanicError(r)
		}
		done(response, err)
	}()
	if f.call == nil {
		err = ErrKind
		return
	}
	response, err = f.call(ctx, payload)
}

// Start makes a future of a call, for a function of any kind: a coroutine for [Loop],
// the function's own future for [Async], and else an offloaded call. The first poll
// calls the function.
func (f *Function) Start(payload []byte) executor.Future[[]byte] {
	switch f.Kind {
	case KindAsync:
		return f.future(payload)
	case KindLoop:
		return coro.New(func(co *coro.Co) ([]byte, error) { return f.begin(co, payload) })
	case KindCPU:
		return offload.CPU(func(ctx context.Context) ([]byte, error) { return f.call(ctx, payload) })
	default:
		return offload.Go(func(ctx context.Context) ([]byte, error) { return f.call(ctx, payload) })
	}
}
