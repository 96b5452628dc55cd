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
	"github.com/pillion-dev/pillion/executor/carrier"
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
	request, response any   // descriptions of the types
	in, out           any   // likewise, of the items; nil if there are none
	lends             Flows // FlowCallbacks and FlowNames, if the request has such
	gives             bool  // its response is an object
	item              int   // what its items are: carrier.Item, or carrier.ItemObject
	class             *class
	method, closes    bool
	call              func(ctx context.Context, x *exchange, payload []byte) ([]byte, error)
	begin             func(co *coro.Co, x *exchange, payload []byte) ([]byte, error)
	future            func(x *exchange, payload []byte) executor.Future[[]byte]
}

// Flows says what a call of a function carries beside its request and response.
type Flows uint32

const (
	FlowOut       Flows = 1 << iota // items to the caller
	FlowIn                          // items from the caller
	FlowCallbacks                   // functions that the caller may lend
	FlowMethod                      // the object whose method it is
	FlowNames                       // objects that the request names
	FlowGives                       // an object, as the response or as each item
)

// Flows tells the function's.
func (f *Function) Flows() (flows Flows) {
	if f.out != nil {
		flows |= FlowOut
	}
	if f.in != nil {
		flows |= FlowIn
	}
	if f.method {
		flows |= FlowMethod
	}
	if f.gives || f.item == carrier.ItemObject {
		flows |= FlowGives
	}
	return flows | f.lends
}

// Class is the number of the class whose method the function is, or 0. Numbers begin at 1.
func (f *Function) Class() uint32 {
	if f.method {
		return f.class.number
	}
	return 0
}

// Option changes one thing about a function at its registration.
type Option func(*options)

type options struct {
	name  string
	cpu   bool
	doc   string
	codec Codec
	class *class
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
	f.call = coded(f, o, func(ctx context.Context, _ *exchange, request Req) (Resp, error) { return fn(ctx, request) })
	register(f, o)
}

// Loop registers a function, as [Func] does, that runs as a coroutine on the caller's
// loop.
func Loop[Req, Resp any](name string, fn func(co *coro.Co, request Req) (Resp, error), opts ...Option) {
	f, o := newFunction[Req, Resp](name, fn == nil, opts)
	f.onLoop(o)
	f.begin = coded(f, o, func(co *coro.Co, _ *exchange, request Req) (Resp, error) { return fn(co, request) })
	register(f, o)
}

func (f *Function) onLoop(o *options) {
	f.Kind = KindLoop
	if o.cpu {
		o.wrong = "a function on the loop can't be CPU-bound"
	}
}

// Run runs an offloaded function in this goroutine and gives its result to done. call is
// what the function sends items through, and may be nil without [Function.Flows]. Run
// has done called exactly once, also if the function panics, with an
// [executor.PanicError], or calls runtime.Goexit, with [executor.ErrGoexit]; the
// goroutine ends then. A function that may use what its caller has lent can have done
// called later, by another goroutine: when the host's last answer has come. The function
// may keep the payload, and done the response.
//
// # Errors
//
// The function's own, and [ErrRequest], [ErrResponse] and [ErrKind].
func (f *Function) Run(ctx context.Context, payload []byte, call carrier.Call, done func(response []byte, err error)) {
	var response []byte
	var x *exchange
	err := executor.ErrGoexit // unless the function returns
	defer func() {
		if r := recover(); r != nil {
			response, err = nil, executor.NewPanicError(r)
		}
		x.finish(response, err, done)
	}()
	if f.call == nil {
		err = ErrKind
		return
	}
	x = f.exchange(call)
	response, err = f.call(ctx, x, payload)
}

// Start makes a future of a call, for a function of any kind: a coroutine for [Loop],
// the function's own future for [Async], and else an offloaded call. The first poll
// calls the function. For call see [Function.Run].
func (f *Function) Start(payload []byte, call carrier.Call) executor.Future[[]byte] {
	x := f.exchange(call)
	var body executor.Future[[]byte]
	switch f.Kind {
	case KindAsync:
		body = f.future(x, payload)
	case KindLoop:
		body = coro.New(func(co *coro.Co) ([]byte, error) { return f.begin(co, x, payload) })
	case KindCPU:
		body = offload.CPU(func(ctx context.Context) ([]byte, error) { return f.call(ctx, x, payload) })
	default:
		body = offload.Go(func(ctx context.Context) ([]byte, error) { return f.call(ctx, x, payload) })
	}
	if x == nil {
		return body
	}
	return &ending{body: body, exchange: x, gives: f.gives}
}

// exchange is nil for a function that only has a request and a response.
func (f *Function) exchange(call carrier.Call) *exchange {
	if f.Flows() == 0 {
		return nil
	}
	return newExchange(call)
}
