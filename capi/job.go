// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/offload"
)

// job is one offloaded call, on its way through a pool.
type job struct {
	call *C.struct_pillion__call
	gen  uint32
	ctx  offload.Context
	task *executor.Task[[]byte] // instead of the context, of a call that runs on a pool of C's

	*flows // nil: it has none
}

// nodes finds what Go has for nodes of C's: by chunk of slots, then by slot.
type nodes[T any] [C.PILLION__CHUNKS]atomic.Pointer[[C.PILLION__CHUNK]atomic.Pointer[T]]

func (n *nodes[T]) at(slot uint32) *atomic.Pointer[T] {
	chunk := &n[slot/C.PILLION__CHUNK]
	all := chunk.Load()
	if all == nil {
		chunk.CompareAndSwap(nil, new([C.PILLION__CHUNK]atomic.Pointer[T]))
		all = chunk.Load()
	}
	return &all[slot%C.PILLION__CHUNK]
}

var running nodes[job] // the calls that Go works for

func runningAt(slot uint32) *atomic.Pointer[job] { return running.at(slot) }

// tell brings a running call its news.
func tell(b *C.struct_pillion__job) {
	if b.news&C.PILLION__NEWS_ANSWER != 0 {
		tellInbound(b)
		return
	}
	j := runningAt(uint32(b.call.slot)).Load()
	if j == nil || j.gen != uint32(b.gen) {
		return
	}
	if b.news&C.PILLION__NEWS_CANCEL != 0 {
		j.stop()
	}
	j.news() // after a cancel nothing waits for room any more
}

// stop ends the job's context if a cancel or an expiry has asked for it.
func (j *job) stop() {
	switch why := asked(j.call); {
	case why == nil:
	case j.task == nil:
		j.ctx.End(why)
	case why == context.DeadlineExceeded:
		executor.Carrier{}.Expire(j.task.Handle())
	default:
		j.task.Cancel()
	}
}

// asked gives the reason for a call's end: nil if it may go on.
func asked(call *C.struct_pillion__call) error {
	switch st := state(call).Load(); {
	case st&C.PILLION__CALL_EXPIRED != 0:
		return context.DeadlineExceeded
	case st&C.PILLION__CALL_CANCEL != 0:
		return context.Canceled
	}
	return nil
}

// Run implements [offload.Job]. A call that it cannot take up was cancelled, or its
// time was up, and its node may serve another call by now.
func (j *job) Run() {
	if !takeUp(state(j.call), j.gen) {
		j.ctx.Stop()
		return
	}
	if at := deadline(j.call); at != executor.Never && at <= int64(C.pillion__now()) {
		j.ctx.Stop()
		publish(j.call, C.PILLION_ETIMEDOUT, C.PILLION_OUTCOME_CANCELLED_UNSTARTED, nil)
		return
	}
	j.open()
	j.ctx.Base = values[*job]{j}
	at := runningAt(uint32(j.call.slot))
	at.Store(j)
	j.stop() // a cancel before the store found no job to stop
	functions[j.call.function].Run(&j.ctx, request(j.call), j, func(response []byte, err error) {
		at.Store(nil)
		j.ctx.Stop()
		why := j.ctx.Err()
		if why == nil && j.flows != nil {
			why = asked(j.call) // a flow tells of a cancel before the context does
		}
		complete(j.call, response, err, why)
	})
}

// Moot implements [offload.Moot].
func (j *job) Moot() bool {
	if isNew(state(j.call).Load(), j.gen) {
		return false
	}
	j.ctx.Stop()
	return true
}

// startClock gives the context the call's deadline, before the job waits for a
// worker.
func (j *job) startClock() {
	at := deadline(j.call)
	if !isNew(state(j.call).Load(), j.gen) || at == executor.Never {
		return // it was cancelled: the deadline read may be a result's length
	}
	left := time.Duration(at - int64(C.pillion__now()))
	j.ctx.Until(time.Now().Add(left), j.expire)
}

// expire ends a call whose time is up, also one that still waits for a worker.
func (j *job) expire() {
	if takeUp(state(j.call), j.gen) {
		publish(j.call, C.PILLION_ETIMEDOUT, C.PILLION_OUTCOME_CANCELLED_UNSTARTED, nil)
		return
	}
	j.ctx.End(context.DeadlineExceeded)
}

// deadline is the one that a call began with. The result will lie in its place.
func deadline(call *C.struct_pillion__call) int64 {
	return *(*int64)(unsafe.Add(unsafe.Pointer(call), C.PILLION__DEADLINE_AT))
}

// isNew reports whether the state's call still waits for a worker.
func isNew(state uint64, gen uint32) bool {
	return uint32(state>>32) == gen && state&C.PILLION__CALL_PHASE == C.PILLION__CALL_NEW
}

// takeUp makes a new call a running one. A waiter may have left its mark already.
func takeUp(state *atomic.Uint64, gen uint32) bool {
	for {
		old := state.Load()
		if !isNew(old, gen) {
			return false
		}
		if state.CompareAndSwap(old, old-C.PILLION__CALL_NEW+C.PILLION__CALL_RUNNING) {
			return true
		}
	}
}

// request copies a call's request into Go's memory: a function may keep it.
func request(call *C.struct_pillion__call) []byte {
	if call.request_length == 0 {
		return nil
	}
	from := unsafe.Pointer(&call.payload)
	if call.request_length > C.PILLION_INLINE || state(call).Load()&C.PILLION__CALL_NAMES != 0 {
		from = *(*unsafe.Pointer)(from)
	}
	to := make([]byte, int(call.request_length)) // C.GoBytes takes 2 GiB at most
	copy(to, unsafe.Slice((*byte)(from), len(to)))
	return to
}

// complete publishes the end of a running call. why is the error with which its context
// ended, if it did: a function that returns that error was cancelled.
func complete(call *C.struct_pillion__call, response []byte, err, why error) {
	switch {
	case err == nil:
		publish(call, C.PILLION_OK, C.PILLION_OUTCOME_RETURNED, response)
	case why != nil && (errors.Is(err, why) || err == executor.ErrClosed): // a flow's answer to a cancel
		publish(call, cancelStatus(why), C.PILLION_OUTCOME_CANCELLED_RUNNING, nil)
	default:
		publish(call, failureStatus(err), C.PILLION_OUTCOME_RETURNED, failure(err))
	}
}

// finish publishes the end of a call that was a task.
func finish(call *C.struct_pillion__call, response []byte, err error, outcome executor.Outcome) {
	if outcome != executor.Returned {
		publish(call, cancelStatus(err), C.uint32_t(outcome), nil)
		return
	}
	complete(call, response, err, asked(call))
}

// cancelStatus is the status of a call cancelled with this error.
func cancelStatus(err error) C.int32_t {
	if errors.Is(err, context.DeadlineExceeded) {
		return C.PILLION_ETIMEDOUT
	}
	return C.PILLION_ECANCELLED
}

func publish(call *C.struct_pillion__call, status C.int32_t, outcome C.uint32_t, payload []byte) {
	C.pillion__complete(C.uintptr_t(uintptr(unsafe.Pointer(call))), status, outcome,
		C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(payload)))), C.uint64_t(len(payload)))
	runtime.KeepAlive(payload)
}
