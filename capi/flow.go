// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
)

// waiter is what C's news wake: a task, whose waker C wakes, or a function that the
// dispatcher calls when there is news.
type waiter struct{ atomic.Pointer[func()] }

// word gives C's word for a waiter.
func (w *waiter) word(waits carrier.Waiter) C.uint64_t {
	if waits.Task != 0 && C.pillion__wakes(C.uint64_t(waits.Task)) != 0 {
		return C.uint64_t(waits.Task)
	}
	told := waits.Func
	if waits.Task != 0 {
		told = func() { executor.Waker(waits.Task).Wake() }
	}
	w.Store(&told)
	return C.PILLION__WAITS_GO
}

func (w *waiter) tell() {
	if told := w.Swap(nil); told != nil {
		(*told)()
	}
}

// flow is one of C's flows. It implements [carrier.Out] or [carrier.In].
type flow struct {
	at   *C.struct_pillion__flow
	item C.struct_pillion__item // the one that Receive takes
	waiter
}

func newFlow(at *C.struct_pillion__flow) *flow {
	if at == nil {
		return nil
	}
	return &flow{at: at}
}

func (f *flow) Send(function int, payload []byte) error {
	if len(payload) <= C.PILLION_INLINE && f.at.capacity > 0 {
		return f.put(function, payload)
	}
	return failed(C.pillion__send(f.c(), C.int32_t(function),
		C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(payload)))), C.uint64_t(len(payload))), payload)
}

// put writes a short item as C's pillion__flow_put does, but without a call into C: only a
// reader that waits is told by one, once a burst.
func (f *flow) put(function int, payload []byte) error {
	if double(&f.at.state).Load()&(C.PILLION__FLOW_FINISHED|C.PILLION__FLOW_REFUSED) != 0 {
		return executor.ErrClosed
	}
	at := word(&f.at.written).Load()
	if at == word(&f.at.granted).Load() {
		return executor.ErrAgain
	}
	item := &unsafe.Slice(f.at.items, f.at.capacity)[at&uint32(f.at.capacity-1)]
	item.length = C.uint32_t(len(payload))
	item.function = C.int32_t(function)
	copy(item.payload[:], payload)
	word(&f.at.written).Store(at + 1)
	if double(&f.at.reader).Load() != 0 {
		C.pillion__bell(f.c())
	}
	return nil
}

// c is the flow as C's functions take it: cgo would look at every pointer in a struct.
func (f *flow) c() C.uintptr_t { return C.uintptr_t(uintptr(unsafe.Pointer(f.at))) }

func (f *flow) AwaitRoom(length int, w carrier.Waiter) bool {
	return bool(C.pillion__flow_await_room(f.at, f.word(w), C.uint64_t(length)))
}

func (f *flow) Receive() ([]byte, error) {
	switch rc := C.pillion__flow_receive(f.at, &f.item); rc {
	case C.PILLION_READY:
		return taken(&f.item), nil
	case C.PILLION_PENDING:
		return nil, executor.ErrAgain
	default:
		return nil, io.EOF
	}
}

func (f *flow) AwaitItem(w carrier.Waiter) bool {
	return bool(C.pillion__flow_await_item(f.at, f.word(w)))
}

func (f *flow) Refuse() { C.pillion__flow_refuse(f.at) }

// taken copies an item into Go's memory and drops it.
func taken(item *C.struct_pillion__item) []byte {
	to := make([]byte, item.length)
	from := unsafe.Pointer(&item.payload)
	if item.length > C.PILLION_INLINE {
		from = *(*unsafe.Pointer)(from)
	}
	copy(to, unsafe.Slice((*byte)(from), len(to)))
	C.pillion__item_drop(item)
	return to
}

// failed is the error of a call into C that was given the payload.
func failed(rc C.int, _ []byte) error {
	switch rc {
	case C.PILLION_OK:
		return nil
	case C.PILLION_EAGAIN:
		return executor.ErrAgain
	case C.PILLION_ECLOSED:
		return executor.ErrClosed
	case C.PILLION_ENOTSUP:
		return errors.ErrUnsupported
	}
	return errors.New(C.GoString(C.pillion_strerror(rc)))
}

// flows are those of a call, or nil.
type flows struct{ out, in *flow }

func (f *flows) Out() carrier.Out {
	if f == nil || f.out == nil {
		return nil
	}
	return f.out
}

func (f *flows) In() carrier.In {
	if f == nil || f.in == nil {
		return nil
	}
	return f.in
}

// news tells those that wait for a flow.
func (f *flows) news() {
	if f == nil {
		return
	}
	for _, f := range []*flow{f.out, f.in} {
		if f != nil {
			f.tell()
		}
	}
}

// open finds the flows of the job's call, if it has any, before the function runs.
func (j *job) open() {
	if state(j.call).Load()&C.PILLION__CALL_FLOWS != 0 {
		j.flows = &flows{
			newFlow(C.pillion__call_flow(j.call, C.PILLION__FLOW_OUT_SIDE)),
			newFlow(C.pillion__call_flow(j.call, C.PILLION__FLOW_IN_SIDE)),
		}
	}
}

// flowing gives a job to a call on a loop that has flows, for its news, and else nil.
func flowing(call *C.struct_pillion__call) *job {
	st := state(call).Load()
	if st&C.PILLION__CALL_FLOWS == 0 {
		return nil
	}
	j := &job{call: call, gen: uint32(st >> 32)}
	j.open()
	runningAt(uint32(call.slot)).Store(j)
	return j
}

// ended is for before the call's end is published. j may be nil.
func (j *job) ended() {
	if j != nil {
		runningAt(uint32(j.call.slot)).Store(nil)
	}
}

// behalf is a call on whose behalf Go calls the host.
type behalf interface {
	carrier.Call
	node() *C.struct_pillion__call
}

func (j *job) node() *C.struct_pillion__call { return j.call }

// caller is a call on a loop that has no flows and lends nothing.
type caller struct{ call *C.struct_pillion__call }

func (caller) Out() carrier.Out { return nil }
func (caller) In() carrier.In   { return nil }
func (caller) Call(carrier.Request) (carrier.Inbound, error) {
	return nil, imports.ErrNotProvided
}
func (c caller) node() *C.struct_pillion__call { return c.call }

// values are what a function's context has of its call. As a context they take no memory,
// since they are one pointer.
type values[C behalf] struct{ call C }

func (values[C]) Deadline() (at time.Time, ok bool) { return at, false }
func (values[C]) Done() <-chan struct{}             { return nil }
func (values[C]) Err() error                        { return nil }

func (v values[C]) Value(key any) any {
	if key == (carrier.CallKey{}) {
		return v.call
	}
	return nil
}

var _ context.Context = values[caller]{}
