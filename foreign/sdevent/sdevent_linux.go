// SPDX-License-Identifier: Apache-2.0

// Package sdevent puts an executor on sd-event, the loop of libsystemd 243 or later,
// without cgo. Package foreign has what all such hosts share.
//
//	host, err := sdevent.Default()
//	...
//	defer host.Close()
//	l := executor.New(executor.Config{Host: host})
//	err = host.Attach(l)
//
// The deadline is met within microseconds, never early. sd-event can't end a loop when no
// task is live any more; [foreign.Host.Run] does. It allows no loop inside a handler. A
// descriptor is in a loop once: a task that awaits one that the program has there already
// gets [executor.ErrBusy].
package sdevent

import (
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/descriptor"
)

var loopDefault, loopRef, loopUnref, loopRun, loopTID, addIO, addTime, setPriority, setEvents,
	setEnabled, setTime, disableUnref uintptr

var load = sync.OnceValue(func() error {
	return foreign.Load("libsystemd.so.0", map[string]*uintptr{
		"sd_event_default":              &loopDefault,
		"sd_event_ref":                  &loopRef,
		"sd_event_unref":                &loopUnref,
		"sd_event_run":                  &loopRun,
		"sd_event_get_tid":              &loopTID,
		"sd_event_add_io":               &addIO,
		"sd_event_add_time":             &addTime,
		"sd_event_source_set_priority":  &setPriority,
		"sd_event_source_set_io_events": &setEvents,
		"sd_event_source_set_enabled":   &setEnabled,
		"sd_event_source_set_time":      &setTime,
		"sd_event_source_disable_unref": &disableUnref,
	})
})

// failed makes an error of what sd-event answers.
func failed(r uintptr) error {
	switch code := int32(r); {
	case code >= 0:
		return nil
	case unix.Errno(-code) == unix.EPERM: // a regular file, say
		return watch.ErrUnwatchable
	case unix.Errno(-code) == unix.EEXIST:
		return executor.ErrBusy
	case unix.Errno(-code) == unix.ESTALE: // it has exited
		return executor.ErrClosed
	default:
		return unix.Errno(-code)
	}
}

// Default gives a host on the thread's default loop, which it makes if need be.
//
// # Errors
//
// [foreign.ErrNoLibrary], [foreign.ErrNoFunction], or the system's.
func Default() (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	var at uintptr
	if err := failed(foreign.Call(loopDefault, uintptr(unsafe.Pointer(&at)))); err != nil {
		return nil, err
	}
	defer foreign.Call(loopUnref, at)
	return On(at, 0)
}

// On gives a host on a loop, which is an *sd_event, and of which it has a reference
// until it is closed. The sources for the executor and for the descriptors that its
// tasks await have this priority; 0 is SD_EVENT_PRIORITY_NORMAL. The errors are those of
// [Default].
func On(at uintptr, priority int64) (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	host, err := foreign.New(loop{foreign.Call(loopRef, at), priority})
	if err != nil {
		foreign.Call(loopUnref, at)
	}
	return host, err
}

type loop struct {
	at       uintptr
	priority int64
}

const (
	off     = 0
	on      = 1
	oneShot = ^uintptr(0) // -1
)

// onEvent is the callback of all sources: for a timer the time is in the place of fd, and
// no events come.
var onEvent = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(source, _, events uintptr) uintptr {
		if w := foreign.Find(source); w != nil {
			w.Came(descriptor.FromPoll(int16(events)), false)
		}
		return 0
	})
})

// bind is called with what the loop answers to a source.
func (l loop) bind(w *foreign.Watch, source, answer uintptr) error {
	if err := failed(answer); err != nil {
		return err
	}
	w.Bind(source)
	return failed(foreign.Call(setPriority, source, uintptr(l.priority)))
}

// Watch implements [foreign.Loop]. epoll(7) reports hang-ups unasked: so nothing is
// watched for nothing.
func (l loop) Watch(w *foreign.Watch, events watch.Events) error {
	mask := uintptr(descriptor.ToPoll(events))
	if w.Handle == 0 {
		if err := l.ours(); err != nil {
			return err
		}
		var source uintptr
		answer := foreign.Call(addIO, l.at, uintptr(unsafe.Pointer(&source)), uintptr(w.FD), mask, onEvent(), 0)
		return l.bind(w, source, answer)
	}
	if events == 0 {
		return failed(foreign.Call(setEnabled, w.Handle, off))
	}
	if err := failed(foreign.Call(setEvents, w.Handle, mask)); err != nil {
		return err
	}
	return failed(foreign.Call(setEnabled, w.Handle, on))
}

// ours fails if the loop is the default one of another thread.
func (l loop) ours() error {
	var id int32
	if int32(foreign.Call(loopTID, l.at, uintptr(unsafe.Pointer(&id)))) >= 0 && int(id) != unix.Gettid() {
		return foreign.ErrWrongThread
	}
	return nil
}

// Unwatch implements [foreign.Loop].
func (l loop) Unwatch(w *foreign.Watch) { foreign.Call(disableUnref, w.Handle) }

// Arm implements [foreign.Loop]. sd-event counts microseconds. An accuracy of 0 would be
// one of 250 ms.
func (l loop) Arm(timer *foreign.Watch, at int64) error {
	if timer.Handle == 0 {
		var source uintptr
		answer := foreign.Call(addTime, l.at, uintptr(unsafe.Pointer(&source)), unix.CLOCK_MONOTONIC, 0, 1, onEvent(), 0)
		if err := l.bind(timer, source, answer); err != nil {
			return err
		}
	}
	if at == executor.Never {
		return failed(foreign.Call(setEnabled, timer.Handle, off))
	}
	if err := failed(foreign.Call(setTime, timer.Handle, uintptr((at-1)/1000+1))); err != nil {
		return err
	}
	return failed(foreign.Call(setEnabled, timer.Handle, oneShot))
}

// Step implements [foreign.Loop].
func (l loop) Step() error { return failed(foreign.Call(loopRun, l.at, ^uintptr(0))) }

// Close implements [foreign.Loop].
func (l loop) Close() { foreign.Call(loopUnref, l.at) }
