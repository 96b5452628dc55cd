// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
)

// inbound is a call of the host, in a node of C's. It implements [carrier.Inbound].
type inbound struct {
	at     *C.struct_pillion__inbound
	handle uint64
	flows
	waiter
}

var inbounds nodes[inbound] // those that the host has to answer

// Call calls a function that the job's call has lent.
func (j *job) Call(r carrier.Request) (carrier.Inbound, error) {
	if j.flows == nil {
		return nil, imports.ErrNotProvided
	}
	return offer(j.call, 0, r)
}

// provider is a provider of the host's, by its handle.
type provider C.uint64_t

func (p provider) Call(r carrier.Request) (carrier.Inbound, error) {
	return offer(nil, C.uint64_t(p), r)
}

func offer(lender *C.struct_pillion__call, provider C.uint64_t, r carrier.Request) (carrier.Inbound, error) {
	at, on := int64(executor.Never), C.uint64_t(0)
	if !r.Deadline.IsZero() {
		at = int64(C.pillion__now()) + int64(time.Until(r.Deadline))
	}
	if b, ok := r.OnBehalf.(behalf); ok {
		on = C.pillion__call_handle(b.node())
	}
	var flows C.uint32_t
	if r.Items {
		flows |= C.PILLION_FLOW_IN
	}
	if r.Sends {
		flows |= C.PILLION_FLOW_OUT
	}
	in := new(inbound)
	rc := C.pillion__offer(&in.at, lender, provider, on, C.uint32_t(r.Function), flows, C.int64_t(at),
		C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(r.Payload)))), C.uint64_t(len(r.Payload)))
	runtime.KeepAlive(r.Payload)
	if rc < 0 {
		return nil, hostFailed(rc)
	}
	in.handle = uint64(C.pillion__inbound_handle(in.at))
	if flows != 0 {
		in.in = newFlow(C.pillion__inbound_flow(in.at, C.PILLION__FLOW_IN_SIDE))
		in.out = newFlow(C.pillion__inbound_flow(in.at, C.PILLION__FLOW_OUT_SIDE))
	}
	inbounds.at(slotOf(in.handle)).Store(in)
	return in, nil
}

func slotOf(handle uint64) uint32 { return uint32(handle>>32) & 0xffffff }

// hostFailed is the error of a call that the host has not answered.
func hostFailed(rc C.int) error {
	switch rc {
	case C.PILLION_ECLOSED:
		return imports.ErrHostGone
	case C.PILLION_ENOTFOUND, C.PILLION_ENOTSUP:
		return imports.ErrNotProvided
	}
	return failed(rc, nil)
}

func (in *inbound) Await(w carrier.Waiter) bool {
	return C.pillion__inbound_wait(in.at, in.word(w)) != 0
}

func (in *inbound) Finish() { C.pillion__inbound_finish(in.at) }

func (in *inbound) Cancel() { C.pillion__inbound_cancel(in.at) }

func (in *inbound) Release() {
	inbounds.at(slotOf(in.handle)).Store(nil)
	C.pillion__inbound_release(in.at)
}

func (in *inbound) Answer() ([]byte, error) {
	var value C.pillion_value
	var outcome C.uint32_t
	if C.pillion__inbound_take(in.at, &value, &outcome) != C.PILLION_READY {
		return nil, imports.ErrHostGone // Await has told that it is there
	}
	payload := make([]byte, int(value.length))
	copy(payload, unsafe.Slice((*byte)(C.pillion_value_data(&value)), len(payload)))
	status := C.int(value.status)
	C.pillion_value_drop(&value)
	switch status {
	case C.PILLION_OK:
		return payload, nil
	case C.PILLION_ECANCELLED, C.PILLION_ETIMEDOUT:
		return nil, context.Canceled
	case C.PILLION_EFAILED, C.PILLION_EPANIC, C.PILLION_EGOEXIT:
		failure := imports.Error(carrier.ParseFailure(payload))
		return nil, &failure
	}
	return nil, hostFailed(status)
}

// providers is the [carrier.Host]. It keeps the functions of the providers that it has
// found, by their handles.
type providers struct {
	sync.Mutex
	functions map[C.uint64_t]map[string]int
}

func (p *providers) Find(name, function string, onBehalf carrier.Call) (carrier.Callee, int, error) {
	var handle C.uint64_t
	var preferred C.uint64_t
	if b, ok := onBehalf.(behalf); ok {
		preferred = C.pillion__call_executor(b.node())
	}
	if C.pillion__provider_find(&handle, terminated(name), preferred) < 0 {
		return nil, 0, imports.ErrNotProvided
	}
	if i, ok := p.of(handle)[function]; ok {
		return provider(handle), i, nil
	}
	return nil, 0, imports.ErrNotProvided
}

// of gives a provider's functions, which its descriptor names in their order.
func (p *providers) of(handle C.uint64_t) map[string]int {
	p.Lock()
	defer p.Unlock()
	if f := p.functions[handle]; f != nil {
		return f
	}
	var described struct {
		Functions []struct{ Name string }
	}
	n := C.pillion__provider_descriptor(nil, 0, handle)
	if n < 0 {
		return nil
	}
	text := make([]byte, int(n)+1)
	C.pillion__provider_descriptor((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)), handle)
	if err := json.Unmarshal(text[:n], &described); n > 0 && err != nil {
		warn("a provider's descriptor is malformed: " + err.Error())
	}
	if p.functions == nil || len(p.functions) > 1024 { // most of those are gone
		p.functions = make(map[C.uint64_t]map[string]int)
	}
	functions := make(map[string]int)
	for i, f := range described.Functions {
		functions[f.Name] = i
	}
	p.functions[handle] = functions
	return functions
}

var logLevel = (*atomic.Int32)(unsafe.Pointer(&C.pillion__log_level))

func (*providers) LogLevel() int { return int(logLevel.Load()) }

func (*providers) Log(line []byte) bool {
	return bool(C.pillion__log_line((*C.char)(unsafe.Pointer(unsafe.SliceData(line))), C.size_t(len(line))))
}

func init() { carrier.SetHost(new(providers)) }

// tellInbound brings a call of the host its news.
func tellInbound(b *C.struct_pillion__job) {
	in := inbounds.at(uint32(b.call.slot)).Load()
	if in == nil || uint32(in.handle) != uint32(b.gen) {
		return
	}
	in.tell()
	in.news()
}
