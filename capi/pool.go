// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// pools are the Go sides of C's pools, by their index. The first call for a pool makes
// its Go side, and C's workers join it in their turns.
var pools [C.PILLION__POOLS]atomic.Pointer[executor.Pool]

// pool gives the pool that a call runs on: its index + 1, or 0.
func pool(call *C.struct_pillion__call) uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&call.pool)).Load()
}

// poolAt gives the Go side of a call's pool, or nil if the pool has been freed all the
// same. Only the dispatcher calls it, and so makes Go sides.
func poolAt(index uint32) *executor.Pool {
	if p := pools[index].Load(); p != nil {
		return p
	}
	i := C.uint32_t(index)
	p := executor.NewPool(executor.PoolConfig{
		Arena: arena{C.PILLION__CHUNK_GUEST_POOL, i},
		Inbox: (*carrier.Inbox)(unsafe.Pointer(C.pillion__guest_pool_inbox(i))),
		Seed:  uint64(C.pillion__guest_pool_seed(i)),
	})
	pools[index].Store(p)
	if C.pillion__guest_pool_open(i) == 0 {
		freePool(index)
		return nil
	}
	return p
}

// spawn makes the job a task of a pool. Only the dispatcher calls it and stop, so that
// a cancel never comes between the spawn and the store of the task.
func (j *job) spawn(index uint32) {
	if !takeUp(state(j.call), j.gen) {
		return
	}
	p := poolAt(index)
	if p == nil {
		publish(j.call, C.PILLION_ECANCELLED, C.PILLION_OUTCOME_CANCELLED_UNSTARTED, nil)
		return
	}
	j.open()
	at := runningAt(uint32(j.call.slot))
	at.Store(j)
	done := executor.OnDone[[]byte](func(response []byte, err error, outcome executor.Outcome) {
		at.Store(nil)
		finish(j.call, response, err, outcome)
	})
	options := []executor.Option{done}
	if j.flows != nil || carrier.UsesHost() {
		options = append(options, executor.WithValues(values[*job]{j}))
	}
	if when := deadline(j.call); when != executor.Never {
		options = append(options, executor.WithDeadline(when))
	}
	task, err := executor.Spawn(p, functions[j.call.function].Start(request(j.call), j), options...)
	switch {
	case err == nil:
		j.task = task
	case errors.Is(err, executor.ErrClosed): // freed just now
		at.Store(nil)
		publish(j.call, C.PILLION_ECANCELLED, C.PILLION_OUTCOME_CANCELLED_UNSTARTED, nil)
	default:
		at.Store(nil)
		complete(j.call, nil, err, nil)
	}
}

// join makes the executor a worker of the pool's Go side as well.
func (l *loop) join(index uint32) {
	p := pools[index].Load()
	if p == nil {
		return
	}
	if err := p.Join(l.local); err != nil {
		warn("an executor did not join a pool: " + err.Error())
		return
	}
	l.pool = p
}

// pillion__go_leave runs on the owner's thread. A worker with suspended coroutines
// doesn't come here.
//
//export pillion__go_leave
func pillion__go_leave(index C.uint32_t) {
	defer contain(nil)
	l := loops[index].Load()
	if l == nil || l.pool == nil {
		return
	}
	l.local.Carrier().Retire()
	if err := l.pool.Leave(l.local); err != nil {
		warn("an executor did not leave its pool: " + err.Error())
	}
	l.pool = nil
}

// pillion__go_pool_free drops the Go tasks of a pool that has no workers any more.
//
//export pillion__go_pool_free
func pillion__go_pool_free(index C.uint32_t) {
	defer contain(nil)
	freePool(uint32(index))
}

func freePool(index uint32) {
	p := pools[index].Swap(nil)
	if p == nil {
		return
	}
	if err := p.Free(); err != nil {
		warn("a pool's Go tasks were not dropped: " + err.Error())
	}
}
