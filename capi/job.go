// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/offload"
)

// job is one offloaded call, on its way through a pool.
type job struct {
	call     *C.struct_pillion__call
	gen      uint32
	function *export.Function
	ctx      offload.Context
}

// running finds the job of a call that is to be cancelled: by chunk of call
// slots, then by slot.
var running [C.PILLION__CHUNKS]atomic.Pointer[[C.PILLION__CHUNK]atomic.Pointer[job]]

func runningAt(slot uint32) *atomic.Pointer[job] {
	chunk := &running[slot/C.PILLION__CHUNK]
	jobs := chunk.Load()
	if jobs == nil {
		chunk.CompareAndSwap(nil, new([C.PILLION__CHUNK]atomic.Pointer[job]))
		jobs = chunk.Load()
	}
	return &jobs[slot%C.PILLION__CHUNK]
}

func cancelRunning(call *C.struct_pillion__call, gen uint32) {
	if j := runningAt(uint32(call.slot)).Load(); j != nil && j.gen == gen {
		j.ctx.Cancel()
	}
}

// Run implements [offload.Job]. A call that it cannot take up was cancelled, and
// its node may be another call's by now.
func (j *job) Run() {
	st := state(j.call)
	if !takeUp(st, j.gen) {
		return
	}
	at := runningAt(uint32(j.call.slot))
	at.Store(j)
	// A cancel that came before the store found nobody to tell.
	if st.Load()&C.PILLION__CALL_CANCEL != 0 {
		j.ctx.Cancel()
	}
	j.function.Run(&j.ctx, request(j.call), func(response []byte, err error) {
		at.Store(nil)
		complete(j.call, response, err)
	})
}

// takeUp makes a new call a running one. A waiter may have left its mark already.
func takeUp(state *atomic.Uint64, gen uint32) bool {
	for {
		old := state.Load()
		if uint32(old>>32) != gen || old&C.PILLION__CALL_PHASE != C.PILLION__CALL_NEW {
			return false
		}
		if state.CompareAndSwap(old, old-C.PILLION__CALL_NEW+C.PILLION__CALL_RUNNING) {
			return true
		}
	}
}

// request copies a call's request into Go's memory: a function may keep it.
func request(call *C.struct_pillion__call) []byte {
	n := C.int(call.request_length)
	if call.request_length == 0 {
		return nil
	}
	from := unsafe.Pointer(&call.payload)
	if call.request_length > C.PILLION_INLINE {
		from = *(*unsafe.Pointer)(from)
	}
	return C.GoBytes(from, n)
}

// complete publishes the end of a call that runs.
func complete(call *C.struct_pillion__call, response []byte, err error) {
	if err == nil {
		publish(call, C.PILLION_OK, C.PILLION_OUTCOME_RETURNED, response)
		return
	}
	asked := state(call).Load()&C.PILLION__CALL_CANCEL != 0
	if asked && errors.Is(err, context.Canceled) {
		publish(call, C.PILLION_ECANCELLED, C.PILLION_OUTCOME_CANCELLED_RUNNING, nil)
		return
	}
	publish(call, failureStatus(err), C.PILLION_OUTCOME_RETURNED, failure(err))
}

func publish(call *C.struct_pillion__call, status C.int32_t, outcome C.uint32_t, payload []byte) {
	C.pillion__complete(C.uintptr_t(uintptr(unsafe.Pointer(call))), status, outcome,
		C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(payload)))), C.uint64_t(len(payload)))
	runtime.KeepAlive(payload)
}
