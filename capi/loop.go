// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/coro"
)

// loop is Go's executor behind one of C's, for functions that run on the loop.
// Everything but its host belongs to the owner's thread.
type loop struct {
	local *executor.Local
	hooks executor.ContextHooks
	tasks map[uint32]*executor.Task[[]byte] // by the slot of their call
	pool  *executor.Pool                    // that it works for, or nil
}

// loops has a loop for each executor of C's, by its index, once it has had a Go task.
var loops [C.PILLION__EXECUTORS]atomic.Pointer[loop]

// host pokes C's executor, whose next turn then enters Go.
type host C.uint32_t

func (h host) Wake() error {
	C.pillion__guest_wake(C.uint32_t(h))
	return nil
}

func loopAt(index C.uint32_t) *loop {
	l := loops[index].Load()
	if l == nil {
		hooks := hooksOf(index)
		l = &loop{
			local: executor.New(executor.Config{
				Host:    host(index),
				Clock:   func() int64 { return int64(C.pillion__guest_now(index)) },
				Arena:   arena{C.PILLION__CHUNK_GUEST, index},
				Context: hooks,
				Seed:    uint64(C.pillion__guest_seed(index)),
			}),
			hooks: hooks,
			tasks: make(map[uint32]*executor.Task[[]byte]),
		}
		loops[index].Store(l)
	}
	return l
}

//export pillion__go_turn
func pillion__go_turn(t *C.struct_pillion__guest_turn) {
	defer contain(nil)
	l := loopAt(t.index)
	if t.pool != 0 && l.pool == nil {
		l.join(uint32(t.pool) - 1)
	}
	for i := range t.errands[:t.count] {
		l.deliver(&t.errands[i])
	}
	progress, err := l.local.Poll(executor.Budget{
		MaxPolls: int(t.max_polls),
		MaxTime:  time.Duration(t.max_ns),
	})
	if err != nil {
		warn("a turn of Go's executor failed: " + err.Error())
		return
	}
	t.polled = C.uint32_t(progress.Polled)
	if progress.More {
		t.more = 1
	}
	t.deadline = C.int64_t(progress.Deadline)
	t.coroutines = C.uint32_t(coro.Suspended(l.local) + coro.Idle(l.local))
}

// deliver contains its own panics, so that no other errand is lost.
func (l *loop) deliver(p *C.struct_pillion__errand) {
	defer contain(nil)
	if p.call == nil {
		l.local.Carrier().Deliver(uint32(p.slot))
		return
	}
	if p.bits&C.PILLION__PEND_START != 0 {
		l.start(p.call, p.context)
	}
	if p.bits&C.PILLION__PEND_CANCEL != 0 {
		if task, ok := l.tasks[uint32(p.slot)]; ok {
			l.cancel(task, asked(p.call))
			if j := runningAt(uint32(p.slot)).Load(); j != nil {
				j.news() // after a cancel nothing waits for room any more
			}
		}
	}
}

// cancel ends a task, as its deadline if why is a timeout.
func (l *loop) cancel(task *executor.Task[[]byte], why error) {
	if why != context.DeadlineExceeded {
		task.Cancel()
	} else if err := task.SetDeadline(0); err != nil && err != executor.ErrClosed {
		warn("a deadline was not carried out: " + err.Error())
	}
}

func (l *loop) start(call *C.struct_pillion__call, token C.uintptr_t) {
	slot := uint32(call.slot)
	var lender carrier.Call
	j := flowing(call)
	switch {
	case j != nil:
		lender = j
	case state(call).Load()&C.PILLION__CALL_NAMES != 0:
		lender = caller{call}
	}
	future := functions[call.function].Start(request(call), lender)
	done := executor.OnDone[[]byte](func(response []byte, err error, outcome executor.Outcome) {
		delete(l.tasks, slot)
		j.ended()
		finish(call, response, err, outcome)
	})
	options := l.carry(token, done)
	switch {
	case j != nil:
		options = append(options, executor.WithValues(values[*job]{j}))
	case carrier.UsesHost():
		options = append(options, executor.WithValues(values[caller]{caller{call}}))
	}
	if at := deadline(call); at != executor.Never {
		options = append(options, executor.WithDeadline(at))
	}
	task, err := executor.Spawn(l.local, future, options...)
	if err != nil {
		if token != 0 {
			l.hooks.Release(token)
		}
		j.ended()
		complete(call, nil, err, nil)
		return
	}
	l.tasks[slot] = task
}

// pillion__go_settle ends the idle coroutines, unless others are suspended in their
// bodies; it gives the number of those.
//
//export pillion__go_settle
func pillion__go_settle(index C.uint32_t) (suspended C.uint32_t) {
	defer contain(nil)
	l := loops[index].Load()
	if l == nil {
		return 0
	}
	if n := coro.Suspended(l.local); n > 0 {
		return C.uint32_t(n)
	}
	l.local.Carrier().Retire()
	return 0
}

// pillion__go_free drops all of an executor's Go tasks. While coroutines live it runs
// on the owner's thread, since they can be unwound only there.
//
//export pillion__go_free
func pillion__go_free(index C.uint32_t) {
	defer contain(nil)
	l := loops[index].Swap(nil)
	if l == nil {
		return
	}
	if err := l.local.Free(); err != nil {
		warn("an executor's Go tasks were not dropped: " + err.Error())
	}
	parkedForGood.Add(uint64(coro.Lost(l.local)))
}

// arena gives Go's executors cells in C memory, so that a waker of a Go task is the
// same 64 bits for both sides. The index is of an executor of C's, or of a pool, into
// whose inbox C's wakes push the cells.
type arena struct{ kind, index C.uint32_t }

func (a arena) Lease() (uint32, []carrier.Cell, error) {
	var base C.uint32_t
	var cells unsafe.Pointer
	if rc := C.pillion__guest_lease(&base, &cells, a.kind, a.index); rc < 0 {
		return 0, nil, executor.ErrAgain
	}
	return uint32(base), unsafe.Slice((*carrier.Cell)(cells), carrier.ChunkCells), nil
}

func (a arena) Return(base uint32) { C.pillion__chunk_return(C.uint32_t(base)) }

func init() {
	// Executors that Go code makes for itself share only the slots with C's.
	if !carrier.SetArena(arena{kind: C.PILLION__CHUNK_ALIEN}) {
		warn("an executor was made before Pillion's ABI")
	}
}
