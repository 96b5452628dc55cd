// SPDX-License-Identifier: Apache-2.0

// Package host lets a loop in Go drive an executor of the library that it is built
// into, as a loop in C does: its hooks are those of include/pillion/host.h.
//
//	runtime.LockOSThread() // the executor belongs to a thread
//	err := host.Attach(ex, myLoop)
//	for { … wait for ex.FD and the deadline … ; n, progress, err := ex.Turn(events) }
//
// A Host has no Wake. A wake comes on any thread, also in a signal handler, where Go
// cannot be entered: the executor's descriptor becomes readable instead, which Go's
// netpoller watches as well as any loop. Everything is called on the thread that
// attaches, on a goroutine that is locked to it, always from the same depth: coroutines
// live on that thread and depth.
//
// Outside a library that capi/build makes every function answers ErrNoLibrary.
package host

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I${SRCDIR}/../../include
// #include "host.h"
import "C"

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/mattn/go-pointer"

	"github.com/pillion-dev/pillion/executor/watch"
)

// Host is a loop. The owner's thread calls it, Timer at the end of a turn in which the
// deadline changed, Live when the first task or call begins to live and when the last
// was taken. Drop is the last call, once: when the executor has another host, is
// detached or freed. No method may call back into the executor's turn.
//
// A host that watches descriptors is a watch.Host, too, and reports them by
// [Executor.Ready].
type Host interface {
	Timer(deadline int64)
	Live(live bool)
	Drop()
}

// Executor is the handle of one: C's pillion_executor.
type Executor uint64

// Error is what C answers, a negative PILLION_E….
type Error int

func (e Error) Error() string {
	return "host: " + C.GoString(C.pillion__host_strerror(C.int(e)))
}

// ErrNoLibrary says that the program is not a library that capi/build made.
var ErrNoLibrary = errors.New("host: this is not in a library of Pillion's")

func failed(rc C.int) error {
	switch {
	case rc >= 0:
		return nil
	case rc == C.PILLION__NO_LIBRARY:
		return ErrNoLibrary
	}
	return Error(rc)
}

var held atomic.Int64

// Held counts the hosts that C holds: those attached and not yet dropped.
func Held() int { return int(held.Load()) }

// Attach makes h the executor's host, in place of an earlier one, which is dropped.
// After an error nothing has changed, and h isn't dropped.
func Attach(ex Executor, h Host) error {
	_, watches := h.(watch.Host)
	data := pointer.Save(h)
	held.Add(1)
	err := failed(C.pillion__host_attach(C.uint64_t(ex), data, C.bool(watches)))
	if err != nil {
		release(data)
	}
	return err
}

// Detach leaves the executor without a host, and drops the one that it has.
func Detach(ex Executor) error { return failed(C.pillion__host_attach(C.uint64_t(ex), nil, false)) }

func release(data unsafe.Pointer) {
	pointer.Unref(data)
	held.Add(-1)
}

// New makes an executor, with the library's defaults.
func New() (ex Executor, err error) {
	err = failed(C.pillion__host_new((*C.uint64_t)(&ex)))
	return ex, err
}

// Free reclaims the executor, and drops its host.
func (ex Executor) Free() error { return failed(C.pillion__host_free(C.uint64_t(ex))) }

// FD is the descriptor that is readable while there is something to do.
func (ex Executor) FD() (int, error) {
	var fd C.int
	err := failed(C.pillion__host_fd(&fd, C.uint64_t(ex)))
	return int(fd), err
}

// Ready reports the events of a watched descriptor, with the key that Watch was given.
func (ex Executor) Ready(key uint64, events watch.Events) error {
	return failed(C.pillion__host_ready(C.uint64_t(ex), C.uint64_t(key), C.uint32_t(events)))
}

// Event tells of the end of a task or call, or is a posted one.
type Event struct {
	Token, Task    uint64
	Status         int32
	Outcome, Flags uint16
	Payload        []byte // a copy
}

// Progress is what a turn leaves.
type Progress struct {
	Polled   int
	More     bool
	Deadline int64
	Live     uint64
}

// Turn does one round of work, and appends the events to those of its first argument.
func (ex Executor) Turn(events []Event) ([]Event, Progress, error) {
	var its [64]C.pillion_event
	var p C.pillion_progress
	n := C.pillion__host_turn(&its[0], C.size_t(len(its)), &p, C.uint64_t(ex))
	for i := range its[:max(n, 0)] {
		e := &its[i]
		events = append(events, Event{
			Token: uint64(e.token), Task: uint64(e.task), Status: int32(e.status),
			Outcome: uint16(e.outcome), Flags: uint16(e.flags),
			Payload: C.GoBytes(C.pillion__host_payload(e), C.int(e.length)),
		})
	}
	return events, Progress{int(p.polled), p.more != 0, int64(p.deadline), uint64(p.live)}, failed(n)
}

// hostOf finds the host behind C's pointer.
func hostOf(data unsafe.Pointer) Host { return pointer.Restore(data).(Host) }

// A panic of the host's must not cross C: the process would end.
func contain() {
	if r := recover(); r != nil {
		C.pillion__host_warn(C.CString(fmt.Sprintf("a host's hook has panicked: %v", r)))
	}
}

//export pillion__go_host_timer
func pillion__go_host_timer(deadline C.int64_t, data unsafe.Pointer) {
	defer contain()
	hostOf(data).Timer(int64(deadline))
}

//export pillion__go_host_live
func pillion__go_host_live(live C.int, data unsafe.Pointer) {
	defer contain()
	hostOf(data).Live(live != 0)
}

//export pillion__go_host_drop
func pillion__go_host_drop(data unsafe.Pointer) {
	defer contain()
	h := hostOf(data)
	release(data)
	h.Drop()
}

//export pillion__go_host_watch
func pillion__go_host_watch(fd C.int, events C.uint32_t, key C.uint64_t, data unsafe.Pointer) (rc C.int) {
	rc = C.PILLION_ESYSTEM
	defer contain()
	err := hostOf(data).(watch.Host).Watch(int(fd), watch.Events(events), uint64(key))
	var answer Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errors.ErrUnsupported):
		return C.PILLION_ENOTSUP
	case errors.As(err, &answer):
		return C.int(answer)
	}
	return rc
}

//export pillion__go_host_unwatch
func pillion__go_host_unwatch(fd C.int, key C.uint64_t, data unsafe.Pointer) {
	defer contain()
	hostOf(data).(watch.Host).Unwatch(int(fd), uint64(key))
}
