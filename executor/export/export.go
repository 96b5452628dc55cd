// SPDX-License-Identifier: Apache-2.0

// Package export is where an author registers the Go functions that other
// languages call. It knows nothing of C: a carrier looks them up by name and hands
// them bytes.
//
//	func init() {
//		export.Func("greet.hello", func(ctx context.Context, name string) (string, error) {
//			return "hello " + name, nil
//		})
//	}
//
// # Notes
//
// Requests and responses of type []byte and string cross as they are, types with
// these under another name too, those with a text of their own (time.Time) as that,
// struct{} is empty, and everything else is JSON, unless the function has a [Codec]
// of its own.
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
	KindCPU     Kind = "cpu"     // likewise, and no more at a time than there are processors
	KindLoop    Kind = "loop"    // as a coroutine on the loop; it must not block
	KindAsync   Kind = "async"   // as a future that the loop or a pool polls; likewise
)

// Function is a registered function. It doesn't change, and any goroutine may use
// it.
type Function struct {
	Module, Name string // the name that it was registered under is Module.Name
	Kind         Kind
	Doc          string

	place             string // where it was registered
	codec             string
	request, response any // descriptions of the types
	call              func(ctx context.Context, payload []byte) ([]byte, error)
	begin             func(co *coro.Co, payload []byte) ([]byte, error)
	future            func(payload []byte) executor.Future[[]byte]
}

// Option changes one thing about a function that is being registered.
type Option func(*options)

type options struct {
	name  string
	cpu   bool
	doc   string
	codec Codec
	wrong string // with the registration; see Err
}

// CPUBound says that a function computes instead of waiting: no more of its kind
// run at a time than there are processors.
func CPUBound() Option { return func(o *options) { o.cpu = true } }

// Doc is what the function's descriptor says about it.
func Doc(text string) Option { return func(o *options) { o.doc = text } }

// WithCodec replaces how the function's request and response become bytes.
func WithCodec(c Codec) Option { return func(o *options) { o.codec = c } }

// Func registers a function that runs in a worker goroutine. Its context ends when
// the caller cancels. It is called from an init function, whose caller cannot act on
// an error, and where a panic would end the process that loads the library: a
// mistake, such as a bad name or one that is taken, registers nothing and is told by
// [Err].
func Func[Req, Resp any](name string, fn func(ctx context.Context, request Req) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.Kind = KindOffload
	if o.cpu {
		f.Kind = KindCPU
	}
	decode, encode := decoder[Req](o.codec), encoder[Resp](o.codec)
	f.call = func(ctx context.Context, payload []byte) ([]byte, error) {
		request, err := decode(payload)
		if err != nil {
			return nil, err
		}
		response, err := fn(ctx, request)
		if err != nil {
			return nil, err
		}
		return encode(response)
	}
	register(f, o)
}

// Loop registers a function that runs as a coroutine on the caller's loop, as [Func]
// does.
func Loop[Req, Resp any](name string, fn func(co *coro.Co, request Req) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.Kind = KindLoop
	if o.cpu {
		o.wrong = "a function on the loop can't be CPU-bound"
	}
	decode, encode := decoder[Req](o.codec), encoder[Resp](o.codec)
	f.begin = func(co *coro.Co, payload []byte) ([]byte, error) {
		request, err := decode(payload)
		if err != nil {
			return nil, err
		}
		response, err := fn(co, request)
		if err != nil {
			return nil, err
		}
		return encode(response)
	}
	register(f, o)
}

// Call runs an offloaded function in this goroutine. A panic in it is an
// [executor.PanicError]. runtime.Goexit goes on through Call, as nothing can stop
// it; see [Function.Run]. The payload is the function's for good, and the response
// the caller's.
//
// # Errors
//
// The function's own, and [ErrRequest], [ErrResponse] and [ErrKind].
func (f *Function) Call(ctx context.Context, payload []byte) (response []byte, err error) {
	f.Run(ctx, payload, func(r []byte, e error) { response, err = r, e })
	return response, err
}

// Run is [Function.Call] with the result in a call of done: exactly one, in this
// goroutine, also if the function calls runtime.Goexit, which is
// [executor.ErrGoexit].
func (f *Function) Run(ctx context.Context, payload []byte, done func(response []byte, err error)) {
	var response []byte
	err := executor.ErrGoexit // if it doesn't come back
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

// Start makes a future of a call, for a function of any kind: on the loop it is a
// coroutine, unless it was registered as a future, and else it is offloaded. The
// function itself isn't called before the first poll.
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
